//! `phonetrail check`: one screen that says what works, what does not, and what to do.

use phonetrail::simulator::{Endpoint, Fault, FaultPlan, RateLimits, SimulatorConfig};
use test_case::test_case;

use crate::support::{Account, output, snapshot};

fn lines(output: &std::process::Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_on_a_new_destination_and_nothing_is_left_there() {
    let account = Account::generated(10, "2022-01-01", "2022-01-02").await;
    let done = account.run("check", &[]).await;
    let lines = lines(&done);
    assert_eq!(done.status.code(), Some(0), "{lines:?}");
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line.starts_with("ok")), "{lines:?}");
    assert!(lines[3].contains("plan") && lines[3].contains("taken as set"), "{lines:?}");
    assert!(!account.path().exists());
}

#[cfg_attr(not(debug_assertions), ignore = "fail points are of builds with debug assertions")]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_check_that_died_left_goes_with_the_next_run() {
    let account = Account::generated(10, "2022-01-01", "2022-01-02").await;
    account.sync("2022-01-01", "2022-01-02").await.unwrap();
    let before = snapshot(&account.path());
    let mut check = account.command("check");
    check.env("PHONETRAIL_FAIL_POINT", "probe.written");
    assert_eq!(output(check).await.status.code(), None);
    assert_ne!(snapshot(&account.path()), before);
    account.sync("2022-01-01", "2022-01-02").await.unwrap();
    assert_eq!(snapshot(&account.path()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_rate_is_used_up_is_told_of_soon() {
    let account = Account::generated(10, "2022-01-01", "2022-01-02").await;
    let always = FaultPlan::new().on_next(Endpoint::Report, u64::MAX, Fault::status(429, "{}"));
    account.simulator.inject(always);
    let done = account.run("check", &[]).await;
    let lines = lines(&done);
    assert_eq!(done.status.code(), Some(75), "{lines:?}");
    let report = lines.iter().find(|line| line.contains("report")).unwrap();
    assert!(report.starts_with("fails") && report.contains("Other apps") && report.contains("go on at"), "{report}");
    assert_eq!(account.simulator.stats().report_requests, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_fails_says_what_to_do_and_does_not_hide_the_others() {
    let account = Account::start(SimulatorConfig::default().with_scopes(vec!["user:read:admin".to_owned()])).await;
    std::fs::write(account.path(), "a file").unwrap();
    let done = account.run("check", &[]).await;
    let lines = lines(&done);
    assert_eq!(done.status.code(), Some(77), "{lines:?}");
    let line = |name: &str| lines.iter().find(|line| line.contains(name)).unwrap().clone();
    assert!(line("report").starts_with("fails") && line("report").contains("phone:read:operation_logs:admin"));
    assert!(line("destination").starts_with("fails") && line("destination").contains("Give a directory"));
    assert!(line("table").starts_with("skipped"));

    let mut command = account.command("check");
    command.env("PHONETRAIL_CLIENT_SECRET", "wrong-secret-value");
    let done = output(command).await;
    assert_eq!(done.status.code(), Some(77));
    let shown = self::lines(&done).join("\n");
    assert!(shown.contains("fails   credentials") && shown.contains("skipped report"), "{shown}");
    assert!(!shown.contains("wrong-secret-value"));
}

/// The state and the name that each line begins with.
fn states(output: &std::process::Output) -> Vec<String> {
    let words = |line: &String| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    lines(output).iter().map(words).collect()
}

#[test_case("PHONETRAIL_CLIENT_SECRET", None, "client secret"; "a_secret_that_is_missing")]
#[test_case("PHONETRAIL_CLIENT_SECRET_FILE", Some("/no/such/file"), "/no/such/file"; "a_file_that_is_missing")]
#[test_case("PHONETRAIL_BASE_URL", Some("http://api.example.com/v2"), "base URL"; "an_address_without_encryption")]
#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_used_do_not_hide_the_destination(name: &str, value: Option<&str>, words: &str) {
    let account = Account::generated(10, "2022-01-01", "2022-01-02").await;
    account.sync("2022-01-01", "2022-01-02").await.unwrap();
    let mut command = account.command("check");
    match value {
        Some(value) if name.ends_with("_FILE") => command.env_remove("PHONETRAIL_CLIENT_SECRET").env(name, value),
        Some(value) => command.env(name, value),
        None => command.env_remove(name),
    };
    let done = output(command).await;
    assert_eq!(done.status.code(), Some(78));
    let upstream = ["fails settings", "skipped credentials", "skipped report", "skipped plan"];
    assert_eq!(states(&done), [&upstream[..], &["ok destination", "ok table"]].concat());
    assert!(lines(&done)[0].contains(words), "{:?}", lines(&done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_missing_does_not_hide_the_upstream() {
    let account = Account::generated(10, "2022-01-01", "2022-01-02").await;
    let mut command = account.command("check");
    command.env_remove("PHONETRAIL_DESTINATION");
    let done = output(command).await;
    assert_eq!(done.status.code(), Some(78));
    let upstream = ["ok settings", "ok credentials", "ok report", "ok plan"];
    assert_eq!(states(&done), [&upstream[..], &["fails destination", "skipped table"]].concat());
}

#[test_case("business", "warning plan"; "of_more_than_the_account_has")]
#[test_case("10/s,20000/day", "ok plan"; "of_as_many")]
#[test_case("pro", "ok plan"; "of_fewer")]
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_compared_with_what_the_upstream_allows(plan: &str, expected: &str) {
    let limits = RateLimits { per_second: None, per_day: Some(20_000) };
    let account = Account::start(SimulatorConfig::default().with_rate_limits(limits).with_rate_limits_told(true)).await;
    let done = account.run("check", &["--plan", plan]).await;
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(states(&done)[3], expected);
    assert!(lines(&done)[3].contains("20000 requests a day"), "{:?}", lines(&done));
}
