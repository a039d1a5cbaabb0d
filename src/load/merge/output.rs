//! The file that rows are merged into: written as they come, and read back.
//!
//! The rule: rows that come out of order are an error, since the file says that they are in it.

use ::parquet::arrow::arrow_reader::ArrowReaderOptions;
use ::parquet::arrow::async_writer::AsyncFileWriter;
use ::parquet::arrow::{AsyncArrowWriter, ParquetRecordBatchStreamBuilder, ProjectionMask};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use arrow::array::RecordBatch;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use object_store::buffered::BufWriter;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::order::{Key, key};
use crate::load::content::row_set;
use crate::load::layout::writer_options;
use crate::load::parquet::file_path;
use crate::load::ranged::RangedFile;
use crate::load::sorted::RECORD_ID;
use crate::load::table::FileStats;
use crate::load::{LoadError, Store, TABLE_DIRECTORY};
use crate::model::{Partition, RowSet, StagedFile, file_schema};

/// Parts of a large file that are under way to the store at once.
const PARALLEL_PARTS: usize = 2;

/// A file of one partition that is being written.
pub(super) struct Output {
    partition: Partition,
    path: String,
    writer: AsyncArrowWriter<Upload>,
    stats: FileStats,
    row_count: u64,
    last: Option<Key>,
}

impl Output {
    /// Opens a file that is to hold `row_count` rows.
    pub(super) fn create(store: &Store, partition: Partition, row_count: u64) -> Result<Self, LoadError> {
        let path = file_path(&partition);
        let location = store.staged_location(&format!("{TABLE_DIRECTORY}/{path}"));
        let writer = BufWriter::new(store.objects(), location).with_max_concurrency(PARALLEL_PARTS);
        let upload = Upload { writer, sha256: Sha256::new(), byte_count: 0 };
        let create = || AsyncArrowWriter::try_new_with_options(upload, file_schema(), writer_options(row_count)?);
        let writer = create().map_err(|source| failed("write", &path, source))?;
        Ok(Self { partition, path, writer, stats: FileStats::new()?, row_count: 0, last: None })
    }

    /// Writes rows that come after all before them.
    pub(super) async fn write(&mut self, rows: &RecordBatch) -> Result<(), LoadError> {
        let Some(last) = rows.num_rows().checked_sub(1) else { return Ok(()) };
        if self.last.replace(key(rows, last)) > Some(key(rows, 0)) {
            let error = ParquetError::General("rows are out of order".to_owned());
            return Err(failed("merge", &self.path, error));
        }
        self.row_count += rows.num_rows() as u64;
        self.stats.merge(rows)?;
        self.writer.write(rows).await.map_err(|source| failed("write", &self.path, source))
    }

    pub(super) async fn finish(mut self) -> Result<StagedFile, LoadError> {
        self.writer.finish().await.map_err(|source| failed("write", &self.path, source))?;
        let upload = self.writer.into_inner();
        Ok(StagedFile {
            partition: self.partition,
            path: self.path,
            row_count: self.row_count,
            byte_count: upload.byte_count,
            sha256: HEXLOWER.encode(&upload.sha256.finalize()),
            stats: self.stats.finish()?,
        })
    }
}

/// The rows of a staged file, read back.
pub(super) async fn written_rows(store: &Store, file: &StagedFile) -> Result<RowSet, LoadError> {
    let path = &file.path;
    let read = async {
        let reader = RangedFile::staged(store, file);
        let options = ArrowReaderOptions::default();
        let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options).await?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), [RECORD_ID]);
        builder.with_projection(mask).build()
    };
    let mut batches = read.await.map_err(|source| failed("read", path, source))?;
    let mut rows = RowSet::default();
    while let Some(batch) = batches.try_next().await.map_err(|source| failed("read", path, source))? {
        rows.unite(row_set(path, &batch)?);
    }
    Ok(rows)
}

/// Bytes on their way to the store, and their digest.
struct Upload {
    writer: BufWriter,
    sha256: Sha256,
    byte_count: u64,
}

impl AsyncFileWriter for Upload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, ParquetResult<()>> {
        self.sha256.update(&bytes);
        self.byte_count += bytes.len() as u64;
        async move { self.writer.put(bytes).await.map_err(|error| ParquetError::External(error.into())) }.boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, ParquetResult<()>> {
        async move { self.writer.shutdown().await.map_err(|error| ParquetError::External(error.into())) }.boxed()
    }
}

fn failed(action: &'static str, path: &str, source: ParquetError) -> LoadError {
    LoadError::Parquet { action, path: path.to_owned(), source }
}
