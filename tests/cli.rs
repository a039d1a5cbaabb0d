//! What the program prints.

use std::process::Output;

use insta::assert_snapshot;
use phonetrail::query;

use crate::support::{Account, output, phonetrail};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn help(arguments: &[&str]) -> String {
    let mut command = phonetrail();
    command.args(arguments).arg("--help").env("COLUMNS", "100");
    text(&output(command).await.stdout)
}

async fn three_records() -> Account {
    let record = |detail: &str, operator: &str, time: &str| {
        let text = serde_json::json!({"action": "UPDATE", "category_type": "Phone Number", "operation_detail": detail, "operator": operator, "time": time});
        (text.to_string(), "2022-02-03T00:00:00Z")
    };
    Account::holding([
        record(
            "Assign Phone Number +12025550101 to Ada Example(ada@example.com)",
            "Admin@Example.com",
            "2022-02-03T04:05:06Z",
        ),
        record(
            "Unassign Phone Number +12025550101 from Ada Example(ada@example.com)",
            "admin@example.com",
            "2022-02-03T05:05:06Z",
        ),
        record("Security  - Require a passcode: from On to Off", "System", "2022-02-03T06:05:06Z"),
    ])
    .await
}

const RANGE: [&str; 4] = ["--from", "2022-02-01", "--to", "2022-02-10"];

