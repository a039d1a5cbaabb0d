//! What the tests share: a simulated account, a destination, and the table read back without the code that wrote it.

mod account;
mod columns;
mod log;
mod s3;
mod table;
#[cfg(unix)]
mod terminal;

pub(crate) use account::{Account, day, output, phonetrail, placed, refusal, snapshot};
pub(crate) use columns::all_columns;
pub(crate) use log::{data_files, entries, sha256};
pub(crate) use s3::{S3, Treatment};
pub(crate) use table::{Row, batch_rows, canonical, file_rows, multiset, parquet_files, rows};
#[cfg(unix)]
pub(crate) use terminal::{COLUMNS, frames, output_on_terminal};
