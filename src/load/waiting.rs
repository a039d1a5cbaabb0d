//! Records that wait for others of their partition, as Arrow: small, and away from their pages.
//!
//! ```text
//! KeyedRecords --WaitingRecords::of--> columns (in memory, or in the file of a run) --PartitionRecords--> KeyedRecords
//! ```
//!
//! What waits of a record is what its row is made of: five texts where they give back the rest of it, else its JSON.
//!
//! The rule: the row of a record that has waited is the one it would have had before. Those of a partition come back in the
//! order of rows, each identity once.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, StringBuilder,
};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::model::{AccountId, KeyedRecord, Partition, RecordId, Source, by_partition};

/// Records that are given back at once at most: enough for a batch to be built of, few enough to be held beside it; in
/// tests, so few that there are many blocks.
const BLOCK_RECORDS: usize = if cfg!(test) { 3 } else { 8192 };

/// Bytes of their texts at most, but for a single record that has more.
const BLOCK_BYTES: usize = if cfg!(test) { 20 } else { 8 * 1024 * 1024 };

/// Bytes of an identity.
const ID_BYTES: usize = 16;

/// Bytes of the places of five texts.
const PLACES_BYTES: usize = 20;

/// Records of one account and one partition.
#[derive(Clone, Debug)]
pub struct WaitingRecords {
    pub(super) partition: Partition,
    pub(super) account: AccountId,
    pub(super) columns: RecordBatch,
}

impl WaitingRecords {
    /// Takes over records of one account.
    pub fn of<'p>(
        account: &AccountId,
        records: impl IntoIterator<Item = KeyedRecord<'p>>,
    ) -> Result<Vec<Self>, ArrowError> {
        let taken = |(partition, records): (_, Vec<_>)| {
            Ok(Self { partition, account: account.clone(), columns: columns(&records)? })
        };
        by_partition(records).into_iter().map(taken).collect()
    }

    /// The memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.columns.get_array_memory_size()
    }
}

/// The columns in which records wait.
pub(super) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(vec![
            Field::new("record_id", DataType::FixedSizeBinary(ID_BYTES as i32), false),
            Field::new("event_time", DataType::Int64, true),
            Field::new("category_known", DataType::Boolean, false),
            Field::new("reproducible", DataType::Boolean, false),
            Field::new("text", DataType::Utf8, false),
            Field::new("places", DataType::FixedSizeBinary(PLACES_BYTES as i32), true),
        ]))
    });
    Arc::clone(&SCHEMA)
}

fn columns(records: &[KeyedRecord<'_>]) -> Result<RecordBatch, ArrowError> {
    let mut ids = Vec::with_capacity(records.len() * ID_BYTES);
    let mut places = Vec::with_capacity(records.len() * PLACES_BYTES);
    let mut texts = StringBuilder::with_capacity(records.len(), records.iter().map(text_bytes).sum());
    let mut gathered = String::new();
    for record in records {
        let (text, places_in_it) = waiting_text(record, &mut gathered);
        ids.extend_from_slice(&record.record_id.0);
        places.extend_from_slice(&packed(places_in_it));
        texts.append_value(text);
    }
    let times: Int64Array = records.iter().map(|record| record.event_time).collect();
    let known = BooleanBuffer::collect_bool(records.len(), |row| records[row].category_known);
    let reproducible = BooleanBuffer::collect_bool(records.len(), |row| records[row].reproducible);
    let has_places = BooleanBuffer::collect_bool(records.len(), |row| records[row].source.places.is_some());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(FixedSizeBinaryArray::try_new(ID_BYTES as i32, ids.into(), None)?),
        Arc::new(times),
        Arc::new(BooleanArray::new(known, None)),
        Arc::new(BooleanArray::new(reproducible, None)),
        Arc::new(texts.finish()),
        Arc::new(FixedSizeBinaryArray::try_new(PLACES_BYTES as i32, places.into(), Some(has_places.into()))?),
    ];
    RecordBatch::try_new(schema(), columns)
}

/// The places of a record's five texts, if these are all that needs to wait.
fn sufficient(record: &KeyedRecord<'_>) -> Option<[(u16, u16); 5]> {
    record.source.places.filter(|_| record.reproducible)
}

/// How many bytes of a record's text wait.
fn text_bytes(record: &KeyedRecord<'_>) -> usize {
    let of_places = |places: [(u16, u16); 5]| places.iter().map(|(start, end)| usize::from(end - start)).sum();
    sufficient(record).map_or(record.source.text.len(), of_places)
}

