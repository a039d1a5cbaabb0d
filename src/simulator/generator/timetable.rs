//! When administrators work: weekdays more than weekends, office hours more than nights.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use rand::{Rng, RngExt};

use super::weighted::Weighted;

/// Weight of each hour of a day.
const HOURS: [u64; 24] = [4, 3, 2, 2, 3, 6, 14, 35, 70, 95, 100, 88, 60, 75, 92, 90, 78, 50, 28, 16, 12, 9, 7, 5];

/// The days, each with its own weight, and the hours of a day.
#[derive(Clone, Debug)]
pub(super) struct Timetable {
    from: NaiveDate,
    days: Weighted,
    hours: Weighted,
}

impl Timetable {
    /// The days `from..=to`; some turn out busier than others.
    pub(super) fn new(rng: &mut impl Rng, from: NaiveDate, to: NaiveDate) -> Self {
        let days = from.iter_days().take_while(|day| *day <= to);
        let days = Weighted::new(days.map(|day| weekday_weight(day.weekday()) * rng.random_range(50..=150)));
        Self { from, days, hours: Weighted::new(HOURS) }
    }

    /// A second.
    pub(super) fn pick(&self, rng: &mut impl Rng) -> DateTime<Utc> {
        let days = self.days.pick(rng) as i64;
        let seconds = self.hours.pick(rng) as i64 * 3600 + rng.random_range(0..3600);
        self.from.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(days) + TimeDelta::seconds(seconds)
    }
}

fn weekday_weight(weekday: Weekday) -> u64 {
    match weekday {
        Weekday::Sat => 15,
        Weekday::Sun => 8,
        _ => 100,
    }
}
