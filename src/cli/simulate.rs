//! `phonetrail simulate`.

use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{Days, FixedOffset, NaiveDate, Utc};
use clap::{ArgAction, Args};
use serde_json::json;

use super::exit::Exit;
use super::failure::Failure;
use super::interrupt;
use super::output::{SummaryFormat, print, print_json};
use crate::simulator::{
    self, Credentials, Future, GeneratorConfig, LastToken, Latency, LongRange, MonthLength, Paging, RateLimits,
    RecordOrder, RunningSimulator, SimulatorConfig, SimulatorError,
};

/// Days of a generated account when none are given.
const GENERATED_DAYS: u64 = 180;

/// Records without a time are served with 2022-02-01T02:36:14Z as theirs. The keys report, source, kind and note of a
/// record in a file describe it and are not served; every other key is, as it stands.
#[derive(Args, Debug)]
pub(super) struct SimulateArgs {
    /// Address to listen on; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Form of what is printed: at the start the addresses and credentials, at the end the requests seen
    #[arg(long, value_enum, default_value_t)]
    output: SummaryFormat,

    /// Print the account's records as NDJSON and end
    #[arg(long)]
    ground_truth: bool,

    /// The account's id
    #[arg(long, value_name = "ID", default_value = Credentials::ACCOUNT_ID, help_heading = "Account")]
    account_id: String,

    /// Serve the records of this NDJSON file (may be given more than once) instead of a generated account. A null or
    /// missing time is served as 2022-02-01T02:36:14Z
    #[arg(long, value_name = "FILE", help_heading = "Account")]
    records: Vec<PathBuf>,

    /// Records to generate
    #[arg(long, value_name = "COUNT", default_value_t = 5_000, help_heading = "Account")]
    size: usize,

    /// Seed of the generated account: the same seed, size and days give the same account
    #[arg(long, default_value_t = 1, help_heading = "Account")]
    seed: u64,

    /// First day of the generated account [default: 180 days before the last]
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = "Account")]
    from: Option<NaiveDate>,

    /// Last day of the generated account [default: today, UTC]
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = "Account")]
    to: Option<NaiveDate>,

    /// Offset of the account's days from UTC
    #[arg(
        long,
        value_name = "±HH:MM",
        allow_hyphen_values = true,
        default_value = "+00:00",
        help_heading = "Calendar"
    )]
    day_offset: FixedOffset,

    /// Whether the last day asked for counts
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true, help_heading = "Calendar")]
    to_inclusive: bool,

    /// What a range over a month brings: refuse, cut-end or cut-start
    #[arg(long, value_name = "HOW", default_value_t, help_heading = "Calendar")]
    long_range: LongRange,

    /// What a range after the account's today brings: keep or cut
    #[arg(long, value_name = "HOW", default_value_t, help_heading = "Calendar")]
    future: Future,

    /// How long a month is: calendar, or a number of days
    #[arg(long, value_name = "LENGTH", default_value_t, help_heading = "Calendar")]
    month: MonthLength,

    /// Order of records: newest-first, oldest-first or unsorted
    #[arg(long, value_name = "ORDER", default_value_t, help_heading = "Paging")]
    order: RecordOrder,

    /// What pages are pages of: snapshot or live
    #[arg(long, value_name = "OF", default_value_t, help_heading = "Paging")]
    paging: Paging,

    /// How the last page says so: empty, null or missing
    #[arg(long, value_name = "HOW", default_value_t, help_heading = "Paging")]
    last_token: LastToken,

    /// Whether pages carry total_records
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true, help_heading = "Paging")]
    totals: bool,

    /// Seconds after which a page token dies
    #[arg(long, value_name = "SECONDS", default_value_t = SimulatorConfig::PAGE_TOKEN_LIFETIME.as_secs(), help_heading = "Paging")]
    page_token_lifetime: u64,

    /// Seconds after which an access token dies
    #[arg(long, value_name = "SECONDS", default_value_t = SimulatorConfig::ACCESS_TOKEN_LIFETIME.as_secs(), help_heading = "Access")]
    access_token_lifetime: u64,

    /// Scopes of the access tokens [default: phone:read:operation_logs:admin]
    #[arg(long, value_name = "SCOPE", help_heading = "Access")]
    scope: Option<Vec<String>>,

    /// Whether the account has the phone system
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true, help_heading = "Access")]
    phone_enabled: bool,

    /// Rate limits: off, pro, business or e.g. 5/s,15000/day
    #[arg(long, value_name = "LIMITS", default_value = "business", help_heading = "Limits")]
    limits: RateLimits,

    /// How long answers take: off, or e.g. 200ms or 200ms+50ms
    #[arg(long, value_name = "TIME", default_value = "off", help_heading = "Limits")]
    latency: Latency,
}

