//! How files can be laid out: writes a table's rows under many choices, and prints what each costs and what it saves.
//!
//! ```text
//! layout_bench DESTINATION [--rows-per-file 10000] [--only zstd] [--columns]
//! ```
//!
//! Every choice is the layout of `src/load/layout.rs` with one thing changed. The three lookups read five columns by the
//! means that a file offers: statistics, bloom filters, page indexes. They are timed over bytes in memory; what they read
//! is counted.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "layout_bench/choices.rs"]
mod choices;
#[path = "layout_bench/lookup.rs"]
mod lookup;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use bytes::Bytes;
use clap::Parser;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::ParquetMetaDataReader;
use phonetrail::load::{self, Destination, Selection, Store, Table};
use phonetrail::model::file_schema;

use self::choices::{Choice, choices};
use self::lookup::Lookups;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Debug, Parser)]
struct Arguments {
    /// Whose table's rows are written.
    destination: Destination,
    /// Rows of a file, over the bounds of months; else as many as the table's files have.
    #[arg(long)]
    rows_per_file: Option<usize>,
    /// Only choices whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
    /// What each column takes, too.
    #[arg(long)]
    columns: bool,
    /// The least of so many runs counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let files = files(&arguments).await?;
    let rows: usize = files.iter().map(RecordBatch::num_rows).sum();
    let lookups = Lookups::of(&files)?;
    println!("{rows} rows in {} files\n", files.len());
    println!("| choice | bytes/record | of it footers | us/record | {} |", lookups.names());
    println!("|---|---|---|---|---|---|---|");
    for choice in choices().into_iter().filter(|choice| choice.name.contains(&arguments.only)) {
        let mut written = Written::new(&choice, &files)?;
        for _ in 1..arguments.runs {
            written.seconds = written.seconds.min(Written::new(&choice, &files)?.seconds);
        }
        let per_record = |bytes: u64| bytes as f64 / rows as f64;
        println!(
            "| {} | {:.2} | {:.2} | {:.2} | {} |",
            choice.name,
            per_record(written.files.iter().map(|file| file.len() as u64).sum()),
            per_record(written.footer_bytes),
            1e6 * written.seconds / rows as f64,
            lookups.run(&written.files)?,
        );
        for (column, bytes) in written.columns.iter().filter(|_| arguments.columns) {
            println!("    {column:32} {:6.2}", per_record(*bytes));
        }
    }
    Ok(())
}

/// The rows, one batch a file.
async fn files(arguments: &Arguments) -> Result<Vec<RecordBatch>, Failure> {
    let store = Store::open(&arguments.destination)?;
    let table = Table::open(&store).await?.ok_or("there is no table")?;
    let mut files = table.files(&Selection::All).await?;
    files.sort_by(|a, b| (&a.partition.category, &a.partition).cmp(&(&b.partition.category, &b.partition)));
    let mut categories: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    for file in &files {
        let of = arguments.rows_per_file.map_or_else(|| file.path.clone(), |_| file.partition.category.to_string());
        let rows = load::read_file(&store, file, |column| !column.is_partition()).await?;
        categories.entry(of).or_default().extend(rows);
    }
    let mut pieces = Vec::new();
    for batches in categories.into_values() {
        let rows = concat_batches(&file_schema(), &batches)?;
        let count = arguments.rows_per_file.unwrap_or(usize::MAX).min(rows.num_rows()).max(1);
        let starts = (0..rows.num_rows()).step_by(count);
        pieces.extend(starts.map(|start| rows.slice(start, count.min(rows.num_rows() - start))));
    }
    Ok(pieces)
}

/// All files under one choice.
struct Written {
    files: Vec<Bytes>,
    footer_bytes: u64,
    columns: BTreeMap<String, u64>,
    /// Processor time.
    seconds: f64,
}

impl Written {
    fn new(choice: &Choice, files: &[RecordBatch]) -> Result<Self, Failure> {
        let mut written = Self { files: Vec::new(), footer_bytes: 0, columns: BTreeMap::new(), seconds: 0.0 };
        for rows in files {
            let began = processor_seconds()?;
            let properties = (choice.change)(load::writer_properties(rows.num_rows() as u64)?.into_builder()).build();
            let options =
                ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(!choice.arrow_schema);
            let mut writer = ArrowWriter::try_new_with_options(Vec::new(), file_schema(), options)?;
            writer.write(rows)?;
            let bytes = Bytes::from(writer.into_inner()?);
            written.seconds += processor_seconds()? - began;
            written.count(&bytes)?;
            written.files.push(bytes);
        }
        Ok(written)
    }

    /// Whatever is not a column's is the footer's: metadata, page indexes, bloom filters.
    fn count(&mut self, bytes: &Bytes) -> Result<(), Failure> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(bytes)?;
        self.footer_bytes += bytes.len() as u64;
        for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
            let bytes = column.compressed_size().unsigned_abs();
            *self.columns.entry(column.column_path().string()).or_default() += bytes;
            self.footer_bytes -= bytes;
        }
        Ok(())
    }
}

/// Of this thread, as Linux tells it.
fn processor_seconds() -> Result<f64, Failure> {
    let times = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = times.split(' ').next().ok_or("no processor time")?.parse()?;
    Ok(nanoseconds / 1e9)
}
