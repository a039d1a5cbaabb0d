//! Whatever stands between the brackets of a page: its records are those that a reader of JSON finds, every one becomes
//! a row, and every row gives its record back.

#![no_main]

use bytes::Bytes;
use chrono::DateTime;
use libfuzzer_sys::{Corpus, fuzz_target};
use phonetrail::model::{AccountId, Envelope, Page, Record, Scope, Window};
use phonetrail::transform::{self, internals};

fuzz_target!(|data: &[u8]| -> Corpus { check(data) });

fn check(data: &[u8]) -> Corpus {
    let page = page(data);
    let texts = [page.text()];
    let listed = Envelope::parse(&texts[0]).map(|envelope| envelope.operation_logs);
    let Ok(records) = internals::records(&texts[0]) else {
        assert!(listed.is_err(), "the page has records");
        return Corpus::Reject;
    };
    let listed: Vec<&str> = listed.expect("the page is JSON").into_iter().map(|json| json.get()).collect();
    assert_eq!(records.iter().map(|record| record.source).collect::<Vec<_>>(), listed);
    let account = AccountId::new("a");
    let keyed = transform::keyed(&account, &texts).expect("the page has records");
    let batches = transform::batches(DateTime::UNIX_EPOCH, keyed.into_iter().flatten()).expect("rows fit");

    let rows = batches.iter().flat_map(|batch| (0..batch.rows.num_rows()).map(|row| (&batch.rows, row)));
    let back: Vec<String> = rows.map(|(rows, row)| transform::record_json(rows, row).expect("a row of ours")).collect();
    let list = format!("{{\"operation_logs\":[{}]}}", back.join(","));
    let back = internals::records(&list).expect("records are JSON");
    assert_eq!(sorted(&records), sorted(&back));
    Corpus::Keep
}

fn page(records: &[u8]) -> Page {
    let day = DateTime::UNIX_EPOCH.date_naive();
    Page {
        window: Window::try_new(day, day, Scope::All).expect("a day is a window"),
        number: 0,
        request: String::new(),
        received_at: DateTime::UNIX_EPOCH,
        status: 200,
        tracking_id: None,
        body: Bytes::from([b"{\"operation_logs\":[", records, b"]}"].concat()).into(),
    }
}

/// What the records say, in an order of its own; how it was written may differ.
fn sorted(records: &[Record<'_>]) -> Vec<String> {
    let said = |record: &Record<'_>| format!("{:?}", Record { source: "", ..record.clone() });
    let mut records: Vec<_> = records.iter().map(said).collect();
    records.sort();
    records
}
