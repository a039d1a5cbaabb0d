//! `phonetrail sync`.

use chrono::{NaiveDate, SecondsFormat};
use clap::Args;

use super::compact::{self, GraceArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::interrupt;
use super::output::{SummaryFormat, print, print_json};
use super::progress::Progress;
use super::readings;
use super::settings::{DestinationArgs, UpstreamArgs};
use crate::extract::Source;
use crate::model::{CategoryCode, Scope};
use crate::pipeline::{self, SyncReport, SyncRequest};

#[derive(Args, Debug)]
pub(super) struct SyncArgs {
    #[command(flatten)]
    destination: DestinationArgs,

    /// First day, UTC [default: the first covered day; 30 days back for a new table]
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<NaiveDate>,

    /// Last day, UTC [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<NaiveDate>,

    /// Only this category, such as phone_number; may be given more than once [default: all]
    #[arg(long, value_name = "CODE")]
    category: Vec<CategoryCode>,

    #[command(flatten)]
    grace: GraceArgs,

    /// Form of the summary
    #[arg(long, value_enum, default_value_t)]
    output: SummaryFormat,

    #[command(flatten)]
    upstream: UpstreamArgs,
}

/// Why a run stopped that nothing else stopped.
#[derive(Debug, thiserror::Error)]
#[error("told to stop; what was read whole is committed")]
struct Interrupted;

pub(super) async fn run(args: SyncArgs) -> Result<Exit, Failure> {
    let (destination, layers) = args.destination.resolve()?;
    let progress = Progress::start();
    let resolved = layers.upstream(&args.upstream, progress.observer())?;
    let source = Source::try_new(resolved.credentials, resolved.settings)
        .map_err(|error| Failure::new(Exit::from(&error), &error, error.hint()))?;
    let mut request = SyncRequest::new(resolved.account);
    request.from = args.from;
    request.to = args.to;
    request.settle = resolved.settle;
    request.grace = args.grace.time();
    if !args.category.is_empty() {
        request.scopes = args.category.into_iter().map(Scope::Category).collect();
        request.scopes.sort();
        request.scopes.dedup();
    }

    interrupt::cancels(&request.stop);
    let report = pipeline::sync(&source, &destination, &request).await;
    progress.finish();
    let report = report?;
    match args.output {
        SummaryFormat::Human => print(&human(&report, &destination.to_string()))?,
        SummaryFormat::Json => print_json(&report)?,
    }
    Ok(match (&report.stopped, &report.failure) {
        (None, _) => Exit::Done,
        (Some(stop), Some(error)) => Failure::new(Exit::from(stop), error, error.hint()).report(),
        (Some(stop), None) => Failure::new(Exit::from(stop), &Interrupted, "Run again to go on.").report(),
    })
}

/// The summary for people.
pub(super) fn human(report: &SyncReport, destination: &str) -> String {
    let SyncReport { windows, pages, requests, throttled, records_received, .. } = report;
    let SyncReport { rows_new, rows_already_stored, commits, days, detail, wall_seconds, .. } = report;
    let version = report.version.map_or("none".to_owned(), |version| version.to_string());
    let mut text = format!(
        "read      {records_received} records in {windows} windows, {pages} pages, {requests} requests ({throttled} throttled)\n\
         stored    {rows_new} new rows, {rows_already_stored} records were there already\n\
         details   {} parsed, {} ambiguous, {} unparsed\n\
         days      {} final, {} provisional, {} unmatched\n\
         table     {destination}, version {version}, {commits} commits, {wall_seconds:.1} s\n",
        detail.parsed, detail.ambiguous, detail.unparsed, days.settled, days.provisional, days.unmatched,
    );
    text += &compact::lines(&report.compacted);
    text += &readings::lines(&report.readings);
    if report.unreadable_times > 0 {
        text += &format!("note      {} new rows have a time that cannot be read (year=0)\n", report.unreadable_times);
    }
    if report.unknown_categories > 0 {
        text += &format!("note      {} new rows are of undocumented categories\n", report.unknown_categories);
    }
    if let Some(at) = report.stopped.as_ref().and_then(|stop| stop.resume_at) {
        text += &format!("stopped   early; go on at {}\n", at.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    text
}
