//! Quotas: whole windows are kept, and the next run goes on.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use phonetrail::simulator::{AccountRecord, GeneratorConfig, Latency, RateLimits, SecondWindow, SimulatorConfig};
use serde_json::Value;
use test_case::test_case;

use crate::support::{Account, day, output, rows};

const RANGE: [&str; 6] = ["--from", "2022-01-01", "--to", "2022-12-31", "--output", "json"];

async fn account(latency: Duration) -> Account {
    let generated = GeneratorConfig { seed: 31, records: 9_000, from: day("2022-01-01"), to: day("2022-12-31") };
    Account::start(SimulatorConfig::default().with_generated(generated).with_latency(Latency::fixed(latency))).await
}

fn assert_exact(account: &Account) {
    let mut found: Vec<String> = rows(&account.path()).into_iter().map(|row| row.record).collect();
    found.sort();
    assert!(found == account.truth());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_to_its_own_limit_and_the_next_ones_go_on() {
    let account = account(Duration::ZERO).await;
    let mut runs = 0;
    loop {
        runs += 1;
        let before = account.simulator.stats().report_requests;
        let output = account.run("sync", &[&RANGE[..], &["--max-requests", "12"]].concat()).await;
        assert!(account.simulator.stats().report_requests - before <= 12);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        match output.status.code() {
            Some(0) => break,
            Some(75) => assert_eq!(report["stopped"]["reason"], "run_limit"),
            code => panic!("{code:?}: {}", String::from_utf8_lossy(&output.stderr)),
        }
        assert!(runs < 30);
    }
    assert!(runs > 2);
    assert_exact(&account);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_the_day_are_remembered_across_runs() {
    let account = account(Duration::ZERO).await;
    let run = |arguments: &'static [&'static str]| account.run("sync", arguments);
    let january =
        ["--from", "2022-01-01", "--to", "2022-01-31", "--output", "json", "--plan", "1000/s,5/day", "--reserve", "0"];
    let first = run(Box::leak(Box::new(january))).await;
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let made = account.simulator.stats().report_requests;
    assert!((3..=5).contains(&made), "{made}");

    let year = ["--from", "2022-01-01", "--to", "2022-12-31", "--plan", "1000/s,6/day", "--reserve", "1"];
    let second = run(Box::leak(Box::new(year))).await;
    assert_eq!(second.status.code(), Some(75), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(account.simulator.stats().report_requests <= 5);
}

/// Fourteen windows of some forty pages of ten records.
async fn even_account(totals_given: bool) -> Account {
    let start: DateTime<Utc> = "2022-01-01T00:00:00Z".parse().unwrap();
    let record = |n: u32| {
        let at = start + TimeDelta::minutes(94) * n as i32;
        let category = ["Device", "Phone Number"][n as usize % 2];
        let time = at.format("%Y-%m-%dT%H:%M:%SZ");
        let text = format!(
            r#"{{"action":"ADD","category_type":"{category}","operation_detail":"Add {n}","operator":"o@example.com","time":"{time}"}}"#
        );
        AccountRecord::new(text, at)
    };
    let records = (0..5_590).map(record).collect();
    Account::start(SimulatorConfig::default().with_records(records).with_totals_given(totals_given)).await
}

/// Syncs with at most `limit` requests a run until all is there, and gives how many runs that took. Of the requests of
/// a run, at most `most_wasted` may be for nothing.
async fn synced_in_runs_of(limit: u64, most_wasted: u64, account: &Account) -> u64 {
    let limit_text = limit.to_string();
    let arguments = [&RANGE[..], &["--page-size", "10", "--max-requests", &limit_text]].concat();
    for run in 1..=40 {
        let output = account.run("sync", &arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("run {run}: {errors}"));
        let number = |name: &str| report[name].as_u64().unwrap();
        let wasted = number("requests") - number("pages");
        assert!(number("rows_new") > 0, "run {run} stored nothing");
        assert!(wasted <= most_wasted, "run {run}: {wasted} of {} requests", number("requests"));
        match output.status.code() {
            Some(0) => return run,
            Some(75) => assert_eq!(report["stopped"]["reason"], "run_limit"),
            code => panic!("{code:?}: {errors}"),
        }
    }
    panic!("it does not end");
}

// A run of few requests reads fewer days, some of which the next one must read again.
#[test_case(280, 3; "half")]
#[test_case(90, 8; "two_windows")]
#[test_case(30, 27; "less_than_a_window")]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_run_may_ask_goes_into_whole_windows(limit: u64, most_runs: u64) {
    let account = even_account(true).await;
    let runs = synced_in_runs_of(limit, limit / 20 + limit.min(40), &account).await;
    assert_exact(&account);
    assert!(runs <= most_runs, "{runs} runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_totals_a_run_reads_whole_windows_too() {
    let account = even_account(false).await;
    // Every window is read twice, so its pages are half of its requests.
    synced_in_runs_of(300, 150 + 300 / 20 + 80, &account).await;
    assert_exact(&account);
}

/// Requests per second that the account allows.
const RATE: u32 = 20;

/// An account that lets so many requests through in any second, wherever it begins.
async fn limited_account() -> Account {
    let limits = RateLimits { per_second: Some(RATE), per_day: None };
    let generated = GeneratorConfig { seed: 31, records: 9_000, from: day("2022-01-01"), to: day("2022-12-31") };
    let config = SimulatorConfig::default()
        .with_generated(generated)
        .with_latency(Latency::fixed(Duration::from_millis(50)))
        .with_rate_limits(limits)
        .with_second_window(SecondWindow::Sliding);
    Account::start(config).await
}

/// A sync of it at its own rate, into `destination`.
async fn sync_at_the_limit(account: &Account, destination: &Path) -> Value {
    let mut command = account.command("sync");
    command
        .args(RANGE)
        .args(["--page-size", "100", "--plan", &format!("{RATE}/s,30000/day")])
        .env("PHONETRAIL_DESTINATION", destination);
    let output = output(command).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_accounts_own_rate_no_request_is_one_too_many() {
    let mut throttled = Vec::new();
    // A busy machine may hold up one request and not the next; a rate that is wrong would show every time.
    for _ in 0..3 {
        let account = limited_account().await;
        let report = sync_at_the_limit(&account, &account.path()).await;
        assert_exact(&account);
        throttled.push(report["throttled"].as_u64().unwrap());
        if throttled.ends_with(&[0]) {
            return;
        }
    }
    panic!("{throttled:?} requests were one too many");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_that_share_the_rate_are_slower_and_whole() {
    let account = limited_account().await;
    let other = tempfile::tempdir().unwrap();
    let other = other.path().join("other");
    let path = account.path();
    let reports = tokio::join!(sync_at_the_limit(&account, &path), sync_at_the_limit(&account, &other));
    assert_exact(&account);
    let mut found: Vec<String> = rows(&other).into_iter().map(|row| row.record).collect();
    found.sort();
    assert!(found == account.truth());
    for report in [reports.0, reports.1] {
        let number = |name: &str| report[name].as_u64().unwrap();
        assert!(number("throttled") * 4 <= number("requests"), "{report}");
    }
}
