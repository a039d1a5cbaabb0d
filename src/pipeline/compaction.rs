//! The files of one month -> at most one per partition, in one commit that changes no data.
//!
//! ```text
//! LiveFile --merge--> StagedFile --proof, publish--> version; again where another writer replaced what was merged
//! ```
//!
//! The rule: nothing is committed but with the proof that no row came, went or was altered on the way: every file read is
//! the one that the ledger names, and what is read back is what was read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::pin;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::commit::{self, ATTEMPTS};
use super::compact::{CompactError, CompactedMonth};
use crate::failpoint::FailPoint;
use crate::ledger::{self, EntryV1, FileV1, Head, NamedFile, RewrittenV1, WorkV1};
use crate::load::{self, LiveFile, LoadError, Merged, MonthRange, ReadFile, Selection, Store, Table};
use crate::model::{Month, Partition, RowSet, StagedFile};

/// How many partitions are merged at once.
const PARALLEL_PARTITIONS: usize = 2;

/// What compactions keep their sequence numbers under.
const APPLICATION: &str = "phonetrail/compact";

/// A run's compactions.
pub(super) struct Compaction<'r> {
    pub(super) store: &'r Store,
    pub(super) run_id: &'r str,
    /// How long replaced files stay, where that is promised.
    pub(super) grace: Option<TimeDelta>,
    /// Cancelled, it ends the work before the next commit, with nothing left behind.
    pub(super) stop: &'r CancellationToken,
}

/// A month that was compacted.
pub(super) struct Done {
    pub(super) month: CompactedMonth,
    /// Files replaced that the run itself had added.
    pub(super) own: Vec<String>,
}

/// A file with its SHA-256, where the ledger has it.
type StatedFile = (LiveFile, Option<String>);

/// Published files, and those that they are to replace.
struct Rewrite {
    added: Vec<StagedFile>,
    removed: Vec<ReadFile>,
    own: Vec<String>,
    before: RowSet,
    after: RowSet,
}

/// The partitions with more than one file, and their files.
pub(super) fn crowded(files: Vec<LiveFile>) -> Vec<Vec<LiveFile>> {
    let mut partitions: BTreeMap<Partition, Vec<LiveFile>> = BTreeMap::new();
    for file in files {
        partitions.entry(file.partition.clone()).or_default().push(file);
    }
    partitions.into_values().filter(|files| files.len() > 1).collect()
}

