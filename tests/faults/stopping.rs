//! Being told to stop while the upstream is silent or a commit is being made, and what is committed until then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use phonetrail::load::Destination;
use phonetrail::pipeline::{self, AccountSync, StopReason, SyncReport};
use phonetrail::simulator::Fault;

use super::trial::{CALIBRATION, PAGES, Trial, always, config, in_the_third_window};
use crate::support::entries;

/// How long it may take to stop.
const SOON: Duration = Duration::from_secs(5);

async fn until(holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < 4 * SOON, "it never came to that");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn assert_interrupted(report: &SyncReport) {
    let stop = report.stopped.as_ref().unwrap();
    assert!(stop.reason == StopReason::Interrupted && stop.resume_at.is_none());
}

#[cfg(unix)]
mod signals {
    use std::process::{Child, Command, Output, Stdio};

    use test_case::test_matrix;

    use super::*;

    fn sync(trial: &Trial, range: &[&str]) -> Child {
        let mut command = trial.account.command("sync");
        command.args(range).args(["--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Sends `signal`, upon which the program must end soon, and say why.
    async fn stopped(child: Child, signal: &str) -> (Output, serde_json::Value) {
        let told = Instant::now();
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["stopped"]["reason"], "interrupted");
        (output, report)
    }

    #[test_matrix(["INT", "TERM"])]
    #[tokio::test(flavor = "multi_thread")]
    async fn told_to_stop_a_run_commits_what_is_whole_and_says_so(signal: &str) {
        let trial = Trial::under(in_the_third_window(&Fault::Hang)).await;
        let child = sync(&trial, &["--from", "2022-01-01", "--to", "2022-03-31"]);
        // All pages but those of the window that will never come; the program has a moment to see that its window is whole.
        until(|| trial.account.simulator.stats().pages_served >= CALIBRATION + 3 * PAGES).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (_, report) = stopped(child, signal).await;
        assert!(report["rows_new"].as_u64().unwrap() > 0);
        assert_eq!(trial.found().len() as u64, report["rows_new"].as_u64().unwrap());
        trial.assert_nothing_invented();

        trial.account.simulator.end_faults();
        trial.heals().await;
    }

    /// Three months are worth finding out how windows may meet, a few days are not.
    #[test_matrix(["2022-03-31", "2022-01-05"])]
    #[tokio::test(flavor = "multi_thread")]
    async fn an_upstream_that_is_silent_from_the_first_request_on_is_not_waited_for(to: &str) {
        let trial = Trial::under(always(&Fault::Hang)).await;
        let child = sync(&trial, &["--from", "2022-01-01", "--to", to]);
        until(|| trial.account.simulator.stats().report_requests > 0).await;
        let (_, report) = stopped(child, "TERM").await;
        assert_eq!(report["rows_new"], 0);
        assert!(!trial.account.path().exists(), "nothing is left behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_run_that_keeps_the_destination_to_itself_is_not_waited_for_once_told_to_stop() {
    let trial = Trial::start(config()).await;
    trial.heals().await;
    let lock = std::fs::File::options().write(true).open(trial.account.path().join(".phonetrail.lock")).unwrap();
    lock.lock().unwrap();

    let (source, request, destination) = (trial.account.source(), &trial.request, trial.account.destination());
    let accounts = vec![AccountSync { source: source.clone(), request: request.clone() }];
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        request.stop.cancel();
    };
    let both = async {
        tokio::join!(
            pipeline::sync(&source, &destination, request),
            pipeline::sync_accounts(accounts, &destination, &request.stop),
            stop
        )
    };
    let (one, several, ()) = tokio::time::timeout(SOON, both).await.unwrap();
    assert_interrupted(&one.unwrap());
    assert_interrupted(several.unwrap().accounts[0].result.as_ref().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_windows_are_committed_while_another_one_is_waited_for() {
    let mut trial = Trial::under(in_the_third_window(&Fault::Hang)).await;
    trial.request.commit_interval = Duration::from_millis(300);
    let committed = || entries(&trial.account.path()).iter().map(|(entry, _)| entry.windows.len()).sum::<usize>();
    let told = async {
        until(|| committed() == 3).await;
        trial.request.stop.cancel();
    };
    let (outcome, ()) = tokio::join!(trial.sync(), told);
    let report = outcome.0.unwrap();
    assert_interrupted(&report);
    assert_eq!(report.windows, 3);
    trial.assert_nothing_invented();
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_during_a_commit_a_run_keeps_what_has_become_whole_meanwhile() {
    let requests = Trial::start(config()).await.heals().await.requests;
    let mut trial = Trial::start(config()).await;
    trial.request.commit_records = 1;
    let slow = ThrottleConfig { wait_put_per_call: Duration::from_millis(500), ..ThrottleConfig::default() };
    let objects = Arc::new(ThrottledStore::new(InMemory::new(), slow));
    let destination = Destination::on(objects, "memory:///trail").unwrap();
    let told = async {
        until(|| trial.account.simulator.stats().report_requests == requests).await;
        tokio::time::sleep(Duration::from_millis(800)).await;
        trial.request.stop.cancel();
    };
    let source = trial.account.source_with(trial.settings.clone());
    let (report, ()) = tokio::join!(pipeline::sync(&source, &destination, &trial.request), told);
    let report = report.unwrap();
    assert_interrupted(&report);
    assert_eq!((report.windows, report.days.unmatched), (4, 0));
    assert_eq!(pipeline::status(&destination).await.unwrap().unwrap().rows, super::trial::RECORDS);
}
