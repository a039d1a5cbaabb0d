//! SQL over the table's newest version, by polars.
//!
//! The rule: a query sees exactly the files of one version, as the log names them; never a glob. It changes nothing.

mod answer;

use std::sync::Arc;

/// The polars that frames come from.
pub use polars;
use polars::prelude::{
    DataType, Field, HiveOptions, IntoLazy, LazyFrame, PlRefPath, PolarsError, ScanArgsParquet, Schema, SchemaRef,
    TimeUnit,
};
use polars::sql::SQLContext;

pub use self::answer::Answer;
use crate::load::{Destination, LiveFile, LoadError, Selection, Store, TABLE_DIRECTORY, Table};
use crate::model::{COLUMNS, Column, ColumnKind};

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
pub async fn frame(destination: &Destination) -> Result<LazyFrame, QueryError> {
    let store = Store::open(destination)?;
    let no_table = || QueryError::NoTable { destination: destination.to_string() };
    let table = Table::open(&store).await?.ok_or_else(no_table)?;
    let root = store.directory().join(TABLE_DIRECTORY).to_string_lossy().into_owned();
    let files = table.files(&Selection::All).await?;
    Ok(scan(&root, &files)?)
}

/// Answers `sql` over [`frame`], under the name [`TABLE_NAME`].
pub async fn query(destination: &Destination, sql: &str) -> Result<Answer, QueryError> {
    let (frame, sql) = (frame(destination).await?, sql.to_owned());
    tokio::task::spawn_blocking(move || {
        let mut context = SQLContext::new();
        context.register(TABLE_NAME, frame);
        Ok(Answer::from(&context.execute(&sql)?.collect()?))
    })
    .await?
}

/// The files as one lazy frame with the partition columns, in the table's column order.
fn scan(root: &str, files: &[LiveFile]) -> Result<LazyFrame, PolarsError> {
    if files.is_empty() {
        return Ok(polars::prelude::DataFrame::empty_with_schema(&schema(|_| true)).lazy());
    }
    let paths = files.iter().map(|file| PlRefPath::new(format!("{root}/{}", file.path))).collect();
    let arguments = ScanArgsParquet {
        hive_options: HiveOptions {
            enabled: Some(true),
            hive_start_idx: root.len(),
            schema: Some(schema(Column::is_partition)),
            try_parse_dates: false,
        },
        schema: Some(schema(|column| !column.is_partition())),
        allow_missing_columns: true,
        glob: false,
        ..ScanArgsParquet::default()
    };
    LazyFrame::scan_parquet_files(paths, arguments)
}

fn schema(wanted: impl Fn(&Column) -> bool) -> SchemaRef {
    let columns = COLUMNS.iter().filter(|column| wanted(column));
    Arc::new(Schema::from_iter(columns.map(|column| Field::new(column.name.into(), data_type(column.kind)))))
}

fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text => DataType::String,
        // UTC without saying so: SQL's timestamp literals have no zone, and would not compare with a column that has one.
        ColumnKind::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
        ColumnKind::Int => DataType::Int32,
        ColumnKind::TextList => DataType::List(Box::new(DataType::String)),
        ColumnKind::ChangeList => {
            let text = |name: &str| Field::new(name.into(), DataType::String);
            let change = ["field", "old_value", "new_value"].map(text).to_vec();
            DataType::List(Box::new(DataType::Struct(change)))
        }
    }
}
