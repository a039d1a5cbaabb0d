//! The ledger entry, format 1: what a commit adds, where it came from, and what is covered by now.
//!
//! The entry is a JSON text that lies in the commit's own file, as the value of `commitInfo.phonetrail`; so it is written
//! in one atomic step with the data, and cannot drift from it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::load::ReadFile;
use crate::model::{AccountId, Calibration, Coverage, RawPack, RowSet, Scope, Seam, Span, StagedFile};

/// The format that this module describes.
pub const FORMAT: u32 = 1;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryV1 {
    /// [`FORMAT`].
    pub format: u32,
    /// 0 for the commit that made the table, then 1, 2, 3, ...: a gap is a missing commit.
    pub sequence: u64,
    /// The commit that this one was made upon; `None` for the first.
    pub previous: Option<PreviousV1>,
    /// Tells this commit from any other that was tried for the same version.
    pub commit_id: String,
    /// The run that made it.
    pub run_id: String,
    /// What was done.
    pub work: WorkV1,
    /// When the entry was made.
    pub made_at: DateTime<Utc>,
    /// `phonetrail` and its version.
    pub tool: String,
    /// Version of the detail parser.
    pub parser_version: i32,
    /// The account whose records were read; `None` where none were.
    pub account_id: Option<String>,
    /// The report.
    pub report: String,
    /// Data files added.
    pub files: Vec<FileV1>,
    /// Data files removed.
    pub files_removed: Vec<FileV1>,
    /// For how many seconds the removed files stay for who reads an earlier version, where the run was told, or knew that
    /// nobody needs them; who finds nothing here decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
    /// Packs of raw pages, from which the added rows came.
    pub packs: Vec<PackV1>,
    /// Requests for pages that the run made since its commit before, whatever their answer: the day's quota is shared by
    /// all runs.
    pub requests: u64,
    /// All requests of the newest day that each account was asked on, as of this commit. Entries of old may lack it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests_of_day: Vec<RequestsV1>,
    /// Windows read.
    pub windows: Vec<WindowV1>,
    /// Rows that the table lacked before, and what identifies them as a set.
    pub rows: RowsV1,
    /// Where files gave way to others: the proof that their rows did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<RewrittenV1>,
    /// Every day of every account that is covered as of this commit.
    pub coverage: Vec<CoverageV1>,
    /// What is known, as of this commit, of how the windows of accounts may meet.
    pub calibrations: Vec<CalibrationV1>,
}

/// What a commit was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkV1 {
    /// The table was made.
    Create,
    /// The upstream was read.
    Sync,
    /// Files were merged into fewer, which hold the same rows.
    Compact,
    /// All rows were made anew from the packs.
    Replay,
}

/// A commit, by version and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousV1 {
    /// Version of the table.
    pub version: u64,
    /// SHA-256 of the bytes of the commit's JSON file, hex.
    pub sha256: String,
}

/// A data file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileV1 {
    /// Path relative to the table's root.
    pub path: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
}

/// A pack of raw pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackV1 {
    /// Path relative to the destination.
    pub path: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Pages in it.
    pub pages: u64,
}

/// The requests made of one account on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestsV1 {
    /// The account.
    pub account_id: String,
    /// The UTC day on which the newest entry of the account was made.
    pub day: NaiveDate,
    /// Requests that the entries made on that day account for.
    pub requests: u64,
}

/// A window that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowV1 {
    /// First day asked for.
    pub from: NaiveDate,
    /// Last day asked for.
    pub to: NaiveDate,
    /// Categories asked for.
    pub scope: Scope,
    /// When its reading began.
    pub read_at: DateTime<Utc>,
    /// Times it was read until it was stable.
    pub reads: u32,
    /// Pages.
    pub pages: u64,
    /// Records the upstream said there were, where it said so.
    pub reported: Option<u64>,
    /// Records received.
    pub received: u64,
    /// Rows that this window brought and the table lacked.
    pub new: u64,
    /// Records that the table, or an earlier window of the same commit, had already.
    pub already_stored: u64,
    /// Rows of the table from well within the window that the upstream did not report this time; they stay. `None` where
    /// the window asked for one category only.
    pub vanished: Option<u64>,
}

