//! The header `Retry-After` in the three forms that are met: seconds, an HTTP date, an ISO 8601 instant.

use chrono::{DateTime, TimeDelta, Utc};

/// Longer waits than a year are nonsense, and would overflow sums.
const MOST_SECONDS: f64 = 366.0 * 86_400.0;

/// The instant that `value` names, or `None` for anything else.
pub(super) fn parse(value: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let value = value.trim();
    seconds(value)
        .and_then(|wait| now.checked_add_signed(wait))
        .or_else(|| DateTime::parse_from_rfc2822(value).ok().map(|at| at.to_utc()))
        .or_else(|| DateTime::parse_from_rfc3339(value).ok().map(|at| at.to_utc()))
}

fn seconds(value: &str) -> Option<TimeDelta> {
    let seconds: f64 = value.parse().ok()?;
    (0.0..=MOST_SECONDS).contains(&seconds).then(|| TimeDelta::milliseconds((seconds * 1000.0).ceil() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let now = "2025-08-22T23:59:00Z".parse().unwrap();
        let midnight: DateTime<Utc> = "2025-08-23T00:00:00Z".parse().unwrap();
        for value in
            ["60", " 60.0 ", "Sat, 23 Aug 2025 00:00:00 GMT", "2025-08-23T00:00:00Z", "2025-08-23T02:00:00+02:00"]
        {
            assert_eq!(parse(value, now), Some(midnight), "{value}");
        }
        for value in ["", "soon", "-1", "1e300", "NaN", "2025-08-23"] {
            assert_eq!(parse(value, now), None, "{value}");
        }
    }
}
