//! What can go wrong, by what the caller can do about it.
//!
//! The rule: an error names its subject and never holds a record, a secret or a page token.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

use crate::model::Window;

/// What lies behind an error, shared because one failure can end several windows.
pub type Cause = Arc<dyn Error + Send + Sync>;

pub(super) fn cause(error: impl Error + Send + Sync + 'static) -> Cause {
    Arc::new(error)
}

/// Why no (further) windows come.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The upstream knows what is asked and will not give it: see [`Refusal::hint`].
    #[error("refused by the upstream, {refusal} ({answer})")]
    Refused {
        /// What is refused.
        refusal: Refusal,
        /// What the upstream answered.
        answer: Box<Answer>,
    },
    /// The upstream, or the way to it, keeps failing.
    #[error("no usable answer for {asked}, attempt {attempt} of {attempts}{}", Quoted(tracking_id))]
    Unavailable {
        /// What was asked for.
        asked: Asked,
        /// How often it was tried.
        attempt: u32,
        /// How often it may be tried.
        attempts: u32,
        /// The last answer's request id.
        tracking_id: Option<String>,
        /// The last failure.
        #[source]
        source: Cause,
    },
    /// Too many requests of the run failed: going on could get the app disabled.
    #[error("too many failures, {failures} in {requests} requests, the last for {asked}{}", Quoted(tracking_id))]
    TooManyFailures {
        /// What was asked for last.
        asked: Asked,
        /// How many requests failed.
        failures: u64,
        /// How many were sent.
        requests: u64,
        /// The last answer's request id.
        tracking_id: Option<String>,
        /// The last failure.
        #[source]
        source: Cause,
    },
    /// The day's requests are used up.
    #[error("daily request limit reached, go on at {}", resume_at.to_rfc3339_opts(SecondsFormat::Secs, true))]
    DailyLimit {
        /// When requests are permitted again.
        resume_at: DateTime<Utc>,
    },
    /// Every request is answered "too many requests per second": others use up the account's rate.
    #[error(
        "too many requests per second, none taken for {} s, the last for {asked}{}, go on at {}",
        waited.as_secs(), Quoted(tracking_id), resume_at.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    Throttled {
        /// What was asked for last.
        asked: Asked,
        /// How long no request was taken.
        waited: Duration,
        /// When it may be worth trying again.
        resume_at: DateTime<Utc>,
        /// The last answer's request id.
        tracking_id: Option<String>,
        /// The last answer.
        #[source]
        source: Cause,
    },
    /// The run has made as many requests as it was allowed.
    #[error("the run's own request limit is reached")]
    RunLimit,
    /// What cannot be asked for in parts takes more requests than a run may ever make.
    #[error("reading {} takes at least {pages} pages, and a run may make {limit} requests in all", Days(window))]
    TooLong {
        /// The window: a single day, or the fewest that can be asked for.
        window: Window,
        /// How many pages are to be read, those of a second reading included, as far as is known.
        pages: u64,
        /// How many requests a run may make, and a day.
        limit: u64,
    },
    /// No reading of the window could be proved whole.
    #[error("no stable reading of window {window} in {reads} reads{}", Quoted(tracking_id))]
    Unstable {
        /// The window.
        window: Window,
        /// How often it was read.
        reads: u32,
        /// The request id of the last page that came.
        tracking_id: Option<String>,
        /// What was wrong with the last reading.
        #[source]
        reason: Disturbance,
    },
    /// The upstream gives less than a window that cannot be cut any further.
    #[error("window {window} is answered for {from}..{to} only")]
    Clamped {
        /// The window.
        window: Window,
        /// The first day answered for.
        from: NaiveDate,
        /// The last day answered for.
        to: NaiveDate,
    },
    /// The upstream finds fault with the request, and would again.
    #[error("the request for {asked} is rejected ({answer})")]
    Rejected {
        /// What was asked for.
        asked: Asked,
        /// What the upstream answered.
        answer: Box<Answer>,
    },
    /// Credentials would travel unprotected.
    #[error("the {name} `{origin}` is not https: only a loopback address may do without")]
    InsecureUrl {
        /// Which of the addresses.
        name: &'static str,
        /// Its scheme, host and port.
        origin: String,
    },
    /// A setting cannot be used.
    #[error("the {name} cannot be used: {reason}")]
    InvalidSetting {
        /// Which setting.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up")]
    Setup {
        /// Why.
        #[source]
        source: Cause,
    },
}

