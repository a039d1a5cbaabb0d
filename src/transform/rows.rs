//! Records -> Arrow, by partition; and rows back to the records they came from.
//!
//! The rule: [`record_json`] gives back what the upstream reported, for every row ever written.

use std::hint::black_box;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use rayon::prelude::*;
use serde_json::json;

use super::columns::Columns;
use super::detail::shape;
use super::memo::Memo;
use super::{operation, time};
use crate::model::{Batch, DetailCounts, DetailStatus, KeyedRecord, Shapes, by_partition};

/// Rows a batch holds at most: enough of them that a partition of any size is built on all cores.
const BATCH_ROWS: usize = 8192;

/// Rows whose records are fetched at once.
const AHEAD_ROWS: usize = 32;

/// Bytes that memory gives at once.
const CACHE_LINE: usize = 64;

/// Rows in batches of one partition each, each batch sorted by time (unreadable first), then identity. They are built on
/// all cores.
pub fn batches<'p>(
    ingested_at: DateTime<Utc>,
    records: impl IntoIterator<Item = KeyedRecord<'p>>,
) -> Result<Vec<Batch>, ArrowError> {
    let mut partitions = by_partition(records);
    partitions.par_iter_mut().for_each(|(_, rows)| rows.sort_unstable_by_key(KeyedRecord::order));
    let parts: Vec<&[KeyedRecord<'p>]> = partitions.iter().flat_map(|(_, rows)| rows.chunks(BATCH_ROWS)).collect();
    let build = |memo: &mut Memo<'p>, rows: &&[KeyedRecord<'p>]| {
        let Batch { partition, rows, detail, unparsed_shapes } = remembering(memo, ingested_at, rows)?;
        Ok(Batch { partition, rows: shrunk(rows)?, detail, unparsed_shapes })
    };
    parts.par_iter().with_max_len(1).map_init(Memo::default, build).collect()
}

/// The rows of `blocks`, each of records of one partition in the order of rows, one after the other.
pub fn batches_of<'p>(
    ingested_at: DateTime<Utc>,
    blocks: impl Iterator<Item = Vec<KeyedRecord<'p>>>,
) -> impl Iterator<Item = Result<Batch, ArrowError>> {
    let mut memo = Memo::default();
    blocks.map(move |records| remembering(&mut memo, ingested_at, &records))
}

/// The same rows in no more room than they need: most partitions get few rows at a time, which wait for those of other
/// windows.
fn shrunk(rows: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let (schema, mut columns, _) = rows.into_parts();
    columns.iter_mut().for_each(Array::shrink_to_fit);
    RecordBatch::try_new(schema, columns)
}

fn remembering<'p>(
    memo: &mut Memo<'p>,
    ingested_at: DateTime<Utc>,
    records: &[KeyedRecord<'p>],
) -> Result<Batch, ArrowError> {
    let mut columns = Columns::for_records(records);
    memo.expect(records.len());
    let (mut detail, mut unparsed_shapes) = (DetailCounts::default(), Shapes::default());
    for records in records.chunks(AHEAD_ROWS) {
        fetch(records);
        for record in records {
            let operation = operation(record, memo);
            columns.append(&operation);
            detail.count(operation.detail.status, 1);
            if operation.detail.status == DetailStatus::Unparsed {
                unparsed_shapes.count(shape(operation.operation_detail.as_deref()), 1);
            }
        }
    }
    let partition = records.first().map(|record| record.partition.clone()).unwrap_or_default();
    Ok(Batch { partition, rows: columns.finish(ingested_at)?, detail, unparsed_shapes })
}

/// Touches each cache line of the records, which lie scattered over the window's pages: all at once they arrive sooner than
/// one by one as they are read.
fn fetch(records: &[KeyedRecord<'_>]) {
    let lines = records.iter().flat_map(|record| record.source.text.as_bytes().iter().step_by(CACHE_LINE));
    black_box(lines.fold(0, |seen, byte| seen ^ byte));
}

/// The JSON of the record that became row `row` of `rows` (columns by name, as in the table); `None` where the row is not
/// one of ours.
pub fn record_json(rows: &RecordBatch, row: usize) -> Option<String> {
    let text = |name: &str| -> Option<Option<&str>> {
        let column = rows.column_by_name(name)?.as_string_opt::<i32>()?;
        Some((!column.is_null(row)).then(|| column.value(row)))
    };
    if let Some(source) = text("source_json")? {
        return Some(source.to_owned());
    }
    let times = rows.column_by_name("event_time")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let record = json!({
        "action": text("action")?,
        "category_type": text("category_type")?,
        "operation_detail": text("operation_detail")?,
        "operator": text("operator")?,
        "time": time::format_canonical(times.value(row)),
    });
    Some(record.to_string())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn text() -> impl Strategy<Value = Value> {
        prop_oneof![
            "\\PC{0,40}".prop_map(Value::from),
            Just(Value::from("")),
            Just(Value::from("Assign Phone Number +12000 to A(a@b.example)")),
            Just(Value::from("2022-02-01T02:36:14Z")),
            Just(Value::from("2022-02-01T02:36:14.5Z")),
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            Just(json!({"b": [1, {"a": null}]})),
        ]
    }

    fn record() -> impl Strategy<Value = Value> {
        let key = prop_oneof![
            4 => prop::sample::select(vec!["action", "category_type", "operation_detail", "operator", "time"]),
            1 => Just("extra"),
        ];
        let members = prop::collection::btree_map(key, text(), 0..7);
        prop_oneof![
            9 => members.prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
            }),
            1 => text(),
        ]
    }

    proptest! {
        #[test]
        fn rows_give_back_every_record_that_was_reported(records in prop::collection::vec(record(), 0..12)) {
            let page = [Cow::Owned(json!({ "operation_logs": records }).to_string())];
            let account = crate::model::AccountId::new("a");
            let keyed = super::super::keyed(&account, &page).unwrap();
            let mut back: Vec<String> = Vec::new();
            for Batch { rows, .. } in batches(DateTime::UNIX_EPOCH, keyed.into_iter().flatten()).unwrap() {
                for row in 0..rows.num_rows() {
                    let json = record_json(&rows, row).unwrap();
                    back.push(serde_json::from_str::<Value>(&json).unwrap().to_string());
                }
            }
            let mut expected: Vec<String> = records.iter().map(Value::to_string).collect();
            back.sort();
            expected.sort();
            prop_assert_eq!(back, expected);
        }
    }
}
