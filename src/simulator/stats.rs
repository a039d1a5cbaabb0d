//! What the simulator saw and did, for tests that ask how a client behaves.

use std::sync::atomic::{AtomicU64, Ordering};

use url::form_urlencoded;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `GET /v2/phone/reports/operationlogs`.
    Report,
    /// `POST /oauth/token`.
    Token,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// What was asked for.
    pub endpoint: Endpoint,
    /// Its place among the requests for the same, from 1.
    pub number: u64,
    /// The parameters: those of the query, then those of a form body.
    pub parameters: Vec<(String, String)>,
}

impl SeenRequest {
    /// The first value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        first(&self.parameters, name)
    }
}

/// The first value of a parameter.
pub(super) fn first<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The parameters of a query or a form body.
pub(super) fn parameters(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

/// Counts since the simulator started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests for the report, whatever came of them.
    pub report_requests: u64,
    /// Requests for an access token, whatever came of them.
    pub token_requests: u64,
    /// Report pages served, spoilt ones included.
    pub pages_served: u64,
    /// Answers with status 429.
    pub throttled: u64,
    /// Faults that struck.
    pub faults: u64,
    /// The most requests that were open at once.
    pub max_in_flight: u64,
    /// Bytes of all bodies.
    pub body_bytes: u64,
}

/// The counts as they grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    report_requests: AtomicU64,
    token_requests: AtomicU64,
    pages_served: AtomicU64,
    throttled: AtomicU64,
    faults: AtomicU64,
    in_flight: AtomicU64,
    max_in_flight: AtomicU64,
    body_bytes: AtomicU64,
}

impl Counters {
    /// Counts a request and gives its number.
    pub(super) fn request(&self, endpoint: Endpoint) -> u64 {
        let counter = match endpoint {
            Endpoint::Report => &self.report_requests,
            Endpoint::Token => &self.token_requests,
        };
        counter.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn page(&self) {
        self.pages_served.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn faults(&self, count: usize) {
        self.faults.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn answer(&self, status: u16, body_bytes: u64) {
        if status == 429 {
            self.throttled.fetch_add(1, Ordering::Relaxed);
        }
        self.body_bytes.fetch_add(body_bytes, Ordering::Relaxed);
    }

    /// Counts a request as open until the guard is dropped, be it that its client went away.
    pub(super) fn open(&self) -> InFlight<'_> {
        let open = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.max_in_flight.fetch_max(open, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    pub(super) fn snapshot(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            report_requests: read(&self.report_requests),
            token_requests: read(&self.token_requests),
            pages_served: read(&self.pages_served),
            throttled: read(&self.throttled),
            faults: read(&self.faults),
            max_in_flight: read(&self.max_in_flight),
            body_bytes: read(&self.body_bytes),
        }
    }
}

/// An open request.
#[derive(Debug)]
pub(super) struct InFlight<'a>(&'a AtomicU64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
