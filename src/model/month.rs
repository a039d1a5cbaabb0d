//! A month of the table: what its first two partition columns say.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate};

use super::Partition;

/// The rows of one UTC month, or, as `0000-00`, those whose time cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    /// UTC year, or 0.
    pub year: i32,
    /// UTC month 1 to 12, or 0.
    pub month: i32,
}

/// A text that names no month.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no month: give one such as 2022-02, or 0000-00 for rows whose time cannot be read")]
pub struct InvalidMonth(String);

impl Month {
    /// Its first and its last day; `None` where it has none.
    pub fn days(self) -> Option<(NaiveDate, NaiveDate)> {
        let first = NaiveDate::from_ymd_opt(self.year, self.month.try_into().ok()?, 1)?;
        let last = first.checked_add_months(Months::new(1))?.pred_opt()?;
        Some((first, last))
    }

    /// The months of the days `from..=to`.
    pub fn touched(from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = Self> {
        let month = |day: NaiveDate| i64::from(day.year()) * 12 + i64::from(day.month0());
        let months = (month(from)..=month(to)).map(|count| (count.div_euclid(12), count.rem_euclid(12) + 1));
        months.filter_map(|(year, month)| Some(Self { year: year.try_into().ok()?, month: month.try_into().ok()? }))
    }
}

impl From<&Partition> for Month {
    fn from(partition: &Partition) -> Self {
        Self { year: partition.year, month: partition.month }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = InvalidMonth;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (year, month) = text.split_once('-')?;
            let number = |text: &str, digits| {
                let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
                plain.then(|| text.parse().ok()).flatten()
            };
            let parsed = Self { year: number(year, 4)?, month: number(month, 2)? };
            let unknown_time = parsed == Self { year: 0, month: 0 };
            (unknown_time || (parsed.year > 0 && parsed.days().is_some())).then_some(parsed)
        };
        parse().ok_or_else(|| InvalidMonth(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_as_they_are_written_and_end_where_the_calendar_says() {
        for (text, days) in [("2024-02", 29), ("2022-12", 31)] {
            let month: Month = text.parse().unwrap();
            assert_eq!(month.to_string(), text);
            let (first, last) = month.days().unwrap();
            assert_eq!((last - first).num_days() + 1, days);
        }
        let unknown: Month = "0000-00".parse().unwrap();
        assert_eq!((unknown.to_string().as_str(), unknown.days()), ("0000-00", None));
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for text in ["", "2022", "2022-2", "2022-13", "2022-00", "0000-01", "22-02", "2022-02-01", "+022-02"] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
