//! How close extraction comes to the rate limit: wall time and requests against the least there could be, beside a
//! plain client that asks for one page after the other.
//!
//! ```text
//! cargo run --release --example extract_bench -- --matrix
//! cargo run --release --example extract_bench -- --rate 5,10 --latency 500ms --dense --seam adjacent
//! ```
//!
//! Each case has a simulated account of its own, which refuses every request beyond the rate in any second, wherever
//! that second begins. *Pages* are the ideal ones of the whole backfill: all records divided by the page size, rounded
//! up. What windows, parts and shared days cost comes on top, and is measured against it. The wall time is that from
//! the call for the windows to the last of them; *start* is what came before (the access token and, but for the seam
//! `shared`, calibration by three totals), whose requests count too. *Attainable* is the least that `wall / (pages / rate)`
//! can come to: the last page is asked for when the rate permits it and takes a latency more, and the pages of one day can
//! only be read one after the other, so the account's longest day may bound what the rate does not. All accounts that are measured side by side are
//! made before, and each has threads of its own: only the processor is shared.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it measured")]

use std::collections::HashMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};
use clap::Parser;
use futures::StreamExt;
use phonetrail::extract::{Credentials, Plan, Secret, Settings, Source, plan};
use phonetrail::model::{AccountId, Scope, Seam};
use phonetrail::simulator::{
    self, GeneratorConfig, Latency, RateLimits, RunningSimulator, SecondWindow, SimulatorConfig,
};
use serde::Deserialize;
use tokio::runtime::Builder;

type Failure = Box<dyn Error + Send + Sync>;

const PAGE_SIZE: u64 = 300;
const SEED: u64 = 12;

/// Measures extraction against rate limits and latencies: every combination of those given.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Requests per second that the account allows.
    #[arg(long, default_value = "10", value_delimiter = ',')]
    rate: Vec<u32>,
    /// How long every answer takes.
    #[arg(long, default_value = "200ms", value_delimiter = ',')]
    latency: Vec<Latency>,
    /// How windows meet: shared is not calibrated, adjacent is; exclusive is, for an account that leaves the last day
    /// of a window out.
    #[arg(long, default_value = "shared", value_delimiter = ',', value_parser = ["shared", "adjacent", "exclusive"])]
    seam: Vec<String>,
    /// How many records the account holds.
    #[arg(long, default_value_t = 180_000)]
    records: usize,
    /// Over how many months they are spread.
    #[arg(long, default_value = "12", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=120))]
    months: Vec<u32>,
    /// All records lie in one month: the same as `--months 1`.
    #[arg(long)]
    dense: bool,
    /// 5, 10 and 40 requests per second at 200 ms, 500 ms and 2 s, shared and adjacent, twelve months and one.
    #[arg(long)]
    matrix: bool,
    /// Leaves the sequential client out.
    #[arg(long)]
    no_baseline: bool,
    /// How many cases run side by side.
    #[arg(long, default_value_t = 4)]
    parallel: usize,
}

#[derive(Clone, Debug)]
struct Case {
    rate: u32,
    latency: Latency,
    seam: String,
    records: usize,
    months: u32,
    with_baseline: bool,
}

/// What a client used.
#[derive(Debug)]
struct Measured {
    client: &'static str,
    start: Duration,
    wall: Duration,
    records: u64,
    /// Pages of the windows as they were accepted.
    window_pages: u64,
    rereads: u64,
    requests: u64,
    throttled: u64,
    max_in_flight: u64,
}

fn main() -> Result<(), Failure> {
    let mut arguments = Arguments::parse();
    if arguments.matrix {
        arguments.rate = vec![40, 10, 5];
        arguments.latency = [200, 500, 2000].map(|millis| Latency::fixed(Duration::from_millis(millis))).into();
        arguments.seam = ["shared", "adjacent"].map(str::to_owned).into();
        arguments.months = vec![12, 1];
    } else if arguments.dense {
        arguments.months = vec![1];
    }
    let cases = cases(&arguments);
    println!(
        "| span | seam | req/s | latency | client | pages | wall s | start s | wall / (pages / rate) | attainable \
         | with start | wall / (requests / rate) | requests | requests / pages | rereads | 429s | max in flight |"
    );
    println!("|{}", "---|".repeat(17));
    for cases in cases.chunks(arguments.parallel.max(1)) {
        for rows in side_by_side(cases)? {
            rows.iter().for_each(|row| println!("{row}"));
        }
    }
    Ok(())
}

