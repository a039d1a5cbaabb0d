//! Operations -> Arrow, one batch a partition; and rows back to the records they came from.
//!
//! The rule: [`record_json`] gives back what the upstream reported, for every row ever written.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int32Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;
use rayon::prelude::*;
use serde_json::json;

use super::column::Column;
use super::{detail, time};
use crate::model::{AccountId, Batch, Operation, Partition, REPORT, RecordId, file_schema};

/// Rows that are appended to one column after the other: few enough that their operations stay in the processor's cache
/// meanwhile.
const BLOCK_ROWS: usize = 512;

/// Rows grouped by partition, each group sorted by time (unreadable first), then identity. Partitions are built on all
/// cores.
pub fn batches(
    account: &AccountId,
    ingested_at: DateTime<Utc>,
    operations: Vec<Vec<Operation<'_>>>,
) -> Result<Vec<Batch>, ArrowError> {
    let mut partitions: Vec<_> = by_partition(&operations).into_iter().collect();
    partitions.sort_unstable_by_key(|(partition, _)| *partition);
    let batch = |(partition, keyed): (&Partition, Vec<Keyed<'_>>)| {
        Ok(Batch { partition: partition.clone(), rows: rows(account, ingested_at, &sorted(keyed))? })
    };
    let batches = partitions.into_par_iter().with_max_len(1).map(batch).collect();
    // An operation is many small pieces of memory: to give them back takes as long as some of the columns.
    operations.into_par_iter().for_each(drop);
    batches
}

/// An operation behind what rows are sorted by, so that comparing does not reach for whole operations.
type Keyed<'o> = (Option<i64>, RecordId, &'o Operation<'o>);
type Partitions<'o> = HashMap<&'o Partition, Vec<Keyed<'o>>, RandomState>;

fn by_partition<'o>(pages: &'o [Vec<Operation<'o>>]) -> Partitions<'o> {
    let add = |mut partitions: Partitions<'o>, page: &'o Vec<Operation<'o>>| {
        for operation in page {
            let keyed = (operation.event_time, operation.record_id, operation);
            partitions.entry(&operation.partition).or_default().push(keyed);
        }
        partitions
    };
    let unite = |mut one: Partitions<'o>, other: Partitions<'o>| {
        other.into_iter().for_each(|(partition, keyed)| one.entry(partition).or_default().extend(keyed));
        one
    };
    pages.par_iter().fold(Partitions::default, add).reduce(Partitions::default, unite)
}

fn sorted<'o>(mut keyed: Vec<Keyed<'o>>) -> Vec<&'o Operation<'o>> {
    keyed.sort_unstable_by_key(|(time, id, _)| (*time, *id));
    keyed.into_iter().map(|(_, _, operation)| operation).collect()
}

fn rows(
    account: &AccountId,
    ingested_at: DateTime<Utc>,
    operations: &[&Operation<'_>],
) -> Result<RecordBatch, ArrowError> {
    let count = operations.len();
    let ingested_at = TimestampMicrosecondArray::from_value(ingested_at.timestamp_micros(), count);
    let mut columns = [
        Column::record_id(count),
        Column::event_time(count),
        Column::same_text(count, account.as_str()),
        Column::same_text(count, REPORT),
        Column::text(count, |o| o.action.as_deref()),
        Column::text(count, |o| o.action_kind.as_deref()),
        Column::text(count, |o| o.channel.as_deref()),
        Column::text(count, |o| o.category_type.as_deref()),
        Column::text(count, |o| o.operator.verbatim.as_deref()),
        Column::text(count, |o| o.operator.id.as_deref()),
        Column::text(count, |o| Some(o.operator.kind.as_str())),
        Column::text(count, |o| o.operator.domain.as_deref()),
        Column::text(count, |o| o.operation_detail.as_deref()),
        Column::text(count, |o| Some(o.detail.status.as_str())),
        Column::text(count, |o| o.detail.verb.as_deref()),
        Column::text(count, |o| o.detail.object_type.as_deref()),
        Column::text(count, |o| o.detail.object_name.as_deref()),
        Column::text(count, |o| o.detail.target_relation),
        Column::text(count, |o| o.detail.target_name.as_deref()),
        Column::text(count, |o| o.detail.target_email.as_deref()),
        Column::changes(),
        Column::text_list(count, |o| &o.detail.phone_numbers),
        Column::text_list(count, |o| &o.detail.emails),
        Column::text_list(count, |o| &o.detail.extensions),
        Column::Same(Arc::new(Int32Array::from_value(detail::PARSER_VERSION, count))),
        Column::text(count, |o| o.source_json.as_deref()),
        Column::Same(Arc::new(ingested_at.with_timezone("UTC"))),
    ];
    for block in operations.chunks(BLOCK_ROWS) {
        columns.iter_mut().for_each(|column| column.append(block));
    }
    let columns = columns.into_iter().map(Column::finish).collect::<Result<_, _>>()?;
    RecordBatch::try_new(file_schema(), columns)
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
            let operations = super::super::operations(&account, &page).unwrap();
            let mut back: Vec<String> = Vec::new();
            for Batch { rows, .. } in batches(&account, DateTime::UNIX_EPOCH, operations).unwrap() {
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
