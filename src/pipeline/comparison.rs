//! The table's rows beside those that the archive gives, partition by partition.
//!
//! The rule: rows are compared by their contents, not only by their identity: an altered text is found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::row::{RowConverter, SortField};
use chrono::DateTime;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::replay::ReplayError;
use crate::load::{self, LiveFile, LoadError, Runs, Selection, Store, Table};
use crate::model::{COLUMNS, Column, DetailCounts, Partition, file_schema};
use crate::transform;

/// Columns that say when a row was stored and by which parser, not what it says.
const CIRCUMSTANCES: [&str; 2] = ["parser_version", "ingested_at"];

/// A partition that the table has otherwise than the archive gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its directory.
    pub partition: String,
    /// Rows that the archive gives.
    pub archived: u64,
    /// Rows that the table holds.
    pub stored: u64,
}

/// A set of rows by their contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Contents {
    count: u64,
    xor: u128,
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Rows that the archive gives.
    pub(super) rows: u64,
    /// How their details were read.
    pub(super) detail: DetailCounts,
    /// The partitions that differ.
    pub(super) differences: Vec<Difference>,
}

/// Compares all partitions of either.
pub(super) async fn compare(store: &Store, table: &Table, runs: Arc<Runs>) -> Result<Compared, ReplayError> {
    let mut live: BTreeMap<Partition, Vec<LiveFile>> = BTreeMap::new();
    for file in table.files(&Selection::All).await? {
        live.entry(file.partition.clone()).or_default().push(file);
    }
    let partitions: BTreeSet<Partition> = runs.partitions().into_keys().chain(live.keys().cloned()).collect();
    let mut compared = Compared::default();
    for partition in partitions {
        let (archived, detail) = archived(Arc::clone(&runs), partition.clone()).await?;
        let mut stored = Contents::default();
        for file in live.get(&partition).into_iter().flatten() {
            stored.add(&load::read_file(store, file, is_content).await?)?;
        }
        compared.rows += archived.count;
        compared.detail.add(detail);
        if archived != stored {
            let (archived, stored) = (archived.count, stored.count);
            compared.differences.push(Difference { partition: partition.directory(), archived, stored });
        }
    }
    Ok(compared)
}

async fn archived(runs: Arc<Runs>, partition: Partition) -> Result<(Contents, DetailCounts), ReplayError> {
    let read = move || -> Result<_, ReplayError> {
        let (schema, columns) = (file_schema(), COLUMNS.iter().filter(|column| is_content(column)));
        let columns = columns.map(|column| schema.index_of(column.name)).collect::<Result<Vec<_>, _>>()?;
        let (mut contents, mut detail) = (Contents::default(), DetailCounts::default());
        let records = runs.records(&partition)?;
        // When the rows are stored is no content.
        for batch in transform::batches_of(DateTime::UNIX_EPOCH, records.blocks()) {
            let batch = batch?;
            contents.add(&[batch.rows.project(&columns)?])?;
            detail.add(batch.detail);
        }
        Ok((contents, detail))
    };
    tokio::task::spawn_blocking(read).await.map_err(LoadError::from)?
}

fn is_content(column: &Column) -> bool {
    !column.is_partition() && !CIRCUMSTANCES.contains(&column.name)
}

impl Contents {
    fn add(&mut self, batches: &[RecordBatch]) -> Result<(), ReplayError> {
        let Some(first) = batches.first() else { return Ok(()) };
        let rows = concat_batches(first.schema_ref(), batches)?;
        let fields = rows.columns().iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let encoded = RowConverter::new(fields)?.convert_columns(rows.columns())?;
        for row in &encoded {
            let digest = Sha256::digest(row.as_ref());
            let mut half = [0; 16];
            half.copy_from_slice(&digest[..16]);
            self.count += 1;
            self.xor ^= u128::from_be_bytes(half);
        }
        Ok(())
    }
}
