//! The table: a Delta Lake log over Parquet files.
//!
//! The rule: `delta_kernel` is named in this folder and nowhere else. A commit is made on exactly the version it was
//! computed against; whoever meets a newer one computes again.

mod checkpoint;
mod commit;
mod engine;
mod overlay;
mod rewrite;
mod selection;

use std::collections::HashMap;
use std::sync::Arc;

use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_conversion::TryFromArrow;
use delta_kernel::scan::state::ScanFile;
use delta_kernel::schema::StructType;
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::transaction::data_layout::DataLayout;
use delta_kernel::{KernelError, KernelResult, Snapshot, SnapshotRef};
use url::Url;

use self::checkpoint::Checkpoint;
pub(super) use self::commit::commit_path;
pub use self::commit::{CommitFile, CommitInfo, CommitOutcome};
pub(super) use self::engine::FileStats;
use self::engine::TableEngine;
pub use self::selection::{MonthRange, Selection};
use super::{LoadError, Store};
use crate::failpoint::FailPoint;
use crate::model::{PARTITION_COLUMNS, Partition, table_schema};

/// The table's directory below the destination.
pub const TABLE_DIRECTORY: &str = "operation_logs";

/// What the log says wrote it.
const ENGINE_INFO: &str = concat!("phonetrail/", env!("CARGO_PKG_VERSION"));

/// The table's properties. The log is the ledger, so its files are never cleaned away. Statistics are kept for the
/// columns by which files can be told apart.
const PROPERTIES: [(&str, &str); 3] = [
    ("delta.logRetentionDuration", "interval 36500 days"),
    ("delta.enableExpiredLogCleanup", "false"),
    ("delta.dataSkippingStatsColumns", engine::STATS_COLUMNS),
];

/// The table at one version.
#[derive(Clone)]
pub struct Table {
    store: Store,
    engine: Arc<TableEngine>,
    root: Url,
    snapshot: SnapshotRef,
    /// The version of the checkpoint that was found or written.
    checkpointed: Option<u64>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("root", &self.root.as_str())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

/// A data file of the table's current version.
#[derive(Clone, Debug)]
pub struct LiveFile {
    /// Path relative to the table's root.
    pub path: String,
    /// Its size.
    pub byte_count: u64,
    /// Rows in it, where the log says so.
    pub row_count: Option<u64>,
    /// Whose rows it holds.
    pub partition: Partition,
}

impl Table {
    /// Opens the newest version of the table in `store`, or `None` where there is none.
    pub async fn open(store: &Store) -> Result<Option<Self>, LoadError> {
        if let Some(checkpoint) = Checkpoint::load(store).await {
            match Self::open_from(store, Some(checkpoint)).await {
                Ok(table) => return Ok(Some(table)),
                Err(error) => tracing::warn!(%error, "the checkpoint is of no use; reading the whole log"),
            }
        }
        Self::open_by_log(store).await
    }

    /// The same by the log alone, whatever a checkpoint says: for who removes what the table does not name.
    pub async fn open_by_log(store: &Store) -> Result<Option<Self>, LoadError> {
        if let Ok(table) = Self::open_from(store, None).await {
            return Ok(Some(table));
        }
        // Another run may have made it meanwhile.
        if has_log(store).await? { Self::open_from(store, None).await.map(Some) } else { Ok(None) }
    }

    async fn open_from(store: &Store, checkpoint: Option<Checkpoint>) -> Result<Self, LoadError> {
        let checkpointed = checkpoint.as_ref().map(|checkpoint| checkpoint.version);
        let objects = match checkpoint {
            Some(checkpoint) => checkpoint.lay_over(store).await?,
            None => store.objects(),
        };
        let (engine, root) = (Arc::new(engine::build(objects)), root_url(store)?);
        let snapshot = blocking(&engine, {
            let root = root.clone();
            move |engine| Snapshot::builder_for(root.as_str()).build(engine)
        });
        let snapshot = snapshot.await?.map_err(LoadError::table("open", &root))?;
        Ok(Self { store: store.clone(), engine, root, snapshot, checkpointed })
    }

