//! The statements by which an engine makes the table its own, a file an engine.
//!
//! The rule: an engine that knows Delta Lake reads the table's log, since only the log says which files count. What lies
//! beside it, of a run or a compaction in progress, is then never seen, and no partition has to be made known.

pub(super) mod athena;
pub(super) mod bigquery;
pub(super) mod duckdb;
pub(super) mod snowflake;
pub(super) mod spark;

use crate::model::{COLUMNS, Column};

/// What `line` makes of each column, a line each. It is given the comma that stands between columns, after the last none.
fn columns(line: impl Fn(&Column, &str) -> String) -> String {
    let last = COLUMNS.len() - 1;
    let lines = COLUMNS.iter().enumerate().map(|(at, column)| line(column, if at == last { "" } else { "," }));
    lines.collect::<Vec<_>>().join("\n")
}

/// `text` as a literal of standard SQL, in which a quote is doubled.
fn doubled(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `text` as a literal in which a backslash escapes.
fn escaped(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;
    use crate::schema::{SchemaFormat, schema};

    const AWKWARD: &str = r"/srv/o'brien\trail";

    #[test_case(SchemaFormat::DuckDb, r"'/srv/o''brien\trail'")]
    #[test_case(SchemaFormat::Athena, r"'/srv/o\'brien\\trail/'")]
    #[test_case(SchemaFormat::BigQuery, r"'/srv/o\'brien\\trail'")]
    #[test_case(SchemaFormat::Snowflake, r"'/srv/o\'brien\\trail'")]
    #[test_case(SchemaFormat::Spark, r"'/srv/o\'brien\\trail'")]
    fn a_location_is_quoted_as_the_engine_reads_it(format: SchemaFormat, expected: &str) {
        let text = schema(format, Some(AWKWARD));
        assert!(text.contains(expected), "{text}");
    }

    #[test_case(SchemaFormat::DuckDb)]
    #[test_case(SchemaFormat::Athena)]
    #[test_case(SchemaFormat::BigQuery)]
    #[test_case(SchemaFormat::Snowflake)]
    #[test_case(SchemaFormat::Spark)]
    fn every_column_has_its_comment(format: SchemaFormat) {
        let text = schema(format, None);
        for column in COLUMNS {
            let forms = [column.comment.to_owned(), doubled(column.comment), escaped(column.comment)];
            let said = |line: &str| line.contains(column.name) && forms.iter().any(|form| line.contains(form));
            assert!(text.lines().any(said), "{}", column.name);
        }
    }
}
