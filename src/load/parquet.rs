//! Batches -> Parquet, written for queries.
//!
//! The rule: a file holds one partition, sorted by time and identity, and says so in its metadata.

use ::parquet::arrow::ArrowWriter;
use ::parquet::errors::ParquetError;
use arrow::array::RecordBatch;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::layout::writer_options;
use super::sorted::sorted;
use super::{LoadError, table};
use crate::model::{Partition, StagedFile, file_schema};

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
    let options = writer_options(rows.num_rows() as u64)?;
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), file_schema(), options)?;
    writer.write(rows)?;
    Ok(writer.into_inner()?.into())
}
