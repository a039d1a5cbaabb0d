//! A record by what unites, sorts and places it, before the rest of it is read.
//!
//! The rule: it is small, as those of a whole window wait at once; what a row needs beyond is read out of `source`.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{AccountId, Partition, RecordId, Source};

/// A record whose identity, time and place are known.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyedRecord<'p> {
    /// Identity within the table.
    pub record_id: RecordId,
    /// Microseconds since the Unix epoch, UTC; `None` where `time` cannot be read.
    pub event_time: Option<i64>,
    /// Whose it is.
    pub account: &'p AccountId,
    /// Where its row lies.
    pub partition: Partition,
    /// Whether the category is one that the upstream documents.
    pub category_known: bool,
    /// Whether the verbatim columns and `event_time` alone give it back.
    pub reproducible: bool,
    /// What the upstream reported.
    pub source: Source<'p>,
}

impl KeyedRecord<'_> {
    /// The order of rows in a file: by time, unreadable first, then by identity.
    pub fn order(&self) -> (Option<i64>, RecordId) {
        (self.event_time, self.record_id)
    }
}

/// The records of each partition, in the partitions' order.
pub fn by_partition<'p>(records: impl IntoIterator<Item = KeyedRecord<'p>>) -> Vec<(Partition, Vec<KeyedRecord<'p>>)> {
    let mut partitions: HashMap<Partition, Vec<KeyedRecord<'p>>, RandomState> = HashMap::default();
    for record in records {
        match partitions.get_mut(&record.partition) {
            Some(rows) => rows.push(record),
            None => drop(partitions.insert(record.partition.clone(), vec![record])),
        }
    }
    let mut partitions: Vec<_> = partitions.into_iter().collect();
    partitions.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    partitions
}
