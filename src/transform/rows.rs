//! Operations -> Arrow, one batch a partition; and rows back to the records they came from.
//!
//! The rule: [`record_json`] gives back what the upstream reported, for every row ever written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListBuilder, RecordBatch, StringArray, StringBuilder, StructBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{detail, time};
use crate::model::{AccountId, Batch, Operation, Partition, REPORT, change_fields, file_schema};

/// Rows grouped by partition, each group sorted by time (unreadable first), then identity.
pub fn batches(
    account: &AccountId,
    ingested_at: DateTime<Utc>,
    operations: Vec<Operation<'_>>,
) -> Result<Vec<Batch>, ArrowError> {
    let mut partitions: BTreeMap<Partition, Vec<Operation<'_>>> = BTreeMap::new();
    for mut operation in operations {
        let partition = std::mem::take(&mut operation.partition);
        partitions.entry(partition).or_default().push(operation);
    }
    let batch = |(partition, mut operations): (Partition, Vec<Operation<'_>>)| {
        operations.sort_unstable_by_key(|operation| (operation.event_time, operation.record_id));
        Ok(Batch { partition, rows: rows(account, ingested_at, &operations)? })
    };
    partitions.into_iter().map(batch).collect()
}

fn rows(
    account: &AccountId,
    ingested_at: DateTime<Utc>,
    operations: &[Operation<'_>],
) -> Result<RecordBatch, ArrowError> {
    let count = operations.len();
    let text = |of: &dyn for<'o> Fn(&'o Operation<'_>) -> Option<&'o str>| -> ArrayRef {
        Arc::new(operations.iter().map(of).collect::<StringArray>())
    };
    let same = |value: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, count))) };
    let list = |of: &dyn for<'o> Fn(&'o Operation<'_>) -> &'o [Cow<'o, str>]| -> ArrayRef {
        text_list(operations.iter().map(of))
    };
    let timestamps = |values: TimestampMicrosecondArray| -> ArrayRef { Arc::new(values.with_timezone("UTC")) };

    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(operations.iter().map(|o| o.record_id.to_string()))),
        timestamps(operations.iter().map(|o| o.event_time).collect()),
        same(account.as_str()),
        same(REPORT),
        text(&|o| o.action.as_deref()),
        text(&|o| o.action_kind.as_deref()),
        text(&|o| o.channel.as_deref()),
        text(&|o| o.category_type.as_deref()),
        text(&|o| o.operator.verbatim.as_deref()),
        text(&|o| o.operator.id.as_deref()),
        text(&|o| Some(o.operator.kind.as_str())),
        text(&|o| o.operator.domain.as_deref()),
        text(&|o| o.operation_detail.as_deref()),
        text(&|o| Some(o.detail.status.as_str())),
        text(&|o| o.detail.verb.as_deref()),
        text(&|o| o.detail.object_type.as_deref()),
        text(&|o| o.detail.object_name.as_deref()),
        text(&|o| o.detail.target_relation),
        text(&|o| o.detail.target_name.as_deref()),
        text(&|o| o.detail.target_email.as_deref()),
        change_list(operations),
        list(&|o| &o.detail.phone_numbers),
        list(&|o| &o.detail.emails),
        list(&|o| &o.detail.extensions),
        Arc::new(Int32Array::from_value(detail::PARSER_VERSION, count)),
        text(&|o| o.source_json.as_deref()),
        timestamps(TimestampMicrosecondArray::from_value(ingested_at.timestamp_micros(), count)),
    ];
    RecordBatch::try_new(file_schema(), columns)
}

fn text_list<'o>(lists: impl Iterator<Item = &'o [Cow<'o, str>]>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    for list in lists {
        builder.append_value(list.iter().map(Some));
    }
    Arc::new(builder.finish())
}

fn change_list(operations: &[Operation<'_>]) -> ArrayRef {
    let fields = change_fields();
    let element = Field::new("element", DataType::Struct(fields.clone()), true);
    let mut builder = ListBuilder::new(StructBuilder::from_fields(fields, 0)).with_field(element);
    for operation in operations {
        for change in &operation.detail.changes {
            let values = [Some(&*change.field), change.old_value.as_deref(), change.new_value.as_deref()];
            for (index, value) in values.into_iter().enumerate() {
                if let Some(column) = builder.values().field_builder::<StringBuilder>(index) {
                    column.append_option(value);
                }
            }
            builder.values().append(true);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
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
