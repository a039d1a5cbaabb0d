//! What a query read of what the table holds.

use std::collections::HashSet;

use serde::Serialize;

use super::footers::Footer;
use crate::load::LiveFile;
use crate::model::COLUMNS;

/// What a query read. Bytes are those that it cannot do without, as the files' footers state them: the system may read
/// more, and what it holds in memory it does not read at all. Of a query that looks at the table more than once, everything
/// is counted once.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The table's version.
    pub version: u64,
    /// All files of it.
    pub stored: Extent,
    /// Those whose partitions, the query's filter says, can hold rows that it looks at.
    pub of_partitions: Extent,
    /// Those of them that statistics and bloom filters in their footers do not rule out.
    pub read: Extent,
    /// Row groups in the files that are read.
    pub row_groups: u64,
    /// Those of them that are read.
    pub row_groups_read: u64,
    /// The columns read, but for partition columns, which lie in the paths.
    pub columns: Vec<String>,
    /// Bytes of footers and bloom filters.
    pub footer_bytes: u64,
    /// Bytes of those columns in those row groups.
    pub column_bytes: u64,
    /// Rows of those row groups.
    pub rows_scanned: u64,
    /// Rows of the answer.
    pub rows_returned: u64,
    /// Wall time from opening the table to the rows of the answer.
    pub seconds: f64,
}

/// Some files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// How many.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Rows in them, as far as the log says.
    pub rows: u64,
}

impl Explanation {
    /// Bytes read.
    pub fn bytes_read(&self) -> u64 {
        self.footer_bytes + self.column_bytes
    }

    /// Takes in what the files' footers say, `None` for one that cannot be read.
    pub(super) fn count(&mut self, files: &[LiveFile], footers: &[Option<Footer>]) {
        for (file, footer) in files.iter().zip(footers) {
            let Some(footer) = footer else {
                self.read.add(file);
                continue;
            };
            self.footer_bytes += footer.byte_count;
            if !footer.needed_groups.is_empty() {
                self.read.add(file);
                self.row_groups += footer.metadata.num_row_groups() as u64;
                self.row_groups_read += footer.needed_groups.len() as u64;
                self.rows_scanned += footer.needed_rows;
                self.column_bytes += footer.needed_bytes;
            }
        }
    }
}

impl Extent {
    pub(super) fn of(files: &[LiveFile]) -> Self {
        let mut extent = Self::default();
        files.iter().for_each(|file| extent.add(file));
        extent
    }

    fn add(&mut self, file: &LiveFile) {
        self.files += 1;
        self.bytes += file.byte_count;
        self.rows += file.row_count.unwrap_or_default();
    }
}

/// The columns that lie in files, of those that are wanted, in the table's order.
pub(super) fn in_files(wanted: Option<&HashSet<String>>) -> Vec<String> {
    let columns = COLUMNS.iter().filter(|column| !column.is_partition()).map(|column| column.name);
    columns.filter(|name| wanted.is_none_or(|wanted| wanted.contains(*name))).map(str::to_owned).collect()
}
