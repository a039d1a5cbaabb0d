//! A destination on object storage: the same table, no lock, and nothing lost or doubled whatever the store does.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use object_store::memory::InMemory;
use phonetrail::load::{DEFAULT_GRACE, Destination};
use phonetrail::pipeline::{self, SyncRequest};
use phonetrail::query;
use phonetrail::simulator::SimulatorConfig;
use test_case::test_case;

use crate::support::{Account, S3, Treatment, day, output, phonetrail, placed, refusal, rows, snapshot};

const RANGE: [&str; 4] = ["--from", "2022-01-01", "--to", "2022-03-31"];
const JSON: [&str; 2] = ["--output", "json"];

/// How many records the account has.
const RECORDS: u64 = 300;

/// An account of three months. Few categories make few files.
async fn account() -> Account {
    let start: DateTime<Utc> = "2022-01-01T00:00:00Z".parse().unwrap();
    let records = (0..RECORDS as i64).map(|n| {
        let time = (start + TimeDelta::hours(7 * n)).to_rfc3339_opts(SecondsFormat::Secs, true);
        let category = ["Device", "Phone Number"][n as usize % 2];
        let text = format!(
            r#"{{"action":"ADD","category_type":"{category}","operation_detail":"Add {n}","operator":"o@example.com","time":"{time}"}}"#
        );
        (text, time)
    });
    Account::start(SimulatorConfig::default().with_records(placed(records))).await
}

fn command(account: &Account, s3: &S3, subcommand: &str, arguments: &[&str]) -> Command {
    let mut command = account.command(subcommand);
    s3.prepare(&mut command);
    command.args(arguments);
    command
}

async fn run(account: &Account, s3: &S3, subcommand: &str, arguments: &[&str]) -> Output {
    output(command(account, s3, subcommand, arguments)).await
}

