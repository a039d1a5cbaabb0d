//! What a query needs, found out before anything is fetched: by a rehearsal on no rows, in which polars says by what it
//! would filter and which columns it would read; and which partitions that rules out.
//!
//! The rule: a file is left out only where none of its rows can pass. Whatever is not understood needs every file.

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{Months, NaiveDate, NaiveTime};
use polars::prelude::{
    AnonymousScan, AnonymousScanArgs, BooleanFunction, Column, DataFrame, DataType, DataTypeExpr, Expr, FunctionExpr,
    IntoLazy, LazyFrame, NamedFrom, Operator, PolarsResult, ScanArgsAnonymous, Series, StringFunction, TimeUnit, col,
};

use super::scan::{empty, schema};
use super::sql;
use crate::load::LiveFile;
use crate::model::{COLUMNS, PARTITION_COLUMNS, Partition};

/// How a plan shows that it looks at the rehearsed table.
const REHEARSAL: &str = "Anonymous SCAN";

pub(super) const TIME: &str = "event_time";

/// The bounds of the times that a partition's rows can have.
const FIRST: &str = "first_time";
const LAST: &str = "last_time";

/// What a query needs of the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    /// What every row that it looks at must fulfil, where that can be told.
    pub(super) filter: Option<Expr>,
    /// The columns that it reads, where not all.
    pub(super) columns: Option<HashSet<String>>,
}

impl Needs {
    /// Rehearses `query`.
    pub(super) fn of(query: &str) -> PolarsResult<Self> {
        let rehearsal = Arc::new(Rehearsal::default());
        let arguments = ScanArgsAnonymous { schema: Some(schema(|_| true)), ..ScanArgsAnonymous::default() };
        let table = LazyFrame::anonymous_scan(Arc::<Rehearsal>::clone(&rehearsal), arguments)?;
        let plan = sql(table, query)?;
        // A second look at the table may need other rows, and may be skipped where there are none.
        if plan.describe_optimized_plan()?.matches(REHEARSAL).count() != 1 {
            return Ok(Self::default());
        }
        // What is wrong with the query will be told by the query itself.
        let _ = plan.collect();
        let mut looks = rehearsal.looks.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(if looks.len() == 1 { looks.pop().unwrap_or_default() } else { Self::default() })
    }

    /// The columns that it looks at, be it to filter by.
    pub(super) fn wanted(&self) -> HashSet<String> {
        let Some(columns) = &self.columns else {
            return COLUMNS.iter().map(|column| column.name.to_owned()).collect();
        };
        let name = |expression: &Expr| match expression {
            Expr::Column(name) => Some(name.to_string()),
            _ => None,
        };
        columns.iter().cloned().chain(self.filter.iter().flatten().filter_map(name)).collect()
    }

    /// Those of `files` whose partitions can hold rows that it looks at.
    pub(super) fn files(&self, files: Vec<LiveFile>) -> Vec<LiveFile> {
        let condition = self.filter.as_ref().and_then(conditions);
        match condition.and_then(|condition| matching(condition, &files).ok()) {
            Some(kept) => {
                files.into_iter().enumerate().filter(|(n, _)| kept.contains(n)).map(|(_, file)| file).collect()
            }
            None => files,
        }
    }
}

/// A table without rows that notes what is asked of it.
#[derive(Default)]
struct Rehearsal {
    looks: Mutex<Vec<Needs>>,
}

impl AnonymousScan for Rehearsal {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn scan(&self, arguments: AnonymousScanArgs) -> PolarsResult<DataFrame> {
        let columns = arguments.with_columns.map(|columns| columns.iter().map(ToString::to_string).collect());
        let look = Needs { filter: arguments.predicate, columns };
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).push(look);
        match arguments.output_schema {
            Some(wanted) => empty().select(wanted.iter_names_cloned()),
            None => Ok(empty()),
        }
    }

    fn allows_predicate_pushdown(&self) -> bool {
        true
    }

    fn allows_projection_pushdown(&self) -> bool {
        true
    }
}

