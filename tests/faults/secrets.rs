//! No secret is written anywhere, however much is logged and whatever goes wrong.

use std::io::Read;
use std::path::Path;
use std::process::Output;

use data_encoding::BASE64;
use phonetrail::simulator::{Credentials, Endpoint, Fault, FaultPlan};
use serde_json::json;

use super::trial::{DETAIL_WORD, RECORDS, Trial, config, four_times};
use crate::support::{output, rows, snapshot};

const RANGE: [&str; 4] = ["--from", "2022-01-01", "--to", "2022-03-31"];

/// Everything that must not be written: the client secret, the header it is sent in, and all access tokens.
fn secrets(trial: &Trial) -> Vec<String> {
    let Credentials { client_id, client_secret, .. } = &trial.account.simulator.config().credentials;
    let basic = BASE64.encode(format!("{client_id}:{client_secret}").as_bytes());
    let mut secrets = trial.account.simulator.access_tokens();
    assert!(secrets.iter().all(|token| token.len() > 20));
    secrets.extend([client_secret.clone(), basic]);
    secrets
}

async fn sync(trial: &Trial, format: &str) -> Output {
    let mut command = trial.account.command("sync");
    command.args(RANGE).args(["--log-format", format]).env("PHONETRAIL_LOG", "trace");
    output(command).await
}

fn assert_no_secret(trial: &Trial, output: &Output) {
    let secrets = secrets(trial);
    let hides = |place: &str, bytes: &[u8]| {
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret in {place}");
        }
    };
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "not logged at the level asked for");
    hides("the log", &output.stderr);
    hides("the output", &output.stdout);
    assert_no_page_token_nor_detail(trial, &log);
    for (path, bytes) in snapshot(&trial.account.path()) {
        hides(&path.display().to_string(), &bytes);
        hides(&path.display().to_string(), &unpacked(&path, &bytes));
    }
    for row in rows(&trial.account.path()) {
        hides("a row", row.record.as_bytes());
    }
}

/// A page token opens a page to who has any access token, and what a record says is nobody's who reads the log.
fn assert_no_page_token_nor_detail(trial: &Trial, log: &str) {
    let tokens = trial.account.simulator.page_tokens();
    assert!(tokens.iter().all(|token| token.len() > 20));
    assert!(!tokens.iter().any(|token| log.contains(token)), "a page token in the log");
    assert!(!log.contains(DETAIL_WORD), "a record in the log");
}

fn unpacked(path: &Path, bytes: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    if path.extension().is_some_and(|extension| extension == "zst") {
        zstd::Decoder::new(bytes).unwrap().read_to_end(&mut unpacked).unwrap();
        assert!(!unpacked.is_empty());
    }
    unpacked
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_written_when_all_goes_well() {
    for format in ["text", "json"] {
        let trial = Trial::start(config()).await;
        let output = sync(&trial, format).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_no_secret(&trial, &output);
        assert!(!trial.account.simulator.page_tokens().is_empty());
        assert_eq!(trial.found().len() as u64, RECORDS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_written_when_it_goes_wrong() {
    for fault in [Fault::RevokeAccess, Fault::status(500, ""), Fault::ResetMidBody, Fault::Html200] {
        let trial = Trial::under(four_times(&fault)).await;
        let output = sync(&trial, "text").await;
        assert_no_secret(&trial, &output);
    }
    let trial = Trial::under(FaultPlan::new().on_next(Endpoint::Report, u64::MAX, Fault::RevokeAccess)).await;
    let output = sync(&trial, "text").await;
    assert_eq!(output.status.code(), Some(77));
    assert_no_secret(&trial, &output);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_written_that_the_upstream_repeats() {
    let trial = Trial::start(config()).await;
    let token = trial.account.simulator.issue_access_token();
    let Credentials { client_id, client_secret, .. } = trial.account.simulator.config().credentials.clone();
    let basic = BASE64.encode(format!("{client_id}:{client_secret}").as_bytes());

    let issued = json!({"access_token": token, "expires_in": 3600}).to_string();
    let repeated = json!({"code": 300, "message": format!("Not with Bearer {token}")}).to_string();
    trial.account.simulator.inject(FaultPlan::new().on_token(1, Fault::status(200, issued)).on_next(
        Endpoint::Report,
        u64::MAX,
        Fault::status(400, repeated),
    ));
    let output = sync(&trial, "text").await;
    assert_eq!(output.status.code(), Some(77));
    assert_no_secret(&trial, &output);

    let repeated = json!({"reason": format!("Not with Basic {basic} of {client_secret}"), "error": "invalid_client"});
    trial.account.simulator.inject(FaultPlan::new().on_token(2, Fault::status(400, repeated.to_string())));
    let output = sync(&trial, "text").await;
    assert_eq!(output.status.code(), Some(77));
    assert_no_secret(&trial, &output);
}
