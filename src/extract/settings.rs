//! What a caller can set, and what holds when it does not.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::progress::Observer;
use super::quota::{DayCount, Plan};

/// The API as the whole world reaches it.
pub const DEFAULT_BASE_URL: &str = "https://api.zoom.us/v2";
/// Where access tokens are given out.
pub const DEFAULT_OAUTH_URL: &str = "https://zoom.us/oauth/token";
/// Records asked for per page; also the most that the upstream allows.
pub const DEFAULT_PAGE_SIZE: u16 = 300;
/// How often a window is read at most until a reading is stable.
pub const DEFAULT_READS_PER_WINDOW: u32 = 4;
/// The longest body taken, after decompression: 28 KB for each of 300 records, some hundred times what they have. Thirty
/// at once, as the Pro plan's windows may be, stay within 256 MiB. Were every record to have 64 KiB, pages of a hundred
/// would still be taken.
pub const DEFAULT_MAX_BODY_BYTES: usize = 8 << 20;
/// How long a connection may take to open.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may fall silent.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request may take in all.
pub const DEFAULT_TOTAL_TIMEOUT: Duration = Duration::from_secs(120);
/// How often one page, or one access token, is asked for at most.
pub const DEFAULT_TRIES_PER_PAGE: u32 = 6;
/// Failed requests after which a window is given up.
pub const DEFAULT_RETRIES_PER_WINDOW: u32 = 60;
/// Failed requests after which a run is given up, beside one for every four requests.
pub const DEFAULT_RETRIES_PER_RUN: u32 = 200;
/// Answers "too many requests per second" in a row after which a window is given up.
pub const DEFAULT_THROTTLES_PER_WINDOW: u32 = 100;
/// The bound of the first delay before asking again; each further one is twice as long.
pub const DEFAULT_FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest delay before asking again.
pub const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(30);
/// How long all workers pause after an answer "too many requests per second"; twice as long when it comes again.
pub const DEFAULT_THROTTLE_PAUSE: Duration = Duration::from_secs(1);

/// How long a run waits for one request to be taken while all are answered "too many requests per second".
pub const DEFAULT_THROTTLE_PATIENCE: Duration = Duration::from_secs(300);

/// The round trip that the default concurrency covers: with this many seconds' worth of requests in flight, the rate
/// limit is the bound and not the latency.
const COVERED_LATENCY_SECONDS: usize = 6;
const LEAST_DEFAULT_CONCURRENCY: usize = 16;

/// How the extractor asks. Everything has a default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The API, up to and with its version. While it is [`DEFAULT_BASE_URL`], the regional address that comes with an
    /// access token is followed.
    pub base_url: String,
    /// Where access tokens are asked for.
    pub oauth_url: String,
    /// The account's rate limits.
    pub plan: Plan,
    /// Requests of the day that are left to other apps of the account.
    pub reserve: u32,
    /// Requests after which the run stops; `None` for no such limit.
    pub max_requests: Option<u64>,
    /// Requests that earlier runs made today.
    pub used_today: Option<DayCount>,
    /// Records per page, 1 to 300.
    pub page_size: u16,
    /// The form of days in a request.
    pub date_format: DateFormat,
    /// How many windows are in flight at most; `None` for as many as the plan's rate can use.
    pub concurrency: Option<usize>,
    /// How often a window is read at most until a reading is stable.
    pub reads_per_window: u32,
    /// How often, and after what delays, a failed request is sent again.
    pub retries: Retries,
    /// How long a request may take.
    pub timeouts: Timeouts,
    /// The longest body taken, after decompression.
    pub max_body_bytes: usize,
    /// Who is told what happens.
    pub observer: Observer,
}

