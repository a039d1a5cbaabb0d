//! Snowflake: an Iceberg table over Delta Lake files, whose columns Snowflake finds in the log, and a view that comments
//! on them.

use super::{columns, escaped};
use crate::model::ColumnKind;
use crate::schema::TABLE_COMMENT;

/// Names stay unquoted: quoted ones would be told apart by case.
pub(in crate::schema) fn statements(location: &str) -> String {
    let commented = columns(|column, comma| {
        format!("  {} COMMENT {}{comma} -- {}", column.name, escaped(column.comment), type_name(column.kind))
    });
    let selected = columns(|column, comma| format!("  {}{comma}", column.name));
    format!(
        "-- operation_logs in Snowflake: the newest version that the table's log names, and a view of it that comments on the\n\
         -- columns. `trail_volume` is an external volume; the location is relative to it.\n\
         CREATE CATALOG INTEGRATION IF NOT EXISTS trail_delta\n\
         \x20 CATALOG_SOURCE = OBJECT_STORE\n\
         \x20 TABLE_FORMAT = DELTA\n\
         \x20 ENABLED = TRUE;\n\
         \n\
         CREATE OR REPLACE ICEBERG TABLE operation_logs_delta\n\
         \x20 EXTERNAL_VOLUME = 'trail_volume'\n\
         \x20 CATALOG = 'trail_delta'\n\
         \x20 BASE_LOCATION = {};\n\
         ALTER ICEBERG TABLE operation_logs_delta SET AUTO_REFRESH = TRUE;\n\
         \n\
         CREATE OR REPLACE VIEW operation_logs (\n\
         {commented}\n\
         )\n\
         COMMENT = {}\n\
         AS SELECT\n\
         {selected}\n\
         FROM operation_logs_delta;\n",
        escaped(location),
        escaped(TABLE_COMMENT),
    )
}

fn type_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "VARCHAR",
        ColumnKind::Timestamp => "TIMESTAMP_LTZ(6)",
        ColumnKind::Int => "NUMBER(10, 0)",
        ColumnKind::TextList => "ARRAY(VARCHAR)",
        ColumnKind::ChangeList => "ARRAY(OBJECT(field VARCHAR, old_value VARCHAR, new_value VARCHAR))",
    }
}
