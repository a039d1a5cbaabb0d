//! The table, made anew from the raw archive alone: for a new parser, or where the table is lost.
//!
//! ```text
//! packs --rebuild--> records by partition --transform, stage, publish--> one version that holds them and nothing else
//!                                         --transform, comparison------> differences, where nothing shall be written
//! ```
//!
//! The rule: no row is lost by it. A table that holds rows which the archive lacks is not replaced.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::commit;
use super::comparison::{self, Compared, Difference};
use super::leftovers::Leftovers;
use super::rebuild::Rebuilt;
use super::staging::{Staged, stage};
use crate::failpoint::FailPoint;
use crate::ledger::{
    self, CalibrationV1, CoverageV1, EntryV1, FileV1, Head, LedgerError, PackV1, RewrittenV1, RowsV1, WorkV1,
};
use crate::load::{
    self, CommitInfo, Destination, Grace, LiveFile, LoadError, RunLock, RunMark, Selection, Store, Table,
};
use crate::model::{DetailCounts, PageError, RowSet, StagedFile, Window};

/// What replays keep their sequence numbers under.
const APPLICATION: &str = "phonetrail/replay";

/// What to replay.
#[derive(Clone, Debug)]
pub struct ReplayRequest {
    /// Where the raw archive lies.
    pub source: Destination,
    /// Where the table is made: the source itself, or a destination that holds none.
    pub destination: Destination,
    /// Compare with the table at the destination, and write nothing.
    pub check: bool,
}

/// The summary of a `replay`, as `--output json` prints it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReplayReport {
    /// Identifies the run in the ledger.
    pub run_id: String,
    /// Packs read.
    pub packs: u64,
    /// Windows in them.
    pub windows: u64,
    /// Pages of those windows.
    pub pages: u64,
    /// Records on the pages; windows overlap, so some were received several times.
    pub records_received: u64,
    /// Rows that they make.
    pub rows: u64,
    /// How the details of the rows were read.
    pub detail: DetailCounts,
    /// Files written.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The table's version that holds them, where one was made.
    pub version: Option<u64>,
    /// Partitions whose rows the table has otherwise, where it was compared.
    pub differences: Option<Vec<Difference>>,
    /// Wall time of the run.
    pub wall_seconds: f64,
}

