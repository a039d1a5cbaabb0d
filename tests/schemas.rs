//! The contract in `schemas/` is what the code has. `PHONETRAIL_BLESS=1 cargo test schemas` writes it anew.

use std::path::PathBuf;

use chrono::DateTime;
use phonetrail::model::COLUMNS;
use phonetrail::schema::{SchemaFormat, schema};
use phonetrail::simulator::{GeneratorConfig, SimulatorConfig};
use serde_json::{Value, json};
use test_case::test_case;

use crate::support::{Account, day, output, phonetrail};

#[test_case(SchemaFormat::Arrow)]
#[test_case(SchemaFormat::JsonSchema)]
#[test_case(SchemaFormat::DuckDb)]
#[test_case(SchemaFormat::Athena)]
#[test_case(SchemaFormat::BigQuery)]
#[test_case(SchemaFormat::Snowflake)]
#[test_case(SchemaFormat::Spark)]
fn the_stored_schema_is_current(format: SchemaFormat) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas").join(format.file_name());
    let text = schema(format, None);
    if std::env::var_os("PHONETRAIL_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(stored, text, "{} is not current: run PHONETRAIL_BLESS=1 cargo test schemas", path.display());
}

/// Whether `value` is what `schema` says, by the words that ours uses.
fn is_valid(schema: &Value, value: &Value) -> bool {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|allowed| allowed == kind),
        allowed => allowed == kind,
    };
    let inside = match value {
        Value::String(text) => schema["format"] != "date-time" || DateTime::parse_from_rfc3339(text).is_ok(),
        Value::Array(items) => items.iter().all(|item| is_valid(&schema["items"], item)),
        Value::Object(members) => {
            schema["required"].as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
                && members.iter().all(|(name, member)| is_valid(&schema["properties"][name], member))
        }
        _ => true,
    };
    allowed && inside
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_a_query_is_what_the_json_schema_says() {
    let generated = GeneratorConfig { seed: 3, records: 2_000, from: day("2022-01-01"), to: day("2022-02-28") };
    let account = Account::start(SimulatorConfig::default().with_generated(generated)).await;
    assert!(account.run("sync", &["--from", "2022-01-01", "--to", "2022-02-28"]).await.status.success());
    let answer = account.run("query", &["--output", "json", "SELECT * FROM operation_logs"]).await;
    let rows: Vec<Value> = serde_json::from_slice(&answer.stdout).unwrap();
    let row_schema: Value = serde_json::from_str(&schema(SchemaFormat::JsonSchema, None)).unwrap();

    assert_eq!(rows.len(), 2_000);
    for row in &rows {
        assert!(is_valid(&row_schema, row), "{row:#}");
    }
    for (name, wrong) in [
        ("record_id", Value::Null),
        ("event_time", json!("yesterday")),
        ("year", json!("2022")),
        ("emails", json!([1])),
        ("changes", json!([{ "field": "x" }])),
    ] {
        let mut row = rows[0].clone();
        row[name] = wrong;
        assert!(!is_valid(&row_schema, &row), "{name}");
    }
    let mut short = rows[0].clone();
    short.as_object_mut().unwrap().shift_remove("category");
    assert!(!is_valid(&row_schema, &short), "a column is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_what_is_stored_with_the_location_given() {
    let run = |arguments: &'static [&'static str]| async move {
        let mut command = phonetrail();
        command.arg("schema").args(arguments);
        let output = output(command).await;
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let stored = schema(SchemaFormat::DuckDb, None);
    assert_eq!(run(&["--format", "duckdb"]).await.1, stored);
    let moved = stored.replace("/srv/trail/operation_logs", "s3://bucket/operation_logs");
    assert_eq!(run(&["--format", "duckdb", "--location", "s3://bucket/operation_logs"]).await.1, moved);

    let (code, _, error) = run(&["--format", "arrow", "--location", "/srv/trail"]).await;
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("says nothing of a location"), "{error}");
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
