//! How fast pages in memory become Arrow: `benches/run` runs it beside `DuckDB`, which does the same work.
//!
//! ```text
//! transform_bench write DIR          makes the pages, the same ones every time
//! transform_bench run DIR --threads 2
//! ```
//!
//! `run` prints one JSON object: seconds for each case. `parse` only checks the pages' syntax and `fields` reads the five
//! fields of each record, which is what anything that reads them must do at least.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use clap::{Parser, Subcommand};
use phonetrail::model::{AccountId, Envelope};
use phonetrail::simulator::{AccountRecord, GeneratorConfig, LastToken, PageDraft, generate};
use phonetrail::transform;
use rayon::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

/// As in the program.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Failure = Box<dyn Error + Send + Sync>;

const SEED: u64 = 7;
const PAGE_SIZE: usize = 300;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes twelve months of records, as pages and one by one.
    Write {
        directory: PathBuf,
        #[arg(long, default_value_t = 1_000_000)]
        records: usize,
    },
    /// Measures every case once.
    Run {
        directory: PathBuf,
        #[arg(long, default_value_t = 2)]
        threads: usize,
    },
}

fn main() -> Result<(), Failure> {
    match Arguments::parse().command {
        Command::Write { directory, records } => write(&directory, records),
        Command::Run { directory, threads } => run(&directory, threads),
    }
}

fn write(directory: &Path, records: usize) -> Result<(), Failure> {
    let day = |month, day| NaiveDate::from_ymd_opt(2022, month, day).unwrap_or_default();
    let records = generate(&GeneratorConfig { seed: SEED, records, from: day(1, 1), to: day(12, 31) })?;
    fs::create_dir_all(directory)?;

    let mut lines = BufWriter::new(File::create(directory.join("records.ndjson"))?);
    for record in &records {
        lines.write_all(record.text())?;
        lines.write_all(b"\n")?;
    }
    lines.flush()?;

    let mut pages = BufWriter::new(File::create(directory.join("pages.ndjson"))?);
    for month in records.chunk_by(|a, b| a.at().month() == b.at().month()) {
        for page in month.chunks(PAGE_SIZE) {
            pages.write_all(&draft(page, month.len()).to_json())?;
            pages.write_all(b"\n")?;
        }
    }
    Ok(pages.flush()?)
}

fn draft(records: &[AccountRecord], total: usize) -> PageDraft {
    let month = records.first().map(AccountRecord::at).unwrap_or_default().format("%Y-%m").to_string();
    PageDraft {
        requested_token: None,
        next_page_token: None,
        last_token: LastToken::Empty,
        page_size: PAGE_SIZE as u32,
        total_records: Some(total as u64),
        from: format!("{month}-01"),
        to: format!("{month}-28"),
        operation_logs: Some(records.iter().map(|record| record.text().clone()).collect()),
    }
}

fn run(directory: &Path, threads: usize) -> Result<(), Failure> {
    let text = fs::read_to_string(directory.join("pages.ndjson"))?;
    let mut windows: BTreeMap<String, Vec<Cow<'_, str>>> = BTreeMap::new();
    for page in text.lines() {
        let month = Envelope::parse(page)?.from.ok_or("a page does not say its window")?.into_owned();
        windows.entry(month).or_default().push(Cow::Borrowed(page));
    }
    let windows: Vec<_> = windows.into_values().collect();

    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let measured = pool.install(|| -> Result<_, Failure> {
        let (records, batches) = timed(|| each_window(&windows, to_batches));
        let (_, parse) = timed(|| each_page(&windows, |page| serde_json::from_str::<IgnoredAny>(page).map(|_| 0)));
        let (read, fields) = timed(|| each_page(&windows, fields));
        let (_, keyed) = timed(|| each_window(&windows, to_keyed));
        let records = records?;
        assert_eq!(records, read?, "cases differ");
        Ok(json!({ "threads": threads, "records": records, "bytes": text.len(),
            "seconds": { "parse": parse, "fields": fields, "keyed": keyed, "batches": batches } }))
    })?;
    println!("{measured}");
    Ok(())
}

fn to_batches(pages: &[Cow<'_, str>]) -> Result<usize, Failure> {
    let account = AccountId::new("bench");
    let records = transform::keyed(&account, pages)?;
    let batches = transform::batches(DateTime::<Utc>::UNIX_EPOCH, records.into_iter().flatten())?;
    Ok(batches.iter().map(|batch| batch.rows.num_rows()).sum())
}

fn to_keyed(pages: &[Cow<'_, str>]) -> Result<usize, Failure> {
    Ok(transform::keyed(&AccountId::new("bench"), pages)?.iter().map(Vec::len).sum())
}

/// Windows do not wait for each other, as in a replay.
fn each_window(
    windows: &[Vec<Cow<'_, str>>],
    read: impl Fn(&[Cow<'_, str>]) -> Result<usize, Failure> + Sync,
) -> Result<usize, Failure> {
    windows.par_iter().map(|pages| read(pages)).sum()
}

fn each_page(
    windows: &[Vec<Cow<'_, str>>],
    read: impl Fn(&str) -> serde_json::Result<usize> + Sync,
) -> serde_json::Result<usize> {
    windows.par_iter().flatten().map(|page| read(page)).sum()
}

/// The least that reads a page: its records' fields, as they stand there.
fn fields(page: &str) -> serde_json::Result<usize> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        operation_logs: Vec<Row<'a>>,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "reading them is the work")]
    struct Row<'a> {
        #[serde(borrow)]
        action: Cow<'a, str>,
        #[serde(borrow)]
        category_type: Cow<'a, str>,
        #[serde(borrow)]
        operation_detail: Cow<'a, str>,
        #[serde(borrow)]
        operator: Cow<'a, str>,
        #[serde(borrow)]
        time: Cow<'a, str>,
    }
    let page: Page<'_> = serde_json::from_str(page)?;
    Ok(black_box(page.operation_logs).len())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let result = black_box(work());
    (result, began.elapsed().as_secs_f64())
}
