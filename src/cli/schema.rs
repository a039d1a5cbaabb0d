//! `phonetrail schema`.

use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::failure::Failure;
use super::output::print;
use crate::schema::{SchemaFormat, schema};

#[derive(Args, Debug)]
pub(super) struct SchemaArgs {
    /// Form of the schema
    #[arg(long, value_enum)]
    format: Format,

    /// Where the table lies, for the forms of SQL: the directory or URL of `operation_logs` itself, as the engine spells
    /// it; for Snowflake, relative to the external volume [default: an example to replace]
    #[arg(long, value_name = "DIR|URL")]
    location: Option<String>,
}

/// Form of the schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// The columns with their Arrow types, as JSON
    Arrow,
    /// JSON Schema of a row as `query --output json` prints it
    JsonSchema,
    /// A view over `delta_scan`
    #[value(name = "duckdb")]
    DuckDb,
    /// An external Delta Lake table
    Athena,
    /// A BigLake table over Delta Lake, and a view that describes its columns
    #[value(name = "bigquery")]
    BigQuery,
    /// An Iceberg table over Delta Lake, and a view that comments on its columns
    Snowflake,
    /// A table of the Parquet files, in partitions
    Spark,
}

impl From<Format> for SchemaFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Arrow => Self::Arrow,
            Format::JsonSchema => Self::JsonSchema,
            Format::DuckDb => Self::DuckDb,
            Format::Athena => Self::Athena,
            Format::BigQuery => Self::BigQuery,
            Format::Snowflake => Self::Snowflake,
            Format::Spark => Self::Spark,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("this form of the schema says nothing of a location")]
struct NoLocation;

pub(super) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let format = SchemaFormat::from(args.format);
    if args.location.is_some() && format.example_location().is_none() {
        return Err(Failure::new(Exit::Usage, &NoLocation, "Leave out --location."));
    }
    print(&schema(format, args.location.as_deref()))?;
    Ok(Exit::Done)
}
