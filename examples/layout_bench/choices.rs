//! What can be chosen, one thing at a time.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

type Builder = WriterPropertiesBuilder;

/// The layout with one thing changed.
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) change: Box<dyn Fn(Builder) -> Builder>,
    /// Whether the Arrow schema is written beside Parquet's own.
    pub(crate) arrow_schema: bool,
}

const TEXTS: [&str; 11] = [
    "operation_detail",
    "object_name",
    "operator",
    "operator_id",
    "target_name",
    "target_email",
    "changes.list.element.field",
    "changes.list.element.old_value",
    "phone_numbers.list.element",
    "emails.list.element",
    "extensions.list.element",
];

/// All of them; the first changes nothing.
pub(crate) fn choices() -> Vec<Choice> {
    let mut choices = vec![choice("as it is", |builder| builder)];
    choices.extend([choice("arrow schema", |builder| builder)].map(|c| Choice { arrow_schema: true, ..c }));
    choices
        .extend([1, 3, 6, 9].map(|level| choice(format!("zstd {level} throughout"), move |b| compress_all(b, level))));
    for (column, levels) in [("record_id", [1, 3, 9]), ("event_time", [1, 3, 6]), ("operation_detail", [3, 4, 5])] {
        choices.extend(
            levels.map(|level| choice(format!("zstd {level} of {column}"), move |b| compress(b, column, level))),
        );
    }
    choices.extend([16_384, 65_536, 262_144, 1_048_576].map(|rows| {
        choice(format!("row group of {rows} rows"), move |builder| builder.set_max_row_group_row_count(Some(rows)))
    }));
    choices.extend([1_024, 4_096, 20_000, 65_536].map(|rows| {
        choice(format!("page of {rows} rows"), move |builder| index_pages(builder.set_data_page_row_count_limit(rows)))
    }));
    choices.push(choice("page index always", index_pages));
    choices.push(choice("page index never", |builder| {
        builder.set_statistics_enabled(EnabledStatistics::Chunk).set_offset_index_disabled(true)
    }));
    choices.push(choice("no statistics", |builder| {
        builder.set_statistics_enabled(EnabledStatistics::None).set_offset_index_disabled(true)
    }));
    choices.extend([16, 32].map(|bytes| {
        choice(format!("statistics of {bytes} bytes"), move |b| {
            b.set_statistics_truncate_length(Some(bytes)).set_column_index_truncate_length(Some(bytes))
        })
    }));
    choices.push(choice("data pages of version 2", |b| b.set_writer_version(WriterVersion::PARQUET_2_0)));
    for (column, rate) in
        [("operator_id", 0.05), ("phone_numbers.list.element", 0.05), ("record_id", 0.05), ("record_id", 0.01)]
    {
        choices.push(choice(format!("bloom filter of {column}, {rate}"), move |builder| {
            builder.set_column_bloom_filter_enabled(path(column), true).set_column_bloom_filter_fpp(path(column), rate)
        }));
    }
    choices.push(choice("record_id plain", |b| encode(b, "record_id", Encoding::PLAIN)));
    choices.extend(
        [Encoding::PLAIN, Encoding::BYTE_STREAM_SPLIT]
            .map(|encoding| choice(format!("event_time {encoding}"), move |b| encode(b, "event_time", encoding))),
    );
    for column in TEXTS {
        for encoding in [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
            choices.push(choice(format!("{column} {encoding}"), move |b| encode(b, column, encoding)));
        }
    }
    choices
}

fn choice(name: impl Into<String>, change: impl Fn(Builder) -> Builder + 'static) -> Choice {
    Choice { name: name.into(), change: Box::new(change), arrow_schema: false }
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default())
}

fn compress(builder: Builder, column: &str, level: i32) -> Builder {
    builder.set_column_compression(path(column), zstd(level))
}

fn compress_all(builder: Builder, level: i32) -> Builder {
    let names = ["record_id", "event_time", "operation_detail"];
    names.iter().fold(builder.set_compression(zstd(level)), |builder, name| compress(builder, name, level))
}

fn index_pages(builder: Builder) -> Builder {
    builder.set_statistics_enabled(EnabledStatistics::Page).set_offset_index_disabled(false)
}

fn encode(builder: Builder, column: &str, encoding: Encoding) -> Builder {
    builder.set_column_dictionary_enabled(path(column), false).set_column_encoding(path(column), encoding)
}

fn path(column: &str) -> ColumnPath {
    ColumnPath::new(column.split('.').map(str::to_owned).collect())
}
