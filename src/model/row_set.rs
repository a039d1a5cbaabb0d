//! What identifies a set of rows, in whatever order they come.

use super::RecordId;

/// How many rows, and the exclusive or of their identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSet {
    count: u64,
    record_id_xor: u128,
}

impl RowSet {
    /// Adds a row.
    pub fn insert(&mut self, id: RecordId) {
        self.count += 1;
        self.record_id_xor ^= u128::from_be_bytes(id.0);
    }

    /// Adds the rows of a set that shares none with this one.
    pub fn unite(&mut self, other: Self) {
        self.count += other.count;
        self.record_id_xor ^= other.record_id_xor;
    }

    /// How many rows.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Exclusive or of the 16 bytes of every `record_id`.
    pub fn record_id_xor(&self) -> u128 {
        self.record_id_xor
    }
}
