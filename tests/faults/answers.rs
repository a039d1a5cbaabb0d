//! Answers that are none, or come in another way than usual.

use std::time::{Duration, Instant};

use phonetrail::extract::{ErrorKind, Retries, Settings, Timeouts};
use phonetrail::pipeline::StopReason;
use phonetrail::simulator::{Endpoint, Fault, FaultPlan, Latency, SeenRequest};
use test_case::test_case;

use super::trial::{
    CALIBRATION, Trial, also_in_the_third_window, always, config, four_times, in_the_third_window, third_window,
};

const HTML: &str = "<html><body>Bad Gateway: the access token may be fine</body></html>";
const PER_SECOND: &str =
    r#"{"code":429,"message":"You have reached the maximum per-second rate limit for this API. Try again later."}"#;
const DAILY: &str = r#"{"code":429,"message":"You have reached the maximum daily rate limit for this API. Refer to the response header for details on when you can make another request."}"#;

/// Bodies of up to 64 KiB, and a fifth of a second for each.
fn strict(settings: Settings) -> Settings {
    let timeouts = Timeouts { total: Duration::from_millis(400), ..settings.timeouts };
    Settings { timeouts, max_body_bytes: 64 << 10, ..settings }
}

#[test_case(Fault::Delay(Duration::from_millis(60)); "late")]
#[test_case(Fault::Drip { pieces: 12, pause: Duration::from_millis(5) }; "in_pieces")]
#[test_case(Fault::Gzip; "compressed")]
#[test_case(Fault::ContentType("text/plain".to_owned()); "of_another_type")]
#[test_case(Fault::ContentType(String::new()); "of_no_type")]
#[test_case(Fault::Padded(10_000); "padded")]
#[tokio::test(flavor = "multi_thread")]
async fn an_odd_answer_that_is_whole_is_taken(fault: Fault) {
    let trial = Trial::under(always(&fault)).await;
    let report = trial.heals().await;
    assert_eq!(report.requests, report.pages + CALIBRATION, "nothing was asked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_and_jitter_change_nothing() {
    let latency = Latency { fixed: Duration::from_millis(20), jitter: Duration::from_millis(60) };
    let report = Trial::start(config().with_latency(latency)).await.heals().await;
    assert_eq!(report.requests, report.pages + CALIBRATION);
}

/// What each fault is called in the error, and whether an answer came far enough to have a tracking id.
#[test_case(Fault::status(500, ""), &["HTTP 500", "tracking id v=2.0"]; "internal_error")]
#[test_case(Fault::status(502, HTML), &["HTTP 502", "tracking id v=2.0"]; "bad_gateway_in_html")]
#[test_case(Fault::status_with_header(503, "Retry-After", "0", "{}"), &["HTTP 503", "tracking id v=2.0"]; "unavailable")]
#[test_case(Fault::Html200, &["is no page of the operation log", "tracking id v=2.0"]; "html")]
#[test_case(Fault::ErrorObject200, &["no list of records", "tracking id v=2.0"]; "an_error_object")]
#[test_case(Fault::NullLogs, &["no list of records", "tracking id v=2.0"]; "null_logs")]
#[test_case(Fault::TruncatedJson, &["is no page of the operation log", "tracking id v=2.0"]; "half_a_text")]
#[test_case(Fault::ResetMidBody, &["no whole answer", "tracking id v=2.0"]; "broken_off")]
#[test_case(Fault::ResetBeforeAnswer, &["no whole answer"]; "broken_before_it_began")]
#[test_case(Fault::Hang, &["no whole answer"]; "silent")]
#[test_case(Fault::Drip { pieces: 100, pause: Duration::from_millis(40) }, &["no whole answer", "tracking id v=2.0"]; "dripping")]
#[test_case(Fault::Padded(100_000), &["longer than 65536 bytes", "tracking id v=2.0"]; "too_long")]
#[test_case(Fault::status_with_header(200, "content-encoding", "gzip", "{}"), &["no whole answer"]; "not_compressed_as_said")]
#[test_case(Fault::status(200, "\u{0}\u{1}"), &["is no page of the operation log"]; "not_json")]
#[test_case(Fault::status(204, ""), &["HTTP 204"]; "nothing")]
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_page_is_asked_for_again(fault: Fault, words: &[&str]) {
    let mut passing = Trial::under(four_times(&fault)).await;
    passing.settings = strict(passing.settings);
    let report = passing.heals().await;
    assert_eq!(report.requests, report.pages + CALIBRATION + 4);

    let mut lasting = Trial::under(in_the_third_window(&fault)).await;
    lasting.settings = strict(lasting.settings);
    let outcome = lasting.fails_until_the_faults_end().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Unavailable));
    outcome.assert_says(&[&third_window(), "attempt 4 of 4"]);
    outcome.assert_says(words);
    let report = outcome.0.unwrap();
    assert_eq!(report.windows, 3, "the other windows are kept");
    assert!(report.rows_new > 0 && report.days.unmatched > 0 && report.days.settled > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_fails_throughout_is_not_asked_without_end() {
    let mut trial = Trial::under(always(&Fault::status(500, ""))).await;
    trial.settings.retries = Retries { per_run: 10, ..trial.settings.retries };
    let outcome = trial.fails_until_the_faults_end().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Unavailable));
    outcome.assert_says(&["window 202", "HTTP 500", "tracking id v=2.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_that_unpacks_without_end_is_not_taken_in() {
    // What it unpacks to would do as a page.
    let bomb = [Fault::Padded(4 << 20), Fault::Gzip];
    let bounded = |settings| Settings { max_body_bytes: 64 << 10, ..settings };
    let passing = bomb.iter().fold(FaultPlan::new(), |plan, fault| plan.on_report(5, fault.clone()));
    let mut trial = Trial::under(passing).await;
    trial.settings = bounded(trial.settings);
    let report = trial.heals().await;
    assert_eq!(report.requests, report.pages + CALIBRATION + 1);

    let lasting = bomb.iter().fold(FaultPlan::new(), also_in_the_third_window);
    let mut trial = Trial::under(lasting).await;
    trial.settings = bounded(trial.settings);
    let outcome = trial.fails_until_the_faults_end().await;
    outcome.assert_says(&[&third_window(), "attempt 4 of 4", "longer than 65536 bytes", "tracking id v=2.0"]);
}

#[test_case(&[("X-RateLimit-Category", "Heavy"), ("X-RateLimit-Type", "QPS")], PER_SECOND; "as_documented")]
#[test_case(&[], PER_SECOND; "without_headers")]
#[test_case(&[("Retry-After", "0")], PER_SECOND; "with_seconds")]
#[test_case(&[], HTML; "in_html")]
#[test_case(&[], r#"{"code":429,"message":"Too many concurrent requests."}"#; "of_concurrency")]
#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_per_second_are_waited_out(headers: &[(&str, &str)], body: &str) {
    let fault = status(429, headers, body);
    let report = Trial::under(four_times(&fault)).await.heals().await;
    assert_eq!(report.throttled, 4);

    let outcome = Trial::under(in_the_third_window(&fault)).await.fails_until_the_faults_end().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Unavailable));
    outcome.assert_says(&[&third_window(), "attempt 8 of 8", "HTTP 429", "tracking id v=2.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_others_use_up_ends_the_run_and_keeps_whole_windows() {
    // From the fourteenth request on: some windows are whole by then.
    let later = |request: &SeenRequest| request.endpoint == Endpoint::Report && request.number > 13;
    let mut trial = Trial::under(FaultPlan::new().when(u64::MAX, later, status(429, &[], PER_SECOND))).await;
    trial.settings.concurrency = Some(2);
    trial.settings.retries.throttle_patience = Duration::from_millis(200);
    let outcome = trial.fails_until_the_faults_end().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::RateLimit));
    outcome.assert_says(&["window 202", "HTTP 429", "tracking id v=2.0", "go on at 20"]);
    let report = outcome.0.unwrap();
    assert!(report.windows > 0 && report.requests < 13 + 20, "{report:?}");
    let stop = report.stopped.unwrap();
    assert!(stop.reason == StopReason::RateLimit && stop.resume_at.is_some());
}

