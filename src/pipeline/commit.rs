//! Whole windows -> one commit: decode, unite with the table, write, publish, commit; again from the union on if another
//! writer was faster.
//!
//! ```text
//! WindowRead --transform--> KeyedRecord --union, transform--> NewRows --stage--> StagedFile --publish, commit--> version
//!     +------------------- pack ------------------------------> RawPack ------+
//! ```
//!
//! The rule: whatever was computed against a version is thrown away when that version is no longer the newest.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use bytes::Bytes;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use super::batches::NewRows;
use super::report::SyncReport;
use super::sync::SyncError;
use super::union::{self, Union, WindowCounts};
use crate::extract::DayCount;
use crate::failpoint::FailPoint;
use crate::ledger::{
    CalibrationV1, CoverageV1, EntryV1, FORMAT, FileV1, Head, PackV1, RequestsV1, RowsV1, WindowV1, WorkV1,
};
use crate::load::{self, CommitInfo, CommitOutcome, LoadError, Store, StoredRows, TABLE_DIRECTORY, Table};
use crate::model::{
    AccountId, Calibration, Coverage, Page, Partition, REPORT, RawPack, Scope, Span, StagedFile, WindowRead,
};
use crate::transform;

/// How many files are made at once: each takes memory.
const PARALLEL_FILES: usize = 4;

/// How many files are written at once: each takes time, on object storage.
const PARALLEL_WRITES: usize = 16;

/// How often a commit is computed again before the run gives up: another writer must have been faster every time.
pub(super) const ATTEMPTS: u32 = 50;

/// Which run, of which account.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) account: AccountId,
    pub(super) started_at: DateTime<Utc>,
}

/// Whole windows, and the days that they cover together with the windows committed before; without any, what else there is
/// to tell.
pub(super) struct Work<'w> {
    pub(super) reads: &'w [WindowRead],
    pub(super) covered: &'w [(Scope, Span)],
    /// Requests made since the commit before.
    pub(super) requests: u64,
    /// What the run relies on or has found out.
    pub(super) calibration: Option<Calibration>,
}

/// The entry of the commit that makes a table.
pub(super) fn creation(run: &Run) -> Result<CommitInfo, SyncError> {
    commit_info(application(run), &entry(&run.id, WorkV1::Create), Utc::now()).map_err(SyncError::Entry)
}

/// Commits `work` to the table, counts it in `report`, and tells how many requests of the account the ledger accounts for by
/// now.
pub(super) async fn commit(
    store: &Store,
    table: &mut Table,
    run: &Run,
    work: &Work<'_>,
    report: &mut SyncReport,
) -> Result<DayCount, SyncError> {
    let begun = Utc::now();
    let commit_id = Uuid::now_v7().to_string();
    let packs = stage_packs(store, run, &commit_id, work.reads).await?;
    let pack_paths: Vec<String> = packs.iter().map(|pack| pack.path.clone()).collect();
    store.publish(pack_paths.clone()).await?;
    FailPoint::PacksPublished.pass();

    for attempt in 1..=ATTEMPTS {
        let head = Head::read(table).await?;
        let mut counted = report.clone();
        let (new, counts) = gather(store, table, run, work.reads, &mut counted).await?;
        let rows = new.digest();
        let files = stage_files(store, new).await?;
        let (account, today) = (&run.account, Utc::now().date_naive());
        let entry = EntryV1 {
            sequence: head.entry.sequence + 1,
            previous: Some(head.previous.clone()),
            commit_id: commit_id.clone(),
            account_id: Some(run.account.as_str().to_owned()),
            files: files.iter().map(FileV1::from).collect(),
            packs: packs.iter().map(PackV1::from).collect(),
            requests: work.requests,
            requests_of_day: RequestsV1::add(&head.entry.requests_of_day, account, today, work.requests),
            windows: work.reads.iter().zip(&counts).map(|(read, counts)| window(read, *counts)).collect(),
            rows,
            coverage: CoverageV1::of(&coverage(run, head.coverage(), work.covered)),
            calibrations: calibrations(run, &head.entry.calibrations, work.calibration),
            ..entry(&run.id, WorkV1::Sync)
        };

        let base = table.version();
        FailPoint::FilesPublish.pass();
        store.publish(data_paths(&files)).await?;
        let info = commit_info(application(run), &entry, begun).map_err(SyncError::Entry)?;
        let outcome = table.commit(&files, info).await?;
        if let Some(version) = settle(table, outcome, base, &commit_id).await? {
            *report = counted;
            count_commit(report, work.reads, &counts, version);
            tracing::info!(version, rows = entry.rows.count, files = files.len(), "committed");
            return Ok(day_count(today, RequestsV1::on(&entry.requests_of_day, account, today)));
        }
        tracing::info!(attempt, version = table.version(), "another writer was faster; computing again");
        store.remove(data_paths(&files)).await?;
    }
    store.remove(pack_paths).await?;
    Err(SyncError::Contended { attempts: ATTEMPTS })
}

