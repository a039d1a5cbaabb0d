//! Rows of many windows -> rows of whole partitions, however many there are.
//!
//! ```text
//! add -> the rows of one run, in memory --full--> a temporary file, a batch a partition, in no order
//! rows of a partition <-- its batch of every run, united
//! ```
//!
//! The rule: memory holds two runs, one of them on its way to its file, and a partition twice for each that is read back;
//! a row that comes several times goes out once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

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

/// Rows by partition, being gathered.
#[derive(Debug)]
pub struct RunWriter {
    run_rows: usize,
    rows: usize,
    current: BTreeMap<Partition, Vec<RecordBatch>>,
    underway: Option<JoinHandle<Result<Run, ArrowError>>>,
    written: Vec<Run>,
}

/// Rows by partition, gathered.
#[derive(Debug, Default)]
pub struct Runs {
    last: BTreeMap<Partition, Vec<RecordBatch>>,
    written: Vec<Run>,
}

/// Rows in a file of their own, which is gone when this is.
#[derive(Debug)]
struct Run {
    reader: Mutex<FileReader<BufReader<File>>>,
    /// Which batch of the file holds the rows of a partition, and how many they are.
    places: BTreeMap<Partition, (usize, usize)>,
}

impl Default for RunWriter {
    fn default() -> Self {
        Self { run_rows: RUN_ROWS, rows: 0, current: BTreeMap::new(), underway: None, written: Vec::new() }
    }
}

impl RunWriter {
    /// Adds rows, in any order. While a run is written, the next one is gathered.
    pub fn add(&mut self, batch: Batch) -> Result<(), LoadError> {
        self.rows += batch.rows.num_rows();
        self.current.entry(batch.partition).or_default().push(batch.rows);
        if self.rows >= self.run_rows {
            self.rows = 0;
            self.settle()?;
            let run = std::mem::take(&mut self.current);
            self.underway = Some(std::thread::spawn(move || Run::write(run)));
        }
        Ok(())
    }

    /// All rows that were added.
    pub fn finish(mut self) -> Result<Runs, LoadError> {
        self.settle()?;
        Ok(Runs { last: self.current, written: self.written })
    }

    /// Waits for the run that is being written.
    fn settle(&mut self) -> Result<(), LoadError> {
        if let Some(run) = self.underway.take() {
            let run = run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            self.written.push(run.map_err(temporary)?);
        }
        Ok(())
    }
}

impl Runs {
    /// The partitions that have rows, with how many were added of each.
    pub fn partitions(&self) -> BTreeMap<Partition, usize> {
        let mut partitions: BTreeMap<Partition, usize> = BTreeMap::new();
        let written = self.written.iter().flat_map(|run| &run.places).map(|(partition, (_, rows))| (partition, *rows));
        let last =
            self.last.iter().map(|(partition, batches)| (partition, batches.iter().map(RecordBatch::num_rows).sum()));
        for (partition, rows) in written.chain(last) {
            *partitions.entry(partition.clone()).or_default() += rows;
        }
        partitions
    }

    /// All rows of a partition, sorted as a batch is, each once.
    pub fn rows(&self, partition: &Partition) -> Result<RecordBatch, LoadError> {
        let read = || -> Result<RecordBatch, ArrowError> {
            let mut batches = self.last.get(partition).cloned().unwrap_or_default();
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
            let rows = concat_batches(&file_schema(), &batches)?;
            writer.write(&rows)?;
            places.insert(partition, (places.len(), rows.num_rows()));
        }
        let mut file = writer.into_inner()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        let reader = Mutex::new(FileReader::try_new_buffered(file, None)?);
        Ok(Self { reader, places })
    }

    fn read(&self, partition: &Partition) -> Result<Option<RecordBatch>, ArrowError> {
        let Some((place, _)) = self.places.get(partition) else { return Ok(None) };
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
    use std::collections::BTreeSet;

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
            let mut runs = RunWriter { run_rows, ..RunWriter::default() };
            let mut expected: BTreeMap<i32, BTreeSet<Key>> = BTreeMap::new();
            for (month, times) in parts {
                let rows: Vec<Key> = times.into_iter().map(|time| (Some(time), format!("{time:02}"))).collect();
                let (detail, unparsed_shapes) = (DetailCounts::default(), Shapes::default());
                runs.add(Batch { partition: partition(month), rows: batch(&rows), detail, unparsed_shapes }).unwrap();
                expected.entry(month).or_default().extend(rows);
            }
            let runs = runs.finish().unwrap();
            let partitions: Vec<Partition> = expected.keys().copied().map(partition).collect();
            prop_assert_eq!(runs.partitions().into_keys().collect::<Vec<_>>(), partitions);
            for (month, rows) in expected {
                prop_assert_eq!(keys(&runs.rows(&partition(month)).unwrap()), rows.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