impl Settings {
    /// How many windows are in flight at most.
    pub fn concurrency(&self) -> usize {
        let by_rate = self.plan.per_second.get() as usize * COVERED_LATENCY_SECONDS;
        self.concurrency.unwrap_or(by_rate.max(LEAST_DEFAULT_CONCURRENCY)).max(1)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: DEFAULT_BASE_URL.to_owned(),
            oauth_url: DEFAULT_OAUTH_URL.to_owned(),
            plan: Plan::PRO,
            reserve: 0,
            max_requests: None,
            used_today: None,
            page_size: DEFAULT_PAGE_SIZE,
            date_format: DateFormat::default(),
            concurrency: None,
            reads_per_window: DEFAULT_READS_PER_WINDOW,
            retries: Retries::default(),
            timeouts: Timeouts::default(),
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            observer: Observer::default(),
        }
    }
}

/// The form of `from` and `to` in a request. Older descriptions of the report allow both, the current one only the
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateFormat {
    /// `yyyy-mm-dd`.
    #[default]
    Date,
    /// `yyyy-MM-dd'T'HH:mm:ss'Z'`: from the first second of the first day to the last of the last.
    DateTime,
}

impl DateFormat {
    pub(super) fn from(self, day: NaiveDate) -> String {
        match self {
            Self::Date => day.to_string(),
            Self::DateTime => format!("{day}T00:00:00Z"),
        }
    }

    pub(super) fn to(self, day: NaiveDate) -> String {
        match self {
            Self::Date => day.to_string(),
            Self::DateTime => format!("{day}T23:59:59Z"),
        }
    }
}

/// How often, and after what delays, a failed request is sent again.
#[derive(Clone, Debug)]
pub struct Retries {
    /// How often one page, or one access token, is asked for at most.
    pub tries_per_page: u32,
    /// Failed requests after which a window is given up.
    pub per_window: u32,
    /// Failed requests after which a run is given up, beside one for every four requests: an app whose requests mostly
    /// fail may be disabled by the upstream.
    pub per_run: u32,
    /// Answers "too many requests per second" in a row after which a window is given up.
    pub throttles_per_window: u32,
    /// The bound of the first delay.
    pub first_delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
    /// How long all workers pause after an answer "too many requests per second".
    pub throttle_pause: Duration,
    /// How long a run waits for one request to be taken while all are answered "too many requests per second": then
    /// others use up the account's rate, and it ends.
    pub throttle_patience: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            tries_per_page: DEFAULT_TRIES_PER_PAGE,
            per_window: DEFAULT_RETRIES_PER_WINDOW,
            per_run: DEFAULT_RETRIES_PER_RUN,
            throttles_per_window: DEFAULT_THROTTLES_PER_WINDOW,
            first_delay: DEFAULT_FIRST_DELAY,
            max_delay: DEFAULT_MAX_DELAY,
            throttle_pause: DEFAULT_THROTTLE_PAUSE,
            throttle_patience: DEFAULT_THROTTLE_PATIENCE,
        }
    }
}

/// How long a request may take.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// Until the connection is open.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// In all.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: DEFAULT_CONNECT_TIMEOUT, idle: DEFAULT_IDLE_TIMEOUT, total: DEFAULT_TOTAL_TIMEOUT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_concurrency_follows_the_plan() {
        let with = |plan| Settings { plan, ..Settings::default() }.concurrency();
        assert_eq!((with(Plan::PRO), with(Plan::BUSINESS)), (30, 60));
        assert_eq!(Settings { concurrency: Some(0), ..Settings::default() }.concurrency(), 1);
    }

    #[test]
    fn a_window_in_date_times_holds_its_last_day_to_the_end() {
        let day = "2022-02-28".parse().unwrap();
        assert_eq!((DateFormat::Date.from(day), DateFormat::Date.to(day)), ("2022-02-28".into(), "2022-02-28".into()));
        assert_eq!(DateFormat::DateTime.from(day), "2022-02-28T00:00:00Z");
        assert_eq!(DateFormat::DateTime.to(day), "2022-02-28T23:59:59Z");
    }
}
