//! `phonetrail query`.

use std::path::PathBuf;

use clap::Args;

use super::exit::Exit;
use super::failure::Failure;
use super::rows::{RowFormat, print_rows};
use super::settings::DestinationArgs;
use crate::query::{self, QueryError};

const SQL_HINT: &str = "The table is `operation_logs`, the README lists its columns, and a time is written \
                        '2022-02-03 05:00:00' (UTC).";

#[derive(Args, Debug)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    destination: DestinationArgs,

    /// Form of the rows
    #[arg(long, value_enum, default_value_t)]
    output: RowFormat,

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
    let answer = query::query(&destination, &args.sql, &cache).await.map_err(failure)?;
    print_rows(args.output, &answer.columns, &answer.rows)?;
    Ok(Exit::Done)
}

pub(super) fn failure(error: QueryError) -> Failure {
    match error {
        QueryError::Load(error) => error.into(),
        QueryError::Sql(_) => Failure::new(Exit::Usage, &error, SQL_HINT),
        error => Failure::new(Exit::Destination, &error, ""),
    }
}
