//! How the log's library reaches the store, and the statistics it wants of a file.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StructArray};
use delta_kernel::KernelError;
use delta_kernel::engine::arrow_conversion::TryFromArrow;
use delta_kernel::expressions::ColumnName;
use delta_kernel::schema::StructType;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use delta_kernel_default_engine::stats::FileStatsAccumulator;
use delta_kernel_default_engine::{DefaultEngine, DefaultEngineBuilder};
use object_store::ObjectStore;

use super::{LoadError, Store, TABLE_DIRECTORY};
use crate::model::file_schema;

pub(super) type TableEngine = DefaultEngine<TokioMultiThreadExecutor>;

/// The columns whose minimum and maximum the log keeps for every file, as the table's property lists them.
pub(super) const STATS_COLUMNS: &str =
    "event_time,account_id,action_kind,operator_id,object_type,object_name,ingested_at";

/// An engine on the current runtime, which must have several threads.
pub(super) fn build(objects: Arc<dyn ObjectStore>) -> TableEngine {
    let executor = TokioMultiThreadExecutor::new(tokio::runtime::Handle::current());
    DefaultEngineBuilder::new(objects).with_task_executor(executor.into()).build()
}

/// A table on local disk needs its directory before it can be made.
pub(super) fn make_directory(store: &Store) -> Result<(), LoadError> {
    let Some(directory) = store.directory() else { return Ok(()) };
    let path = directory.join(TABLE_DIRECTORY);
    std::fs::create_dir_all(&path).map_err(|source| LoadError::Destination { path, source })
}

/// The statistics of a file, taken batch by batch.
#[derive(Debug)]
pub(crate) struct FileStats(FileStatsAccumulator);

impl FileStats {
    pub(crate) fn new() -> Result<Self, LoadError> {
        let schema = StructType::try_from_arrow(file_schema().as_ref()).map_err(|error| failed(error.into()))?;
        let columns: Vec<ColumnName> = STATS_COLUMNS.split(',').map(|name| ColumnName::new([name])).collect();
        Ok(Self(FileStatsAccumulator::new(&columns, &schema)))
    }

    pub(crate) fn merge(&mut self, rows: &RecordBatch) -> Result<(), LoadError> {
        self.0.merge(rows).map_err(failed)
    }

    /// The statistics in the shape the log keeps.
    pub(crate) fn finish(self) -> Result<StructArray, LoadError> {
        let stats = self.0.finish().map_err(failed)?;
        let mut stats = stats.ok_or_else(|| failed(KernelError::generic("a file without statistics")))?;
        // They wait for the commit with those of all its files, and come with room for a thousand rows.
        stats.shrink_to_fit();
        Ok(stats)
    }
}

fn failed(source: KernelError) -> LoadError {
    LoadError::Table { action: "take statistics for", table: TABLE_DIRECTORY.to_owned(), source: Box::new(source) }
}
