//! The contract in `schemas/` is what the code has. `PHONETRAIL_BLESS=1 cargo test schemas` writes it anew.

use std::path::PathBuf;

use phonetrail::model::{COLUMNS, table_schema};
use serde_json::{Value, json};

fn assert_current(name: &str, schema: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    let text = format!("{schema:#}\n");
    if std::env::var_os("PHONETRAIL_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(stored, text, "{} is not current: run PHONETRAIL_BLESS=1 cargo test schemas", path.display());
}

#[test]
fn the_arrow_schema_is_current() {
    let schema = table_schema();
    let columns: Vec<Value> = COLUMNS
        .iter()
        .map(|column| {
            let field = schema.field_with_name(column.name).unwrap();
            json!({
                "name": column.name,
                "type": field.data_type().to_string(),
                "nullable": column.nullable,
                "partition": column.is_partition(),
                "comment": column.comment,
            })
        })
        .collect();
    assert_current("operation_logs.arrow.json", &json!({ "table": "operation_logs", "columns": columns }));
}

/// The members that not every entry has.
const OPTIONAL: [&str; 1] = ["rewritten"];

/// Asserts that a schema's object names exactly the members of `value`, and requires them, all the way down.
fn assert_names_all(schema: &Value, definitions: &Value, value: &Value, place: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => &definitions[name.rsplit('/').next().unwrap()],
        None => schema["oneOf"].as_array().and_then(|choices| choices.last()).unwrap_or(schema),
    };
    match value {
        Value::Object(members) => {
            let sorted = |mut names: Vec<String>| -> Vec<String> {
                names.retain(|name| !OPTIONAL.contains(&name.as_str()));
                names.sort();
                names
            };
            let named = sorted(schema["properties"].as_object().unwrap().keys().cloned().collect());
            let required = schema["required"].as_array().unwrap().iter();
            assert_eq!(sorted(members.keys().cloned().collect()), named, "{place}");
            assert_eq!(sorted(required.map(|name| name.as_str().unwrap().to_owned()).collect()), named, "{place}");
            for (name, member) in members {
                assert_names_all(&schema["properties"][name], definitions, member, &format!("{place}.{name}"));
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| assert_names_all(&schema["items"], definitions, item, &format!("{place}[]")));
        }
        _ => assert!(schema.is_object(), "{place} is not in the schema"),
    }
}

#[test]
fn the_ledger_schema_names_all_that_an_entry_holds() {
    let schema: Value = serde_json::from_str(include_str!("../schemas/ledger-entry.v1.schema.json")).unwrap();
    for entry in [include_str!("fixtures/ledger-entry.v1.json"), include_str!("fixtures/ledger-entry.v1.compact.json")]
    {
        let entry: Value = serde_json::from_str(entry).unwrap();
        assert_names_all(&schema, &schema["$defs"], &entry, "entry");
    }
}

#[test]
fn the_page_schema_requires_what_a_page_is_told_by() {
    let schema: Value = serde_json::from_str(include_str!("../schemas/api-page.schema.json")).unwrap();
    assert_eq!(schema["required"], json!(["operation_logs"]));
    let fields = schema["properties"]["operation_logs"]["items"]["properties"].as_object().unwrap();
    let fields: Vec<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(fields, ["action", "category_type", "operation_detail", "operator", "time"]);
}

#[test]
fn the_readme_lists_every_column_with_its_comment() {
    let readme = include_str!("../README.md");
    for column in COLUMNS {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{}` |", column.name)));
        assert!(row.is_some_and(|row| row.contains(column.comment)), "{} is not in the README as it is", column.name);
    }
}
