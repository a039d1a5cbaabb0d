//! How neighbouring windows may meet, and how it was found out.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// How neighbouring windows meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seam {
    /// They share a day: nothing is missed even if a window's last day is not included.
    #[default]
    Shared,
    /// One begins the day after the other ends. Only for an account known to include the last day.
    Adjacent,
}

impl Seam {
    /// How many days a window shares with the next.
    pub fn days(self) -> u64 {
        match self {
            Self::Shared => 1,
            Self::Adjacent => 0,
        }
    }
}

/// What was found out of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// How its windows may meet.
    pub seam: Seam,
    /// The first of the two days that were asked for, together and apart.
    pub day: NaiveDate,
    /// When.
    pub measured_at: DateTime<Utc>,
}

impl Calibration {
    /// How long a calibration is relied on: what the upstream does not document, it may change.
    const LIFETIME: Days = Days::new(30);

    /// Whether it may be relied on at `now`.
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.measured_at.checked_add_days(Self::LIFETIME).is_some_and(|end| now < end)
    }
}
