//! `phonetrail query`.

use std::path::PathBuf;

use clap::Args;

use super::exit::Exit;
use super::failure::Failure;
use super::output::{print, print_json};
use super::rows::{RowFormat, print_rows};
use super::settings::DestinationArgs;
use crate::query::{self, Explanation, Extent, QueryError};

const SQL_HINT: &str = "The table is `operation_logs`, the README lists its columns, and a time is written \
                        '2022-02-03 05:00:00' (UTC).";

#[derive(Args, Debug)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    destination: DestinationArgs,

    /// Form of the rows
    #[arg(long, value_enum, default_value_t)]
    output: RowFormat,

    /// Run the query, and print what it read instead of its rows: files, row groups, columns, bytes and time
    #[arg(long)]
    explain: bool,

    /// Where data files of object storage are kept once a query needed them [env: PHONETRAIL_CACHE] [default:
    /// phonetrail/files in the user's cache directory]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,

    /// The query, such as "SELECT operator_id, COUNT(*) FROM operation_logs GROUP BY operator_id"
    sql: String,
}

pub(super) async fn run(args: QueryArgs) -> Result<Exit, Failure> {
    let (destination, _) = args.destination.resolve()?;
    let stored = || std::env::var_os("PHONETRAIL_CACHE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let cache = args.cache.or_else(stored).unwrap_or_else(query::default_cache);
    if args.explain {
        if args.output == RowFormat::Csv {
            return Err(Failure::new(Exit::Usage, &NoCsv, "Give `--output table` or `json`."));
        }
        let explanation = query::explain(&destination, &args.sql, &cache).await.map_err(failure)?;
        match args.output {
            RowFormat::Json => print_json(&explanation)?,
            _ => print(&human(&explanation))?,
        }
        return Ok(Exit::Done);
    }
    let answer = query::query(&destination, &args.sql, &cache).await.map_err(failure)?;
    print_rows(args.output, &answer.columns, &answer.rows)?;
    Ok(Exit::Done)
}

#[derive(Debug, thiserror::Error)]
#[error("what a query read cannot be written as csv")]
struct NoCsv;

fn human(explanation: &Explanation) -> String {
    let extent = |Extent { files, bytes, rows }| format!("{files} files, {rows} rows, {bytes} bytes");
    format!(
        "table       version {}: {}\n\
         partitions  {} may hold what is asked for\n\
         statistics  {} are left by them and by bloom filters\n\
         columns     {}\n\
         read        {} of {} row groups: {} bytes of columns, {} bytes of footers\n\
         in all      {} of {} bytes\n\
         rows        {} scanned, {} returned\n\
         time        {:.3} s\n",
        explanation.version,
        extent(explanation.stored),
        extent(explanation.of_partitions),
        extent(explanation.read),
        explanation.columns.join(", "),
        explanation.row_groups_read,
        explanation.row_groups,
        explanation.column_bytes,
        explanation.footer_bytes,
        explanation.bytes_read(),
        explanation.stored.bytes,
        explanation.rows_scanned,
        explanation.rows_returned,
        explanation.seconds,
    )
}

pub(super) fn failure(error: QueryError) -> Failure {
    match error {
        QueryError::Load(error) => error.into(),
        QueryError::Sql(_) => Failure::new(Exit::Usage, &error, SQL_HINT),
        error => Failure::new(Exit::Destination, &error, ""),
    }
}
