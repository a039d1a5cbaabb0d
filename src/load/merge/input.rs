//! A file that is merged: its digest, and its rows in order.
//!
//! The rule: every column of every row comes out, in the table's own types; a file that has others is refused.

use std::io::Cursor;

use ::parquet::arrow::ParquetRecordBatchStreamBuilder;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use ::parquet::arrow::async_reader::AsyncFileReader;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::statistics::Statistics;
use arrow::array::RecordBatch;
use data_encoding::HEXLOWER;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};

use super::ReadFile;
use crate::load::content;
use crate::load::layout::sorting_columns;
use crate::load::ranged::RangedFile;
use crate::load::sorted::{EVENT_TIME, reordered};
use crate::load::store::object;
use crate::load::{LiveFile, LoadError, Store, TABLE_DIRECTORY};
use crate::model::file_schema;

/// Rows decoded at a time; in tests, so few that small files have many batches.
const BATCH_ROWS: usize = if cfg!(test) { 3 } else { 2_048 };

/// Rows in order, a batch at a time.
pub(super) type Batches = BoxStream<'static, Result<RecordBatch, LoadError>>;

/// A file whose footer is read.
pub(super) struct Input {
    pub(super) file: ReadFile,
    /// No row is earlier.
    pub(super) first: Option<i64>,
    is_sorted: bool,
    reader: Box<dyn AsyncFileReader>,
    metadata: ArrowReaderMetadata,
}

impl Input {
    /// Opens a file, which must have the digest `stated` where there is one. Up to `held_bytes` it is fetched once and
    /// held; a larger one is read piece by piece, once for the digest and once for the rows.
    pub(super) async fn open(
        store: &Store,
        file: &LiveFile,
        stated: Option<&str>,
        held_bytes: u64,
    ) -> Result<Self, LoadError> {
        let path = format!("{TABLE_DIRECTORY}/{}", file.path);
        let (mut reader, sha256): (Box<dyn AsyncFileReader>, String) = if file.byte_count <= held_bytes {
            let bytes = store.get(&path).await?;
            let sha256 = HEXLOWER.encode(&Sha256::digest(&bytes));
            (Box::new(Cursor::new(bytes)), sha256)
        } else {
            (Box::new(RangedFile::new(store, file)), digest(store, &path).await?)
        };
        if stated.is_some_and(|stated| stated != sha256) {
            return Err(LoadError::Altered { path: file.path.clone() });
        }
        // The types that the columns have in Parquet, whatever their writer called them in Arrow.
        let options = ArrowReaderOptions::default().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load_async(&mut reader, options).await.map_err(failed(&file.path))?;

        let is_sorted = is_sorted(metadata.metadata()).map_err(failed(&file.path))?;
        let first = if is_sorted { first_time(metadata.metadata()) } else { None };
        let file = ReadFile { path: file.path.clone(), sha256, byte_count: file.byte_count, row_count: 0 };
        Ok(Self { file, first, is_sorted, reader, metadata })
    }

    pub(super) fn row_count(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().unsigned_abs()
    }

    /// How many of its rows must be sorted.
    pub(super) fn unsorted_rows(&self) -> u64 {
        if self.is_sorted { 0 } else { self.row_count() }
    }

    /// Its rows, and what they are counted in.
    pub(super) async fn start(self) -> Result<(Batches, ReadFile), LoadError> {
        let path = self.file.path.clone();
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(self.reader, self.metadata);
        let stream = builder.with_batch_size(BATCH_ROWS).build().map_err(failed(&path))?;
        let batches = stream.map(move |batch| conform(&path, &batch.map_err(failed(&path))?));
        if self.is_sorted {
            return Ok((batches.boxed(), self.file));
        }
        let batches: Vec<RecordBatch> = batches.try_collect().await?;
        let rows = reordered(&batches).map_err(|error| failed(&self.file.path)(error.into()))?;
        Ok((futures::stream::once(async { Ok(rows) }).boxed(), self.file))
    }
}

/// SHA-256 of an object that is too large to be held.
async fn digest(store: &Store, path: &str) -> Result<String, LoadError> {
    let read = async {
        let mut sha256 = Sha256::new();
        let mut bytes = store.objects().get(&store.location(path)).await?.into_stream();
        while let Some(bytes) = bytes.try_next().await? {
            sha256.update(&bytes);
        }
        Ok(HEXLOWER.encode(&sha256.finalize()))
    };
    read.await.map_err(object("read", path))
}

/// Whether the file says that it is in our order.
fn is_sorted(metadata: &ParquetMetaData) -> Result<bool, ParquetError> {
    let order = sorting_columns()?;
    Ok(metadata.row_groups().iter().all(|group| group.sorting_columns() == Some(&order)))
}

fn first_time(metadata: &ParquetMetaData) -> Option<i64> {
    let group_first = |group: &::parquet::file::metadata::RowGroupMetaData| {
        let column = group.columns().iter().find(|column| column.column_path().string() == EVENT_TIME)?;
        match column.statistics()? {
            Statistics::Int64(statistics) if statistics.null_count_opt() == Some(0) => statistics.min_opt().copied(),
            _ => None,
        }
    };
    metadata.row_groups().iter().map(group_first).min().flatten()
}

/// The batch with the columns of [`file_schema`], in its order and types.
fn conform(path: &str, batch: &RecordBatch) -> Result<RecordBatch, LoadError> {
    let schema = file_schema();
    if let Some(field) = batch.schema_ref().fields().iter().find(|field| schema.index_of(field.name()).is_err()) {
        return Err(LoadError::UnknownColumn { path: path.to_owned(), column: field.name().clone() });
    }
    content::conform(path, batch, |column| !column.is_partition())
}

fn failed(path: &str) -> impl FnOnce(ParquetError) -> LoadError {
    let path = path.to_owned();
    move |source| LoadError::Parquet { action: "read", path, source }
}