/// `filter` as far as it can be decided for a partition as a whole.
fn conditions(filter: &Expr) -> Option<Expr> {
    if let Expr::BinaryExpr { left, op: Operator::And | Operator::LogicalAnd, right } = filter {
        return match (conditions(left), conditions(right)) {
            (Some(left), Some(right)) => Some(left.and(right)),
            (left, right) => left.or(right),
        };
    }
    let of_partition = |name: &str| PARTITION_COLUMNS.contains(&name);
    if is_decidable(filter, &of_partition) { Some(filter.clone()) } else { of_time(filter) }
}

/// A comparison of the time with a constant, as one of the bounds of a partition's times.
fn of_time(filter: &Expr) -> Option<Expr> {
    let is_constant = |expression: &Expr| is_decidable(expression, &|_| false);
    let compare = |time: &Expr, op, constant: &Expr| {
        let bound = |name, op| Some(binary(with_column(time, name)?, op, constant.clone()));
        match op {
            Operator::Gt | Operator::GtEq => bound(LAST, op),
            Operator::Lt | Operator::LtEq => bound(FIRST, op),
            Operator::Eq => Some(bound(FIRST, Operator::LtEq)?.and(bound(LAST, Operator::GtEq)?)),
            _ => None,
        }
    };
    match filter {
        Expr::BinaryExpr { left, op, right } if is_constant(right) => compare(left, *op, right),
        Expr::BinaryExpr { left, op, right } if is_constant(left) => compare(right, mirrored(*op), left),
        Expr::Function { input, function: FunctionExpr::Boolean(BooleanFunction::IsBetween { .. }) } => {
            match &**input {
                [time, low, high] if is_constant(low) && is_constant(high) => {
                    Some(compare(time, Operator::GtEq, low)?.and(compare(time, Operator::LtEq, high)?))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// `expression`, the time or its day, about another column.
fn with_column(expression: &Expr, name: &str) -> Option<Expr> {
    match expression {
        Expr::Column(column) if column == TIME => Some(col(name)),
        Expr::Cast { expr, dtype, options } => {
            let is_time = matches!(dtype, DataTypeExpr::Literal(DataType::Date | DataType::Datetime(..)));
            let expr = Arc::new(with_column(expr, name).filter(|_| is_time)?);
            Some(Expr::Cast { expr, dtype: dtype.clone(), options: *options })
        }
        _ => None,
    }
}

/// Whether `expression` is about columns of which `known` is true, and is worked out value by value.
pub(super) fn is_decidable(expression: &Expr, known: &dyn Fn(&str) -> bool) -> bool {
    use BooleanFunction::{IsBetween, IsIn, IsNotNull, IsNull, Not};
    match expression {
        Expr::Column(name) => known(name),
        Expr::Literal(_) => true,
        Expr::BinaryExpr { left, right, .. } => is_decidable(left, known) && is_decidable(right, known),
        Expr::Cast { expr, .. } | Expr::Alias(expr, _) => is_decidable(expr, known),
        Expr::Function { input, function: FunctionExpr::Boolean(function) } => {
            matches!(function, IsBetween { .. } | IsIn { .. } | IsNotNull | IsNull | Not)
                && input.iter().all(|input| is_decidable(input, known))
        }
        // A text, read as a time.
        Expr::Function { input, function: FunctionExpr::StringExpr(StringFunction::Strptime(..)) } => {
            input.iter().all(|input| is_decidable(input, known))
        }
        _ => false,
    }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr { left: Arc::new(left), op, right: Arc::new(right) }
}

pub(super) fn mirrored(op: Operator) -> Operator {
    match op {
        Operator::Lt => Operator::Gt,
        Operator::LtEq => Operator::GtEq,
        Operator::Gt => Operator::Lt,
        Operator::GtEq => Operator::LtEq,
        other => other,
    }
}

/// The places in `files` of those whose partition can fulfil `condition`.
fn matching(condition: Expr, files: &[LiveFile]) -> PolarsResult<HashSet<usize>> {
    let partitions = || files.iter().map(|file| &file.partition);
    let times = |name: &str, bound: fn(&Partition) -> i64| {
        let times = Series::new(name.into(), partitions().map(bound).collect::<Vec<i64>>());
        times.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).map(Column::from)
    };
    let columns = vec![
        Series::new("year".into(), partitions().map(|partition| partition.year).collect::<Vec<i32>>()).into(),
        Series::new("month".into(), partitions().map(|partition| partition.month).collect::<Vec<i32>>()).into(),
        Series::new("category".into(), partitions().map(|partition| &*partition.category).collect::<Vec<&str>>())
            .into(),
        times(FIRST, |partition| bounds(partition).0)?,
        times(LAST, |partition| bounds(partition).1)?,
    ];
    let kept = DataFrame::new(files.len(), columns)?.lazy().select([condition.alias("kept")]).collect()?;
    let kept = kept.column("kept")?.bool()?;
    Ok(kept.iter().enumerate().filter(|(_, kept)| *kept == Some(true)).map(|(n, _)| n).collect())
}

/// The first and the last instant of the partition's month, microseconds; all time where it has none.
fn bounds(partition: &Partition) -> (i64, i64) {
    let first =
        NaiveDate::from_ymd_opt(partition.year, partition.month.unsigned_abs(), 1).filter(|_| partition.year > 0);
    let end = first.and_then(|first| first.checked_add_months(Months::new(1)));
    let micros = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    first.zip(end).map_or((i64::MIN, i64::MAX), |(first, end)| (micros(first), micros(end) - 1))
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    /// A file of each month of 2021 and 2022 in two categories, and one of rows without a time.
    fn files() -> Vec<LiveFile> {
        let months = (2021..=2022).flat_map(|year| (1..=12).map(move |month| (year, month)));
        let partition =
            |(year, month)| ["user", "device"].map(|category| Partition { year, month, category: category.into() });
        let partitions =
            months.flat_map(partition).chain([Partition { category: "user".into(), ..Partition::default() }]);
        let file = |partition: Partition| LiveFile {
            path: format!("{}/part-1.parquet", partition.directory()),
            byte_count: 1,
            row_count: Some(1),
            partition,
        };
        partitions.map(file).collect()
    }

    #[test_case("year = 2022 AND month = 3", 2; "of a month")]
    #[test_case("year = 2022 AND month IN (1, 2) AND category = 'user'", 2; "of a category in two months")]
    #[test_case("category <> 'user'", 24; "of another category")]
    #[test_case("year = 2021 OR category = 'device'", 36; "of a choice")]
    #[test_case("year = 2022 AND verb = 'assign'", 24; "of a year, and by something that files do not tell")]
    #[test_case("event_time >= '2022-11-30 23:59:59'", 5; "since a time, and those that have none")]
    #[test_case("event_time >= TIMESTAMP '2022-12-01 00:00:00' AND year > 0", 2; "since the turn of a month")]
    #[test_case("event_time < '2021-02-01 00:00:00' AND year > 0", 2; "before the turn of a month")]
    #[test_case("event_time <= '2021-02-01 00:00:00' AND year > 0", 4; "until the turn of a month")]
    #[test_case("TIMESTAMP '2021-02-01 00:00:00' > event_time AND year > 0", 2; "the other way about")]
    #[test_case("event_time BETWEEN '2022-01-31' AND '2022-02-01' AND year > 0", 4; "between two times")]
    #[test_case("CAST(event_time AS DATE) = DATE '2022-02-03'", 3; "of a day, and those that have none")]
    #[test_case("event_time > ingested_at", 49; "all, where two columns are compared")]
    #[test_case("year = 2022 OR verb = 'assign'", 49; "all, where rows of any file may do")]
    #[test_case("year IN (SELECT MAX(year) FROM operation_logs)", 49; "all, where the table is looked at twice")]
    fn a_query_needs_the_files(condition: &str, expected: usize) {
        let query =
            format!("SELECT operator_id, COUNT(*) AS n FROM operation_logs WHERE {condition} GROUP BY operator_id");
        assert_eq!(Needs::of(&query).unwrap().files(files()).len(), expected);
    }

    #[test]
    fn a_query_without_a_filter_or_with_a_self_join_needs_every_file() {
        for query in [
            "SELECT * FROM operation_logs LIMIT 5",
            "SELECT a.verb FROM operation_logs a JOIN operation_logs b ON a.record_id = b.record_id WHERE a.year = 2022",
        ] {
            assert_eq!(Needs::of(query).unwrap().files(files()).len(), 49, "{query}");
        }
    }

    #[test]
    fn a_query_that_makes_no_sense_is_told_before_anything_is_fetched() {
        assert!(Needs::of("SELECT nonsense FROM operation_logs").is_err());
    }
}
