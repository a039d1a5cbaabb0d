//! The columns of a batch while it is built, row by row.
//!
//! The rule: what [`Columns::finish`] gives is of the types, and in the order, that the schema names.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, ListArray, ListBuilder, RecordBatch, StringArray, StringBuilder, StructArray,
    TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};

use super::detail;
use crate::model::{Change, KeyedRecord, Operation, REPORT, RecordId, change_fields, file_schema};

/// Bytes that most texts do not exceed. More are made room for as they come.
const TEXT_BYTES: usize = 16;

/// The same for what is listed, of which most rows have none or one.
const ITEM_BYTES: usize = 8;

/// All columns but those that are the same for every row.
pub(super) struct Columns {
    record_id: Vec<u8>,
    event_time: TimestampMicrosecondBuilder,
    account_id: StringBuilder,
    action: StringBuilder,
    action_kind: StringBuilder,
    channel: StringBuilder,
    category_type: StringBuilder,
    operator: StringBuilder,
    operator_id: StringBuilder,
    operator_kind: StringBuilder,
    operator_domain: StringBuilder,
    operation_detail: StringBuilder,
    detail_status: StringBuilder,
    verb: StringBuilder,
    object_type: StringBuilder,
    object_name: StringBuilder,
    target_relation: StringBuilder,
    target_name: StringBuilder,
    target_email: StringBuilder,
    changes: Changes,
    phone_numbers: ListBuilder<StringBuilder>,
    emails: ListBuilder<StringBuilder>,
    extensions: ListBuilder<StringBuilder>,
    source_json: StringBuilder,
}

/// The items of all rows, one after the other, and how many each row has.
struct Changes {
    counts: Vec<usize>,
    fields: StringBuilder,
    old_values: StringBuilder,
    new_values: StringBuilder,
}

