//! How long lookups in a table take, and what they read: `benches/lookup` runs it beside `DuckDB`.
//!
//! ```text
//! lookup_bench DESTINATION --runs 5 "SELECT ..." "SELECT ..."
//! ```
//!
//! Prints one JSON list with an object for each query: the seconds of every run, each from opening the table on, and what
//! the last one read.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use clap::Parser;
use phonetrail::load::Destination;
use phonetrail::query::{default_cache, explain};
use serde_json::json;

/// As in the program.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
struct Arguments {
    destination: Destination,
    #[arg(long, default_value_t = 5)]
    runs: usize,
    queries: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let cache = default_cache();
    let mut measured = Vec::new();
    for sql in &arguments.queries {
        let mut told = explain(&arguments.destination, sql, &cache).await?;
        let mut seconds = Vec::new();
        for _ in 0..arguments.runs {
            told = explain(&arguments.destination, sql, &cache).await?;
            seconds.push(told.seconds);
        }
        measured.push(json!({ "seconds": seconds, "rows": told.rows_returned, "bytes": told.bytes_read(),
            "explanation": told }));
    }
    println!("{}", serde_json::Value::from(measured));
    Ok(())
}
