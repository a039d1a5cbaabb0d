//! Tokens: asked for once, renewed in time, and given to nobody else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use futures::StreamExt;
use test_case::test_case;

use super::limits::a_moment_ahead;
use super::upstream::{Upstream, credentials, february, page, token, told, window};
use crate::extract::*;
use crate::model::Seam;

#[tokio::test]
async fn all_workers_share_one_token() {
    let upstream = Upstream::of_pages(|_, _| page(&["1"], Some(1), "")).await;
    let source = upstream.source();
    let windows = (1..=20).map(|n| window(&format!("2022-02-{n:02}"), "2022-02-28"));

    let reads: Vec<_> = source.read_all(windows, Seam::Shared).collect().await;

    assert!(reads.len() == 20 && reads.iter().all(Result::is_ok));
    let tokens = upstream.tokens();
    assert_eq!(tokens.len(), 1);
    assert_eq!((tokens[0].method.as_str(), tokens[0].query.len()), ("POST", 0));
    assert_eq!(tokens[0].body, "grant_type=account_credentials&account_id=account");
    assert_eq!(tokens[0].headers["authorization"], "Basic Y2xpZW50Omh1c2g=");
    assert!(upstream.pages().iter().all(|asked| asked.headers["authorization"] == "Bearer token-0"));
    assert!(upstream.pages()[0].headers["user-agent"].starts_with("phonetrail/"));
    assert_eq!(source.usage().requests, 20);
    assert_eq!(u64::from(source.usage().today.requests), 20);
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_for_all() {
    let upstream = Upstream::of_pages(|asked, _| match asked.headers["authorization"].as_str() {
        "Bearer token-0" => told(401, r#"{"code":124,"message":"Access token is expired."}"#),
        _ => page(&["1"], Some(1), ""),
    })
    .await;
    let windows = (1..=9).map(|n| window(&format!("2022-02-{n:02}"), "2022-02-28"));

    let reads: Vec<_> = upstream.source().read_all(windows, Seam::Shared).collect().await;

    assert!(reads.len() == 9 && reads.iter().all(Result::is_ok));
    assert_eq!(upstream.tokens().len(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let short = |n| told(200, format!(r#"{{"access_token":"token-{n}","expires_in":0}}"#));
    let upstream =
        Upstream::start(move |asked, n| if asked.is_token() { short(n) } else { page(&["1"], Some(1), "") }).await;
    let source = upstream.source();
    source.read(&february()).await.unwrap();
    source.read(&february()).await.unwrap();
    assert_eq!(upstream.pages()[1].headers["authorization"], "Bearer token-1");
}

#[tokio::test]
async fn a_token_that_stays_refused_is_not_renewed_for_ever() {
    let upstream = Upstream::of_pages(|_, _| told(401, r#"{"code":124,"message":"Invalid access token."}"#)).await;
    let failure = upstream.source().read(&february()).await.unwrap_err();
    assert!(matches!(failure.error, ExtractError::Refused { refusal: Refusal::AccessToken, .. }), "{failure:?}");
    assert_eq!((upstream.tokens().len(), upstream.pages().len()), (6, 6));
}

#[tokio::test]
async fn a_token_that_another_program_ends_again_and_again_is_renewed_again_and_again() {
    let upstream = Upstream::of_pages(|_, n| match n {
        0..=3 => told(401, r#"{"code":124,"message":"Invalid access token."}"#),
        _ => page(&["1"], Some(1), ""),
    })
    .await;
    upstream.source().read(&february()).await.unwrap();
    assert_eq!((upstream.tokens().len(), upstream.pages().len()), (5, 5));
}

#[tokio::test]
async fn a_given_token_is_used_and_never_renewed() {
    let upstream = Upstream::of_pages(|_, _| told(401, r#"{"code":124,"message":"Invalid access token."}"#)).await;
    let given = Credentials::AccessToken { account_id: None, token: Secret::new("given") };
    let source = Source::try_new(given, upstream.settings()).unwrap();
    let failure = source.read(&february()).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Refused);
    assert_eq!((upstream.tokens().len(), upstream.pages().len()), (0, 1));
    assert_eq!(upstream.pages()[0].headers["authorization"], "Bearer given");
}

#[tokio::test]
async fn wrong_credentials_are_tried_once_whatever_the_number_of_windows() {
    let upstream = Upstream::start(|_, _| {
        told(400, r#"{"reason":"Invalid client_id or client_secret: hush","error":"invalid_client"}"#)
    })
    .await;
    let windows = (1..=28).map(|n| window(&format!("2022-02-{n:02}"), "2022-02-28"));

    let reads: Vec<_> = upstream.source().read_all(windows, Seam::Shared).collect().await;

    let failure = reads[0].as_ref().unwrap_err();
    assert!(matches!(failure.error, ExtractError::Refused { refusal: Refusal::Credentials, .. }));
    assert!(failure.error.hint().contains("client secret"));
    assert!(!format!("{failure:?} {}", failure.error).contains("hush"));
    assert!(reads.iter().all(Result::is_err));
    assert!(upstream.tokens().len() <= 2, "{} token requests", upstream.tokens().len());
}

#[tokio::test]
async fn a_token_is_asked_for_again_when_the_issuer_fails() {
    let upstream = Upstream::start(|asked, n| match (asked.is_token(), n) {
        (true, 0) => told(503, ""),
        (true, 1) => told(200, "<html>"),
        (true, n) => token(n),
        (false, _) => page(&[], Some(0), ""),
    })
    .await;
    upstream.source().sign_in().await.unwrap();
    assert_eq!(upstream.tokens().len(), 3);
}

#[test_case(429, 0; "too_many_by_seconds")]
#[test_case(429, 1; "too_many_by_a_date")]
#[test_case(503, 0; "unavailable_by_seconds")]
#[test_case(503, 2; "unavailable_by_an_instant")]
#[tokio::test]
async fn no_token_is_asked_for_before_the_time_that_the_issuer_names(status: u16, form: usize) {
    let named = Arc::new(Mutex::new(None));
    let (script_named, early) = (Arc::clone(&named), Arc::new(Mutex::new(Vec::new())));
    let script_early = Arc::clone(&early);
    let upstream = Upstream::start(move |_, n| {
        let mut named = script_named.lock().unwrap();
        match *named {
            None => {
                let (value, at) = a_moment_ahead(form);
                *named = Some(at);
                return told(status, "{}").header("retry-after", value);
            }
            Some(at) if Utc::now() < at => script_early.lock().unwrap().push(n),
            Some(_) => {}
        }
        token(n)
    })
    .await;
    upstream.source().sign_in().await.unwrap();
    assert_eq!((upstream.tokens().len(), early.lock().unwrap().as_slice()), (2, &[][..]));
}

#[test_case(429, ErrorKind::RateLimit; "too_many")]
#[test_case(503, ErrorKind::Unavailable; "unavailable")]
#[tokio::test]
async fn a_time_beyond_a_runs_patience_ends_it_at_once(status: u16, kind: ErrorKind) {
    let upstream = Upstream::start(move |_, n| match n {
        0 => told(status, "{}").header("retry-after", "3600").header("x-zm-trackingid", "rid-7"),
        _ => token(n),
    })
    .await;
    let error = upstream.source().sign_in().await.unwrap_err();
    assert_eq!((error.kind(), upstream.tokens().len()), (kind, 1), "{error:?}");
    assert!(error.is_fatal() && error.to_string().contains("tracking id rid-7"), "{error}");
    if let ExtractError::Throttled { resume_at, .. } = error {
        assert!(resume_at > Utc::now() + TimeDelta::minutes(59), "{resume_at}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_asked_too_often_for_long_ends_the_run() {
    let upstream = Upstream::start(|_, _| told(429, "{}")).await;
    let mut settings = upstream.settings();
    settings.retries.throttle_patience = Duration::from_millis(300);
    let error = Source::try_new(credentials(), settings).unwrap().sign_in().await.unwrap_err();
    assert!(matches!(error, ExtractError::Throttled { .. }), "{error:?}");
    // Pauses of 20 ms and twice as many each time.
    assert_eq!(upstream.tokens().len(), 4);
}

#[tokio::test]
async fn the_api_address_of_the_token_is_followed_only_while_the_user_named_none() {
    let api = Upstream::of_pages(|_, _| page(&["1"], Some(1), "")).await;
    let origin = api.origin.clone();
    let oauth = Upstream::start(move |asked, _| match asked.is_token() {
        true => told(200, format!(r#"{{"access_token":"t","expires_in":3600,"api_url":"{origin}"}}"#)),
        false => page(&["2"], Some(1), ""),
    })
    .await;

    let by_default = Settings { base_url: DEFAULT_BASE_URL.to_owned(), ..oauth.settings() };
    Source::try_new(credentials(), by_default).unwrap().read(&february()).await.unwrap();
    assert_eq!((api.pages()[0].path.as_str(), oauth.pages().len()), ("/v2/phone/reports/operationlogs", 0));

    oauth.source().read(&february()).await.unwrap();
    assert_eq!((api.pages().len(), oauth.pages().len()), (1, 1));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Upstream::of_pages(|_, _| page(&["1"], Some(1), "")).await;
    let origin = other.origin.clone();
    let upstream = Upstream::of_pages(move |_, _| told(307, "").header("location", format!("{origin}/v2/x"))).await;
    let failure = upstream.source().read(&february()).await.unwrap_err();
    assert!(matches!(failure.error, ExtractError::Rejected { .. }));

    let origin = other.origin.clone();
    let issuer = Upstream::start(move |_, _| told(307, "").header("location", format!("{origin}/oauth/token"))).await;
    assert!(issuer.source().sign_in().await.is_err());
    assert!(other.seen.lock().unwrap().is_empty());
}

#[test]
fn addresses_without_https_are_not_taken() {
    for (base_url, oauth_url) in
        [("http://api.zoom.us/v2", DEFAULT_OAUTH_URL), (DEFAULT_BASE_URL, "http://zoom.us/oauth")]
    {
        let settings =
            Settings { base_url: base_url.to_owned(), oauth_url: oauth_url.to_owned(), ..Settings::default() };
        assert!(matches!(Source::try_new(credentials(), settings), Err(ExtractError::InsecureUrl { .. })));
    }
    let settings = Settings { page_size: 301, ..Settings::default() };
    assert!(matches!(Source::try_new(credentials(), settings), Err(ExtractError::InvalidSetting { .. })));
}
