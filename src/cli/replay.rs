//! `phonetrail replay`.

use clap::Args;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{SummaryFormat, print, print_json};
use super::settings::{DestinationArgs, flag_destination};
use crate::pipeline::{self, Difference, ReplayReport, ReplayRequest};

/// Differences shown to people.
const SHOWN_DIFFERENCES: usize = 10;

#[derive(Args, Debug)]
pub(super) struct ReplayArgs {
    /// Directory or URL whose raw pages are replayed: the destination itself, or another one
    #[arg(long, short, value_name = "DIR|URL")]
    // Parsed later: what is given may hold what should not be repeated.
    source: String,

    #[command(flatten)]
    destination: DestinationArgs,

    /// Compare the rows that the raw pages make with those of the table, and write nothing
    #[arg(long)]
    check: bool,

    /// Form of the summary
    #[arg(long, value_enum, default_value_t)]
    output: SummaryFormat,
}

/// The table holds other rows than the raw pages make.
#[derive(Debug, thiserror::Error)]
#[error("the rows of {0} partitions are not those that the raw pages make")]
struct RowsDiffer(usize);

pub(super) async fn run(args: ReplayArgs) -> Result<Exit, Failure> {
    let (destination, _) = args.destination.resolve()?;
    let request = ReplayRequest { source: flag_destination("--source", &args.source)?, destination, check: args.check };
    let report = pipeline::replay(&request).await?;
    match args.output {
        SummaryFormat::Human => print(&human(&report, &request))?,
        SummaryFormat::Json => print_json(&report)?,
    }
    let differences = report.differences.as_ref().map_or(0, Vec::len);
    let hint = "If the parser changed since, `phonetrail replay` without --check brings the table up to date.";
    Ok(match differences {
        0 => Exit::Done,
        count => Failure::new(Exit::DataDisagree, &RowsDiffer(count), hint).report(),
    })
}

/// The summary for people.
fn human(report: &ReplayReport, request: &ReplayRequest) -> String {
    let ReplayReport { packs, windows, pages, records_received, rows, detail, .. } = report;
    let mut text = format!(
        "read      {records_received} records in {windows} windows, {pages} pages, {packs} packs of {}\n\
         made      {rows} rows; their details: {} parsed, {} ambiguous, {} unparsed\n",
        request.source, detail.parsed, detail.ambiguous, detail.unparsed,
    );
    match report.differences.as_deref() {
        None => text += &format!("stored    {} files, {} bytes\n", report.files, report.bytes),
        Some([]) => text += "compared  all rows are in the table as they are here, and no others\n",
        Some(differences) => {
            differences.iter().take(SHOWN_DIFFERENCES).for_each(|difference| text += &line(difference));
            if let Some(more) = differences.len().checked_sub(SHOWN_DIFFERENCES).filter(|more| *more > 0) {
                text += &format!("differs   and {more} more\n");
            }
        }
    }
    let version = report.version.map_or("none".to_owned(), |version| version.to_string());
    text + &format!("table     {}, version {version}, {:.1} s\n", request.destination, report.wall_seconds)
}

fn line(Difference { partition, archived, stored }: &Difference) -> String {
    format!("differs   {partition}: {archived} rows made, {stored} in the table\n")
}
