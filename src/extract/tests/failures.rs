//! What fails: passing or lasting, of a page, a window or the whole run.

use std::time::Duration;

use futures::StreamExt;
use test_case::test_case;

use super::upstream::{Told, Upstream, credentials, day, february, page, told, window};
use crate::extract::*;
use crate::model::{Scope, Seam};

#[test_case(|| told(200, "<html>gateway</html>"); "html")]
#[test_case(|| told(200, ""); "no_body")]
#[test_case(|| told(200, r#"{"next_page_token":"","operation_logs":null}"#); "null_records")]
#[test_case(|| told(200, r#"{"page_size":300}"#); "no_records")]
#[test_case(|| told(200, r#"{"operation_logs":[{"a":1"#); "cut_json")]
#[test_case(|| Told { missing: 5, ..page(&["1"], Some(1), "") }; "cut_transfer")]
#[test_case(|| told(200, r#"{"code":5,"message":"something"}"#); "an_error_object")]
#[test_case(|| told(200, r#"{"code":500,"message":"x","operation_logs":[]}"#); "an_error_beside_no_records")]
#[test_case(|| told(502, "<html>"); "server_error")]
#[test_case(|| told(503, "").header("retry-after", "0"); "unavailable")]
#[test_case(|| page(&["1"], Some(1), "").header("content-encoding", "gzip"); "bad_gzip")]
#[tokio::test]
async fn a_passing_failure_is_never_an_end(failure: fn() -> Told) {
    let upstream = Upstream::of_pages(move |_, n| if n == 0 { failure() } else { page(&["1"], Some(1), "") }).await;
    let source = upstream.source();
    let reads = source.read(&february()).await.unwrap();
    assert_eq!((reads[0].received, reads[0].reads, reads[0].pages.len()), (1, 1, 1));
    assert_eq!((source.usage().requests, source.usage().retries, source.usage().pages), (2, 1, 1));
}

#[tokio::test]
async fn a_lasting_failure_names_window_attempt_and_tracking_id_and_no_secret() {
    let upstream = Upstream::of_pages(|asked, _| match asked.param("next_page_token") {
        None => page(&["1"], Some(2), "page-token"),
        Some(_) => told(500, "").header("x-zm-trackingid", "rid-7"),
    })
    .await;
    let failure = upstream.source().read(&february()).await.unwrap_err();
    let message = failure.error.to_string();
    assert_eq!(message, "no usable answer for window 2022-02-01..2022-02-28, attempt 3 of 3, tracking id rid-7");
    assert_eq!((failure.error.kind(), failure.error.is_fatal()), (ErrorKind::Unavailable, false));
    let everything = format!("{failure:?}");
    assert!(!everything.contains("page-token") && !everything.contains("token-0"), "{everything}");
    assert_eq!(upstream.pages().len(), 4);
}

#[tokio::test]
async fn an_unreachable_host_is_given_up_without_printing_the_page_token() {
    let upstream = Upstream::of_pages(|_, _| page(&[], Some(0), "")).await;
    let settings = Settings { base_url: "http://127.0.0.1:1/v2".to_owned(), ..upstream.settings() };
    let failure = Source::try_new(credentials(), settings).unwrap().read(&february()).await.unwrap_err();
    assert!(matches!(failure.error, ExtractError::Unavailable { attempt: 3, attempts: 3, .. }));
    assert!(!format!("{failure:?}").contains("operationlogs"));
}

#[tokio::test]
async fn a_run_with_too_many_failures_is_ended() {
    let upstream = Upstream::of_pages(|_, _| told(500, "")).await;
    let mut settings = upstream.settings();
    settings.retries.per_run = 20;
    settings.concurrency = Some(4);
    let windows = plan::windows(day("2000-01-01"), day("2020-01-01"), &Scope::All, Seam::Shared);
    let count = windows.len();

    let reads: Vec<_> =
        Source::try_new(credentials(), settings).unwrap().read_all(windows, Seam::Shared).collect().await;

    assert!(count > 200 && reads.len() < 20, "{} of {count}", reads.len());
    assert!(reads.iter().flat_map(|read| read.as_ref().err()).any(|failure| failure.error.is_fatal()));
    assert!(upstream.pages().len() < 40);
}

