//! The rows of one commit, gathered window by window.
//!
//! The rule: what is kept of a window that is done is Arrow, which is small; its records are gone.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::commit::Run;
use super::report::SyncReport;
use crate::ledger::RowsV1;
use crate::model::{KeyedRecord, Partition, RowSet};
use crate::transform;

/// New rows, by partition.
#[derive(Debug, Default)]
pub(super) struct NewRows {
    partitions: BTreeMap<Partition, Vec<RecordBatch>>,
    set: RowSet,
}

impl NewRows {
    /// Adds what one window brought, and counts it in `report`.
    pub(super) fn add(
        &mut self,
        run: &Run,
        records: Vec<Vec<KeyedRecord<'_>>>,
        report: &mut SyncReport,
    ) -> Result<(), ArrowError> {
        report.count_new(records.iter().flatten());
        for record in records.iter().flatten() {
            self.set.insert(record.record_id);
        }
        for batch in transform::batches(run.started_at, records.into_iter().flatten())? {
            report.count_readings(&batch);
            self.partitions.entry(batch.partition).or_default().push(batch.rows);
        }
        Ok(())
    }

    /// What identifies the rows as a set.
    pub(super) fn digest(&self) -> RowsV1 {
        self.set.into()
    }

    /// The rows by partition, each in one or more batches.
    pub(super) fn into_partitions(self) -> impl Iterator<Item = (Partition, Vec<RecordBatch>)> {
        self.partitions.into_iter()
    }
}
