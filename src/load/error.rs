//! What can go wrong at the destination.

use std::path::PathBuf;

use crate::model::Partition;

/// A failure of the destination. Nothing already stored is harmed by any of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The destination's directory cannot be made or reached.
    #[error("cannot use {} as a destination", path.display())]
    Destination {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The settings for a URL of object storage make no sense.
    #[error("cannot use {url} as a destination")]
    Url {
        /// The URL.
        url: String,
        /// What the store's client says.
        #[source]
        source: object_store::Error,
    },
    /// Data and credentials would go over the network in clear.
    #[error("the destination's endpoint on {host} is http, not https")]
    Unencrypted {
        /// The endpoint's host.
        host: String,
    },
    /// The store does not keep concurrent commits apart.
    #[error("{destination} overwrites an object that it was told to write only if there is none")]
    Overwrites {
        /// The destination's URL.
        destination: String,
    },
    /// An object cannot be read, written, listed, renamed or removed.
    #[error("cannot {action} {path}")]
    Object {
        /// What was tried.
        action: &'static str,
        /// Path relative to the destination.
        path: String,
        /// What the store says.
        #[source]
        source: object_store::Error,
    },
    /// The table's log cannot be read or written.
    #[error("cannot {action} the table {table}")]
    Table {
        /// What was tried.
        action: &'static str,
        /// The table's URL.
        table: String,
        /// What the log's library says.
        #[source]
        source: Box<delta_kernel::KernelError>,
    },
    /// A commit's own entry cannot be read.
    #[error("the commit of version {version} is not readable")]
    Commit {
        /// The version.
        version: u64,
        /// Where it stopped making sense.
        #[source]
        source: serde_json::Error,
    },
    /// A file cannot be written or read as Parquet.
    #[error("cannot {action} the Parquet file {path}")]
    Parquet {
        /// What was tried.
        action: &'static str,
        /// Path relative to the table.
        path: String,
        /// What the format's library says.
        #[source]
        source: ::parquet::errors::ParquetError,
    },
    /// A pack of raw pages cannot be written or read.
    #[error("cannot {action} the pack {path}")]
    Pack {
        /// What was tried.
        action: &'static str,
        /// Path relative to the destination.
        path: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Records that wait for others of their partition cannot be kept.
    #[error("cannot keep records in a temporary file below {}", directory.display())]
    Temporary {
        /// Where temporary files lie.
        directory: PathBuf,
        /// What failed.
        #[source]
        source: arrow::error::ArrowError,
    },
    /// A file of the table is not one that this tool writes.
    #[error("{path} lacks the column {column}, or has it with another type")]
    ForeignFile {
        /// Path relative to the table.
        path: String,
        /// The column.
        column: &'static str,
    },
    /// A file is not the one that was committed.
    #[error("the file {path} is not what the ledger says: its SHA-256 differs")]
    Altered {
        /// Path relative to the table.
        path: String,
    },
    /// A file of the table has a column that this tool does not know.
    #[error("{path} has a column that is not known, {column}")]
    UnknownColumn {
        /// Path relative to the table.
        path: String,
        /// The column.
        column: String,
    },
    /// Another writer left more rows in another order than can be sorted.
    #[error("{partition} holds {row_count} rows in another order, more than can be sorted")]
    Unsorted {
        /// Whose files.
        partition: Partition,
        /// Rows in such files.
        row_count: u64,
    },
    /// On object storage other runs take files for a dead run's after the time of grace. This one slept, perhaps.
    #[error("a commit took so long that other runs may have removed what was written for it")]
    Overdue,
    /// A blocking part of the work died.
    #[error("a worker of the load stage died")]
    Worker(#[from] tokio::task::JoinError),
}

impl LoadError {
    pub(super) fn table(action: &'static str, table: &url::Url) -> impl FnOnce(delta_kernel::KernelError) -> Self {
        let table = table.to_string();
        move |source| Self::Table { action, table, source: Box::new(source) }
    }
}
