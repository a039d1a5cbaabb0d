//! How long files that no commit names, or none names any more, are kept for readers and writers that are still at work.

use chrono::TimeDelta;

/// Longer than any commit takes, and any query.
pub const DEFAULT_GRACE: TimeDelta = TimeDelta::hours(24);
