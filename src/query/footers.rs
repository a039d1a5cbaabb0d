//! What files' footers tell: which row groups can hold rows that pass, and what there is to read in them.
//!
//! The rule: a row group is left out only where its statistics or a bloom filter rule out every row. A footer that cannot
//! be read leaves nothing out: whoever reads the file will say what is wrong with it.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{LogicalType, TimeUnit};
use parquet::bloom_filter::Sbbf;
use parquet::errors::{ParquetError, Result};
use parquet::file::FOOTER_SIZE;
use parquet::file::metadata::{
    ColumnChunkMetaData, FooterTail, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use rayon::prelude::*;

use super::condition::Condition;
use super::pruning::TIME;
use crate::load::LiveFile;

/// What a file has to do with a query.
#[derive(Clone, Debug)]
pub(super) struct Footer {
    /// What it says.
    pub(super) metadata: Arc<ParquetMetaData>,
    /// Bytes read to find out: the footer, and bloom filters.
    pub(super) byte_count: u64,
    /// Row groups that can hold rows that pass.
    pub(super) needed_groups: Vec<usize>,
    /// Rows in them.
    pub(super) needed_rows: u64,
    /// Bytes of the wanted columns in them.
    pub(super) needed_bytes: u64,
}

/// Reads the footers of `files` below `root`. `columns` are the wanted ones, or all of them.
pub(super) fn read(
    root: &Path,
    files: &[LiveFile],
    condition: &Condition,
    columns: Option<&HashSet<String>>,
) -> Vec<Option<Footer>> {
    files.par_iter().map(|file| read_file(&root.join(&file.path), condition, columns).ok()).collect()
}

fn read_file(path: &Path, condition: &Condition, columns: Option<&HashSet<String>>) -> Result<Footer> {
    let file = File::open(path)?;
    let tail = file.get_bytes(file.len().saturating_sub(FOOTER_SIZE as u64), FOOTER_SIZE)?;
    let tail = tail.as_ref().try_into().map_err(|_| ParquetError::EOF(path.display().to_string()))?;
    let length = FooterTail::try_new(tail)?.metadata_length();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;

    let mut footer = Footer {
        metadata: Arc::new(metadata),
        byte_count: (length + FOOTER_SIZE) as u64,
        needed_groups: Vec::new(),
        needed_rows: 0,
        needed_bytes: 0,
    };
    for (place, group) in Arc::clone(&footer.metadata).row_groups().iter().enumerate() {
        let mut asked = Asked { file: &file, group, byte_count: 0 };
        let may_pass = asked.may_pass(condition)?;
        footer.byte_count += asked.byte_count;
        if may_pass {
            footer.needed_groups.push(place);
            footer.needed_rows += group.num_rows().unsigned_abs();
            let wanted = |column: &&ColumnChunkMetaData| {
                columns.is_none_or(|columns| column.column_path().parts().first().is_some_and(|c| columns.contains(c)))
            };
            let bytes = group.columns().iter().filter(wanted).map(|column| column.compressed_size().unsigned_abs());
            footer.needed_bytes += bytes.sum::<u64>();
        }
    }
    Ok(footer)
}

/// A row group that is asked.
struct Asked<'a> {
    file: &'a File,
    group: &'a RowGroupMetaData,
    byte_count: u64,
}

impl Asked<'_> {
    fn may_pass(&mut self, condition: &Condition) -> Result<bool> {
        match condition {
            Condition::All(conditions) => {
                for condition in conditions {
                    if !self.may_pass(condition)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Any(conditions) => {
                for condition in conditions {
                    if self.may_pass(condition)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Holds { column, values } => self.may_hold(column, values),
            Condition::Within { first, last } => Ok(self.may_be_within(*first, *last)),
            Condition::Unknown => Ok(true),
        }
    }

    fn may_hold(&mut self, name: &str, values: &[String]) -> Result<bool> {
        let Some(column) = column(self.group, name) else { return Ok(true) };
        // Bounds in the old form are of no defined order.
        let bounds = match column.statistics().filter(|bounds| !bounds.is_min_max_deprecated()) {
            Some(Statistics::ByteArray(bounds)) => (bounds.min_bytes_opt(), bounds.max_bytes_opt()),
            _ => (None, None),
        };
        let is_within = |value: &&String| {
            bounds.0.is_none_or(|min| min <= value.as_bytes()) && bounds.1.is_none_or(|max| max >= value.as_bytes())
        };
        let mut values = values.iter().filter(is_within).peekable();
        if values.peek().is_none() {
            return Ok(false);
        }
        let Some(filter) = Sbbf::read_from_column_chunk(column, self.file)? else { return Ok(true) };
        self.byte_count += column.bloom_filter_length().unwrap_or_default().unsigned_abs() as u64;
        Ok(values.any(|value| filter.check(value.as_str())))
    }

    fn may_be_within(&self, first: i64, last: i64) -> bool {
        // Another writer may have chosen another unit.
        let of_micros = |column: &&ColumnChunkMetaData| {
            matches!(column.column_descr().logical_type_ref(),
            Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::MICROS)
        };
        let column = column(self.group, TIME).filter(of_micros);
        match column.and_then(ColumnChunkMetaData::statistics) {
            Some(Statistics::Int64(bounds)) => {
                bounds.min_opt().is_none_or(|min| *min <= last) && bounds.max_opt().is_none_or(|max| *max >= first)
            }
            _ => true,
        }
    }
}

/// The only leaf of a column.
fn column<'a>(group: &'a RowGroupMetaData, name: &str) -> Option<&'a ColumnChunkMetaData> {
    let is_it = |column: &&ColumnChunkMetaData| column.column_path().parts().first().is_some_and(|c| c == name);
    let mut leaves = group.columns().iter().filter(is_it);
    leaves.next().filter(|_| leaves.next().is_none())
}