    /// Makes an empty table whose first version carries `info`, or opens the one that somebody else made meanwhile.
    pub async fn create(store: &Store, info: CommitInfo) -> Result<Self, LoadError> {
        let (engine, root) = (Arc::new(engine::build(store.objects())), root_url(store)?);
        engine::make_directory(store)?;
        FailPoint::TableCreate.pass();
        let mut delays = commit::DELAYS.iter();
        loop {
            let (path, info) = (root.clone(), info.clone());
            let created = blocking(&engine, move |engine| first_version(engine, &path, &info)).await?;
            FailPoint::TableCreated.pass();
            match (Self::open(store).await?, created) {
                (Some(table), _) => return Ok(table),
                (None, Ok(())) => {
                    return Err(LoadError::table("create", &root)(KernelError::generic("no version was written")));
                }
                (None, Err(error)) => match delays.next() {
                    Some(delay) => tokio::time::sleep(*delay).await,
                    None => return Err(LoadError::table("create", &root)(error)),
                },
            }
        }
    }

    /// The version this is.
    pub fn version(&self) -> u64 {
        self.snapshot.version()
    }

    /// The table's root, with a slash at its end.
    pub fn root(&self) -> &Url {
        &self.root
    }

    /// Moves to the newest version.
    pub async fn refresh(&mut self) -> Result<(), LoadError> {
        let snapshot = Arc::clone(&self.snapshot);
        let newer = blocking(&self.engine, move |engine| Snapshot::builder_from(snapshot).build(engine)).await?;
        self.snapshot = newer.map_err(LoadError::table("refresh", &self.root))?;
        Ok(())
    }

    /// The live files that can hold rows of `selection`.
    pub async fn files(&self, selection: &Selection) -> Result<Vec<LiveFile>, LoadError> {
        let (snapshot, predicate) = (Arc::clone(&self.snapshot), selection.predicate());
        let found = blocking(&self.engine, move |engine| -> Result<Vec<ScanFile>, KernelError> {
            let mut builder = snapshot.scan_builder();
            if let Some(predicate) = predicate {
                builder = builder.with_predicate(Arc::new(predicate));
            }
            let mut files = Vec::new();
            for metadata in builder.build()?.scan_metadata(engine)? {
                files = metadata?.visit_scan_files(files, |files: &mut Vec<ScanFile>, file| files.push(file))?;
            }
            Ok(files)
        });
        let files = found.await?.map_err(LoadError::table("list the files of", &self.root))?;
        Ok(files.into_iter().map(live_file).collect())
    }
}

async fn has_log(store: &Store) -> Result<bool, LoadError> {
    let log = store.list(&format!("{TABLE_DIRECTORY}/_delta_log")).await?;
    Ok(log.iter().any(|listed| listed.path.ends_with(".json")))
}

fn root_url(store: &Store) -> Result<Url, LoadError> {
    store
        .url()
        .join(&format!("{TABLE_DIRECTORY}/"))
        .map_err(|error| LoadError::table("find", store.url())(KernelError::generic(error.to_string())))
}

fn live_file(file: ScanFile) -> LiveFile {
    let ScanFile { path, size, stats, partition_values, .. } = file;
    LiveFile {
        // Our own names hold nothing that the log would encode.
        path,
        byte_count: size.unsigned_abs(),
        row_count: stats.map(|stats| stats.num_records),
        partition: partition(&partition_values),
    }
}

fn partition(values: &HashMap<String, String>) -> Partition {
    let number = |name| values.get(name).and_then(|value| value.parse().ok()).unwrap_or_default();
    Partition {
        year: number("year"),
        month: number("month"),
        category: values.get("category").cloned().unwrap_or_default().into(),
    }
}

/// Writes the first version; where another writer was faster, nothing.
fn first_version(engine: &TableEngine, root: &Url, info: &CommitInfo) -> KernelResult<()> {
    let schema = Arc::new(StructType::try_from_arrow(table_schema().as_ref())?);
    create_table(root.as_str(), schema, ENGINE_INFO, false)
        .with_table_properties(PROPERTIES)
        .with_data_layout(DataLayout::partitioned(PARTITION_COLUMNS))
        .with_commit_info(info.engine_data()?, info.schema())
        .build(engine, Box::new(FileSystemCommitter::new()))?
        .commit(engine)
        .map(|_| ())
}

/// Runs a call of the log's library, which blocks, where it may.
async fn blocking<T: Send + 'static>(
    engine: &Arc<TableEngine>,
    call: impl FnOnce(&TableEngine) -> T + Send + 'static,
) -> Result<T, LoadError> {
    let engine = Arc::clone(engine);
    Ok(tokio::task::spawn_blocking(move || call(&engine)).await?)
}
