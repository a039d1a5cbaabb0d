//! What the account holds, to compare with what a client made of it.

use std::io::{self, Write};

use bytes::Bytes;

use super::AccountRecord;

/// Every record of the account at one moment, by time.
#[derive(Clone, Debug)]
pub struct GroundTruth {
    records: Vec<AccountRecord>,
}

impl GroundTruth {
    pub(super) fn new<'a>(records: impl Iterator<Item = &'a AccountRecord>) -> Self {
        Self { records: records.cloned().collect() }
    }

    /// The records, oldest first.
    pub fn records(&self) -> &[AccountRecord] {
        &self.records
    }

    /// The records as served.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.records.iter().map(AccountRecord::text)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Writes the records as served, one a line. (A record that a test added with a line break in its text breaks its
    /// line.)
    pub fn write_ndjson(&self, mut output: impl Write) -> io::Result<()> {
        for text in self.texts() {
            output.write_all(text)?;
            output.write_all(b"\n")?;
        }
        output.flush()
    }
}
