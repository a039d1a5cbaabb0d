//! What answers have told about the upstream, whoever asked: how long a page takes, how large it is, and how many a day
//! fills.
//!
//! The rule: it only tells what is known; what follows from that is decided in [`super::share`].

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::plan;
use crate::model::Window;

/// Latencies scatter, and parts are never equally long.
const HEADROOM: f64 = 1.15;

/// What answers have told about the upstream, whoever asked.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// How long signing in took; stands in for `latency` until that is known.
    sign_in: Option<f64>,
    /// How long a page takes, in seconds.
    latency: Option<f64>,
    /// Whether any page has come.
    has_page: bool,
    /// The pages and mean days of windows whose total was told.
    pages: f64,
    days: f64,
    /// The requests and mean days of whole windows whose total was not told.
    untold_requests: f64,
    untold_days: f64,
    /// The pages that were weighed, and what they come to.
    weighed: f64,
    bytes: PageBytes,
}

/// How large pages are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PageBytes {
    /// As received.
    pub(super) received: f64,
    /// While they wait for their window to be whole.
    pub(super) kept: f64,
}

impl Pulse {
    pub(super) fn signed_in(&self, took: Duration) {
        self.known().sign_in.get_or_insert(took.as_secs_f64());
    }

    /// Learns how long a page took. The mean follows the upstream's mood within a few pages.
    pub(super) fn observe(&self, latency: Duration) {
        let mut known = self.known();
        let sample = latency.as_secs_f64();
        known.latency = Some(known.latency.map_or(sample, |mean| mean + (sample - mean) / 8.0));
        known.has_page = true;
    }

    /// Learns how many pages a window fills, where it was told.
    pub(super) fn measure(&self, window: &Window, pages: Option<f64>) {
        // A window without records may be one of no time at all: that tells nothing.
        if let Some(pages) = pages.filter(|pages| *pages > 0.0) {
            let mut known = self.known();
            known.pages += pages;
            known.days += plan::mean_days(window);
        }
        self.changed.notify_one();
    }

    /// Learns how many requests it took to read a window to its end whose total was not told.
    pub(super) fn measure_untold(&self, window: &Window, requests: f64) {
        let mut known = self.known();
        known.untold_requests += requests;
        known.untold_days += plan::mean_days(window);
    }

    /// Learns how many bytes a page had, and how many are kept of it.
    pub(super) fn weigh(&self, received: usize, kept: usize) {
        let mut known = self.known();
        known.weighed += 1.0;
        known.bytes.received += received as f64;
        known.bytes.kept += kept as f64;
    }

    /// How large a page is, in the mean.
    pub(super) fn page_bytes(&self) -> Option<PageBytes> {
        let Known { weighed, bytes, .. } = *self.known();
        (weighed > 0.0).then(|| PageBytes { received: bytes.received / weighed, kept: bytes.kept / weighed })
    }

    /// Waits until more is known.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether any page has come.
    pub(super) fn has_page(&self) -> bool {
        self.known().has_page
    }

    /// How many requests must be in flight to use the rate.
    pub(super) fn demand(&self, per_second: f64) -> Option<f64> {
        let known = self.known();
        known.latency.or(known.sign_in).map(|latency| latency * per_second * HEADROOM)
    }

    /// How many pages a mean day fills, where totals are told.
    pub(super) fn pages_per_day(&self) -> Option<f64> {
        let known = self.known();
        (known.days > 0.0).then(|| known.pages / known.days)
    }

    /// How many requests a mean day takes, totals told or not.
    pub(super) fn requests_per_day(&self) -> Option<f64> {
        let untold = || {
            let known = self.known();
            (known.untold_days > 0.0).then(|| known.untold_requests / known.untold_days)
        };
        self.pages_per_day().or_else(untold)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
