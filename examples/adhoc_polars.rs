//! Ad-hoc questions with polars' expressions, over exactly the files of the table's newest version.
//!
//! `cargo run -- demo` makes a table; then `cargo run --example adhoc_polars -- phonetrail-demo`. A URL of object storage
//! does as well.

use std::io::Write;

use phonetrail::load::Destination;
use phonetrail::query::polars::prelude::*;
use phonetrail::query::{Answer, default_cache, frame};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let destination: Destination = std::env::args().nth(1).ok_or("give the destination")?.parse()?;
    let operations = frame(&destination, &default_cache()).await?;

    // Who reassigns phone numbers, and how many different ones?
    let movers = operations
        .filter(col("object_type").eq(lit("phone_number")).and(col("target_email").is_not_null()))
        .group_by([col("operator_id")])
        .agg([len().alias("moves"), col("object_name").n_unique().alias("numbers")])
        .sort(["moves"], SortMultipleOptions::default().with_order_descending(true))
        .limit(10);
    let movers = tokio::task::spawn_blocking(move || movers.collect()).await??;

    let answer = Answer::from(&movers);
    writeln!(std::io::stdout(), "{}", answer.columns.join("\t"))?;
    for row in answer.rows {
        writeln!(std::io::stdout(), "{}", row.iter().map(ToString::to_string).collect::<Vec<_>>().join("\t"))?;
    }
    Ok(())
}
