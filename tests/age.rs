//! Tables of many commits: what spares a run the reading of the whole log changes nothing that it finds.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use phonetrail::load::{Selection, Store, Table};
use phonetrail::pipeline::{self, SyncRequest};
use test_case::test_case;

use crate::support::{Account, day, entries, rows};

/// An account whose table has more than fifty commits.
async fn aged() -> Account {
    let account = Account::generated(400, "2018-01-01", "2022-04-30").await;
    let request = SyncRequest {
        from: Some(day("2018-01-01")),
        to: Some(day("2022-04-30")),
        commit_records: 1,
        ..account.request()
    };
    pipeline::sync(&account.source(), &account.destination(), &request).await.unwrap();
    assert!(entries(&account.path()).len() > 52, "{}", entries(&account.path()).len());
    account
}

fn checkpoint(account: &Account) -> PathBuf {
    account.path().join(".phonetrail/checkpoint")
}

fn commit(account: &Account, version: u64) -> PathBuf {
    account.path().join(format!("operation_logs/_delta_log/{version:020}.json"))
}

/// The version that the checkpoint is of.
fn version(account: &Account) -> u64 {
    let bytes = std::fs::read(checkpoint(account)).unwrap();
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap();
    serde_json::from_slice::<serde_json::Value>(header).unwrap()["version"].as_u64().unwrap()
}

async fn live_files(account: &Account) -> Option<BTreeSet<(String, u64, Option<u64>)>> {
    let store = Store::open(&account.destination()).unwrap();
    let table = Table::open(&store).await.ok()??;
    let files = table.files(&Selection::All).await.ok()?;
    Some(files.into_iter().map(|file| (file.path, file.byte_count, file.row_count)).collect())
}

fn assert_exact(account: &Account) {
    let mut found: Vec<String> = rows(&account.path()).into_iter().map(|row| row.record).collect();
    found.sort();
    assert!(found == account.truth(), "the files are not the account: {} rows", found.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_checkpoint_the_same_is_read_without_the_log_before_it() {
    let account = aged().await;
    assert_exact(&account);
    assert!(version(&account) >= 50);
    let from_checkpoint = live_files(&account).await.unwrap();

    // What is not read cannot be missed.
    let early =
        [0, 1, 20].map(|version| (commit(&account, version), std::fs::read(commit(&account, version)).unwrap()));
    early.iter().for_each(|(path, _)| std::fs::remove_file(path).unwrap());
    assert_eq!(live_files(&account).await.unwrap(), from_checkpoint);
    std::fs::remove_file(checkpoint(&account)).unwrap();
    assert_eq!(live_files(&account).await, None);

    early.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    assert_eq!(live_files(&account).await.unwrap(), from_checkpoint);
    assert_eq!(account.sync("2022-04-01", "2022-04-30").await.unwrap().commits, 0);
}

#[test_case(|bytes| bytes.clear(); "empty")]
#[test_case(|bytes| bytes.truncate(bytes.len() - 1); "cut")]
#[test_case(|bytes| *bytes.last_mut().unwrap() ^= 1; "altered")]
#[test_case(|bytes| bytes.splice(0..0, *b"{}\n").for_each(drop); "of another format")]
#[test_case(|bytes| *bytes = String::from_utf8_lossy(bytes).replace("\"version\":5", "\"version\":4").into_bytes(); "of another version")]
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_damaged_is_not_believed(damage: fn(&mut Vec<u8>)) {
    let account = aged().await;
    let whole = live_files(&account).await.unwrap();
    let mut bytes = std::fs::read(checkpoint(&account)).unwrap();
    damage(&mut bytes);
    std::fs::write(checkpoint(&account), bytes).unwrap();

    assert_eq!(live_files(&account).await.unwrap(), whole);
    let report = account.sync("2022-05-01", "2022-05-02").await.unwrap();
    assert_eq!((report.commits, report.rows_new), (1, 0));
    assert_eq!(Some(version(&account)), report.version, "it is made again");
    assert_eq!(live_files(&account).await.unwrap(), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_made_at_another_commit_is_not_believed() {
    let account = aged().await;
    let whole = live_files(&account).await.unwrap();
    let commit = commit(&account, version(&account));
    let mut bytes = std::fs::read(&commit).unwrap();
    bytes.push(b'\n');
    std::fs::write(&commit, bytes).unwrap();

    // Proof that the log is read: without its beginning there is no table.
    assert_eq!(live_files(&account).await.unwrap(), whole);
    std::fs::remove_file(self::commit(&account, 0)).unwrap();
    assert_eq!(live_files(&account).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_cannot_be_written_is_no_failure() {
    let account = Account::generated(400, "2018-01-01", "2022-04-30").await;
    std::fs::create_dir_all(checkpoint(&account).join("in the way")).unwrap();
    let request = SyncRequest {
        from: Some(day("2018-01-01")),
        to: Some(day("2022-04-30")),
        commit_records: 1,
        ..account.request()
    };
    let report = pipeline::sync(&account.source(), &account.destination(), &request).await.unwrap();
    assert!(report.commits > 50);
    assert_exact(&account);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_left_behind_is_looked_for_only_where_one_did_not_end() {
    let account = Account::generated(50, "2022-01-01", "2022-01-31").await;
    account.sync("2022-01-01", "2022-01-31").await.unwrap();
    let marks = account.path().join(".phonetrail/runs");
    assert_eq!(std::fs::read_dir(&marks).unwrap().count(), 0);

    let left_behind = [
        "operation_logs/year=2022/month=1/category=user/part-0192f0c1-2d7a-7b6e-8f6e-0d5a3c1b2a50.parquet",
        "operation_logs/year=2022/month=1/category=user/part-0192f0c1-2d7a-7b6e-8f6e-0d5a3c1b2a51.parquet.staged",
        "raw/year=2022/month=1/0.ndjson.zst",
    ]
    .map(|path| account.path().join(path));
    for path in &left_behind {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    account.sync("2022-01-01", "2022-02-01").await.unwrap();
    assert!(left_behind.iter().all(|path| path.exists()));

    // A run is marked before it writes.
    let mark = std::fs::File::create(marks.join("of-a-run-that-died")).unwrap();
    mark.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    account.sync("2022-01-01", "2022-02-02").await.unwrap();
    assert!(left_behind.iter().all(|path| !path.exists()));
    assert_eq!(std::fs::read_dir(&marks).unwrap().count(), 0);
    assert_exact(&account);
}