/// Why a replay could not do its work. The table, where there is one, is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The source holds no raw pages.
    #[error("there are no raw pages in {source_url}")]
    NoPacks {
        /// The source.
        source_url: String,
    },
    /// There is nothing to compare with.
    #[error("there is no table in {destination}")]
    NoTable {
        /// The destination.
        destination: String,
    },
    /// The destination's table is not the source's.
    #[error("{destination} holds a table already, which is not made of the packs in the source")]
    Occupied {
        /// The destination.
        destination: String,
    },
    /// The ledger names packs that are not there, or not as it has them.
    #[error(
        "the archive is not whole: of {named} packs that the ledger names, {wrong} are missing or altered, such as {example}"
    )]
    Incomplete {
        /// Packs that the ledger names.
        named: usize,
        /// Those that are not as it says.
        wrong: usize,
        /// One of them.
        example: String,
    },
    /// The table holds other rows than the archive gives.
    #[error("the table's {stored} rows are not the {rebuilt} rows that the archive gives")]
    RowsDiffer {
        /// Rows of the table.
        stored: u64,
        /// Rows made of the archive.
        rebuilt: u64,
    },
    /// A page that was taken for one is none.
    #[error("a page of window {window} in {pack} cannot be decoded")]
    Page {
        /// The pack.
        pack: String,
        /// The window.
        window: Window,
        /// Why.
        #[source]
        source: PageError,
    },
    /// Rows cannot be made or compared.
    #[error("cannot make rows")]
    Rows(#[from] arrow::error::ArrowError),
    /// The source or the destination.
    #[error("the destination failed")]
    Load(#[from] LoadError),
    /// The ledger.
    #[error("the ledger cannot be continued")]
    Ledger(#[from] LedgerError),
    /// The ledger entry of a commit cannot be written as JSON.
    #[error("a ledger entry cannot be written")]
    Entry(#[source] serde_json::Error),
    /// Another writer committed meanwhile.
    #[error("another run committed to the table meanwhile")]
    Contended,
}

/// Makes the table at the request's destination of the raw pages in its source, in one version; or compares.
pub async fn replay(request: &ReplayRequest) -> Result<ReplayReport, ReplayError> {
    let source = Store::open(&request.source)?;
    if request.check {
        return rebuild(&source, Target::Compare(&request.destination)).await;
    }
    let store = Store::create(&request.destination)?;
    let lock = enter(&store).await?;
    let replayed = rebuild(&source, Target::Replace(&request.destination, &store)).await;
    if replayed.is_err() {
        lock.abandon(&store);
    }
    replayed
}

/// Opens the destination to this run, and to others. What dead runs left goes before packs are read and files written: one
/// of theirs might be a pack of which the table has no rows.
async fn enter(store: &Store) -> Result<RunLock, ReplayError> {
    let mut lock = RunLock::acquire(store).await?;
    let table = Table::open(store).await?;
    let head = match &table {
        Some(table) => Some(Head::read(table).await?),
        None => None,
    };
    let table = table.as_ref().zip(head.as_ref());
    Leftovers::remove::<ReplayError>(store, table, lock.may_clean_up(), Grace::Promised(None)).await?;
    lock.share().await?;
    Ok(lock)
}

/// What the rows are made for.
enum Target<'r> {
    Compare(&'r Destination),
    Replace(&'r Destination, &'r Store),
}

async fn rebuild(source: &Store, target: Target<'_>) -> Result<ReplayReport, ReplayError> {
    let started = Instant::now();
    let ingested_at = Utc::now();
    // Before the packs: the packs of later versions may not be among those that are read.
    let table = Table::open(source).await?;
    let rebuilt = Rebuilt::read(source).await?;
    if rebuilt.packs.is_empty() {
        return Err(ReplayError::NoPacks { source_url: source.url().to_string() });
    }
    let known = match &table {
        Some(table) => Some(Known::read(table, &rebuilt.packs).await?),
        None => None,
    };
    let mut report = ReplayReport {
        run_id: Uuid::now_v7().to_string(),
        packs: rebuilt.packs.len() as u64,
        windows: rebuilt.windows,
        pages: rebuilt.pages,
        records_received: rebuilt.records,
        ..ReplayReport::default()
    };
    match target {
        Target::Compare(destination) => compare((source, table), destination, rebuilt, &mut report).await?,
        Target::Replace(destination, store) => {
            let rebuilt = (rebuilt, ingested_at);
            replace((source, table), (destination, store), rebuilt, known, &mut report).await?;
        }
    }
    report.wall_seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// What the source's ledger says beyond the packs, where there is one.
struct Known {
    coverage: Vec<CoverageV1>,
    calibrations: Vec<CalibrationV1>,
}

impl Known {
    /// Reads it, and proves that the packs it relies on are all there.
    async fn read(table: &Table, packs: &[PackV1]) -> Result<Self, ReplayError> {
        let head = Head::read(table).await?;
        let named = ledger::packs(table).await?;
        let found: HashMap<&str, &str> = packs.iter().map(|pack| (pack.path.as_str(), pack.sha256.as_str())).collect();
        let wrong: Vec<&PackV1> =
            named.values().filter(|pack| found.get(pack.path.as_str()) != Some(&pack.sha256.as_str())).collect();
        match wrong.iter().map(|pack| &pack.path).min() {
            None => Ok(Self { coverage: head.entry.coverage, calibrations: head.entry.calibrations }),
            Some(example) => {
                Err(ReplayError::Incomplete { named: named.len(), wrong: wrong.len(), example: example.clone() })
            }
        }
    }
}

/// Whether another run has committed since `table` was read.
async fn is_outdated(table: &Table) -> Result<bool, LoadError> {
    let mut newest = table.clone();
    newest.refresh().await?;
    Ok(newest.version() > table.version())
}

async fn compare(
    (source, table): (&Store, Option<Table>),
    destination: &Destination,
    rebuilt: Rebuilt,
    report: &mut ReplayReport,
) -> Result<(), ReplayError> {
    let no_table = || ReplayError::NoTable { destination: destination.to_string() };
    let store = Store::open(destination)?;
    let in_place = store.url() == source.url();
    let table = if in_place { table } else { Table::open(&store).await? };
    let table = table.ok_or_else(no_table)?;
    let compared = comparison::compare(&store, &table, Arc::new(rebuilt.runs)).await;
    let is_same = compared.as_ref().is_ok_and(|compared| compared.differences.is_empty());
    // A pack of a later version may have been read, and a replaced file be gone.
    if in_place && !is_same && is_outdated(&table).await? {
        return Err(ReplayError::Contended);
    }
    let Compared { rows, detail, differences } = compared?;
    (report.rows, report.detail) = (rows, detail);
    report.version = Some(table.version());
    report.differences = Some(differences);
    Ok(())
}

async fn replace(
    (source, table): (&Store, Option<Table>),
    (destination, store): (&Destination, &Store),
    (rebuilt, ingested_at): (Rebuilt, DateTime<Utc>),
    known: Option<Known>,
    report: &mut ReplayReport,
) -> Result<(), ReplayError> {
    let in_place = store.url() == source.url();
    if store.directory().is_none() {
        store.probe().await?.require_put_if_absent(store)?;
    }
    let table = if in_place { table } else { Table::open(store).await? };
    let live = match &table {
        Some(table) => table.files(&Selection::All).await?,
        None => Vec::new(),
    };
    if !in_place && !live.is_empty() {
        return Err(ReplayError::Occupied { destination: destination.to_string() });
    }

    let mark = RunMark::set(store, &report.run_id).await?;
    let begun = Utc::now();
    let Rebuilt { runs, packs, coverage, .. } = rebuilt;
    let Staged { files, rows, detail } = stage(store, Arc::new(runs), ingested_at).await?;
    let prepared = async {
        let stored = stored_rows(store, &live).await?;
        if let Some(table) = &table
            && (in_place && !live.is_empty() && stored != rows)
        {
            // A pack of a later version may have been read.
            if is_outdated(table).await? {
                return Err(ReplayError::Contended);
            }
            return Err(ReplayError::RowsDiffer { stored: stored.count(), rebuilt: rows.count() });
        }
        if !in_place {
            copy_packs(source, store, &packs).await?;
        }
        let table = match table {
            Some(table) => table,
            None => Table::create(store, info(&commit::entry(&report.run_id, WorkV1::Create), begun)?).await?,
        };
        // Where there was none, another run may have made it, and filled it.
        if live.is_empty() && !table.files(&Selection::All).await?.is_empty() {
            return Err(ReplayError::Contended);
        }
        let replaces = !live.is_empty();
        Ok((table, replaces.then(|| RewrittenV1 { before: stored.into(), after: rows.into() })))
    };
    let (mut table, rewritten) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => {
            store.discard(commit::data_paths(&files)).await?;
            // Packs that were copied may lie there.
            if in_place {
                mark.clear(store).await?;
            }
            return Err(error);
        }
    };
    let entry = EntryV1 {
        files: files.iter().map(FileV1::from).collect(),
        packs,
        // Rows that were there before are not added.
        rows: if rewritten.is_some() { RowsV1::default() } else { rows.into() },
        rewritten,
        coverage: known.as_ref().map_or_else(|| CoverageV1::of(&coverage), |known| known.coverage.clone()),
        calibrations: known.map(|known| known.calibrations).unwrap_or_default(),
        ..commit::entry(&report.run_id, WorkV1::Replay)
    };
    let version = put(store, &mut table, &live, &files, entry, begun).await;
    let is_over = match &version {
        // Files that were replaced stay for their time of grace; the mark leads the next run to them.
        Ok(_) => live.is_empty(),
        Err(error) => in_place && matches!(error, ReplayError::Contended),
    };
    if is_over {
        mark.clear(store).await?;
    }
    report.version = Some(version?);
    (report.rows, report.detail) = (rows.count(), detail);
    report.files = files.len() as u64;
    report.bytes = files.iter().map(|file| file.byte_count).sum();
    Ok(())
}

/// What identifies the rows of the table's files.
async fn stored_rows(store: &Store, live: &[LiveFile]) -> Result<RowSet, ReplayError> {
    let mut rows = RowSet::default();
    for file in live {
        for batch in load::read_file(store, file, |column| column.name == "record_id").await? {
            rows.unite(load::row_set(&file.path, &batch)?);
        }
    }
    Ok(rows)
}

async fn copy_packs(source: &Store, destination: &Store, packs: &[PackV1]) -> Result<(), LoadError> {
    for pack in packs {
        FailPoint::PackStage.pass();
        destination.stage(&pack.path, source.get(&pack.path).await?).await?;
        FailPoint::PackStaged.pass();
    }
    destination.publish(packs.iter().map(|pack| pack.path.clone()).collect()).await?;
    FailPoint::PacksPublished.pass();
    Ok(())
}

/// Commits the files in place of all that are live. An error leaves them where they are: the commit may have been made
/// all the same.
async fn put(
    store: &Store,
    table: &mut Table,
    live: &[LiveFile],
    files: &[StagedFile],
    entry: EntryV1,
    begun: DateTime<Utc>,
) -> Result<u64, ReplayError> {
    let head = Head::read(table).await?;
    let paths: HashSet<String> = live.iter().map(|file| file.path.clone()).collect();
    let named = ledger::named_files(table, paths.clone()).await?;
    let entry = EntryV1 {
        sequence: head.entry.sequence + 1,
        previous: Some(head.previous),
        requests_of_day: head.entry.requests_of_day,
        files_removed: named.into_values().map(|named| named.file).collect(),
        ..entry
    };
    let base = table.version();
    FailPoint::FilesPublish.pass();
    store.publish(commit::data_paths(files)).await?;
    let outcome = table.replace(paths, files.to_vec(), info(&entry, begun)?).await?;
    if let Some(version) = commit::settle(table, outcome, base, &entry.commit_id).await? {
        return Ok(version);
    }
    store.remove(commit::data_paths(files)).await?;
    Err(ReplayError::Contended)
}

fn info(entry: &EntryV1, begun: DateTime<Utc>) -> Result<CommitInfo, ReplayError> {
    commit::commit_info(APPLICATION.to_owned(), entry, begun).map_err(ReplayError::Entry)
}
