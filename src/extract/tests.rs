//! The extractor against a scripted upstream on loopback: what it makes of the answers, and what the upstream saw.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate, Utc};
use futures::StreamExt;
use test_case::test_case;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::model::{AccountId, Scope, Seam, Window, WindowRead};

// --- The scripted upstream -------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    query: HashMap<String, String>,
    headers: HashMap<String, String>,
    body: String,
}

impl Asked {
    fn is_token(&self) -> bool {
        self.path == "/oauth/token"
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

struct Told {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How many bytes fewer are sent than were announced.
    missing: usize,
}

impl Told {
    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn told(status: u16, body: impl Into<Vec<u8>>) -> Told {
    Told { status, headers: Vec::new(), body: body.into(), missing: 0 }
}

/// A page of records, each a JSON text.
fn page(records: &[&str], total: Option<u64>, next: &str) -> Told {
    let total = total.map_or(String::new(), |total| format!(r#""total_records":{total},"#));
    told(200, format!(r#"{{{total}"next_page_token":"{next}","operation_logs":[{}]}}"#, records.join(",")))
}

type Script = dyn Fn(&Asked, usize) -> Told + Send + Sync;

/// Answers by the script, which is told how many requests of the same kind (token or page) came before.
struct Upstream {
    origin: String,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl Upstream {
    async fn start(script: impl Fn(&Asked, usize) -> Told + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, script): (_, Arc<Script>) = (Arc::clone(&seen), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&script)));
            }
        });
        Self { origin, seen }
    }

    /// An upstream that gives tokens freely; `script` answers the requests for pages.
    async fn of_pages(script: impl Fn(&Asked, usize) -> Told + Send + Sync + 'static) -> Self {
        Self::start(move |asked, n| if asked.is_token() { token(n) } else { script(asked, n) }).await
    }

    fn settings(&self) -> Settings {
        Settings {
            base_url: format!("{}/v2", self.origin),
            oauth_url: format!("{}/oauth/token", self.origin),
            plan: "1000/s,100000/day".parse().unwrap(),
            retries: Retries {
                tries_per_page: 3,
                first_delay: Duration::from_millis(1),
                max_delay: Duration::from_millis(5),
                throttle_pause: Duration::from_millis(20),
                ..Retries::default()
            },
            ..Settings::default()
        }
    }

    fn source(&self) -> Source {
        Source::try_new(credentials(), self.settings()).unwrap()
    }

    fn pages(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().iter().filter(|asked| !asked.is_token()).cloned().collect()
    }

    fn tokens(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().iter().filter(|asked| asked.is_token()).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Asked>>>, script: Arc<Script>) -> Option<()> {
    loop {
        let asked = read_request(&mut stream).await?;
        let told = {
            let mut seen = seen.lock().unwrap();
            let before = seen.iter().filter(|other| other.is_token() == asked.is_token()).count();
            seen.push(asked.clone());
            script(&asked, before)
        };
        let mut head = format!("HTTP/1.1 {} Scripted\r\ncontent-length: {}\r\n", told.status, told.body.len());
        for (name, value) in &told.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await.ok()?;
        stream.write_all(&told.body[..told.body.len() - told.missing]).await.ok()?;
        if told.missing > 0 {
            return None;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let (method, rest) = lines.next()?.split_once(' ')?;
    let url = url::Url::parse(&format!("http://x{}", rest.split(' ').next()?)).unwrap();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        method: method.to_owned(),
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}

fn token(n: usize) -> Told {
    told(200, format!(r#"{{"access_token":"token-{n}","token_type":"bearer","expires_in":3600}}"#))
}

fn credentials() -> Credentials {
    Credentials::ServerToServer {
        account_id: AccountId::new("account"),
        client_id: "client".to_owned(),
        client_secret: Secret::new("hush"),
    }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn window(from: &str, to: &str) -> Window {
    Window::try_new(day(from), day(to), Scope::All).unwrap()
}

fn february() -> Window {
    window("2022-02-01", "2022-02-28")
}

/// The texts of all records read.
fn bodies(read: &WindowRead) -> String {
    read.pages.iter().map(|page| page.text().into_owned()).collect()
}

// --- Signing in ----------------------------------------------------------------------------------------------

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

// --- Reading a window ------------------------------------------------------------------------------------------

#[tokio::test]
async fn pages_are_followed_to_the_absent_token() {
    let upstream = Upstream::of_pages(|asked, _| match asked.param("next_page_token") {
        None => page(&["1", "2"], Some(3), "a b/+").header("x-zm-trackingid", "rid-1"),
        Some("a b/+") => page(&["3"], Some(3), "c"),
        Some(_) => page(&[], Some(3), ""),
    })
    .await;
    let source = upstream.source();

    let reads = source.read(&february()).await.unwrap();

    let [read] = reads.as_slice() else { panic!("{reads:?}") };
    assert_eq!((read.pages.len(), read.reported, read.received, read.reads), (3, Some(3), 3, 1));
    assert_eq!(read.pages[0].tracking_id.as_deref(), Some("rid-1"));
    assert_eq!(
        read.pages[0].request,
        "/v2/phone/reports/operationlogs?from=2022-02-01&to=2022-02-28&category_type=all&page_size=300"
    );
    assert_eq!(read.pages.iter().map(|page| page.number).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(read.started_at <= read.pages[0].received_at);
    for asked in &upstream.pages()[1..] {
        let first = &upstream.pages()[0].query;
        assert!(first.iter().all(|(name, value)| asked.query.get(name) == Some(value)), "{asked:?}");
    }
    assert_eq!((source.usage().pages, source.usage().retries), (3, 0));
}

#[tokio::test]
async fn settings_shape_the_request() {
    let upstream = Upstream::of_pages(|_, _| page(&[], Some(0), "")).await;
    let settings = Settings { page_size: 30, date_format: DateFormat::DateTime, ..upstream.settings() };
    let scope = "sip_group".parse().unwrap();
    let window = Window::try_new(day("2022-02-01"), day("2022-02-02"), scope).unwrap();
    Source::try_new(credentials(), settings).unwrap().read(&window).await.unwrap();
    let asked = &upstream.pages()[0];
    assert_eq!((asked.param("from"), asked.param("to")), (Some("2022-02-01T00:00:00Z"), Some("2022-02-02T23:59:59Z")));
    assert_eq!((asked.param("category_type"), asked.param("page_size")), (Some("sip_group"), Some("30")));
}

#[test_case(|n| page(&["1"], Some(2), if n == 9 { "a" } else { "" }); "fewer_than_reported")]
#[test_case(|_| page(&["1", "2"], Some(1), ""); "more_than_reported")]
#[test_case(|_| page(&[], Some(1), "a"); "an_empty_page_with_a_token")]
#[test_case(|_| page(&[], None, "a"); "an_empty_page_with_a_token_and_no_total")]
#[tokio::test]
async fn a_reading_that_does_not_add_up_is_repeated(wrong: fn(usize) -> Told) {
    let upstream = Upstream::of_pages(move |_, n| if n < 2 { wrong(n) } else { page(&["1"], Some(1), "") }).await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].received, reads[0].reads, reads[0].pages.len()), (1, 3, 1));
}

#[tokio::test]
async fn a_repeated_token_ends_the_reading() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (_, 0..=2) => page(&[&n.to_string()], Some(9), "same"),
        (None, _) => page(&["1"], Some(2), "same"),
        _ => page(&["2"], Some(2), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].received, reads[0].reads), (2, 3));
}

/// A token came with the last record that was reported.
#[test_case(|| told(400, r#"{"code":300,"message":"The next page token is either invalid or has expired."}"#); "to_an_invalid_token")]
#[test_case(|| page(&[], Some(2), ""); "to_an_empty_page")]
#[test_case(|| page(&[], Some(2), "b"); "to_an_empty_page_with_a_token")]
#[test_case(|| page(&[], Some(2), "a"); "to_itself")]
#[tokio::test]
async fn a_token_after_the_last_record_may_lead_nowhere(after: fn() -> Told) {
    let upstream = Upstream::of_pages(move |asked, _| match asked.param("next_page_token") {
        None => page(&["1", "2"], Some(2), "a"),
        Some(_) => after(),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads.len(), reads[0].received), (1, 2));
    assert!(upstream.pages().len() <= 4);
}

#[tokio::test]
async fn an_invalid_token_before_the_last_record_is_no_end() {
    let upstream = Upstream::of_pages(move |asked, _| match asked.param("next_page_token") {
        None => page(&["1", "2"], Some(3), "a"),
        Some(_) => told(400, r#"{"code":300,"message":"The next page token is invalid or expired."}"#),
    })
    .await;
    let failure = upstream.source().read(&window("2022-02-01", "2022-02-01")).await.unwrap_err();
    assert!(matches!(failure.error, ExtractError::Unstable { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_page_that_comes_in_the_place_of_another_is_not_believed() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (None, _) => page(&["1", "2"], Some(6), "a"),
        (Some("a"), _) => page(&["3", "4"], Some(6), "b"),
        (_, 2) => page(&["1", "2"], Some(6), ""),
        _ => page(&["5", "6"], Some(6), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert!(bodies(&reads[0]).contains("[5,6]"));
}

#[tokio::test]
async fn a_damaged_byte_is_believed_only_when_it_comes_again() {
    let damaged = b"{\"total_records\":1,\"operation_logs\":[\"\xff\"]}";
    let passing = Upstream::of_pages(move |_, n| if n == 0 { told(200, damaged) } else { page(&["1"], Some(1), "") });
    let passing = passing.await.source().read(&february()).await.unwrap();
    assert_eq!((passing[0].reads, bodies(&passing[0]).contains("[1]")), (2, true));

    let lasting = Upstream::of_pages(move |_, _| told(200, damaged)).await;
    let lasting = lasting.source().read(&february()).await.unwrap();
    assert_eq!((lasting[0].reads, lasting[0].pages[0].body.bytes().as_ref()), (2, &damaged[..]));
}

#[tokio::test]
async fn a_total_that_moves_restarts_the_reading() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (None, 0) => page(&["1"], Some(2), "a"),
        (Some(_), 1) => page(&["2"], Some(3), "b"),
        (None, _) => page(&["1"], Some(2), "a"),
        _ => page(&["2"], Some(2), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].reads, upstream.pages().len()), (2, 4));
}

#[tokio::test]
async fn a_window_that_never_matches_its_total_is_an_error_and_not_asked_in_parts() {
    let upstream = Upstream::of_pages(|_, _| page(&["1"], Some(7), "")).await;
    let failure = upstream.source().read(&february()).await.unwrap_err();
    let ExtractError::Unstable { reads: 4, reason, .. } = &failure.error else { panic!("{failure:?}") };
    assert_eq!(*reason, Disturbance::TotalMissed { reported: 7, received: 1 });
    assert_eq!(upstream.pages().len(), 4);
}

#[tokio::test]
async fn a_restless_day_does_not_spoil_the_other_days_of_its_window() {
    let today = |asked: &Asked| asked.param("to") == Some("2022-02-28");
    let upstream = Upstream::of_pages(move |asked, n| match today(asked) {
        true => page(&[&n.to_string()], None, ""),
        false => page(&["1"], Some(1), ""),
    })
    .await;

    let failure = upstream.source().read(&february()).await.unwrap_err();
    assert_eq!((failure.window.to(), failure.window.days()), (day("2022-02-28"), 2));

    let reads: Vec<_> = upstream.source().read_all([february()], Seam::Shared).collect().await;
    let days = reads.iter().flatten().map(|read| read.window.to()).max();
    assert_eq!(days, Some(day("2022-02-27")));
    assert_eq!(reads.iter().filter(|read| read.is_err()).count(), 1);
}

#[tokio::test]
async fn without_a_total_two_readings_in_a_row_must_be_equal() {
    let upstream = Upstream::of_pages(|_, n| match n {
        0 => page(&["1", "2"], None, ""),
        1 => page(&["1", "2", "2"], None, ""),
        _ => page(&["2", "1", "2"], None, ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].reads, reads[0].received, reads[0].reported), (3, 3, None));
    assert!(bodies(&reads[0]).contains("[2,1,2]"));
}

#[tokio::test]
async fn twins_at_a_page_edge_call_for_a_second_reading_while_records_may_still_arrive() {
    let today = chrono::Utc::now().date_naive();
    let open = Window::try_new(today, today, Scope::All).unwrap();
    for (window, expected_reads) in [(open, 2), (february(), 1)] {
        let upstream = Upstream::of_pages(|asked, _| match asked.param("next_page_token") {
            None => page(&["1", "2"], Some(4), "a"),
            Some(_) => page(&["2", "3"], Some(4), ""),
        })
        .await;
        let reads = upstream.source().read(&window).await.unwrap();
        assert_eq!((reads[0].reads, reads[0].received), (expected_reads, 4), "{window}");
    }
}

#[tokio::test]
async fn a_record_delivered_twice_by_a_shift_is_not_believed() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (None, 0) => page(&["2", "1"], Some(3), "a"),
        (Some(_), 1) => page(&["1"], Some(3), ""),
        (None, _) => page(&["3", "2"], Some(3), "a"),
        _ => page(&["1"], Some(3), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert!(bodies(&reads[0]).contains("[3,2]"));
}

#[tokio::test]
async fn an_expired_page_token_restarts_the_window() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (None, _) => page(&["1"], Some(2), "a"),
        (Some(_), 1) => told(400, r#"{"code":400,"message":"The next page token is invalid or expired."}"#),
        _ => page(&["2"], Some(2), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].reads, reads[0].received, upstream.pages().len()), (2, 2, 4));
}

#[tokio::test]
async fn a_clamped_window_is_asked_for_in_halves() {
    let upstream = Upstream::of_pages(|asked, _| {
        let (from, to) = (day(asked.param("from").unwrap()), day(asked.param("to").unwrap()));
        let from = from.max(to - Days::new(9));
        told(200, format!(r#"{{"total_records":0,"from":"{from}T00:00:00Z","to":"{to}","operation_logs":[]}}"#))
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert!(reads.iter().all(|read| read.window.days() <= 10));
    assert_eq!((reads[0].window.from(), reads[reads.len() - 1].window.to()), (february().from(), february().to()));
    assert!(reads.windows(2).all(|pair| pair[0].window.to() == pair[1].window.from()));
}

#[tokio::test]
async fn a_window_clamped_to_the_last_is_an_error() {
    let upstream = Upstream::of_pages(|_, _| {
        told(200, r#"{"total_records":0,"from":"2022-02-20","to":"2022-02-28","operation_logs":[]}"#)
    })
    .await;
    let failure = upstream.source().read(&window("2022-02-01", "2022-02-02")).await.unwrap_err();
    assert!(matches!(failure.error, ExtractError::Clamped { .. }));
    assert_eq!(failure.error.kind(), ErrorKind::Unstable);
}

#[tokio::test]
async fn a_long_window_is_shared_out_when_workers_would_idle() {
    let upstream = Upstream::of_pages(|asked, _| {
        std::thread::sleep(Duration::from_millis(10));
        match (asked.param("from"), asked.param("to")) {
            (Some("2022-02-01"), Some("2022-02-28")) => page(&["1"], Some(60), "a"),
            _ => page(&["1"], Some(1), ""),
        }
    })
    .await;
    let reads: Vec<_> = upstream.source().read_all([february()], Seam::Shared).map(Result::unwrap).collect().await;
    let mut days: Vec<_> = reads.iter().map(|read| (read.window.from(), read.window.to())).collect();
    days.sort_unstable();
    assert_eq!((days.len(), upstream.pages().len()), (5, 6));
    assert_eq!((days[0].0, days[4].1), (february().from(), february().to()));
    assert!(days.windows(2).all(|pair| pair[0].1 == pair[1].0), "{days:?}");
}

// --- Failures ------------------------------------------------------------------------------------------------

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
async fn an_observer_hears_of_pages_and_windows() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let upstream = Upstream::of_pages(|_, n| match n {
        0 => told(500, ""),
        _ => page(&["1"], Some(1), ""),
    })
    .await;
    let observer = Observer::new(move |event| {
        let name = format!("{event:?}");
        ear.lock().unwrap().push(name.split(' ').next().unwrap().to_owned());
    });
    let settings = Settings { observer, ..upstream.settings() };
    Source::try_new(credentials(), settings).unwrap().read(&february()).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["Retry", "Page", "Whole"]);
}

#[tokio::test]
async fn a_total_costs_one_page() {
    let upstream = Upstream::of_pages(|_, _| page(&["1"], Some(60), "a")).await;
    let source = upstream.source();
    assert_eq!(source.total(&february()).await.unwrap(), Some(60));
    assert_eq!(upstream.pages().len(), 1);
}

/// Totals of the days 7 and 8 of February, and of both.
async fn calibrated(totals: [Option<u64>; 3]) -> (Option<Seam>, usize) {
    let upstream = Upstream::of_pages(move |asked, _| {
        let total = match (asked.param("from"), asked.param("to")) {
            (Some("2022-02-07"), Some("2022-02-07")) => totals[0],
            (Some("2022-02-08"), Some("2022-02-08")) => totals[1],
            (Some("2022-02-07"), Some("2022-02-08")) => totals[2],
            other => panic!("{other:?}"),
        };
        page(if total == Some(0) { &[] } else { &["1"] }, total, "")
    })
    .await;
    let seam = upstream.source().calibrate(day("2022-02-07")).await.unwrap();
    (seam, upstream.pages().len())
}

#[test_case([Some(4), Some(5), Some(9)], Some(Seam::Adjacent); "the_last_day_is_included")]
#[test_case([Some(0), Some(0), Some(4)], Some(Seam::Shared); "a_day_on_its_own_is_empty")]
#[test_case([Some(4), Some(5), Some(4)], Some(Seam::Shared); "a_day_on_its_own_is_whole_and_of_two_the_last_is_missing")]
#[test_case([Some(4), Some(5), Some(10)], Some(Seam::Shared); "the_totals_are_estimates")]
#[test_case([Some(4), Some(0), Some(4)], None; "a_quiet_day")]
#[test_case([Some(0), Some(4), Some(4)], None; "a_quiet_day_before")]
#[test_case([Some(0), Some(0), Some(0)], None; "quiet_days")]
#[test_case([None, None, None], None; "no_totals")]
#[tokio::test]
async fn three_totals_tell_how_windows_may_meet(totals: [Option<u64>; 3], seam: Option<Seam>) {
    assert_eq!(calibrated(totals).await, (seam, 3));
}

#[cfg(feature = "simulator")]
#[tokio::test]
async fn an_account_is_calibrated_whatever_its_last_day_means() {
    use crate::simulator::{self, GeneratorConfig, SimulatorConfig};
    for (included, expected) in [(true, Seam::Adjacent), (false, Seam::Shared)] {
        for hours_east in [-12, 0, 14] {
            let generated = GeneratorConfig { seed: 5, records: 2000, from: day("2022-02-01"), to: day("2022-02-14") };
            let config = SimulatorConfig::default()
                .with_generated(generated)
                .with_to_inclusive(included)
                .with_day_offset(chrono::FixedOffset::east_opt(hours_east * 3600).unwrap());
            let account = simulator::serve(config, "127.0.0.1:0".parse().unwrap()).await.unwrap();
            let settings = Settings {
                base_url: account.base_url(),
                oauth_url: account.oauth_url(),
                plan: "1000/s,100000/day".parse().unwrap(),
                ..Settings::default()
            };
            let given = Credentials::AccessToken { account_id: None, token: Secret::new(account.issue_access_token()) };
            let source = Source::try_new(given, settings).unwrap();
            assert_eq!(source.calibrate(day("2022-02-08")).await.unwrap(), Some(expected));
            assert_eq!(account.stats().report_requests, 3);
        }
    }
}

#[tokio::test]
async fn windows_of_unknown_length_are_cut_before_they_cost_a_page() {
    let slow = |told| {
        std::thread::sleep(Duration::from_millis(30));
        told
    };
    let upstream = Upstream::start(move |asked, n| {
        if asked.is_token() {
            return slow(token(n));
        }
        let days = (day(asked.param("to").unwrap()) - day(asked.param("from").unwrap())).num_days() + 1;
        if days == 28 { slow(page(&["1"], Some(60), "a")) } else { page(&["1"], Some(1), "") }
    })
    .await;
    let settings = upstream.settings();
    let windows = plan::windows(day("2021-01-01"), day("2021-10-07"), &Scope::All, Seam::Adjacent);
    assert!(windows.len() == 10 && windows.iter().all(|window| window.days() == 28));

    let reads: Vec<_> = Source::try_new(credentials(), settings)
        .unwrap()
        .read_all(windows, Seam::Adjacent)
        .map(Result::unwrap)
        .collect()
        .await;

    let mut days: Vec<_> = reads.iter().map(|read| (read.window.from(), read.window.to())).collect();
    days.sort_unstable();
    assert!(days.windows(2).all(|pair| pair[0].1.succ_opt() == Some(pair[1].0)), "{days:?}");
    assert_eq!((days[0].0, days[days.len() - 1].1), (day("2021-01-01"), day("2021-10-07")));
    // Two were tried whole.
    assert!(
        days.len() > 20 && upstream.pages().len() <= days.len() + 2,
        "{} for {}",
        upstream.pages().len(),
        days.len()
    );
}

#[test]
fn futures_and_streams_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    let source = Source::try_new(credentials(), Settings::default()).unwrap();
    is_sync(&source);
    is_send(&source.read(&february()));
    is_send(&source.sign_in());
    is_send(&source.read_all([], Seam::Shared));
}
