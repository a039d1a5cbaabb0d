//! Which files a reader needs.

use delta_kernel::Predicate;
use delta_kernel::expressions::{ColumnName, Expression, Scalar};

/// A choice of rows, by what the log knows of files. Files outside it hold none of them; files inside it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Everything.
    All,
    /// Rows of any of these months.
    Months(Vec<MonthRange>),
}

/// Part of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthRange {
    /// UTC year; 0 for rows without a time.
    pub year: i32,
    /// UTC month.
    pub month: i32,
    /// First and last instant of interest, microseconds; `None` for the whole month.
    pub times: Option<(i64, i64)>,
}

impl Selection {
    pub(super) fn predicate(&self) -> Option<Predicate> {
        match self {
            Self::All => None,
            Self::Months(ranges) => Some(Predicate::or_from(ranges.iter().map(MonthRange::predicate))),
        }
    }
}

impl MonthRange {
    fn predicate(&self) -> Predicate {
        let is = |name, value| Predicate::eq(column(name), Expression::literal(Scalar::Integer(value)));
        let mut all = vec![is("year", self.year), is("month", self.month)];
        if let Some((first, last)) = self.times {
            let instant = |micros| Expression::literal(Scalar::Timestamp(micros));
            all.push(Predicate::ge(column("event_time"), instant(first)));
            all.push(Predicate::le(column("event_time"), instant(last)));
        }
        Predicate::and_from(all)
    }
}

fn column(name: &str) -> Expression {
    Expression::column(ColumnName::new([name]))
}