impl ExtractError {
    /// Which exit code, and which kind of help, it calls for.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { .. } => ErrorKind::Refused,
            Self::Unavailable { .. } | Self::TooManyFailures { .. } => ErrorKind::Unavailable,
            Self::DailyLimit { .. } => ErrorKind::DailyLimit,
            Self::Throttled { .. } => ErrorKind::RateLimit,
            Self::RunLimit => ErrorKind::RunLimit,
            Self::TooLong { .. } => ErrorKind::TooLong,
            Self::Unstable { .. } | Self::Clamped { .. } => ErrorKind::Unstable,
            Self::Rejected { .. } => ErrorKind::Rejected,
            Self::InsecureUrl { .. } | Self::InvalidSetting { .. } | Self::Setup { .. } => ErrorKind::Configuration,
        }
    }

    /// What the user can do about it, as a sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Refused { refusal, .. } => refusal.hint(),
            Self::Unavailable { .. } => "Check the network and the upstream's status page, then run again.",
            Self::TooManyFailures { .. } => "Wait until the upstream has recovered, then run again.",
            Self::DailyLimit { .. } => "Run again at the time given; what is whole so far is kept.",
            Self::Throttled { .. } => {
                "Other apps use up the account's requests per second: run again at the time given, or when they are done."
            }
            Self::RunLimit => "Run again to go on; what is whole so far is kept.",
            Self::TooLong { .. } => {
                "Running again does not help: give a higher --max-requests, or a --plan of more requests a day."
            }
            Self::Unstable { .. } => "Run again when the phone system is being changed less.",
            Self::Clamped { .. } => "Ask for later days only: the upstream keeps a limited time.",
            Self::Rejected { .. } => "Check the days, the category and the base URL.",
            Self::InsecureUrl { .. } => "Use an https address.",
            Self::InvalidSetting { .. } | Self::Setup { .. } => "Correct the setting.",
        }
    }

    /// Whether every other window would fail in the same way, so that none should be started.
    pub fn is_fatal(&self) -> bool {
        match self.kind() {
            ErrorKind::Refused
            | ErrorKind::DailyLimit
            | ErrorKind::RateLimit
            | ErrorKind::RunLimit
            | ErrorKind::Configuration => true,
            ErrorKind::Unavailable => {
                matches!(self, Self::TooManyFailures { .. } | Self::Unavailable { asked: Asked::AccessToken, .. })
            }
            ErrorKind::TooLong | ErrorKind::Unstable | ErrorKind::Rejected => false,
        }
    }
}

/// The kinds of [`ExtractError`], one for each thing a caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Change credentials, scopes, role or plan.
    Refused,
    /// Run again when the upstream is reachable.
    Unavailable,
    /// Run again after the time given.
    DailyLimit,
    /// Run again after the time given, or when others ask for less.
    RateLimit,
    /// Run again.
    RunLimit,
    /// Permit a run more requests.
    TooLong,
    /// The data disagree: run again, and look into it if it stays.
    Unstable,
    /// Ask for something else.
    Rejected,
    /// Change a setting.
    Configuration,
}

/// A window that could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("window {window} was not read")]
pub struct WindowFailure {
    /// The window.
    pub window: Window,
    /// Why.
    #[source]
    pub error: ExtractError,
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A page of this window.
    Window(Window),
    /// An access token.
    AccessToken,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(window) => write!(f, "window {window}"),
            Self::AccessToken => f.write_str("an access token"),
        }
    }
}

