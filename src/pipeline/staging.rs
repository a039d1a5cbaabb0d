//! Records by partition -> rows -> files that nothing names yet.
//!
//! ```text
//! Runs --records of a partition, transform--> batches --FileWriter--> a file in memory --stage--> the store
//! ```
//!
//! The rule: each row is made once, where it lies; memory is bounded by the bytes of the records that are at work.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::Semaphore;

use super::commit;
use super::replay::ReplayError;
use crate::failpoint::FailPoint;
use crate::load::{self, FileWriter, Runs, Store};
use crate::model::{DetailCounts, Partition, RowSet, StagedFile};
use crate::transform;

/// How many files are made at once.
const PARALLEL_FILES: usize = 3;

/// Bytes of the records that files are made of at once, but for a file of more: it takes twice as much to make one.
const PARALLEL_BYTES: u32 = 64 * 1024 * 1024;

/// How many files are written at once: each waits for the disk, or for object storage.
const PARALLEL_WRITES: usize = 64;

/// All rows, in files that nothing names yet.
#[derive(Default)]
pub(super) struct Staged {
    pub(super) files: Vec<StagedFile>,
    pub(super) rows: RowSet,
    pub(super) detail: DetailCounts,
}

/// Writes the rows of every partition as one file.
pub(super) async fn stage(store: &Store, runs: Arc<Runs>, ingested_at: DateTime<Utc>) -> Result<Staged, ReplayError> {
    let room = Semaphore::new(PARALLEL_BYTES as usize);
    let make = |(partition, bytes): (Partition, usize)| {
        let (runs, room) = (Arc::clone(&runs), &room);
        async move {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(PARALLEL_BYTES);
            let _taken = room.acquire_many(bytes).await;
            tokio_rayon::spawn(move || Made::of(partition, &runs, ingested_at)).await
        }
    };
    let write = |made: Result<Made, ReplayError>| async move {
        let Made { file, bytes, rows, detail } = made?;
        FailPoint::FileStage.pass();
        store.stage(&commit::data_paths(std::slice::from_ref(&file))[0], bytes).await?;
        FailPoint::FileStaged.pass();
        Ok::<_, ReplayError>((file, rows, detail))
    };
    // The largest first: at the end, small ones keep both cores busy.
    let mut partitions: Vec<(Partition, usize)> = runs.partitions().into_iter().collect();
    partitions.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let made = futures::stream::iter(partitions).map(make).buffer_unordered(PARALLEL_FILES);
    let mut written = made.map(write).buffer_unordered(PARALLEL_WRITES);
    let mut staged = Staged::default();
    while let Some((file, rows, detail)) = written.try_next().await? {
        staged.files.push(file);
        staged.rows.unite(rows);
        staged.detail.add(detail);
    }
    Ok(staged)
}

/// The file of a partition, made in memory.
struct Made {
    file: StagedFile,
    bytes: Bytes,
    rows: RowSet,
    detail: DetailCounts,
}

impl Made {
    fn of(partition: Partition, runs: &Runs, ingested_at: DateTime<Utc>) -> Result<Self, ReplayError> {
        let records = runs.records(&partition)?;
        let (mut rows, mut detail) = (RowSet::default(), DetailCounts::default());
        let mut file = FileWriter::new(partition, records.count() as u64)?;
        for batch in transform::batches_of(ingested_at, records.blocks()) {
            let batch = batch?;
            rows.unite(load::row_set(&batch.partition.directory(), &batch.rows)?);
            detail.add(batch.detail);
            file.write(&batch.rows)?;
        }
        let (file, bytes) = file.finish()?;
        Ok(Self { file, bytes, rows, detail })
    }
}
