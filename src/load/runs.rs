//! Records of many windows -> records of whole partitions, however many there are.
//!
//! ```text
//! add -> the records of one run, in memory --full--> a temporary file, a batch for each partition and account
//! records of a partition <-- its batches of every run, in order
//! ```
//!
//! The rule: memory holds a run, those on their way to their files, and a partition once for each that is read back;
//! a record that comes several times goes out once.

use std::collections::{BTreeMap, VecDeque};
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
use super::waiting::{PartitionRecords, WaitingRecords, schema};
use crate::model::{AccountId, Partition};

/// Bytes of a run: some hundred thousand records.
const RUN_BYTES: usize = 24 * 1024 * 1024;

/// Runs that are written at once: with one, who reads packs would wait for it.
const RUNS_UNDERWAY: usize = 2;

/// Whose records wait where, and in which batches.
type Gathered = BTreeMap<Partition, BTreeMap<AccountId, Vec<RecordBatch>>>;

/// Records by partition, being gathered.
#[derive(Debug)]
pub struct RunWriter {
    run_bytes: usize,
    bytes: usize,
    current: Gathered,
    underway: VecDeque<JoinHandle<Result<Run, ArrowError>>>,
    written: Vec<Run>,
}

/// Records by partition, gathered.
#[derive(Debug, Default)]
pub struct Runs {
    last: Gathered,
    written: Vec<Run>,
}

/// Records in a file of their own, which is gone when this is.
#[derive(Debug)]
struct Run {
    reader: Mutex<FileReader<BufReader<File>>>,
    /// Which batch of the file holds the records of an account in a partition, and how many bytes they are.
    places: BTreeMap<Partition, Vec<(AccountId, usize, usize)>>,
}

impl Default for RunWriter {
    fn default() -> Self {
        let (current, underway, written) = (Gathered::new(), VecDeque::new(), Vec::new());
        Self { run_bytes: RUN_BYTES, bytes: 0, current, underway, written }
    }
}

impl RunWriter {
    /// Adds records, in any order. While runs are written, the next one is gathered.
    pub fn add(&mut self, waiting: WaitingRecords) -> Result<(), LoadError> {
        self.bytes += waiting.bytes();
        let accounts = self.current.entry(waiting.partition).or_default();
        accounts.entry(waiting.account).or_default().push(waiting.columns);
        if self.bytes >= self.run_bytes {
            self.bytes = 0;
            self.settle(RUNS_UNDERWAY - 1)?;
            let run = std::mem::take(&mut self.current);
            self.underway.push_back(std::thread::spawn(move || Run::write(run)));
        }
        Ok(())
    }

    /// All records that were added.
    pub fn finish(mut self) -> Result<Runs, LoadError> {
        self.settle(0)?;
        Ok(Runs { last: self.current, written: self.written })
    }

    /// Waits until no more than so many runs are being written.
    fn settle(&mut self, underway: usize) -> Result<(), LoadError> {
        while self.underway.len() > underway {
            let Some(run) = self.underway.pop_front() else { break };
            let run = run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            self.written.push(run.map_err(temporary)?);
        }
        Ok(())
    }
}

impl Runs {
    /// The partitions that have records, with the bytes that those of each take in memory.
    pub fn partitions(&self) -> BTreeMap<Partition, usize> {
        let mut partitions: BTreeMap<Partition, usize> = BTreeMap::new();
        let mut count = |partition: &Partition, bytes| match partitions.get_mut(partition) {
            Some(sum) => *sum += bytes,
            None => drop(partitions.insert(partition.clone(), bytes)),
        };
        for (partition, places) in self.written.iter().flat_map(|run| &run.places) {
            places.iter().for_each(|(_, _, bytes)| count(partition, *bytes));
        }
        for (partition, accounts) in &self.last {
            accounts.values().flatten().for_each(|batch| count(partition, batch.get_array_memory_size()));
        }
        partitions
    }

    /// All records of a partition, in order, each once.
    pub fn records(&self, partition: &Partition) -> Result<PartitionRecords, LoadError> {
        let read = || -> Result<PartitionRecords, ArrowError> {
            let mut parts = Vec::new();
            for (account, batches) in self.last.get(partition).into_iter().flatten() {
                parts.extend(batches.iter().map(|batch| (account.clone(), batch.clone())));
            }
            for run in &self.written {
                run.read(partition, &mut parts)?;
            }
            PartitionRecords::try_new(partition.clone(), parts)
        };
        read().map_err(temporary)
    }
}

