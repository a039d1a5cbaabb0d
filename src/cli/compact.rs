//! `phonetrail compact`.

use chrono::TimeDelta;
use clap::Args;

use super::exit::Exit;
use super::failure::Failure;
use super::interrupt;
use super::output::{SummaryFormat, print, print_json};
use super::settings::DestinationArgs;
use crate::model::Month;
use crate::pipeline::{self, CompactReport, CompactRequest, CompactedMonth};

#[derive(Args, Debug)]
pub(super) struct CompactArgs {
    #[command(flatten)]
    destination: DestinationArgs,

    /// Only this month, whether or not its days are final; may be given more than once. 0000-00 holds the rows whose time
    /// cannot be read [default: the months whose days are all final]
    #[arg(long, value_name = "YYYY-MM")]
    month: Vec<Month>,

    /// Hours for which files that a compaction replaced stay, for readers of an earlier version. Readers of all Parquet
    /// files see their rows twice so long; with 0 they go at once [default: what the run that replaced them was given, or
    /// else 24]
    #[arg(long, value_name = "HOURS")]
    grace: Option<u32>,

    /// Form of the summary
    #[arg(long, value_enum, default_value_t)]
    output: SummaryFormat,
}

/// Why a run stopped that nothing else stopped.
#[derive(Debug, thiserror::Error)]
#[error("told to stop; the months compacted so far are committed")]
struct Interrupted;

pub(super) async fn run(args: CompactArgs) -> Result<Exit, Failure> {
    let (destination, _) = args.destination.resolve()?;
    let grace = args.grace.map(|hours| TimeDelta::hours(hours.into()));
    let request = CompactRequest { months: args.month, grace, ..CompactRequest::default() };
    interrupt::cancels(&request.stop);
    let report = pipeline::compact(&destination, &request).await?;
    match args.output {
        SummaryFormat::Human => print(&human(&report, &destination.to_string()))?,
        SummaryFormat::Json => print_json(&report)?,
    }
    Ok(match &report.stopped {
        None => Exit::Done,
        Some(stop) => Failure::new(Exit::from(stop), &Interrupted, "Run again to go on.").report(),
    })
}

/// The summary for people.
fn human(report: &CompactReport, destination: &str) -> String {
    let CompactReport { compacted, files_deleted, version, wall_seconds, .. } = report;
    let mut text = lines(compacted);
    if compacted.is_empty() {
        text += "compacted nothing: no partition of these months has more than one file\n";
    }
    if *files_deleted > 0 {
        text += &format!("deleted   {files_deleted} files that no version names any more\n");
    }
    text + &format!("table     {destination}, version {version}, {wall_seconds:.1} s\n")
}

/// A line a month.
pub(super) fn lines(compacted: &[CompactedMonth]) -> String {
    let line = |month: &CompactedMonth| {
        let CompactedMonth { month, files_removed, files_added, rows, .. } = month;
        format!("compacted {month}: {files_removed} files into {files_added}, {rows} rows\n")
    };
    compacted.iter().map(line).collect()
}
