//! What a request for the report asks, and the range of instants which that means to the account.
//!
//! ```text
//! parameters -> Asked -> Range
//! (text)        (valid)  (instants, and the range as echoed)
//! ```

use std::ops;

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::stats::first;
use super::{Future, LongRange, SimulatorConfig};

const DEFAULT_PAGE_SIZE: u32 = 30;
const MAX_PAGE_SIZE: u32 = 300;
const DAY: &str = "%Y-%m-%d";
const INSTANT: &str = "%Y-%m-%dT%H:%M:%SZ";

/// A parameter that the report refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidParameter {
    pub(super) field: &'static str,
    pub(super) message: &'static str,
}

/// The parameters of a request, without the page token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// `None` is the 24 hours before the request.
    dates: Option<Dates>,
    category: String,
    page_size: u32,
}

/// Both ends, in the same one of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dates {
    Days(NaiveDate, NaiveDate),
    Instants(NaiveDateTime, NaiveDateTime),
}

/// The instants that are asked for, and the echoed `from` and `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) instants: ops::Range<DateTime<Utc>>,
    pub(super) from: String,
    pub(super) to: String,
}

impl Asked {
    pub(super) fn parse(parameters: &[(String, String)]) -> Result<Self, InvalidParameter> {
        let get = |name| first(parameters, name).filter(|value| !value.is_empty());
        Ok(Self {
            dates: get("from").map(|from| Dates::parse(from, get("to"))).transpose()?,
            category: get("category_type").unwrap_or("all").to_owned(),
            page_size: get("page_size").map_or(Ok(DEFAULT_PAGE_SIZE), page_size)?,
        })
    }

    /// The code of the category asked for; `None` is all of them.
    pub(super) fn category(&self) -> Option<&str> {
        Some(self.category.as_str()).filter(|code| *code != "all")
    }

    pub(super) fn page_size(&self) -> u32 {
        self.page_size
    }

    /// What the account takes the dates to mean.
    pub(super) fn range(&self, config: &SimulatorConfig, now: DateTime<Utc>) -> Result<Range, InvalidParameter> {
        match self.dates {
            None => Ok(Range::last_day(config, now)),
            Some(dates) => Ok(dates.within_a_month(config)?.until_today(config, now).range(config)),
        }
    }
}

fn page_size(text: &str) -> Result<u32, InvalidParameter> {
    let size = text.parse().ok().filter(|size| (1..=MAX_PAGE_SIZE).contains(size));
    size.ok_or(InvalidParameter { field: "page_size", message: "must be a number from 1 to 300" })
}

impl Dates {
    fn parse(from: &str, to: Option<&str>) -> Result<Self, InvalidParameter> {
        let invalid = |field, message| InvalidParameter { field, message };
        let to = to.ok_or(invalid("to", "is required when from is given"))?;
        let dates = if let Some(from) = day(from) {
            Self::Days(from, day(to).ok_or(invalid("to", "must have the format of from"))?)
        } else {
            let from = instant(from).ok_or(invalid("from", "must be yyyy-mm-dd or yyyy-MM-dd'T'HH:mm:ss'Z'"))?;
            Self::Instants(from, instant(to).ok_or(invalid("to", "must have the format of from"))?)
        };
        let (from, to) = dates.ends();
        if from > to { Err(invalid("to", "must not be before from")) } else { Ok(dates) }
    }

    fn ends(self) -> (NaiveDateTime, NaiveDateTime) {
        match self {
            Self::Days(from, to) => (from.and_time(NaiveTime::MIN), to.and_time(NaiveTime::MIN)),
            Self::Instants(from, to) => (from, to),
        }
    }

    /// The dates cut to a month, or refused, as the account does it.
    fn within_a_month(self, config: &SimulatorConfig) -> Result<Self, InvalidParameter> {
        let (from, to) = self.ends();
        let latest = config.month.last_day(from.date()).and_time(from.time());
        if to <= latest {
            return Ok(self);
        }
        let earliest = config.month.first_day(to.date()).and_time(to.time());
        match (config.long_range, self) {
            (LongRange::Refuse, _) => Err(InvalidParameter { field: "to", message: "must be within a month of from" }),
            (LongRange::CutEnd, Self::Days(from, _)) => Ok(Self::Days(from, latest.date())),
            (LongRange::CutEnd, Self::Instants(from, _)) => Ok(Self::Instants(from, latest)),
            (LongRange::CutStart, Self::Days(_, to)) => Ok(Self::Days(earliest.date(), to)),
            (LongRange::CutStart, Self::Instants(_, to)) => Ok(Self::Instants(earliest, to)),
        }
    }

    /// The dates cut to the account's today, where it does so.
    fn until_today(self, config: &SimulatorConfig, now: DateTime<Utc>) -> Self {
        let today = now.with_timezone(&config.day_offset).date_naive();
        match (config.future, self) {
            (Future::Keep, dates) => dates,
            (Future::Cut, Self::Days(from, to)) => Self::Days(from.min(today), to.min(today)),
            (Future::Cut, Self::Instants(from, to)) => {
                Self::Instants(from.min(now.naive_utc()), to.min(now.naive_utc()))
            }
        }
    }

    fn range(self, config: &SimulatorConfig) -> Range {
        match self {
            Self::Days(from, to) => {
                let end = if config.to_inclusive { to.checked_add_days(Days::new(1)).unwrap_or(to) } else { to };
                Range {
                    instants: start_of(from, config.day_offset)..start_of(end, config.day_offset),
                    from: from.format(DAY).to_string(),
                    to: to.format(DAY).to_string(),
                }
            }
            Self::Instants(from, to) => {
                let end = if config.to_inclusive { to + TimeDelta::seconds(1) } else { to };
                Range {
                    instants: from.and_utc()..end.and_utc(),
                    from: from.format(INSTANT).to_string(),
                    to: to.format(INSTANT).to_string(),
                }
            }
        }
    }
}

