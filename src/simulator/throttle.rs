//! Rate limits: how many requests of the account are let through per second and per UTC day.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use tokio::time::Instant;

use super::{InvalidSetting, SecondWindow};

const SECOND: Duration = Duration::from_secs(1);
const EXPECTED: &str = "off, pro, business, or limits such as 5/s,15000/day";

/// The report's limits; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests per second.
    pub per_second: Option<u32>,
    /// Requests per UTC day.
    pub per_day: Option<u32>,
}

impl RateLimits {
    /// No limits.
    pub const OFF: Self = Self { per_second: None, per_day: None };
    /// The limits of heavy phone requests on the Pro plan.
    pub const PRO: Self = Self { per_second: Some(5), per_day: Some(15_000) };
    /// The limits of heavy phone requests on the Business plan and above.
    pub const BUSINESS: Self = Self { per_second: Some(10), per_day: Some(30_000) };
}

impl FromStr for RateLimits {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidSetting::new("rate limit", text, EXPECTED);
        match text {
            "off" => return Ok(Self::OFF),
            "pro" => return Ok(Self::PRO),
            "business" => return Ok(Self::BUSINESS),
            _ => {}
        }
        let mut limits = Self::OFF;
        for part in text.split(',') {
            let (count, unit) = part.split_once('/').ok_or_else(invalid)?;
            let limit = match unit {
                "s" => &mut limits.per_second,
                "day" => &mut limits.per_day,
                _ => return Err(invalid()),
            };
            *limit = Some(count.parse().map_err(|_| invalid())?);
        }
        Ok(limits)
    }
}

impl fmt::Display for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.per_second, self.per_day) {
            (None, None) => f.write_str("off"),
            (Some(second), None) => write!(f, "{second}/s"),
            (None, Some(day)) => write!(f, "{day}/day"),
            (Some(second), Some(day)) => write!(f, "{second}/s,{day}/day"),
        }
    }
}

/// Whether a request is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is; so many more are today, where that is limited.
    Granted { remaining_today: Option<u32> },
    /// Too many in this second.
    TooFast,
    /// Too many on this day.
    DayUsedUp { until: DateTime<Utc> },
}

/// Counts requests against the limits. Refused requests count against neither.
#[derive(Debug)]
pub(super) struct Throttle {
    limits: RateLimits,
    window: SecondWindow,
    started: Instant,
    recent: VecDeque<Instant>,
    day: NaiveDate,
    used_today: u32,
}

impl Throttle {
    pub(super) fn new(limits: RateLimits, window: SecondWindow) -> Self {
        let day = Utc::now().date_naive();
        Self { limits, window, started: Instant::now(), recent: VecDeque::new(), day, used_today: 0 }
    }

    pub(super) fn admit(&mut self, now: Instant, clock: DateTime<Utc>) -> Admission {
        if clock.date_naive() != self.day {
            self.day = clock.date_naive();
            self.used_today = 0;
        }
        if self.limits.per_day.is_some_and(|limit| self.used_today >= limit) {
            return Admission::DayUsedUp { until: midnight_after(self.day) };
        }
        while self.recent.front().is_some_and(|&earlier| !self.same_second(earlier, now)) {
            self.recent.pop_front();
        }
        if self.limits.per_second.is_some_and(|limit| self.recent.len() >= limit as usize) {
            return Admission::TooFast;
        }
        if self.limits.per_second.is_some() {
            self.recent.push_back(now);
        }
        self.used_today += 1;
        Admission::Granted { remaining_today: self.limits.per_day.map(|limit| limit.saturating_sub(self.used_today)) }
    }

    /// Forgets what was used today, as midnight would.
    pub(super) fn start_new_day(&mut self) {
        self.used_today = 0;
    }

    fn same_second(&self, earlier: Instant, now: Instant) -> bool {
        match self.window {
            SecondWindow::Sliding => now - earlier < SECOND,
            SecondWindow::Fixed => (earlier - self.started).as_secs() == (now - self.started).as_secs(),
        }
    }
}

fn midnight_after(day: NaiveDate) -> DateTime<Utc> {
    day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2022-02-01T12:00:00Z".parse().unwrap()
    }

    fn limits(text: &str, window: SecondWindow) -> (Throttle, Instant) {
        let throttle = Throttle::new(text.parse().unwrap(), window);
        let started = throttle.started;
        (throttle, started)
    }

    #[test]
    fn limits_read_back_as_written() {
        for text in ["off", "5/s", "15000/day", "5/s,15000/day"] {
            assert_eq!(text.parse::<RateLimits>().unwrap().to_string(), text);
        }
        assert_eq!("pro".parse(), Ok(RateLimits::PRO));
        assert!("5/h".parse::<RateLimits>().is_err());
    }

    #[test]
    fn a_fixed_second_lets_two_bursts_meet_and_a_sliding_one_does_not() {
        for (window, met) in [(SecondWindow::Fixed, true), (SecondWindow::Sliding, false)] {
            let (mut throttle, start) = limits("2/s", window);
            for millis in [900, 950] {
                assert_ne!(throttle.admit(start + Duration::from_millis(millis), noon()), Admission::TooFast);
            }
            assert_eq!(throttle.admit(start + Duration::from_millis(990), noon()), Admission::TooFast);
            let admission = throttle.admit(start + Duration::from_millis(1010), noon());
            assert_eq!(admission != Admission::TooFast, met);
        }
    }

    #[test]
    fn a_day_that_is_used_up_ends_at_midnight_utc() {
        let (mut throttle, start) = limits("2/day", SecondWindow::Fixed);
        assert_eq!(throttle.admit(start, noon()), Admission::Granted { remaining_today: Some(1) });
        throttle.admit(start, noon());
        let until = "2022-02-02T00:00:00Z".parse().unwrap();
        assert_eq!(throttle.admit(start, noon()), Admission::DayUsedUp { until });
        assert_eq!(throttle.admit(start, until), Admission::Granted { remaining_today: Some(1) });
    }
}
