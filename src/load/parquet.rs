//! Batches -> Parquet, written for queries.
//!
//! The rule: a file holds one partition, sorted by time and identity, and says so in its metadata.

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow::array::RecordBatch;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::sorted::sorted;
use super::{LoadError, table};
use crate::model::{Partition, StagedFile, file_schema};

/// Rows a row group holds at most: small enough to be skipped by time, large enough to compress.
const ROW_GROUP_ROWS: usize = 65_536;

/// What the files say wrote them.
const CREATED_BY: &str = concat!("phonetrail ", env!("CARGO_PKG_VERSION"));

/// Writes the rows of a partition, batches in order each, as one file. Gives the file and its bytes.
pub fn stage(partition: Partition, batches: &[RecordBatch]) -> Result<(StagedFile, Bytes), LoadError> {
    let path = file_path(&partition);
    let written = || -> Result<_, ParquetError> {
        let rows = sorted(batches)?;
        Ok((written(&rows)?, rows))
    };
    let failed = |source| LoadError::Parquet { action: "write", path: path.clone(), source };
    let (bytes, rows) = written().map_err(failed)?;
    let file = StagedFile {
        partition,
        path,
        row_count: rows.num_rows() as u64,
        byte_count: bytes.len() as u64,
        sha256: HEXLOWER.encode(&Sha256::digest(&bytes)),
        stats: table::file_stats(&rows)?,
    };
    Ok((file, bytes))
}

/// The path of another file of the partition, relative to the table's root.
pub(super) fn file_path(partition: &Partition) -> String {
    format!("{}/part-{}.parquet", partition.directory(), Uuid::now_v7())
}

fn written(rows: &RecordBatch) -> Result<Bytes, ParquetError> {
    let mut writer = ArrowWriter::try_new(Vec::new(), file_schema(), Some(properties()?))?;
    writer.write(rows)?;
    Ok(writer.into_inner()?.into())
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

/// How files are written.
pub(super) fn properties() -> Result<WriterProperties, ParquetError> {
    let record_id = ColumnPath::from("record_id");
    let event_time = ColumnPath::from("event_time");
    let properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting_columns()?))
        // Every value is another one: a dictionary would only be filled and thrown away.
        .set_column_dictionary_enabled(record_id, false)
        .set_column_dictionary_enabled(event_time.clone(), false)
        .set_column_encoding(event_time, Encoding::DELTA_BINARY_PACKED)
        .build();
    Ok(properties)
}
