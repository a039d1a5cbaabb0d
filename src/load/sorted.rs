//! Batches of one partition -> one batch in the order of a file.
//!
//! The rule: rows are ordered by time, unreadable first, then by identity, and none is lost or made.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::error::ArrowError;

use crate::model::file_schema;

/// The column that rows are ordered by first.
pub(super) const EVENT_TIME: &str = "event_time";
/// The column that rows of one time are ordered by.
pub(super) const RECORD_ID: &str = "record_id";

/// All rows of `batches`, each of which is in order.
pub(super) fn sorted(batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    if let [batch] = batches { Ok(batch.clone()) } else { reordered(batches) }
}

/// All rows of `batches`, in whatever order they are.
pub(super) fn reordered(batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    in_order(&concat_batches(&file_schema(), batches)?)
}

fn in_order(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = Some(SortOptions { descending: false, nulls_first: true });
    let column = |name| -> Result<SortColumn, ArrowError> {
        let index = rows.schema_ref().index_of(name)?;
        Ok(SortColumn { values: Arc::clone(rows.column(index)), options })
    };
    let order = [EVENT_TIME, RECORD_ID].map(column).into_iter().collect::<Result<Vec<_>, _>>()?;
    take_record_batch(rows, &lexsort_to_indices(&order, None)?)
}

#[cfg(test)]
pub(super) mod tests {
    use arrow::array::{ArrayRef, AsArray, StringArray, TimestampMicrosecondArray, new_null_array};
    use arrow::datatypes::TimestampMicrosecondType;
    use proptest::prelude::*;

    use super::*;

    pub(in crate::load) type Key = (Option<i64>, String);

    pub(in crate::load) fn batch(keys: &[Key]) -> RecordBatch {
        let schema = file_schema();
        let column = |field: &Arc<arrow::datatypes::Field>| -> ArrayRef {
            match field.name().as_str() {
                "record_id" => Arc::new(StringArray::from_iter_values(keys.iter().map(|key| &key.1))),
                "event_time" => {
                    let times: TimestampMicrosecondArray = keys.iter().map(|key| key.0).collect();
                    Arc::new(times.with_timezone("UTC"))
                }
                _ => new_null_array(field.data_type(), keys.len()),
            }
        };
        let columns = schema.fields().iter().map(column).collect();
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    }

    pub(in crate::load) fn keys(batch: &RecordBatch) -> Vec<Key> {
        let times = batch.column_by_name("event_time").unwrap().as_primitive::<TimestampMicrosecondType>();
        let ids = batch.column_by_name("record_id").unwrap().as_string::<i32>();
        times.iter().zip(ids).map(|(time, id)| (time, id.unwrap().to_owned())).collect()
    }

    proptest! {
        #[test]
        fn batches_come_together_in_the_order_of_time_and_identity(
            parts in prop::collection::vec(prop::collection::vec((prop::option::of(-3i64..3), "[ab]{0,2}"), 0..8), 1..5)
        ) {
            let mut expected: Vec<Key> = parts.concat();
            expected.sort();
            let parts: Vec<RecordBatch> = parts.into_iter().map(|mut part| { part.sort(); batch(&part) }).collect();
            prop_assert_eq!(keys(&sorted(&parts).unwrap()), expected);
        }
    }
}
