//! Many small files become few, and nothing else changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use chrono::TimeDelta;
use phonetrail::ledger::{EntryV1, WorkV1};
use phonetrail::pipeline::{self, CompactRequest, SyncRequest};
use phonetrail::query;
use phonetrail::simulator::{GeneratorConfig, SimulatorConfig};
use serde_json::Value;
use test_case::test_case;

use crate::support::{Account, all_columns, data_files, day, entries, output, phonetrail, rows, sha256, snapshot};

/// Few records a day, and all categories in the month.
async fn account() -> Account {
    Account::generated(1_200, "2022-04-01", "2022-04-30").await
}

/// Syncs April up to each of `days` in turn, as daily runs would. Gives their reports.
async fn daily_syncs(account: &Account, days: impl IntoIterator<Item = u32>) -> Vec<Value> {
    let mut reports = Vec::new();
    for last in days {
        let report = account.sync("2022-04-01", &format!("2022-04-{last:02}")).await.unwrap();
        reports.push(serde_json::to_value(report).unwrap());
    }
    reports
}

/// April with some files in nearly every partition, its last days not read.
async fn crowded() -> Account {
    let account = account().await;
    daily_syncs(&account, [7, 14, 21, 27]).await;
    assert!(most_files(&account.path()) > 2);
    account
}

const APRIL: [&str; 4] = ["--month", "2022-04", "--output", "json"];

/// The most files that a partition has in the newest version.
fn most_files(destination: &Path) -> usize {
    let mut partitions: BTreeMap<String, usize> = BTreeMap::new();
    for file in data_files(destination).0 {
        *partitions.entry(file.rsplit_once('/').unwrap().0.to_owned()).or_default() += 1;
    }
    partitions.into_values().max().unwrap()
}

fn compactions(destination: &Path) -> Vec<EntryV1> {
    entries(destination).into_iter().map(|(entry, _)| entry).filter(|entry| entry.work == WorkV1::Compact).collect()
}

/// The data files that lie there, whether or not a version names them.
fn present(destination: &Path) -> BTreeSet<String> {
    let table = destination.join("operation_logs");
    let files =
        snapshot(&table).into_keys().map(|path| path.strip_prefix(&table).unwrap().to_str().unwrap().to_owned());
    files.filter(|path| !path.starts_with("_delta_log")).collect()
}

