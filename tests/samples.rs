//! The public records of the field, where they are at hand: `../shared/samples/records.jsonl` beside the checkout.

use std::path::PathBuf;

use phonetrail::simulator::{SimulatorConfig, read_records};

use crate::support::{Account, rows};

fn samples() -> Option<PathBuf> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/records.jsonl");
    if !file.exists() {
        eprintln!("skipped: there are no samples at {}", file.display());
        return None;
    }
    Some(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_public_record_is_stored_verbatim_and_found_by_number_and_by_email() {
    let Some(file) = samples() else { return };
    let account = Account::start(SimulatorConfig::default().with_records(read_records(&file).unwrap())).await;

    let output = account.run("sync", &["--from", "2019-08-01", "--to", "2026-10-01"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut found: Vec<String> = rows(&account.path()).into_iter().map(|row| row.record).collect();
    found.sort();
    assert_eq!(found, account.truth());
    for condition in ["array_contains(phone_numbers, '+120000123')", "target_email = 'abcdaccount@someaccount.com'"] {
        let sql = format!("SELECT target_name, object_name, verb FROM operation_logs WHERE {condition}");
        let answer = account.run("query", &["--output", "csv", &sql]).await;
        let answer = String::from_utf8(answer.stdout).unwrap();
        assert_eq!(answer, "target_name,object_name,verb\nSam Mendes,+120000123,assign\n", "{condition}");
    }
}
