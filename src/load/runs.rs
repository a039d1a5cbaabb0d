//! Rows of many windows -> rows of whole partitions, however many there are.
//!
//! ```text
//! add -> the rows of one run, in memory --full--> a temporary file, a batch a partition, in no order
//! rows of a partition <-- its batch of every run, united
//! ```
//!
//! The rule: memory holds one run, and a partition twice for each that is read back; a row that comes several times goes
//! out once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;

use super::LoadError;
use super::sorted::united;
use crate::model::{Batch, Partition, file_schema};

/// Rows of a run: some thirty megabytes.
const RUN_ROWS: usize = 100_000;

/// Rows by partition, gathered.
#[derive(Debug)]
pub struct Runs {
    run_rows: usize,
    rows: usize,
    current: BTreeMap<Partition, Vec<RecordBatch>>,
    written: Vec<Run>,
}

/// Rows in a file of their own, which is gone when this is.
#[derive(Debug)]
struct Run {
    reader: Mutex<FileReader<BufReader<File>>>,
    /// Which batch of the file holds the rows of a partition.
    places: BTreeMap<Partition, usize>,
}

impl Default for Runs {
    fn default() -> Self {
        Self { run_rows: RUN_ROWS, rows: 0, current: BTreeMap::new(), written: Vec::new() }
    }
}

impl Runs {
    /// Adds rows, in any order.
    pub fn add(&mut self, batch: Batch) -> Result<(), LoadError> {
        self.rows += batch.rows.num_rows();
        self.current.entry(batch.partition).or_default().push(batch.rows);
        if self.rows >= self.run_rows {
            self.rows = 0;
            self.written.push(Run::write(std::mem::take(&mut self.current)).map_err(temporary)?);
        }
        Ok(())
    }

    /// The partitions that have rows.
    pub fn partitions(&self) -> Vec<Partition> {
        let written = self.written.iter().flat_map(|run| run.places.keys());
        written.chain(self.current.keys()).collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }

    /// All rows of a partition, sorted as a batch is, each once.
    pub fn rows(&self, partition: &Partition) -> Result<RecordBatch, LoadError> {
        let read = || -> Result<RecordBatch, ArrowError> {
            let mut batches = self.current.get(partition).cloned().unwrap_or_default();
            for run in &self.written {
                batches.extend(run.read(partition)?);
            }
            united(batches)
        };
        read().map_err(temporary)
    }
}

impl Run {
    fn write(partitions: BTreeMap<Partition, Vec<RecordBatch>>) -> Result<Self, ArrowError> {
        let file = tempfile::tempfile()?;
        let mut writer = FileWriter::try_new(BufWriter::new(file), &file_schema())?;
        let mut places = BTreeMap::new();
        for (partition, batches) in partitions {
            writer.write(&concat_batches(&file_schema(), &batches)?)?;
            places.insert(partition, places.len());
        }
        let mut file = writer.into_inner()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        let reader = Mutex::new(FileReader::try_new_buffered(file, None)?);
        Ok(Self { reader, places })
    }

    fn read(&self, partition: &Partition) -> Result<Option<RecordBatch>, ArrowError> {
        let Some(place) = self.places.get(partition) else { return Ok(None) };
        // What a panic left behind is a position, and that is set here.
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.set_index(*place)?;
        reader.next().transpose()
    }
}

fn temporary(source: ArrowError) -> LoadError {
    LoadError::Temporary { directory: std::env::temp_dir(), source }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sorted::tests::{Key, batch, keys};
    use super::*;
    use crate::model::{DetailCounts, Shapes};

    fn partition(month: i32) -> Partition {
        Partition { year: 2022, month, category: "user".into() }
    }

    proptest! {
        #[test]
        fn every_row_comes_back_once_however_many_runs_there_are(
            parts in prop::collection::vec((1i32..4, prop::collection::btree_set(0i64..30, 0..8)), 1..8),
            run_rows in 1usize..12,
        ) {
            let mut runs = Runs { run_rows, ..Runs::default() };
            let mut expected: BTreeMap<i32, BTreeSet<Key>> = BTreeMap::new();
            for (month, times) in parts {
                let rows: Vec<Key> = times.into_iter().map(|time| (Some(time), format!("{time:02}"))).collect();
                let (detail, unparsed_shapes) = (DetailCounts::default(), Shapes::default());
                runs.add(Batch { partition: partition(month), rows: batch(&rows), detail, unparsed_shapes }).unwrap();
                expected.entry(month).or_default().extend(rows);
            }
            let partitions: Vec<Partition> = expected.keys().copied().map(partition).collect();
            prop_assert_eq!(runs.partitions(), partitions);
            for (month, rows) in expected {
                prop_assert_eq!(keys(&runs.rows(&partition(month)).unwrap()), rows.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
