//! Rows of the table, read back whole or by column.
//!
//! The rule: columns come in the types and the order of the schema, whoever wrote the file, and no value is lost by that.

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::ParquetError;
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::Schema;

use super::sorted::RECORD_ID;
use super::{LiveFile, LoadError, Store, TABLE_DIRECTORY};
use crate::model::{COLUMNS, Column, RecordId, RowSet, file_schema};

/// The rows of a live file, of which only the `wanted` columns are read. None of them is a partition column.
pub async fn read_file(
    store: &Store,
    file: &LiveFile,
    wanted: fn(&Column) -> bool,
) -> Result<Vec<RecordBatch>, LoadError> {
    let bytes = store.get(&format!("{TABLE_DIRECTORY}/{}", file.path)).await?;
    let path = file.path.clone();
    let read = move || -> Result<Vec<RecordBatch>, LoadError> {
        let failed = |source| LoadError::Parquet { action: "read", path: path.clone(), source };
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?;
        let names = COLUMNS.iter().filter(|column| wanted(column)).map(|column| column.name);
        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
        let reader = builder.with_projection(mask).build().map_err(failed)?;
        reader.map(|rows| conform(&path, &rows.map_err(|error| failed(ParquetError::from(error)))?, wanted)).collect()
    };
    tokio::task::spawn_blocking(read).await?
}

/// The `wanted` columns of rows that lie in the file `path`. Another writer may have chosen other types for the same
/// values.
pub(super) fn conform(
    path: &str,
    rows: &RecordBatch,
    wanted: impl Fn(&Column) -> bool,
) -> Result<RecordBatch, LoadError> {
    let (file_schema, wanted) = (file_schema(), COLUMNS.iter().filter(|column| wanted(column)));
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let (mut fields, mut columns): (Vec<_>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for column in wanted {
        let foreign = || LoadError::ForeignFile { path: path.to_owned(), column: column.name };
        let field = file_schema.field_with_name(column.name).map_err(|_| foreign())?;
        let found = rows.column_by_name(column.name).ok_or_else(foreign)?;
        columns.push(cast_with_options(found, field.data_type(), &options).map_err(|_| foreign())?);
        fields.push(field.clone());
    }
    RecordBatch::try_new(Schema::new(fields).into(), columns).map_err(|error| LoadError::Parquet {
        action: "read",
        path: path.to_owned(),
        source: error.into(),
    })
}

/// What identifies `rows`, which have the column `record_id`, as a set; `path` is where they come from.
pub fn row_set(path: &str, rows: &RecordBatch) -> Result<RowSet, LoadError> {
    let foreign = || LoadError::ForeignFile { path: path.to_owned(), column: RECORD_ID };
    let ids = rows.column_by_name(RECORD_ID).and_then(|ids| ids.as_string_opt::<i32>()).ok_or_else(foreign)?;
    let mut set = RowSet::default();
    for id in ids {
        set.insert(id.and_then(RecordId::parse).ok_or_else(foreign)?);
    }
    Ok(set)
}
