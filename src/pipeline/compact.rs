//! Months of many small files -> months of few, for readers' sake.
//!
//! The rule: each month has a commit of its own, and what is wrong with one keeps none of the others.

use std::collections::BTreeSet;
use std::time::Instant;

use chrono::TimeDelta;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::compaction::{Compaction, crowded};
use super::leftovers::Leftovers;
use super::report::{Stop, StopReason};
use crate::ledger::{Head, LedgerError};
use crate::load::{Destination, Grace, LoadError, RunLock, Selection, Store, Table};
use crate::model::{Month, Partition, RowSet};

/// What to compact.
#[derive(Clone, Debug, Default)]
pub struct CompactRequest {
    /// The months; where empty, those whose days are all final.
    pub months: Vec<Month>,
    /// How long files stay that this run or an earlier one replaced, for who reads an earlier version. `None`: those of
    /// earlier runs as long as those promised, others for [`DEFAULT_GRACE`](crate::load::DEFAULT_GRACE).
    pub grace: Option<TimeDelta>,
    /// Cancelled, it ends the run after the commit that it is at.
    pub stop: CancellationToken,
}

/// The summary of a `compact`, as `--output json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct CompactReport {
    /// Identifies the run in the ledger.
    pub run_id: String,
    /// What was compacted.
    pub compacted: Vec<CompactedMonth>,
    /// Files deleted: replaced before, or left behind by dead runs.
    pub files_deleted: u64,
    /// The table's version.
    pub version: u64,
    /// Wall time of the run.
    pub wall_seconds: f64,
    /// Why it stopped early, if it did.
    pub stopped: Option<Stop>,
}

/// A month that was compacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompactedMonth {
    /// The month, `yyyy-mm`.
    pub month: String,
    /// Files replaced.
    pub files_removed: u64,
    /// Files in their stead: one for each partition that had several.
    pub files_added: u64,
    /// Rows in them.
    pub rows: u64,
    /// The version of the table that this made.
    pub version: u64,
}

/// Why a compaction could not do its work. Months committed before stay compacted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// The destination holds no table.
    #[error("there is no table in {destination}")]
    NoTable {
        /// The destination.
        destination: String,
    },
    /// The destination.
    #[error("the destination failed")]
    Load(#[from] LoadError),
    /// The ledger.
    #[error("the ledger cannot be continued")]
    Ledger(#[from] LedgerError),
    /// The ledger entry of a commit cannot be written as JSON.
    #[error("a ledger entry cannot be written")]
    Entry(#[source] serde_json::Error),
    /// The merged file does not hold the rows that were read.
    #[error(
        "the rows of {partition} changed while they were merged: {} read, {} written, not all the same",
        read.count(), written.count()
    )]
    RowsDiffer {
        /// Whose files.
        partition: Partition,
        /// The rows read.
        read: RowSet,
        /// The rows read back.
        written: RowSet,
    },
    /// Other writers were faster every time.
    #[error("other writers were faster in each of {attempts} attempts to commit")]
    Contended {
        /// Attempts.
        attempts: u32,
    },
}

/// Merges the files of months of the table at `destination`, so that no partition has more than one, and deletes replaced
/// files whose time of grace is over.
pub async fn compact(destination: &Destination, request: &CompactRequest) -> Result<CompactReport, CompactError> {
    let started = Instant::now();
    let run_id = Uuid::now_v7().to_string();
    let store = Store::open(destination)?;
    let no_table = || CompactError::NoTable { destination: destination.to_string() };
    let mut lock = RunLock::acquire(&store).await?;
    let mut table = Table::open(&store).await?.ok_or_else(no_table)?;
    let head = Head::read(&table).await?;
    let (is_alone, grace) = (lock.may_clean_up(), request.grace.map_or(Grace::Promised(None), Grace::Decided));
    let mut leftovers = Leftovers::remove::<CompactError>(&store, Some((&table, &head)), is_alone, grace).await?;
    lock.share().await?;

    let wanted = match request.months.as_slice() {
        [] => head.coverage().closed_months(),
        named => named.iter().copied().collect(),
    };
    let months = crowded_months(&table, &wanted).await?;
    let compaction = Compaction { store: &store, run_id: &run_id, grace: request.grace, stop: &request.stop };
    let mut compacted = Compacted::default();
    if !months.is_empty() {
        leftovers.mark(&store, &run_id).await?;
        let outcome = compacted.compact(&compaction, &mut table, months).await;
        if compacted.months.is_empty() || !lock.outlives_others()? {
            leftovers.owe();
        } else {
            leftovers.remove_own::<CompactError>(&store, grace, &compacted.own).await?;
        }
        outcome?;
        table.refresh().await?;
    }
    let head = Head::read(&table).await?;
    leftovers.end(&store, &table, &head).await?;
    Ok(CompactReport {
        run_id,
        compacted: compacted.months,
        files_deleted: leftovers.removed() as u64,
        version: table.version(),
        wall_seconds: started.elapsed().as_secs_f64(),
        stopped: request.stop.is_cancelled().then(|| Stop::now(StopReason::Interrupted)),
    })
}

/// Those of the `wanted` months that have several files in some partition.
pub(super) async fn crowded_months(table: &Table, wanted: &BTreeSet<Month>) -> Result<BTreeSet<Month>, LoadError> {
    let files = crowded(table.files(&Selection::All).await?);
    let months = files.iter().filter_map(|files| files.first()).map(|file| Month::from(&file.partition));
    Ok(months.filter(|month| wanted.contains(month)).collect())
}

/// What a run has compacted so far.
#[derive(Default)]
pub(super) struct Compacted {
    pub(super) months: Vec<CompactedMonth>,
    /// Files replaced that the run itself had added.
    pub(super) own: Vec<String>,
}

impl Compacted {
    /// Compacts `months`, one after the other, until it is told to stop. Gives the first failure, at the end.
    pub(super) async fn compact(
        &mut self,
        compaction: &Compaction<'_>,
        table: &mut Table,
        months: BTreeSet<Month>,
    ) -> Result<(), CompactError> {
        let mut outcome = Ok(());
        for month in months {
            if compaction.stop.is_cancelled() {
                break;
            }
            match compaction.month(table, month).await {
                Ok(None) => {}
                Ok(Some(done)) => {
                    self.months.push(done.month);
                    self.own.extend(done.own);
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }
}
