//! The unit of asking: whole days of the upstream's calendar, never more than a month under any reading of the word.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

/// The longest window, in days, first and last included. The report gives "one month's worth of data at once"; 28 days
/// is a month in every calendar, whether or not the last day counts.
pub const MAX_WINDOW_DAYS: u64 = 28;

/// Days `from..=to` as they are put in a request, of all categories or of one.
///
/// Which instants the upstream takes them to mean (time zone of a day, whether `to` is included) is undocumented, so a
/// window says what was asked, never when its records happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    from: NaiveDate,
    to: NaiveDate,
    scope: Scope,
}

/// A window that cannot be asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no window from {from} to {to}: it must hold between 1 and {MAX_WINDOW_DAYS} days")]
pub struct InvalidWindow {
    from: NaiveDate,
    to: NaiveDate,
}

impl Window {
    /// A window of the days `from..=to`; fails when it would be empty or longer than [`MAX_WINDOW_DAYS`].
    pub fn try_new(from: NaiveDate, to: NaiveDate, scope: Scope) -> Result<Self, InvalidWindow> {
        let window = Self { from, to, scope };
        if to < from || window.days() > MAX_WINDOW_DAYS {
            return Err(InvalidWindow { from, to });
        }
        Ok(window)
    }

    /// First day asked for.
    pub fn from(&self) -> NaiveDate {
        self.from
    }

    /// Last day asked for.
    pub fn to(&self) -> NaiveDate {
        self.to
    }

    /// Which categories were asked for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The window up to `last`, which must not lie after its own last day; fails when it would be empty.
    pub fn until(&self, last: NaiveDate) -> Result<Self, InvalidWindow> {
        Self::try_new(self.from, last, self.scope.clone())
    }

    /// How many days it holds, first and last included.
    pub fn days(&self) -> u64 {
        (self.to - self.from).num_days().unsigned_abs() + 1
    }

    /// Two windows that together ask for the same days, sharing one day at the seam, or `None` for a window too short
    /// for that. The shared day keeps the halves complete if `to` turns out to be exclusive.
    pub fn halves(&self) -> Option<(Self, Self)> {
        if self.days() < 3 {
            return None;
        }
        let middle = self.from.checked_add_days(Days::new(self.days() / 2))?;
        let half = |from, to| Self { from, to, scope: self.scope.clone() };
        Some((half(self.from, middle), half(middle, self.to)))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)?;
        match &self.scope {
            Scope::All => Ok(()),
            Scope::Category(code) => write!(f, " ({code})"),
        }
    }
}

/// The categories a request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// Every category: `category_type=all`, the upstream's default.
    #[default]
    All,
    /// One category.
    Category(CategoryCode),
}

impl Scope {
    /// The value of the request parameter `category_type`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::All => "all",
            Self::Category(code) => code.as_str(),
        }
    }

    /// Whether what is read under `self` includes what would be read under `other`.
    pub fn includes(&self, other: &Self) -> bool {
        *self == Self::All || self == other
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = InvalidCategoryCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::Category) }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.as_str().to_owned()
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidCategoryCode;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A value of the request parameter `category_type`, such as `phone_number`. The published list of codes is open (the
/// changelog adds codes that the table lacks), so any well-formed code passes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CategoryCode(String);

/// A text that cannot be a category code.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no category code: a code is 1 to 64 of a-z, 0-9 and _, such as phone_number")]
pub struct InvalidCategoryCode(String);

impl CategoryCode {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CategoryCode {
    type Err = InvalidCategoryCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidCategoryCode(text.to_owned())) }
    }
}

impl fmt::Display for CategoryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_holds_one_to_twenty_eight_days() {
        let window = |from, to| Window::try_new(day(from), day(to), Scope::All);
        assert_eq!(window("2022-02-01", "2022-02-01").unwrap().days(), 1);
        assert_eq!(window("2022-02-01", "2022-02-28").unwrap().days(), 28);
        assert!(window("2022-02-01", "2022-03-01").is_err());
        assert!(window("2022-02-02", "2022-02-01").is_err());
    }

    #[test]
    fn halves_share_the_day_at_the_seam_and_end() {
        let mut open = vec![Window::try_new(day("2022-02-01"), day("2022-02-28"), Scope::All).unwrap()];
        while let Some(window) = open.pop() {
            let Some((left, right)) = window.halves() else {
                assert!(window.days() <= 2);
                continue;
            };
            assert_eq!((left.from(), right.to()), (window.from(), window.to()));
            assert_eq!(left.to(), right.from());
            assert!(left.days() < window.days() && right.days() < window.days());
            open.extend([left, right]);
        }
    }

    #[test]
    fn a_code_that_could_leave_its_place_in_a_request_is_refused() {
        for text in ["", "Phone Number", "a&b=c", "../x", &"a".repeat(65)] {
            assert!(text.parse::<CategoryCode>().is_err(), "{text}");
        }
        assert_eq!("sip_group".parse::<Scope>().unwrap().as_str(), "sip_group");
    }
}
