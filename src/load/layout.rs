//! How a data file is laid out: encodings, compression, statistics, indexes.
//!
//! The rule: a choice is made by `examples/layout_bench.rs`, which measures each one alone, and it stays readable by the
//! engines of `tests/interop`.
//!
//! What it told, for a generated million of records in 576 files, in bytes a record: 41.85 as it is. Left out or changed,
//! each alone:
//!
//! | instead | bytes | | instead | bytes |
//! |---|---|---|---|---|
//! | `record_id` plain | +1.06 | | the Arrow schema, too | +1.37 |
//! | `record_id` by zstd 3, 9 | +0.45, +1.02 | | a page index in files of one page | +0.66 |
//! | `event_time` plain, by byte stream split | +0.76, +0.65 | | no statistics | -0.28 |
//! | `operation_detail` by zstd 3, 4, 5 | +1.28, +1.09, +0.31 | | a bloom filter of `record_id`, 5 % | +1.29 |
//! | `operation_detail` plain | -0.09 | | pages of version 2 | +0.40 |
//! | `operator_id`, `object_name` plain | +1.17, +1.01 | | | |
//!
//! zstd 3, 6, 9 and 12 of `operation_detail` take 1.22, 1.54, 1.82 and 2.98 us a record, all columns included: 6 is where
//! the next byte becomes dear. Plain, it takes less in small files and more in large ones (+0.08 in files of 60,000 rows).
//! `record_id` takes 16.2 bytes of the 41.9 and cannot take less than 16; `operation_detail` 8.8, `event_time` 2.8, footers
//! 2.1, the other 24 columns 12.

use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;

use crate::model::file_schema;

/// Rows a row group holds at most: small enough to be skipped by time, large enough to compress.
const ROW_GROUP_ROWS: usize = 65_536;

/// Rows a page holds at most.
const PAGE_ROWS: usize = 20_000;

/// What the files say wrote them.
const CREATED_BY: &str = concat!("phonetrail ", env!("CARGO_PKG_VERSION"));

/// Columns that rows are looked up by, a value at a time, and that have few values in a file: a bloom filter takes less than
/// the column. One of `record_id` would take a byte and a half a row.
const LOOKED_UP: [&str; 2] = ["operator_id", "phone_numbers.list.element"];

/// How often a bloom filter may say of a value that it may be there when it is not.
const FALSE_POSITIVES: f64 = 0.02;

/// How many different values the rows of a small file have at most on average, as far as room is made for them: a detail
/// may list several numbers. Where there are more, the filter is wrong more often, never about a value that is there.
const VALUES_PER_ROW: u64 = 8;

/// Columns that hold one value in most files. Their pages are a few bytes, which a compressed frame would double.
const UNIFORM: [&str; 5] = ["account_id", "report", "category_type", "parser_version", "ingested_at"];

/// Columns of whose values a minimum and a maximum rule nothing out: they lie too far apart, or are the same in all files.
const UNBOUNDED: [&str; 6] = [
    "record_id",
    "report",
    "operation_detail",
    "changes.list.element.field",
    "changes.list.element.old_value",
    "changes.list.element.new_value",
];

/// Columns of whose values they do so only where there are few: the more there are, the further they lie apart.
const SCATTERED: [&str; 10] = [
    "action",
    "action_kind",
    "operator",
    "operator_domain",
    "verb",
    "object_name",
    "target_name",
    "target_email",
    "emails.list.element",
    "extensions.list.element",
];

/// Rows of a file at most whose scattered values are few: of so many, every hundredth other value lies out of their bounds.
const FEW_ROWS: u64 = 200;

/// How a file of so many rows is written.
pub(super) fn writer_options(row_count: u64) -> Result<ArrowWriterOptions, ParquetError> {
    // Parquet's own types say it all: the copy of the Arrow schema that is left out is a third of a small file's footer.
    Ok(ArrowWriterOptions::new().with_properties(writer_properties(row_count)?).with_skip_arrow_metadata(true))
}

/// The same without what is said of the Arrow schema.
pub fn writer_properties(row_count: u64) -> Result<WriterProperties, ParquetError> {
    let has_one_page = row_count <= PAGE_ROWS as u64;
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(zstd(3)?)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        // An index of one page would say what the row group's statistics say.
        .set_statistics_enabled(if has_one_page { EnabledStatistics::Chunk } else { EnabledStatistics::Page })
        .set_offset_index_disabled(has_one_page)
        .set_sorting_columns(Some(sorting_columns()?))
        // Every value is another one: a dictionary would only be filled and thrown away. Hex digits apart from their
        // lengths pack to half their size, and nothing finds more in them.
        .set_column_dictionary_enabled("record_id".into(), false)
        .set_column_encoding("record_id".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_compression("record_id".into(), zstd(1)?)
        .set_column_dictionary_enabled("event_time".into(), false)
        .set_column_encoding("event_time".into(), Encoding::DELTA_BINARY_PACKED)
        .set_column_compression("event_time".into(), zstd(4)?)
        // The longest texts, which repeat each other in parts.
        .set_column_compression("operation_detail".into(), zstd(6)?);
    // Filters are made for so many values, then folded to what there were. Without it, each is made for a whole row group.
    let most_values = row_count.saturating_mul(VALUES_PER_ROW).clamp(1, ROW_GROUP_ROWS as u64);
    for name in LOOKED_UP {
        properties = properties
            .set_column_bloom_filter_enabled(column_path(name), true)
            .set_column_bloom_filter_fpp(column_path(name), FALSE_POSITIVES)
            .set_column_bloom_filter_max_ndv(column_path(name), most_values);
    }
    for name in UNIFORM {
        properties = properties.set_column_compression(name.into(), Compression::UNCOMPRESSED);
    }
    let scattered = SCATTERED.iter().filter(|_| row_count > FEW_ROWS);
    for name in UNBOUNDED.iter().chain(scattered) {
        properties = properties.set_column_statistics_enabled(column_path(name), EnabledStatistics::None);
    }
    Ok(properties.build())
}

/// The order of a file's rows, as its metadata declares it.
pub(super) fn sorting_columns() -> Result<Vec<SortingColumn>, ParquetError> {
    let ascending = |name| -> Result<SortingColumn, ParquetError> {
        let index = file_schema().index_of(name)?;
        let column_idx =
            i32::try_from(index).map_err(|_| ParquetError::General(format!("column {name} is out of range")))?;
        Ok(SortingColumn { column_idx, descending: false, nulls_first: true })
    };
    Ok(vec![ascending("event_time")?, ascending("record_id")?])
}

fn zstd(level: i32) -> Result<Compression, ParquetError> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(level)?))
}

fn column_path(name: &str) -> ColumnPath {
    ColumnPath::new(name.split('.').map(str::to_owned).collect())
}
