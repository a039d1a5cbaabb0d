//! The files of one partition -> one file with the same rows in the same columns.
//!
//! ```text
//! LiveFile --Input--> batches --Merge--> batches, all in order --Output--> StagedFile --written_rows--> RowSet
//!                        +--> what was really read: RowSet, digests
//! ```
//!
//! The rule: what was read and what was written are counted apart from each other, each from the rows themselves. Memory
//! hardly grows with the partition: of a file in our order only a batch and a row group's bytes are held, and only while
//! the merge is within its time; of what is written, a row group, and statistics of some 20 bytes a row. Files in another
//! order are sorted in memory, and refused above [`MAX_UNSORTED_ROWS`].

mod input;
mod order;
mod output;

use futures::{StreamExt, TryStreamExt};

use self::input::Input;
use self::order::Merge;
use self::output::Output;
use super::{LiveFile, LoadError, Store, TABLE_DIRECTORY};
use crate::failpoint::FailPoint;
use crate::model::{RowSet, StagedFile};

/// The most rows of a partition that another writer may have left in another order: some 200 MiB in memory.
pub const MAX_UNSORTED_ROWS: u64 = 262_144;

/// How many files are opened at once.
const PARALLEL_FILES: usize = 8;

/// Bytes of files that are held from the opening on, since to fetch a small file once is quicker than piece by piece.
const HELD_BYTES: u64 = 8 * 1024 * 1024;

/// Files merged into one that is staged.
#[derive(Debug)]
pub struct Merged {
    /// The one file.
    pub file: StagedFile,
    /// The files read, as they were found.
    pub inputs: Vec<ReadFile>,
    /// The rows read.
    pub read: RowSet,
    /// The rows of the one file, read back.
    pub written: RowSet,
}

/// A file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFile {
    /// Path relative to the table's root.
    pub path: String,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// Its size.
    pub byte_count: u64,
    /// Rows read from it.
    pub row_count: u64,
}

/// Merges `files`, all of one partition, each with its SHA-256 where that is known. Nothing stays staged where it fails.
pub async fn merge(store: &Store, files: Vec<(LiveFile, Option<String>)>) -> Result<Merged, LoadError> {
    let store = store.clone();
    // Rows are decoded and encoded between waits: no work for the runtime's own threads.
    let merged = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Handle::current();
        runtime.block_on(merge_here(&store, files))
    });
    merged.await?
}

