//! DuckDB: a view over `delta_scan`.

use super::{columns, doubled};
use crate::model::ColumnKind;
use crate::schema::TABLE_COMMENT;

pub(in crate::schema) fn statements(location: &str) -> String {
    let selected = columns(|column, comma| format!("    \"{}\"{comma} -- {}", column.name, type_name(column.kind)));
    let comments = columns(|column, _| {
        format!("COMMENT ON COLUMN operation_logs.\"{}\" IS {};", column.name, doubled(column.comment))
    });
    format!(
        "-- operation_logs in DuckDB: a view of the newest version that the table's log names.\n\
         INSTALL delta;\n\
         LOAD delta;\n\
         \n\
         CREATE OR REPLACE VIEW operation_logs AS\n\
         SELECT\n\
         {selected}\n\
         FROM delta_scan({});\n\
         \n\
         COMMENT ON VIEW operation_logs IS {};\n\
         {comments}\n",
        doubled(location),
        doubled(TABLE_COMMENT),
    )
}

fn type_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "VARCHAR",
        ColumnKind::Timestamp => "TIMESTAMP WITH TIME ZONE",
        ColumnKind::Int => "INTEGER",
        ColumnKind::TextList => "VARCHAR[]",
        ColumnKind::ChangeList => "STRUCT(field VARCHAR, old_value VARCHAR, new_value VARCHAR)[]",
    }
}
