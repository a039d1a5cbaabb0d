//! Batches -> staged files -> a commit; pages -> raw packs.
//!
//! ```text
//! Batch --parquet--> StagedFile --publish--+
//!                                          +--table--> a new version
//! Page  --archive--> RawPack --------------+
//! ```
//!
//! The rule: readers see whole commits. A file gets its final name as late as the store allows, and a file that no commit
//! names does not stay: on local disk until the next run, on object storage for the time of grace.

mod archive;
mod archived;
mod content;
mod destination;
mod error;
mod escaped;
mod grace;
mod layout;
mod lock;
mod mark;
mod merge;
mod orphans;
mod parquet;
mod probe;
mod ranged;
mod readings;
mod remote;
mod replaced;
mod runs;
mod sorted;
mod store;
mod stored;
mod table;
mod waiting;

/// Where lies what runs leave for each other below the destination: a checkpoint, and marks of what is to be tidied up. No
/// row hangs on it.
const STATE_DIRECTORY: &str = ".phonetrail";

pub use self::archive::{ArchivedPage, pack};
pub use self::archived::{ArchivedWindow, archived_windows, packs};
pub use self::content::{read_file, row_set};
pub use self::destination::{Destination, InvalidDestination};
pub use self::error::LoadError;
use self::grace::ago;
pub use self::grace::{DEFAULT_GRACE, Grace};
pub use self::layout::writer_properties;
pub use self::lock::RunLock;
pub use self::mark::RunMark;
pub use self::merge::{MAX_UNSORTED_ROWS, Merged, ReadFile, merge};
pub use self::orphans::{RecentPacks, remove_orphans};
pub use self::parquet::{FileWriter, stage};
pub use self::probe::Probe;
pub use self::readings::readings;
pub use self::replaced::Replaced;
pub use self::runs::{RunWriter, Runs};
pub use self::store::Store;
pub use self::stored::{StoredRow, StoredRows};
pub use self::table::{CommitFile, CommitInfo, CommitOutcome, LiveFile, MonthRange, Selection, TABLE_DIRECTORY, Table};
pub use self::waiting::{PartitionRecords, WaitingRecords};