/// What waits of a record's text, and where its five texts stand in that; where they stand nowhere, anything.
fn waiting_text<'t>(record: &KeyedRecord<'t>, gathered: &'t mut String) -> (&'t str, [(u16, u16); 5]) {
    let text = record.source.text;
    let Some(places) = sufficient(record) else { return (text, record.source.places.unwrap_or_default()) };
    gathered.clear();
    let mut next = 0;
    let places = places.map(|(start, end)| {
        gathered.push_str(&text[start.into()..end.into()]);
        let from = next;
        next += end - start;
        (from, next)
    });
    (gathered, places)
}

fn packed(places: [(u16, u16); 5]) -> [u8; PLACES_BYTES] {
    let mut bytes = [0; PLACES_BYTES];
    for (bytes, (start, end)) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(places) {
        bytes[..2].copy_from_slice(&start.to_le_bytes());
        bytes[2..].copy_from_slice(&end.to_le_bytes());
    }
    bytes
}

fn unpacked(bytes: &[u8]) -> [(u16, u16); 5] {
    let mut places = [(0, 0); 5];
    for (place, [a, b, c, d]) in places.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *place = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
    }
    places
}

/// All records of one partition, whichever accounts and runs they come from.
#[derive(Debug)]
pub struct PartitionRecords {
    partition: Partition,
    parts: Vec<Part>,
    order: Vec<Place>,
}

/// Records of one account, read back.
#[derive(Debug)]
struct Part {
    account: AccountId,
    ids: FixedSizeBinaryArray,
    times: Int64Array,
    known: BooleanArray,
    reproducible: BooleanArray,
    texts: StringArray,
    places: FixedSizeBinaryArray,
}

/// Where a record is, by what orders it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    event_time: Option<i64>,
    record_id: RecordId,
    part: u32,
    row: u32,
}

impl PartitionRecords {
    /// Puts records in order, those of one identity once: they have one time, so they are neighbours.
    pub(super) fn try_new(partition: Partition, parts: Vec<(AccountId, RecordBatch)>) -> Result<Self, ArrowError> {
        let parts = parts.into_iter().map(|(account, columns)| Part::try_new(account, &columns));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let mut order = Vec::with_capacity(parts.iter().map(|part| part.ids.len()).sum());
        for (number, part) in (0..).zip(&parts) {
            order.extend((0..part.ids.len()).map(|row| part.place(number, row)));
        }
        order.sort_unstable();
        order.dedup_by_key(|place| place.record_id);
        Ok(Self { partition, parts, order })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// The records in order, several thousand at a time.
    pub fn blocks(&self) -> impl Iterator<Item = Vec<KeyedRecord<'_>>> {
        let record = |place: &Place| self.parts[place.part as usize].record(&self.partition, *place);
        let mut records = self.order.iter().map(record).peekable();
        std::iter::from_fn(move || {
            let (mut block, mut bytes) = (Vec::with_capacity(records.size_hint().0.min(BLOCK_RECORDS)), 0);
            block.push(records.next()?);
            while block.len() < BLOCK_RECORDS {
                bytes += block.last().map_or(0, |record| record.source.text.len());
                match records.next_if(|record| bytes + record.source.text.len() <= BLOCK_BYTES) {
                    Some(record) => block.push(record),
                    None => break,
                }
            }
            Some(block)
        })
    }
}

impl Part {
    fn try_new(account: AccountId, columns: &RecordBatch) -> Result<Self, ArrowError> {
        let [ids, times, known, reproducible, texts, places] = columns.columns() else {
            return Err(ArrowError::SchemaError("waiting records have other columns".to_owned()));
        };
        Ok(Self {
            account,
            ids: ids.as_fixed_size_binary().clone(),
            times: times.as_primitive::<Int64Type>().clone(),
            known: known.as_boolean().clone(),
            reproducible: reproducible.as_boolean().clone(),
            texts: texts.as_string::<i32>().clone(),
            places: places.as_fixed_size_binary().clone(),
        })
    }

    fn place(&self, part: u32, row: usize) -> Place {
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(self.ids.value(row));
        let event_time = self.times.is_valid(row).then(|| self.times.value(row));
        // An Arrow array of texts has no more rows than that.
        Place { event_time, record_id: RecordId(id), part, row: row as u32 }
    }

    fn record(&self, partition: &Partition, place: Place) -> KeyedRecord<'_> {
        let row = place.row as usize;
        let places = self.places.is_valid(row).then(|| unpacked(self.places.value(row)));
        KeyedRecord {
            record_id: place.record_id,
            event_time: place.event_time,
            account: &self.account,
            partition: partition.clone(),
            category_known: self.known.value(row),
            reproducible: self.reproducible.value(row),
            source: Source { text: self.texts.value(row), places },
        }
    }
}
