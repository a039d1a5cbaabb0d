//! The table made anew from the raw pages alone, and compared with them.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use axum::http::Method;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use phonetrail::ledger::WorkV1;
use phonetrail::load::Destination;
use phonetrail::pipeline::{self, SyncRequest};
use serde_json::Value;
use test_case::test_case;

use crate::support::{
    Account, S3, Treatment, all_columns, data_files, day, entries, output, phonetrail, refusal, rows, snapshot,
};

/// Half a year, read in ranges that overlap, so that many records are archived several times.
async fn account() -> Account {
    let account = Account::generated(3_000, "2022-01-01", "2022-06-30").await;
    for (from, to) in [("2022-02-10", "2022-03-20"), ("2022-01-01", "2022-06-30")] {
        account.sync(from, to).await.unwrap();
    }
    account
}

async fn replay(source: &Path, destination: &Path, arguments: &[&str]) -> Output {
    let mut command = phonetrail();
    command.arg("replay").arg("--source").arg(source).arg("--destination").arg(destination);
    command.args(["--output", "json"]).args(arguments);
    output(command).await
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// All rows of the newest version, whole but for when they were stored.
fn contents(destination: &Path) -> Vec<String> {
    let rows = all_columns(destination, &data_files(destination).0);
    rows.iter().map(|row| row.split_once(" ingested_at=").unwrap().0.to_owned()).collect()
}

fn truth(destination: &Path) -> Vec<String> {
    let mut records: Vec<String> = rows(destination).into_iter().map(|row| row.record).collect();
    records.sort();
    records
}

fn remove_table(destination: &Path) {
    std::fs::remove_dir_all(destination.join("operation_logs")).unwrap();
}

fn packs(destination: &Path) -> Vec<PathBuf> {
    snapshot(&destination.join("raw")).into_keys().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_table_comes_back_from_its_raw_pages() {
    let account = account().await;
    let before = contents(&account.path());
    remove_table(&account.path());

    let report = json(&replay(&account.path(), &account.path(), &[]).await);
    assert_eq!((report["rows"].as_u64(), report["version"].as_u64()), (Some(3_000), Some(1)));
    assert!(report["records_received"].as_u64() > Some(3_000));
    assert_eq!(contents(&account.path()), before);
    assert_eq!(truth(&account.path()), account.truth());

    // What the pages alone tell of the covered days is careful: some are read again, and bring nothing.
    let again = account.sync("2022-01-01", "2022-06-30").await.unwrap();
    assert_eq!((again.rows_new, again.days.settled), (0, 181));
    assert!(again.windows < 8, "{} windows were read again", again.windows);
    assert_eq!(truth(&account.path()), account.truth());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_destination_gets_rows_packs_and_coverage() {
    let (account, other) = (account().await, tempfile::tempdir().unwrap());
    json(&replay(&account.path(), other.path(), &[]).await);
    assert_eq!(contents(other.path()), contents(&account.path()));
    assert_eq!(packs(other.path()).len(), packs(&account.path()).len());

    let (theirs, ours) = (entries(&account.path()), entries(other.path()));
    let (theirs, ours) = (&theirs.last().unwrap().0, &ours.last().unwrap().0);
    assert_eq!((ours.work, ours.account_id.as_ref()), (WorkV1::Replay, None));
    assert_eq!((&ours.coverage, &ours.calibrations), (&theirs.coverage, &theirs.calibrations));
    assert_eq!(ours.rows.count, 3_000);
    assert_eq!(json(&replay(other.path(), other.path(), &["--check"]).await)["differences"], Value::Array(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_can_be_replaced_in_place_and_gains_a_version() {
    let account = account().await;
    let before = contents(&account.path());
    let version = json(&replay(&account.path(), &account.path(), &[]).await)["version"].as_u64().unwrap();
    assert_eq!(contents(&account.path()), before);
    let (entry, _) = entries(&account.path()).pop().unwrap();
    assert_eq!(entry.sequence, version);
    let proof = entry.rewritten.as_ref().unwrap();
    assert_eq!((&proof.before, proof.before.count, entry.rows.count), (&proof.after, 3_000, 0));
    assert!(!entry.files_removed.is_empty() && entry.files.len() <= entry.files_removed.len());

    account.sync("2022-06-01", "2022-06-30").await.unwrap();
    assert_eq!(truth(&account.path()), account.truth());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_a_text_that_was_altered_and_writes_nothing() {
    let account = account().await;
    let same = json(&replay(&account.path(), &account.path(), &["--check"]).await);
    assert_eq!(same["differences"], Value::Array(vec![]));

    let file = account.path().join("operation_logs").join(data_files(&account.path()).0.first().unwrap());
    alter_first_operator(&file);
    let before = snapshot(&account.path());
    let output = replay(&account.path(), &account.path(), &["--check"]).await;
    assert_eq!(output.status.code(), Some(65), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let difference = &report["differences"][0];
    assert!(file.to_string_lossy().contains(difference["partition"].as_str().unwrap()));
    assert_eq!(difference["archived"], difference["stored"], "a text differs, not the number of rows");
    assert_eq!(snapshot(&account.path()), before);
}

fn alter_first_operator(file: &Path) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(file).unwrap()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(file).unwrap(), batches[0].schema(), None).unwrap();
    for batch in batches {
        let place = batch.schema().index_of("operator").unwrap();
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns[place] = std::sync::Arc::new(StringArray::from(vec![Some("somebody@else.example"); batch.num_rows()]));
        writer.write(&RecordBatch::try_new(batch.schema(), columns).unwrap()).unwrap();
    }
    writer.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_replaced_that_the_raw_pages_do_not_hold() {
    let account = account().await;
    let pack = account.path().join("raw").join(packs(&account.path()).pop().unwrap());
    let kept = std::fs::read(&pack).unwrap();
    std::fs::remove_file(&pack).unwrap();
    let before = snapshot(&account.path());
    let output = replay(&account.path(), &account.path(), &[]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{text}");
    assert!(text.contains(pack.file_name().unwrap().to_str().unwrap()), "{text}");
    assert_eq!(snapshot(&account.path()), before);

    let mut damaged = kept;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&pack, damaged).unwrap();
    let output = replay(&account.path(), &account.path(), &["--check"]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{text}");
    assert!(text.contains(pack.file_name().unwrap().to_str().unwrap()), "{text}");
}

/// Dies when it is about to commit.
async fn dead_replay(source: &Path, destination: &Path) {
    let mut command = phonetrail();
    command.arg("replay").arg("--source").arg(source).arg("--destination").arg(destination);
    command.env("PHONETRAIL_FAIL_POINT", "commit.put");
    assert_eq!(output(command).await.status.code(), None);
}

#[cfg_attr(not(debug_assertions), ignore = "fail points are of builds with debug assertions")]
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_table_whose_replay_died_keeps_its_raw_pages() {
    let account = account().await;
    let before = packs(&account.path());
    remove_table(&account.path());
    dead_replay(&account.path(), &account.path()).await;

    let mut compact = phonetrail();
    compact.arg("compact").arg("--destination").arg(account.path());
    assert!(output(compact).await.status.success());
    assert_eq!(packs(&account.path()), before);
    assert_eq!(json(&replay(&account.path(), &account.path(), &[]).await)["rows"], 3_000);
    assert_eq!(truth(&account.path()), account.truth());
}

#[cfg_attr(not(debug_assertions), ignore = "fail points are of builds with debug assertions")]
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_removes_what_a_dead_one_left() {
    let (account, other) = (account().await, tempfile::tempdir().unwrap());
    dead_replay(&account.path(), other.path()).await;
    json(&replay(&account.path(), other.path(), &[]).await);
    assert_eq!(truth(other.path()), account.truth());
    assert_eq!(packs(other.path()).len(), packs(&account.path()).len());
}

#[cfg_attr(not(debug_assertions), ignore = "fail points are of builds with debug assertions")]
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_sync_that_died_keep_no_replay_in_place_from_its_work() {
    let account = Account::generated(600, "2022-01-01", "2022-02-28").await;
    account.sync("2022-01-01", "2022-01-31").await.unwrap();
    let before = truth(&account.path());
    let mut sync = account.command("sync");
    sync.args(["--from", "2022-01-01", "--to", "2022-02-28"]).env("PHONETRAIL_FAIL_POINT", "commit.put");
    assert_eq!(output(sync).await.status.code(), None);
    json(&replay(&account.path(), &account.path(), &[]).await);
    assert_eq!(truth(&account.path()), before);
}

/// While the replay waits for the answer to the so many-th request of `method` for `name`, a sync commits.
#[test_case(&[], Method::GET, "/raw/", 1; "after the packs are listed")]
#[test_case(&[], Method::GET, "/_delta_log/00000000000000000001.json", 3; "before the packs are listed")]
#[test_case(&[], Method::PUT, "/probe-", 1; "after the packs are read")]
#[test_case(&["--check"], Method::GET, "/_delta_log/00000000000000000001.json", 1; "before packs are listed that are compared")]
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_meets_a_commit_says_so_and_writes_nothing(
    arguments: &[&str],
    method: Method,
    name: &'static str,
    mut passages: u32,
) {
    let (account, s3) = (Account::generated(300, "2022-01-01", "2022-02-28").await, S3::start().await);
    let destination = Destination::on(Arc::new(s3.client()), &s3.url()).unwrap();
    let sync = async |from, to| {
        let request = SyncRequest { from: Some(day(from)), to: Some(day(to)), ..account.request() };
        pipeline::sync(&account.source(), &destination, &request).await.unwrap()
    };
    sync("2022-01-01", "2022-01-31").await;

    let (held, mut holds) = tokio::sync::mpsc::unbounded_channel();
    s3.treat(move |of, path| {
        passages -= u32::from(passages > 0 && *of == method && path.contains(name));
        let is_met = *of == method && path.contains(name) && passages == 0 && held.send(()).is_ok();
        if is_met { Treatment::Hold } else { Treatment::Answer }
    });
    let mut replay = phonetrail();
    s3.prepare(&mut replay);
    replay.args(["replay", "--source", &s3.url()]).args(arguments);
    let replay = tokio::spawn(output(replay));
    holds.recv().await.unwrap();
    holds.close();
    assert!(sync("2022-02-01", "2022-02-28").await.rows_new > 0);
    let before = snapshot(&s3.path());
    s3.treat(|_, _| Treatment::Answer);

    let line = refusal(&replay.await.unwrap(), 75);
    assert!(line.contains("another run committed") && line.contains("run again"), "{line}");
    let after = snapshot(&s3.path());
    let probe = |path: &PathBuf| path.to_string_lossy().contains("/probe-");
    assert!(after.iter().eq(before.iter().filter(|(path, _)| !probe(path))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_refused_leaves_no_directory_behind() {
    let (empty, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for destination in ["trail", "some/new/trail"] {
        assert_eq!(replay(empty.path(), &other.path().join(destination), &[]).await.status.code(), Some(74));
        assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ones_table_is_not_replaced() {
    let (one, other) = (account().await, Account::generated(300, "2022-01-01", "2022-01-31").await);
    other.sync("2022-01-01", "2022-01-31").await.unwrap();
    let before = snapshot(&other.path());
    let output = replay(&one.path(), &other.path(), &[]).await;
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(snapshot(&other.path()), before);

    let empty = tempfile::tempdir().unwrap();
    let output = replay(empty.path(), &other.path(), &[]).await;
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no raw pages"));
}
