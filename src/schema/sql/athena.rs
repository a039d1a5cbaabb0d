//! Amazon Athena: an external Delta Lake table. Partition projection would need a list of the categories, which are open,
//! and a table of files would show those that a compaction has replaced until they are gone.

use super::{columns, escaped};
use crate::model::ColumnKind;

/// Athena takes no columns here: it reads them, with their comments, from the table's log.
pub(in crate::schema) fn statement(location: &str) -> String {
    let listed = columns(|column, _| format!("--   {} {}: {}", column.name, type_name(column.kind), column.comment));
    format!(
        "-- operation_logs in Amazon Athena (engine version 3): the newest version that the table's log names. Athena takes no\n\
         -- columns in this statement; it finds them in the log:\n\
         --\n\
         {listed}\n\
         CREATE EXTERNAL TABLE operation_logs\n\
         LOCATION {}\n\
         TBLPROPERTIES ('table_type' = 'DELTA');\n",
        escaped(&format!("{}/", location.trim_end_matches('/'))),
    )
}

fn type_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "string",
        ColumnKind::Timestamp => "timestamp",
        ColumnKind::Int => "int",
        ColumnKind::TextList => "array<string>",
        ColumnKind::ChangeList => "array<struct<field:string,old_value:string,new_value:string>>",
    }
}
