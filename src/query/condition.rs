//! What a filter asks of single columns, as far as the footer of a file can answer it.
//!
//! The rule: a condition lets every row pass that the filter lets pass, and maybe more.

use std::collections::HashSet;

use polars::prelude::{
    BooleanFunction, DataFrame, DataType, Expr, FunctionExpr, IntoLazy, ListFunction, Operator, TimeUnit,
};

use super::pruning::{TIME, is_decidable, mirrored};

/// What a row must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Every one holds.
    All(Vec<Self>),
    /// At least one holds.
    Any(Vec<Self>),
    /// A text column, or a list of texts, has one of these values.
    Holds { column: String, values: Vec<String> },
    /// The time lies within these bounds, microseconds.
    Within { first: i64, last: i64 },
    /// Nothing that a footer could tell.
    Unknown,
}

impl Condition {
    /// What `filter` asks.
    pub(super) fn of(filter: &Expr) -> Self {
        match filter {
            Expr::BinaryExpr { left, op: Operator::And | Operator::LogicalAnd, right } => {
                Self::All(vec![Self::of(left), Self::of(right)])
            }
            Expr::BinaryExpr { left, op: Operator::Or | Operator::LogicalOr, right } => {
                Self::Any(vec![Self::of(left), Self::of(right)])
            }
            Expr::BinaryExpr { left, op, right } => {
                compared(left, *op, right).or_else(|| compared(right, mirrored(*op), left)).unwrap_or(Self::Unknown)
            }
            Expr::Function { input, function: FunctionExpr::Boolean(BooleanFunction::IsIn { .. }) }
            | Expr::Function { input, function: FunctionExpr::ListExpr(ListFunction::Contains { .. }) } => {
                is_in(input).unwrap_or(Self::Unknown)
            }
            Expr::Function { input, function: FunctionExpr::Boolean(BooleanFunction::IsBetween { .. }) } => {
                is_between(input).unwrap_or(Self::Unknown)
            }
            _ => Self::Unknown,
        }
    }

    /// Adds the columns that it is about.
    pub(super) fn add_columns<'c>(&'c self, columns: &mut HashSet<&'c str>) {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().for_each(|condition| condition.add_columns(columns));
            }
            Self::Holds { column, .. } => drop(columns.insert(column)),
            Self::Within { .. } => drop(columns.insert(TIME)),
            Self::Unknown => {}
        }
    }

    /// Whether nothing can be ruled out by it.
    pub(super) fn is_unknown(&self) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(Self::is_unknown),
            Self::Any(conditions) => conditions.iter().any(Self::is_unknown),
            Self::Holds { .. } | Self::Within { .. } => false,
            Self::Unknown => true,
        }
    }
}

fn compared(column: &Expr, op: Operator, constant: &Expr) -> Option<Condition> {
    let Expr::Column(column) = column else { return None };
    if column == TIME {
        let time = time(constant)?;
        return match op {
            Operator::Eq => Some(Condition::Within { first: time, last: time }),
            Operator::Gt | Operator::GtEq => Some(Condition::Within { first: time, last: i64::MAX }),
            Operator::Lt | Operator::LtEq => Some(Condition::Within { first: i64::MIN, last: time }),
            _ => None,
        };
    }
    (op == Operator::Eq).then_some(())?;
    Some(Condition::Holds { column: column.to_string(), values: texts(constant)? })
}

fn is_in(input: &[Expr]) -> Option<Condition> {
    let [Expr::Column(column), constants] = input else { return None };
    Some(Condition::Holds { column: column.to_string(), values: texts(constants)? })
}

fn is_between(input: &[Expr]) -> Option<Condition> {
    let [column, low, high] = input else { return None };
    let (low, high) = (compared(column, Operator::GtEq, low)?, compared(column, Operator::LtEq, high)?);
    Some(Condition::All(vec![low, high]))
}

fn time(constant: &Expr) -> Option<i64> {
    let time = value(constant)?.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).ok()?;
    time.datetime().ok()?.physical().get(0)
}

/// The texts of a constant, which is one or a list of them. A null among them is no text.
fn texts(constant: &Expr) -> Option<Vec<String>> {
    let mut values = value(constant)?;
    if matches!(values.dtype(), DataType::List(_)) {
        values = values.explode(polars::prelude::ExplodeOptions { empty_as_null: false, keep_nulls: true }).ok()?;
    }
    values.str().ok()?.iter().map(|text| text.map(str::to_owned)).collect()
}

fn value(constant: &Expr) -> Option<polars::prelude::Series> {
    if !is_decidable(constant, &|_| false) {
        return None;
    }
    let frame = DataFrame::empty().lazy().select([constant.clone().alias("value")]).collect().ok()?;
    Some(frame.column("value").ok()?.as_materialized_series().clone())
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::super::pruning::Needs;
    use super::*;

    fn condition(sql: &str) -> Condition {
        let query = format!("SELECT verb FROM operation_logs WHERE {sql}");
        Needs::of(&query).unwrap().filter.as_ref().map_or(Condition::Unknown, Condition::of)
    }

    fn holds(column: &str, values: &[&str]) -> Condition {
        Condition::Holds { column: column.to_owned(), values: values.iter().map(|&value| value.to_owned()).collect() }
    }

    const MARCH: i64 = 1_646_092_800_000_000;

    #[test_case("operator_id = 'a@b.test'", &holds("operator_id", &["a@b.test"]); "a value")]
    #[test_case("'a@b.test' = operator_id", &holds("operator_id", &["a@b.test"]); "the other way about")]
    #[test_case("verb IN ('add', 'assign')", &holds("verb", &["add", "assign"]); "one of several values")]
    #[test_case("array_contains(phone_numbers, '+12025550101')", &holds("phone_numbers", &["+12025550101"]); "a value of a list")]
    #[test_case("event_time >= '2022-03-01'", &Condition::Within { first: MARCH, last: i64::MAX }; "since a time")]
    #[test_case("event_time < TIMESTAMP '2022-03-01 00:00:00'", &Condition::Within { first: i64::MIN, last: MARCH }; "before a time")]
    fn a_filter_asks_of_a_column(sql: &str, expected: &Condition) {
        assert_eq!(&condition(sql), expected);
    }

    #[test_case("operator_id LIKE 'a%'"; "a pattern")]
    #[test_case("operator_id <> 'a@b.test'"; "another value")]
    #[test_case("operator_id = operator"; "another column")]
    #[test_case("NOT operator_id = 'a@b.test'"; "the contrary")]
    #[test_case("operator_id = 'a@b.test' OR LENGTH(verb) = 3"; "a choice that is not known")]
    #[test_case("LOWER(operator_id) = 'a@b.test'"; "what a value would be")]
    fn what_is_not_understood_rules_nothing_out(sql: &str) {
        assert!(condition(sql).is_unknown(), "{:?}", condition(sql));
    }
}
