//! Rows of the table, read back whole or by column.
//!
//! The rule: columns come in the types of the schema, whoever wrote the file.

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::ParquetError;
use arrow::array::RecordBatch;
use arrow::compute::cast;

use super::sorted::RECORD_ID;
use super::{LiveFile, LoadError, Store, TABLE_DIRECTORY};
use crate::model::{RecordId, RowSet, file_schema};
use arrow::array::AsArray;

/// The rows of a live file, of which only `columns` are read; in the order of the schema.
pub async fn read_file(
    store: &Store,
    file: &LiveFile,
    columns: &'static [&'static str],
) -> Result<Vec<RecordBatch>, LoadError> {
    let bytes = store.get(&format!("{TABLE_DIRECTORY}/{}", file.path)).await?;
    let path = file.path.clone();
    let read = move || -> Result<Vec<RecordBatch>, LoadError> {
        let failed = |source| LoadError::Parquet { action: "read", path: path.clone(), source };
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let reader = builder.with_projection(mask).build().map_err(failed)?;
        reader.map(|rows| typed(&path, &rows.map_err(|error| failed(ParquetError::from(error)))?, columns)).collect()
    };
    tokio::task::spawn_blocking(read).await?
}

fn typed(path: &str, rows: &RecordBatch, columns: &[&'static str]) -> Result<RecordBatch, LoadError> {
    let schema = file_schema();
    let column = |name: &&'static str| {
        let foreign = || LoadError::ForeignFile { path: path.to_owned(), column: name };
        let field = schema.field_with_name(name).map_err(|_| foreign())?;
        let values = rows.column_by_name(name).and_then(|values| cast(values, field.data_type()).ok());
        Ok((field.name().as_str(), values.ok_or_else(foreign)?, true))
    };
    let columns = columns.iter().map(column).collect::<Result<Vec<_>, LoadError>>()?;
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| LoadError::Parquet {
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
