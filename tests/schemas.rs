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

#[test]
fn the_page_schema_accepts_the_documented_example() {
    let schema: Value = serde_json::from_str(include_str!("../schemas/api-page.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let example = json!({
        "next_page_token": "BJLYC6PABbAHdjwSkGVQeeR6B1juwHqj3G2",
        "page_size": 20,
        "operation_logs": [{
            "action": "ADD",
            "category_type": "Phone Number",
            "operation_detail": "Add BYOC +86 182 5188 5564",
            "operator": "user@test.com",
            "time": "2022-02-01T02:36:14Z"
        }]
    });
    assert!(validator.is_valid(&example));
    for broken in [json!({}), json!({"operation_logs": null}), json!({"code": 300, "message": "x"}), json!([])] {
        assert!(!validator.is_valid(&broken), "{broken}");
    }
}

#[test]
fn the_ledger_schema_accepts_the_first_entry_ever_written() {
    let schema: Value = serde_json::from_str(include_str!("../schemas/ledger-entry.v1.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let entry: Value = serde_json::from_str(include_str!("fixtures/ledger-entry.v1.json")).unwrap();
    let errors: Vec<String> = validator.iter_errors(&entry).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut gapped = entry;
    gapped.as_object_mut().unwrap().remove("previous");
    assert!(!validator.is_valid(&gapped));
}

#[test]
fn the_readme_lists_every_column_with_its_comment() {
    let readme = include_str!("../README.md");
    for column in COLUMNS {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{}` |", column.name)));
        assert!(row.is_some_and(|row| row.contains(column.comment)), "{} is not in the README as it is", column.name);
    }
}
