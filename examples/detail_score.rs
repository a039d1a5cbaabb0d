//! How well details are read: precision, recall and count of every column against labelled details.
//!
//! ```text
//! cargo run --example detail_score -- [--differences] [FILE]
//! ```
//!
//! A labelled file holds one JSON object a line: `{"detail": TEXT, "expect": {COLUMN: VALUE, ...}}`, as
//! `tests/fixtures/details.jsonl` does. A column that a line leaves out is not judged there. *Precision* is the share of
//! what was read that the label says too, *recall* the share of what the labels say that was read, *labels* how many
//! values they say; a list counts by its elements, a status by itself.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Parser;
use phonetrail::model::Detail;
use phonetrail::transform::read_detail;
use serde::Deserialize;
use serde_json::{Value, json};

/// Judges how details are read.
#[derive(Debug, Parser)]
struct Arguments {
    /// Labelled details, one JSON object a line.
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/details.jsonl"))]
    file: PathBuf,
    /// Show every column that was read otherwise than labelled.
    #[arg(long)]
    differences: bool,
}

#[derive(Debug, Deserialize)]
struct Labelled {
    detail: String,
    expect: BTreeMap<String, Value>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Score {
    labelled: usize,
    read: usize,
    right: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut out = io::stdout().lock();
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    let (mut details, mut whole) = (0, 0);

    for line in std::fs::read_to_string(&arguments.file)?.lines().filter(|line| !line.trim().is_empty()) {
        let Labelled { detail, expect } = serde_json::from_str(line)?;
        let read = columns(&read_detail(&detail));
        let differs = |(column, label): &(&String, &Value)| read.get(column.as_str()) != Some(*label);
        let differences: Vec<_> = expect.iter().filter(differs).collect();
        for (column, label) in &expect {
            count(&mut scores, column, read.get(column).unwrap_or(&Value::Null), label);
        }
        details += 1;
        whole += usize::from(differences.is_empty());
        if arguments.differences && !differences.is_empty() {
            writeln!(out, "{detail:?}")?;
            for (column, label) in differences {
                writeln!(out, "  {column}: read {}, labelled {label}", read.get(column).unwrap_or(&Value::Null))?;
            }
        }
    }

    writeln!(out, "{:<20} {:>9} {:>9} {:>7}", "column", "precision", "recall", "labels")?;
    for (column, score) in &scores {
        let (precision, recall) = (share(score.right, score.read), share(score.right, score.labelled));
        writeln!(out, "{column:<20} {precision:>9} {recall:>9} {:>7}", score.labelled)?;
    }
    writeln!(out, "{whole} of {details} details read as labelled in every column")?;
    Ok(())
}

/// A reading under the labels' names.
fn columns(detail: &Detail<'_>) -> BTreeMap<String, Value> {
    let changes = detail
        .changes
        .iter()
        .map(|change| json!({ "field": change.field, "old_value": change.old_value, "new_value": change.new_value }));
    let columns = [
        ("status", json!(detail.status.as_str())),
        ("verb", json!(detail.verb)),
        ("object_type", json!(detail.object_type)),
        ("object_name", json!(detail.object_name)),
        ("target_relation", json!(detail.target_relation)),
        ("target_name", json!(detail.target_name)),
        ("target_email", json!(detail.target_email)),
        ("changes", changes.collect()),
        ("phone_numbers", json!(detail.phone_numbers)),
        ("emails", json!(detail.emails)),
        ("extensions", json!(detail.extensions)),
    ];
    columns.map(|(column, value)| (column.to_owned(), value)).into()
}

fn count(scores: &mut BTreeMap<String, Score>, column: &str, read: &Value, label: &Value) {
    let (mut read, label) = (elements(read), elements(label));
    let name = |value: &Value| match (column, value) {
        ("status", Value::String(status)) => status.clone(),
        _ => column.to_owned(),
    };
    for value in &read {
        scores.entry(name(value)).or_default().read += 1;
    }
    for value in label {
        let score = scores.entry(name(value)).or_default();
        score.labelled += 1;
        if let Some(found) = read.iter().position(|other| *other == value) {
            read.swap_remove(found);
            score.right += 1;
        }
    }
}

/// A list's elements; any other value alone; of null, nothing.
fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        value => vec![value],
    }
}

fn share(part: usize, of: usize) -> String {
    match of {
        0 => "-".to_owned(),
        of => format!("{:.4}", part as f64 / of as f64),
    }
}
