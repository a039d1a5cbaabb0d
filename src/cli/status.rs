//! `phonetrail status`.

use chrono::SecondsFormat;
use clap::Args;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{SummaryFormat, print, print_json};
use super::readings;
use super::settings::DestinationArgs;
use crate::pipeline::{self, Status};

/// Categories shown to people.
const SHOWN_CATEGORIES: usize = 10;

#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    destination: DestinationArgs,

    /// Form of the status
    #[arg(long, value_enum, default_value_t)]
    output: SummaryFormat,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no table in {0}")]
struct NoTable(String);

pub(super) async fn run(args: StatusArgs) -> Result<Exit, Failure> {
    let (destination, _) = args.destination.resolve()?;
    let status = pipeline::status(&destination).await?.ok_or_else(|| {
        Failure::new(Exit::Destination, &NoTable(destination.to_string()), "Run `phonetrail sync` first.")
    })?;
    match args.output {
        SummaryFormat::Human => print(&human(&status))?,
        SummaryFormat::Json => print_json(&status)?,
    }
    Ok(Exit::Done)
}

fn human(status: &Status) -> String {
    let Status { table, version, sequence, rows, files, bytes, head_sha256, .. } = status;
    let months = match (&status.first_month, &status.last_month) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "none".to_owned(),
    };
    let committed = status.committed_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut text = format!(
        "table     {table}\n\
         version   {version}, ledger entry {sequence} of {committed}\n\
         head      {head_sha256}\n\
         rows      {rows} in {files} files, {bytes} bytes, months {months}\n",
    );
    if status.unreadable_times > 0 {
        text += &format!("note      {} rows have a time that cannot be read (year=0)\n", status.unreadable_times);
    }
    for account in &status.accounts {
        let day = |day: Option<chrono::NaiveDate>| day.map_or("-".to_owned(), |day| day.to_string());
        text += &format!(
            "account   {}, {}: {} to {}, {} days final, {} provisional, {} missing\n",
            account.account_id,
            account.scope,
            day(account.first_day),
            day(account.last_day),
            account.final_days,
            account.provisional_days,
            account.missing_days,
        );
    }
    for (category, count) in status.categories.iter().take(SHOWN_CATEGORIES) {
        text += &format!("category  {category}: {count}\n");
    }
    if let Some(more) = status.categories.len().checked_sub(SHOWN_CATEGORIES).filter(|more| *more > 0) {
        text += &format!("category  and {more} more\n");
    }
    text += &readings::lines(&status.readings);
    text
}