/// Syncs to the end, and gives the report.
async fn sync(account: &Account, s3: &S3) -> serde_json::Value {
    json(&run(account, s3, "sync", &[&RANGE[..], &JSON].concat()).await)
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every record of the account stands once in the files, and nothing lies there that does not belong.
fn assert_exact(account: &Account, destination: &Path) {
    let mut found: Vec<String> = rows(destination).into_iter().map(|row| row.record).collect();
    found.sort();
    assert!(found == account.truth(), "the table is not the account: {} rows", found.len());
    let strange: Vec<_> = snapshot(destination)
        .into_keys()
        .map(|path| path.strip_prefix(destination).unwrap().to_str().unwrap().to_owned())
        .filter(|path| path.starts_with(".phonetrail") || path.contains(".staged"))
        .collect();
    assert_eq!(strange, [""; 0]);
}

/// Every record of the account stands once in the table as its log has it: files of dead runs, and files that a compaction
/// replaced, lie there until their time is over.
async fn assert_exact_by_log(account: &Account, s3: &S3) {
    let cache = tempfile::tempdir().unwrap();
    let sql = "SELECT COUNT(*) AS found, COUNT(DISTINCT record_id) AS records FROM operation_logs";
    let arguments = ["--output", "json", "--cache", cache.path().to_str().unwrap(), sql];
    let answer = json(&run(account, s3, "query", &arguments).await);
    assert_eq!((&answer[0]["found"], &answer[0]["records"]), (&RECORDS.into(), &RECORDS.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_on_s3_is_synced_looked_at_and_asked_as_one_on_disk() {
    let (account, s3) = (account().await, S3::start().await);

    assert_eq!(sync(&account, &s3).await["rows_new"], RECORDS);
    assert_exact(&account, &s3.path());
    let before = snapshot(&s3.path());
    assert_eq!(sync(&account, &s3).await["requests"], 0);
    assert_eq!(snapshot(&s3.path()), before);

    let status = json(&run(&account, &s3, "status", &JSON).await);
    assert_eq!((&status["rows"], &status["table"]), (&RECORDS.into(), &format!("{}/operation_logs/", s3.url()).into()));
    let checked = run(&account, &s3, "check", &[]).await;
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.lines().all(|line| line.starts_with("ok")), "{checked}");
    assert_eq!(snapshot(&s3.path()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_fetches_the_files_that_it_needs_once() {
    let (account, s3, cache) = (account().await, S3::start().await, tempfile::tempdir().unwrap());
    sync(&account, &s3).await;
    let mut by_month: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows(&s3.path()) {
        *by_month.entry(row.partition.split('/').nth(1).unwrap().to_owned()).or_default() += 1;
    }
    let files = |root: &Path| -> Vec<String> {
        let files = snapshot(root).into_keys().filter(|path| path.extension().is_some_and(|end| end == "parquet"));
        files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let ask = async |condition: &str| {
        let sql = format!("SELECT COUNT(*) AS n FROM operation_logs {condition}");
        let arguments = ["--output", "json", "--cache", cache.path().to_str().unwrap(), &sql];
        json(&run(&account, &s3, "query", &arguments).await)[0]["n"].clone()
    };

    assert_eq!(ask("WHERE year = 2022 AND month = 2").await, by_month["month=2"]);
    let february = files(&s3.path().join("operation_logs/year=2022/month=2"));
    assert_eq!(files(cache.path()).len(), february.len());
    assert_eq!(ask("WHERE event_time >= '2022-03-01 00:00:00'").await, by_month["month=3"]);
    assert_eq!(ask("").await, RECORDS);
    assert_eq!(files(cache.path()).len(), files(&s3.path()).len());

    s3.treat(|_, path| if path.ends_with(".parquet") { Treatment::Deny } else { Treatment::Answer });
    assert_eq!(ask("WHERE month < 3").await, by_month["month=1"] + by_month["month=2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_at_once_end_well_and_the_table_is_exact() {
    let (account, s3) = (account().await, S3::start().await);
    let (one, other) = tokio::join!(sync(&account, &s3), sync(&account, &s3));
    assert_eq!(one["rows_new"].as_u64().unwrap() + other["rows_new"].as_u64().unwrap(), RECORDS);
    assert_exact_by_log(&account, &s3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_of_many_commits_meet_and_the_table_is_exact() {
    let (account, s3) = (account().await, S3::start().await);
    let destination = Destination::on(Arc::new(s3.client()), &s3.url()).unwrap();
    let request = |from: &str, to: &str| SyncRequest {
        from: Some(day(from)),
        to: Some(day(to)),
        commit_records: 1,
        ..account.request()
    };
    let (one, other) = (request("2022-01-01", "2022-03-15"), request("2022-01-20", "2022-03-31"));
    let source = account.source();
    let (one, other) =
        tokio::join!(pipeline::sync(&source, &destination, &one), pipeline::sync(&source, &destination, &other));
    assert_eq!(one.unwrap().rows_new + other.unwrap().rows_new, RECORDS);
    assert_exact_by_log(&account, &s3).await;
}

/// Every put is so treated at first. That an object exists is said of commits, which are to be the first to write it.
#[test_case(Treatment::LoseAnswer, ""; "that are done and answered 503")]
#[test_case(Treatment::Exists, "_delta_log"; "of commits that are done and answered as if another were there")]
#[test_case(Treatment::Reset, ""; "cut off on the way")]
#[test_case(Treatment::LoseConnection, ""; "that are done and never answered")]
#[test_case(Treatment::Delay(Duration::from_millis(700)), ""; "answered late")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_by_puts(treatment: Treatment, name: &'static str) {
    let (account, s3) = (account().await, S3::start().await);
    let mut seen: HashMap<String, u32> = HashMap::new();
    s3.treat(move |method, path| {
        let times = seen.entry(path.to_owned()).or_default();
        *times += u32::from(method == Method::PUT);
        if method == Method::PUT && path.contains(name) && *times == 1 { treatment } else { Treatment::Answer }
    });
    assert_eq!(sync(&account, &s3).await["rows_new"], RECORDS);
    assert_exact(&account, &s3.path());
    assert_eq!(json(&run(&account, &s3, "status", &JSON).await)["sequence"], 1);
}

#[test_case(false; "which always overwrites")]
#[test_case(true; "which overwrites what was written a moment ago")]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_refused(only_at_first: bool) {
    let (account, s3) = (account().await, S3::start().await);
    let mut first: HashMap<String, Instant> = HashMap::new();
    s3.treat(move |_, path| {
        let first = first.entry(path.to_owned()).or_insert_with(Instant::now);
        let settled = only_at_first && first.elapsed() > Duration::from_millis(200);
        if settled { Treatment::Answer } else { Treatment::Overwrite }
    });
    let line = refusal(&run(&account, &s3, "sync", &RANGE).await, 74);
    assert!(line.contains(&s3.url()) && line.contains("Concurrent runs would lose commits"), "{line}");
    assert_eq!(snapshot(&s3.path()), BTreeMap::new());
    assert_eq!(account.simulator.stats().report_requests, 0, "no quota is burnt for it");

    let checked = run(&account, &s3, "check", &[]).await;
    assert_eq!(checked.status.code(), Some(74));
    assert!(String::from_utf8(checked.stdout).unwrap().contains("fails   destination"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_differs_is_told() {
    let (account, s3) = (account().await, S3::start().await);
    s3.treat(|_, _| Treatment::Backdate(TimeDelta::hours(2)));
    let checked = run(&account, &s3, "check", &[]).await;
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.contains("warning destination") && checked.contains("by -7200 s"), "{checked}");
}

#[test_case("AWS_SECRET_ACCESS_KEY", "swordfish", &["SignatureDoesNotMatch", "AWS_*"]; "a wrong secret")]
#[test_case("AWS_ACCESS_KEY_ID", "nobody", &["403", "AWS_*"]; "an unknown key")]
#[test_case("PHONETRAIL_DESTINATION", "s3://nowhere/trail", &["NoSuchBucket", "bucket or container exists"]; "no such bucket")]
#[test_case("PHONETRAIL_DESTINATION", "s3://key:swordfish@audit/trail", &["leave them to the environment"]; "a key in the URL")]
#[test_case("AWS_ENDPOINT_URL", "http://192.0.2.1:9000", &["192.0.2.1", "https"]; "an endpoint elsewhere in clear")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_setting_is_told_in_a_line_without_secrets(name: &str, value: &str, words: &[&str]) {
    let (account, s3) = (account().await, S3::start().await);
    for subcommand in ["sync", "status"] {
        let mut command = command(&account, &s3, subcommand, &[]);
        command.env(name, value).env("PHONETRAIL_LOG", "trace").env("AWS_SESSION_TOKEN", "swordfish-too");
        let output = output(command).await;
        let line = refusal(&output, if words[0].starts_with("leave") { 78 } else { 74 });
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!text.contains("swordfish") && !text.contains("simulated-and-no-secret-either"), "{text}");
    }
    assert_eq!(account.simulator.stats().report_requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_on_the_command_line_is_not_repeated() {
    for (destination, word) in
        [("s3://key:swordfish@bucket/x", "credentials"), ("ftp://swordfish/x", "s3, s3a, gs, az")]
    {
        let mut command = phonetrail();
        command.args(["status", "--destination", destination]);
        let line = refusal(&output(command).await, 2);
        assert!(line.contains(word) && !line.contains("swordfish"), "{line}");
    }
}

#[test_case("raw/"; "of a pack")]
#[test_case(".parquet"; "of a data file")]
#[test_case("_delta_log/00000000000000000002.json"; "of a commit")]
#[tokio::test(flavor = "multi_thread")]
async fn a_permission_lost_under_way_is_told_by_the_object(name: &'static str) {
    let (account, s3) = (account().await, S3::start().await);
    let january = ["--from", "2022-01-01", "--to", "2022-01-31", "--output", "json"];
    json(&run(&account, &s3, "sync", &january).await);
    let before = rows(&s3.path()).len();
    s3.treat(
        move |method, path| {
            if method == Method::PUT && path.contains(name) { Treatment::Deny } else { Treatment::Answer }
        },
    );
    let line = refusal(&run(&account, &s3, "sync", &RANGE).await, 74);
    assert!(line.contains(name) && line.contains("403"), "{line}");
    let status = json(&run(&account, &s3, "status", &JSON).await);
    assert_eq!(status["rows"], before, "what was committed stays");

    s3.treat(|_, _| Treatment::Answer);
    sync(&account, &s3).await;
    let status = json(&run(&account, &s3, "status", &JSON).await);
    assert_eq!(status["rows"], RECORDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_go_when_they_are_older_than_the_time_of_grace() {
    let (account, s3) = (account().await, S3::start().await);
    sync(&account, &s3).await;
    let before: Vec<_> = snapshot(&s3.path()).into_keys().collect();
    let hour = TimeDelta::hours(1);
    for (age, name) in [(DEFAULT_GRACE - hour, "young"), (DEFAULT_GRACE + hour, "old")] {
        s3.plant(&format!("operation_logs/year=2022/month=2/category=user/part-{name}.parquet"), age);
        s3.plant(&format!("raw/year=2022/month=2/{name}.ndjson.zst"), age);
    }
    s3.plant("operation_logs/year=2022/notes.parquet", DEFAULT_GRACE * 2);
    s3.plant(".phonetrail/runs/of-a-run-that-died", DEFAULT_GRACE * 3);

    sync(&account, &s3).await;
    let after = snapshot(&s3.path()).into_keys().filter(|path| !before.contains(path));
    let after: Vec<_> = after.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(after, ["part-young.parquet", "notes.parquet", "young.ndjson.zst"]);
    assert!(before.iter().all(|path| path.exists()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_can_bring_a_store_of_its_own() {
    let account = Account::start(SimulatorConfig::default()).await;
    let record = r#"{"action":"ADD","category_type":"Device","operation_detail":"Add Device d","operator":"a@b.example","time":"2022-01-05T00:00:00Z"}"#;
    account.simulator.add(placed([(record.to_owned(), "2022-01-05T00:00:00Z")]));
    let destination = Destination::on(Arc::new(InMemory::new()), "memory:///trail").unwrap();
    let request = SyncRequest { from: Some(day("2022-01-01")), to: Some(day("2022-01-31")), ..account.request() };
    assert_eq!(pipeline::sync(&account.source(), &destination, &request).await.unwrap().rows_new, 1);
    assert_eq!(pipeline::status(&destination).await.unwrap().unwrap().rows, 1);

    let cache = tempfile::tempdir().unwrap();
    let answer = query::query(&destination, "SELECT object_name FROM operation_logs", cache.path()).await.unwrap();
    assert_eq!(answer.rows, [[serde_json::Value::from("d")]]);
}
