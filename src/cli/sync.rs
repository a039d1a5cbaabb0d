//! `phonetrail sync`.

use chrono::{NaiveDate, SecondsFormat, TimeDelta};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::compact;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{SummaryFormat, print, print_json};
use super::progress::Progress;
use super::settings::{Accounts, DestinationArgs, Resolved, UpstreamArgs};
use super::{accounts, interrupt, readings};
use crate::extract::{Observer, Settings, Source};
use crate::model::{AccountId, CategoryCode, Scope};
use crate::pipeline::{self, AccountSync, SyncReport, SyncRequest};

/// What `--help` ends with.
const EXIT_CODES: &str = "\
Exit codes: 0 done; 2 wrong usage; 65 a window never matched its total; 69 upstream unavailable; 74 the destination \
failed; 75 stopped early, whole so far, run again; 77 refused; 78 a setting is missing, malformed or too low. Of several \
accounts' codes, the gravest is the run's: 74, 78, 77, 65, 2, 69, 75, 0.";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
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

    /// Only this account of the settings file's; may be given more than once [default: all]
    #[arg(long, value_name = "ID")]
    account: Vec<String>,

    /// Hours for which files that this run replaces stay, for readers of an earlier version, and those that others replaced
    /// who were given no hours. Readers of all Parquet files see their rows twice so long [default: those that this run
    /// replaces go as soon as no other run may be at work; others after 24]
    #[arg(long, value_name = "HOURS")]
    grace: Option<u32>,

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
    let stop = CancellationToken::new();
    match layers.accounts(&args.upstream, &args.account)? {
        Accounts::One(resolved) => {
            let progress = Progress::start();
            let account = args.account_sync(*resolved, progress.observer(None), &stop)?;
            interrupt::cancels(&stop);
            let report = pipeline::sync(&account.source, &destination, &account.request).await;
            progress.finish();
            let report = report?;
            match args.output {
                SummaryFormat::Human => print(&human(&report, &destination.to_string()))?,
                SummaryFormat::Json => print_json(&report)?,
            }
            Ok(stopped(&report).map_or(Exit::Done, Failure::report))
        }
        Accounts::Several(resolved) => {
            let progress = Progress::start();
            let prepare = |(id, resolved): (AccountId, Result<Resolved, Failure>)| {
                let observer = progress.observer(Some(&id));
                let account = resolved.and_then(|resolved| args.account_sync(resolved, observer, &stop));
                (id, account)
            };
            let prepared = resolved.into_iter().map(prepare).collect();
            interrupt::cancels(&stop);
            let run = accounts::sync(prepared, &destination, &stop).await;
            progress.finish();
            let run = run?;
            match args.output {
                SummaryFormat::Human => print(&run.human(&destination.to_string()))?,
                SummaryFormat::Json => print_json(&run.json())?,
            }
            Ok(run.report())
        }
    }
}

impl SyncArgs {
    fn account_sync(
        &self,
        resolved: Resolved,
        observer: Observer,
        stop: &CancellationToken,
    ) -> Result<AccountSync, Failure> {
        let settings = Settings { observer, ..resolved.settings };
        let source = Source::try_new(resolved.credentials, settings)
            .map_err(|error| Failure::new(Exit::from(&error), &error, error.hint()))?;
        let mut request = SyncRequest::new(resolved.account);
        request.from = self.from;
        request.to = self.to;
        request.settle = resolved.settle;
        request.grace = self.grace.map(|hours| TimeDelta::hours(hours.into()));
        request.stop = stop.clone();
        if !self.category.is_empty() {
            request.scopes = self.category.iter().cloned().map(Scope::Category).collect();
            request.scopes.sort();
            request.scopes.dedup();
        }
        Ok(AccountSync { source, request })
    }
}

/// What stopped a run before its end.
pub(super) fn stopped(report: &SyncReport) -> Option<Failure> {
    let stop = report.stopped.as_ref()?;
    Some(match &report.failure {
        Some(error) => Failure::new(Exit::from(stop), error, error.hint()),
        None => Failure::new(Exit::from(stop), &Interrupted, "Run again to go on."),
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
