//! Files that no version of the table names, and when to look for them: that means to list the whole destination, so it is
//! done only where a run did not end well, left replaced files to their time of grace, or another writer has replaced some.
//!
//! The rule: what one run cannot remove stays marked for the next.

use chrono::{DateTime, Utc};

use crate::ledger::{self, Head, LedgerError};
use crate::load::{self, DEFAULT_GRACE, Grace, LoadError, RecentPacks, Replaced, RunMark, Store, Table};

/// What a run knows of files left behind, and its own mark once it writes.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    mark: Option<RunMark>,
    /// Whether something stays for a later run to remove, or to do.
    is_owed: bool,
    /// Whether earlier runs did not end well, or left something to be done.
    found_marks: bool,
    /// Commits by other writers, when the run began.
    foreign: u64,
    /// Files removed.
    removed: usize,
}

impl Leftovers {
    /// Removes what was left behind, if this run `is_alone`; replaced files stay for their `grace`.
    pub(super) async fn remove<E: From<LoadError> + From<LedgerError>>(
        store: &Store,
        table: Option<(&Table, &Head)>,
        is_alone: bool,
        grace: Grace,
    ) -> Result<Self, E> {
        let Some((table, head)) = table else { return Ok(Self::default()) };
        let is_replaced = head.version < table.version();
        let foreign = foreign(table, head);
        if !is_alone {
            return Ok(Self { is_owed: is_replaced, foreign, ..Self::default() });
        }
        let marks = RunMark::of_dead_runs(store).await?;
        let mut cleaned = Cleaned::default();
        if is_replaced || !marks.is_empty() {
            cleaned = clean_up::<E>(store, &marks, grace, &[]).await?;
        }
        let found_marks = !marks.is_empty();
        for (mark, set_at) in marks {
            // On object storage it may be that of a run which is alive, and what that leaves is younger than the mark.
            let is_over = store.directory().is_some() || Utc::now() - set_at > DEFAULT_GRACE * 2;
            if is_over && !cleaned.keeps_replaced {
                mark.clear(store).await?;
            }
        }
        Ok(Self { mark: None, is_owed: cleaned.keeps_replaced, found_marks, foreign, removed: cleaned.removed })
    }

    /// Whether earlier runs may have left something undone.
    pub(super) fn found_marks(&self) -> bool {
        self.found_marks
    }

    /// Files removed.
    pub(super) fn removed(&self) -> usize {
        self.removed
    }

    /// Marks the run as one that writes. Must come before its first file.
    pub(super) async fn mark(&mut self, store: &Store, run_id: &str) -> Result<(), LoadError> {
        if self.mark.is_none() {
            self.mark = Some(RunMark::set(store, run_id).await?);
        }
        Ok(())
    }

    /// Removes what the run itself replaced, and what else is there to be removed by now; only for who is known to outlive all
    /// others. Of the replaced files, those that are `unneeded` go at once.
    pub(super) async fn remove_own<E: From<LoadError> + From<LedgerError>>(
        &mut self,
        store: &Store,
        grace: Grace,
        unneeded: &[String],
    ) -> Result<(), E> {
        let marks = RunMark::of_dead_runs(store).await?;
        let cleaned = clean_up::<E>(store, &marks, grace, unneeded).await?;
        self.removed += cleaned.removed;
        self.is_owed |= cleaned.keeps_replaced;
        Ok(())
    }

    /// Leaves something to a later run.
    pub(super) fn owe(&mut self) {
        self.is_owed = true;
    }

    /// Ends a run that went well; `table` is what it leaves.
    pub(super) async fn end(&mut self, store: &Store, table: &Table, head: &Head) -> Result<(), LoadError> {
        let is_owed = self.is_owed || foreign(table, head) > self.foreign;
        match self.mark.take() {
            Some(mark) if !is_owed => mark.clear(store).await,
            _ => Ok(()),
        }
    }
}

/// Commits by other writers, of which the ledger has no entries.
fn foreign(table: &Table, head: &Head) -> u64 {
    table.version().saturating_sub(head.entry.sequence)
}

/// What came of cleaning up.
#[derive(Clone, Copy, Debug, Default)]
struct Cleaned {
    /// Files removed.
    removed: usize,
    /// Whether files that were replaced stay to the end of their grace.
    keeps_replaced: bool,
}

/// Removes what the runs with `marks` left behind, and replaced files whose `grace` is over; on local disk only for who knows
/// that no other run is alive. Of the replaced files, `unneeded` go whenever they were replaced.
async fn clean_up<E: From<LoadError> + From<LedgerError>>(
    store: &Store,
    marks: &[(RunMark, DateTime<Utc>)],
    grace: Grace,
    unneeded: &[String],
) -> Result<Cleaned, E> {
    // What is removed must not hang on a checkpoint.
    let Some(table) = Table::open_by_log(store).await? else { return Ok(Cleaned::default()) };
    let marked = marks.iter().map(|(_, set_at)| *set_at).min();
    // While files stay, so does the mark of the run that replaced them.
    let from = marked.map_or(grace.since(), |marked| marked.min(grace.since()));
    let first = table.first_version_since(from).await?;
    let recent = ledger::recent(&table, first).await?;
    let promised = |version| grace.of(recent.graces.get(&version).copied());
    let replaced = Replaced::read(store, &table, first, promised).await?.without(unneeded);
    // Without a dead run there is nobody who may have left a pack.
    let packs = RecentPacks { since: marked.unwrap_or(DateTime::<Utc>::MAX_UTC), named: recent.packs };
    let removed = load::remove_orphans(store, &table, &packs, &replaced).await?;
    Ok(Cleaned { removed, keeps_replaced: !replaced.is_empty() })
}
