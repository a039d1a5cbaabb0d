//! One version: files that become visible together, with the ledger entry that accounts for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field, Schema};
use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::HEXLOWER;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::expressions::Scalar;
use delta_kernel::schema::{DataType, SchemaRef, StructField, StructType};
use delta_kernel::transaction::{CommitResult, Transaction, UpdateTableOperation};
use delta_kernel::{EngineData, FileMeta, KernelError, KernelResult, SnapshotRef};
use delta_kernel_default_engine::build_add_file_metadata;
use delta_kernel_default_engine::parquet::DataFileMetadata;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::engine::TableEngine;
use super::{ENGINE_INFO, LoadError, TABLE_DIRECTORY, Table, blocking};
use crate::failpoint::FailPoint;
use crate::load::store::Listed;
use crate::load::{DEFAULT_GRACE, ago};
use crate::model::{Partition, StagedFile};

/// The key of the ledger entry within a commit's `commitInfo`.
const ENTRY_KEY: &str = "phonetrail";

/// How long to wait before each further attempt at a commit that the store gave no clear answer to.
pub(super) const DELAYS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

/// What a commit says about itself.
#[derive(Clone, Debug)]
pub struct CommitInfo {
    /// The ledger entry, as JSON text. It is stored as a text within the commit's JSON, so that its bytes are exact.
    pub entry: String,
    /// The application id under which the log keeps `sequence`: one per account and report.
    pub application: String,
    /// The entry's sequence number.
    pub sequence: i64,
    /// Named figures for the table's history.
    pub metrics: Vec<(&'static str, u64)>,
    /// When the first of its files was begun, or earlier. On object storage a commit that takes longer than half of
    /// [`DEFAULT_GRACE`] from then on is not made: other runs may soon take its files for a dead run's.
    pub begun: DateTime<Utc>,
}

/// What became of a commit.
#[derive(Debug)]
pub enum CommitOutcome {
    /// It is this version.
    Committed(u64),
    /// Another writer took the version; nothing was written. [`Table::refresh`], compute again.
    Conflict,
    /// The store gave no clear answer: the commit may or may not be there. [`Table::refresh`] and look.
    Unknown(LoadError),
}

/// A commit as it lies in the log.
#[derive(Clone, Debug)]
pub struct CommitFile {
    /// SHA-256 of the commit's bytes, hex.
    pub sha256: String,
    /// The ledger entry's JSON, where the commit is one of ours.
    pub entry: Option<String>,
}

impl CommitInfo {
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::new(StructType::new_unchecked([StructField::nullable(ENTRY_KEY, DataType::STRING)]))
    }

    pub(super) fn engine_data(&self) -> KernelResult<Box<dyn EngineData>> {
        let schema = Schema::new(vec![Field::new(ENTRY_KEY, ArrowType::Utf8, true)]);
        let entry = StringArray::from(vec![self.entry.as_str()]);
        Ok(Box::new(ArrowEngineData::new(RecordBatch::try_new(schema.into(), vec![Arc::new(entry)])?)))
    }
}

impl Table {
    /// Commits published files with `info` on exactly this version.
    pub async fn commit(&mut self, files: &[StagedFile], info: CommitInfo) -> Result<CommitOutcome, LoadError> {
        let files = files.to_vec();
        self.attempt(info.begun, move |engine, snapshot| commit(engine, snapshot, files.clone(), &info)).await
    }

    /// Makes a commit, and again while the store gives no clear answer and the log does not have it. The version is written
    /// only where it is absent, so whichever attempt arrives first is the only one.
    pub(super) async fn attempt(
        &mut self,
        begun: DateTime<Utc>,
        commit: impl Fn(&TableEngine, SnapshotRef) -> KernelResult<Commit> + Send + Sync + 'static,
    ) -> Result<CommitOutcome, LoadError> {
        if self.store.directory().is_none() && Utc::now() - begun > DEFAULT_GRACE / 2 {
            return Err(LoadError::Overdue);
        }
        let (commit, base) = (Arc::new(commit), self.version());
        for delay in DELAYS {
            let outcome = self.attempt_once(Arc::clone(&commit)).await?;
            if !matches!(outcome, CommitOutcome::Unknown(_)) {
                return Ok(outcome);
            }
            tokio::time::sleep(delay).await;
            self.refresh().await?;
            if self.version() != base {
                return Ok(outcome);
            }
        }
        self.attempt_once(commit).await
    }

