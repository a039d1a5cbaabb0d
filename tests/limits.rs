//! Quotas: whole windows are kept, and the next run goes on.

use std::time::Duration;

use phonetrail::simulator::{GeneratorConfig, Latency, SimulatorConfig};
use serde_json::Value;

use crate::support::{Account, day, rows};

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
