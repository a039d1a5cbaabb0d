//! What a destination holds: all of it from its log, but how details were read, which the rows tell.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::sync::SyncError;
use crate::ledger::Head;
use crate::load::{self, Destination, Selection, Store, Table};
use crate::model::{Readings, Scope, Span};
use crate::transform;

/// A destination at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The table's URL.
    pub table: String,
    /// Its version.
    pub version: u64,
    /// Sequence number of the newest ledger entry.
    pub sequence: u64,
    /// When the newest entry was made.
    pub committed_at: DateTime<Utc>,
    /// SHA-256 of the newest commit: keep it elsewhere, and a missing tail can be proved.
    pub head_sha256: String,
    /// Rows.
    pub rows: u64,
    /// Data files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// First month with rows, `yyyy-mm`.
    pub first_month: Option<String>,
    /// Last month with rows.
    pub last_month: Option<String>,
    /// Rows whose time could not be read.
    pub unreadable_times: u64,
    /// Rows by category, most first.
    pub categories: Vec<(String, u64)>,
    /// How details were read.
    #[serde(flatten)]
    pub readings: Readings,
    /// What is covered, by account and scope.
    pub accounts: Vec<AccountStatus>,
}

/// What is covered of one account under one scope.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountStatus {
    /// The account.
    pub account_id: String,
    /// Categories.
    pub scope: Scope,
    /// First covered day.
    pub first_day: Option<NaiveDate>,
    /// Last covered day.
    pub last_day: Option<NaiveDate>,
    /// Days that are final.
    pub final_days: u64,
    /// Days that are provisional.
    pub provisional_days: u64,
    /// Days between the first and the last that were never read.
    pub missing_days: u64,
    /// The covered days.
    pub spans: Vec<Span>,
}

/// The status of `destination`, or `None` where it holds no table.
pub async fn status(destination: &Destination) -> Result<Option<Status>, SyncError> {
    let store = Store::open(destination)?;
    let Some(table) = Table::open(&store).await? else { return Ok(None) };
    let head = Head::read(&table).await?;
    let files = table.files(&Selection::All).await?;

    let readings = load::readings(&store, &files, transform::detail_shape).await?;

    let mut categories: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut rows, mut unreadable_times) = (0, 0);
    for file in &files {
        let count = file.row_count.unwrap_or_default();
        rows += count;
        *categories.entry(&*file.partition.category).or_default() += count;
        unreadable_times += if file.partition.year == 0 { count } else { 0 };
    }
    let mut categories: Vec<(String, u64)> =
        categories.into_iter().map(|(category, count)| (category.to_owned(), count)).collect();
    categories.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let months = || files.iter().map(|file| (file.partition.year, file.partition.month)).filter(|(year, _)| *year > 0);
    let name = |(year, month): (i32, i32)| format!("{year:04}-{month:02}");

    Ok(Some(Status {
        table: table.root().to_string(),
        version: table.version(),
        sequence: head.entry.sequence,
        committed_at: head.entry.made_at,
        head_sha256: head.previous.sha256.clone(),
        rows,
        files: files.len() as u64,
        bytes: files.iter().map(|file| file.byte_count).sum(),
        first_month: months().min().map(name),
        last_month: months().max().map(name),
        unreadable_times,
        categories,
        readings,
        accounts: head.entry.coverage.into_iter().map(|of| account(of.account_id, of.scope, of.spans)).collect(),
    }))
}

fn account(account_id: String, scope: Scope, spans: Vec<Span>) -> AccountStatus {
    let days = |is_final: bool| {
        let spans = spans.iter().filter(|span| span.is_final == is_final);
        spans.map(|span| (span.to - span.from).num_days().unsigned_abs() + 1).sum::<u64>()
    };
    let (final_days, provisional_days) = (days(true), days(false));
    let first_day = spans.iter().map(|span| span.from).min();
    let last_day = spans.iter().map(|span| span.to).max();
    let reach = first_day.zip(last_day).map_or(0, |(first, last)| (last - first).num_days().unsigned_abs() + 1);
    AccountStatus {
        account_id,
        scope,
        first_day,
        last_day,
        final_days,
        provisional_days,
        missing_days: reach.saturating_sub(final_days + provisional_days),
        spans,
    }
}
