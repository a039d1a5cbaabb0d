//! Who reads while runs come, go and die: through the log, by SQL, and every Parquet file that lies there.
//!
//! What they may see is settled when all is over and the log tells what each version held. A file that is gone when a
//! reader comes to it is no fault where a newer version does not name it: that reader comes again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveDate, Utc};
use phonetrail::ledger::EntryV1;
use phonetrail::load::{Destination, LiveFile, LoadError, Selection, Store, Table, read_file};
use phonetrail::model::PARTITION_COLUMNS;
use phonetrail::query;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::place::Place;
use crate::support::{Row, batch_rows, entries, file_rows, parquet_files};

/// How long readers rest for each stretch of time that they read: the runs need the machine more.
const REST: u32 = 4;

const COUNTS: &str = "SELECT COUNT(*) AS found, COUNT(DISTINCT record_id) AS records FROM operation_logs";

/// Readers at work.
pub(super) struct Readers {
    stop: DropGuard,
    by_log: JoinHandle<Seen>,
    by_files: JoinHandle<Vec<Vec<Row>>>,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    /// The rows of versions, through the log.
    versions: BTreeMap<u64, Vec<Vec<Row>>>,
    /// How many rows queries have found, each of which was another one.
    counts: HashSet<u64>,
    /// The rows of all Parquet files that lay there at once.
    files: Vec<Vec<Row>>,
}

impl Readers {
    pub(super) fn start(place: &Place) -> Self {
        let stop = CancellationToken::new();
        let by_log = tokio::spawn(by_log(place.destination(), stop.clone()));
        let (path, told) = (place.path(), stop.clone());
        let by_files = tokio::task::spawn_blocking(move || by_files(&path, &told));
        Self { stop: stop.drop_guard(), by_log, by_files }
    }

    pub(super) async fn stop(self) -> Seen {
        let Self { stop, by_log, by_files } = self;
        drop(stop);
        Seen { files: by_files.await.unwrap(), ..by_log.await.unwrap() }
    }
}

async fn by_log(destination: Destination, stop: CancellationToken) -> Seen {
    let (mut seen, cache) = (Seen::default(), tempfile::tempdir().unwrap());
    while !stop.is_cancelled() {
        let begun = Instant::now();
        if let Some((version, rows)) = version(&destination).await {
            note(seen.versions.entry(version).or_default(), rows);
        }
        match query::query(&destination, COUNTS, cache.path()).await {
            Ok(answer) => {
                let [found, records] = [0, 1].map(|column| answer.rows[0][column].as_u64().unwrap());
                assert_eq!(found, records, "a query found a row twice");
                seen.counts.insert(found);
            }
            Err(query::QueryError::NoTable { .. }) => {}
            Err(error) => assert!(tells_of_absence(&error), "{error:?}"),
        }
        tokio::time::sleep(begun.elapsed() * REST).await;
    }
    seen
}

/// Keeps what was seen, unless the same has been seen.
fn note(seen: &mut Vec<Vec<Row>>, mut rows: Vec<Row>) {
    rows.sort();
    if !seen.contains(&rows) {
        seen.push(rows);
    }
}

/// The newest version with its rows, if there is one and it stays while it is read.
async fn version(destination: &Destination) -> Option<(u64, Vec<Row>)> {
    let store = Store::open(destination).ok()?;
    let table = Table::open(&store).await.unwrap()?;
    let mut rows = Vec::new();
    for file in table.files(&Selection::All).await.unwrap() {
        match read_file(&store, &file, |column| !PARTITION_COLUMNS.contains(&column.name)).await {
            Ok(batches) => {
                rows.extend(batches.iter().flat_map(|batch| batch_rows(batch, "", Path::new(&file.path))));
            }
            Err(error) => {
                assert!(tells_of_absence(&error), "{error:?}");
                assert!(!is_live(&store, &file).await, "a live file is gone: {error:?}");
                return None;
            }
        }
    }
    Some((table.version(), rows))
}

async fn is_live(store: &Store, file: &LiveFile) -> bool {
    let newest = Table::open(store).await.unwrap().unwrap();
    newest.files(&Selection::All).await.unwrap().iter().any(|live| live.path == file.path)
}

/// Whether it is that an object is not there.
fn tells_of_absence(error: &(dyn std::error::Error + 'static)) -> bool {
    let of_the_store =
        |error: &LoadError| matches!(error, LoadError::Object { source: object_store::Error::NotFound { .. }, .. });
    let (mut next, mut absent) = (Some(error), false);
    while let Some(cause) = next {
        absent |= cause.downcast_ref().is_some_and(of_the_store) || cause.to_string().contains("No such file");
        next = cause.source();
    }
    absent
}

/// Reads every Parquet file, again and again. Each must be whole, whatever it belongs to.
fn by_files(destination: &Path, stop: &CancellationToken) -> Vec<Vec<Row>> {
    let mut seen = Vec::new();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        files(destination).into_iter().for_each(|rows| note(&mut seen, rows));
        std::thread::sleep(Duration::from_millis(5) + begun.elapsed() * REST);
    }
    seen
}

