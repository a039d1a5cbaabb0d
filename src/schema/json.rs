//! A JSON Schema of a row, as `phonetrail query --output json` prints it.

use serde_json::{Map, Value, json};

use crate::model::{COLUMNS, Column, ColumnKind, change_fields};

pub(super) fn schema() -> Value {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    let columns: Map<String, Value> = COLUMNS.iter().map(|one| (one.name.to_owned(), column(one))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A row of operation_logs",
        "description": format!("{}. As `phonetrail query --output json` prints it; columns may be added.", super::TABLE_COMMENT),
        "type": "object",
        "required": names,
        "properties": columns,
    })
}

fn column(column: &Column) -> Value {
    let (name, mut schema) = match column.kind {
        ColumnKind::Text => ("string", json!({})),
        ColumnKind::Timestamp => ("string", json!({ "format": "date-time" })),
        ColumnKind::Int => ("integer", json!({})),
        ColumnKind::TextList => ("array", json!({ "items": { "type": "string" } })),
        ColumnKind::ChangeList => ("array", json!({ "items": change() })),
    };
    schema["type"] = if column.nullable { json!([name, "null"]) } else { json!(name) };
    schema["description"] = json!(column.comment);
    schema
}

fn change() -> Value {
    let names: Vec<String> = change_fields().iter().map(|field| field.name().clone()).collect();
    let text = json!({ "type": ["string", "null"] });
    let members: Map<String, Value> = names.iter().map(|name| (name.clone(), text.clone())).collect();
    json!({ "type": "object", "required": names, "properties": members })
}
