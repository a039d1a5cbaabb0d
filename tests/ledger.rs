//! The ledger as an auditor finds it in the log: every commit bound to the one before, every file accounted for.

use phonetrail::pipeline::{self, SyncRequest};

use crate::support::{Account, data_files, day, entries, rows, sha256};

async fn account_with_commits() -> Account {
    let account = Account::generated(1_500, "2022-01-01", "2022-04-30").await;
    let request = SyncRequest {
        from: Some(day("2022-01-01")),
        to: Some(day("2022-04-30")),
        commit_records: 1,
        ..account.request()
    };
    pipeline::sync(&account.source(), &account.destination(), &request).await.unwrap();
    account
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_names_the_digest_of_the_commit_before_it() {
    let account = account_with_commits().await;
    let entries = entries(&account.path());
    assert!(entries.len() >= 4, "{}", entries.len());
    assert_eq!(entries[0].0.previous, None);
    for (number, pair) in (1..).zip(entries.windows(2)) {
        let previous = pair[1].0.previous.as_ref().unwrap();
        assert_eq!((previous.version, &previous.sha256), (number - 1, &pair[0].1));
        assert_eq!(pair[1].0.sequence, number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_and_pack_is_named_with_its_digest_and_nothing_else_lies_there() {
    let account = account_with_commits().await;
    let root = account.path();
    let (live, replaced) = data_files(&root);
    let mut named = live.len();
    for (entry, _) in entries(&root) {
        for file in entry.files.iter().filter(|file| !replaced.contains(&file.path)) {
            assert!(live.contains(&file.path));
            let bytes = std::fs::read(root.join("operation_logs").join(&file.path)).unwrap();
            assert_eq!((sha256(&bytes), bytes.len() as u64), (file.sha256.clone(), file.bytes));
        }
        for pack in &entry.packs {
            let bytes = std::fs::read(root.join(&pack.path)).unwrap();
            assert_eq!((sha256(&bytes), bytes.len() as u64), (pack.sha256.clone(), pack.bytes));
            let windows = phonetrail::load::archived_windows(&pack.path, &bytes.into()).unwrap();
            let pages: Vec<_> = windows.into_iter().flat_map(|window| window.pages).collect();
            assert_eq!(pages.len() as u64, pack.pages);
        }
        named += entry.packs.len();
        let added: u64 = entry.files.iter().map(|file| file.rows).sum();
        let removed: u64 = entry.files_removed.iter().map(|file| file.rows).sum();
        assert_eq!(added - removed, entry.rows.count);
    }
    let present = crate::support::snapshot(&root)
        .into_keys()
        .filter(|path| !["_delta_log", ".phonetrail"].iter().any(|ours| path.to_string_lossy().contains(ours)))
        .count();
    assert_eq!(present, named);
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_account_for_every_record_and_the_digest_for_every_row() {
    let account = account_with_commits().await;
    let entries = entries(&account.path());
    for window in entries.iter().flat_map(|(entry, _)| &entry.windows) {
        assert_eq!(window.reported, Some(window.received));
        assert_eq!(window.new + window.already_stored, window.received);
        assert_eq!(window.vanished, Some(0));
    }
    let by_ledger = entries
        .iter()
        .fold(0, |digest, (entry, _)| digest ^ u128::from_str_radix(&entry.rows.record_id_xor, 16).unwrap_or_default());
    let by_rows =
        rows(&account.path()).iter().fold(0, |digest, row| digest ^ u128::from_str_radix(&row.record_id, 16).unwrap());
    assert_eq!(by_ledger, by_rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_entry_alone_tells_what_is_covered() {
    let account = account_with_commits().await;
    let (newest, digest) = entries(&account.path()).pop().unwrap();
    let status = pipeline::status(&account.destination()).await.unwrap().unwrap();
    assert_eq!(status.head_sha256, digest);
    assert_eq!(newest.coverage.len(), 1);
    let spans = &newest.coverage[0].spans;
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!((spans[0].from, spans[0].to, spans[0].is_final), (day("2022-01-01"), day("2022-04-30"), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_upstream_no_longer_reports_are_counted_and_kept() {
    use phonetrail::simulator::{Fault, FaultPlan};

    let account = Account::generated(40, "2022-01-10", "2022-01-20").await;
    let range = |settle| SyncRequest {
        from: Some(day("2022-01-05")),
        to: Some(day("2022-01-25")),
        // Never final: the second run reads the same days again.
        settle,
        ..account.request()
    };
    let long = chrono::TimeDelta::days(36_500);
    pipeline::sync(&account.source(), &account.destination(), &range(long)).await.unwrap();
    let before = rows(&account.path());

    account.simulator.inject(FaultPlan::new().on_next(
        phonetrail::simulator::Endpoint::Report,
        1,
        Fault::page(|page| {
            page.operation_logs.as_mut().unwrap().pop();
            page.total_records = page.total_records.map(|total| total - 1);
        }),
    ));
    pipeline::sync(&account.source(), &account.destination(), &range(long)).await.unwrap();

    let (newest, _) = entries(&account.path()).pop().unwrap();
    assert_eq!(newest.windows.iter().filter_map(|window| window.vanished).sum::<u64>(), 1);
    assert_eq!(rows(&account.path()).len(), before.len());
}
