//! What the upstream's documentation leaves open, as choices that can be named on a command line.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, Months, NaiveDate};

/// A text that names no choice of a setting.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{given}` is no {setting}: expected {expected}")]
pub struct InvalidSetting {
    setting: &'static str,
    given: String,
    expected: String,
}

impl InvalidSetting {
    pub(super) fn new(setting: &'static str, given: &str, expected: impl Into<String>) -> Self {
        Self { setting, given: given.to_owned(), expected: expected.into() }
    }
}

/// A choice with a name for each variant; the names are what `FromStr` reads and `Display` writes.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident, $setting:literal, $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// The names of all choices.
            pub const NAMES: &[&str] = &[$($text),+];

            /// The choice's name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidSetting;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(InvalidSetting::new($setting, text, Self::NAMES.join(", "))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

choice! {
    /// The order of a query's records.
    RecordOrder, "record order",
    /// By time, the latest first; within a second, the last to arrive first.
    #[default]
    NewestFirst = "newest-first",
    /// The reverse.
    OldestFirst = "oldest-first",
    /// An order that has nothing to do with time, the same whenever it is asked for.
    Unsorted = "unsorted",
}

choice! {
    /// What the pages of one query are pages of.
    Paging, "paging mode",
    /// The records that were there when the first page was read.
    #[default]
    Snapshot = "snapshot",
    /// The records that are there when each page is read: those that arrive between two pages push others over a page's
    /// edge.
    Live = "live",
}

choice! {
    /// How the last page says that it is the last.
    LastToken, "last token",
    /// `"next_page_token":""`.
    #[default]
    Empty = "empty",
    /// `"next_page_token":null`.
    Null = "null",
    /// No such key.
    Missing = "missing",
}

choice! {
    /// What a range of more than a month brings.
    LongRange, "answer to a long range",
    /// Status 400, code 300.
    #[default]
    Refuse = "refuse",
    /// The first month of it, without a word; the echoed `to` tells.
    CutEnd = "cut-end",
    /// The last month of it, without a word; the echoed `from` tells.
    CutStart = "cut-start",
}

choice! {
    /// What a range that goes on after the account's today brings.
    Future, "answer to a range in the future",
    /// What there is of it, with the range echoed as asked for.
    #[default]
    Keep = "keep",
    /// The part up to the account's today; the echoed `to` tells.
    Cut = "cut",
}

choice! {
    /// Which requests count against the limit per second.
    SecondWindow, "second window",
    /// Those of the same second of the server's clock, so that two bursts may meet at its end.
    #[default]
    Fixed = "fixed",
    /// Those of the second before each request. What passes this passes [`Self::Fixed`] too.
    Sliding = "sliding",
}

/// How long the longest range is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MonthLength {
    /// From a day to the same day of the next month.
    #[default]
    Calendar,
    /// So many days, the first and the last included.
    Days(u32),
}

impl MonthLength {
    /// The last day that a range from `from` may end on.
    pub(super) fn last_day(self, from: NaiveDate) -> NaiveDate {
        let last = match self {
            Self::Calendar => from.checked_add_months(Months::new(1)),
            Self::Days(days) => from.checked_add_days(Days::new(u64::from(days.saturating_sub(1)))),
        };
        last.unwrap_or(NaiveDate::MAX)
    }

    /// The first day that a range to `to` may begin on.
    pub(super) fn first_day(self, to: NaiveDate) -> NaiveDate {
        let first = match self {
            Self::Calendar => to.checked_sub_months(Months::new(1)),
            Self::Days(days) => to.checked_sub_days(Days::new(u64::from(days.saturating_sub(1)))),
        };
        first.unwrap_or(NaiveDate::MIN)
    }
}

impl FromStr for MonthLength {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "calendar" => Ok(Self::Calendar),
            Ok(days @ 1..) => Ok(Self::Days(days)),
            _ => Err(InvalidSetting::new("length of a month", text, "calendar or a number of days")),
        }
    }
}

impl fmt::Display for MonthLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calendar => f.write_str("calendar"),
            Self::Days(days) => write!(f, "{days}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for name in RecordOrder::NAMES {
            assert_eq!(name.parse::<RecordOrder>().unwrap().to_string(), *name);
        }
        assert_eq!("cut-end".parse(), Ok(LongRange::CutEnd));
        let error = "clamp".parse::<LongRange>().unwrap_err();
        assert_eq!(error.to_string(), "`clamp` is no answer to a long range: expected refuse, cut-end, cut-start");
    }

    #[test]
    fn a_month_ends_on_the_same_day_of_the_next_or_after_so_many_days() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(MonthLength::Calendar.last_day(day("2022-01-31")), day("2022-02-28"));
        assert_eq!(MonthLength::Days(28).last_day(day("2022-02-01")), day("2022-02-28"));
        assert_eq!(MonthLength::Days(30).first_day(day("2022-01-30")), day("2022-01-01"));
        assert_eq!("30".parse(), Ok(MonthLength::Days(30)));
        assert!("0".parse::<MonthLength>().is_err());
    }
}