/// A set of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsV1 {
    /// How many.
    pub count: u64,
    /// Exclusive or of the 16 bytes of every `record_id`, hex: the same in any order.
    pub record_id_xor: String,
}

/// The same rows, counted where they were and where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewrittenV1 {
    /// As read from the files removed.
    pub before: RowsV1,
    /// As read back from the files added.
    pub after: RowsV1,
}

/// The days read of one account under one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageV1 {
    /// The account.
    pub account_id: String,
    /// Categories.
    pub scope: Scope,
    /// The days.
    pub spans: Vec<Span>,
}

/// How the windows of one account may meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibrationV1 {
    /// The account.
    pub account_id: String,
    /// Whether neighbouring windows share a day.
    pub seam: Seam,
    /// The first of the two days that were asked for to find out.
    pub day: NaiveDate,
    /// When.
    pub measured_at: DateTime<Utc>,
}

impl From<&StagedFile> for FileV1 {
    fn from(file: &StagedFile) -> Self {
        Self { path: file.path.clone(), sha256: file.sha256.clone(), bytes: file.byte_count, rows: file.row_count }
    }
}

impl From<&ReadFile> for FileV1 {
    fn from(file: &ReadFile) -> Self {
        Self { path: file.path.clone(), sha256: file.sha256.clone(), bytes: file.byte_count, rows: file.row_count }
    }
}

impl From<RowSet> for RowsV1 {
    fn from(rows: RowSet) -> Self {
        Self { count: rows.count(), record_id_xor: format!("{:032x}", rows.record_id_xor()) }
    }
}

impl From<&RawPack> for PackV1 {
    fn from(pack: &RawPack) -> Self {
        Self { path: pack.path.clone(), sha256: pack.sha256.clone(), bytes: pack.byte_count, pages: pack.page_count }
    }
}

impl EntryV1 {
    /// How long the removed files stay, where that is promised.
    pub fn grace(&self) -> Option<TimeDelta> {
        let seconds = i64::try_from(self.grace_seconds?).unwrap_or(i64::MAX);
        Some(TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX))
    }

    /// Promises that the removed files stay so long.
    pub fn set_grace(&mut self, grace: Option<TimeDelta>) {
        self.grace_seconds = grace.map(|grace| u64::try_from(grace.num_seconds()).unwrap_or_default());
    }
}

impl CoverageV1 {
    /// The whole coverage, as entries hold it.
    pub fn of(coverage: &Coverage) -> Vec<Self> {
        let entry = |(account, scope, spans): (&AccountId, &Scope, &[Span])| Self {
            account_id: account.as_str().to_owned(),
            scope: scope.clone(),
            spans: spans.to_vec(),
        };
        coverage.iter().map(entry).collect()
    }

    /// The coverage that entries hold.
    pub fn restore(entries: &[Self]) -> Coverage {
        let mut coverage = Coverage::default();
        for entry in entries {
            let account = AccountId::new(entry.account_id.as_str());
            for span in &entry.spans {
                coverage.add(&account, &entry.scope, span.clone());
            }
        }
        coverage
    }
}

impl RequestsV1 {
    /// What is known of `account` on `day`.
    pub fn on(entries: &[Self], account: &AccountId, day: NaiveDate) -> u64 {
        let found = entries.iter().find(|entry| entry.account_id == account.as_str() && entry.day == day);
        found.map_or(0, |entry| entry.requests)
    }

    /// The entries with `requests` of `account` added, made on `day`. Where the clock went back over midnight they count
    /// for the later day.
    pub fn add(entries: &[Self], account: &AccountId, day: NaiveDate, requests: u64) -> Vec<Self> {
        let (known, others): (Vec<_>, Vec<_>) =
            entries.iter().cloned().partition(|entry| entry.account_id == account.as_str());
        let of_account = match known.into_iter().find(|entry| entry.day >= day) {
            Some(known) => Self { requests: known.requests + requests, ..known },
            None => Self { account_id: account.as_str().to_owned(), day, requests },
        };
        others.into_iter().chain([of_account]).collect()
    }
}