    /// Moves to the version that a commit made, if it made one.
    async fn attempt_once(
        &mut self,
        commit: Arc<impl Fn(&TableEngine, SnapshotRef) -> KernelResult<Commit> + Send + Sync + 'static>,
    ) -> Result<CommitOutcome, LoadError> {
        let snapshot = Arc::clone(&self.snapshot);
        let committed = blocking(&self.engine, move |engine| commit(engine, snapshot)).await?;
        match committed {
            Ok(Commit::Done(version, snapshot)) => {
                FailPoint::CommitMade.pass();
                match snapshot {
                    Some(snapshot) => self.snapshot = snapshot,
                    None => self.refresh().await?,
                }
                Ok(CommitOutcome::Committed(version))
            }
            Ok(Commit::Conflict) => Ok(CommitOutcome::Conflict),
            Ok(Commit::Retryable(error)) | Err(error) => {
                tracing::warn!(%error, "the store gave no clear answer to a commit");
                Ok(CommitOutcome::Unknown(LoadError::table("commit to", &self.root)(error)))
            }
        }
    }

    /// The first of the versions committed at `from` or later, or shortly before, in case that a clock was put right; where
    /// there is none, the one after the newest.
    pub async fn first_version_since(&self, from: DateTime<Utc>) -> Result<u64, LoadError> {
        let from = ago(from, TimeDelta::hours(1));
        let commits = self.commit_times().await?.into_iter();
        let first = commits.filter(|(_, at)| *at >= from).map(|(version, _)| version).min();
        Ok(first.unwrap_or(self.version() + 1))
    }

    /// Every version in the log, and when its commit was written.
    pub(in crate::load) async fn commit_times(&self) -> Result<Vec<(u64, DateTime<Utc>)>, LoadError> {
        let log = self.store.list(&format!("{TABLE_DIRECTORY}/_delta_log")).await?;
        let commit = |listed: &Listed| {
            let name = listed.path.rsplit('/').next()?.strip_suffix(".json")?;
            Some((name.parse().ok()?, listed.modified_at))
        };
        Ok(log.iter().filter_map(commit).collect())
    }

    /// The commit of `version` as it lies in the log.
    pub async fn commit_file(&self, version: u64) -> Result<CommitFile, LoadError> {
        #[derive(Deserialize)]
        struct Action {
            #[serde(rename = "commitInfo")]
            commit_info: Option<serde_json::Map<String, serde_json::Value>>,
        }

        let bytes = self.store.get(&commit_path(version)).await?;
        let mut entry = None;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"commitInfo\"")) {
            let action: Action =
                serde_json::from_slice(line).map_err(|source| LoadError::Commit { version, source })?;
            let value = action.commit_info.and_then(|mut info| info.remove(ENTRY_KEY));
            entry = entry.or(value.and_then(|value| value.as_str().map(str::to_owned)));
        }
        Ok(CommitFile { sha256: HEXLOWER.encode(&Sha256::digest(&bytes)), entry })
    }
}

/// Where the commit of `version` lies below the destination.
pub(in crate::load) fn commit_path(version: u64) -> String {
    format!("{TABLE_DIRECTORY}/_delta_log/{version:020}.json")
}

/// What the log's library made of a commit.
pub(super) enum Commit {
    Done(u64, Option<SnapshotRef>),
    Conflict,
    Retryable(KernelError),
}

