//! What the table already holds of a stretch of time.

use std::collections::{HashMap, HashSet};

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::ParquetError;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use futures::{StreamExt, TryStreamExt};

use super::{LiveFile, LoadError, Selection, Store, TABLE_DIRECTORY, Table};
use crate::model::{AccountId, RecordId};

/// How many files are read at once.
const PARALLEL_FILES: usize = 4;

/// A stored row, as far as union and reconciliation need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// Its time, microseconds.
    pub event_time: Option<i64>,
}

/// The rows of one account within the selections read so far, by identity. Files are read whole, so rows beside the
/// selections can be among them.
#[derive(Debug, Default)]
pub struct StoredRows {
    rows: HashMap<RecordId, StoredRow>,
    /// The files read. None is read twice.
    files: HashSet<String>,
}

impl StoredRows {
    /// Reads the identities in the files that `selection` touches. All calls must be about the same table, at the same
    /// version, and the same account.
    pub async fn extend(
        &mut self,
        store: &Store,
        table: &Table,
        selection: &Selection,
        account: &AccountId,
    ) -> Result<(), LoadError> {
        let mut files = table.files(selection).await?;
        files.retain(|file| self.files.insert(file.path.clone()));
        let files: Vec<(LiveFile, AccountId)> = files.into_iter().map(|file| (file, account.clone())).collect();
        let read = |(file, account): (LiveFile, AccountId)| async move {
            let bytes = store.get(&format!("{TABLE_DIRECTORY}/{}", file.path)).await?;
            tokio::task::spawn_blocking(move || identities(&file.path, bytes, &account)).await?
        };
        let mut parts = futures::stream::iter(files).map(read).buffer_unordered(PARALLEL_FILES);
        while let Some(part) = parts.try_next().await? {
            self.rows.extend(part);
        }
        Ok(())
    }

    /// Whether the table holds `id`.
    pub fn contains(&self, id: RecordId) -> bool {
        self.rows.contains_key(&id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (RecordId, StoredRow)> {
        self.rows.iter().map(|(id, row)| (*id, *row))
    }
}

fn identities(path: &str, bytes: bytes::Bytes, account: &AccountId) -> Result<Vec<(RecordId, StoredRow)>, LoadError> {
    let failed = |source| LoadError::Parquet { action: "read", path: path.to_owned(), source };
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?;
    let names = ["record_id", "event_time", "account_id"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    let reader = builder.with_projection(mask).build().map_err(failed)?;

    let mut found = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| failed(ParquetError::from(error)))?;
        collect(path, &batch, account, &mut found)?;
    }
    Ok(found)
}

fn collect(
    path: &str,
    batch: &RecordBatch,
    account: &AccountId,
    found: &mut Vec<(RecordId, StoredRow)>,
) -> Result<(), LoadError> {
    let foreign = |column| move || LoadError::ForeignFile { path: path.to_owned(), column };
    let text = |name| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let ids = text("record_id").ok_or_else(foreign("record_id"))?;
    let accounts = text("account_id").ok_or_else(foreign("account_id"))?;
    let times = batch
        .column_by_name("event_time")
        .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
        .ok_or_else(foreign("event_time"))?;

    for row in (0..batch.num_rows()).filter(|&row| accounts.value(row) == account.as_str()) {
        let id = RecordId::parse(ids.value(row)).ok_or_else(foreign("record_id"))?;
        found.push((id, StoredRow { event_time: times.is_valid(row).then(|| times.value(row)) }));
    }
    Ok(())
}
