//! Spark: a table of the Parquet files, in partitions, which needs nothing beside Spark. Where Delta Lake is installed,
//! one statement over the log does better.

use super::{columns, escaped};
use crate::model::{ColumnKind, PARTITION_COLUMNS};
use crate::schema::TABLE_COMMENT;

pub(in crate::schema) fn statements(location: &str) -> String {
    let defined = columns(|column, comma| {
        format!("  `{}` {} COMMENT {}{comma}", column.name, type_name(column.kind), escaped(column.comment))
    });
    let location = escaped(location);
    format!(
        "-- operation_logs in Spark, by its files: right whenever no run is in progress. Where Delta Lake is installed, this\n\
         -- reads the newest version that the table's log names, at any time, and finds the columns there:\n\
         --\n\
         --   CREATE TABLE operation_logs USING delta LOCATION {location};\n\
         CREATE TABLE IF NOT EXISTS operation_logs (\n\
         {defined}\n\
         )\n\
         USING parquet\n\
         PARTITIONED BY ({})\n\
         LOCATION {location}\n\
         COMMENT {};\n\
         \n\
         -- After every run: makes its partitions known.\n\
         MSCK REPAIR TABLE operation_logs;\n",
        PARTITION_COLUMNS.join(", "),
        escaped(TABLE_COMMENT),
    )
}

fn type_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "STRING",
        ColumnKind::Timestamp => "TIMESTAMP",
        ColumnKind::Int => "INT",
        ColumnKind::TextList => "ARRAY<STRING>",
        ColumnKind::ChangeList => "ARRAY<STRUCT<field: STRING, old_value: STRING, new_value: STRING>>",
    }
}
