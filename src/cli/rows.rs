//! Forms in which a query's rows are written.

use std::io::{self, Write};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::output::{print, write_out};

/// Form of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum RowFormat {
    /// For people.
    #[default]
    Table,
    /// A JSON list of objects, a row a line.
    Json,
    /// RFC 4180, with a header; lists and structs as JSON.
    Csv,
}

/// Writes rows to standard output.
pub(super) fn print_rows(format: RowFormat, columns: &[String], rows: &[Vec<Value>]) -> Result<(), Failure> {
    match format {
        RowFormat::Table => print(&table(columns, rows)),
        RowFormat::Json => write_out(|out| json(out, columns, rows)),
        RowFormat::Csv => write_out(|out| csv(out, columns, rows)),
    }
}

/// Rows as a table for people.
pub(super) fn table(columns: &[String], rows: &[Vec<Value>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns);
    for row in rows {
        table.add_row(row.iter().map(text));
    }
    let count = match rows.len() {
        1 => "1 row".to_owned(),
        count => format!("{count} rows"),
    };
    format!("{table}\n{count}\n")
}

fn json(out: &mut dyn Write, columns: &[String], rows: &[Vec<Value>]) -> io::Result<()> {
    for (index, row) in rows.iter().enumerate() {
        let object: Map<String, Value> = columns.iter().cloned().zip(row.iter().cloned()).collect();
        out.write_all(if index == 0 { b"[\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &object)?;
    }
    out.write_all(if rows.is_empty() { b"[]\n" } else { b"\n]\n" })
}

fn csv(out: &mut dyn Write, columns: &[String], rows: &[Vec<Value>]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns)?;
    for row in rows {
        writer.write_record(row.iter().map(text))?;
    }
    writer.flush()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows() -> (Vec<String>, Vec<Vec<Value>>) {
        let columns = vec!["name".to_owned(), "list".to_owned()];
        (columns, vec![vec![json!("a \"b\", c"), json!(["+1"])], vec![json!(null), json!([])]])
    }

    #[test]
    fn csv_quotes_what_needs_it_and_writes_lists_as_json() {
        let (columns, rows) = rows();
        let mut out = Vec::new();
        csv(&mut out, &columns, &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "name,list\n\"a \"\"b\"\", c\",\"[\"\"+1\"\"]\"\n,[]\n");
    }

    #[test]
    fn json_is_one_list_whatever_the_number_of_rows() {
        let (columns, rows) = rows();
        for count in 0..=2 {
            let mut out = Vec::new();
            super::json(&mut out, &columns, &rows[..count]).unwrap();
            let list: Vec<Map<String, Value>> = serde_json::from_slice(&out).unwrap();
            assert_eq!(list.len(), count);
        }
    }
}
