//! What the account's plan allows: requests per second, and requests per day.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

const fn count(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

/// No plan comes near this many requests per second; beyond it, the spacing of requests would round badly.
const MOST_PER_SECOND: u32 = 1000;

/// The rate limits for HEAVY requests to the phone API, which all apps of an account share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Plan {
    /// Requests per second.
    pub per_second: NonZeroU32,
    /// Requests per UTC day.
    pub per_day: NonZeroU32,
}

/// A text that names no plan.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no plan: give pro, business or limits such as 5/s,15000/day, with at most {MOST_PER_SECOND}/s")]
pub struct InvalidPlan(String);

impl Plan {
    /// Pro.
    pub const PRO: Self = Self { per_second: count(5), per_day: count(15_000) };
    /// Business, Education, Enterprise and Partners.
    pub const BUSINESS: Self = Self { per_second: count(10), per_day: count(30_000) };
}

/// The lower of the published limits: no API tells which plan an account has.
impl Default for Plan {
    fn default() -> Self {
        Self::PRO
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PRO => f.write_str("pro"),
            Self::BUSINESS => f.write_str("business"),
            Self { per_second, per_day } => write!(f, "{per_second}/s,{per_day}/day"),
        }
    }
}

impl FromStr for Plan {
    type Err = InvalidPlan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "pro" => Ok(Self::PRO),
            "business" | "business+" => Ok(Self::BUSINESS),
            limits => parse_limits(limits).ok_or_else(|| InvalidPlan(text.to_owned())),
        }
    }
}

fn parse_limits(text: &str) -> Option<Plan> {
    let (per_second, per_day) = text.split_once(',')?;
    let per_second: NonZeroU32 = per_second.trim().strip_suffix("/s")?.trim().parse().ok()?;
    let per_day = per_day.trim().strip_suffix("/day")?.trim().parse().ok()?;
    (per_second.get() <= MOST_PER_SECOND).then_some(Plan { per_second, per_day })
}

impl From<Plan> for String {
    fn from(plan: Plan) -> Self {
        plan.to_string()
    }
}

impl TryFrom<String> for Plan {
    type Error = InvalidPlan;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// How many requests a UTC day has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCount {
    /// The day.
    pub day: NaiveDate,
    /// The requests.
    pub requests: u32,
}

/// What the upstream says of a day of the account: all its apps share the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DailyUse {
    pub(super) limit: u32,
    pub(super) used: u32,
}

/// Why no further request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    /// The day's requests are used up until then.
    Day(DateTime<Utc>),
    /// The run's own are.
    Run,
}

/// The daily limit and the run's own, spent one request at a time. The daily one starts anew at midnight UTC, as the
/// upstream's does.
#[derive(Debug)]
pub(super) struct DailyQuota {
    limit: u32,
    per_run: Option<u64>,
    left_of_run: Option<u64>,
    /// Those made here, and those of earlier runs that were known from the start.
    count: DayCount,
    /// Those of others on the same day, as far as the ledger accounts for them.
    others: u32,
    /// As many as the upstream said that all apps have made on that day, and those made here since.
    told: u32,
    told_limit: Option<u32>,
    exhausted_until: Option<DateTime<Utc>>,
}

impl DailyQuota {
    /// A quota of `plan`'s day less `reserve`, of which `used` is gone, and of `per_run` requests for this run.
    pub(super) fn new(
        plan: Plan,
        reserve: u32,
        per_run: Option<u64>,
        used: Option<DayCount>,
        now: DateTime<Utc>,
    ) -> Self {
        let count = used.unwrap_or(DayCount { day: now.date_naive(), requests: 0 });
        let limit = plan.per_day.get().saturating_sub(reserve);
        let mut quota = Self {
            limit,
            per_run,
            left_of_run: per_run,
            count,
            others: 0,
            told: 0,
            told_limit: None,
            exhausted_until: None,
        };
        quota.turn_the_day(now);
        quota
    }