#[tokio::test]
async fn a_long_body_is_not_taken_in() {
    let upstream = Upstream::of_pages(|_, n| match n {
        0 => told(200, vec![b' '; 100_000]),
        _ => page(&["1"], Some(1), ""),
    })
    .await;
    let settings = Settings { max_body_bytes: 10_000, ..upstream.settings() };
    let reads = Source::try_new(credentials(), settings).unwrap().read(&february()).await.unwrap();
    assert_eq!((reads[0].received, upstream.pages().len()), (1, 2));
}

#[tokio::test]
async fn a_page_of_a_hundred_huge_records_is_taken_and_one_of_three_hundred_is_not() {
    let upstream = Upstream::of_pages(|asked, _| {
        let count = asked.param("page_size").unwrap().parse().unwrap();
        let record = format!(r#"{{"operation_detail":"{}"}}"#, "x".repeat(64 << 10));
        page(&vec![record.as_str(); count], Some(count as u64), "")
    })
    .await;
    let error = upstream.source().read(&february()).await.unwrap_err().error;
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "the answer is longer than 8388608 bytes: pages of fewer records may be shorter");

    let settings = Settings { page_size: 100, ..upstream.settings() };
    let reads = Source::try_new(credentials(), settings).unwrap().read(&february()).await.unwrap();
    assert_eq!(reads[0].received, 100);
}

#[tokio::test]
async fn a_silent_upstream_is_not_waited_for_longer_than_set() {
    let upstream = Upstream::of_pages(|_, n| {
        if n == 0 {
            std::thread::sleep(Duration::from_millis(300));
        }
        page(&["1"], Some(1), "")
    })
    .await;
    let mut settings = upstream.settings();
    settings.timeouts.total = Duration::from_millis(100);
    settings.retries.tries_per_page = 9;
    let reads = Source::try_new(credentials(), settings).unwrap().read(&february()).await.unwrap();
    assert_eq!(reads[0].received, 1);
}

#[test_case(403, r#"{"message":"Zoom Phone has not been enabled for this account"}"#, Refusal::PhoneNotEnabled)]
#[test_case(404, r#"{"code":124,"message":"Account does not exist: x."}"#, Refusal::NoSuchAccount)]
#[test_case(400, r#"{"code":4711,"message":"Invalid access token, does not contain scopes:[x]."}"#, Refusal::Scopes)]
#[tokio::test]
async fn a_refusal_is_not_retried_and_stops_the_run(status: u16, body: &'static str, expected: Refusal) {
    let upstream = Upstream::of_pages(move |_, _| told(status, body)).await;
    let settings = Settings { concurrency: Some(2), ..upstream.settings() };
    let windows = (1..=28).map(|n| window(&format!("2022-02-{n:02}"), "2022-02-28"));

    let reads: Vec<_> =
        Source::try_new(credentials(), settings).unwrap().read_all(windows, Seam::Shared).collect().await;

    assert!(reads.iter().all(|read| matches!(
        &read.as_ref().unwrap_err().error,
        ExtractError::Refused { refusal, .. } if *refusal == expected
    )));
    assert!(reads.len() <= 4 && upstream.pages().len() <= 4, "{} {}", reads.len(), upstream.pages().len());
    assert_eq!(upstream.tokens().len(), 1);
}

#[tokio::test]
async fn a_rejected_window_does_not_stop_the_others() {
    let upstream = Upstream::of_pages(|asked, _| match asked.param("from") {
        Some("2022-02-01") => told(400, r#"{"code":300,"message":"Validation Failed."}"#),
        _ => page(&["1"], Some(1), ""),
    })
    .await;
    let windows = (1..=9).map(|n| window(&format!("2022-02-{n:02}"), "2022-02-28"));
    let reads: Vec<_> = upstream.source().read_all(windows, Seam::Shared).collect().await;
    assert_eq!((reads.len(), reads.iter().filter(|read| read.is_ok()).count()), (9, 8));
    assert_eq!(upstream.pages().len(), 9);
}
