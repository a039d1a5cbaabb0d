//! BigQuery: a BigLake table over Delta Lake, whose columns BigQuery finds in the log, and a view that describes them.

use super::{columns, escaped};
use crate::model::ColumnKind;
use crate::schema::TABLE_COMMENT;

pub(in crate::schema) fn statements(location: &str) -> String {
    let described = columns(|column, comma| {
        format!(
            "  `{}` OPTIONS (description = {}){comma} -- {}",
            column.name,
            escaped(column.comment),
            type_name(column.kind)
        )
    });
    let selected = columns(|column, comma| format!("  `{}`{comma}", column.name));
    format!(
        "-- operation_logs in BigQuery: the newest version that the table's log names, and a view of it that describes the\n\
         -- columns. Put your dataset in the place of `trail`, and a Cloud resource connection that may read the bucket in\n\
         -- that of `us.trail`.\n\
         CREATE OR REPLACE EXTERNAL TABLE trail.operation_logs_delta\n\
         WITH CONNECTION `us.trail`\n\
         OPTIONS (format = 'DELTA_LAKE', uris = [{}]);\n\
         \n\
         CREATE OR REPLACE VIEW trail.operation_logs (\n\
         {described}\n\
         )\n\
         OPTIONS (description = {})\n\
         AS SELECT\n\
         {selected}\n\
         FROM trail.operation_logs_delta;\n",
        escaped(location),
        escaped(TABLE_COMMENT),
    )
}

fn type_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "STRING",
        ColumnKind::Timestamp => "TIMESTAMP",
        ColumnKind::Int => "INT64",
        ColumnKind::TextList => "ARRAY<STRING>",
        ColumnKind::ChangeList => "ARRAY<STRUCT<field STRING, old_value STRING, new_value STRING>>",
    }
}
