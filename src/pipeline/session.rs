//! What the accounts of one run share: the store, the mark on it, and the turn to commit.
//!
//! The rule: nobody stages a file before having entered. Who enters first, and may, removes what dead runs left.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::compact::{CompactError, Compacted, CompactedMonth, crowded_months};
use super::compaction::Compaction;
use super::leftovers::Leftovers;
use super::sync::SyncError;
use crate::ledger::Head;
use crate::load::{Destination, Grace, RunLock, Store, Table};
use crate::model::Month;

pub(super) struct Session {
    run_id: String,
    store: Store,
    /// How long replaced files stay, where that was said.
    grace: Option<TimeDelta>,
    lock: Mutex<RunLock>,
    newest: Mutex<Option<Table>>,
    /// Since an account entered.
    known: Mutex<Option<Known>>,
}

/// What the destination was like when the run began.
struct Known {
    leftovers: Leftovers,
    /// Months whose days were all final.
    closed: BTreeSet<Month>,
}

/// The turn to commit. Accounts of one run take turns: by the optimistic way alone each would compute its commits again
/// and again, and the rows of several would be in memory at once.
pub(super) struct Turn<'s> {
    /// The newest version that this run has made.
    newest: MutexGuard<'s, Option<Table>>,
}

impl Session {
    /// `None` where the run was told to stop while another one kept the destination to itself.
    pub(super) async fn begin(
        destination: &Destination,
        grace: Option<TimeDelta>,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, SyncError> {
        let store = Store::create(destination)?;
        let lock = tokio::select! {
            biased;
            lock = RunLock::acquire(&store) => Mutex::new(lock?),
            () = stop.cancelled() => return Ok(None),
        };
        Ok(Some(Self {
            run_id: Uuid::now_v7().to_string(),
            store,
            grace,
            lock,
            newest: Mutex::default(),
            known: Mutex::default(),
        }))
    }

    /// Identifies the run in the ledger.
    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Opens the destination to this account, and to other runs: `table` is what it holds.
    pub(super) async fn enter(&self, table: Option<(&Table, &Head)>) -> Result<(), SyncError> {
        let mut lock = self.lock.lock().await;
        let mut known = self.known.lock().await;
        if known.is_none() {
            if table.is_none() && self.store.directory().is_none() {
                self.store.probe().await?.require_put_if_absent(&self.store)?;
            }
            let is_alone = lock.may_clean_up();
            let grace = Grace::Promised(self.grace);
            let leftovers = Leftovers::remove::<SyncError>(&self.store, table, is_alone, grace).await?;
            let closed = table.map(|(_, head)| head.coverage().closed_months()).unwrap_or_default();
            *known = Some(Known { leftovers, closed });
        }
        Ok(lock.share().await?)
    }

    /// What is promised of the files that this run replaces. Nobody has asked for it, so whoever reads all Parquet files must
    /// not find rows twice for it: unless it was told otherwise, they go with the first run that is known to be alone.
    fn promise(&self) -> Option<TimeDelta> {
        self.grace.or(self.store.directory().map(|_| TimeDelta::zero()))
    }

    /// Marks the run as one that writes. Must come before its first file.
    pub(super) async fn mark(&self) -> Result<(), SyncError> {
        if let Some(known) = self.known.lock().await.as_mut() {
            known.leftovers.mark(&self.store, &self.run_id).await?;
        }
        Ok(())
    }

    /// Waits until no other account of the run commits.
    pub(super) async fn turn(&self) -> Turn<'_> {
        Turn { newest: self.newest.lock().await }
    }

    /// Compacts the months whose days have all become final. Where that fails, the sync is none the worse for it.
    pub(super) async fn compact(&self, stop: &CancellationToken) -> Vec<CompactedMonth> {
        let mut compacted = Compacted::default();
        let outcome = match self.known.lock().await.as_mut() {
            Some(known) => self.compact_into(&mut compacted, known, stop).await,
            None => Ok(()),
        };
        if let Err(error) = outcome {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the table is whole, but not compacted; the next sync tries again");
        }
        compacted.months
    }

    async fn compact_into(
        &self,
        compacted: &mut Compacted,
        known: &mut Known,
        stop: &CancellationToken,
    ) -> Result<(), CompactError> {
        // Where nothing was committed, no day became final.
        let mut newest = self.newest.lock().await;
        if newest.is_none() && known.leftovers.found_marks() {
            *newest = Table::open(&self.store).await?;
        }
        let Some(table) = newest.as_mut() else { return Ok(()) };
        let mut months = Head::read(table).await?.coverage().closed_months();
        if !known.leftovers.found_marks() {
            months.retain(|month| !known.closed.contains(month));
        }
        if months.is_empty() {
            return Ok(());
        }
        let months = crowded_months(table, &months).await?;
        if months.is_empty() {
            return Ok(());
        }
        known.leftovers.mark(&self.store, &self.run_id).await?;
        let compaction = Compaction { store: &self.store, run_id: &self.run_id, grace: self.promise(), stop };
        let outcome = compacted.compact(&compaction, table, months).await;
        if compacted.months.is_empty() || !self.lock.lock().await.outlives_others()? {
            known.leftovers.owe();
            return outcome;
        }
        let grace = Grace::Promised(self.grace);
        known.leftovers.remove_own::<CompactError>(&self.store, grace, &compacted.own).await?;
        if outcome.is_err() || stop.is_cancelled() {
            known.leftovers.owe();
        }
        outcome
    }

    /// Ends a run that the destination did not fail.
    pub(super) async fn end(self) -> Result<(), SyncError> {
        let Self { store, lock, newest, known, .. } = self;
        let (Some(mut known), Some(table)) = (known.into_inner(), newest.into_inner()) else {
            lock.into_inner().abandon(&store);
            return Ok(());
        };
        let head = Head::read(&table).await?;
        Ok(known.leftovers.end(&store, &table, &head).await?)
    }

    /// Ends a run that did nothing.
    pub(super) fn abandon(self) {
        self.lock.into_inner().abandon(&self.store);
    }
}

impl Turn<'_> {
    /// `table` with what other accounts have committed since it was read.
    pub(super) fn catch_up<'t>(&self, table: &'t mut Table) -> &'t mut Table {
        if let Some(newest) = self.newest.as_ref().filter(|newest| newest.version() > table.version()) {
            table.clone_from(newest);
        }
        table
    }

    /// Notes what was committed.
    pub(super) fn note(&mut self, table: &Table) {
        *self.newest = Some(table.clone());
    }
}