/// The rows that the table lacks, and what each window brought. One window after the other: the operations of a window
/// take many times the room of its pages.
async fn gather(
    store: &Store,
    table: &Table,
    run: &Run,
    reads: &[WindowRead],
    report: &mut SyncReport,
) -> Result<(NewRows, Vec<WindowCounts>), SyncError> {
    let (mut union, mut stored, mut rows) = (Union::default(), StoredRows::default(), NewRows::default());
    let mut counts = Vec::with_capacity(reads.len());
    for read in reads {
        let texts: Vec<Cow<'_, str>> = read.pages.iter().map(Page::text).collect();
        let records = tokio::task::block_in_place(|| transform::keyed(&run.account, &texts))
            .map_err(|source| SyncError::Page { window: read.window.clone(), source })?;
        stored.extend(store, table, &union::selection(&read.window, &records), &run.account).await?;
        let (new, count) = union.add(&read.window, records, &stored);
        tokio::task::block_in_place(|| rows.add(run, new, report))?;
        counts.push(count);
    }
    Ok((rows, counts))
}

async fn stage_files(store: &Store, rows: NewRows) -> Result<Vec<StagedFile>, SyncError> {
    let make = |(partition, batches): (Partition, Vec<RecordBatch>)| async move {
        tokio_rayon::spawn(move || load::stage(partition, &batches)).await
    };
    let write = |made: Result<(StagedFile, Bytes), LoadError>| async move {
        let (file, bytes) = made?;
        FailPoint::FileStage.pass();
        store.stage(&data_path(&file), bytes).await?;
        FailPoint::FileStaged.pass();
        Ok(file)
    };
    let made = futures::stream::iter(rows.into_partitions()).map(make).buffered(PARALLEL_FILES);
    made.map(write).buffered(PARALLEL_WRITES).try_collect().await
}

/// One pack for every month in which windows begin.
async fn stage_packs(
    store: &Store,
    run: &Run,
    commit_id: &str,
    reads: &[WindowRead],
) -> Result<Vec<RawPack>, SyncError> {
    let mut months: BTreeMap<NaiveDate, Vec<Page>> = BTreeMap::new();
    for read in reads {
        let month = read.window.from().with_day(1).unwrap_or(read.window.from());
        months.entry(month).or_default().extend(read.pages.iter().cloned());
    }
    let stage = |(month, pages): (NaiveDate, Vec<Page>)| async move {
        let (account, name) = (run.account.clone(), commit_id.to_owned());
        let (pack, bytes) = tokio_rayon::spawn(move || load::pack(&account, month, &name, &pages)).await?;
        FailPoint::PackStage.pass();
        store.stage(&pack.path, bytes).await?;
        FailPoint::PackStaged.pass();
        Ok(pack)
    };
    futures::stream::iter(months).map(stage).buffered(PARALLEL_FILES).try_collect().await
}

