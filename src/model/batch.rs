//! Rows of one partition as Arrow.

use std::borrow::Cow;
use std::fmt;

use arrow::array::RecordBatch;

use super::{DetailCounts, Shapes};

/// `year` and `month` of rows whose time cannot be read.
pub const UNKNOWN_TIME: (i32, i32) = (0, 0);

/// Where a row lies: the UTC year and month of its own time, and its category's slug.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// UTC year, or 0.
    pub year: i32,
    /// UTC month 1 to 12, or 0.
    pub month: i32,
    /// A slug of `[a-z0-9_]`, 1 to 64 bytes: never a text from upstream.
    pub category: Cow<'static, str>,
}

impl Partition {
    /// The Hive directory below the table's root, unpadded, as Delta writers make it.
    pub fn directory(&self) -> String {
        format!("year={}/month={}/category={}", self.year, self.month, self.category)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.directory())
    }
}

/// Rows of one partition in the table's column order without the partition columns, sorted by `event_time` (nulls
/// first), then `record_id`.
#[derive(Clone)]
pub struct Batch {
    /// Where the rows go.
    pub partition: Partition,
    /// The rows.
    pub rows: RecordBatch,
    /// How their details were read.
    pub detail: DetailCounts,
    /// What the details look like that have no reading.
    pub unparsed_shapes: Shapes,
}

/// Counts, never contents.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("partition", &self.partition)
            .field("row_count", &self.rows.num_rows())
            .finish_non_exhaustive()
    }
}