fn commit(
    engine: &TableEngine,
    snapshot: SnapshotRef,
    files: Vec<StagedFile>,
    info: &CommitInfo,
) -> KernelResult<Commit> {
    let metrics: Vec<_> = info.metrics.iter().map(|(name, value)| (*name, Some(value.to_string()))).collect();
    let mut transaction = snapshot
        .update_table(UpdateTableOperation::Write, ENGINE_INFO, true)
        .with_transaction_id(info.application.as_str(), info.sequence)
        .with_operation_parameters([("mode", Some("Append"))])
        .with_operation_metrics(metrics)
        .with_commit_info(info.engine_data()?, info.schema())
        .build(engine, Box::new(FileSystemCommitter::new()))?;

    add(&mut transaction, files)?;
    FailPoint::CommitPut.pass();
    Ok(transaction.commit(engine)?.into())
}

impl From<CommitResult> for Commit {
    fn from(result: CommitResult) -> Self {
        match result {
            CommitResult::Committed(committed) => {
                Self::Done(committed.commit_version(), committed.post_commit_snapshot().cloned())
            }
            CommitResult::Conflicted(_) => Self::Conflict,
            CommitResult::Retryable(retryable) => Self::Retryable(retryable.error),
        }
    }
}

/// Adds published files to what `transaction` will commit.
pub(super) fn add(transaction: &mut Transaction, files: Vec<StagedFile>) -> KernelResult<()> {
    let write_state = transaction.write_state()?;
    for file in files {
        let context =
            write_state.write_context_builder().with_partition_values(partition_values(&file.partition)).build()?;
        let location = context.table_root_dir().join(&file.path)?;
        let size = file.byte_count;
        let meta = FileMeta::new(location, Utc::now().timestamp_millis(), size);
        transaction.add_files(build_add_file_metadata(DataFileMetadata::new(meta, file.stats), &context)?);
    }
    Ok(())
}

fn partition_values(partition: &Partition) -> HashMap<String, Scalar> {
    HashMap::from([
        ("year".to_owned(), Scalar::Integer(partition.year)),
        ("month".to_owned(), Scalar::Integer(partition.month)),
        ("category".to_owned(), Scalar::String(partition.category.to_string())),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use object_store::memory::InMemory;

    use super::*;
    use crate::load::{Destination, Store};

    fn info(begun: DateTime<Utc>) -> CommitInfo {
        CommitInfo { entry: "{}".to_owned(), application: "test".to_owned(), sequence: 1, metrics: vec![], begun }
    }

    /// Whether each kind of commit is made whose first file was begun at `begun`.
    async fn are_made(destination: &Destination, begun: DateTime<Utc>) -> Vec<bool> {
        let store = Store::open(destination).unwrap();
        let mut table = Table::create(&store, info(Utc::now())).await.unwrap();
        let outcomes = [
            table.commit(&[], info(begun)).await,
            table.rewrite(HashSet::new(), vec![], info(begun)).await,
            table.replace(HashSet::new(), vec![], info(begun)).await,
        ];
        let is_made = |outcome| match outcome {
            Ok(CommitOutcome::Committed(_)) => true,
            Err(LoadError::Overdue) => false,
            other => panic!("{other:?}"),
        };
        outcomes.into_iter().map(is_made).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_commit_of_any_kind_is_made_on_object_storage_whose_files_may_soon_be_taken_for_a_dead_runs() {
        let directory = tempfile::tempdir().unwrap();
        let local: Destination = directory.path().to_str().unwrap().parse().unwrap();
        let remote = Destination::on(Arc::new(InMemory::new()), "memory:///trail").unwrap();
        let lately = Utc::now() - DEFAULT_GRACE / 2 + TimeDelta::minutes(10);
        let long_ago = Utc::now() - DEFAULT_GRACE / 2;
        assert_eq!(are_made(&remote, lately).await, [true; 3]);
        assert_eq!(are_made(&remote, long_ago).await, [false; 3]);
        assert_eq!(are_made(&local, long_ago).await, [true; 3], "there a lock tells who is alive");
    }
}