    /// Others have made so many requests by now, as far as is known.
    pub(super) fn set_others(&mut self, others: DayCount, now: DateTime<Utc>) {
        self.turn_the_day(now);
        if others.day == self.count.day {
            self.others = others.requests;
        }
    }

    /// Fails when nothing is left.
    pub(super) fn check(&mut self, now: DateTime<Utc>) -> Result<(), Spent> {
        self.turn_the_day(now);
        if let Some(until) = self.exhausted_until.filter(|until| *until > now) {
            return Err(Spent::Day(until));
        }
        if self.left_of_run == Some(0) {
            return Err(Spent::Run);
        }
        if self.used() >= self.limit { Err(Spent::Day(next_midnight(self.count.day))) } else { Ok(()) }
    }

    pub(super) fn take(&mut self, now: DateTime<Utc>) -> Result<(), Spent> {
        self.check(now)?;
        self.count.requests += 1;
        self.told = self.told.saturating_add(1);
        self.left_of_run = self.left_of_run.map(|left| left - 1);
        Ok(())
    }

    /// The upstream says that nothing is left until then.
    pub(super) fn exhaust(&mut self, until: DateTime<Utc>) {
        self.exhausted_until = self.exhausted_until.max(Some(until));
    }

    /// The upstream says how many requests all apps of the account have made.
    pub(super) fn correct(&mut self, DailyUse { limit, used }: DailyUse, now: DateTime<Utc>) {
        self.turn_the_day(now);
        self.told = self.told.max(used);
        self.told_limit = Some(limit);
    }

    /// The account's limit, where the upstream has said it.
    pub(super) fn told_limit(&self) -> Option<u32> {
        self.told_limit
    }

    /// How many requests are left, of the day's and of the run's.
    pub(super) fn left(&mut self, now: DateTime<Utc>) -> u64 {
        self.turn_the_day(now);
        let of_day = u64::from(self.limit.saturating_sub(self.used()));
        self.left_of_run.map_or(of_day, |of_run| of_run.min(of_day))
    }

    /// How many requests a run may make that begins with a day of which nothing is used.
    pub(super) fn most(&self) -> u64 {
        let of_day = u64::from(self.told_limit.map_or(self.limit, |told| told.min(self.limit)));
        self.per_run.map_or(of_day, |of_run| of_run.min(of_day))
    }

    pub(super) fn count(&mut self, now: DateTime<Utc>) -> DayCount {
        self.turn_the_day(now);
        DayCount { requests: self.used(), ..self.count }
    }

    /// The requests of the day. What the upstream says includes those that the ledger knows of, so the greater counts.
    fn used(&self) -> u32 {
        self.count.requests.saturating_add(self.others).max(self.told)
    }

    fn turn_the_day(&mut self, now: DateTime<Utc>) {
        let today = now.date_naive();
        if today > self.count.day {
            self.count = DayCount { day: today, requests: 0 };
            (self.others, self.told) = (0, 0);
        }
    }
}

