//! The columns of a batch while it is built.
//!
//! The rule: what [`Column::finish`] gives is of the type that the schema names.

use std::borrow::Cow;
use std::iter::repeat_n;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ListArray, ListBuilder, StringArray, StringBuilder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

use crate::model::{Operation, RecordId, change_fields};

/// Bytes that most texts do not exceed. More are made room for as they come.
const TEXT_BYTES: usize = 16;

type Text = for<'o> fn(&'o Operation<'_>) -> Option<&'o str>;
type TextList = for<'o> fn(&'o Operation<'_>) -> &'o [Cow<'o, str>];

/// A column, and where its values come from.
pub(super) enum Column {
    RecordId(Vec<u8>),
    EventTime(TimestampMicrosecondBuilder),
    Text(Text, StringBuilder),
    TextList(TextList, ListBuilder<StringBuilder>),
    Changes(Box<Changes>),
    /// The same for all rows.
    Same(ArrayRef),
}

/// The items of all rows, one after the other, and how many each row has.
#[derive(Default)]
pub(super) struct Changes {
    counts: Vec<usize>,
    fields: StringBuilder,
    old_values: StringBuilder,
    new_values: StringBuilder,
}

impl Column {
    pub(super) fn record_id(rows: usize) -> Self {
        Self::RecordId(Vec::with_capacity(rows * RecordId::HEX_DIGITS))
    }

    pub(super) fn event_time(rows: usize) -> Self {
        Self::EventTime(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"))
    }

    pub(super) fn text(rows: usize, of: Text) -> Self {
        Self::Text(of, StringBuilder::with_capacity(rows, rows * TEXT_BYTES))
    }

    pub(super) fn text_list(rows: usize, of: TextList) -> Self {
        let items = ListBuilder::with_capacity(StringBuilder::new(), rows);
        Self::TextList(of, items.with_field(Field::new("element", DataType::Utf8, true)))
    }

    pub(super) fn changes() -> Self {
        Self::Changes(Box::default())
    }

    pub(super) fn same_text(rows: usize, value: &str) -> Self {
        Self::Same(Arc::new(StringArray::from_iter_values(repeat_n(value, rows))))
    }

    pub(super) fn append(&mut self, operations: &[&Operation<'_>]) {
        match self {
            Self::RecordId(hex) => {
                let start = hex.len();
                hex.resize(start + operations.len() * RecordId::HEX_DIGITS, 0);
                for (digits, operation) in hex[start..].chunks_exact_mut(RecordId::HEX_DIGITS).zip(operations) {
                    operation.record_id.write_hex(digits);
                }
            }
            Self::EventTime(times) => times.extend(operations.iter().map(|operation| operation.event_time)),
            Self::Text(of, texts) => operations.iter().for_each(|operation| texts.append_option(of(operation))),
            Self::TextList(of, lists) => {
                for operation in operations {
                    of(operation).iter().for_each(|item| lists.values().append_value(item));
                    lists.append(true);
                }
            }
            Self::Changes(changes) => operations.iter().for_each(|operation| changes.append(operation)),
            Self::Same(_) => {}
        }
    }

    pub(super) fn finish(self) -> Result<ArrayRef, ArrowError> {
        let mut column: ArrayRef = match self {
            Self::RecordId(hex) => {
                let offsets =
                    OffsetBuffer::from_lengths(repeat_n(RecordId::HEX_DIGITS, hex.len() / RecordId::HEX_DIGITS));
                Arc::new(StringArray::try_new(offsets, hex.into(), None)?)
            }
            Self::EventTime(mut times) => Arc::new(times.finish()),
            Self::Text(_, mut texts) => Arc::new(texts.finish()),
            Self::TextList(_, mut lists) => Arc::new(lists.finish()),
            Self::Changes(changes) => changes.finish()?,
            Self::Same(column) => column,
        };
        // Most partitions get few rows at a time, and builders make room for a thousand.
        column.shrink_to_fit();
        Ok(column)
    }
}

impl Changes {
    fn append(&mut self, operation: &Operation<'_>) {
        for change in &operation.detail.changes {
            self.fields.append_value(&change.field);
            self.old_values.append_option(change.old_value.as_deref());
            self.new_values.append_option(change.new_value.as_deref());
        }
        self.counts.push(operation.detail.changes.len());
    }

    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let values = [&mut self.fields, &mut self.old_values, &mut self.new_values];
        let values = values.map(|values| Arc::new(values.finish()) as ArrayRef).to_vec();
        let items = StructArray::try_new(change_fields(), values, None)?;
        let element = Arc::new(Field::new("element", items.data_type().clone(), true));
        Ok(Arc::new(ListArray::try_new(element, OffsetBuffer::from_lengths(self.counts), Arc::new(items), None)?))
    }
}
