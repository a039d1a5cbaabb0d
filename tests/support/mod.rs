//! What the tests share: a simulated account, a destination, and the table read back without the code that wrote it.

mod account;
mod log;
mod table;

pub(crate) use account::{Account, day, output, phonetrail, placed, snapshot};
pub(crate) use log::{entries, sha256};
pub(crate) use table::{Row, canonical, multiset, rows};