impl CalibrationV1 {
    /// What is known of `account`.
    pub fn find(entries: &[Self], account: &AccountId) -> Option<Calibration> {
        let entry = entries.iter().find(|entry| entry.account_id == account.as_str())?;
        Some(Calibration { seam: entry.seam, day: entry.day, measured_at: entry.measured_at })
    }

    /// The entries with what is known of `account` put in its place.
    pub fn replace(entries: &[Self], account: &AccountId, known: Calibration) -> Vec<Self> {
        let Calibration { seam, day, measured_at } = known;
        let others = entries.iter().filter(|entry| entry.account_id != account.as_str()).cloned();
        others.chain([Self { account_id: account.as_str().to_owned(), seam, day, measured_at }]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry as it was first written. It must stay readable.
    const FIRST: &str = include_str!("../../tests/fixtures/ledger-entry.v1.json");
    const COMPACTION: &str = include_str!("../../tests/fixtures/ledger-entry.v1.compact.json");

    #[test]
    fn the_entry_of_a_compaction_is_written_back_as_it_was() {
        let entry: EntryV1 = serde_json::from_str(COMPACTION).unwrap();
        assert_eq!(
            serde_json::to_value(&entry).unwrap(),
            serde_json::from_str::<serde_json::Value>(COMPACTION).unwrap()
        );
        let proof = entry.rewritten.unwrap();
        assert_eq!(proof.before, proof.after);
    }

    #[test]
    fn the_first_format_stays_readable_and_is_written_back_as_it_was() {
        let entry: EntryV1 = serde_json::from_str(FIRST).unwrap();
        let written = serde_json::to_value(&entry).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(FIRST).unwrap());
        assert_eq!(entry.format, FORMAT);
        let coverage = CoverageV1::restore(&entry.coverage);
        assert_eq!(CoverageV1::of(&coverage), entry.coverage);

        let account = AccountId::new("example-account");
        let known = CalibrationV1::find(&entry.calibrations, &account).unwrap();
        assert_eq!(CalibrationV1::replace(&entry.calibrations, &account, known), entry.calibrations);
        assert_eq!(CalibrationV1::find(&entry.calibrations, &AccountId::new("another")), None);
        assert_eq!(entry.requests_of_day, []);
    }

    #[test]
    fn a_promise_of_grace_is_read_as_it_was_written_and_older_entries_hold_none() {
        let mut entry: EntryV1 = serde_json::from_str(COMPACTION).unwrap();
        assert_eq!(entry.grace(), None);
        let longest = TimeDelta::seconds(TimeDelta::MAX.num_seconds());
        for grace in [TimeDelta::zero(), TimeDelta::hours(72), longest] {
            entry.set_grace(Some(grace));
            let written = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<EntryV1>(&written).unwrap().grace(), Some(grace));
        }
        entry.grace_seconds = Some(u64::MAX);
        assert_eq!(entry.grace(), Some(TimeDelta::MAX));
    }

    #[test]
    fn requests_add_up_by_account_and_begin_anew_each_day() {
        let day = |day| NaiveDate::from_ymd_opt(2022, 2, day).unwrap();
        let [one, other] = ["a", "b"].map(AccountId::new);
        let mut entries = Vec::new();
        for (account, day, requests) in [(&one, day(3), 5), (&other, day(3), 7), (&one, day(3), 2), (&other, day(4), 1)]
        {
            entries = RequestsV1::add(&entries, account, day, requests);
        }
        assert_eq!(RequestsV1::on(&entries, &one, day(3)), 7);
        assert_eq!(RequestsV1::on(&entries, &one, day(4)), 0);
        assert_eq!(RequestsV1::on(&entries, &other, day(4)), 1);
        let entries = RequestsV1::add(&entries, &other, day(3), 1);
        assert_eq!(RequestsV1::on(&entries, &other, day(4)), 2);
    }
}
