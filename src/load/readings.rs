//! How the details that the table holds were read.
//!
//! The rule: of a file, only the column that says so is read, and the details themselves only of rows without a reading.

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, RowFilter};
use ::parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use ::parquet::errors::ParquetError;
use arrow::array::{AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::error::ArrowError;
use futures::{StreamExt, TryStreamExt};

use super::ranged::RangedFile;
use super::{LiveFile, LoadError, Store};
use crate::model::{DetailCounts, DetailStatus, Readings};

/// How many files are read at once.
const PARALLEL_FILES: usize = 16;

const STATUS: &str = "detail_status";
const DETAIL: &str = "operation_detail";

/// Counts how the details in `files` were read; `shape` tells what one without a reading looks like.
pub async fn readings(
    store: &Store,
    files: &[LiveFile],
    shape: fn(Option<&str>) -> String,
) -> Result<Readings, LoadError> {
    let read = |file: LiveFile| async move { of_file(store, &file, shape).await };
    futures::stream::iter(files.to_vec())
        .map(read)
        .buffer_unordered(PARALLEL_FILES)
        .try_fold(Readings::default(), |mut all, of_file| async move {
            all.add(&of_file);
            Ok(all)
        })
        .await
}

async fn of_file(store: &Store, file: &LiveFile, shape: fn(Option<&str>) -> String) -> Result<Readings, LoadError> {
    let columns = Columns::open(store, file).await?;
    let mut readings = Readings::default();
    let mut counts = DetailCounts::default();
    for batch in columns.statuses().await? {
        for status in columns.text(&batch, STATUS)?.iter() {
            counts.count(status.and_then(DetailStatus::parse).ok_or_else(|| columns.foreign(STATUS))?, 1);
        }
    }
    readings.count(&file.partition.category, counts);
    if counts.unparsed > 0 {
        for batch in columns.unparsed_details().await? {
            for detail in columns.text(&batch, DETAIL)?.iter() {
                readings.unparsed_shapes.count(shape(detail), 1);
            }
        }
    }
    Ok(readings)
}

/// A file whose columns are read one by one.
struct Columns<'f> {
    path: &'f str,
    reader: RangedFile,
    metadata: ArrowReaderMetadata,
}

impl<'f> Columns<'f> {
    async fn open(store: &Store, file: &'f LiveFile) -> Result<Self, LoadError> {
        let mut reader = RangedFile::new(store, file);
        let metadata = ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::default()).await;
        Ok(Self { path: &file.path, metadata: metadata.map_err(failed(&file.path))?, reader })
    }

    async fn statuses(&self) -> Result<Vec<RecordBatch>, LoadError> {
        let mask = self.mask(STATUS);
        self.collect(self.builder().with_projection(mask)).await
    }

    async fn unparsed_details(&self) -> Result<Vec<RecordBatch>, LoadError> {
        let is_unparsed = ArrowPredicateFn::new(self.mask(STATUS), |batch| {
            let statuses = batch.column(0).as_string_opt::<i32>();
            let statuses = statuses.ok_or_else(|| ArrowError::SchemaError(STATUS.to_owned()))?;
            let unparsed = DetailStatus::Unparsed.as_str();
            Ok(statuses.iter().map(|status| Some(status == Some(unparsed))).collect::<BooleanArray>())
        });
        let filter = RowFilter::new(vec![Box::new(is_unparsed)]);
        self.collect(self.builder().with_projection(self.mask(DETAIL)).with_row_filter(filter)).await
    }

    fn builder(&self) -> ParquetRecordBatchStreamBuilder<RangedFile> {
        ParquetRecordBatchStreamBuilder::new_with_metadata(self.reader.clone(), self.metadata.clone())
    }

    fn mask(&self, column: &str) -> ProjectionMask {
        ProjectionMask::columns(self.metadata.parquet_schema(), [column])
    }

    async fn collect(
        &self,
        builder: ParquetRecordBatchStreamBuilder<RangedFile>,
    ) -> Result<Vec<RecordBatch>, LoadError> {
        builder.build().map_err(failed(self.path))?.try_collect().await.map_err(failed(self.path))
    }

    fn text<'b>(&self, batch: &'b RecordBatch, column: &'static str) -> Result<&'b StringArray, LoadError> {
        let text = batch.column_by_name(column).and_then(|column| column.as_string_opt::<i32>());
        text.ok_or_else(|| self.foreign(column))
    }

    fn foreign(&self, column: &'static str) -> LoadError {
        LoadError::ForeignFile { path: self.path.to_owned(), column }
    }
}

fn failed(path: &str) -> impl FnOnce(ParquetError) -> LoadError {
    let path = path.to_owned();
    move |source| LoadError::Parquet { action: "read", path, source }
}