async fn merge_here(store: &Store, files: Vec<(LiveFile, Option<String>)>) -> Result<Merged, LoadError> {
    let partition = files.first().map(|(file, _)| file.partition.clone()).unwrap_or_default();
    let held_bytes = HELD_BYTES / files.len().max(1) as u64;
    let open = |(file, stated): (LiveFile, Option<String>)| async move {
        Input::open(store, &file, stated.as_deref(), held_bytes).await
    };
    let inputs: Vec<Input> = futures::stream::iter(files).map(open).buffered(PARALLEL_FILES).try_collect().await?;
    let unsorted_rows = inputs.iter().map(Input::unsorted_rows).sum();
    if unsorted_rows > MAX_UNSORTED_ROWS {
        return Err(LoadError::Unsorted { partition, row_count: unsorted_rows });
    }

    let row_count = inputs.iter().map(Input::row_count).sum();
    let mut merge = Merge::new(inputs);
    let mut output = Output::create(store, partition, row_count)?;
    while let Some(rows) = merge.next().await? {
        output.write(&rows).await?;
    }
    let (inputs, read) = merge.finish();
    let file = output.finish().await?;
    FailPoint::FileMerged.pass();
    let written = output::written_rows(store, &file).await;
    if written.is_err() {
        // What it failed of is the thing to tell; whoever runs next finds what this cannot remove.
        let _ = store.discard(vec![format!("{TABLE_DIRECTORY}/{}", file.path)]).await;
    }
    written.map(|written| Merged { file, inputs, read, written })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
    use arrow::datatypes::Field;
    use bytes::Bytes;
    use futures::TryStreamExt;
    use parquet::arrow::ArrowWriter;
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::load::{Destination, stage};
    use crate::model::{Partition, file_schema};

    /// Time, number for the identity, detail.
    type Row = (Option<i64>, u128, Option<String>);

    fn batch(rows: &[Row]) -> RecordBatch {
        let schema = file_schema();
        let column = |field: &Arc<Field>| -> ArrayRef {
            match field.name().as_str() {
                "record_id" => {
                    Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("{:032x}", row.1))))
                }
                "event_time" => {
                    let times: TimestampMicrosecondArray = rows.iter().map(|row| row.0).collect();
                    Arc::new(times.with_timezone("UTC"))
                }
                "operation_detail" => Arc::new(StringArray::from_iter(rows.iter().map(|row| row.2.as_deref()))),
                _ => new_null_array(field.data_type(), rows.len()),
            }
        };
        let columns = schema.fields().iter().map(column).collect();
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    }

    struct Table {
        store: Store,
        _directory: TempDir,
    }

    impl Table {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let destination: Destination = directory.path().to_str().unwrap().parse().unwrap();
            Self { store: Store::open(&destination).unwrap(), _directory: directory }
        }

        async fn put(&self, path: String, bytes: Bytes) -> LiveFile {
            let byte_count = bytes.len() as u64;
            self.store.put(&format!("{TABLE_DIRECTORY}/{path}"), bytes).await.unwrap();
            LiveFile { path, byte_count, row_count: None, partition: Partition::default() }
        }

        /// A file of ours.
        async fn file(&self, rows: &[Row]) -> LiveFile {
            let mut rows = rows.to_vec();
            rows.sort();
            let (file, bytes) = stage(Partition::default(), &[batch(&rows)]).unwrap();
            self.put(file.path, bytes).await
        }

        /// A file as another writer may leave it.
        async fn foreign(&self, rows: &[Row]) -> LiveFile {
            let mut writer = ArrowWriter::try_new(Vec::new(), file_schema(), None).unwrap();
            writer.write(&batch(rows)).unwrap();
            self.put(format!("{}.parquet", rows.len()), writer.into_inner().unwrap().into()).await
        }

        async fn merge(&self, files: Vec<LiveFile>) -> Result<Merged, LoadError> {
            let files = files.into_iter().map(|file| (file, None)).collect();
            merge(&self.store, files).await
        }

        async fn rows(&self, file: &StagedFile) -> Vec<Row> {
            let path = format!("{TABLE_DIRECTORY}/{}", file.path);
            self.store.publish(vec![path]).await.unwrap();
            let file = LiveFile {
                path: file.path.clone(),
                byte_count: file.byte_count,
                row_count: None,
                partition: Partition::default(),
            };
            let input = Input::open(&self.store, &file, None, 0).await.unwrap();
            let (batches, _) = input.start().await.unwrap();
            let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
            let row = |batch: &RecordBatch, row: usize| {
                let (time, id) = order::key(batch, row);
                let details = batch["operation_detail"].as_string::<i32>();
                let detail = details.is_valid(row).then(|| details.value(row).to_owned());
                (time, u128::from_str_radix(&id, 16).unwrap(), detail)
            };
            batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|n| row(batch, n))).collect()
        }
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (prop::option::weighted(0.9, -20i64..20), any::<u128>(), prop::option::of("[a-z]{0,3}"));
        prop::collection::vec(row, 1..25)
    }

    async fn assert_merges(ours: Vec<Vec<Row>>, foreign: Vec<Row>) {
        let table = Table::new();
        let mut files = vec![table.foreign(&foreign).await];
        for rows in &ours {
            files.push(table.file(rows).await);
        }
        let merged = table.merge(files).await.unwrap();

        let mut expected = [ours.concat(), foreign].concat();
        expected.sort();
        assert_eq!((merged.read, merged.read.count()), (merged.written, expected.len() as u64));
        let mut digest = RowSet::default();
        expected.iter().for_each(|row| digest.insert(crate::model::RecordId(row.1.to_be_bytes())));
        assert_eq!(merged.read, digest);
        assert_eq!(merged.inputs.iter().map(|input| input.row_count).sum::<u64>(), expected.len() as u64);
        assert_eq!(table.rows(&merged.file).await, expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn files_in_any_order_become_one_in_ours(ours in prop::collection::vec(rows(), 1..5), foreign in rows()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(assert_merges(ours, foreign));
        }
    }

    #[tokio::test]
    async fn a_file_with_another_digest_than_the_ledgers_is_refused_and_nothing_stays() {
        let table = Table::new();
        let one = table.file(&[(Some(1), 1, None)]).await;
        let other = table.file(&[(Some(2), 2, None)]).await;
        let before = table.store.list(TABLE_DIRECTORY).await.unwrap().len();
        let error = merge(&table.store, vec![(one, None), (other.clone(), Some("00".to_owned()))]).await.unwrap_err();
        assert!(error.to_string().contains(&other.path), "{error}");
        assert_eq!(table.store.list(TABLE_DIRECTORY).await.unwrap().len(), before);
    }
}