impl Run {
    fn write(gathered: Gathered) -> Result<Self, ArrowError> {
        let file = tempfile::tempfile()?;
        let mut writer = FileWriter::try_new(BufWriter::new(file), &schema())?;
        let (mut places, mut next) = (BTreeMap::<_, Vec<_>>::new(), 0);
        for (partition, accounts) in gathered {
            let mut here = Vec::with_capacity(accounts.len());
            for (account, batches) in accounts {
                let records = concat_batches(&schema(), &batches)?;
                writer.write(&records)?;
                here.push((account, next, records.get_array_memory_size()));
                next += 1;
            }
            places.insert(partition, here);
        }
        let mut file = writer.into_inner()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        let reader = Mutex::new(FileReader::try_new_buffered(file, None)?);
        Ok(Self { reader, places })
    }

    fn read(&self, partition: &Partition, parts: &mut Vec<(AccountId, RecordBatch)>) -> Result<(), ArrowError> {
        for (account, place, _) in self.places.get(partition).into_iter().flatten() {
            // What a panic left behind is a position, and that is set here.
            let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.set_index(*place)?;
            if let Some(batch) = reader.next() {
                parts.push((account.clone(), batch?));
            }
        }
        Ok(())
    }
}

fn temporary(source: ArrowError) -> LoadError {
    LoadError::Temporary { directory: std::env::temp_dir(), source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{KeyedRecord, RecordId, Source};

    /// Account, month, time (which is the identity, too) and text: whatever else a record has, follows from them.
    type Key = (bool, i32, Option<u8>, String);

    fn record<'k>((_, month, time, text): &'k Key, account: &'k AccountId) -> KeyedRecord<'k> {
        let has_places = time.is_some_and(|time| time % 3 > 0);
        let last = text.len() as u16;
        let mut id = [time.unwrap_or(u8::MAX); 16];
        id[15] = account.as_str().as_bytes()[0];
        KeyedRecord {
            record_id: RecordId(id),
            event_time: time.map(i64::from),
            account,
            partition: Partition { year: 2022, month: *month, category: "user".into() },
            category_known: *month == 1,
            reproducible: time.is_some_and(|time| time % 2 > 0),
            source: Source {
                text,
                places: has_places.then_some([(2, last), (0, 1), (1, 1), (1, 2), (last - 1, last)]),
            },
        }
    }

    /// A record by all that makes its row.
    fn by_content(record: &KeyedRecord<'_>) -> String {
        let Source { text, places } = record.source;
        let texts = places.map(|places| places.map(|(start, end)| &text[start.into()..end.into()]));
        let json = (!record.reproducible || places.is_none()).then_some(text);
        let source = Source { text: "", places: None };
        format!("{:?} {texts:?} {json:?}", KeyedRecord { source, ..record.clone() })
    }

    fn key() -> impl Strategy<Value = Key> {
        let time = prop::option::weighted(0.9, 0u8..30);
        (any::<bool>(), 1i32..4, time).prop_map(|(account, month, time)| (account, month, time, format!("{time:?}")))
    }

    proptest! {
        #[test]
        fn every_record_comes_back_once_and_in_order_however_many_runs_there_are(
            windows in prop::collection::vec(prop::collection::vec(key(), 0..8), 1..8),
            run_bytes in 1usize..4096,
        ) {
            let accounts = [AccountId::new("a"), AccountId::new("b")];
            let of = |key| record(key, &accounts[usize::from(key.0)]);
            let mut runs = RunWriter { run_bytes, ..RunWriter::default() };
            let mut expected: BTreeMap<Partition, Vec<KeyedRecord<'_>>> = BTreeMap::new();
            for record in windows.iter().flatten().map(of) {
                expected.entry(record.partition.clone()).or_default().push(record);
            }
            for keys in &windows {
                for account in &accounts {
                    let records = keys.iter().map(of).filter(|record| record.account == account);
                    for waiting in WaitingRecords::of(account, records).unwrap() {
                        runs.add(waiting).unwrap();
                    }
                }
            }
            let runs = runs.finish().unwrap();
            let partitions: Vec<_> = expected.keys().cloned().collect();
            prop_assert_eq!(runs.partitions().into_keys().collect::<Vec<_>>(), partitions);
            for (partition, records) in expected {
                let distinct: BTreeSet<_> = records.iter().map(KeyedRecord::order).collect();
                let back = runs.records(&partition).unwrap();
                let back: Vec<_> = back.blocks().flatten().map(|record| by_content(&record)).collect();
                let once = distinct.iter().filter_map(|order| records.iter().find(|record| record.order() == *order));
                prop_assert_eq!(back, once.map(by_content).collect::<Vec<_>>());
            }
        }
    }
}
