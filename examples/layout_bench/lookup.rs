//! Rows by operator, by phone number and by time, out of files that are opened one after the other.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter};
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;

use super::Failure;

const SHOWN: [&str; 5] = ["event_time", "operator_id", "verb", "object_name", "phone_numbers"];
const DAY: i64 = 86_400_000_000;

/// What is looked for.
#[derive(Clone, Debug)]
enum Wanted {
    Operator(String),
    Number(String),
    /// First and last.
    Times(i64, i64),
}

/// A lookup of each kind, for something that is there.
pub(crate) struct Lookups(Vec<Wanted>);

impl Lookups {
    /// By what stands in the middle row of the largest file that has a number.
    pub(crate) fn of(files: &[RecordBatch]) -> Result<Self, Failure> {
        let numbered =
            |rows: &&RecordBatch| rows["phone_numbers"].as_list::<i32>().values().len() > rows.num_rows() / 2;
        let rows = files.iter().filter(numbered).max_by_key(|rows| rows.num_rows()).ok_or("no file has numbers")?;
        let middle = rows.num_rows() / 2;
        let numbers = rows["phone_numbers"].as_list::<i32>().values().as_string::<i32>();
        let time = rows["event_time"].as_primitive::<TimestampMicrosecondType>().value(middle);
        Ok(Self(vec![
            Wanted::Operator(rows["operator_id"].as_string::<i32>().value(middle).to_owned()),
            Wanted::Number(numbers.value(numbers.len() / 2).to_owned()),
            Wanted::Times(time - time.rem_euclid(DAY), time - time.rem_euclid(DAY) + DAY - 1),
        ]))
    }

    pub(crate) fn names(&self) -> &'static str {
        "by operator: ms, bytes/record | by number | by day"
    }

    /// Milliseconds and bytes read for each, as cells of a table.
    pub(crate) fn run(&self, files: &[Bytes]) -> Result<String, Failure> {
        let mut cells = Vec::new();
        for wanted in &self.0 {
            let (began, read, mut found, mut rows) = (Instant::now(), Arc::new(AtomicU64::new(0)), 0, 0);
            for bytes in files {
                let file = Counted { bytes: bytes.clone(), read: Arc::clone(&read) };
                let (of, in_all) = wanted.find(file)?;
                (found, rows) = (found + of, rows + in_all);
            }
            assert!(found > 0, "nothing found");
            let milliseconds = 1e3 * began.elapsed().as_secs_f64();
            cells.push(format!("{milliseconds:.0}, {:.2}", read.load(Ordering::Relaxed) as f64 / rows as f64));
        }
        Ok(cells.join(" | "))
    }
}

impl Wanted {
    fn column(&self) -> &'static str {
        match self {
            Self::Operator(_) => "operator_id",
            Self::Number(_) => "phone_numbers.list.element",
            Self::Times(..) => "event_time",
        }
    }

    /// Rows found, of how many.
    fn find(&self, file: Counted) -> Result<(usize, i64), Failure> {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
        let metadata = Arc::clone(builder.metadata());
        let rows = metadata.file_metadata().num_rows();
        let columns = builder.parquet_schema().columns();
        let column = columns.iter().position(|column| column.path().string() == self.column()).ok_or("no column")?;
        let mut groups = Vec::new();
        for (number, group) in metadata.row_groups().iter().enumerate() {
            if self.may_be_in(group, column) && self.may_be_among(&builder, number, column)? {
                groups.push(number);
            }
        }
        if groups.is_empty() {
            return Ok((0, rows));
        }
        let wanted = self.clone();
        let predicate = ArrowPredicateFn::new(
            ProjectionMask::leaves(builder.parquet_schema(), [column]),
            move |rows: RecordBatch| wanted.matches(rows.column(0)),
        );
        let shown = ProjectionMask::columns(builder.parquet_schema(), SHOWN);
        let filter = RowFilter::new(vec![Box::new(predicate)]);
        let reader = builder.with_row_groups(groups).with_projection(shown).with_row_filter(filter).build()?;
        let found = reader.map(|rows| rows.map(|rows| rows.num_rows())).sum::<Result<usize, ArrowError>>()?;
        Ok((found, rows))
    }

    /// By the row group's statistics.
    fn may_be_in(&self, group: &RowGroupMetaData, column: usize) -> bool {
        match (self, group.column(column).statistics()) {
            (Self::Times(first, last), Some(Statistics::Int64(bounds))) => {
                bounds.min_opt().is_none_or(|min| min <= last) && bounds.max_opt().is_none_or(|max| max >= first)
            }
            (Self::Operator(text) | Self::Number(text), Some(Statistics::ByteArray(bounds))) => {
                let text = text.as_bytes();
                bounds.min_opt().is_none_or(|min| min.data() <= text)
                    && bounds.max_opt().is_none_or(|max| max.data() >= text)
            }
            _ => true,
        }
    }

    /// By its bloom filter.
    fn may_be_among(
        &self,
        builder: &ParquetRecordBatchReaderBuilder<Counted>,
        group: usize,
        column: usize,
    ) -> Result<bool, Failure> {
        let (Self::Operator(text) | Self::Number(text)) = self else { return Ok(true) };
        let filter = builder.get_row_group_column_bloom_filter(group, column)?;
        Ok(filter.is_none_or(|filter| filter.check(text.as_str())))
    }

    fn matches(&self, column: &ArrayRef) -> Result<BooleanArray, ArrowError> {
        Ok(match self {
            Self::Operator(wanted) => column.as_string::<i32>().iter().map(|text| Some(text == Some(wanted))).collect(),
            Self::Number(wanted) => {
                let has = |list: ArrayRef| list.as_string::<i32>().iter().any(|number| number == Some(wanted));
                column.as_list::<i32>().iter().map(|list| Some(list.is_some_and(has))).collect()
            }
            Self::Times(first, last) => {
                let times = column.as_primitive::<TimestampMicrosecondType>();
                times.iter().map(|time| Some(time.is_some_and(|time| (*first..=*last).contains(&time)))).collect()
            }
        })
    }
}

/// A file in memory that counts what is read of it.
struct Counted {
    bytes: Bytes,
    read: Arc<AtomicU64>,
}

struct CountedRead {
    bytes: Bytes,
    read: Arc<AtomicU64>,
}

impl Length for Counted {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl ChunkReader for Counted {
    type T = CountedRead;

    fn get_read(&self, start: u64) -> ParquetResult<CountedRead> {
        Ok(CountedRead { bytes: self.bytes.slice(start as usize..), read: Arc::clone(&self.read) })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        self.bytes.get_bytes(start, length)
    }
}

impl Read for CountedRead {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.bytes.len());
        buffer[..length].copy_from_slice(&self.bytes.split_to(length));
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
