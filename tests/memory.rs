//! What a run holds at once does not grow with what it reads.
//!
//! The sync has a process of its own: this test's program again, told by its environment to run [`a_sync`] alone. It reads
//! two windows at a time and commits often. The bounds of `phonetrail sync` itself, a thousand pages under way and a hundred
//! thousand records or 32 MiB for a commit, are reached within minutes of a build with debug assertions, not seconds.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use phonetrail::extract::{Credentials, Secret, Settings, Source};
use phonetrail::load::Destination;
use phonetrail::model::AccountId;
use phonetrail::pipeline::{self, SyncRequest};
use phonetrail::simulator::{self, AccountRecord, Endpoint, Fault, FaultPlan, SimulatorConfig};

use crate::support::{Account, day};

/// Names the destination, in the process that is measured.
const DESTINATION: &str = "PHONETRAIL_TEST_DESTINATION";
/// Names the origin of the simulated account.
const ORIGIN: &str = "PHONETRAIL_TEST_ORIGIN";

/// Beside its one record, a page has so much that compresses badly: it shows where pages are kept.
const PAGE_BYTES: usize = 32 << 10;
/// Pages that the smaller of two syncs reads.
const PAGES: usize = 300;

/// An account of so many pages, some eighty in a window.
async fn account(pages: usize) -> Account {
    let first: DateTime<Utc> = "2014-01-01T00:00:00Z".parse().unwrap();
    let record = |n: usize| {
        let at = first + TimeDelta::hours(8) * n as i32;
        let time = at.format("%Y-%m-%dT%H:%M:%SZ");
        let text = format!(r#"{{"action":"ADD","category_type":"Device","operator":"o@example.com","time":"{time}"}}"#);
        AccountRecord::new(text, at)
    };
    let config = SimulatorConfig::default().with_records((0..pages).map(record).collect());
    let noise = noise();
    let served = AtomicUsize::new(0);
    // What follows an echoed day says nothing, and is as much a part of the page as its records.
    let large = Fault::page(move |page| {
        let at = served.fetch_add(97, Ordering::Relaxed) % PAGE_BYTES;
        page.to.push('T');
        page.to.push_str(&noise[at..at + PAGE_BYTES]);
    });
    Account::start(config.with_faults(FaultPlan::new().on_next(Endpoint::Report, u64::MAX, large))).await
}

/// Letters and digits without any order.
fn noise() -> String {
    let mut state = 1_u64;
    let mut next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 59) as u8)
    };
    (0..2 * PAGE_BYTES).map(&mut next).collect::<String>().replace('\\', "/")
}

/// The most memory, in bytes, that a sync of so many pages has at any time.
async fn peak(pages: usize) -> u64 {
    let account = account(pages).await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["memory::a_sync", "--exact", "--test-threads", "1"])
        .env(DESTINATION, account.path())
        .env(ORIGIN, account.simulator.origin());
    let peak = tokio::task::spawn_blocking(move || peak_of(command)).await.unwrap();
    assert!(account.simulator.stats().pages_served >= pages as u64);
    peak
}

fn peak_of(mut command: Command) -> u64 {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // A process that has ended has no memory any more, and its status does not tell.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = kilobytes.map_or(peak, |kilobytes| kilobytes << 10);
        if let Some(code) = child.try_wait().unwrap() {
            assert!(code.success(), "{code}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What [`peak`] measures; nothing, where nobody asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_sync() {
    let (Ok(destination), Ok(origin)) = (std::env::var(DESTINATION), std::env::var(ORIGIN)) else { return };
    let settings = Settings {
        base_url: format!("{origin}/v2"),
        oauth_url: format!("{origin}/oauth/token"),
        plan: "1000/s,1000000/day".parse().unwrap(),
        page_size: 1,
        concurrency: Some(2),
        ..Settings::default()
    };
    let simulator::Credentials { account_id, client_id, client_secret } = simulator::Credentials::default();
    let (account_id, client_secret) = (AccountId::new(account_id), Secret::new(client_secret));
    let credentials = Credentials::ServerToServer { account_id: account_id.clone(), client_id, client_secret };
    let source = Source::try_new(credentials, settings).unwrap();
    let (from, to) = (Some(day("2014-01-01")), Some(day("2015-07-31")));
    let request = SyncRequest { from, to, commit_records: 100, ..SyncRequest::new(account_id) };
    let report = pipeline::sync(&source, &destination.parse::<Destination>().unwrap(), &request).await;
    assert!(report.unwrap().stopped.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn four_times_the_pages_take_no_more_memory() {
    let (few, many) = (peak(PAGES).await, peak(4 * PAGES).await);
    // Were pages kept, even compressed, there would be about twice as many bytes more.
    let margin = (PAGES * PAGE_BYTES) as u64;
    assert!(many < few + margin, "{many} bytes at most, and {few} for a quarter of the pages");
}
