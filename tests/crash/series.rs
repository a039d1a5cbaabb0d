//! The real process, killed: the next run resumes with nothing lost and nothing doubled.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use phonetrail::simulator::{GeneratorConfig, Latency, SimulatorConfig};

use crate::support::{Account, day, rows, snapshot};

const RANGE: [&str; 4] = ["--from", "2021-10-01", "--to", "2022-10-31"];

async fn account(records: usize) -> Account {
    let generated = GeneratorConfig { seed: 21, records, from: day("2021-10-01"), to: day("2022-10-31") };
    let config =
        SimulatorConfig::default().with_generated(generated).with_latency(Latency::fixed(Duration::from_millis(2)));
    Account::start(config).await
}

/// Starts a sync and kills it after `life`. Gives whether it was still alive.
async fn kill_after(account: &Account, life: Duration, arguments: &[&str]) -> bool {
    let mut command: Command = account.command("sync");
    command.args(RANGE).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child: Child = command.spawn().unwrap();
    tokio::time::sleep(life).await;
    let was_alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    was_alive
}

async fn sync_to_the_end(account: &Account) {
    let output = account.run("sync", &RANGE).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn assert_exact(account: &Account) {
    let mut found: Vec<String> = rows(&account.path()).into_iter().map(|row| row.record).collect();
    found.sort();
    assert!(found == account.truth(), "the table is not the account: {} rows", found.len());
    let leftovers: Vec<_> = snapshot(&account.path())
        .into_keys()
        .filter(|path| path.to_string_lossy().contains(".staged") || path.to_string_lossy().contains('#'))
        .collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_at_any_moment_and_run_again_is_exact() {
    let account = account(20_000).await;
    let mut alive = 0;
    for life in [30, 120, 250, 400, 600, 850, 1_100, 1_500, 2_000] {
        alive += u32::from(kill_after(&account, Duration::from_millis(life), &[]).await);
    }
    assert!(alive >= 4, "the kills came too late to show anything");

    sync_to_the_end(&account).await;
    assert_exact(&account);
    sync_to_the_end(&account).await;
    assert_exact(&account);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_records_over_thirteen_months_survive_a_kill() {
    let account = account(100_000).await;
    for life in [1_500, 4_000] {
        kill_after(&account, Duration::from_millis(life), &[]).await;
    }
    sync_to_the_end(&account).await;
    sync_to_the_end(&account).await;
    assert_exact(&account);
}
