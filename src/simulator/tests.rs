//! The simulator over real HTTP, as a client sees it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const WEEK: &str = "from=2022-02-01&to=2022-02-07";

fn generated(records: usize) -> SimulatorConfig {
    let day = |text: &str| text.parse().unwrap();
    SimulatorConfig::default().with_generated(GeneratorConfig {
        seed: 1,
        records,
        from: day("2022-02-01"),
        to: day("2022-02-07"),
    })
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

fn record(name: &str, time: &str) -> AccountRecord {
    AccountRecord::new(format!(r#"{{"operator":"{name}","category_type":"Device","time":"{time}"}}"#), at(time))
}

/// A client with an access token.
struct Session {
    simulator: RunningSimulator,
    client: Client,
    token: String,
}

impl Session {
    async fn start(config: SimulatorConfig) -> Self {
        let simulator = serve(config, LOOPBACK).await.unwrap();
        let token = simulator.issue_access_token();
        Self { simulator, client: Client::builder().no_proxy().build().unwrap(), token }
    }

    async fn try_get(&self, query: &str) -> reqwest::Result<Response> {
        let url = format!("{}/phone/reports/operationlogs?{query}", self.simulator.base_url());
        self.client.get(url).bearer_auth(&self.token).send().await
    }

    async fn get(&self, query: &str) -> (StatusCode, Value) {
        let response = self.try_get(query).await.unwrap();
        assert!(response.headers().contains_key("x-zm-trackingid"));
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    async fn page(&self, query: &str) -> Value {
        let (status, body) = self.get(query).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// All pages, and their records.
    async fn read(&self, query: &str) -> (Vec<Value>, Vec<Value>) {
        let (mut pages, mut records) = (Vec::new(), Vec::new());
        let mut token = String::new();
        loop {
            let page = self.page(&format!("{query}&next_page_token={token}")).await;
            records.extend(page["operation_logs"].as_array().unwrap().clone());
            token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
            pages.push(page);
            if token.is_empty() {
                return (pages, records);
            }
        }
    }

    async fn ask_for_token(&self, secret: &str, form: &[(&str, &str)]) -> (StatusCode, String) {
        let request = self.client.post(self.simulator.oauth_url()).basic_auth(Credentials::CLIENT_ID, Some(secret));
        let response = request.form(form).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

fn operators(page: &Value) -> Vec<&str> {
    page["operation_logs"].as_array().unwrap().iter().map(|record| record["operator"].as_str().unwrap()).collect()
}

fn as_values(truth: &GroundTruth) -> Vec<Value> {
    truth.texts().map(|text| serde_json::from_slice(text).unwrap()).collect()
}

#[tokio::test]
async fn account_credentials_bring_a_token_that_opens_the_report() {
    let mut session = Session::start(generated(3)).await;
    let form = [("grant_type", "account_credentials"), ("account_id", Credentials::ACCOUNT_ID)];
    let (status, body) = session.ask_for_token(Credentials::CLIENT_SECRET, &form).await;
    assert_eq!(status, 200);

    let body: Value = serde_json::from_str(&body).unwrap();
    session.token = body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(session.page(WEEK).await["total_records"], 3);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(3600)));
    assert_eq!(
        (&body["scope"], &body["api_url"]),
        (&json!(SimulatorConfig::SCOPE), &json!(session.simulator.origin()))
    );
}

#[tokio::test]
async fn wrong_credentials_are_refused_in_the_documented_words() {
    let session = Session::start(SimulatorConfig::default()).await;
    let account = ("account_id", Credentials::ACCOUNT_ID);
    let grant = ("grant_type", "account_credentials");
    for (secret, form, expected) in [
        ("guess", vec![grant, account], r#"{"reason":"Invalid client_id or client_secret","error":"invalid_client"}"#),
        (
            Credentials::CLIENT_SECRET,
            vec![grant, ("account_id", "other")],
            r#"{"reason":"Account does not exist","error":"invalid_request"}"#,
        ),
        (Credentials::CLIENT_SECRET, vec![grant], r#"{"reason":"Bad Request","error":"invalid_request"}"#),
        (
            Credentials::CLIENT_SECRET,
            vec![("grant_type", "password"), account],
            r#"{"reason":"unsupported grant type","error":"unsupported_grant_type"}"#,
        ),
    ] {
        assert_eq!(session.ask_for_token(secret, &form).await, (StatusCode::BAD_REQUEST, expected.to_owned()));
    }
}

#[tokio::test]
async fn token_parameters_in_the_query_are_a_setting() {
    for accepted in [true, false] {
        let session = Session::start(SimulatorConfig::default().with_token_query_accepted(accepted)).await;
        let url = format!(
            "{}?grant_type=account_credentials&account_id={}",
            session.simulator.oauth_url(),
            Credentials::ACCOUNT_ID
        );
        let request = session.client.post(url).basic_auth(Credentials::CLIENT_ID, Some(Credentials::CLIENT_SECRET));
        assert_eq!(request.send().await.unwrap().status().is_success(), accepted);
    }
}

#[tokio::test]
async fn a_report_without_a_good_token_is_refused_with_code_124() {
    let mut session = Session::start(SimulatorConfig::default().with_access_token_lifetime(Duration::ZERO)).await;
    let refused = |message: &str| (StatusCode::UNAUTHORIZED, json!({"code": 124, "message": message}));
    assert_eq!(session.get(WEEK).await, refused("Access token is expired."));
    session.simulator.revoke_tokens();
    assert_eq!(session.get(WEEK).await, refused("Invalid access token."));
    session.token.clear();
    assert_eq!(session.get(WEEK).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn scope_and_product_are_asked_for() {
    let session = Session::start(SimulatorConfig::default().with_scopes(vec!["user:read:admin".to_owned()])).await;
    let message = "Invalid access token, does not contain scopes:[phone:read:operation_logs:admin].";
    assert_eq!(session.get(WEEK).await, (StatusCode::BAD_REQUEST, json!({"code": 4711, "message": message})));

    let session = Session::start(SimulatorConfig::default().with_phone_enabled(false)).await;
    let (status, body) = session.get(WEEK).await;
    assert_eq!(
        (status, body["message"].as_str()),
        (StatusCode::FORBIDDEN, Some("Zoom Phone has not been enabled for this account"))
    );
}

#[tokio::test]
async fn pages_hold_every_record_once_newest_first() {
    let session = Session::start(generated(1000)).await;
    let (pages, mut records) = session.read(&format!("{WEEK}&page_size=300")).await;
    assert_eq!(pages.len(), 4);
    for page in &pages {
        assert_eq!((&page["total_records"], &page["page_size"]), (&json!(1000), &json!(300)));
        assert_eq!((&page["from"], &page["to"]), (&json!("2022-02-01"), &json!("2022-02-07")));
    }
    records.reverse();
    assert_eq!(records, as_values(&session.simulator.ground_truth()));

    let stats = session.simulator.stats();
    assert_eq!((stats.report_requests, stats.pages_served, stats.max_in_flight), (4, 4, 1));
    assert!(stats.body_bytes > 100_000);
}

#[tokio::test]
async fn categories_partition_the_account() {
    let session = Session::start(generated(1000)).await;
    let truth = session.simulator.ground_truth();
    for code in ["phone_number", "excluded_number", "zoom_room", "no_such_code"] {
        let (_, records) = session.read(&format!("{WEEK}&page_size=300&category_type={code}")).await;
        let expected = truth.records().iter().filter(|record| record.category() == Some(code)).count();
        assert_eq!(records.len(), expected, "{code}");
        assert_eq!(records.is_empty(), code == "no_such_code");
    }
}

#[tokio::test]
async fn records_are_served_byte_for_byte() {
    let text = r#"{ "operator" : "\u0061", "time":"x", "n":1.00, "lone":"\ud800" }"#;
    let config = SimulatorConfig::default().with_records(vec![AccountRecord::new(text, at("2022-02-01T00:00:00Z"))]);
    let session = Session::start(config).await;
    let body = session.try_get(WEEK).await.unwrap().text().await.unwrap();
    let expected = format!(
        r#"{{"next_page_token":"","page_size":30,"total_records":1,"from":"2022-02-01","to":"2022-02-07","operation_logs":[{text}]}}"#
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_page_token_is_refused_when_dead_or_of_another_query() {
    let refused =
        (StatusCode::BAD_REQUEST, json!({"code": 400, "message": "The next page token is invalid or expired."}));
    for (lifetime, dead) in [(SimulatorConfig::PAGE_TOKEN_LIFETIME, false), (Duration::ZERO, true)] {
        let session = Session::start(generated(100).with_page_token_lifetime(lifetime)).await;
        let token = session.page(WEEK).await["next_page_token"].as_str().unwrap().to_owned();
        assert_eq!(session.get(&format!("{WEEK}&page_size=31&next_page_token={token}")).await, refused);
        let answer = session.get(&format!("{WEEK}&next_page_token={token}")).await;
        assert_eq!(answer == refused, dead);
    }
}

#[tokio::test]
async fn what_arrives_between_pages_moves_live_pages_only() {
    for (paging, second_page, total) in [(Paging::Snapshot, ["b", "a"], 4), (Paging::Live, ["c", "b"], 5)] {
        let days = ["a", "b", "c", "d"].into_iter().zip(1..);
        let records = days.map(|(name, day)| record(name, &format!("2022-02-0{day}T00:00:00Z")));
        let config = SimulatorConfig::default().with_records(records.collect()).with_paging(paging);
        let session = Session::start(config).await;

        let first = session.page(&format!("{WEEK}&page_size=2")).await;
        assert_eq!(operators(&first), ["d", "c"]);
        session.simulator.add(vec![record("e", "2022-02-05T00:00:00Z")]);
        let token = first["next_page_token"].as_str().unwrap();
        let second = session.page(&format!("{WEEK}&page_size=2&next_page_token={token}")).await;
        assert_eq!((operators(&second), &second["total_records"]), (second_page.to_vec(), &json!(total)));
    }
}

#[tokio::test]
async fn a_long_range_is_refused_or_cut_as_set() {
    let quarter = "from=2022-01-01&to=2022-03-31";
    let session = Session::start(SimulatorConfig::default()).await;
    let (status, body) = session.get(quarter).await;
    assert_eq!((status, &body["code"]), (StatusCode::BAD_REQUEST, &json!(300)));

    let session = Session::start(generated(10).with_long_range(LongRange::CutEnd)).await;
    let page = session.page(quarter).await;
    assert_eq!(
        (&page["from"], &page["to"], &page["total_records"]),
        (
            &json!("2022-01-01"),
            &json!("2022-02-01"),
            &json!(session.page("from=2022-02-01&to=2022-02-01").await["total_records"])
        )
    );
}

#[tokio::test]
async fn pages_may_lack_totals_be_short_and_end_without_a_token() {
    let config = generated(25).with_totals_given(false).with_page_cap(10).with_last_token(LastToken::Missing);
    let session = Session::start(config).await;
    let (pages, records) = session.read(&format!("{WEEK}&page_size=300")).await;
    assert_eq!((pages.len(), records.len()), (3, 25));
    assert!(pages.iter().all(|page| page.get("total_records").is_none()));
    assert!(pages[2].get("next_page_token").is_none());
}

#[tokio::test]
async fn rate_limits_answer_429_with_the_documented_headers() {
    let session =
        Session::start(generated(1).with_rate_limits("1/s".parse().unwrap()).with_second_window(SecondWindow::Sliding))
            .await;
    session.page(WEEK).await;
    let response = session.try_get(WEEK).await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((response.status().as_u16(), header("x-ratelimit-type").as_deref()), (429, Some("QPS")));
    assert_eq!((header("retry-after"), header("x-ratelimit-limit")), (None, None));
    assert_eq!(session.simulator.stats().throttled, 1);

    let session = Session::start(generated(1).with_rate_limits("1/day".parse().unwrap())).await;
    session.page(WEEK).await;
    let response = session.try_get(WEEK).await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((response.status().as_u16(), header("x-ratelimit-type")), (429, "Daily-limit".to_owned()));
    assert_eq!((header("x-ratelimit-limit"), header("x-ratelimit-remaining")), ("1".to_owned(), "0".to_owned()));
    let retry_after = header("retry-after");
    assert!(retry_after.ends_with("T00:00:00Z") && at(&retry_after) > Utc::now(), "{retry_after}");
    session.simulator.start_new_day();
    session.page(WEEK).await;
}

#[tokio::test]
async fn faults_that_spoil_bytes_spoil_them() {
    let faults = FaultPlan::new()
        .on_report(1, Fault::ResetMidBody)
        .on_report(2, Fault::ResetBeforeAnswer)
        .on_report(3, Fault::TruncatedJson)
        .on_report(4, Fault::Html200)
        .on_report(5, Fault::InvalidUtf8)
        .on_report(6, Fault::status_with_header(503, "Retry-After", "1", ""))
        .on_report(7, Fault::Hang);
    let session = Session::start(generated(50).with_faults(faults)).await;

    let response = session.try_get(WEEK).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err(), "the body breaks off");
    assert!(session.try_get(WEEK).await.is_err(), "there is no answer");
    let truncated = session.try_get(WEEK).await.unwrap().bytes().await.unwrap();
    assert!(serde_json::from_slice::<Value>(&truncated).is_err());
    let html = session.try_get(WEEK).await.unwrap();
    assert!(html.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let invalid = session.try_get(WEEK).await.unwrap().bytes().await.unwrap();
    assert!(std::str::from_utf8(&invalid).is_err());
    let unavailable = session.try_get(WEEK).await.unwrap();
    assert_eq!((unavailable.status().as_u16(), unavailable.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    assert!(tokio::time::timeout(Duration::from_millis(100), session.try_get(WEEK)).await.is_err());
    assert_eq!(session.simulator.stats().faults, 7);
    session.page(WEEK).await;
}

#[tokio::test]
async fn faults_of_delivery_leave_the_content_as_it_is() {
    let session = Session::start(generated(20)).await;
    let clean = session.page(WEEK).await;
    let spoilt = async |fault: Fault| {
        session.simulator.inject(FaultPlan::new().on_next(Endpoint::Report, 1, fault));
        session.try_get(WEEK).await.unwrap()
    };

    let started = Instant::now();
    let response = spoilt(Fault::Drip { pieces: 5, pause: Duration::from_millis(10) }).await;
    assert_eq!(json_of(response).await, clean);
    assert!(started.elapsed() >= Duration::from_millis(50));

    let body = spoilt(Fault::Padded(1000)).await.bytes().await.unwrap();
    assert!(body.starts_with(&[b' '; 1000]));
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), clean);

    let response = spoilt(Fault::Gzip).await;
    assert_eq!(json_of(response).await, clean);

    let response = spoilt(Fault::ContentType("text/plain".to_owned())).await;
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(json_of(response).await, clean);
}

#[tokio::test]
async fn faults_can_be_ended() {
    let session = Session::start(generated(1)).await;
    session.simulator.inject(FaultPlan::new().on_next(Endpoint::Report, 100, Fault::status(500, "")));
    assert_eq!(session.try_get(WEEK).await.unwrap().status(), 500);
    session.simulator.end_faults();
    session.page(WEEK).await;
    assert_eq!(session.simulator.access_tokens(), std::slice::from_ref(&session.token));
}

#[tokio::test]
async fn faults_that_spoil_pages_spoil_them() {
    let session = Session::start(generated(50)).await;
    let clean = session.page(&format!("{WEEK}&page_size=20")).await;
    let token = clean["next_page_token"].as_str().unwrap().to_owned();
    let second = format!("{WEEK}&page_size=20&next_page_token={token}");
    let spoilt = async |fault: Fault| {
        session.simulator.inject(FaultPlan::new().on_next(Endpoint::Report, 1, fault));
        session.get(&second).await.1
    };

    let expected = session.page(&second).await;
    assert_eq!(spoilt(Fault::NullLogs).await["operation_logs"], Value::Null);
    assert_eq!(spoilt(Fault::DuplicatePage).await["operation_logs"], clean["operation_logs"]);
    assert_eq!(spoilt(Fault::RepeatToken).await["next_page_token"], token);
    assert_eq!(operators(&spoilt(Fault::DropRecord).await), operators(&expected)[..19]);
    assert_eq!(spoilt(Fault::WrongTotal(-1)).await["total_records"], 49);
    assert_eq!(spoilt(Fault::page(|page| page.to = "2022-02-05".to_owned())).await["to"], "2022-02-05");
    assert_eq!(spoilt(Fault::ErrorObject200).await["code"], 300);
    let arrived = spoilt(Fault::Arrive(vec![record("late", "2022-02-03T00:00:00Z")])).await;
    assert_eq!((&arrived["total_records"], session.simulator.ground_truth().len()), (&json!(50), 51));

    let empty = spoilt(Fault::EmptyPageWithToken).await;
    assert!(operators(&empty).is_empty());
    let onwards = empty["next_page_token"].as_str().unwrap();
    let after = session.page(&format!("{WEEK}&page_size=20&next_page_token={onwards}")).await;
    assert_eq!(after["operation_logs"], expected["operation_logs"]);

    let last = format!("{WEEK}&page_size=60");
    session.simulator.inject(FaultPlan::new().on_next(Endpoint::Report, 1, Fault::TokenAtEnd));
    let token = session.page(&last).await["next_page_token"].as_str().unwrap().to_owned();
    let after = session.page(&format!("{last}&next_page_token={token}")).await;
    assert_eq!((operators(&after).len(), &after["next_page_token"]), (0, &json!("")));

    assert_eq!(spoilt(Fault::ExpireToken).await["message"], "The next page token is invalid or expired.");
    assert_eq!(spoilt(Fault::RevokeAccess).await["code"], 124);
}

#[tokio::test]
async fn faults_strike_token_requests_too() {
    let faults = FaultPlan::new().on_token(1, Fault::status(500, "")).on_token(2, Fault::TruncatedJson);
    let session = Session::start(SimulatorConfig::default().with_faults(faults)).await;
    let form = [("grant_type", "account_credentials"), ("account_id", Credentials::ACCOUNT_ID)];
    assert_eq!(session.ask_for_token(Credentials::CLIENT_SECRET, &form).await.0, 500);
    let (status, body) = session.ask_for_token(Credentials::CLIENT_SECRET, &form).await;
    assert!(status.is_success() && serde_json::from_str::<Value>(&body).is_err());
    assert_eq!(session.simulator.stats().token_requests, 2);
}

#[tokio::test]
async fn latency_is_waited_and_requests_overlap() {
    let session = Session::start(generated(1).with_latency("150ms+50ms".parse().unwrap())).await;
    let started = Instant::now();
    let answers = futures::future::join_all((0..8).map(|_| session.page(WEEK))).await;
    assert_eq!(answers.len(), 8);
    assert!(started.elapsed() >= Duration::from_millis(150));
    assert!(session.simulator.stats().max_in_flight > 1);
}

#[tokio::test]
async fn the_hook_sees_every_request() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let hook = {
        let seen = Arc::clone(&seen);
        move |request: &SeenRequest| {
            let from = request.parameter("from").map(str::to_owned);
            seen.lock().unwrap().push((request.endpoint, request.number, from));
        }
    };
    let session = Session::start(SimulatorConfig::default().with_on_request(hook)).await;
    session.page(WEEK).await;
    assert_eq!(*seen.lock().unwrap(), [(Endpoint::Report, 1, Some("2022-02-01".to_owned()))]);
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let session = Session::start(SimulatorConfig::default()).await;
    let response = session.client.get(format!("{}/users", session.simulator.base_url())).send().await.unwrap();
    assert!(response.headers().contains_key("x-zm-trackingid"));
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn an_address_that_others_can_reach_must_be_asked_for() {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let refused = serve(SimulatorConfig::default(), everywhere).await;
    assert!(matches!(refused, Err(SimulatorError::NotLoopback { .. })));
    assert!(serve(SimulatorConfig::default().with_remote_access(true), everywhere).await.is_ok());
}

#[tokio::test]
async fn a_simulator_that_is_shut_down_ends_what_hangs_and_answers_no_more() {
    let session = Session::start(generated(1).with_faults(FaultPlan::new().on_report(1, Fault::Hang))).await;
    let url = format!("{}/phone/reports/operationlogs", session.simulator.base_url());
    let hanging = tokio::spawn(session.client.get(&url).bearer_auth(&session.token).send());
    while session.simulator.stats().report_requests == 0 {
        tokio::task::yield_now().await;
    }
    session.simulator.shutdown().await;
    assert!(hanging.await.unwrap().is_ok());
    assert!(session.client.get(url).send().await.is_err());
}

#[tokio::test]
async fn files_of_records_are_read_and_faulty_lines_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "{\"report\":\"phone\",\"action\":\"ADD\",\"time\":null}\n\n{\"time\":\"2022-02-02T00:00:00Z\"}\r\n",
    )
    .unwrap();
    let session = Session::start(SimulatorConfig::default().with_records(read_records(file.path()).unwrap())).await;
    let mut ndjson = Vec::new();
    session.simulator.ground_truth().write_ndjson(&mut ndjson).unwrap();
    let expected = "{\"action\":\"ADD\",\"time\":\"2022-02-01T02:36:14Z\"}\n{\"time\":\"2022-02-02T00:00:00Z\"}\n";
    assert_eq!(String::from_utf8(ndjson).unwrap(), expected);

    std::fs::write(file.path(), "{}\n[]\n").unwrap();
    let error = read_records(file.path()).unwrap_err().to_string();
    assert_eq!(error, format!("line 2 of {} is not a JSON object", file.path().display()));
}

#[tokio::test]
async fn no_secret_shows_in_debug() {
    let session = Session::start(SimulatorConfig::default()).await;
    let debug = format!("{:?} {:?}", session.simulator.config(), session.simulator);
    assert!(!debug.contains(Credentials::CLIENT_SECRET) && !debug.contains(&session.token));
}
