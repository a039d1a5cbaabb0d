//! How long files that no commit names, or none names any more, are kept for readers and writers that are still at work.

use chrono::{DateTime, TimeDelta, Utc};

/// Longer than any commit takes, and any query.
pub const DEFAULT_GRACE: TimeDelta = TimeDelta::hours(24);

/// How long replaced files stay, by who removes them.
#[derive(Clone, Copy, Debug)]
pub enum Grace {
    /// So long as who replaced them has promised. Where nothing was promised, so long, or for [`DEFAULT_GRACE`].
    Promised(Option<TimeDelta>),
    /// So long, whatever was promised.
    Decided(TimeDelta),
}

impl Grace {
    /// How long those stay of which this was `promised`.
    pub fn of(self, promised: Option<TimeDelta>) -> TimeDelta {
        match self {
            Self::Promised(otherwise) => promised.or(otherwise).unwrap_or(DEFAULT_GRACE),
            Self::Decided(grace) => grace,
        }
    }

    /// What was replaced longer ago need not be looked at, but for what was promised.
    pub fn since(self) -> DateTime<Utc> {
        ago(Utc::now(), self.of(None).max(DEFAULT_GRACE))
    }
}

/// So long before `now`, or as long as time goes back.
pub(super) fn ago(now: DateTime<Utc>, time: TimeDelta) -> DateTime<Utc> {
    now.checked_sub_signed(time).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
