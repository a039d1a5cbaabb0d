//! A record by what unites, sorts and places it, before the rest of it is read.
//!
//! The rule: it is small, as those of a whole window wait at once; what a row needs beyond is read out of `source`.

use super::{Partition, RecordId, Source};

/// A record whose identity, time and place are known.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyedRecord<'p> {
    /// Identity within the table.
    pub record_id: RecordId,
    /// Microseconds since the Unix epoch, UTC; `None` where `time` cannot be read.
    pub event_time: Option<i64>,
    /// Where its row lies.
    pub partition: Partition,
    /// Whether the category is one that the upstream documents.
    pub category_known: bool,
    /// What the upstream reported.
    pub source: Source<'p>,
}