#[tokio::test(flavor = "multi_thread")]
async fn help_names_every_command_and_flag() {
    assert_snapshot!("help", help(&[]).await);
    for subcommand in ["sync", "compact", "replay", "check", "status", "query", "schema", "demo"] {
        assert_snapshot!(format!("help_{subcommand}"), help(&[subcommand]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_prints_its_summary() {
    let account = three_records().await;
    let json: Output = account.run("sync", &[&RANGE[..], &["--output", "json"]].concat()).await;
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r#""run_id": "[0-9a-f-]{36}""#, r#""run_id": "[id]""#);
    settings.add_filter(r#""wall_seconds": [0-9.]+"#, r#""wall_seconds": [seconds]"#);
    settings.add_filter(r"table     \S+, version", "table     [destination], version");
    settings.add_filter(r"[0-9.]+ s\n", "[seconds] s\n");
    settings.bind(|| assert_snapshot!("sync_json", text(&json.stdout)));

    let human = account.run("sync", &RANGE).await;
    settings.bind(|| assert_snapshot!("sync_human", text(&human.stdout)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_shows_rows_coverage_and_categories() {
    let account = three_records().await;
    account.run("sync", &RANGE).await;
    let status = account.run("status", &[]).await;
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"table     \S+", "table     [url]");
    settings.add_filter(r"head      [0-9a-f]{64}", "head      [sha256]");
    settings.add_filter(r"of \d{4}-\d\d-\d\dT[0-9:]+Z", "of [time]");
    settings.add_filter(r"\d+ bytes", "[n] bytes");
    settings.bind(|| assert_snapshot!("status_human", text(&status.stdout)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_read_for_sure_is_told_by_category_and_shape_without_its_words() {
    let record = |category: &str, detail: &str| {
        let text = serde_json::json!({"action": "UPDATE", "category_type": category, "operation_detail": detail, "operator": "ada@example.com", "time": "2022-02-03T04:05:06Z"});
        (text.to_string(), "2022-02-03T00:00:00Z")
    };
    let account = Account::holding([
        record("Device", "Add Device lobby"),
        record("Device", "Secret Gizmo (Ada Example) moved to ada@example.com"),
        record("Device", "Hidden Widget (Bob Example) moved to bob@example.com"),
        record("User", "Ada Example's \"private\" line: +12025550101"),
        record("Call Queue", "Add Call Queue Welcome from HR"),
    ])
    .await;
    let synced = account.run("sync", &[&RANGE[..], &["--output", "json"]].concat()).await;
    let synced: serde_json::Value = serde_json::from_slice(&synced.stdout).unwrap();
    let status = account.run("status", &["--output", "json"]).await;
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    for key in ["detail_by_category", "unparsed_shapes"] {
        assert_eq!(synced[key], status[key]);
    }
    assert_snapshot!("readings_json", format!("{:#}\n{:#}", synced["detail_by_category"], synced["unparsed_shapes"]));

    let human = account.run("status", &[]).await;
    let shown: Vec<_> =
        text(&human.stdout).lines().skip_while(|line| !line.starts_with("doubtful")).map(str::to_owned).collect();
    assert_snapshot!("readings_human", shown.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_prints_a_table_json_or_csv() {
    let account = three_records().await;
    account.run("sync", &RANGE).await;
    let sql = "SELECT event_time, operator_id, operator_kind, verb, target_email, phone_numbers, changes, category \
               FROM operation_logs WHERE year = 2022 AND month = 2 ORDER BY event_time";
    for format in ["table", "json", "csv"] {
        let answer = account.run("query", &["--output", format, sql]).await;
        assert_snapshot!(format!("query_{format}"), text(&answer.stdout));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_tells_what_it_read() {
    let account = three_records().await;
    account.run("sync", &RANGE).await;
    let sql = "SELECT event_time, verb FROM operation_logs WHERE array_contains(phone_numbers, '+12025550101')";
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+ bytes", "[n] bytes");
    settings.add_filter(r"of \d+ bytes", "of [n] bytes");
    settings.add_filter(r"in all      \d+", "in all      [n]");
    settings.add_filter(r#"bytes": \d+"#, r#"bytes": [n]"#);
    settings.add_filter(r#""seconds": [0-9.]+"#, r#""seconds": [seconds]"#);
    settings.add_filter(r"[0-9.]+ s\n", "[seconds] s\n");
    for (format, name) in [("table", "explain_human"), ("json", "explain_json")] {
        let told = account.run("query", &["--explain", "--output", format, sql]).await;
        settings.bind(|| assert_snapshot!(name, text(&told.stdout)));
    }
    let refused = account.run("query", &["--explain", "--output", "csv", sql]).await;
    assert_eq!(refused.status.code(), Some(2));
}

/// Whatever footers rule out, the answer is that of every row.
#[tokio::test(flavor = "multi_thread")]
async fn what_footers_rule_out_holds_no_row_of_the_answer() {
    let account = Account::generated(3000, "2022-01-01", "2022-03-31").await;
    account.run("sync", &["--from", "2022-01-01", "--to", "2022-03-31"]).await;
    let answer = async |sql: String| text(&account.run("query", &["--output", "csv", &sql]).await.stdout);
    let first = async |column: &str| {
        let sql = format!("SELECT {column} FROM operation_logs WHERE {column} IS NOT NULL ORDER BY record_id LIMIT 1");
        answer(sql).await.lines().nth(1).unwrap().to_owned()
    };
    let number = answer("SELECT n FROM (SELECT UNNEST(phone_numbers) AS n FROM operation_logs) LIMIT 1".into()).await;
    let conditions = [
        format!("operator_id = '{}'", first("operator_id").await),
        format!("record_id IN ('{}', 'none')", first("record_id").await),
        format!("array_contains(phone_numbers, '{}')", number.lines().nth(1).unwrap()),
        "event_time >= '2022-02-10' AND event_time < '2022-02-11'".to_owned(),
        format!("target_email = '{}' OR verb = 'import'", first("target_email").await),
    ];
    for condition in conditions {
        let count = answer(format!("SELECT COUNT(record_id) AS n FROM operation_logs WHERE {condition}")).await;
        // A filter on what is worked out leaves no file out.
        let all = format!("SELECT SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS n FROM operation_logs");
        assert_eq!(count, answer(all).await, "{condition}");
        assert_ne!(count, "n\n0\n", "{condition}");

        let sql = format!("SELECT COUNT(record_id) AS n FROM operation_logs WHERE {condition}");
        let told = account.run("query", &["--explain", "--output", "json", &sql]).await;
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        assert!(told["read"]["files"].as_u64() < told["stored"]["files"].as_u64() || condition.contains("record_id"));
    }
}

/// Few rows are read by ourselves and many by polars: the same ones, in all columns, whichever reads them.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_the_same_whoever_reads_the_rows() {
    let account = Account::generated(3000, "2022-01-01", "2022-03-31").await;
    account.run("sync", &["--from", "2022-01-01", "--to", "2022-03-31"]).await;
    let (destination, cache) = (account.destination(), query::default_cache());
    let answer = async |sql: &str| query::query(&destination, sql, &cache).await.unwrap();
    let filled =
        answer("SELECT operator_id, record_id FROM operation_logs WHERE operator_id IS NOT NULL ORDER BY 2").await;
    for condition in [
        format!("operator_id = {}", filled.rows[0][0].to_string().replace('"', "'")),
        format!("record_id = {}", filled.rows[0][1].to_string().replace('"', "'")),
        "array_contains(phone_numbers, '+12025550101')".to_owned(),
        "event_time >= '2022-02-10' AND event_time < '2022-02-20' AND verb IN ('add', 'delete')".to_owned(),
        "verb = 'assign' OR verb = 'import'".to_owned(),
        "detail_status = 'parsed' AND year = 2022 AND month IN (1, 3) AND category <> 'device'".to_owned(),
        "verb = 'none of all' AND month = 2".to_owned(),
    ] {
        // What a footer cannot answer is left to polars.
        let doubtful = format!("({condition} OR LENGTH(verb) < 0)");
        for (columns, order) in [
            ("*", ""),
            ("COUNT(*) AS n", ""),
            ("month, category, MAX(object_name) AS name", "GROUP BY month, category ORDER BY month, category"),
        ] {
            let sql = |condition: &str| format!("SELECT {columns} FROM operation_logs WHERE {condition} {order}");
            let found = answer(&sql(&condition)).await;
            assert_eq!(found, answer(&sql(&doubtful)).await, "{}", sql(&condition));
            assert!(condition.contains("none of all") || !found.rows.is_empty(), "{}", sql(&condition));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_compare_with_literals_of_sql() {
    let account = three_records().await;
    account.run("sync", &RANGE).await;
    for condition in [
        "event_time >= TIMESTAMP '2022-02-03 05:00:00'",
        "event_time >= '2022-02-03 05:00:00'",
        "event_time > CAST('2022-02-03T05:00:00' AS TIMESTAMP)",
        "event_time BETWEEN '2022-02-03 05:00:00' AND '2022-02-04'",
        "CAST(event_time AS DATE) = DATE '2022-02-03' AND EXTRACT(HOUR FROM event_time) >= 5",
    ] {
        let sql = format!("SELECT COUNT(*) AS n FROM operation_logs WHERE {condition}");
        let answer = account.run("query", &["--output", "csv", &sql]).await;
        assert_eq!(text(&answer.stdout), "n\n2\n", "{condition}: {}", text(&answer.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_opens_only_the_partitions_it_needs() {
    let account = Account::generated(600, "2022-01-01", "2022-03-31").await;
    account.run("sync", &["--from", "2022-01-01", "--to", "2022-03-31"]).await;
    std::fs::remove_dir_all(account.path().join("operation_logs/year=2022/month=2")).unwrap();
    let count =
        |month: u32| format!("SELECT COUNT(verb) AS n FROM operation_logs WHERE year = 2022 AND month = {month}");
    assert!(account.run("query", &[&count(3)]).await.status.success());
    assert!(!account.run("query", &[&count(2)]).await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn data_goes_to_standard_output_and_the_log_to_standard_error() {
    let account = three_records().await;
    let done = account.run("sync", &[&RANGE[..], &["--output", "json"]].concat()).await;
    serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap();
    let log = text(&done.stderr);
    assert!(log.contains("window read") && log.contains("committed"), "{log}");
    assert!(!log.contains("simulated-and-no-secret"), "a secret in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_ends_with_answers() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("demo");
    for _ in 0..2 {
        let mut command = phonetrail();
        command.arg("demo").arg("--destination").arg(&folder);
        let done = output(command).await;
        let shown = text(&done.stdout);
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert!(shown.contains("0 new rows") && shown.matches("5 rows").count() == 3, "{shown}");
    }
}
