//! The table's schema as others read it: Arrow, JSON Schema, and the statement by which each engine makes the table its
//! own.
//!
//! The rule: every form is made from [`COLUMNS`](crate::model::COLUMNS); `schemas/` holds what this module gives.

mod arrow;
mod json;
mod sql;

/// What the table is, in a line.
const TABLE_COMMENT: &str = "The Zoom Phone operation log: who changed what in the phone system, a row per record";

/// A form of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaFormat {
    /// Columns with their Arrow types, as JSON.
    Arrow,
    /// A JSON Schema of a row as `phonetrail query --output json` prints it.
    JsonSchema,
    /// DuckDB: a view over `delta_scan`.
    DuckDb,
    /// Amazon Athena: an external Delta Lake table.
    Athena,
    /// BigQuery: a BigLake table over Delta Lake, and a view of it.
    BigQuery,
    /// Snowflake: an Iceberg table over Delta Lake files, and a view of it.
    Snowflake,
    /// Spark: a table of the Parquet files, in partitions.
    Spark,
}

impl SchemaFormat {
    /// Where the form lies below `schemas/`.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Arrow => "operation_logs.arrow.json",
            Self::JsonSchema => "operation_logs.schema.json",
            Self::DuckDb => "sql/duckdb.sql",
            Self::Athena => "sql/athena.sql",
            Self::BigQuery => "sql/bigquery.sql",
            Self::Snowflake => "sql/snowflake.sql",
            Self::Spark => "sql/spark.sql",
        }
    }

    /// Where the table lies when nothing else is said: an example in the engine's own form. `None` where the form says
    /// nothing of a place.
    pub fn example_location(self) -> Option<&'static str> {
        match self {
            Self::Arrow | Self::JsonSchema => None,
            Self::DuckDb | Self::Spark => Some("/srv/trail/operation_logs"),
            Self::Athena => Some("s3://example-bucket/trail/operation_logs/"),
            Self::BigQuery => Some("gs://example-bucket/trail/operation_logs"),
            Self::Snowflake => Some("trail/operation_logs"),
        }
    }
}

/// The schema in the form `format`, of the table at `location` where the form says where it lies.
pub fn schema(format: SchemaFormat, location: Option<&str>) -> String {
    let location = location.or(format.example_location()).unwrap_or_default();
    match format {
        SchemaFormat::Arrow => format!("{:#}\n", arrow::schema()),
        SchemaFormat::JsonSchema => format!("{:#}\n", json::schema()),
        SchemaFormat::DuckDb => sql::duckdb::statements(location),
        SchemaFormat::Athena => sql::athena::statement(location),
        SchemaFormat::BigQuery => sql::bigquery::statements(location),
        SchemaFormat::Snowflake => sql::snowflake::statements(location),
        SchemaFormat::Spark => sql::spark::statements(location),
    }
}
