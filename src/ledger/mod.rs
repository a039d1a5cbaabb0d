//! The account of what was done: one entry in every commit, each bound to the commit before it.
//!
//! The rule: an entry's format is frozen. A field may be added; none may change its meaning or go.

mod entry;
mod head;

pub use self::entry::{
    CalibrationV1, CoverageV1, EntryV1, FORMAT, FileV1, PackV1, PreviousV1, RequestsV1, RewrittenV1, RowsV1, WindowV1,
    WorkV1,
};
pub use self::head::{Head, LedgerError, NamedFile, Recent, named_files, packs, recent, requests_on};
