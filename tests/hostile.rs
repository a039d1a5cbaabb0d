//! Records that no documentation promises: each is a row, none leaves the table, all can be had back.

use std::path::Component;

use crate::support::{Account, canonical, rows};

/// Bodies of records; each is placed in February 2022.
fn hostile() -> Vec<String> {
    let with_category = |category: &str| {
        serde_json::json!({"action": "ADD", "category_type": category, "operation_detail": "x", "operator": "a@b.example", "time": "2022-02-03T04:05:06Z"})
            .to_string()
    };
    let with_time = |time: &str| {
        format!(
            r#"{{"action":"ADD","category_type":"Device","operation_detail":"Add Device d","operator":"a@b.example","time":{time}}}"#
        )
    };
    let mut records: Vec<String> = [
        "../../x",
        "a=b",
        "",
        "   ",
        "/",
        ".",
        "..",
        "year=1",
        "%2e%2e",
        "NUL",
        "a/b\\c",
        "🦀",
        "电话",
        "Phone\u{0}Number",
        "phone_number",
        "Phone Number",
        "PHONE NUMBERS",
        "__HIVE_DEFAULT_PARTITION__",
        "uncategorized",
    ]
    .into_iter()
    .map(with_category)
    .collect();
    records.push(with_category(&"c".repeat(1_000)));
    records.push(with_category(&format!("{}d", "c".repeat(999))));
    records.extend(
        [
            "null",
            "\"\"",
            "\"yesterday\"",
            "\"2022-13-45T99:99:99Z\"",
            "1643769366",
            "\"2022-02-02T02:36:06.123+05:30\"",
            "true",
            "{}",
        ]
        .map(with_time),
    );
    records.extend(
        [
            r#"{}"#,
            r#"{"action":null,"category_type":null,"operation_detail":null,"operator":null,"time":"2022-02-03T00:00:00Z"}"#,
            r#"{"time":"2022-02-03T00:00:01Z"}"#,
            r#"{"time":"2022-02-03T00:00:02Z","action":7,"operator":["a"],"operation_detail":{"b":1},"category_type":false}"#,
            r#"{"time":"2022-02-03T00:00:03Z","ip":"192.0.2.1","action":"ADD","category_type":"Device","operation_detail":"d","operator":"o"}"#,
            r#"{"time":"2022-02-03T00:00:04Z","action":"\ud800","category_type":"\udfffx","operation_detail":"a\ud83d","operator":"o"}"#,
            r#"{ "time" : "2022-02-03T00:00:05Z" , "action" : "A\u0044D", "category_type":"Device","operation_detail":"d","operator":"\uD83E\uDD80"}"#,
            r#"{"time":"2022-02-03T00:00:06Z","action":"a","action":"b"}"#,
            r#""not an object""#,
            "17",
            "null",
            "[]",
        ]
        .map(str::to_owned),
    );
    records.push(format!(
        r#"{{"time":"2022-02-03T00:00:07Z","action":"ADD","category_type":"Device","operator":"o","operation_detail":"{}"}}"#,
        "Edit X  - a: from b to c - ".repeat(2_500)
    ));
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hostile_record_is_a_row_that_gives_it_back() {
    let records = hostile();
    let account = Account::holding(records.iter().map(|record| (record.clone(), "2022-02-03T04:05:06Z"))).await;

    let report = account.sync("2022-02-01", "2022-02-10").await.unwrap();
    account.sync("2022-01-01", "2022-03-10").await.unwrap();

    assert_eq!(report.rows_new, records.len() as u64);
    let stored = rows(&account.path());
    let mut found: Vec<String> = stored.iter().map(|row| row.record.clone()).collect();
    let mut expected: Vec<String> = records.iter().map(|record| canonical(record)).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let unreadable = stored.iter().filter(|row| row.event_time.is_none()).count() as u64;
    assert_eq!(report.unreadable_times, unreadable);
    assert!(
        stored.iter().filter(|row| row.event_time.is_none()).all(|row| row.partition.starts_with("year=0/month=0/"))
    );
    assert!(report.unknown_categories > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_from_upstream_reaches_a_path() {
    let account = Account::holding(hostile().into_iter().map(|record| (record, "2022-02-03T04:05:06Z"))).await;
    account.sync("2022-02-01", "2022-02-10").await.unwrap();

    let root = account.path();
    for path in crate::support::snapshot(root.parent().unwrap()).keys() {
        let inside = path.strip_prefix(&root).expect("a file outside the destination");
        assert!(inside.components().all(|part| matches!(part, Component::Normal(_))));
        let Some(category) = inside.to_str().unwrap().split('/').find_map(|part| part.strip_prefix("category=")) else {
            continue;
        };
        let safe = category.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(safe && (1..=64).contains(&category.len()), "{category}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn categories_that_differ_keep_partitions_of_their_own() {
    let category = |name: &str, second: u32| {
        let time = format!("2022-02-03T00:00:{second:02}Z");
        serde_json::json!({"action": "ADD", "category_type": name, "operation_detail": "x", "operator": "o", "time": time}).to_string()
    };
    let names = ["a=b", "a/b", "a.b", "🦀", "🐍", "x\u{e9}", "x\u{e8}", "", "uncategorized"];
    let records: Vec<_> =
        names.iter().zip(0..).map(|(name, second)| (category(name, second), "2022-02-03T00:00:00Z")).collect();
    let account = Account::holding(records).await;
    account.sync("2022-02-01", "2022-02-10").await.unwrap();

    let partitions: std::collections::BTreeSet<String> =
        rows(&account.path()).into_iter().map(|row| row.partition).collect();
    assert_eq!(partitions.len(), names.len());
}
