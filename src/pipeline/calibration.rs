//! How the windows of a run may meet: as was found out before, or by asking.
//!
//! The rule: what is not known for certain, and not of late, is taken to be the worse.

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::extract::{Source, plan};
use crate::model::{Calibration, Seam};

/// A run of fewer windows costs less than it would to find out.
const LEAST_WINDOWS: usize = 3;

/// Days before today that may still gain records, which would spoil the sums.
const UNSETTLED: Days = Days::new(5);

/// What is known of the account, or is found out now where a run over the days `range`, of so many windows, makes it
/// worth its requests.
pub(super) async fn calibration(
    source: &Source,
    known: Option<Calibration>,
    windows: usize,
    range: (NaiveDate, NaiveDate),
    now: DateTime<Utc>,
) -> Option<Calibration> {
    if !source.asks_for_days() {
        return None;
    }
    let known = known.filter(|known| known.holds_at(now));
    if known.is_some() || windows < LEAST_WINDOWS {
        return known;
    }
    let last = now.date_naive().checked_sub_days(UNSETTLED)?.min(range.1);
    for day in plan::telling_days(range.0, last) {
        match source.calibrate(day).await {
            Ok(Some(seam)) => {
                tracing::info!(%day, ?seam, "found out how windows may meet");
                return Some(Calibration { seam, day, measured_at: now });
            }
            Ok(None) => tracing::debug!(%day, "the day does not tell how windows may meet"),
            // What is wrong will be wrong with the windows too, and be told there.
            Err(failure) => {
                tracing::debug!(%day, error = %failure.error, "cannot find out how windows may meet");
                break;
            }
        }
    }
    None
}

/// How windows meet for an account of which so much is known.
pub(super) fn seam(calibration: Option<&Calibration>) -> Seam {
    calibration.map_or(Seam::Shared, |calibration| calibration.seam)
}
