//! Limits: per second and per day, the upstream's and our own.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, SecondsFormat, SubsecRound, TimeDelta, Utc};
use futures::StreamExt;
use test_case::test_case;

use super::upstream::{Asked, Upstream, credentials, february, page, told, window};
use crate::extract::*;
use crate::model::Seam;

#[tokio::test]
async fn too_many_requests_per_second_make_everybody_pause_and_cost_no_attempt() {
    let upstream = Upstream::of_pages(|_, n| match n {
        0..=4 => told(429, r#"{"code":429,"message":"per-second"}"#).header("x-ratelimit-type", "QPS"),
        _ => page(&["1"], Some(1), ""),
    })
    .await;
    let source = upstream.source();
    let began = Instant::now();
    let reads = source.read(&february()).await.unwrap();
    assert_eq!((reads[0].received, source.usage().throttled, source.usage().requests), (1, 5, 6));
    assert!(began.elapsed() >= Duration::from_millis(20 * 31), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_daily_limit_stops_everybody_and_says_when_to_go_on() {
    let upstream = Upstream::of_pages(|_, n| match n {
        0 => page(&["1"], Some(1), ""),
        _ => told(429, r#"{"code":429,"message":"You have reached the maximum daily rate limit for this API."}"#)
            .header("x-ratelimit-type", "Daily-limit"),
    })
    .await;
    let settings = Settings { concurrency: Some(1), ..upstream.settings() };
    let source = Source::try_new(credentials(), settings).unwrap();
    let windows = (1..=9).map(|n| window(&format!("2022-02-{n:02}"), "2022-02-28"));

    let reads: Vec<_> = source.read_all(windows, Seam::Shared).collect().await;

    assert!(reads[0].is_ok() && reads.len() == 2, "{reads:?}");
    let failure = reads[1].as_ref().unwrap_err();
    let ExtractError::DailyLimit { resume_at } = failure.error else { panic!("{failure:?}") };
    assert!(resume_at > Utc::now() && resume_at <= Utc::now() + Days::new(1));
    assert_eq!(upstream.pages().len(), 2);
    assert!(source.read(&february()).await.is_err());
    assert_eq!(upstream.pages().len(), 2);
}

#[tokio::test]
async fn our_own_count_stops_before_the_upstream_must() {
    let upstream = Upstream::of_pages(|_, _| page(&["1"], Some(1), "")).await;
    let used_today = Some(DayCount { day: Utc::now().date_naive(), requests: 8 });
    let settings =
        Settings { plan: "1000/s,10/day".parse().unwrap(), used_today, concurrency: Some(1), ..upstream.settings() };
    let source = Source::try_new(credentials(), settings).unwrap();
    let windows = (1..=9).map(|n| window(&format!("2022-02-{n:02}"), "2022-02-28"));
    let reads: Vec<_> = source.read_all(windows, Seam::Shared).collect().await;
    assert_eq!((reads.len(), upstream.pages().len(), source.usage().today.requests), (3, 2, 10));
    assert_eq!(reads[2].as_ref().unwrap_err().error.kind(), ErrorKind::DailyLimit);
}

#[tokio::test]
async fn a_day_that_is_used_up_before_the_first_request_is_told_every_time() {
    let issuer = Upstream::of_pages(|_, _| told(500, "")).await;
    let api = Upstream::of_pages(|_, _| page(&["1"], Some(1), "")).await;
    let settings = Settings {
        base_url: api.settings().base_url,
        plan: "1000/s,1/day".parse().unwrap(),
        used_today: Some(DayCount { day: Utc::now().date_naive(), requests: 1 }),
        ..issuer.settings()
    };
    let source = Source::try_new(credentials(), settings).unwrap();
    for _ in 0..2 {
        let read = tokio::time::timeout(Duration::from_secs(5), source.read(&february())).await.unwrap();
        assert_eq!(read.unwrap_err().error.kind(), ErrorKind::DailyLimit);
    }
    assert!(api.pages().is_empty());
}

/// The three forms of a `Retry-After` that lies one to two seconds ahead, and the instant that it names.
pub(super) fn a_moment_ahead(form: usize) -> (String, DateTime<Utc>) {
    let named = (Utc::now() + TimeDelta::seconds(2)).trunc_subsecs(0);
    match form {
        0 => ("1".to_owned(), Utc::now() + TimeDelta::seconds(1)),
        1 => (named.to_rfc2822().replace("+0000", "GMT"), named),
        _ => (named.to_rfc3339_opts(SecondsFormat::Secs, true), named),
    }
}

#[test_case(429, 0; "too_many_by_seconds")]
#[test_case(429, 1; "too_many_by_a_date")]
#[test_case(429, 2; "too_many_by_an_instant")]
#[test_case(503, 0; "unavailable_by_seconds")]
#[test_case(503, 1; "unavailable_by_a_date")]
#[test_case(503, 2; "unavailable_by_an_instant")]
#[tokio::test]
async fn nobody_asks_before_the_time_that_the_upstream_names(status: u16, form: usize) {
    let named = Arc::new(Mutex::new(None));
    let early = Arc::new(Mutex::new(Vec::new()));
    let (script_named, script_early) = (Arc::clone(&named), Arc::clone(&early));
    let upstream = Upstream::of_pages(move |_, n| {
        let mut named = script_named.lock().unwrap();
        if n == 0 {
            let (value, at) = a_moment_ahead(form);
            *named = Some(at);
            return told(status, "{}").header("retry-after", value);
        }
        if named.is_some_and(|at| Utc::now() < at) {
            script_early.lock().unwrap().push(n);
        }
        page(&["1"], Some(1), "")
    })
    .await;
    // Slow enough for the first answer to come before the second request leaves.
    let settings = Settings { plan: "5/s,1000/day".parse().unwrap(), ..upstream.settings() };
    let windows = (1..=4).map(|n| window(&format!("2022-02-{n:02}"), "2022-02-28"));
    let source = Source::try_new(credentials(), settings).unwrap();
    let reads: Vec<_> = source.read_all(windows, Seam::Shared).collect().await;
    assert!(reads.iter().all(Result::is_ok), "{reads:?}");
    assert_eq!((upstream.pages().len(), early.lock().unwrap().as_slice()), (5, &[][..]));
}

#[tokio::test]
async fn endless_throttling_ends_the_run_after_few_requests() {
    let upstream = Upstream::of_pages(|_, _| {
        told(429, r#"{"code":429,"message":"per-second"}"#).header("x-zm-trackingid", "rid-9")
    })
    .await;
    let mut settings = Settings { plan: "50/s,1000/day".parse().unwrap(), ..upstream.settings() };
    settings.retries.throttle_patience = Duration::from_millis(300);
    let source = Source::try_new(credentials(), settings).unwrap();
    let windows = (1..=20).map(|n| window(&format!("2022-02-{n:02}"), "2022-02-28"));

    let reads: Vec<_> = source.read_all(windows, Seam::Shared).collect().await;

    assert!(reads.iter().all(Result::is_err) && upstream.pages().len() < 20, "{}", upstream.pages().len());
    let error = &reads[0].as_ref().unwrap_err().error;
    assert!(error.is_fatal() && matches!(error, ExtractError::Throttled { .. }), "{error:?}");
    let text = error.to_string();
    assert!(["window 2022-02-", "tracking id rid-9", "go on at 20"].iter().all(|word| text.contains(word)), "{text}");
}

#[tokio::test]
async fn throttling_between_pages_is_borne_however_long_it_lasts() {
    let number = |asked: &Asked| asked.param("next_page_token").map_or(0, |token| token.parse::<usize>().unwrap());
    let upstream = Upstream::of_pages(move |asked, n| match (n % 2, number(asked)) {
        (0, _) => told(429, r#"{"code":429,"message":"per-second"}"#),
        (_, 19) => page(&["19"], Some(20), ""),
        (_, number) => page(&[&number.to_string()], Some(20), &(number + 1).to_string()),
    })
    .await;
    let mut settings = upstream.settings();
    settings.retries.throttle_patience = Duration::from_millis(100);
    settings.retries.throttles_per_window = 5;
    let source = Source::try_new(credentials(), settings).unwrap();
    let began = Instant::now();
    let reads = source.read(&february()).await.unwrap();
    assert_eq!((reads[0].received, source.usage().throttled), (20, 20));
    assert!(began.elapsed() > Duration::from_millis(300));
}