/// The first instant after `day`.
pub(super) fn next_midnight(day: NaiveDate) -> DateTime<Utc> {
    day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_plan_is_read_as_it_is_printed() {
        for text in ["pro", "business", "40/s,60000/day"] {
            assert_eq!(text.parse::<Plan>().unwrap().to_string(), text);
        }
        assert_eq!("5/s,15000/day".parse(), Ok(Plan::PRO));
        assert_eq!(" Business+ ".parse(), Ok(Plan::BUSINESS));
        for text in ["", "free", "0/s,1/day", "5/s", "5/s,0/day", "5,15000", "1001/s,1/day", "-1/s,1/day"] {
            assert!(text.parse::<Plan>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_count_of_earlier_runs_is_continued_until_midnight() {
        let plan = "1/s,3/day".parse().unwrap();
        let used = DayCount { day: "2022-02-01".parse().unwrap(), requests: 2 };
        let mut quota = DailyQuota::new(plan, 0, None, Some(used), at("2022-02-01T23:00:00Z"));
        assert_eq!(quota.take(at("2022-02-01T23:00:00Z")), Ok(()));
        assert_eq!(quota.take(at("2022-02-01T23:59:59Z")), Err(Spent::Day(at("2022-02-02T00:00:00Z"))));
        assert_eq!(quota.take(at("2022-02-02T00:00:00Z")), Ok(()));
        assert_eq!(quota.count(at("2022-02-02T00:00:00Z")).requests, 1);
    }

    #[test]
    fn the_count_of_another_day_is_not_continued() {
        let used = DayCount { day: "2022-01-31".parse().unwrap(), requests: 15_000 };
        let mut quota = DailyQuota::new(Plan::PRO, 0, None, Some(used), at("2022-02-01T00:00:00Z"));
        assert_eq!(quota.take(at("2022-02-01T00:00:00Z")), Ok(()));
    }

    #[test]
    fn a_reserve_is_left_to_others_and_a_run_keeps_to_its_own_limit() {
        let now = at("2022-02-01T10:00:00Z");
        let mut quota = DailyQuota::new("1/s,5/day".parse().unwrap(), 2, None, None, now);
        quota.set_others(DayCount { day: now.date_naive(), requests: 2 }, now);
        assert_eq!(quota.take(now), Ok(()));
        assert_eq!(quota.take(now), Err(Spent::Day(at("2022-02-02T00:00:00Z"))));
        assert_eq!(quota.most(), 3);
        quota.correct(DailyUse { limit: 2, used: 1 }, now);
        assert_eq!(quota.most(), 2);

        let mut quota = DailyQuota::new(Plan::PRO, 0, Some(1), None, now);
        assert_eq!(quota.take(now), Ok(()));
        assert_eq!(quota.take(at("2022-02-02T10:00:00Z")), Err(Spent::Run));
        assert_eq!(quota.most(), 1);
    }

    #[test]
    fn what_others_are_known_to_have_made_grows_until_midnight_and_is_not_added_to_what_the_upstream_says() {
        let now = at("2022-02-01T10:00:00Z");
        let of = |day: &str, requests| DayCount { day: day.parse().unwrap(), requests };
        let mut quota = DailyQuota::new("1/s,100/day".parse().unwrap(), 0, None, None, now);
        assert_eq!(quota.take(now), Ok(()));
        for others in [10, 20] {
            quota.set_others(of("2022-02-01", others), now);
            assert_eq!(quota.count(now).requests, 1 + others);
        }
        quota.correct(DailyUse { limit: 100, used: 50 }, now);
        assert_eq!(quota.take(now), Ok(()));
        quota.set_others(of("2022-02-01", 40), now);
        assert_eq!(quota.count(now).requests, 51);
        quota.set_others(of("2022-02-01", 60), now);
        assert_eq!(quota.count(now).requests, 62);

        let tomorrow = at("2022-02-02T00:00:00Z");
        assert_eq!(quota.left(tomorrow), 100);
        quota.set_others(of("2022-02-01", 70), tomorrow);
        assert_eq!(quota.left(tomorrow), 100);
    }

    #[test]
    fn what_the_upstream_says_goes_before_our_own_count() {
        let now = at("2022-02-01T10:00:00Z");
        let mut quota = DailyQuota::new(Plan::PRO, 0, None, None, now);
        quota.correct(DailyUse { limit: 15_000, used: 14_999 }, now);
        assert_eq!(quota.take(now), Ok(()));
        assert_eq!(quota.take(now), Err(Spent::Day(at("2022-02-02T00:00:00Z"))));

        let mut quota = DailyQuota::new(Plan::PRO, 0, None, None, now);
        quota.exhaust(at("2022-02-01T12:00:00Z"));
        assert_eq!(quota.take(now), Err(Spent::Day(at("2022-02-01T12:00:00Z"))));
        assert_eq!(quota.take(at("2022-02-01T12:00:00Z")), Ok(()));
    }
}
