//! Files that are written but that nothing names yet.
//!
//! The rule: a staged file becomes part of the table only by a commit that names it with its digest.

use arrow::array::StructArray;

use super::Partition;

/// A Parquet file of one partition, written and not yet visible.
#[derive(Clone, Debug)]
pub struct StagedFile {
    /// Where its rows belong.
    pub partition: Partition,
    /// Path relative to the table's root, under its final name.
    pub path: String,
    /// Rows in it.
    pub row_count: u64,
    /// Its size.
    pub byte_count: u64,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// Column statistics in the table format's shape (`numRecords`, `minValues`, ...), one row.
    pub stats: StructArray,
}

/// A pack of raw pages, written and not yet named by a commit.
#[derive(Clone, Debug)]
pub struct RawPack {
    /// Path relative to the destination's root.
    pub path: String,
    /// Pages in it.
    pub page_count: u64,
    /// Its size.
    pub byte_count: u64,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
}