/// What is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The OAuth app is not known by these credentials.
    #[error("client id or client secret not accepted")]
    Credentials,
    /// The app and the account do not belong together, or the app is not active.
    #[error("account id not accepted for this app, or app not activated")]
    App,
    /// The access token is not (or no longer) valid, and was renewed in vain or cannot be.
    #[error("access token not accepted")]
    AccessToken,
    /// The app lacks a scope.
    #[error("a scope is missing")]
    Scopes,
    /// The app's user may not read the report.
    #[error("no permission to read the operation log")]
    Permission,
    /// The account's plan does not include the report.
    #[error("the account's plan does not include it")]
    Plan,
    /// The account has no Zoom Phone.
    #[error("Zoom Phone is not enabled for this account")]
    PhoneNotEnabled,
    /// There is no such account.
    #[error("the account does not exist")]
    NoSuchAccount,
    /// There is no such report at this address.
    #[error("nothing found at this address")]
    Address,
}

impl Refusal {
    /// What the user can do about it, as a sentence.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Credentials => "Compare client id and client secret with the app's page in the Zoom App Marketplace.",
            Self::App => {
                "Compare the account id with the app's page in the Zoom App Marketplace, and activate the app."
            }
            Self::AccessToken => "Give a fresh access token, or the credentials of a Server-to-Server OAuth app.",
            Self::Scopes => {
                "Add the scope phone:read:operation_logs:admin (classic: phone:read:admin) to the app, and reactivate it."
            }
            Self::Permission => "The app's owner needs a role that may view Zoom Phone management (PbxAdmin:Read).",
            Self::Plan => "The report needs a Pro plan or higher and a Zoom Phone plan.",
            Self::PhoneNotEnabled => "Enable Zoom Phone for the account, or use the credentials of one that has it.",
            Self::NoSuchAccount => "Check the account id, and that the app belongs to this account.",
            Self::Address => "Check the base URL: it ends with the API's version, such as https://api.zoom.us/v2.",
        }
    }
}

/// An answer that is not what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The application's code, independent of the status.
    pub code: Option<i64>,
    /// The application's message, made fit to print.
    pub message: Option<String>,
    /// The upstream's request id, to quote to its support.
    pub tracking_id: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = self.code {
            write!(f, ", code {code}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ", `{message}`")?;
        }
        write!(f, "{}", Quoted(&self.tracking_id))
    }
}

/// What was wrong with one reading of a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disturbance {
    /// The total was another one on a later page.
    #[error("the total changed from {before} to {after} between two pages")]
    TotalChanged {
        /// On the pages before.
        before: u64,
        /// On the last page read.
        after: u64,
    },
    /// Total and records disagree.
    #[error("{reported} records were reported and {received} received")]
    TotalMissed {
        /// `total_records`.
        reported: u64,
        /// Records on the pages read.
        received: u64,
    },
    /// Two readings differ, or a reading was not confirmed by another one.
    #[error("{received} records were received, and no two readings in a row are equal")]
    Unconfirmed {
        /// Records of the last reading.
        received: u64,
    },
    /// A page token came twice.
    #[error("page {page} repeats a page token")]
    RepeatedToken {
        /// The page, from 0.
        page: u32,
    },
    /// A page without records claims that more follow.
    #[error("page {page} is empty and has a page token")]
    EmptyPage {
        /// The page, from 0.
        page: u32,
    },
    /// The pages do not end.
    #[error("there are more than {pages} pages")]
    TooManyPages {
        /// How many were read.
        pages: u32,
    },
    /// A page token was no longer valid.
    #[error("the page token of page {page} was not accepted")]
    TokenExpired {
        /// The page asked for, from 0.
        page: u32,
    },
}

impl Disturbance {
    /// Whether it speaks of records that come and go, or of a window too long to be read in time. Then a part of the
    /// window may be stable although the whole is not.
    pub(super) fn is_movement(&self) -> bool {
        match self {
            Self::TotalChanged { .. } | Self::Unconfirmed { .. } | Self::TokenExpired { .. } => true,
            Self::TotalMissed { .. }
            | Self::RepeatedToken { .. }
            | Self::EmptyPage { .. }
            | Self::TooManyPages { .. } => false,
        }
    }
}

/// A window as what it is to the reader: a day, or several.
struct Days<'a>(&'a Window);

impl fmt::Display for Days<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.days() {
            1 => write!(f, "day {}", self.0.from()),
            _ => write!(f, "window {}", self.0),
        }
    }
}

/// `, tracking id ...`, or nothing.
struct Quoted<'a>(&'a Option<String>);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, ", tracking id {id}"),
            None => Ok(()),
        }
    }
}