/// The version that holds a commit made upon version `base`, also where the answer to it was lost. `None` where it was not
/// made, since another writer was faster; `table` is at the newest version then.
pub(super) async fn settle(
    table: &mut Table,
    outcome: CommitOutcome,
    base: u64,
    commit_id: &str,
) -> Result<Option<u64>, LoadError> {
    let error = match outcome {
        CommitOutcome::Committed(version) => return Ok(Some(version)),
        CommitOutcome::Conflict => None,
        CommitOutcome::Unknown(error) => Some(error),
    };
    table.refresh().await?;
    for version in base + 1..=table.version() {
        let entry = table.commit_file(version).await?.entry;
        let ours = entry.and_then(|text| serde_json::from_str::<EntryV1>(&text).ok());
        if ours.is_some_and(|entry| entry.commit_id == commit_id) {
            return Ok(Some(version));
        }
    }
    match error {
        // Nobody was faster, and the commit may still arrive: its files must stay.
        Some(error) if table.version() == base => Err(error),
        _ => Ok(None),
    }
}

/// A day's requests as the source counts them.
pub(super) fn day_count(day: NaiveDate, requests: u64) -> DayCount {
    DayCount { day, requests: u32::try_from(requests).unwrap_or(u32::MAX) }
}

fn data_path(file: &StagedFile) -> String {
    format!("{TABLE_DIRECTORY}/{}", file.path)
}

/// Where files lie below the destination.
pub(super) fn data_paths(files: &[StagedFile]) -> Vec<String> {
    files.iter().map(data_path).collect()
}

fn coverage(run: &Run, mut coverage: Coverage, covered: &[(Scope, Span)]) -> Coverage {
    for (scope, span) in covered {
        coverage.add(&run.account, scope, span.clone());
    }
    coverage
}

fn calibrations(run: &Run, known: &[CalibrationV1], calibration: Option<Calibration>) -> Vec<CalibrationV1> {
    calibration.map_or_else(|| known.to_vec(), |found| CalibrationV1::replace(known, &run.account, found))
}

/// An entry that says who made it, and nothing else yet.
pub(super) fn entry(run_id: &str, work: WorkV1) -> EntryV1 {
    EntryV1 {
        format: FORMAT,
        sequence: 0,
        previous: None,
        commit_id: Uuid::now_v7().to_string(),
        run_id: run_id.to_owned(),
        work,
        made_at: Utc::now(),
        tool: concat!("phonetrail ", env!("CARGO_PKG_VERSION")).to_owned(),
        parser_version: transform::PARSER_VERSION,
        account_id: None,
        report: REPORT.to_owned(),
        files: Vec::new(),
        files_removed: Vec::new(),
        grace_seconds: None,
        packs: Vec::new(),
        requests: 0,
        requests_of_day: Vec::new(),
        windows: Vec::new(),
        rows: RowsV1::default(),
        rewritten: None,
        coverage: Vec::new(),
        calibrations: Vec::new(),
    }
}

fn window(read: &WindowRead, counts: WindowCounts) -> WindowV1 {
    WindowV1 {
        from: read.window.from(),
        to: read.window.to(),
        scope: read.window.scope().clone(),
        read_at: read.started_at,
        reads: read.reads,
        pages: read.pages.len() as u64,
        reported: read.reported,
        received: read.received,
        new: counts.new,
        already_stored: counts.already_stored,
        vanished: counts.vanished,
    }
}

fn application(run: &Run) -> String {
    format!("phonetrail/{}/{REPORT}", run.account)
}

/// What a commit says of itself; `application` is what its sequence number is kept under, and the first of its files was
/// not begun before `begun`.
pub(super) fn commit_info(
    application: String,
    entry: &EntryV1,
    begun: DateTime<Utc>,
) -> Result<CommitInfo, serde_json::Error> {
    let rows = entry.rewritten.as_ref().map_or(entry.rows.count, |rewritten| rewritten.after.count);
    Ok(CommitInfo {
        entry: serde_json::to_string(entry)?,
        application,
        sequence: i64::try_from(entry.sequence).unwrap_or(i64::MAX),
        metrics: vec![("numFiles", entry.files.len() as u64), ("numOutputRows", rows)],
        begun,
    })
}

fn count_commit(report: &mut SyncReport, reads: &[WindowRead], counts: &[WindowCounts], version: u64) {
    report.commits += 1;
    report.version = Some(version);
    for (read, counts) in reads.iter().zip(counts) {
        report.windows += 1;
        report.pages += read.pages.len() as u64;
        report.records_received += read.received;
        report.rows_new += counts.new;
        report.rows_already_stored += counts.already_stored;
    }
}