#[test_case(&[("X-RateLimit-Type", "Daily-limit"), ("X-RateLimit-Remaining", "0")], DAILY; "as_documented")]
#[test_case(&[], DAILY; "without_headers")]
#[test_case(&[("X-RateLimit-Type", "Daily-limit")], HTML; "by_header_only")]
#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_day_ends_the_run_and_says_when_to_go_on(headers: &[(&str, &str)], body: &str) {
    let fault = status(429, headers, body);
    for plan in [FaultPlan::new().on_report(1, fault.clone()), in_the_third_window(&fault)] {
        let outcome = Trial::under(plan).await.fails_until_the_faults_end().await;
        assert_eq!(outcome.kind(), Some(ErrorKind::DailyLimit));
        outcome.assert_says(&["daily request limit reached, go on at", "T00:00:00Z"]);
        if let Ok(report) = outcome.0 {
            let stop = report.stopped.unwrap();
            assert!(stop.reason == StopReason::DailyLimit && stop.resume_at.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_upstream_is_given_up_in_the_time_set() {
    let mut trial = Trial::under(always(&Fault::Hang)).await;
    trial.settings = strict(trial.settings);
    let started = Instant::now();
    let outcome = trial.sync().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Unavailable));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

fn status(code: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Fault::Status { code, headers, body: body.to_owned() }
}
