//! One version in which files give way to others: with the same rows, or with all rows made anew.
//!
//! The rule: only files that are live in the version it is made upon are replaced. The log's library does not look, and a
//! file replaced twice would double its rows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::AsArray;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::engine_data::FilteredEngineData;
use delta_kernel::transaction::{Transaction, UpdateTableOperation};
use delta_kernel::{Engine, KernelError, KernelResult, SnapshotRef};

use super::commit::{self, Commit};
use super::engine::TableEngine;
use super::{CommitInfo, CommitOutcome, ENGINE_INFO, LoadError, Table};
use crate::failpoint::FailPoint;
use crate::model::StagedFile;

impl Table {
    /// Replaces the files `removed` by published ones with the same rows, on exactly this version.
    pub async fn rewrite(
        &mut self,
        removed: HashSet<String>,
        added: Vec<StagedFile>,
        info: CommitInfo,
    ) -> Result<CommitOutcome, LoadError> {
        self.exchange(UpdateTableOperation::Optimize, false, removed, added, info).await
    }

    /// Replaces the files `removed` by published ones with other rows, on exactly this version.
    pub async fn replace(
        &mut self,
        removed: HashSet<String>,
        added: Vec<StagedFile>,
        info: CommitInfo,
    ) -> Result<CommitOutcome, LoadError> {
        self.exchange(UpdateTableOperation::Write, true, removed, added, info).await
    }

    async fn exchange(
        &mut self,
        operation: UpdateTableOperation,
        changes_data: bool,
        removed: HashSet<String>,
        added: Vec<StagedFile>,
        info: CommitInfo,
    ) -> Result<CommitOutcome, LoadError> {
        self.attempt(info.begun, move |engine, snapshot| {
            exchange(engine, snapshot, operation.clone(), changes_data, &removed, added.clone(), &info)
        })
        .await
    }
}

fn exchange(
    engine: &TableEngine,
    snapshot: SnapshotRef,
    operation: UpdateTableOperation,
    changes_data: bool,
    removed: &HashSet<String>,
    added: Vec<StagedFile>,
    info: &CommitInfo,
) -> KernelResult<Commit> {
    let metrics: Vec<_> = info.metrics.iter().map(|(name, value)| (*name, Some(value.to_string()))).collect();
    let mut transaction = Arc::clone(&snapshot)
        .update_table(operation, ENGINE_INFO, changes_data)
        .with_transaction_id(info.application.as_str(), info.sequence)
        .with_operation_metrics(metrics)
        .with_commit_info(info.engine_data()?, info.schema())
        .build(engine, Box::new(FileSystemCommitter::new()))?;
    commit::add(&mut transaction, added)?;
    remove(&mut transaction, engine, &snapshot, removed)?;
    FailPoint::CommitPut.pass();
    Ok(transaction.commit(engine)?.into())
}

/// Adds the removal of live files to what `transaction` will commit.
fn remove(
    transaction: &mut Transaction,
    engine: &dyn Engine,
    snapshot: &SnapshotRef,
    removed: &HashSet<String>,
) -> KernelResult<()> {
    let mut found = 0;
    for metadata in Arc::clone(snapshot).scan_builder().build()?.scan_metadata(engine)? {
        let (data, mut selected) = metadata?.scan_files.into_parts();
        selected.resize(data.len(), true);
        let data = ArrowEngineData::try_from_engine_data(data)?;
        let paths = data.record_batch().column_by_name("path").and_then(|paths| paths.as_string_opt::<i32>());
        let paths = paths.ok_or_else(|| KernelError::generic("a listing of files without their paths"))?;
        for (selected, path) in selected.iter_mut().zip(paths) {
            *selected = *selected && path.is_some_and(|path| removed.contains(path));
            found += usize::from(*selected);
        }
        if selected.contains(&true) {
            transaction.remove_files(FilteredEngineData::try_new(data, selected)?);
        }
    }
    if found == removed.len() { Ok(()) } else { Err(KernelError::generic("files to be replaced are not live")) }
}
