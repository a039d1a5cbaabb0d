//! A day that takes more requests than a run may ever make: it is told of, and all others are read.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use phonetrail::simulator::{AccountRecord, SimulatorConfig};
use serde_json::Value;
use test_case::test_case;

use crate::support::{Account, refusal, rows};

/// Which that is: it has 30 pages, and the days beside it one each.
const LONG_DAY: &str = "2022-03-02";
const PAGE_SIZE: [&str; 2] = ["--page-size", "10"];
/// Days of several windows, so that it is found out how these may meet.
const SPRING: [&str; 4] = ["--from", "2022-01-01", "--to", "2022-04-20"];
/// Of a single window: parts of it share days.
const MARCH: [&str; 4] = ["--from", "2022-02-24", "--to", "2022-03-15"];

async fn account(totals_given: bool) -> Account {
    let record = |at: DateTime<Utc>| {
        let time = at.format("%Y-%m-%dT%H:%M:%SZ");
        let text = format!(
            r#"{{"action":"ADD","category_type":"Device","operation_detail":"Add","operator":"o@example.com","time":"{time}"}}"#
        );
        AccountRecord::new(text, at)
    };
    let start: DateTime<Utc> = "2022-01-01T00:30:00Z".parse().unwrap();
    let all = (0..440).map(|n| record(start + TimeDelta::hours(6) * n));
    let long_day = format!("{LONG_DAY}T01:00:01Z").parse::<DateTime<Utc>>().unwrap();
    let at_once = (0..290).map(|n| record(long_day + TimeDelta::minutes(4) * n));
    let records = all.chain(at_once).collect();
    Account::start(SimulatorConfig::default().with_records(records).with_totals_given(totals_given)).await
}

/// The records of a table, or of an account, but for those of the long day and of the days beside it.
fn others(records: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let near = ["2022-03-01", LONG_DAY, "2022-03-03"];
    records.into_iter().filter(|record| !near.iter().any(|day| record.contains(day))).collect()
}

/// Syncs again and again while that is what a run says to do. Gives what the last one said, and its summary.
async fn sync_until_told_otherwise(account: &Account, arguments: &[&str]) -> (String, Value) {
    for _ in 0..20 {
        let output = account.run("sync", &[arguments, &PAGE_SIZE, &["--output", "json"]].concat()).await;
        if output.status.code() != Some(75) {
            let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
            return (refusal(&output, 78), summary);
        }
    }
    panic!("it is said for ever to run again");
}

#[test_case(&SPRING, &["--max-requests", "25"], "day 2022-03-02 takes at least 30 pages"; "of_a_run")]
#[test_case(&MARCH, &["--max-requests", "25"], "window 2022-03-0"; "of_a_run_where_days_are_shared")]
#[test_case(&MARCH, &["--plan", "1000/s,28/day", "--reserve", "3"], "window 2022-03-0"; "of_a_day")]
#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_with_its_pages_and_the_limit(days: &[&str], limit: &[&str], words: &str) {
    let account = account(true).await;
    let (line, summary) = sync_until_told_otherwise(&account, &[days, limit].concat()).await;

    for words in [words, LONG_DAY, "pages, and a run may make 25 requests", "--max-requests", "--plan"] {
        assert!(line.contains(words), "{words} is not in {line}");
    }
    let stopped = &summary["stopped"];
    assert_eq!((stopped["reason"].as_str(), &stopped["resume_at"]), (Some("too_long"), &Value::Null));
    let enough = account.run("sync", &[days, &PAGE_SIZE].concat()).await;
    assert!(enough.status.success(), "{}", String::from_utf8_lossy(&enough.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_other_days_are_read() {
    let account = account(true).await;
    let arguments = [&SPRING[..], &["--max-requests", "25"], &PAGE_SIZE].concat();
    let expected = others(account.truth());
    for _ in 0..20 {
        let output = account.run("sync", &arguments).await;
        assert!(matches!(output.status.code(), Some(75 | 78)), "{}", String::from_utf8_lossy(&output.stderr));
        if others(rows(&account.path()).into_iter().map(|row| row.record)) == expected {
            return;
        }
    }
    panic!("some days are never read");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_totals_it_is_told_when_a_run_has_asked_for_nothing_else() {
    let account = account(false).await;
    let (line, _) = sync_until_told_otherwise(&account, &[&MARCH[..], &["--max-requests", "25"]].concat()).await;
    assert!(line.contains("takes at least 26 pages") && line.contains("a run may make 25 requests"), "{line}");
}
