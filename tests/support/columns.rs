//! Rows with all their columns, as text.

use std::fs::File;
use std::path::Path;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Every row of `files`, which lie in the table at `destination`, with the file's directory and every column; sorted.
pub(crate) fn all_columns<'f>(destination: &Path, files: impl IntoIterator<Item = &'f String>) -> Vec<String> {
    let mut rows = Vec::new();
    for path in files {
        let file = File::open(destination.join("operation_logs").join(path)).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let options = FormatOptions::default().with_null("NULL");
            let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap());
            let columns: Vec<_> = columns.collect();
            let fields = batch.schema();
            for row in 0..batch.num_rows() {
                let values = columns.iter().zip(fields.fields());
                let values =
                    values.map(|(column, field)| format!("{}={:?}", field.name(), column.value(row).to_string()));
                rows.push(format!("{} {}", path.rsplit_once('/').unwrap().0, values.collect::<Vec<_>>().join(" ")));
            }
        }
    }
    rows.sort();
    rows
}
