//! What a run did, in figures.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::compact::CompactedMonth;
use crate::extract::ExtractError;
use crate::model::{Batch, DetailCounts, KeyedRecord, Readings};

/// The summary of a `sync`, as `--output json` prints it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SyncReport {
    /// Identifies the run in the ledger.
    pub run_id: String,
    /// Windows read to their end.
    pub windows: u64,
    /// Pages of those windows.
    pub pages: u64,
    /// Requests to the report, whatever their answer.
    pub requests: u64,
    /// Requests answered 429.
    pub throttled: u64,
    /// Records on the pages; neighbouring windows overlap, so some are received twice.
    pub records_received: u64,
    /// Rows added to the table.
    pub rows_new: u64,
    /// Records the table, or an earlier window, had already.
    pub rows_already_stored: u64,
    /// New rows whose time cannot be read.
    pub unreadable_times: u64,
    /// New rows of categories that the upstream does not document.
    pub unknown_categories: u64,
    /// How the details of the new rows were read.
    pub detail: DetailCounts,
    /// The same by category, and what those look like that have no reading.
    #[serde(flatten)]
    pub readings: Readings,
    /// Commits made.
    pub commits: u64,
    /// Months whose files were merged, since all their days are final.
    pub compacted: Vec<CompactedMonth>,
    /// The table's version, where there is a table.
    pub version: Option<u64>,
    /// The days of the run's range.
    pub days: DayCounts,
    /// Wall time of the run.
    pub wall_seconds: f64,
    /// Why it stopped early, if it did.
    pub stopped: Option<Stop>,
    /// What stopped it.
    #[serde(skip)]
    pub failure: Option<ExtractError>,
}

impl Stop {
    /// A stop that can be gone on from at any time.
    pub(super) fn now(reason: StopReason) -> Self {
        Self { reason, resume_at: None }
    }
}

/// Days of a range by what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DayCounts {
    /// Read after they had settled.
    #[serde(rename = "final")]
    pub settled: u64,
    /// Read, but records may still arrive.
    pub provisional: u64,
    /// Not covered: never read, or their window never agreed with its total.
    pub unmatched: u64,
}

/// Why and until when a run stopped before its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stop {
    /// Why.
    pub reason: StopReason,
    /// When it can go on, where that is known.
    pub resume_at: Option<DateTime<Utc>>,
}

/// Why a run stopped before its end. What was read whole is committed in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The account's requests of the day are used up.
    DailyLimit,
    /// Others use up the account's requests per second.
    RateLimit,
    /// The run's own requests are used up.
    RunLimit,
    /// A day takes more requests than a run may ever make.
    TooLong,
    /// It was told to stop.
    Interrupted,
    /// The upstream does not answer, or only with errors.
    Unavailable,
    /// The upstream refuses: credentials, scopes, plan.
    Refused,
    /// A window never agreed with what the upstream says of it.
    Unmatched,
}

impl SyncReport {
    /// Of a run that was told to stop before it had begun.
    pub(super) fn of_none() -> Self {
        let stopped = Some(Stop::now(StopReason::Interrupted));
        Self { run_id: Uuid::now_v7().to_string(), stopped, ..Self::default() }
    }

    /// Adds what was done for another account of the run. Neither the time, which passed for both, nor why one stopped
    /// adds up.
    pub fn add(&mut self, other: &Self) {
        self.windows += other.windows;
        self.pages += other.pages;
        self.requests += other.requests;
        self.throttled += other.throttled;
        self.records_received += other.records_received;
        self.rows_new += other.rows_new;
        self.rows_already_stored += other.rows_already_stored;
        self.unreadable_times += other.unreadable_times;
        self.unknown_categories += other.unknown_categories;
        self.detail.add(other.detail);
        self.readings.add(&other.readings);
        self.commits += other.commits;
        self.version = self.version.max(other.version);
        self.days.settled += other.days.settled;
        self.days.provisional += other.days.provisional;
        self.days.unmatched += other.days.unmatched;
    }

    /// Adds what was compacted at the end of the run.
    pub fn add_compacted(&mut self, months: Vec<CompactedMonth>) {
        self.commits += months.len() as u64;
        self.version = self.version.max(months.iter().map(|month| month.version).max());
        self.compacted.extend(months);
    }

    /// Counts records whose rows are added.
    pub(super) fn count_new<'r>(&mut self, records: impl Iterator<Item = &'r KeyedRecord<'r>>) {
        for record in records {
            self.unreadable_times += u64::from(record.event_time.is_none());
            self.unknown_categories += u64::from(!record.category_known);
        }
    }

    /// Counts how the details of rows that are added were read.
    pub(super) fn count_readings(&mut self, batch: &Batch) {
        self.detail.add(batch.detail);
        self.readings.count(&batch.partition.category, batch.detail);
        self.readings.unparsed_shapes.add(&batch.unparsed_shapes);
    }
}