/// Cases of one rate follow each other: they take about as long.
fn cases(arguments: &Arguments) -> Vec<Case> {
    let Arguments { rate, latency, seam, records, months, no_baseline, .. } = arguments.clone();
    let mut cases = Vec::new();
    for &rate in &rate {
        for &months in &months {
            for &latency in &latency {
                for (n, seam) in seam.iter().cloned().enumerate() {
                    // The sequential client knows no seams: once is enough.
                    cases.push(Case { rate, latency, seam, records, months, with_baseline: n == 0 && !no_baseline });
                }
            }
        }
    }
    cases
}

/// Measures cases at the same time, once all their accounts are ready.
fn side_by_side(cases: &[Case]) -> Result<Vec<Vec<String>>, Failure> {
    let ready = Barrier::new(cases.len());
    thread::scope(|scope| {
        let threads: Vec<_> = cases.iter().map(|case| scope.spawn(|| measure(case, &ready))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a case failed")?).collect()
    })
}

fn measure(case: &Case, ready: &Barrier) -> Result<Vec<String>, Failure> {
    let server = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let client = Builder::new_current_thread().enable_all().build()?;
    let accounts = server.block_on(async {
        Ok::<_, Failure>((account(case).await?, if case.with_baseline { Some(account(case).await?) } else { None }))
    });
    ready.wait();
    let (ours, theirs) = accounts?;
    let attainable = attainable(case, longest_day(&ours)?);
    let measured = client.block_on(async {
        let plain = async {
            match &theirs {
                Some(account) => sequential(case, account).await.map(Some),
                None => Ok(None),
            }
        };
        tokio::try_join!(phonetrail(case, &ours), plain)
    });
    let (ours, plain) = measured?;
    Ok([Some(ours), plain].iter().flatten().map(|measured| row(case, attainable, measured)).collect())
}

/// The pages of the day that has most.
fn longest_day(account: &RunningSimulator) -> Result<u64, Failure> {
    #[derive(Deserialize)]
    struct Record {
        time: String,
    }
    let mut days: HashMap<String, u64> = HashMap::new();
    for text in account.ground_truth().texts() {
        let Record { mut time } = serde_json::from_slice(text)?;
        time.truncate("2022-01-01".len());
        *days.entry(time).or_default() += 1;
    }
    Ok(days.into_values().max().unwrap_or_default().div_ceil(PAGE_SIZE))
}

/// The least that wall time can be, as a part of that which the rate alone would take.
fn attainable(case: &Case, longest_day: u64) -> f64 {
    let latency = (case.latency.fixed + case.latency.jitter / 2).as_secs_f64();
    let ideal = (case.records as u64).div_ceil(PAGE_SIZE) as f64 / f64::from(case.rate);
    (ideal + latency).max(longest_day as f64 * latency) / ideal
}

fn row(case: &Case, attainable: f64, measured: &Measured) -> String {
    let Measured { client, start, wall, records, window_pages, rereads, requests, throttled, max_in_flight } = measured;
    let pages = (case.records as u64).div_ceil(PAGE_SIZE);
    let ideal = pages as f64 / f64::from(case.rate);
    let needed = *requests as f64 / f64::from(case.rate);
    let (wall, start) = (wall.as_secs_f64(), start.as_secs_f64());
    let span = format!("{} months", case.months);
    let seam = if *client == "phonetrail" { case.seam.as_str() } else { "-" };
    eprintln!("{client}, {span}, {seam}: {records} records on {window_pages} pages of windows");
    format!(
        "| {span} | {seam} | {} | {} | {client} | {pages} | {wall:.1} | {start:.1} | {:.3} | {attainable:.3} | {:.3} \
         | {:.3} | {requests} | {:.3} | {rereads} | {throttled} | {max_in_flight} |",
        case.rate,
        case.latency,
        wall / ideal,
        (wall + start) / ideal,
        wall / needed,
        *requests as f64 / pages as f64,
    )
}

fn span(case: &Case) -> (NaiveDate, NaiveDate) {
    let first = NaiveDate::from_ymd_opt(2022, 1, 1).unwrap_or_default();
    let next = first.checked_add_months(chrono::Months::new(case.months)).unwrap_or(first);
    (first, next.pred_opt().unwrap_or(next))
}

async fn account(case: &Case) -> Result<RunningSimulator, Failure> {
    let (from, to) = span(case);
    let config = SimulatorConfig::default()
        .with_generated(GeneratorConfig { seed: SEED, records: case.records, from, to })
        .with_latency(case.latency)
        .with_to_inclusive(case.seam != "exclusive")
        .with_rate_limits(RateLimits { per_second: Some(case.rate), per_day: None })
        .with_second_window(SecondWindow::Sliding);
    Ok(simulator::serve(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?)
}

async fn phonetrail(case: &Case, account: &RunningSimulator) -> Result<Measured, Failure> {
    let simulator::Credentials { account_id, client_id, client_secret } = account.config().credentials.clone();
    let credentials = Credentials::ServerToServer {
        account_id: AccountId::new(account_id),
        client_id,
        client_secret: Secret::new(client_secret),
    };
    let seam = if case.seam == "adjacent" { Seam::Adjacent } else { Seam::Shared };
    let settings = Settings {
        base_url: account.base_url(),
        oauth_url: account.oauth_url(),
        plan: format!("{}/s,1000000/day", case.rate).parse::<Plan>()?,
        ..Settings::default()
    };
    let source = Source::try_new(credentials, settings)?;
    let (first, last) = span(case);

    let began = Instant::now();
    source.sign_in().await?;
    if case.seam != "shared" {
        let calibrated = source.calibrate(first + Days::new(10)).await?;
        assert_eq!(calibrated, Some(seam), "calibration errs");
    }
    let start = began.elapsed();

    let began = Instant::now();
    let (from, to) = plan::asked_span(first, last, chrono::Utc::now().date_naive());
    let mut reads = source.read_all(plan::windows(from, to, &Scope::All, seam), seam);
    let (mut records, mut window_pages, mut rereads) = (0, 0, 0);
    while let Some(read) = reads.next().await {
        let read = read?;
        records += read.received;
        window_pages += read.pages.len() as u64;
        rereads += u64::from(read.reads) - 1;
    }
    let wall = began.elapsed();
    assert!(records >= case.records as u64, "records are missing");
    assert_eq!(source.usage().requests, account.stats().report_requests);
    let client = "phonetrail";
    Ok(measured(client, account, Measured { start, wall, records, window_pages, rereads, ..empty(client) }))
}

/// One request at a time, month by month, a second's rest after a refusal: what one writes first.
async fn sequential(case: &Case, account: &RunningSimulator) -> Result<Measured, Failure> {
    #[derive(Deserialize)]
    struct Token {
        access_token: String,
    }
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        next_page_token: String,
        operation_logs: Vec<serde_json::Value>,
    }

    let http = reqwest::Client::builder().no_proxy().build()?;
    let began = Instant::now();
    let credentials = account.config().credentials.clone();
    let form = [("grant_type", "account_credentials"), ("account_id", credentials.account_id.as_str())];
    let request = http.post(account.oauth_url()).basic_auth(credentials.client_id, Some(credentials.client_secret));
    let token: Token = serde_json::from_slice(&request.form(&form).send().await?.bytes().await?)?;
    let start = began.elapsed();

    let began = Instant::now();
    let (mut month, last) = span(case);
    let (mut records, mut window_pages) = (0, 0);
    while month <= last {
        let next_month = month.checked_add_months(chrono::Months::new(1)).unwrap_or(last);
        let (from, to) = (month.to_string(), next_month.pred_opt().unwrap_or(last).to_string());
        let mut next_page_token = String::new();
        loop {
            let query = [
                ("from", from.as_str()),
                ("to", to.as_str()),
                ("page_size", "300"),
                ("next_page_token", next_page_token.as_str()),
            ];
            let url = format!("{}/phone/reports/operationlogs", account.base_url());
            let answer = http.get(url).bearer_auth(&token.access_token).query(&query).send().await?;
            if answer.status() == 429 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            let page: Page = serde_json::from_slice(&answer.error_for_status()?.bytes().await?)?;
            records += page.operation_logs.len() as u64;
            window_pages += 1;
            next_page_token = page.next_page_token;
            if next_page_token.is_empty() {
                break;
            }
        }
        month = next_month;
    }
    let wall = began.elapsed();
    let client = "sequential";
    Ok(measured(client, account, Measured { start, wall, records, window_pages, ..empty(client) }))
}

fn empty(client: &'static str) -> Measured {
    let none = Duration::ZERO;
    Measured {
        client,
        start: none,
        wall: none,
        records: 0,
        window_pages: 0,
        rereads: 0,
        requests: 0,
        throttled: 0,
        max_in_flight: 0,
    }
}

/// What the account saw is what counts, not what the client believes.
fn measured(client: &'static str, account: &RunningSimulator, known: Measured) -> Measured {
    let stats = account.stats();
    Measured {
        client,
        requests: stats.report_requests,
        throttled: stats.throttled,
        max_in_flight: stats.max_in_flight,
        ..known
    }
}
