//! The raw archive -> all of its records by partition.
//!
//! ```text
//! pack --archived_windows--> pages --transform--> keyed records --RunWriter--> records by partition
//! ```
//!
//! The rule: nothing is known here but what the packs say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::TimeDelta;
use data_encoding::HEXLOWER;
use futures::{StreamExt, TryStreamExt};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::days;
use super::replay::ReplayError;
use super::sync::DEFAULT_SETTLE;
use crate::ledger::PackV1;
use crate::load::{self, ArchivedWindow, RunWriter, Runs, Store, WaitingRecords};
use crate::model::{AccountId, Coverage, Page, Scope, Seam, Span};
use crate::transform;

/// How many packs are read at once. Each is some 25 MB when unpacked, and as much again as records that wait.
const PARALLEL_PACKS: usize = 3;

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
    /// The days that the windows cover by themselves: where they join is not known.
    pub(super) coverage: Coverage,
}

/// What a pack holds.
struct PackRead {
    pack: PackV1,
    windows: u64,
    records: u64,
    covered: Vec<(AccountId, Scope, Span)>,
    waiting: Vec<WaitingRecords>,
}

impl Rebuilt {
    /// Reads every pack in `source`.
    pub(super) async fn read(source: &Store) -> Result<Self, ReplayError> {
        let (mut rebuilt, mut runs) = (Self::default(), RunWriter::default());
        let paths = load::packs(source).await?;
        let mut packs = futures::stream::iter(paths).map(|path| read_pack(source, path)).buffered(PARALLEL_PACKS);
        while let Some(read) = packs.try_next().await? {
            rebuilt.windows += read.windows;
            rebuilt.pages += read.pack.pages;
            rebuilt.records += read.records;
            rebuilt.packs.push(read.pack);
            for (account, scope, span) in read.covered {
                rebuilt.coverage.add(&account, &scope, span);
            }
            tokio::task::block_in_place(|| read.waiting.into_iter().try_for_each(|waiting| runs.add(waiting)))?;
        }
        rebuilt.runs = runs.finish()?;
        Ok(rebuilt)
    }
}

async fn read_pack(source: &Store, path: String) -> Result<PackRead, ReplayError> {
    let bytes = source.get(&path).await?;
    let read = move || -> Result<PackRead, ReplayError> {
        let windows = load::archived_windows(&path, &bytes)?;
        let records = windows.par_iter().map(|window| window_records(&path, window));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        let pages = windows.iter().map(|window| window.pages.len() as u64).sum();
        let sha256 = HEXLOWER.encode(&Sha256::digest(&bytes));
        Ok(PackRead {
            windows: windows.len() as u64,
            records: records.iter().map(|(count, _)| count).sum(),
            covered: covered(&windows),
            waiting: records.into_iter().flat_map(|(_, waiting)| waiting).collect(),
            pack: PackV1 { path, sha256, bytes: bytes.len() as u64, pages },
        })
    };
    tokio_rayon::spawn(read).await
}

/// How many records a window has, and the records.
fn window_records(
    pack: &str,
    ArchivedWindow { account, window, pages, .. }: &ArchivedWindow,
) -> Result<(u64, Vec<WaitingRecords>), ReplayError> {
    let texts: Vec<Cow<'_, str>> = pages.iter().map(Page::text).collect();
    let records = transform::keyed(account, &texts).map_err(|source| ReplayError::Page {
        pack: pack.to_owned(),
        window: window.clone(),
        source,
    })?;
    let count = records.iter().map(|page| page.len() as u64).sum();
    Ok((count, WaitingRecords::of(account, records.into_iter().flatten())?))
}

/// The days that the windows of one pack, which one run has read, cover.
fn covered(windows: &[ArchivedWindow]) -> Vec<(AccountId, Scope, Span)> {
    let mut done: BTreeMap<(&AccountId, &Scope), Vec<days::Read>> = BTreeMap::new();
    for ArchivedWindow { account, window, received_at, .. } in windows {
        let read_at = *received_at - LONGEST_REQUEST;
        done.entry((account, window.scope())).or_default().push((window.from(), window.to(), read_at));
    }
    let mut covered = Vec::new();
    for ((account, scope), windows) in done {
        for read in days::joined(windows, Seam::Shared) {
            let days = days::covered_alone(read, DEFAULT_SETTLE);
            covered.extend(days.map(|span| (account.clone(), scope.clone(), span)));
        }
    }
    covered
}
