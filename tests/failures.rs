//! What can be wrong before anything is read: one clear line, the right exit code, and nothing changed.

use std::process::Output;

use phonetrail::simulator::SimulatorConfig;

use crate::support::{Account, output, phonetrail, snapshot};

const RANGE: [&str; 4] = ["--from", "2022-02-01", "--to", "2022-02-10"];

/// The single line on standard error that is meant for the user.
fn line(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("phonetrail: ")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    lines[0].to_owned()
}

fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    let line = line(output);
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert!(words.iter().all(|word| line.contains(word)), "{line}");
    assert!(output.stdout.is_empty());
}

/// An account whose destination already holds a table, so that harm would show.
async fn synced(config: SimulatorConfig) -> Account {
    let account = Account::start(config).await;
    let text = r#"{"action":"ADD","category_type":"Device","operation_detail":"d","operator":"o","time":"2022-01-05T00:00:00Z"}"#;
    account.simulator.add(crate::support::placed([(text.to_owned(), "2022-01-05T00:00:00Z")]));
    account
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_refused_and_change_nothing() {
    let account = synced(SimulatorConfig::default()).await;
    account.sync("2022-01-01", "2022-01-10").await.unwrap();
    let before = snapshot(&account.path());
    for (name, value, words) in [
        ("PHONETRAIL_CLIENT_SECRET", "wrong-secret-value", ["client secret", "Compare"]),
        ("PHONETRAIL_CLIENT_ID", "wrong-id", ["client id", "Compare"]),
        ("PHONETRAIL_ACCOUNT_ID", "no-such-account", ["account", "account id"]),
    ] {
        let mut command = account.command("sync");
        command.args(RANGE).env(name, value);
        let output = output(command).await;
        assert_refused(&output, 77, &words);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("wrong-secret-value"));
    }
    assert_eq!(snapshot(&account.path()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_on_a_new_destination_leaves_nothing_behind() {
    let account = synced(SimulatorConfig::default()).await;
    let mut command = account.command("sync");
    command.args(RANGE).env("PHONETRAIL_CLIENT_SECRET", "wrong");
    assert_refused(&output(command).await, 77, &["client secret"]);
    assert!(!account.path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_names_the_scope() {
    let account = synced(SimulatorConfig::default().with_scopes(vec!["user:read:admin".to_owned()])).await;
    let output = account.run("sync", &RANGE).await;
    assert_refused(&output, 77, &["scope", "phone:read:operation_logs:admin"]);
    assert!(!account.path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_the_phone_system_is_told_so() {
    let account = synced(SimulatorConfig::default().with_phone_enabled(false)).await;
    let output = account.run("sync", &RANGE).await;
    assert_refused(&output, 77, &["Zoom Phone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_host_is_unavailable() {
    let account = synced(SimulatorConfig::default()).await;
    // A port that was free a moment ago: nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = account.command("sync");
    command.args(RANGE).env("PHONETRAIL_OAUTH_URL", format!("http://127.0.0.1:{port}/oauth/token"));
    assert_refused(&output(command).await, 69, &["access token", "attempt"]);
    assert!(!account.path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_cannot_be_written_is_named() {
    let account = synced(SimulatorConfig::default()).await;
    let file = account.path();
    std::fs::write(&file, "a file, not a folder").unwrap();
    let output = account.run("sync", &RANGE).await;
    assert_refused(&output, 74, &[file.to_str().unwrap(), "Give a directory"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a file, not a folder");
    assert_eq!(account.simulator.stats().report_requests, 0, "no quota is burnt for a destination that cannot be used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_setting_names_where_it_stands() {
    let account = synced(SimulatorConfig::default()).await;

    let mut command = account.command("sync");
    command.env("PHONETRAIL_PLAN", "fast");
    assert_refused(&output(command).await, 78, &["PHONETRAIL_PLAN", "fast"]);

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.toml");
    std::fs::write(&file, "page_size = 300\npagesize = 300\n").unwrap();
    let mut command = account.command("sync");
    command.arg("--config").arg(&file);
    assert_refused(&output(command).await, 78, &["settings.toml", "line 2", "pagesize"]);

    let mut command = account.command("sync");
    command.env_remove("PHONETRAIL_CLIENT_SECRET");
    assert_refused(&output(command).await, 78, &["client secret", "PHONETRAIL_CLIENT_SECRET"]);

    let mut command = account.command("sync");
    command.env_remove("PHONETRAIL_DESTINATION");
    assert_refused(&output(command).await, 78, &["destination"]);
    assert!(!account.path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_told_by_the_flag() {
    for arguments in [
        &["sync", "--from", "yesterday"][..],
        &["sync", "--page-size", "301"],
        &["sync", "--category", "Phone Number"],
        &["sync", "--destination", "ftp://host/x"],
        &["query"],
    ] {
        let mut command = phonetrail();
        command.args(arguments);
        assert_eq!(output(command).await.status.code(), Some(2), "{arguments:?}");
    }
    let account = synced(SimulatorConfig::default()).await;
    let output = account.run("sync", &["--from", "2022-02-01", "--to", "2022-01-01"]).await;
    assert_refused(&output, 2, &["2022-02-01", "2022-01-01"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_day_stops_the_run_with_whole_windows_kept() {
    let generated = phonetrail::simulator::GeneratorConfig {
        seed: 2,
        records: 4_000,
        from: "2022-01-01".parse().unwrap(),
        to: "2022-06-30".parse().unwrap(),
    };
    let config = SimulatorConfig::default()
        .with_generated(generated)
        .with_rate_limits(phonetrail::simulator::RateLimits { per_second: None, per_day: Some(12) });
    let account = Account::start(config).await;
    let arguments = ["--from", "2022-01-01", "--to", "2022-06-30", "--output", "json"];

    let output = account.run("sync", &arguments).await;
    let line = line(&output);
    assert_eq!(output.status.code(), Some(75), "{line}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["stopped"]["reason"], "daily_limit");
    assert!(report["stopped"]["resume_at"].is_string());

    for _ in 0..20 {
        account.simulator.start_new_day();
        if account.run("sync", &arguments).await.status.success() {
            break;
        }
    }
    let mut found: Vec<String> = crate::support::rows(&account.path()).into_iter().map(|row| row.record).collect();
    found.sort();
    assert_eq!(found, account.truth());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_over_nothing_and_a_query_that_makes_no_sense_are_told_apart() {
    let account = synced(SimulatorConfig::default()).await;
    let directory = tempfile::tempdir().unwrap();
    let mut command = account.command("query");
    command.arg("SELECT 1").env("PHONETRAIL_DESTINATION", directory.path());
    assert_refused(&output(command).await, 74, &["no table", "phonetrail sync"]);

    account.sync("2022-01-01", "2022-01-10").await.unwrap();
    let output = account.run("query", &["SELECT nonsense FROM operation_logs"]).await;
    assert_refused(&output, 2, &["nonsense"]);
}
