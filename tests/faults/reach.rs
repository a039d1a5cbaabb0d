//! Where requests go, and that credentials go nowhere else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use phonetrail::extract::{DEFAULT_BASE_URL, ErrorKind, Retries};
use phonetrail::simulator::{self, Fault, FaultPlan};
use serde_json::json;
use test_case::{test_case, test_matrix};
use tokio::net::TcpListener;

use super::trial::{Trial, always, config, in_the_third_window, third_window};

/// An address where nobody is to call, and how many did.
async fn nobody() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (origin, calls)
}

#[test_matrix([301, 302, 303, 307, 308])]
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed(code: u16) {
    let (elsewhere, calls) = nobody().await;
    let away = || Fault::status_with_header(code, "Location", &elsewhere, "");

    let outcome = Trial::under(in_the_third_window(&away())).await.fails_until_the_faults_end().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Rejected));
    outcome.assert_says(&[&third_window(), &format!("HTTP {code}"), "tracking id v=2.0"]);

    let outcome = Trial::under(FaultPlan::new().on_token(1, away())).await.fails_until_the_faults_end().await;
    outcome.assert_says(&["an access token", &format!("HTTP {code}")]);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

/// What the issuer answers for a token that the account of `trial` takes.
fn token_for(trial: &Trial, api_url: &str) -> Fault {
    let token = trial.account.simulator.issue_access_token();
    let body = json!({"access_token": token, "token_type": "bearer", "expires_in": 3600, "api_url": api_url});
    Fault::status(200, body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_region_that_comes_with_a_token_is_followed() {
    let mut region = Trial::start(config()).await;
    let issuer = Trial::start(config()).await;
    let token = token_for(&region, region.account.simulator.origin());
    issuer.account.simulator.inject(FaultPlan::new().on_token(1, token));
    region.settings.base_url = DEFAULT_BASE_URL.to_owned();
    region.settings.oauth_url = issuer.account.simulator.oauth_url();
    region.heals().await;
    assert_eq!(issuer.account.simulator.stats().report_requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_that_comes_with_a_token_goes_before_the_one_that_was_set() {
    let (elsewhere, calls) = nobody().await;
    for api_url in [elsewhere.as_str(), "http://api.zoom.us", "https://zoom.us.invalid", "nonsense", ""] {
        let trial = Trial::start(config()).await;
        let token = token_for(&trial, api_url);
        trial.account.simulator.inject(FaultPlan::new().on_token(1, token));
        trial.heals().await;
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test_case(true, "window 202"; "of_the_api")]
#[test_case(false, "an access token"; "of_the_issuer")]
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_an_unavailable_upstream(api: bool, subject: &str) {
    let mut trial = Trial::start(config()).await;
    let reachable = trial.settings.clone();
    match api {
        true => trial.settings.base_url = "https://upstream.invalid/v2".to_owned(),
        false => trial.settings.oauth_url = "https://upstream.invalid/oauth/token".to_owned(),
    }
    let started = Instant::now();
    let outcome = trial.sync().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Unavailable));
    outcome.assert_says(&[subject, "attempt 4 of 4", "dns"]);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());

    trial.settings = reachable;
    trial.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_refused_for_a_while_is_waited_out() {
    // A port that was free a moment ago: nothing listens there yet.
    let address: SocketAddr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut trial = Trial::start(config()).await;
    trial.settings.base_url = format!("http://{address}/v2");
    trial.settings.oauth_url = format!("http://{address}/oauth/token");
    let patience = Duration::from_millis(100);
    trial.settings.retries =
        Retries { tries_per_page: 40, first_delay: patience, max_delay: patience, ..trial.settings.retries };
    let late = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        simulator::serve(config(), address).await.unwrap()
    };
    let (_upstream, outcome) = tokio::join!(late, trial.sync());
    outcome.done();
    trial.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_refusal_to_connect_is_an_unavailable_upstream() {
    let mut trial = Trial::start(config().with_faults(always(&Fault::Html200))).await;
    let reachable = trial.settings.clone();
    trial.settings.base_url = "http://127.0.0.1:1/v2".to_owned();
    let outcome = trial.sync().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Unavailable));
    outcome.assert_says(&["window 202", "attempt 4 of 4", "no whole answer"]);
    assert!(!outcome.text().contains("127.0.0.1"), "an address holds the page token");

    trial.settings = reachable;
    trial.account.simulator.end_faults();
    trial.heals().await;
}