impl Columns {
    /// With room for the rows of `records`: all of it for what is taken over as it is, to be neither moved nor cut later.
    pub(super) fn for_records(records: &[KeyedRecord<'_>]) -> Self {
        let rows = records.len();
        let mut verbatim_bytes = [0; 5];
        for places in records.iter().filter_map(|record| record.source.places) {
            verbatim_bytes.iter_mut().zip(places).for_each(|(bytes, (start, end))| *bytes += usize::from(end - start));
        }
        let account_bytes = records.iter().map(|record| record.account.as_str().len()).sum();
        let [action, category_type, operation_detail, operator, _] =
            verbatim_bytes.map(|bytes| StringBuilder::with_capacity(rows, bytes));
        let text = || StringBuilder::with_capacity(rows, rows * TEXT_BYTES);
        let list = || {
            let items = ListBuilder::with_capacity(StringBuilder::with_capacity(rows, rows * ITEM_BYTES), rows);
            items.with_field(Field::new("element", DataType::Utf8, true))
        };
        Self {
            record_id: Vec::with_capacity(rows * RecordId::HEX_DIGITS),
            event_time: TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"),
            account_id: StringBuilder::with_capacity(rows, account_bytes),
            action,
            action_kind: text(),
            channel: text(),
            category_type,
            operator,
            operator_id: text(),
            operator_kind: text(),
            operator_domain: text(),
            operation_detail,
            detail_status: text(),
            verb: text(),
            object_type: text(),
            object_name: text(),
            target_relation: text(),
            target_name: text(),
            target_email: text(),
            changes: Changes {
                counts: Vec::with_capacity(rows),
                fields: text(),
                old_values: text(),
                new_values: text(),
            },
            phone_numbers: list(),
            emails: list(),
            extensions: list(),
            source_json: StringBuilder::with_capacity(rows, 0),
        }
    }

    pub(super) fn append(&mut self, operation: &Operation<'_>) {
        let Operation { operator, detail, .. } = operation;
        let start = self.record_id.len();
        self.record_id.resize(start + RecordId::HEX_DIGITS, 0);
        operation.record_id.write_hex(&mut self.record_id[start..]);
        self.event_time.append_option(operation.event_time);
        self.account_id.append_value(operation.account.as_str());
        self.action.append_option(operation.action.as_deref());
        self.action_kind.append_option(operation.action_kind.as_deref());
        self.channel.append_option(operation.channel.as_deref());
        self.category_type.append_option(operation.category_type.as_deref());
        self.operator.append_option(operator.verbatim.as_deref());
        self.operator_id.append_option(operator.id.as_deref());
        self.operator_kind.append_value(operator.kind.as_str());
        self.operator_domain.append_option(operator.domain.as_deref());
        self.operation_detail.append_option(operation.operation_detail.as_deref());
        self.detail_status.append_value(detail.status.as_str());
        self.verb.append_option(detail.verb.as_deref());
        self.object_type.append_option(detail.object_type.as_deref());
        self.object_name.append_option(detail.object_name.as_deref());
        self.target_relation.append_option(detail.target_relation);
        self.target_name.append_option(detail.target_name.as_deref());
        self.target_email.append_option(detail.target_email.as_deref());
        self.changes.append(&detail.changes);
        append_list(&mut self.phone_numbers, &detail.phone_numbers);
        append_list(&mut self.emails, &detail.emails);
        append_list(&mut self.extensions, &detail.extensions);
        self.source_json.append_option(operation.source_json.as_deref());
    }

    /// The rows, with what all of them share.
    pub(super) fn finish(mut self, ingested_at: DateTime<Utc>) -> Result<RecordBatch, ArrowError> {
        let rows = self.record_id.len() / RecordId::HEX_DIGITS;
        let ingested_at = TimestampMicrosecondArray::from_value(ingested_at.timestamp_micros(), rows);
        let columns: Vec<ArrayRef> = vec![
            fixed_width(RecordId::HEX_DIGITS, rows, self.record_id)?,
            Arc::new(self.event_time.finish()),
            Arc::new(self.account_id.finish()),
            fixed_width(REPORT.len(), rows, REPORT.repeat(rows).into_bytes())?,
            Arc::new(self.action.finish()),
            Arc::new(self.action_kind.finish()),
            Arc::new(self.channel.finish()),
            Arc::new(self.category_type.finish()),
            Arc::new(self.operator.finish()),
            Arc::new(self.operator_id.finish()),
            Arc::new(self.operator_kind.finish()),
            Arc::new(self.operator_domain.finish()),
            Arc::new(self.operation_detail.finish()),
            Arc::new(self.detail_status.finish()),
            Arc::new(self.verb.finish()),
            Arc::new(self.object_type.finish()),
            Arc::new(self.object_name.finish()),
            Arc::new(self.target_relation.finish()),
            Arc::new(self.target_name.finish()),
            Arc::new(self.target_email.finish()),
            self.changes.finish()?,
            Arc::new(self.phone_numbers.finish()),
            Arc::new(self.emails.finish()),
            Arc::new(self.extensions.finish()),
            Arc::new(Int32Array::from_value(detail::PARSER_VERSION, rows)),
            Arc::new(self.source_json.finish()),
            Arc::new(ingested_at.with_timezone("UTC")),
        ];
        RecordBatch::try_new(file_schema(), columns)
    }
}

impl Changes {
    fn append(&mut self, changes: &[Change<'_>]) {
        for change in changes {
            self.fields.append_value(&change.field);
            self.old_values.append_option(change.old_value.as_deref());
            self.new_values.append_option(change.new_value.as_deref());
        }
        self.counts.push(changes.len());
    }

    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let values = [&mut self.fields, &mut self.old_values, &mut self.new_values];
        let values = values.map(|values| Arc::new(values.finish()) as ArrayRef).to_vec();
        let items = StructArray::try_new(change_fields(), values, None)?;
        let element = Arc::new(Field::new("element", items.data_type().clone(), true));
        Ok(Arc::new(ListArray::try_new(element, OffsetBuffer::from_lengths(self.counts), Arc::new(items), None)?))
    }
}

fn append_list(lists: &mut ListBuilder<StringBuilder>, items: &[Cow<'_, str>]) {
    items.iter().for_each(|item| lists.values().append_value(item));
    lists.append(true);
}

/// Texts of `width` bytes each, one after the other.
fn fixed_width(width: usize, rows: usize, bytes: Vec<u8>) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(StringArray::try_new(OffsetBuffer::from_repeated_length(width, rows), bytes.into(), None)?))
}