fn assert_exact(account: &Account, destination: &Path) {
    let mut found: Vec<String> = rows(destination).into_iter().map(|row| row.record).collect();
    found.sort();
    assert!(found == account.truth(), "the table is not the account: {} rows", found.len());
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The real program on a table, with no account to ask.
fn command(destination: &Path, arguments: &[&str]) -> Command {
    let mut command = phonetrail();
    command.arg("compact").arg("--destination").arg(destination).args(arguments);
    command
}

async fn compact(destination: &Path, arguments: &[&str]) -> Output {
    output(command(destination, arguments)).await
}

/// A copy of a destination.
fn copy(destination: &Path, name: &str) -> PathBuf {
    let copy = destination.with_file_name(name);
    for (path, bytes) in snapshot(destination) {
        let path = copy.join(path.strip_prefix(destination).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_daily_syncs_end_as_at_most_one_file_per_partition_without_anyone_asking() {
    let account = account().await;
    let reports = daily_syncs(&account, 1..=29).await;
    let request = SyncRequest {
        from: Some(day("2022-04-01")),
        to: Some(day("2022-04-30")),
        grace: Some(TimeDelta::hours(24)),
        ..account.request()
    };
    let last = pipeline::sync(&account.source(), &account.destination(), &request).await.unwrap();
    let last = serde_json::to_value(last).unwrap();
    assert!(reports.iter().all(|report| report["compacted"] == Value::Array(vec![])), "the month was not over");
    assert_eq!(last["compacted"][0]["month"], "2022-04");
    assert_eq!((&last["commits"], &last["stopped"]), (&Value::from(2), &Value::Null));

    let destination = account.path();
    let (live, replaced) = data_files(&destination);
    assert_eq!(most_files(&destination), 1);
    assert!(live.len() >= 44 && replaced.len() > 200, "{} files for {}", live.len(), replaced.len());
    assert_exact(&account, &destination);

    let [entry] = compactions(&destination).try_into().unwrap();
    assert_eq!(last["compacted"][0]["files_removed"], entry.files_removed.len());
    assert_eq!(last["version"], entry.sequence);
    assert_proved(&destination, &entry);
    let before = all_columns(&destination, entry.files_removed.iter().map(|file| &file.path));
    let after = all_columns(&destination, entry.files.iter().map(|file| &file.path));
    assert!(before == after && !after.is_empty(), "some column of some row differs");
    for file in &entry.files {
        let path = BTreeSet::from([destination.join("operation_logs").join(&file.path)]);
        let rows: Vec<_> = rows(&destination).into_iter().filter(|row| path.contains(&row.file)).collect();
        assert!(rows.is_sorted_by_key(|row| (row.event_time, row.record_id.clone())), "{}", file.path);
    }

    let again = account.sync("2022-04-01", "2022-04-30").await.unwrap();
    assert_eq!((again.commits, again.compacted.len()), (0, 0), "there is nothing left to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sync_replaces_unasked_is_gone_when_it_ends() {
    let account = account().await;
    daily_syncs(&account, [10, 20, 30]).await;
    assert_eq!(compactions(&account.path()).len(), 1);
    assert_eq!(present(&account.path()), data_files(&account.path()).0);
    assert_eq!(most_files(&account.path()), 1);
}

/// What an entry says of files and rows is so, by the files themselves.
fn assert_proved(destination: &Path, entry: &EntryV1) {
    let proof = entry.rewritten.as_ref().unwrap();
    assert_eq!(proof.before, proof.after);
    assert_eq!((entry.rows.count, entry.rows.record_id_xor.as_str(), entry.account_id.as_ref()), (0, "", None));
    for (files, stated) in [(&entry.files_removed, &proof.before), (&entry.files, &proof.after)] {
        let (mut count, mut digest) = (0, 0);
        for file in files {
            let bytes = std::fs::read(destination.join("operation_logs").join(&file.path)).unwrap();
            assert_eq!((sha256(&bytes), bytes.len() as u64), (file.sha256.clone(), file.bytes));
            let ids: Vec<String> = all_columns(destination, [&file.path]);
            assert_eq!(ids.len() as u64, file.rows);
            for row in ids {
                let id = row.split_once("record_id=\"").unwrap().1;
                digest ^= u128::from_str_radix(&id[..32], 16).unwrap();
                count += 1;
            }
        }
        assert_eq!((count, format!("{digest:032x}")), (stated.count, stated.record_id_xor.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_months_whose_days_are_all_final_are_compacted_unless_named() {
    let account = crowded().await;
    let destination = account.path();
    let nothing = json(&compact(&destination, &["--output", "json"]).await);
    assert_eq!((&nothing["compacted"], &nothing["stopped"]), (&Value::Array(vec![]), &Value::Null));
    let nothing = json(&compact(&destination, &["--output", "json", "--month", "2022-05", "--month", "0000-00"]).await);
    assert_eq!(nothing["compacted"], Value::Array(vec![]));
    assert!(compactions(&destination).is_empty());

    let done = json(&compact(&destination, &APRIL).await);
    let [entry] = compactions(&destination).try_into().unwrap();
    assert_eq!(done["compacted"][0]["month"], "2022-04");
    assert_eq!(done["compacted"][0]["files_added"], entry.files.len());
    assert_eq!(done["compacted"][0]["rows"], entry.rewritten.as_ref().unwrap().after.count);
    assert_eq!(most_files(&destination), 1);
    assert_proved(&destination, &entry);

    let shown = compact(&destination, &["--month", "2022-04"]).await;
    assert!(String::from_utf8_lossy(&shown.stdout).contains("compacted nothing"), "{shown:?}");
    daily_syncs(&account, [30]).await;
    assert_exact(&account, &destination);
    assert_eq!((most_files(&destination), compactions(&destination).len()), (1, 2), "the late day was merged in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_an_earlier_version_is_left_in_peace_for_the_time_of_grace() {
    let account = crowded().await;
    let destination = account.path();
    let earlier = query::frame(&account.destination(), &query::default_cache()).await.unwrap();
    let count = |frame: &query::polars::prelude::LazyFrame| {
        let frame = frame.clone();
        tokio::task::spawn_blocking(move || frame.collect().map(|rows| rows.height()))
    };
    let expected = count(&earlier).await.unwrap().unwrap();
    json(&compact(&destination, &APRIL).await);
    let (live, replaced) = data_files(&destination);
    assert_eq!(present(&destination), &live | &replaced);
    assert_eq!(count(&earlier).await.unwrap().unwrap(), expected);

    // Within the grace no later run removes them, whatever it does.
    daily_syncs(&account, [28]).await;
    json(&compact(&destination, &APRIL).await);
    assert_eq!(count(&earlier).await.unwrap().unwrap(), expected);

    let (live, replaced) = data_files(&destination);
    let deleted = json(&compact(&destination, &["--grace", "0", "--output", "json"]).await);
    assert_eq!(deleted["files_deleted"], replaced.len());
    assert_eq!(present(&destination), live);
    assert!(count(&earlier).await.unwrap().is_err());
    let now = query::frame(&account.destination(), &query::default_cache()).await.unwrap();
    assert_eq!(count(&now).await.unwrap().unwrap(), rows(&destination).len());
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_files_go_with_the_first_run_after_their_grace() {
    let account = crowded().await;
    let destination = account.path();
    json(&compact(&destination, &APRIL).await);
    let (live, replaced) = data_files(&destination);
    assert_eq!(present(&destination), &live | &replaced);

    let log = destination.join("operation_logs/_delta_log");
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(24 * 60 * 60 + 60);
    for path in snapshot(&log).into_keys() {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(yesterday).unwrap();
    }
    daily_syncs(&account, [28]).await;
    assert_eq!(present(&destination), data_files(&destination).0);
}

/// Makes the log and the marks of runs so much older.
fn let_hours_go_by(destination: &Path, hours: u64) {
    for directory in ["operation_logs/_delta_log", ".phonetrail/runs"] {
        for path in snapshot(&destination.join(directory)).into_keys() {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            let modified = file.metadata().unwrap().modified().unwrap();
            file.set_modified(modified - Duration::from_secs(hours * 60 * 60)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_files_stay_as_long_as_they_were_promised_to_whatever_later_syncs_are_told() {
    let account = crowded().await;
    let destination = account.path();
    json(&compact(&destination, &[&APRIL[..], &["--grace", "72"]].concat()).await);
    assert_eq!(compactions(&destination)[0].grace_seconds, Some(72 * 60 * 60));
    let (live, replaced) = data_files(&destination);

    for sync in [&[][..], &["--grace", "24"]] {
        let_hours_go_by(&destination, 30);
        assert!(
            account
                .run("sync", &[&["--from", "2022-04-01", "--to", "2022-04-27"], sync].concat())
                .await
                .status
                .success()
        );
        json(&compact(&destination, &APRIL).await);
        assert_eq!(present(&destination), &live | &replaced);
    }
    let_hours_go_by(&destination, 13);
    daily_syncs(&account, [27]).await;
    assert_eq!(present(&destination), live);
    assert_eq!(std::fs::read_dir(destination.join(".phonetrail/runs")).unwrap().count(), 0);
}

/// Syncs the rest of April, and dies when it has compacted the month.
async fn sync_that_dies(account: &Account, arguments: &[&str]) {
    let mut sync = account.command("sync");
    sync.args(["--from", "2022-04-01", "--to", "2022-04-30"]).args(arguments);
    sync.env("PHONETRAIL_FAIL_POINT", "commit.made:2");
    assert_eq!(output(sync).await.status.code(), None);
    assert_eq!(compactions(&account.path()).last().unwrap().sequence as usize + 1, entries(&account.path()).len());
}

#[cfg_attr(not(debug_assertions), ignore = "fail points are of builds with debug assertions")]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_sync_replaced_unasked_before_it_died_goes_with_the_next_one() {
    let account = account().await;
    daily_syncs(&account, [5, 10, 20]).await;
    json(&compact(&account.path(), &APRIL).await);
    let asked = data_files(&account.path()).1;
    sync_that_dies(&account, &[]).await;
    let (live, replaced) = data_files(&account.path());
    assert!(asked.len() < replaced.len());
    assert_eq!(present(&account.path()), &live | &replaced);

    daily_syncs(&account, [30]).await;
    assert_eq!(present(&account.path()), &live | &asked, "what was replaced on request stays");
    json(&compact(&account.path(), &["--grace", "0", "--output", "json"]).await);
    assert_eq!(present(&account.path()), live);
}

#[cfg_attr(not(debug_assertions), ignore = "fail points are of builds with debug assertions")]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_sync_replaced_that_was_told_of_readers_outlives_it() {
    let account = account().await;
    daily_syncs(&account, [10, 20]).await;
    sync_that_dies(&account, &["--grace", "2"]).await;
    let (live, replaced) = data_files(&account.path());
    daily_syncs(&account, [30]).await;
    assert_eq!(present(&account.path()), &live | &replaced);
    let_hours_go_by(&account.path(), 3);
    daily_syncs(&account, [30]).await;
    assert_eq!(present(&account.path()), live);
}

#[test_case(TimeDelta::zero(); "without grace")]
#[test_case(TimeDelta::hours(24); "with grace")]
#[tokio::test(flavor = "multi_thread")]
async fn files_that_only_the_run_itself_knew_go_at_once(grace: TimeDelta) {
    let account = account().await;
    let request = SyncRequest {
        from: Some(day("2022-04-01")),
        to: Some(day("2022-04-30")),
        commit_records: 1,
        grace: Some(grace),
        ..account.request()
    };
    let report = pipeline::sync(&account.source(), &account.destination(), &request).await.unwrap();
    assert_eq!((report.compacted.len(), report.commits > 2), (1, true));
    assert_eq!(present(&account.path()), data_files(&account.path()).0);
    assert_exact(&account, &account.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_file_is_refused_and_spoils_no_sync() {
    let account = crowded().await;
    let destination = account.path();
    let (live, _) = data_files(&destination);
    let victim = live.iter().find(|file| file.contains("phone_number")).unwrap();
    let path = destination.join("operation_logs").join(victim);
    let bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    std::fs::write(&path, [&bytes[..middle], &[!bytes[middle]], &bytes[middle + 1..]].concat()).unwrap();
    let (files, before) = (present(&destination), entries(&destination).len());

    let refused = compact(&destination, &APRIL).await;
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(65), "{told}");
    assert!(told.contains(victim) && told.contains("SHA-256"), "{told}");
    assert_eq!((present(&destination), entries(&destination).len()), (files, before));

    let synced = account.run("sync", &["--from", "2022-04-01", "--to", "2022-04-30", "--output", "json"]).await;
    let report = json(&synced);
    let told = String::from_utf8_lossy(&synced.stderr);
    assert_eq!((&report["stopped"], &report["compacted"]), (&Value::Null, &Value::Array(vec![])));
    assert!(told.contains("WARN") && told.contains(victim.as_str()), "{told}");

    std::fs::write(&path, bytes).unwrap();
    assert_eq!(account.sync("2022-04-01", "2022-04-30").await.unwrap().compacted.len(), 1);
    assert_exact(&account, &destination);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_compactions_at_once_one_wins_and_the_other_harms_nothing() {
    let account = crowded().await;
    for round in 0..2 {
        let destination = copy(&account.path(), &round.to_string());
        let (one, other) = tokio::join!(compact(&destination, &APRIL), compact(&destination, &APRIL));
        let done = [json(&one), json(&other)].iter().map(|report| report["compacted"].as_array().unwrap().len()).sum();
        assert_eq!((1_usize, compactions(&destination).len(), most_files(&destination)), (done, 1, 1));
        let (live, replaced) = data_files(&destination);
        assert_eq!(present(&destination), &live | &replaced, "the loser's files are gone");
        assert_eq!(rows(&destination).len(), rows(&account.path()).len());
    }
}

#[test_case("0")]
#[test_case("24")]
#[tokio::test(flavor = "multi_thread")]
async fn compactions_and_syncs_at_once_end_well_and_the_table_is_exact(grace: &str) {
    let generated = GeneratorConfig { seed: 3, records: 1_500, from: day("2022-04-01"), to: day("2022-06-30") };
    let config = SimulatorConfig::default().with_generated(generated).with_latency("5ms".parse().unwrap());
    let account = Account::start(config).await;
    for last in ["04-10", "04-20", "05-10"] {
        account.sync("2022-04-01", &format!("2022-{last}")).await.unwrap();
    }
    let compact = ["--month", "2022-04", "--month", "2022-05", "--month", "2022-06", "--grace", grace];
    let sync = |to: &'static str| {
        let arguments = ["--from", "2022-04-01", "--to", to, "--grace", grace, "--settle-hours", "1000000"];
        let account = &account;
        async move { account.run("sync", &arguments).await }
    };
    for to in ["2022-05-25", "2022-06-12", "2022-06-30"] {
        let outputs =
            tokio::join!(sync(to), account.run("compact", &compact), sync(to), account.run("compact", &compact));
        for output in <[Output; 4]>::from(outputs) {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert_exact(&account, &account.path());
    json(&account.run("compact", &[&compact[..], &["--output", "json"]].concat()).await);
    assert_exact(&account, &account.path());
    assert_eq!(most_files(&account.path()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_leaves_the_table_as_it_was() {
    let account = crowded().await;
    let destination = account.path();
    let files = present(&destination);
    for delay in [0, 40] {
        let request = CompactRequest { months: vec!["2022-04".parse().unwrap()], ..CompactRequest::default() };
        let stop = request.stop.clone();
        let stopped = async {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            stop.cancel();
        };
        let at = account.destination();
        let (report, ()) = tokio::join!(pipeline::compact(&at, &request), stopped);
        let report = report.unwrap();
        assert!(report.stopped.is_some());
        if report.compacted.is_empty() {
            assert_eq!(present(&destination), files);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compacted_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = compact(directory.path(), &[]).await;
    assert_eq!(nothing.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("there is no table"), "{nothing:?}");
    let wrong = compact(directory.path(), &["--month", "2022-13"]).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("`2022-13` is no month"), "{wrong:?}");
}
