//! The exit codes, in one place.

use std::process::{ExitCode, Termination};

use crate::extract::{ErrorKind, ExtractError};
use crate::load::LoadError;
use crate::pipeline::{CompactError, ReplayError, Stop, StopReason, SyncError};

/// How the program ends. The numbers follow `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Wrong usage.
    Usage = 2,
    /// The data disagree: a window never matched its total, or a file is not what the ledger says.
    DataDisagree = 65,
    /// The upstream is not available.
    Upstream = 69,
    /// The destination failed.
    Destination = 74,
    /// Stopped early, whole so far; run again.
    Stopped = 75,
    /// Refused by the upstream: credentials, scopes, plan.
    Refused = 77,
    /// A setting is missing, malformed or too low.
    Configuration = 78,
}

impl Exit {
    /// Where the parts of a run end differently, the gravest code is the run's: first what needs a person, from what
    /// concerns all to what concerns one, then what passes by itself.
    pub(super) fn gravity(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Stopped => 1,
            Self::Upstream => 2,
            Self::Usage => 3,
            Self::DataDisagree => 4,
            Self::Refused => 5,
            Self::Configuration => 6,
            Self::Destination => 7,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

impl From<&LoadError> for Exit {
    fn from(error: &LoadError) -> Self {
        match error {
            LoadError::Altered { .. } => Self::DataDisagree,
            LoadError::Overdue => Self::Stopped,
            _ => Self::Destination,
        }
    }
}

impl From<&SyncError> for Exit {
    fn from(error: &SyncError) -> Self {
        match error {
            SyncError::EmptyRange { .. } => Self::Usage,
            SyncError::Extract(error) => error.into(),
            SyncError::Page { .. } => Self::Upstream,
            SyncError::Rows(_) | SyncError::Entry(_) => Self::DataDisagree,
            SyncError::Load(error) => error.into(),
            SyncError::Ledger(_) => Self::Destination,
            SyncError::Contended { .. } => Self::Stopped,
        }
    }
}

impl From<&CompactError> for Exit {
    fn from(error: &CompactError) -> Self {
        match error {
            CompactError::Load(error) => error.into(),
            CompactError::RowsDiffer { .. } | CompactError::Entry(_) => Self::DataDisagree,
            CompactError::NoTable { .. } | CompactError::Ledger(_) => Self::Destination,
            CompactError::Contended { .. } => Self::Stopped,
        }
    }
}

impl From<&ReplayError> for Exit {
    fn from(error: &ReplayError) -> Self {
        match error {
            ReplayError::Occupied { .. } => Self::Usage,
            ReplayError::Load(error) => error.into(),
            ReplayError::NoPacks { .. } | ReplayError::NoTable { .. } | ReplayError::Ledger(_) => Self::Destination,
            ReplayError::Incomplete { .. }
            | ReplayError::RowsDiffer { .. }
            | ReplayError::Page { .. }
            | ReplayError::Rows(_)
            | ReplayError::Entry(_) => Self::DataDisagree,
            ReplayError::Contended => Self::Stopped,
        }
    }
}

impl From<&ExtractError> for Exit {
    fn from(error: &ExtractError) -> Self {
        match error.kind() {
            ErrorKind::Refused | ErrorKind::Rejected => Self::Refused,
            ErrorKind::DailyLimit | ErrorKind::RateLimit | ErrorKind::RunLimit => Self::Stopped,
            ErrorKind::Unstable => Self::DataDisagree,
            ErrorKind::TooLong | ErrorKind::Configuration => Self::Configuration,
            _ => Self::Upstream,
        }
    }
}

impl From<&Stop> for Exit {
    fn from(stop: &Stop) -> Self {
        match stop.reason {
            StopReason::DailyLimit | StopReason::RateLimit | StopReason::RunLimit | StopReason::Interrupted => {
                Self::Stopped
            }
            StopReason::TooLong => Self::Configuration,
            StopReason::Unavailable => Self::Upstream,
            StopReason::Refused => Self::Refused,
            StopReason::Unmatched => Self::DataDisagree,
        }
    }
}
