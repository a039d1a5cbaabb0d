//! The stages joined: what is read, how it becomes rows, and how rows and proof are committed together.
//!
//! The rule: this is the only place that knows all stages. A commit holds whole windows only.

mod accounts;
mod batches;
mod calibration;
mod check;
mod commit;
mod compact;
mod compaction;
mod comparison;
mod days;
mod leftovers;
mod pending;
mod rebuild;
mod replay;
mod report;
mod session;
mod staging;
mod status;
mod sync;
mod union;

pub use self::accounts::{AccountOutcome, AccountSync, AccountsOutcome, PARALLEL_ACCOUNTS, sync_accounts};
pub use self::check::{Checked, Finding, check_destination, check_upstream, skip_upstream};
pub use self::compact::{CompactError, CompactReport, CompactRequest, CompactedMonth, compact};
pub use self::comparison::Difference;
pub use self::replay::{ReplayError, ReplayReport, ReplayRequest, replay};
pub use self::report::{DayCounts, Stop, StopReason, SyncReport};
pub use self::status::{AccountStatus, Status, status};
pub use self::sync::{
    DEFAULT_COMMIT_INTERVAL, DEFAULT_COMMIT_RECORDS, DEFAULT_LOOK_BACK_DAYS, DEFAULT_SETTLE, SyncError, SyncRequest,
    sync,
};
