//! The rows of one commit, gathered window by window.
//!
//! The rule: what is kept of a window that is done is Arrow, which is small; its operations are gone.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::commit::Run;
use crate::ledger::RowsV1;
use crate::model::{Batch, Operation, Partition};
use crate::transform;

/// New rows, by partition.
#[derive(Debug, Default)]
pub(super) struct NewRows {
    partitions: BTreeMap<Partition, Vec<RecordBatch>>,
    count: u64,
    record_id_xor: u128,
}

impl NewRows {
    /// Adds what one window brought.
    pub(super) fn add(&mut self, run: &Run, operations: Vec<Vec<Operation<'_>>>) -> Result<(), ArrowError> {
        for operation in operations.iter().flatten() {
            self.count += 1;
            self.record_id_xor ^= u128::from_be_bytes(operation.record_id.0);
        }
        for Batch { partition, rows } in transform::batches(&run.account, run.started_at, operations)? {
            self.partitions.entry(partition).or_default().push(rows);
        }
        Ok(())
    }

    /// What identifies the rows as a set.
    pub(super) fn digest(&self) -> RowsV1 {
        RowsV1 { count: self.count, record_id_xor: format!("{:032x}", self.record_id_xor) }
    }

    /// The rows by partition, each in one or more batches.
    pub(super) fn into_partitions(self) -> impl Iterator<Item = (Partition, Vec<RecordBatch>)> {
        self.partitions.into_iter()
    }
}