/// The rows of all Parquet files, if none goes away while they are read.
fn files(destination: &Path) -> Option<Vec<Row>> {
    let table = destination.join("operation_logs");
    let mut rows = Vec::new();
    for path in parquet_files(&table) {
        rows.extend(file_rows(&table, &path, std::fs::File::open(&path).ok()?));
    }
    Some(rows)
}

impl Seen {
    /// Every version was seen as it was committed; nobody saw what the accounts do not hold; and whoever takes all files
    /// for the table saw nothing twice, unless that `may_be`.
    pub(super) fn assert_right(&self, destination: &Path, truth: &[String], may_be: bool) {
        let entries: Vec<EntryV1> = entries(destination).into_iter().map(|(entry, _)| entry).collect();
        let days: Vec<(&str, NaiveDate)> = truth.iter().map(|record| (record.as_str(), day_of(record))).collect();
        let held: Vec<u64> = entries
            .iter()
            .scan(0, |rows, entry| {
                *rows += entry.rows.count;
                Some(*rows)
            })
            .collect();
        for (version, rows) in
            self.versions.iter().flat_map(|(version, seen)| seen.iter().map(move |rows| (version, rows)))
        {
            assert_eq!(rows.len() as u64, held[*version as usize], "version {version} was seen otherwise");
            assert_eq!(distinct(rows), rows.len(), "version {version} was seen with a row twice");
            assert_among(rows, truth);
            let windows = entries[..=*version as usize].iter().flat_map(|entry| {
                entry.windows.iter().filter_map(|window| Some((entry.account_id.as_deref()?, window.from, window.to)))
            });
            assert_windows_whole(&windows.collect(), rows, &days);
        }
        assert!(self.counts.iter().all(|count| held.contains(count)), "queries found {:?} rows", self.counts);
        for rows in &self.files {
            assert_among_ids(rows, truth);
            assert!(may_be || distinct(rows) == rows.len(), "a row lay in two files");
        }
    }
}

fn distinct(rows: &[Row]) -> usize {
    rows.iter().map(|row| &row.record_id).collect::<HashSet<_>>().len()
}

/// Each row is a record, and there are as many of one at most as in the accounts.
fn assert_among(rows: &[Row], truth: &[String]) {
    let mut left: HashMap<&str, i64> = HashMap::new();
    truth.iter().for_each(|record| *left.entry(record).or_default() += 1);
    for row in rows {
        let left = left.entry(&row.record).or_default();
        *left -= 1;
        assert!(*left >= 0, "seen, and not in the accounts: {}", row.record);
    }
}

/// The same, where one row may lie in several files.
fn assert_among_ids(rows: &[Row], truth: &[String]) {
    let by_id: HashMap<&str, &Row> = rows.iter().map(|row| (row.record_id.as_str(), row)).collect();
    assert_among(&by_id.into_values().cloned().collect::<Vec<_>>(), truth);
}

/// Windows that were committed are there with all that their inner days have.
fn assert_windows_whole(windows: &BTreeSet<(&str, NaiveDate, NaiveDate)>, rows: &[Row], truth: &[(&str, NaiveDate)]) {
    let rows: Vec<(&Row, NaiveDate)> = rows.iter().map(|row| (row, day_of(&row.record))).collect();
    for (account, from, to) in windows {
        let name = format!("Add {} ", account.strip_prefix("account-").unwrap());
        let inner = (*from + Days::new(1))..*to;
        let of_truth = truth.iter().filter(|(record, day)| inner.contains(day) && record.contains(&name));
        let of_rows = rows.iter().filter(|(row, day)| inner.contains(day) && row.account_id == *account);
        assert_eq!(of_rows.count(), of_truth.count(), "window {from}..{to} of {account} was seen in part");
    }
}

fn day_of(record: &str) -> NaiveDate {
    let record: Value = serde_json::from_str(record).unwrap();
    record["time"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap().date_naive()
}

/// The rows of all Parquet files, when nobody writes.
pub(super) fn at_rest(destination: &Path) -> Vec<Row> {
    files(destination).unwrap()
}

/// All files of a destination, relative to it.
pub(super) fn present(destination: &Path) -> Vec<PathBuf> {
    let files = crate::support::snapshot(destination).into_keys();
    files.map(|path| path.strip_prefix(destination).unwrap().to_path_buf()).collect()
}
