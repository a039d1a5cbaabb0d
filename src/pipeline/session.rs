//! What the accounts of one run share: the store, the mark on it, and the turn to commit.
//!
//! The rule: nobody stages a file before having entered. Who enters first, and may, removes what dead runs left.

use chrono::TimeDelta;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::compact::{CompactError, Compacted, CompactedMonth, crowded_months};
use super::compaction::Compaction;
use super::sync::SyncError;
use super::tidy;
use crate::load::{Destination, RunLock, Store, Table};

pub(super) struct Session {
    run_id: String,
    store: Store,
    /// How long replaced files stay.
    grace: TimeDelta,
    lock: Mutex<RunLock>,
    newest: Mutex<Option<u64>>,
}

/// The turn to commit. Accounts of one run take turns: by the optimistic way alone each would compute its commits again
/// and again, and the rows of several would be in memory at once.
pub(super) struct Turn<'s> {
    /// The newest version that this run has made.
    newest: MutexGuard<'s, Option<u64>>,
}

impl Session {
    pub(super) async fn begin(destination: &Destination, grace: TimeDelta) -> Result<Self, SyncError> {
        let store = Store::create(destination)?;
        let lock = Mutex::new(RunLock::acquire(&store).await?);
        Ok(Self { run_id: Uuid::now_v7().to_string(), store, grace, lock, newest: Mutex::default() })
    }

    /// Identifies the run in the ledger.
    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Opens the destination to this account, and to other runs: `table` is what it holds.
    pub(super) async fn enter(&self, table: Option<&Table>) -> Result<(), SyncError> {
        let mut lock = self.lock.lock().await;
        match table {
            Some(table) if lock.may_clean_up() => {
                tidy::clean_up::<SyncError>(&self.store, table, self.grace, &[]).await?;
            }
            None if self.store.directory().is_none() => self.store.probe().await?.require_put_if_absent(&self.store)?,
            _ => (),
        }
        Ok(lock.share().await?)
    }

    /// Waits until no other account of the run commits.
    pub(super) async fn turn(&self) -> Turn<'_> {
        Turn { newest: self.newest.lock().await }
    }

    /// Compacts the months whose days have all become final. Where that fails, the sync is none the worse for it.
    pub(super) async fn compact(&self, stop: &CancellationToken) -> Vec<CompactedMonth> {
        let mut compacted = Compacted::default();
        if let Err(error) = self.compact_into(&mut compacted, stop).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the table is whole, but not compacted; the next sync tries again");
        }
        compacted.months
    }

    async fn compact_into(&self, compacted: &mut Compacted, stop: &CancellationToken) -> Result<(), CompactError> {
        let Some(mut table) = Table::open(&self.store).await? else { return Ok(()) };
        let compaction = Compaction { store: &self.store, run_id: &self.run_id, stop };
        let months = crowded_months(&table, &[]).await?;
        let outcome = compacted.compact(&compaction, &mut table, months).await;
        if !compacted.months.is_empty() && self.lock.lock().await.outlives_others()? {
            table.refresh().await?;
            tidy::clean_up::<CompactError>(&self.store, &table, self.grace, &compacted.own).await?;
        }
        outcome
    }

    /// Ends a run that did nothing.
    pub(super) fn abandon(self) {
        self.lock.into_inner().abandon(&self.store);
    }
}

impl Turn<'_> {
    /// `table` with what other accounts have committed since it was read.
    pub(super) async fn catch_up<'t>(&self, table: &'t mut Table) -> Result<&'t mut Table, SyncError> {
        if self.newest.is_some_and(|newest| newest > table.version()) {
            table.refresh().await?;
        }
        Ok(table)
    }

    /// Notes what was committed.
    pub(super) fn note(&mut self, table: &Table) {
        *self.newest = Some(table.version());
    }
}
