//! The raw archive -> all of its rows, once each.
//!
//! ```text
//! pack --archived_windows--> pages --transform--> batches --RunWriter--> rows by partition
//! ```
//!
//! The rule: nothing is known here but what the packs say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::HEXLOWER;
use futures::{StreamExt, TryStreamExt};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::days;
use super::replay::ReplayError;
use super::sync::DEFAULT_SETTLE;
use crate::ledger::PackV1;
use crate::load::{self, ArchivedWindow, LoadError, RunWriter, Runs, Store};
use crate::model::{AccountId, Batch, Coverage, DetailCounts, Page, Scope, Seam};
use crate::transform;

/// How many packs are read ahead of the one that is made rows of. Each is some 25 MB when unpacked.
const PACKS_AHEAD: usize = 2;

/// How long before its first page arrived the reading of a window began at most: the longest that a request may take.
const LONGEST_REQUEST: TimeDelta = TimeDelta::minutes(5);

/// What the archive holds.
#[derive(Debug, Default)]
pub(super) struct Rebuilt {
    pub(super) runs: Runs,
    pub(super) packs: Vec<PackV1>,
    pub(super) windows: u64,
    pub(super) pages: u64,
    pub(super) records: u64,
    pub(super) detail: DetailCounts,
    /// The days that the windows cover by themselves: where they join is not known.
    pub(super) coverage: Coverage,
}

impl Rebuilt {
    /// Makes rows of every pack in `source`.
    pub(super) async fn read(source: &Store, ingested_at: DateTime<Utc>) -> Result<Self, ReplayError> {
        let (mut rebuilt, mut runs) = (Self::default(), RunWriter::default());
        let mut packs =
            futures::stream::iter(load::packs(source).await?).map(|path| read_pack(source, path)).buffered(PACKS_AHEAD);
        while let Some((pack, windows)) = packs.try_next().await? {
            rebuilt.cover(&windows);
            tokio::task::block_in_place(|| rebuilt.add(&pack.path, &windows, ingested_at, &mut runs))?;
            rebuilt.packs.push(pack);
        }
        rebuilt.runs = runs.finish()?;
        Ok(rebuilt)
    }

    /// Makes rows of a pack's windows, several at once: what of one cannot be shared out does not keep a core waiting.
    fn add(
        &mut self,
        pack: &str,
        windows: &[ArchivedWindow],
        ingested_at: DateTime<Utc>,
        runs: &mut RunWriter,
    ) -> Result<(), ReplayError> {
        let rows = |window| window_rows(pack, window, ingested_at);
        for (window, (records, batches)) in
            windows.iter().zip(windows.par_iter().map(rows).collect::<Result<Vec<_>, _>>()?)
        {
            self.windows += 1;
            self.pages += window.pages.len() as u64;
            self.records += records;
            for batch in batches {
                self.detail.add(batch.detail);
                runs.add(batch)?;
            }
        }
        Ok(())
    }

    /// Counts the days that the windows of one pack, which one run has read, cover.
    fn cover(&mut self, windows: &[ArchivedWindow]) {
        let mut done: BTreeMap<(&AccountId, &Scope), Vec<days::Read>> = BTreeMap::new();
        for ArchivedWindow { account, window, received_at, .. } in windows {
            let read_at = *received_at - LONGEST_REQUEST;
            done.entry((account, window.scope())).or_default().push((window.from(), window.to(), read_at));
        }
        for ((account, scope), windows) in done {
            for read in days::joined(windows, Seam::Shared) {
                let days = days::covered_alone(read, DEFAULT_SETTLE);
                days.for_each(|span| self.coverage.add(account, scope, span));
            }
        }
    }
}

/// How many records a window has, and their rows.
fn window_rows(
    pack: &str,
    ArchivedWindow { account, window, pages, .. }: &ArchivedWindow,
    ingested_at: DateTime<Utc>,
) -> Result<(u64, Vec<Batch>), ReplayError> {
    let texts: Vec<Cow<'_, str>> = pages.iter().map(Page::text).collect();
    let records = transform::keyed(account, &texts).map_err(|source| ReplayError::Page {
        pack: pack.to_owned(),
        window: window.clone(),
        source,
    })?;
    let count = records.iter().map(|page| page.len() as u64).sum();
    Ok((count, transform::batches(account, ingested_at, records)?))
}

async fn read_pack(source: &Store, path: String) -> Result<(PackV1, Vec<ArchivedWindow>), ReplayError> {
    let bytes = source.get(&path).await?;
    let read = move || -> Result<_, LoadError> {
        let windows = load::archived_windows(&path, &bytes)?;
        let pages = windows.iter().map(|window| window.pages.len() as u64).sum();
        let sha256 = HEXLOWER.encode(&Sha256::digest(&bytes));
        Ok((PackV1 { path, sha256, bytes: bytes.len() as u64, pages }, windows))
    };
    Ok(tokio_rayon::spawn(read).await?)
}
