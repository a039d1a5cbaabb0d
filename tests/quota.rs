//! Requests of the day: every one is accounted for in the ledger, whatever becomes of it, so that no run spends it twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use phonetrail::extract::{Event, Observer, Settings};
use phonetrail::pipeline::{self, StopReason, SyncRequest};
use phonetrail::simulator::{Endpoint, Fault, FaultPlan, GeneratorConfig, SimulatorConfig};

use crate::support::{Account, day, entries};

const JANUARY: [&str; 4] = ["--from", "2022-01-01", "--to", "2022-01-20"];
const FEBRUARY: [&str; 4] = ["--from", "2022-02-05", "--to", "2022-02-20"];
const YEAR: [&str; 4] = ["--from", "2022-01-01", "--to", "2022-12-31"];

/// An account whose months have three pages each.
async fn account() -> Account {
    let generated = GeneratorConfig { seed: 31, records: 9_000, from: day("2022-01-01"), to: day("2022-12-31") };
    Account::start(SimulatorConfig::default().with_generated(generated)).await
}

/// Runs a sync, and gives its exit code.
async fn sync(account: &Account, range: [&str; 4], limits: [&str; 2]) -> Option<i32> {
    account.run("sync", &[&range[..], &limits].concat()).await.status.code()
}

/// The requests that the ledger accounts for: all that the simulator saw, and those given up on their way there.
fn accounted(account: &Account) -> u64 {
    let seen = account.simulator.stats().report_requests;
    let entries = entries(&account.path());
    let accounted = entries.iter().map(|(entry, _)| entry.requests).sum::<u64>();
    assert!(accounted >= seen, "{accounted} of {seen}");
    let (newest, _) = entries.last().unwrap();
    assert_eq!(newest.requests_of_day.iter().map(|of| of.requests).collect::<Vec<_>>(), [accounted]);
    for (number, pair) in (1..).zip(entries.windows(2)) {
        assert_eq!(pair[1].0.sequence, number);
        assert_eq!(pair[1].0.previous.as_ref().unwrap().sha256, pair[0].1);
    }
    accounted
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_a_window_that_never_matches_are_remembered() {
    let account = account().await;
    let plan = ["--plan", "1000/s,30/day"];
    assert_eq!(sync(&account, JANUARY, plan).await, Some(0));
    account.simulator.inject(FaultPlan::new().on_next(Endpoint::Report, u64::MAX, Fault::DropRecord));

    let mut codes = Vec::new();
    while codes.last() != Some(&75) && codes.len() < 8 {
        let before = accounted(&account);
        codes.extend(sync(&account, FEBRUARY, plan).await);
        assert!(accounted(&account) > before);
    }
    assert_eq!((codes.first(), codes.last()), (Some(&65), Some(&75)), "{codes:?}");
    assert_eq!((accounted(&account), account.simulator.stats().report_requests), (30, 30));

    // A day that is used up costs nothing, and a run without requests has nothing to account for.
    let commits = entries(&account.path()).len();
    assert_eq!(sync(&account, FEBRUARY, plan).await, Some(75));
    assert_eq!((accounted(&account), entries(&account.path()).len()), (30, commits));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_run_that_ended_before_a_window_was_whole_are_remembered() {
    let account = account().await;
    assert_eq!(sync(&account, JANUARY, ["--max-requests", "20"]).await, Some(0));
    for (limit, requests) in [("1", 1), ("2", 2), ("4", 4)] {
        let before = accounted(&account);
        assert_eq!(sync(&account, YEAR, ["--max-requests", limit]).await, Some(75));
        assert_eq!(accounted(&account), before + requests);
    }
    let refused =
        FaultPlan::new().on_next(Endpoint::Report, u64::MAX, Fault::status(403, r#"{"code":403,"message":"no"}"#));
    account.simulator.inject(refused);
    let before = accounted(&account);
    assert_eq!(sync(&account, FEBRUARY, ["--max-requests", "20"]).await, Some(77));
    assert!(accounted(&account) > before);
    let marks = account.path().join(".phonetrail/runs");
    assert!(
        std::fs::read_dir(marks).map_or(0, Iterator::count) == 0,
        "a run that failed upstream left nothing to tidy up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_counts_what_another_one_has_spent_since_it_began() {
    let account = account().await;
    assert_eq!(sync(&account, JANUARY, ["--plan", "1000/s,30/day"]).await, Some(0));
    // The first window that is whole waits until the other run is over.
    let (is_begun, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (begun, over) = (Arc::clone(&is_begun), Arc::clone(&is_over));
    let observer = Observer::new(move |event| {
        if matches!(event, Event::Whole { .. }) && !begun.swap(true, Ordering::Relaxed) {
            tokio::task::block_in_place(|| {
                while !over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
        }
    });
    let (settings, destination) = (account.settings(), account.destination());
    let plan = "1000/s,30/day".parse().unwrap();
    let source = account.source_with(Settings { plan, concurrency: Some(1), observer, ..settings });
    let (from, to) = (Some(day("2022-01-01")), Some(day("2022-12-31")));
    let request = SyncRequest { from, to, commit_records: 1, ..account.request() };
    let other = async {
        while !is_begun.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let code = sync(&account, YEAR, ["--max-requests", "8"]).await;
        is_over.store(true, Ordering::Relaxed);
        code
    };
    let (report, other) = tokio::join!(pipeline::sync(&source, &destination, &request), other);
    assert_eq!(other, Some(75));
    assert_eq!(report.unwrap().stopped.unwrap().reason, StopReason::DailyLimit);
    assert!(accounted(&account) <= 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_used_again_counts_no_request_twice() {
    let account = account().await;
    let (source, destination) = (account.source(), account.destination());
    let mut requests = 0;
    for (from, to) in [("2022-01-01", "2022-01-20"), ("2022-02-05", "2022-02-20"), ("2022-01-01", "2022-06-30")] {
        let request = SyncRequest { from: Some(day(from)), to: Some(day(to)), ..account.request() };
        let report = pipeline::sync(&source, &destination, &request).await.unwrap();
        requests += report.requests;
        assert_eq!(accounted(&account), requests);
        assert_eq!(u64::from(source.usage().today.requests), requests);
    }
}
