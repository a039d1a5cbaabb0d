//! The rows that a condition lets pass, where they are few: read by ourselves, they are there sooner than polars, which
//! makes a plan for every file, has opened all of them.
//!
//! The rule: every row that the condition lets pass comes out; where that is not sure, or they are many, none does, and
//! polars reads the files.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::errors::{ParquetError, Result};
use rayon::prelude::*;

use super::condition::Condition;
use super::footers::Footer;
use super::pruning::TIME;
use crate::load::LiveFile;
use crate::model::{Partition, file_schema};

/// More rows than this are left to polars.
const MOST_ROWS: usize = if cfg!(test) { 50 } else { 500_000 };

/// Rows decoded at a time.
const BATCH_ROWS: usize = 8192;

/// Rows of one file.
pub(super) type Found<'f> = (&'f Partition, RecordBatch);

/// Reads from `files` below `root`, whose `footers` are read, the rows that `condition` lets pass, the `wanted` columns
/// only. `None` where they are too many, or where a file is not of our own making.
pub(super) fn read<'f>(
    root: &Path,
    files: &[(&'f LiveFile, &Footer)],
    condition: &Condition,
    wanted: &HashSet<String>,
) -> Option<Vec<Found<'f>>> {
    let mut asked = HashSet::new();
    condition.add_columns(&mut asked);
    let reader = Reader { condition, asked: &asked, wanted, schema: schema(&asked), found: AtomicUsize::new(0) };
    let read = |(file, footer): &(&'f LiveFile, &Footer)| -> Result<Vec<Found<'f>>> {
        let batches = reader.read(&root.join(&file.path), footer)?;
        Ok(batches.into_iter().map(|batch| (&file.partition, batch)).collect())
    };
    let found: Vec<Vec<Found<'f>>> = files.par_iter().map(read).collect::<Result<_>>().ok()?;
    Some(found.into_iter().flatten().collect())
}

/// Of the columns that are asked, each text once: it is compared once, however many rows have it.
fn schema(asked: &HashSet<&str>) -> SchemaRef {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 if asked.contains(field.name().as_str()) => {
            let texts = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(texts))
        }
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(file_schema().fields().iter().map(field).collect::<Vec<_>>()))
}

struct Reader<'r> {
    condition: &'r Condition,
    asked: &'r HashSet<&'r str>,
    wanted: &'r HashSet<String>,
    schema: SchemaRef,
    found: AtomicUsize,
}

impl Reader<'_> {
    fn read(&self, path: &Path, footer: &Footer) -> Result<Vec<RecordBatch>> {
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(&self.schema));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(&footer.metadata), options)?;
        let mask = |names: &mut dyn Iterator<Item = &str>| ProjectionMask::columns(metadata.parquet_schema(), names);
        let asked = mask(&mut self.asked.iter().copied());
        let wanted = mask(&mut self.wanted.iter().map(String::as_str));

        let condition = self.condition.clone();
        let passing = ArrowPredicateFn::new(asked, move |rows| Ok(BooleanArray::new(passing(&condition, &rows), None)));
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(File::open(path)?, metadata)
            .with_projection(wanted)
            .with_row_groups(footer.needed_groups.clone())
            .with_row_filter(RowFilter::new(vec![Box::new(passing)]))
            .with_batch_size(BATCH_ROWS)
            .build()?;
        let mut batches = Vec::new();
        for batch in reader {
            let batch = plain(&batch?)?;
            if self.found.fetch_add(batch.num_rows(), Ordering::Relaxed) + batch.num_rows() > MOST_ROWS {
                return Err(ParquetError::General("too many rows".to_owned()));
            }
            batches.push(batch);
        }
        Ok(batches)
    }
}

/// The rows with their texts written out.
fn plain(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let column = |(field, column): (&Arc<Field>, &Arc<dyn Array>)| match field.data_type() {
        DataType::Dictionary(_, texts) => {
            Ok((Arc::new(field.as_ref().clone().with_data_type((**texts).clone())), cast(column, texts)?))
        }
        _ => Ok((Arc::clone(field), Arc::clone(column))),
    };
    let columns = rows.schema_ref().fields().iter().zip(rows.columns()).map(column);
    let (fields, columns): (Vec<_>, Vec<_>) = columns.collect::<Result<Vec<_>, ArrowError>>()?.into_iter().unzip();
    let height = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &height)
}

/// Which of the rows the condition lets pass.
fn passing(condition: &Condition, rows: &RecordBatch) -> BooleanBuffer {
    let every = || BooleanBuffer::new_set(rows.num_rows());
    match condition {
        Condition::All(conditions) => {
            conditions.iter().fold(every(), |passed, condition| &passed & &passing(condition, rows))
        }
        Condition::Any(conditions) => {
            let none = BooleanBuffer::new_unset(rows.num_rows());
            conditions.iter().fold(none, |passed, condition| &passed | &passing(condition, rows))
        }
        Condition::Holds { column, values } => holding(rows, column, values).unwrap_or_else(every),
        Condition::Within { first, last } => within(rows, *first, *last).unwrap_or_else(every),
        Condition::Unknown => every(),
    }
}

