//! The columns with their Arrow types, as JSON.

use serde_json::{Value, json};

use crate::model::{COLUMNS, Column};

pub(super) fn schema() -> Value {
    let columns: Vec<Value> = COLUMNS.iter().map(column).collect();
    json!({ "table": "operation_logs", "columns": columns })
}

fn column(column: &Column) -> Value {
    json!({
        "name": column.name,
        "type": column.kind.arrow().to_string(),
        "nullable": column.nullable,
        "partition": column.is_partition(),
        "comment": column.comment,
    })
}
