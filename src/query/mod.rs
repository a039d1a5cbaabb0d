//! SQL over the table's newest version, by polars.
//!
//! The rule: a query sees exactly the files of one version, as the log names them; never a glob. It changes nothing.

mod answer;
mod cache;
mod pruning;
mod scan;

use std::path::{Path, PathBuf};

/// The polars that frames come from.
pub use polars;
use polars::prelude::{LazyFrame, PolarsError};
use polars::sql::SQLContext;

pub use self::answer::Answer;
use self::cache::Cache;
pub use self::cache::default_cache;
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
    let (store, files) = open(destination).await?;
    local(&store, &files, &files, cache).await
}

/// Answers `sql` over the table as [`frame`] gives it, under the name [`TABLE_NAME`]. Of object storage, only files are
/// fetched that can hold rows which the query's own filter lets pass.
pub async fn query(destination: &Destination, sql: &str, cache: &Path) -> Result<Answer, QueryError> {
    let (store, files) = open(destination).await?;
    let needed = match store.directory() {
        Some(_) => files.clone(),
        None => {
            blocking({
                let (sql, files) = (sql.to_owned(), files.clone());
                move || pruning::needed(&sql, files)
            })
            .await?
        }
    };
    let (frame, sql) = (local(&store, &files, &needed, cache).await?, sql.to_owned());
    blocking(move || Ok(Answer::from(&self::sql(frame, &sql)?.collect()?))).await
}

async fn open(destination: &Destination) -> Result<(Store, Vec<LiveFile>), QueryError> {
    let store = Store::open(destination)?;
    let no_table = || QueryError::NoTable { destination: destination.to_string() };
    let table = Table::open(&store).await?.ok_or_else(no_table)?;
    Ok((store, table.files(&Selection::All).await?))
}

/// `needed` of the `live` files as a frame over local disk.
async fn local(store: &Store, live: &[LiveFile], needed: &[LiveFile], cache: &Path) -> Result<LazyFrame, QueryError> {
    if let Some(directory) = store.directory() {
        return Ok(scan::scan(&directory.join(TABLE_DIRECTORY), needed)?);
    }
    let cache = Cache::of(cache, store);
    cache.retain(live)?;
    cache.fetch(store, needed).await?;
    Ok(scan::scan(&cache.root(), needed)?)
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
