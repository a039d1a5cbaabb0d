//! The table's columns: their order, types and meaning, in one place.
//!
//! The rule: a column is named nowhere else as a schema; writers and schema exports derive theirs from [`COLUMNS`].

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// The partition columns, in the order of the directories.
pub const PARTITION_COLUMNS: [&str; 3] = ["year", "month", "category"];

/// A column of the table `operation_logs`.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnKind,
    /// Whether a row may lack it. Kept by our writer; the table's own schema calls every column nullable, since NOT NULL
    /// needs a writer feature that other engines lack.
    pub nullable: bool,
    /// What it holds.
    pub comment: &'static str,
}

/// The types a column can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// Microseconds, UTC.
    Timestamp,
    /// 32-bit integer.
    Int,
    /// List of text.
    TextList,
    /// List of `struct(field, old_value, new_value)`.
    ChangeList,
}

const fn required(name: &'static str, kind: ColumnKind, comment: &'static str) -> Column {
    Column { name, kind, nullable: false, comment }
}

const fn optional(name: &'static str, kind: ColumnKind, comment: &'static str) -> Column {
    Column { name, kind, nullable: true, comment }
}

/// Every column, in the table's order; the partition columns come last.
pub const COLUMNS: &[Column] = &[
    required(
        "record_id",
        ColumnKind::Text,
        "identity of the record: 32 hex digits over account, report, verbatim fields and ordinal",
    ),
    optional(
        "event_time",
        ColumnKind::Timestamp,
        "when it happened, UTC; null where the upstream's time cannot be read",
    ),
    required("account_id", ColumnKind::Text, "the upstream's account"),
    required("report", ColumnKind::Text, "the upstream's report: phone"),
    optional("action", ColumnKind::Text, "action, verbatim"),
    optional("action_kind", ColumnKind::Text, "action in lower case without its channel: add, update, delete, ..."),
    optional(
        "channel",
        ColumnKind::Text,
        "scim_api, rest_api or batch where the action names it; null for the console",
    ),
    optional("category_type", ColumnKind::Text, "category_type, verbatim"),
    optional("operator", ColumnKind::Text, "operator, verbatim"),
    optional("operator_id", ColumnKind::Text, "operator trimmed, in NFC, emails in lower case"),
    required("operator_kind", ColumnKind::Text, "user, system, app or unknown"),
    optional("operator_domain", ColumnKind::Text, "domain of the operator's email address"),
    optional("operation_detail", ColumnKind::Text, "operation_detail, verbatim"),
    required("detail_status", ColumnKind::Text, "parsed, ambiguous or unparsed"),
    optional("verb", ColumnKind::Text, "the detail's verb in lower case: assign, delete, ..."),
    optional("object_type", ColumnKind::Text, "what was acted on, a singular slug: phone_number, device, ..."),
    optional("object_name", ColumnKind::Text, "which one, verbatim; the whole head of an unparsed detail"),
    optional("target_relation", ColumnKind::Text, "to, from, for, ...: how the second party takes part"),
    optional("target_name", ColumnKind::Text, "the second party's name"),
    optional("target_email", ColumnKind::Text, "the second party's email address, lower case"),
    required("changes", ColumnKind::ChangeList, "settings changed: field, old value, new value"),
    required("phone_numbers", ColumnKind::TextList, "every number written with a +, as + and digits"),
    required("emails", ColumnKind::TextList, "every email address in the detail, lower case"),
    required("extensions", ColumnKind::TextList, "every extension number in the detail"),
    required("parser_version", ColumnKind::Int, "version of the detail parser that read the row"),
    optional("source_json", ColumnKind::Text, "the record's JSON where the columns cannot reproduce it"),
    required("ingested_at", ColumnKind::Timestamp, "when the run that stored the row started to read, UTC"),
    required("year", ColumnKind::Int, "UTC year of event_time; 0 where that is null"),
    required("month", ColumnKind::Int, "UTC month of event_time, 1 to 12; 0 where that is null"),
    required("category", ColumnKind::Text, "the category's code, or a slug of an unknown one"),
];

impl Column {
    /// Whether it is a partition column, whose value stands in the path and not in the file.
    pub fn is_partition(&self) -> bool {
        PARTITION_COLUMNS.contains(&self.name)
    }

    fn arrow(&self) -> Field {
        // Nullable throughout: see `Column::nullable`.
        Field::new(self.name, self.kind.arrow(), true)
            .with_metadata(HashMap::from([("comment".to_owned(), self.comment.to_owned())]))
    }
}

impl ColumnKind {
    /// The Arrow type. List items are named `element`, as Parquet and Delta name them.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Int => DataType::Int32,
            Self::TextList => DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
            Self::ChangeList => {
                DataType::List(Arc::new(Field::new("element", DataType::Struct(change_fields()), true)))
            }
        }
    }
}

/// The fields of one change.
pub fn change_fields() -> Fields {
    ["field", "old_value", "new_value"].map(|name| Field::new(name, DataType::Utf8, true)).to_vec().into()
}

/// The table's Arrow schema, partition columns included, with the comments as field metadata.
pub fn table_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> =
        LazyLock::new(|| Arc::new(Schema::new(COLUMNS.iter().map(Column::arrow).collect::<Vec<_>>())));
    Arc::clone(&SCHEMA)
}

/// The Arrow schema of the data files: the table's without the partition columns and without metadata.
pub fn file_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let columns = COLUMNS.iter().filter(|column| !column.is_partition());
        let fields: Vec<Field> = columns.map(|c| Field::new(c.name, c.kind.arrow(), true)).collect();
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_columns_come_last_and_stay_out_of_the_files() {
        let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names[names.len() - 3..], PARTITION_COLUMNS);
        assert_eq!(file_schema().fields().len() + 3, COLUMNS.len());
    }
}
