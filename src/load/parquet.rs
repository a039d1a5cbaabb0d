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

use super::LoadError;
use super::layout::writer_options;
use super::sorted::sorted;
use super::table::FileStats;
use crate::model::{Partition, StagedFile, file_schema};

/// A file of one partition, in memory, that takes rows as they come.
pub struct FileWriter {
    partition: Partition,
    path: String,
    writer: ArrowWriter<Vec<u8>>,
    stats: FileStats,
    row_count: u64,
}

impl FileWriter {
    /// Opens a file that is to hold `row_count` rows.
    pub fn new(partition: Partition, row_count: u64) -> Result<Self, LoadError> {
        let path = file_path(&partition);
        let create = || ArrowWriter::try_new_with_options(Vec::new(), file_schema(), writer_options(row_count)?);
        let writer = create().map_err(failed(&path))?;
        Ok(Self { partition, path, writer, stats: FileStats::new()?, row_count: 0 })
    }

    /// Writes rows that come after all before them, in the order of a file.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), LoadError> {
        self.row_count += rows.num_rows() as u64;
        self.stats.merge(rows)?;
        self.writer.write(rows).map_err(failed(&self.path))
    }

    /// The file and its bytes.
    pub fn finish(self) -> Result<(StagedFile, Bytes), LoadError> {
        let bytes: Bytes = self.writer.into_inner().map_err(failed(&self.path))?.into();
        let file = StagedFile {
            partition: self.partition,
            path: self.path,
            row_count: self.row_count,
            byte_count: bytes.len() as u64,
            sha256: HEXLOWER.encode(&Sha256::digest(&bytes)),
            stats: self.stats.finish()?,
        };
        Ok((file, bytes))
    }
}

/// Counts, never contents.
impl std::fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWriter")
            .field("path", &self.path)
            .field("row_count", &self.row_count)
            .finish_non_exhaustive()
    }
}

/// Writes the rows of a partition, batches in order each, as one file. Gives the file and its bytes.
pub fn stage(partition: Partition, batches: &[RecordBatch]) -> Result<(StagedFile, Bytes), LoadError> {
    let row_count = batches.iter().map(|rows| rows.num_rows() as u64).sum();
    let mut file = FileWriter::new(partition, row_count)?;
    let rows = sorted(batches).map_err(|error| failed(&file.path)(error.into()))?;
    file.write(&rows)?;
    file.finish()
}

/// The path of another file of the partition, relative to the table's root.
pub(super) fn file_path(partition: &Partition) -> String {
    format!("{}/part-{}.parquet", partition.directory(), Uuid::now_v7())
}

fn failed(path: &str) -> impl FnOnce(ParquetError) -> LoadError {
    let path = path.to_owned();
    move |source| LoadError::Parquet { action: "write", path, source }
}
