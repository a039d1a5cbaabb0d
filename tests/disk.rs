//! A disk that takes nothing more: one clear line, the right exit code, and nothing harmed that is stored.

use std::path::Path;
use std::process::{Command, Output};

use phonetrail::simulator::SimulatorConfig;
use test_case::test_case;

use crate::support::{Account, data_files, output, refusal, rows, snapshot};

const RANGE: [&str; 4] = ["--from", "2022-01-01", "--to", "2022-03-31"];

/// Runs what follows with files of so many blocks of 512 bytes at most. What goes beyond fails as it does where the disk is
/// full.
const LIMITED: &str = r#"trap "" XFSZ; ulimit -f "$0" && exec "$@""#;

/// Runs what follows where the directory cannot be written, by anyone.
const READ_ONLY: &str = r#"mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@""#;

/// Whether this machine lets a test mount.
fn may_mount() -> bool {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", READ_ONLY]).arg(directory.path()).arg("true");
    command.output().is_ok_and(|output| output.status.success())
}

/// `command`, run by `wrapper`.
fn wrapped(wrapper: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(wrapper[0]);
    wrapped.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args()).current_dir(std::env::temp_dir());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => drop(wrapped.env(name, value)),
            None => drop(wrapped.env_remove(name)),
        }
    }
    wrapped
}

/// An account of three months, of which some days are in its table, with several files in most partitions.
async fn crowded() -> Account {
    let generated = phonetrail::simulator::GeneratorConfig {
        seed: 5,
        records: 2_000,
        from: "2022-01-01".parse().unwrap(),
        to: "2022-03-31".parse().unwrap(),
    };
    let account = Account::start(SimulatorConfig::default().with_generated(generated)).await;
    account.sync("2022-02-01", "2022-02-10").await.unwrap();
    account.sync("2022-02-01", "2022-02-20").await.unwrap();
    account
}

fn command(account: &Account, subcommand: &str) -> Command {
    let mut command = account.command(subcommand);
    match subcommand {
        "sync" => command.args(RANGE),
        "compact" => command.args(["--month", "2022-02", "--grace", "0"]),
        "replay" => command.arg("--source").arg(account.path()),
        _ => command.args(["SELECT COUNT(*) AS n FROM operation_logs", "--output", "json"]),
    };
    command
}

fn records(destination: &Path) -> Vec<String> {
    let mut found: Vec<String> = rows(destination).into_iter().map(|row| row.record).collect();
    found.sort();
    found
}

/// The rows of the newest version, and of no other file.
fn live(destination: &Path) -> Vec<String> {
    let live = data_files(destination).0;
    let table = destination.join("operation_logs");
    let is_live = |file: &Path| live.contains(file.strip_prefix(&table).unwrap().to_str().unwrap());
    let mut found: Vec<_> =
        rows(destination).into_iter().filter(|row| is_live(&row.file)).map(|row| row.record).collect();
    found.sort();
    found
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test_case("sync", 0, "raw/"; "a sync with no room for its pages")]
#[test_case("sync", 100, "operation_logs"; "a sync with no room for its commit")]
#[test_case("compact", 8, "year=2022/month=2/"; "a compaction")]
#[test_case("replay", 8, "operation_logs/year=2022/"; "a replay")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_by_the_path_and_harms_nothing(subcommand: &str, blocks: u32, name: &str) {
    let account = crowded().await;
    let before = live(&account.path());
    let full = wrapped(&["sh", "-c", LIMITED, &blocks.to_string()], &command(&account, subcommand));
    let full = output(full).await;
    let line = refusal(&full, 74);
    assert!(line.contains(name) && line.contains("File too large"), "{line}");
    assert!(line.contains("free space"), "{line}");
    assert_eq!(live(&account.path()), before);

    assert_done(&output(command(&account, subcommand)).await);
    assert_done(&account.run("sync", &RANGE).await);
    assert_eq!(records(&account.path()), account.truth());
    let is_odd = |name: &str| name.contains(".staged") || name.contains('#');
    assert!(!snapshot(&account.path()).keys().any(|path| is_odd(&path.to_string_lossy())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_be_written_is_told_by_the_path_and_can_still_be_read() {
    if !may_mount() {
        eprintln!("skipped: this machine lets no test mount");
        return;
    }
    let account = crowded().await;
    let before = snapshot(&account.path());
    let path = account.path();
    let read_only = ["unshare", "-rm", "sh", "-c", READ_ONLY, path.to_str().unwrap()];
    for subcommand in ["sync", "compact", "replay"] {
        let line = refusal(&output(wrapped(&read_only, &command(&account, subcommand))).await, 74);
        assert!(line.contains(path.to_str().unwrap()) && line.contains("Read-only file system"), "{line}");
        assert!(line.contains("may write to"), "{line}");
    }
    let answer = output(wrapped(&read_only, &command(&account, "query"))).await;
    assert_done(&answer);
    let rows: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(rows[0]["n"], live(&account.path()).len());
    assert_done(&output(wrapped(&read_only, &account.command("status"))).await);
    assert_eq!(snapshot(&account.path()), before);

    assert_done(&account.run("sync", &RANGE).await);
    assert_eq!(records(&account.path()), account.truth());
}
