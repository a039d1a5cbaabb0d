//! SQL over the table's newest version, by polars.
//!
//! The rule: a query sees exactly the files of one version, as the log names them; never a glob. It changes nothing.

mod answer;
mod cache;
mod condition;
mod explanation;
mod footers;
mod handover;
mod pruning;
mod rows;
mod scan;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The polars that frames come from.
pub use polars;
use polars::prelude::{DataFrame, IntoLazy, LazyFrame, PolarsError};
use polars::sql::SQLContext;

pub use self::answer::Answer;
use self::cache::Cache;
pub use self::cache::default_cache;
use self::condition::Condition;
pub use self::explanation::{Explanation, Extent};
use self::footers::Footer;
use self::pruning::Needs;
use crate::load::{Destination, LiveFile, LoadError, Selection, Store, TABLE_DIRECTORY, Table};

/// The name of the table in a query.
pub const TABLE_NAME: &str = "operation_logs";

/// A query that has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The destination holds no table.
    #[error("there is no table in {destination}: run `phonetrail sync` first")]
    NoTable {
        /// The destination.
        destination: String,
    },
    /// The destination cannot be read.
    #[error("cannot read the table")]
    Load(#[from] LoadError),
    /// Files of object storage cannot be kept on local disk.
    #[error("cannot keep data files in {}", directory.display())]
    Cache {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The query makes no sense, or cannot be worked out.
    #[error("the query failed: {0}")]
    Sql(String),
    /// The query died.
    #[error("the query died")]
    Worker(#[from] tokio::task::JoinError),
}

impl From<PolarsError> for QueryError {
    fn from(error: PolarsError) -> Self {
        // What follows is the plan, with every file's path.
        let text = error.to_string();
        let end = text.find("Resolved plan until failure").unwrap_or(text.len());
        Self::Sql(text[..end].trim().to_owned())
    }
}

/// The newest version of the table at `destination` as a lazy frame, partition columns included. All times are UTC, and
/// without a zone. Files of partitions that a filter rules out are not opened.
///
/// Files of object storage are first brought into the directory `cache` ([`default_cache`]), unless they are there.
pub async fn frame(destination: &Destination, cache: &Path) -> Result<LazyFrame, QueryError> {
    let (store, table) = open(destination).await?;
    let files = table.files(&Selection::All).await?;
    let root = local(&store, &files, &files, cache).await?;
    Ok(scan::scan(&root, &files)?)
}

/// Answers `sql` over the table as [`frame`] gives it, under the name [`TABLE_NAME`]. Only files are read, and of object
/// storage fetched, that can hold rows which the query's own filter lets pass.
pub async fn query(destination: &Destination, sql: &str, cache: &Path) -> Result<Answer, QueryError> {
    let (frame, _) = run(destination, sql, cache, false).await?;
    blocking(move || Ok(Answer::from(&frame))).await
}

/// Works `sql` out as [`query`] does, and tells what was read for it.
pub async fn explain(destination: &Destination, sql: &str, cache: &Path) -> Result<Explanation, QueryError> {
    Ok(run(destination, sql, cache, true).await?.1)
}

/// Footers are read where they can rule something out, or are to be told of.
async fn run(
    destination: &Destination,
    sql: &str,
    cache: &Path,
    explained: bool,
) -> Result<(DataFrame, Explanation), QueryError> {
    let began = Instant::now();
    let (store, table) = open(destination).await?;
    let live = table.files(&Selection::All).await?;
    let mut explanation = Explanation { version: table.version(), stored: Extent::of(&live), ..Explanation::default() };

    let (needs, files) = blocking({
        let (sql, live) = (sql.to_owned(), live.clone());
        move || {
            let needs = Needs::of(&sql)?;
            let files = needs.files(live);
            Ok((needs, files))
        }
    })
    .await?;
    explanation.of_partitions = Extent::of(&files);
    explanation.columns = explanation::in_files(needs.columns.as_ref());

    let (root, sql) = (local(&store, &live, &files, cache).await?, sql.to_owned());
    blocking(move || {
        let condition = needs.filter.as_ref().map_or(Condition::Unknown, Condition::of);
        let (mut files, mut table) = (files, None);
        if explained || !condition.is_unknown() {
            let footers = footers::read(&root, &files, &condition, needs.columns.as_ref());
            explanation.count(&files, &footers);
            let is_needed = |(_, footer): &(LiveFile, Option<Footer>)| {
                footer.as_ref().is_none_or(|footer| !footer.needed_groups.is_empty())
            };
            let needed: Vec<_> = files.into_iter().zip(footers).filter(is_needed).collect();
            if !condition.is_unknown() {
                table = few(&root, &needed, &condition, &needs.wanted());
            }
            files = needed.into_iter().map(|(file, _)| file).collect();
        }
        let table = table.map_or_else(|| scan::scan(&root, &files), Ok)?;
        let frame = self::sql(table, &sql)?.collect()?;
        explanation.rows_returned = frame.height() as u64;
        explanation.seconds = began.elapsed().as_secs_f64();
        Ok((frame, explanation))
    })
    .await
}

/// The rows that `condition` lets pass, with the `wanted` columns, where they are few.
fn few(
    root: &Path,
    files: &[(LiveFile, Option<Footer>)],
    condition: &Condition,
    wanted: &HashSet<String>,
) -> Option<LazyFrame> {
    let files: Vec<_> = files.iter().map(|(file, footer)| Some((file, footer.as_ref()?))).collect::<Option<_>>()?;
    let found = rows::read(root, &files, condition, wanted)?;
    Some(handover::frame(&found, wanted).ok()?.lazy())
}

async fn open(destination: &Destination) -> Result<(Store, Table), QueryError> {
    let store = Store::open(destination)?;
    let no_table = || QueryError::NoTable { destination: destination.to_string() };
    let table = Table::open(&store).await?.ok_or_else(no_table)?;
    Ok((store, table))
}

/// The table's root on local disk, where `needed` of the `live` files lie.
async fn local(store: &Store, live: &[LiveFile], needed: &[LiveFile], cache: &Path) -> Result<PathBuf, QueryError> {
    if let Some(directory) = store.directory() {
        return Ok(directory.join(TABLE_DIRECTORY));
    }
    let cache = Cache::of(cache, store);
    cache.retain(live)?;
    cache.fetch(store, needed).await?;
    Ok(cache.root())
}

fn sql(table: LazyFrame, sql: &str) -> Result<LazyFrame, PolarsError> {
    let mut context = SQLContext::new();
    context.register(TABLE_NAME, table);
    context.execute(sql)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PolarsError> + Send + 'static,
) -> Result<T, QueryError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}