impl Compaction<'_> {
    /// Compacts `month`. Gives `None` where there is nothing to do, or where it was told to stop.
    pub(super) async fn month(&self, table: &mut Table, month: Month) -> Result<Option<Done>, CompactError> {
        let (begun, commit_id) = (Utc::now(), Uuid::now_v7().to_string());
        let range = MonthRange { year: month.year, month: month.month, times: None };
        let mut prepared: Option<Rewrite> = None;
        for attempt in 1..=ATTEMPTS {
            let live = table.files(&Selection::Months(vec![range])).await?;
            if let Some(outdated) = prepared.take_if(|rewrite| !rewrite.holds(&live)) {
                self.discard(&outdated.added).await?;
            }
            let rewrite = match prepared.take() {
                Some(rewrite) => rewrite,
                None => match self.prepare(table, crowded(live)).await? {
                    Some(rewrite) => rewrite,
                    None => return Ok(None),
                },
            };
            // An error here leaves the files where they are: the commit may have been made all the same.
            if let Some(version) = self.commit(table, &rewrite, &commit_id, begun).await? {
                let (files, into) = (rewrite.removed.len(), rewrite.added.len());
                tracing::info!(%month, version, files, into, "compacted");
                let month = rewrite.summary(month, version);
                return Ok(Some(Done { month, own: rewrite.own }));
            }
            tracing::info!(attempt, version = table.version(), "another writer was faster; looking again");
            prepared = Some(rewrite);
        }
        if let Some(rewrite) = prepared {
            self.discard(&rewrite.added).await?;
        }
        Err(CompactError::Contended { attempts: ATTEMPTS })
    }

    /// Merges, proves and publishes; leaves nothing behind where that fails.
    async fn prepare(&self, table: &Table, partitions: Vec<Vec<LiveFile>>) -> Result<Option<Rewrite>, CompactError> {
        if partitions.is_empty() {
            return Ok(None);
        }
        let paths: HashSet<String> = partitions.iter().flatten().map(|file| file.path.clone()).collect();
        let named = ledger::named_files(table, paths).await?;
        let stated = |file: LiveFile| {
            let sha256 = named.get(&file.path).map(|named| named.file.sha256.clone());
            (file, sha256)
        };
        let partitions = partitions.into_iter().map(|files| files.into_iter().map(stated).collect()).collect();

        let (merged, failure) = self.merge(partitions).await;
        let added: Vec<StagedFile> = merged.iter().map(|merged| merged.file.clone()).collect();
        let prepared = async {
            match failure {
                Some(error) => return Err(error.into()),
                None if self.stop.is_cancelled() => return Ok(None),
                None => {}
            }
            let rewrite = Rewrite::prove(merged, &named, self.run_id)?;
            FailPoint::FilesPublish.pass();
            self.store.publish(commit::data_paths(&rewrite.added)).await?;
            Ok(Some(rewrite))
        };
        match prepared.await {
            Ok(Some(rewrite)) => Ok(Some(rewrite)),
            unprepared => {
                let discarded = self.discard(&added).await;
                unprepared.and_then(|none| discarded.map(|()| none).map_err(Into::into))
            }
        }
    }

    /// Merges each partition's files, until one fails or it is told to stop.
    async fn merge(&self, partitions: Vec<Vec<StatedFile>>) -> (Vec<Merged>, Option<LoadError>) {
        let stop = self.stop.child_token();
        let unstopped = futures::stream::iter(partitions).take_until(stop.cancelled());
        // What has begun is waited for: it would leave its file behind.
        let mut results = pin!(unstopped.map(|files| load::merge(self.store, files)).buffered(PARALLEL_PARTITIONS));
        let (mut merged, mut failure) = (Vec::new(), None);
        while let Some(result) = results.next().await {
            match result {
                Ok(one) => merged.push(one),
                Err(error) => {
                    stop.cancel();
                    failure = failure.or(Some(error));
                }
            }
        }
        (merged, failure)
    }

    /// Tries to commit on the version that `table` is at.
    async fn commit(
        &self,
        table: &mut Table,
        rewrite: &Rewrite,
        commit_id: &str,
        begun: DateTime<Utc>,
    ) -> Result<Option<u64>, CompactError> {
        let head = Head::read(table).await?;
        let mut entry = EntryV1 {
            sequence: head.entry.sequence + 1,
            previous: Some(head.previous),
            commit_id: commit_id.to_owned(),
            files: rewrite.added.iter().map(FileV1::from).collect(),
            files_removed: rewrite.removed.iter().map(FileV1::from).collect(),
            rewritten: Some(RewrittenV1 { before: rewrite.before.into(), after: rewrite.after.into() }),
            requests_of_day: head.entry.requests_of_day,
            coverage: head.entry.coverage,
            calibrations: head.entry.calibrations,
            ..commit::entry(self.run_id, WorkV1::Compact)
        };
        entry.set_grace(self.grace);
        let info = commit::commit_info(APPLICATION.to_owned(), &entry, begun).map_err(CompactError::Entry)?;
        let removed = rewrite.removed.iter().map(|file| file.path.clone()).collect();
        let base = table.version();
        let outcome = table.rewrite(removed, rewrite.added.clone(), info).await?;
        Ok(commit::settle(table, outcome, base, commit_id).await?)
    }

    async fn discard(&self, files: &[StagedFile]) -> Result<(), LoadError> {
        self.store.discard(commit::data_paths(files)).await
    }
}

impl Rewrite {
    /// What was merged, if no row came or went.
    fn prove(merged: Vec<Merged>, named: &HashMap<String, NamedFile>, run_id: &str) -> Result<Self, CompactError> {
        let mut rewrite =
            Self { added: vec![], removed: vec![], own: vec![], before: RowSet::default(), after: RowSet::default() };
        for Merged { file, inputs, read, written } in merged {
            if read != written {
                return Err(CompactError::RowsDiffer { partition: file.partition, read, written });
            }
            let added_here = |input: &&ReadFile| named.get(&input.path).is_some_and(|named| named.run_id == run_id);
            rewrite.own.extend(inputs.iter().filter(added_here).map(|input| input.path.clone()));
            rewrite.before.unite(read);
            rewrite.after.unite(written);
            rewrite.removed.extend(inputs);
            rewrite.added.push(file);
        }
        Ok(rewrite)
    }

    /// Whether all that it replaces is live.
    fn holds(&self, live: &[LiveFile]) -> bool {
        let live: HashSet<&str> = live.iter().map(|file| file.path.as_str()).collect();
        self.removed.iter().all(|file| live.contains(file.path.as_str()))
    }

    fn summary(&self, month: Month, version: u64) -> CompactedMonth {
        CompactedMonth {
            month: month.to_string(),
            files_removed: self.removed.len() as u64,
            files_added: self.added.len() as u64,
            rows: self.after.count(),
            version,
        }
    }
}

#[cfg(test)]
#[cfg(feature = "simulator")]
mod tests;
