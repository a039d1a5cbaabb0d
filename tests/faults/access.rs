//! Access tokens that end too soon, or do not come.

use std::time::Duration;

use phonetrail::extract::{Credentials, ErrorKind, Secret, Source};
use phonetrail::model::AccountId;
use phonetrail::simulator::{self, Endpoint, Fault, FaultPlan, SeenRequest};
use test_case::test_case;

use super::trial::{CALIBRATION, Trial, config, four_times};

const EXPIRED: &str = r#"{"code":124,"message":"Access token is expired."}"#;

#[test_case(Fault::status(401, EXPIRED); "expired")]
#[test_case(Fault::status(400, EXPIRED); "expired_in_a_400")]
#[test_case(Fault::status(200, EXPIRED); "expired_in_a_200")]
#[test_case(Fault::status(401, ""); "a_401_without_words")]
#[test_case(Fault::RevokeAccess; "revoked")]
#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_that_ends_in_a_run_is_renewed(fault: Fault) {
    let trial = Trial::under(four_times(&fault)).await;
    trial.heals().await;
    assert!(trial.account.simulator.stats().token_requests > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_that_another_program_ends_again_and_again_is_renewed_again_and_again() {
    let often = |request: &SeenRequest| request.endpoint == Endpoint::Report && request.number.is_multiple_of(7);
    let faults = FaultPlan::new().when(u64::MAX, often, Fault::RevokeAccess);
    Trial::under(faults).await.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_renewed_before_its_short_life_ends() {
    let config = config()
        .with_page_cap(10)
        .with_access_token_lifetime(Duration::from_secs(2))
        .with_latency("70ms".parse().unwrap());
    let mut trial = Trial::start(config).await;
    trial.settings.concurrency = Some(1);
    let report = trial.heals().await;
    assert!(trial.account.simulator.stats().token_requests > 1);
    assert_eq!(report.requests, report.pages + CALIBRATION, "no request was refused for its token");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_that_is_never_taken_is_refused() {
    let always = |request: &SeenRequest| request.endpoint == Endpoint::Report;
    let trial = Trial::under(FaultPlan::new().when(u64::MAX, always, Fault::status(401, EXPIRED))).await;
    let outcome = trial.fails_until_the_faults_end().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Refused));
    outcome.assert_says(&["access token not accepted", "HTTP 401", "code 124", "tracking id v=2.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_access_token_that_ends_leaves_whole_windows() {
    let mut trial = Trial::under(FaultPlan::new().on_report(12, Fault::RevokeAccess)).await;
    trial.settings.concurrency = Some(1);
    let outcome = trial.sync_from(with_given_token(&trial)).await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Refused));
    assert!(outcome.0.unwrap().windows > 0);
    trial.assert_nothing_invented();

    trial.sync_from(with_given_token(&trial)).await.done();
    trial.assert_exact();
}

fn with_given_token(trial: &Trial) -> Source {
    let token = Secret::new(trial.account.simulator.issue_access_token());
    let account_id = Some(AccountId::new(simulator::Credentials::ACCOUNT_ID));
    Source::try_new(Credentials::AccessToken { account_id, token }, trial.settings.clone()).unwrap()
}

#[test_case(Fault::status(500, ""), 4, "HTTP 500"; "internal_error")]
#[test_case(Fault::status_with_header(429, "Retry-After", "0.1", ""), 8, "HTTP 429"; "too_many")]
#[test_case(Fault::Html200, 4, "no access token"; "html")]
#[test_case(Fault::TruncatedJson, 4, "no access token"; "half_a_text")]
#[test_case(Fault::status(200, "{}"), 4, "no access token"; "nothing_in_it")]
#[test_case(Fault::ResetMidBody, 4, "no whole answer"; "broken_off")]
#[test_case(Fault::ResetBeforeAnswer, 4, "no whole answer"; "broken_before_it_began")]
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_fails_is_asked_again(fault: Fault, attempts: u32, word: &str) {
    let passing = FaultPlan::new().on_token(1, fault.clone()).on_token(2, fault.clone());
    Trial::under(passing).await.heals().await;

    let lasting = FaultPlan::new().on_next(Endpoint::Token, u64::MAX, fault);
    let outcome = Trial::under(lasting).await.fails_until_the_faults_end().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Unavailable));
    outcome.assert_says(&["an access token", &format!("attempt {attempts} of {attempts}"), word]);
}
