//! The main job: everything once, however often and in whatever windows it is read.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, FixedOffset, SecondsFormat, TimeDelta, Timelike, Utc};
use phonetrail::ledger::WorkV1;
use phonetrail::model::{Scope, Seam};
use phonetrail::pipeline::{self, SyncRequest};
use phonetrail::simulator::{Future, GeneratorConfig, LastToken, Paging, RecordOrder, SimulatorConfig};

use test_case::test_case;

use crate::support::{Account, Row, canonical, day, entries, placed, rows};

fn records(rows: &[Row]) -> Vec<String> {
    let mut records: Vec<String> = rows.iter().map(|row| row.record.clone()).collect();
    records.sort();
    records
}

/// Every row once, and in the directory of its own month.
fn assert_exact(account: &Account) {
    let rows = rows(&account.path());
    assert_eq!(records(&rows), account.truth());
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.record_id.as_str()).collect();
    assert_eq!(ids.len(), rows.len(), "a record_id stands twice");
    for row in &rows {
        let month = row.event_time.and_then(DateTime::from_timestamp_micros);
        let (year, month) = month.map_or((0, 0), |time| (time.year(), time.month()));
        assert!(row.partition.starts_with(&format!("year={year}/month={month}/category=")), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_stores_every_record_once_and_a_second_run_adds_nothing() {
    let account = Account::generated(6_000, "2022-01-01", "2022-06-30").await;

    let first = account.sync("2022-01-01", "2022-06-30").await.unwrap();
    assert_eq!((first.rows_new, first.days.settled, first.days.provisional, first.days.unmatched), (6_000, 181, 0, 0));
    assert_eq!(first.rows_new + first.rows_already_stored, first.records_received);
    assert_eq!(first.stopped, None);
    assert_exact(&account);

    let again = account.sync("2022-01-01", "2022-06-30").await.unwrap();
    assert_eq!((again.rows_new, again.requests, again.commits), (0, 0, 0), "final days are not asked for again");
    assert_exact(&account);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_overlap_in_every_way_are_united() {
    let account = Account::generated(3_000, "2022-01-01", "2022-03-31").await;
    let ranges = [
        ("2022-02-10", "2022-02-20"),
        ("2022-01-20", "2022-02-12"),
        ("2022-02-19", "2022-03-05"),
        ("2022-02-01", "2022-02-28"),
        ("2022-01-01", "2022-03-31"),
    ];
    for (from, to) in ranges {
        account.sync(from, to).await.unwrap();
    }
    assert_exact(&account);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_example_of_two_identical_records_is_two_rows_in_whatever_windows() {
    let record = r#"{"action":"ADD","category_type":"Phone Number","operation_detail":"Add BYOC +86 182 5188 5564","operator":"user@test.com","time":"2022-02-01T02:36:14Z"}"#;
    let twin = || (record.to_owned(), "2022-02-01T02:36:14Z");
    let account = Account::holding([twin(), twin()]).await;
    let ranges = [
        ("2022-02-01", "2022-02-01"),
        ("2022-01-05", "2022-02-01"),
        ("2022-02-01", "2022-02-28"),
        ("2021-10-01", "2022-05-01"),
    ];
    for (from, to) in ranges {
        account.sync(from, to).await.unwrap();
        let rows = rows(&account.path());
        assert_eq!(records(&rows), [canonical(record), canonical(record)], "{from}..{to}");
        assert!(rows.iter().all(|row| row.partition == "year=2022/month=2/category=phone_number"), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_calendars_the_upstream_may_use_give_the_same_rows() {
    let generated = GeneratorConfig { seed: 5, records: 1_500, from: day("2022-01-01"), to: day("2022-03-31") };
    for offset in ["+00:00", "-12:00", "+14:00", "+05:30"] {
        for to_inclusive in [true, false] {
            let config = SimulatorConfig::default()
                .with_generated(generated)
                .with_day_offset(offset.parse::<FixedOffset>().unwrap())
                .with_to_inclusive(to_inclusive);
            let account = Account::start(config).await;
            let report = account.sync("2022-01-01", "2022-03-31").await.unwrap();
            assert_eq!((report.rows_new, report.days.settled), (1_500, 90), "{offset} {to_inclusive}");
            assert_exact(&account);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_still_yesterday_today_stays_uncovered() {
    let now = Utc::now();
    // The account's day ends in a while, whenever this runs.
    let west = FixedOffset::west_opt((now.num_seconds_from_midnight() as i32 + 600).min(86_399)).unwrap();
    let (today, start) = (now.date_naive(), now.date_naive() - Days::new(40));
    let generated = GeneratorConfig { seed: 5, records: 500, from: start, to: today - Days::new(2) };
    let config = SimulatorConfig::default().with_generated(generated).with_day_offset(west).with_future(Future::Cut);
    let account = Account::start(config).await;
    for _ in 0..2 {
        let report = account.sync(&start.to_string(), &today.to_string()).await.unwrap();
        assert!(report.stopped.is_none(), "{report:?}");
        assert_eq!((report.days.unmatched, report.days.settled + report.days.provisional), (1, 40));
        assert_exact(&account);
    }
}

#[test_case(true, Seam::Adjacent)]
#[test_case(false, Seam::Shared)]
#[tokio::test(flavor = "multi_thread")]
async fn how_windows_may_meet_is_found_out_once_and_remembered(to_inclusive: bool, expected: Seam) {
    let generated = GeneratorConfig { seed: 5, records: 1_500, from: day("2022-01-01"), to: day("2022-06-30") };
    let config = SimulatorConfig::default().with_generated(generated).with_to_inclusive(to_inclusive);
    let account = Account::start(config).await;
    let mut calibrating = Vec::new();
    for (from, to) in [("2022-02-01", "2022-02-10"), ("2022-02-01", "2022-04-20"), ("2022-01-01", "2022-06-30")] {
        let report = account.sync(from, to).await.unwrap();
        calibrating.push(report.requests - report.pages);
    }
    assert_eq!(calibrating, [0, 3, 0], "a window or two are cheaper; then it is known");
    assert_exact(&account);

    let all = entries(&account.path());
    let (newest, _) = all.iter().rfind(|(entry, _)| entry.work == WorkV1::Sync).unwrap();
    assert_eq!(newest.calibrations.iter().map(|known| known.seam).collect::<Vec<_>>(), [expected]);
    let windows = newest.windows.iter().filter(|window| window.from > day("2022-04-01"));
    let mut windows: Vec<_> = windows.map(|window| (window.from, window.to)).collect();
    windows.sort_unstable();
    assert!(windows.len() > 2);
    assert!(windows.windows(2).all(|pair| pair[1].0 == pair[0].1 + Days::new(1 - expected.days())), "{windows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn order_paging_and_ends_of_pages_do_not_matter() {
    let generated = GeneratorConfig { seed: 6, records: 1_500, from: day("2022-01-01"), to: day("2022-01-31") };
    for order in [RecordOrder::NewestFirst, RecordOrder::OldestFirst, RecordOrder::Unsorted] {
        for (paging, last_token, totals) in
            [(Paging::Snapshot, LastToken::Null, false), (Paging::Live, LastToken::Missing, true)]
        {
            let config = SimulatorConfig::default()
                .with_generated(generated)
                .with_order(order)
                .with_paging(paging)
                .with_last_token(last_token)
                .with_totals_given(totals)
                .with_page_cap(50);
            let account = Account::start(config).await;
            account.sync("2022-01-01", "2022-01-31").await.unwrap();
            assert_exact(&account);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_arrive_late_are_picked_up_while_their_day_is_provisional() {
    let now = Utc::now();
    let record = |hours: i64, n: usize| {
        let time = (now - TimeDelta::hours(hours)).to_rfc3339_opts(SecondsFormat::Secs, true);
        (
            format!(
                r#"{{"action":"ADD","category_type":"Device","operation_detail":"Add Device d{n}","operator":"a@b.example","time":"{time}"}}"#
            ),
            time,
        )
    };
    let account =
        Account::start(SimulatorConfig::default().with_records(placed((0..20).map(|n| record(n as i64, n))))).await;
    let from = (now.date_naive() - Days::new(10)).to_string();
    let to = now.date_naive().to_string();

    let first = account.sync(&from, &to).await.unwrap();
    assert_eq!(first.rows_new, 20);
    assert!(first.days.provisional >= 3, "{:?}", first.days);

    // An old time, only now reported; and one that is a twin of a stored record.
    account.simulator.add(placed([record(30, 100), record(0, 0)]));
    let second = account.sync(&from, &to).await.unwrap();
    assert_eq!((second.rows_new, second.rows_already_stored), (2, 20));
    assert_exact(&account);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_dates_a_sync_goes_on_from_the_first_covered_day() {
    let today = Utc::now().date_naive();
    let generated = GeneratorConfig { seed: 3, records: 800, from: today - Days::new(60), to: today };
    let account = Account::start(SimulatorConfig::default().with_generated(generated)).await;
    let request =
        SyncRequest { from: Some(today - Days::new(60)), to: Some(today - Days::new(20)), ..account.request() };
    pipeline::sync(&account.source(), &account.destination(), &request).await.unwrap();

    let report = pipeline::sync(&account.source(), &account.destination(), &account.request()).await.unwrap();

    assert_eq!(report.days.settled + report.days.provisional, 61);
    assert_exact(&account);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_category_can_be_synced_and_does_not_pass_for_all() {
    let account = Account::generated(2_000, "2022-01-01", "2022-01-31").await;
    let request = SyncRequest {
        from: Some(day("2022-01-01")),
        to: Some(day("2022-01-31")),
        scopes: vec![Scope::Category("phone_number".parse().unwrap())],
        ..account.request()
    };
    let some = pipeline::sync(&account.source(), &account.destination(), &request).await.unwrap();
    let stored = rows(&account.path());
    assert_eq!(stored.len() as u64, some.rows_new);
    assert!(!stored.is_empty() && stored.iter().all(|row| row.partition.ends_with("category=phone_number")));

    account.sync("2022-01-01", "2022-01-31").await.unwrap();
    assert_exact(&account);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_end_well_and_the_table_is_exact() {
    let account = Account::generated(2_000, "2022-01-01", "2022-03-31").await;
    let request = |from: &str, to: &str| SyncRequest {
        from: Some(day(from)),
        to: Some(day(to)),
        // Many commits, so that they meet.
        commit_records: 1,
        ..account.request()
    };
    let (source, destination) = (account.source(), account.destination());
    let (one, other) = (request("2022-01-01", "2022-03-15"), request("2022-01-20", "2022-03-31"));
    let (one, other) =
        tokio::join!(pipeline::sync(&source, &destination, &one), pipeline::sync(&source, &destination, &other),);
    assert_eq!(one.unwrap().rows_new + other.unwrap().rows_new, 2_000);
    assert_exact(&account);
    let status = pipeline::status(&account.destination()).await.unwrap().unwrap();
    assert_eq!(status.rows, 2_000);
}

/// Callers run a sync as a task of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_sync_can_move_between_threads() {
    let account = Account::generated(50, "2022-01-01", "2022-01-31").await;
    let (source, destination, mut request) = (account.source(), account.destination(), account.request());
    (request.from, request.to) = (Some(day("2022-01-01")), Some(day("2022-01-31")));
    let task = tokio::spawn(async move { pipeline::sync(&source, &destination, &request).await });
    assert_eq!(task.await.unwrap().unwrap().rows_new, 50);
}
