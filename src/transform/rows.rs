//! Records -> Arrow, by partition; and rows back to the records they came from.
//!
//! The rule: [`record_json`] gives back what the upstream reported, for every row ever written.

use std::collections::HashMap;
use std::hint::black_box;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;
use rayon::prelude::*;
use serde_json::json;

use super::columns::Columns;
use super::detail::shape;
use super::memo::Memo;
use super::{operation, time};
use crate::model::{AccountId, Batch, DetailCounts, DetailStatus, KeyedRecord, Partition, Shapes};

/// Rows a batch holds at most: enough of them that a partition of any size is built on all cores.
const BATCH_ROWS: usize = 8192;

/// Rows whose records are fetched at once.
const AHEAD_ROWS: usize = 32;

/// Bytes that memory gives at once.
const CACHE_LINE: usize = 64;

/// Rows in batches of one partition each, each batch sorted by time (unreadable first), then identity. They are built on
/// all cores.
pub fn batches<'p>(
    account: &AccountId,
    ingested_at: DateTime<Utc>,
    records: Vec<Vec<KeyedRecord<'p>>>,
) -> Result<Vec<Batch>, ArrowError> {
    let mut partitions = by_partition(records);
    partitions.par_iter_mut().for_each(|rows| rows.sort_unstable_by_key(|row| (row.event_time, row.record_id)));
    let parts: Vec<&[KeyedRecord<'p>]> = partitions.iter().flat_map(|rows| rows.chunks(BATCH_ROWS)).collect();
    let build = |memo: &mut Memo<'p>, rows: &&[KeyedRecord<'p>]| batch(account, ingested_at, rows, memo);
    parts.par_iter().with_max_len(1).map_init(Memo::default, build).collect()
}

fn by_partition(records: Vec<Vec<KeyedRecord<'_>>>) -> Vec<Vec<KeyedRecord<'_>>> {
    let mut partitions: HashMap<Partition, Vec<KeyedRecord<'_>>, RandomState> = HashMap::default();
    for record in records.into_iter().flatten() {
        match partitions.get_mut(&record.partition) {
            Some(rows) => rows.push(record),
            None => drop(partitions.insert(record.partition.clone(), vec![record])),
        }
    }
    let mut partitions: Vec<_> = partitions.into_iter().collect();
    partitions.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    partitions.into_iter().map(|(_, rows)| rows).collect()
}

fn batch<'p>(
    account: &AccountId,
    ingested_at: DateTime<Utc>,
    records: &[KeyedRecord<'p>],
    memo: &mut Memo<'p>,
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
    Ok(Batch { partition, rows: columns.finish(account, ingested_at)?, detail, unparsed_shapes })
}

/// Touches each cache line of the records, which lie scattered over the window's pages: all at once they arrive sooner than
/// one by one as they are read.
fn fetch(records: &[KeyedRecord<'_>]) {
    let lines = records.iter().flat_map(|record| record.source.json.as_bytes().iter().step_by(CACHE_LINE));
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
            let account = AccountId::new("a");
            let keyed = super::super::keyed(&account, &page).unwrap();
            let mut back: Vec<String> = Vec::new();
            for Batch { rows, .. } in batches(&account, DateTime::UNIX_EPOCH, keyed).unwrap() {
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
