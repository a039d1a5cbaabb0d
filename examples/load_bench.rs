//! Makes the raw archive that `benches/load` replays, out of the pages that `transform_bench write` made.
//!
//! ```text
//! load_bench DIR          reads DIR/pages.ndjson, writes DIR/raw/
//! ```

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use chrono::{DateTime, Days, NaiveDate, Utc};
use clap::Parser;
use phonetrail::load;
use phonetrail::model::{AccountId, Envelope, MAX_WINDOW_DAYS, Page, Scope, Window};

type Failure = Box<dyn Error + Send + Sync>;

/// Pages of a pack: as many as a sync's commits hold as a rule.
const PACK_PAGES: usize = 334;

#[derive(Debug, Parser)]
struct Arguments {
    directory: PathBuf,
}

fn main() -> Result<(), Failure> {
    let Arguments { directory } = Arguments::parse();
    let text = fs::read_to_string(directory.join("pages.ndjson"))?;
    let first_days = text.lines().map(first_day).collect::<Result<Vec<_>, _>>()?;
    let pages: Vec<(NaiveDate, &str)> = first_days.into_iter().zip(text.lines()).collect();
    for month in pages.chunk_by(|a, b| a.0 == b.0) {
        for (number, pages) in month.chunks(PACK_PAGES).enumerate() {
            write(&directory, number, pages)?;
        }
    }
    Ok(())
}

fn first_day(page: &str) -> Result<NaiveDate, Failure> {
    Ok(Envelope::parse(page)?.from.ok_or("a page does not say its window")?.parse()?)
}

/// Writes some pages of a month as one window in one pack.
fn write(directory: &std::path::Path, number: usize, pages: &[(NaiveDate, &str)]) -> Result<(), Failure> {
    let Some((month, _)) = pages.first().copied() else { return Ok(()) };
    let last = month + Days::new(MAX_WINDOW_DAYS - 1);
    let window = Window::try_new(month, last, Scope::All)?;
    let page = |(number, (_, body)): (u32, &(NaiveDate, &str))| Page {
        window: window.clone(),
        number,
        request: format!("/v2/phone/reports/operationlogs?from={month}&to={last}&page_size=300"),
        received_at: DateTime::<Utc>::UNIX_EPOCH,
        status: 200,
        tracking_id: None,
        body: Bytes::copy_from_slice(body.as_bytes()).into(),
    };
    let pages: Vec<Page> = (0..).zip(pages).map(page).collect();
    let (pack, bytes) = load::pack(&AccountId::new("bench"), month, &format!("{number:04}"), &pages)?;
    let path = directory.join(pack.path);
    fs::create_dir_all(path.parent().ok_or("a pack has no directory")?)?;
    Ok(fs::write(path, bytes)?)
}