impl Range {
    fn last_day(config: &SimulatorConfig, now: DateTime<Utc>) -> Self {
        let start = now - TimeDelta::hours(24);
        let day = |instant: DateTime<Utc>| instant.with_timezone(&config.day_offset).format(DAY).to_string();
        Self { instants: start..now, from: day(start), to: day(now) }
    }
}

fn start_of(day: NaiveDate, offset: FixedOffset) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() - TimeDelta::seconds(offset.local_minus_utc().into())
}

fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, DAY).ok().filter(|_| text.len() == "yyyy-mm-dd".len())
}

fn instant(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, INSTANT).ok().filter(|_| text.len() == "yyyy-mm-ddThh:mm:ssZ".len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{MonthLength, stats};

    fn asked(query: &str) -> Result<Asked, InvalidParameter> {
        Asked::parse(&stats::parameters(query.as_bytes()))
    }

    fn now() -> DateTime<Utc> {
        "2022-02-10T12:00:00Z".parse().unwrap()
    }

    fn range(query: &str, config: &SimulatorConfig) -> Result<[String; 4], InvalidParameter> {
        let range = asked(query)?.range(config, now())?;
        let instant = |instant: DateTime<Utc>| instant.format(INSTANT).to_string();
        Ok([instant(range.instants.start), instant(range.instants.end), range.from, range.to])
    }

    #[test]
    fn days_are_the_accounts_days_to_the_end_of_the_last() {
        let config = SimulatorConfig::default();
        let expected = ["2022-02-01T00:00:00Z", "2022-02-03T00:00:00Z", "2022-02-01", "2022-02-02"];
        assert_eq!(range("from=2022-02-01&to=2022-02-02", &config).unwrap(), expected);

        let config = config.with_day_offset(FixedOffset::east_opt(9 * 3600).unwrap()).with_to_inclusive(false);
        let expected = ["2022-01-31T15:00:00Z", "2022-02-01T15:00:00Z", "2022-02-01", "2022-02-02"];
        assert_eq!(range("from=2022-02-01&to=2022-02-02", &config).unwrap(), expected);
    }

    #[test]
    fn instants_are_utc_and_echoed_in_their_format() {
        let config = SimulatorConfig::default();
        let (from, to) = ("2022-02-01T02:36:14Z", "2022-02-01T02:36:14Z");
        let expected = [from, "2022-02-01T02:36:15Z", from, to];
        assert_eq!(range(&format!("from={from}&to={to}"), &config).unwrap(), expected);
    }

    #[test]
    fn no_dates_are_the_last_24_hours() {
        let expected = ["2022-02-09T12:00:00Z", "2022-02-10T12:00:00Z", "2022-02-09", "2022-02-10"];
        assert_eq!(range("", &SimulatorConfig::default()).unwrap(), expected);
    }

    #[test]
    fn more_than_a_month_is_refused_or_cut() {
        let query = "from=2022-01-15&to=2022-02-16";
        let config = SimulatorConfig::default();
        assert_eq!(range(query, &config).unwrap_err().field, "to");
        assert!(range("from=2022-01-15&to=2022-02-15", &config).is_ok());

        let ends = |long_range| {
            let config = config.clone().with_long_range(long_range).with_month(MonthLength::Days(30));
            let [_, _, from, to] = range(query, &config).unwrap();
            (from, to)
        };
        assert_eq!(ends(LongRange::CutEnd), ("2022-01-15".into(), "2022-02-13".into()));
        assert_eq!(ends(LongRange::CutStart), ("2022-01-18".into(), "2022-02-16".into()));
    }

    #[test]
    fn what_is_after_the_accounts_today_is_kept_or_cut() {
        // It is noon of the 10th in UTC, and the evening of the 9th there.
        let config = SimulatorConfig::default().with_day_offset(FixedOffset::west_opt(18 * 3600).unwrap());
        let echoed = |config: &SimulatorConfig, query| {
            let [_, _, from, to] = range(query, config).unwrap();
            (from, to)
        };
        assert_eq!(echoed(&config, "from=2022-02-01&to=2022-02-10"), ("2022-02-01".into(), "2022-02-10".into()));
        let config = config.with_future(Future::Cut);
        assert_eq!(echoed(&config, "from=2022-02-01&to=2022-02-10"), ("2022-02-01".into(), "2022-02-09".into()));
        assert_eq!(echoed(&config, "from=2022-02-10&to=2022-02-10"), ("2022-02-09".into(), "2022-02-09".into()));
        let instants = "from=2022-02-01T00:00:00Z&to=2022-02-10T23:59:59Z";
        assert_eq!(echoed(&config, instants), ("2022-02-01T00:00:00Z".into(), "2022-02-10T12:00:00Z".into()));
    }

    #[test]
    fn malformed_parameters_are_refused_by_name() {
        for (query, field) in [
            ("from=2022-02-01", "to"),
            ("from=2022-2-1&to=2022-02-01", "from"),
            ("from=2022-02-30&to=2022-03-01", "from"),
            ("from=2022-02-01&to=2022-02-01T00:00:00Z", "to"),
            ("from=2022-02-02&to=2022-02-01", "to"),
            ("page_size=301", "page_size"),
            ("page_size=0", "page_size"),
            ("page_size=many", "page_size"),
        ] {
            assert_eq!(asked(query).unwrap_err().field, field, "{query}");
        }
        assert_eq!(asked("page_size=&category_type=").unwrap(), asked("page_size=30&category_type=all").unwrap());
    }
}