pub(super) async fn run(args: SimulateArgs) -> Result<Exit, Failure> {
    let simulator = simulator::serve(config(&args)?, args.listen).await.map_err(failure)?;
    if args.ground_truth {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let written = simulator.ground_truth().write_ndjson(&mut out).and_then(|()| out.flush());
        written.map_err(|error| Failure::new(Exit::Destination, &error, "Standard output cannot be written."))?;
        return Ok(Exit::Done);
    }

    announce(&simulator, args.output)?;
    interrupt::told_to_stop().await;
    let stats = simulator.stats();
    simulator.shutdown().await;
    match args.output {
        SummaryFormat::Json => print_json(&json!({
            "report_requests": stats.report_requests,
            "token_requests": stats.token_requests,
            "pages_served": stats.pages_served,
            "throttled": stats.throttled,
            "max_in_flight": stats.max_in_flight,
            "body_bytes": stats.body_bytes,
        }))?,
        SummaryFormat::Human => print(&format!(
            "saw {} requests for the report and {} for tokens, served {} pages ({} bytes), refused {} as too many\n",
            stats.report_requests, stats.token_requests, stats.pages_served, stats.body_bytes, stats.throttled,
        ))?,
    }
    Ok(Exit::Done)
}

fn config(args: &SimulateArgs) -> Result<SimulatorConfig, Failure> {
    let credentials = Credentials { account_id: args.account_id.clone(), ..Credentials::default() };
    let mut config = SimulatorConfig::default()
        .with_credentials(credentials)
        .with_day_offset(args.day_offset)
        .with_to_inclusive(args.to_inclusive)
        .with_long_range(args.long_range)
        .with_future(args.future)
        .with_month(args.month)
        .with_order(args.order)
        .with_paging(args.paging)
        .with_last_token(args.last_token)
        .with_totals_given(args.totals)
        .with_page_token_lifetime(Duration::from_secs(args.page_token_lifetime))
        .with_access_token_lifetime(Duration::from_secs(args.access_token_lifetime))
        .with_phone_enabled(args.phone_enabled)
        .with_rate_limits(args.limits)
        .with_latency(args.latency);
    if let Some(scopes) = &args.scope {
        config = config.with_scopes(scopes.clone());
    }
    if args.records.is_empty() {
        let to = args.to.unwrap_or_else(|| Utc::now().date_naive());
        let from = args.from.unwrap_or_else(|| to.checked_sub_days(Days::new(GENERATED_DAYS)).unwrap_or(to));
        return Ok(config.with_generated(GeneratorConfig { seed: args.seed, records: args.size, from, to }));
    }
    let mut records = Vec::new();
    for file in &args.records {
        records.extend(simulator::read_records(file).map_err(failure)?);
    }
    Ok(config.with_records(records))
}

fn announce(simulator: &RunningSimulator, output: SummaryFormat) -> Result<(), Failure> {
    let (base_url, oauth_url) = (simulator.base_url(), simulator.oauth_url());
    let Credentials { account_id, client_id, client_secret } = &simulator.config().credentials;
    match output {
        SummaryFormat::Json => print_json(&json!({
            "base_url": base_url,
            "oauth_url": oauth_url,
            "account_id": account_id,
            "client_id": client_id,
            "client_secret": client_secret,
            "records": simulator.ground_truth().len(),
        })),
        SummaryFormat::Human => print(&format!(
            "# A simulated account with {} records. In another shell:\n\
             export PHONETRAIL_ACCOUNT_ID={account_id} PHONETRAIL_CLIENT_ID={client_id} PHONETRAIL_CLIENT_SECRET={client_secret}\n\
             export PHONETRAIL_BASE_URL={base_url} PHONETRAIL_OAUTH_URL={oauth_url}\n\
             phonetrail sync --destination ./phonetrail-data\n\
             # Ctrl-C stops it.\n",
            simulator.ground_truth().len(),
        )),
    }
}

pub(super) fn failure(error: SimulatorError) -> Failure {
    let hint = match &error {
        SimulatorError::NotLoopback { .. } => "Give a loopback address such as 127.0.0.1:8080.",
        SimulatorError::Listen { .. } => "Give another port, or 0 for any free one.",
        _ => "Correct it, then run again.",
    };
    Failure::new(Exit::Usage, &error, hint)
}