/// Which rows have one of `values`; `None` where that cannot be told.
fn holding(rows: &RecordBatch, column: &str, values: &[String]) -> Option<BooleanBuffer> {
    let column = rows.column_by_name(column)?;
    let equal = |texts: &StringArray| -> Vec<bool> {
        texts.iter().map(|text| text.is_some_and(|text| values.iter().any(|value| value == text))).collect()
    };
    if let Some(texts) = column.as_dictionary_opt::<Int32Type>() {
        let (keys, equal) = (texts.keys(), equal(texts.values().as_string_opt()?));
        let holds = |row| keys.is_valid(row) && equal[keys.value(row) as usize];
        return Some(BooleanBuffer::collect_bool(keys.len(), holds));
    }
    let lists = column.as_list_opt::<i32>()?;
    let (offsets, equal) = (lists.value_offsets(), equal(lists.values().as_string_opt()?));
    let holds = |row| lists.is_valid(row) && equal[offsets[row] as usize..offsets[row + 1] as usize].contains(&true);
    Some(BooleanBuffer::collect_bool(lists.len(), holds))
}

/// Which rows' times lie within the bounds.
fn within(rows: &RecordBatch, first: i64, last: i64) -> Option<BooleanBuffer> {
    let times = rows.column_by_name(TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let within = |row| times.is_valid(row) && (first..=last).contains(&times.value(row));
    Some(BooleanBuffer::collect_bool(times.len(), within))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, Utc};
    use test_case::test_case;

    use super::super::{footers, handover};
    use super::*;
    use crate::load;
    use crate::model::{AccountId, COLUMNS};
    use crate::transform;

    /// Files of a hundred records: every tenth has another operator, every other one another category.
    fn files(root: &Path) -> Vec<LiveFile> {
        let record = |n: usize| {
            let (operator, category) =
                (["b@x.com", "a@x.com"][usize::from(n.is_multiple_of(10))], ["Device", "User"][n % 2]);
            format!(
                r#"{{"action":"ADD","category_type":"{category}","operation_detail":"Add {category} {n} +1202555{n:04}","operator":"{operator}","time":"2022-02-01T00:{:02}:{:02}Z"}}"#,
                n / 60,
                n % 60,
            )
        };
        let page = [format!(r#"{{"operation_logs":[{}]}}"#, (0..100).map(record).collect::<Vec<_>>().join(",")).into()];
        let account = AccountId::new("a");
        let records = transform::keyed(&account, &page).unwrap();
        let batches = transform::batches(DateTime::<Utc>::UNIX_EPOCH, records.into_iter().flatten()).unwrap();
        let file = |batch: crate::model::Batch| {
            let (file, bytes) = load::stage(batch.partition, &[batch.rows]).unwrap();
            std::fs::create_dir_all(root.join(&file.path).parent().unwrap()).unwrap();
            std::fs::write(root.join(&file.path), bytes).unwrap();
            LiveFile {
                path: file.path,
                byte_count: file.byte_count,
                row_count: Some(file.row_count),
                partition: file.partition,
            }
        };
        batches.into_iter().map(file).collect()
    }

    /// How many rows by category `condition` lets pass.
    fn found(root: &Path, files: &[LiveFile], condition: &Condition) -> Option<BTreeMap<String, usize>> {
        let wanted = COLUMNS.iter().map(|column| column.name.to_owned()).collect();
        let footers: Vec<_> = footers::read(root, files, condition, None).into_iter().map(Option::unwrap).collect();
        let read = read(root, &files.iter().zip(&footers).collect::<Vec<_>>(), condition, &wanted)?;
        let rows: usize = read.iter().map(|(_, rows)| rows.num_rows()).sum();
        assert_eq!(handover::frame(&read, &wanted).unwrap().shape(), (rows, COLUMNS.len()));
        let mut counts = BTreeMap::new();
        for (partition, rows) in read.iter().filter(|(_, rows)| rows.num_rows() > 0) {
            *counts.entry(partition.category.to_string()).or_default() += rows.num_rows();
        }
        Some(counts)
    }

    fn holds(column: &str, value: &str) -> Condition {
        Condition::Holds { column: column.to_owned(), values: vec![value.to_owned()] }
    }

    const START: i64 = 1_643_673_600_000_000;

    #[test_case(&holds("operator_id", "a@x.com"), &[("device", 10)]; "a text")]
    #[test_case(&holds("phone_numbers", "+12025550007"), &[("user", 1)]; "a text of a list")]
    #[test_case(&holds("operator_id", "c@x.com"), &[]; "nothing")]
    #[test_case(&Condition::Within { first: START + 3_000_000, last: START + 5_000_000 }, &[("device", 1), ("user", 2)]; "times")]
    #[test_case(
        &Condition::All(vec![holds("operator_id", "b@x.com"), Condition::Within { first: START, last: START + 5_000_000 }]),
        &[("device", 2), ("user", 3)]; "both"
    )]
    #[test_case(
        &Condition::Any(vec![holds("operator_id", "a@x.com"), holds("phone_numbers", "+12025550007")]),
        &[("device", 10), ("user", 1)]; "either"
    )]
    fn the_rows_that_pass_are_read(condition: &Condition, expected: &[(&str, usize)]) {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let expected = expected.iter().map(|(category, rows)| ((*category).to_owned(), *rows)).collect();
        assert_eq!(found(directory.path(), &files, condition), Some(expected));
    }

    #[test]
    fn many_rows_are_left_to_polars() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        assert_eq!(found(directory.path(), &files, &holds("operator_id", "b@x.com")), None);
    }

    #[test]
    fn a_file_of_another_make_is_left_to_polars() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let rows = RecordBatch::try_from_iter([(
            "operator_id",
            Arc::new(StringArray::from(vec!["a@x.com"])) as Arc<dyn Array>,
        )]);
        let path = directory.path().join(&files[0].path);
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(File::create(path).unwrap(), rows.as_ref().unwrap().schema(), None)
                .unwrap();
        writer.write(&rows.unwrap()).unwrap();
        writer.close().unwrap();
        assert_eq!(found(directory.path(), &files, &holds("operator_id", "a@x.com")), None);
    }
}
