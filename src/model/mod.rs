//! What flows through the pipeline, each state under its own name.
//!
//! ```text
//! Window -> Page -> WindowRead -> Record -> KeyedRecord -> Operation -> Batch -> StagedFile -> LedgerEntry
//! (plan)    (extract)             (transform)                          (load)                 (ledger)
//! ```
//!
//! The rule: stages import from here and never from each other; only [`crate::pipeline`] knows them all.

mod account;
mod batch;
mod body;
mod columns;
mod coverage;
mod keyed;
mod month;
mod operation;
mod page;
mod readings;
mod record;
mod row_set;
mod seam;
mod staged;
mod window;

pub use account::{AccountId, REPORT};
pub use batch::{Batch, Partition, UNKNOWN_TIME};
pub use body::Body;
pub use columns::{COLUMNS, Column, ColumnKind, PARTITION_COLUMNS, change_fields, file_schema, table_schema};
pub use coverage::{Coverage, DayState, Span};
pub use keyed::{KeyedRecord, by_partition};
pub use month::{InvalidMonth, Month};
pub use operation::{Change, Detail, DetailStatus, Operation, Operator, OperatorKind, RecordId};
pub use page::{Envelope, Page, PageError, WindowRead};
pub use readings::{DetailCounts, Readings, Shapes};
pub use record::{Field, Record, Source};
pub use row_set::RowSet;
pub use seam::{Calibration, Seam};
pub use staged::{RawPack, StagedFile};
pub use window::{CategoryCode, InvalidCategoryCode, InvalidWindow, MAX_WINDOW_DAYS, Scope, Window};
