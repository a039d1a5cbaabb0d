//! The table read back as any engine would: the Parquet files below its directory, and their partition by path.
//!
//! Of the log it asks only which files a compaction replaced. A file that no version ever named is found, too.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use phonetrail::transform::record_json;
use serde_json::Value;

use super::log::data_files;

/// A row, as far as most tests look at it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) record_id: String,
    pub(crate) account_id: String,
    pub(crate) event_time: Option<i64>,
    /// `year=.../month=.../category=...`
    pub(crate) partition: String,
    /// Canonical JSON of the record.
    pub(crate) record: String,
    /// Where the row lies.
    pub(crate) file: PathBuf,
}

/// All rows below `destination`, in no order, but those of replaced files.
pub(crate) fn rows(destination: &Path) -> Vec<Row> {
    let (table, (_, replaced)) = (destination.join("operation_logs"), data_files(destination));
    let is_replaced = |file: &Path| replaced.contains(file.strip_prefix(&table).unwrap().to_str().unwrap());
    let mut rows = Vec::new();
    for file in parquet_files(&table).into_iter().filter(|file| !is_replaced(file)) {
        rows.extend(file_rows(&table, &file, File::open(&file).unwrap()));
    }
    rows
}

/// All rows of a file of `table`, which is open.
pub(crate) fn file_rows(table: &Path, path: &Path, file: File) -> Vec<Row> {
    let partition = path.parent().unwrap().strip_prefix(table).unwrap().to_str().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.flat_map(|batch| batch_rows(&batch.unwrap(), partition, path)).collect()
}

/// The rows of a batch from the file `file`.
pub(crate) fn batch_rows(batch: &RecordBatch, partition: &str, file: &Path) -> Vec<Row> {
    let ids = batch.column_by_name("record_id").unwrap().as_string::<i32>();
    let accounts = batch.column_by_name("account_id").unwrap().as_string::<i32>();
    let times = batch.column_by_name("event_time").unwrap().as_primitive::<TimestampMicrosecondType>();
    let row = |row: usize| Row {
        record_id: ids.value(row).to_owned(),
        account_id: accounts.value(row).to_owned(),
        event_time: times.is_valid(row).then(|| times.value(row)),
        partition: partition.to_owned(),
        record: canonical(&record_json(batch, row).unwrap()),
        file: file.to_path_buf(),
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The Parquet files below `directory`.
pub(crate) fn parquet_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(parquet_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    files
}

/// JSON with its keys sorted; a text that is no Unicode JSON stays as it is.
pub(crate) fn canonical(json: &str) -> String {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut members: Vec<(String, Value)> = members.into_iter().collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(members.into_iter().map(|(key, value)| (key, sorted(value))).collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    serde_json::from_str(json).map_or(json.to_owned(), |value| sorted(value).to_string())
}

/// Canonical JSON texts, sorted: equal multisets give equal lists.
pub(crate) fn multiset<'a>(records: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut records: Vec<String> = records.map(canonical).collect();
    records.sort();
    records
}
