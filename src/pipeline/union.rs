//! Windows and the table, united by identity.
//!
//! The rule: a row is new only if neither the table nor an earlier window of the same commit has its identity.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime};

use crate::load::{MonthRange, Selection, StoredRows};
use crate::model::{KeyedRecord, RecordId, Scope, Window};

/// What one window brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WindowCounts {
    pub(super) new: u64,
    pub(super) already_stored: u64,
    pub(super) vanished: Option<u64>,
}

/// What the windows of one commit have brought so far.
#[derive(Debug, Default)]
pub(super) struct Union {
    taken: HashSet<RecordId>,
}

impl Union {
    /// The records of `window`, by page, that neither the table nor an earlier window has, given what the table holds
    /// of their time.
    pub(super) fn add<'p>(
        &mut self,
        window: &Window,
        mut records: Vec<Vec<KeyedRecord<'p>>>,
        stored: &StoredRows,
    ) -> (Vec<Vec<KeyedRecord<'p>>>, WindowCounts) {
        let mut counts = WindowCounts { vanished: vanished(window, &records, stored), ..Default::default() };
        for page in &mut records {
            let received = page.len();
            page.retain(|row| !stored.contains(row.record_id) && self.taken.insert(row.record_id));
            counts.new += page.len() as u64;
            counts.already_stored += (received - page.len()) as u64;
        }
        (records, counts)
    }
}

/// Stored rows from well within `window` that it did not bring.
fn vanished(window: &Window, records: &[Vec<KeyedRecord<'_>>], stored: &StoredRows) -> Option<u64> {
    if *window.scope() != Scope::All {
        return None;
    }
    let (first, end) = safe_interior(window);
    let received: HashSet<RecordId> = records.iter().flatten().map(|record| record.record_id).collect();
    let gone = stored
        .iter()
        .filter(|(id, row)| row.event_time.is_some_and(|time| first <= time && time < end) && !received.contains(id));
    Some(gone.count() as u64)
}

/// The instants (microseconds, the second excluded) that the window holds under every reading of the upstream's calendar:
/// its first day may begin 12 h late and its last may begin 14 h early and not count.
fn safe_interior(window: &Window) -> (i64, i64) {
    let first = window.from().checked_add_days(Days::new(1)).unwrap_or(window.from());
    let end = window.to().checked_sub_days(Days::new(1)).unwrap_or(window.to());
    (midnight(first), midnight(end))
}

/// The part of the table that the window's rows, stored or new, can lie in.
pub(super) fn selection(window: &Window, records: &[Vec<KeyedRecord<'_>>]) -> Selection {
    let mut months: BTreeMap<(i32, i32), Option<(i64, i64)>> = BTreeMap::new();
    let (first, end) = safe_interior(window);
    for (month, times) in by_month(first, end) {
        widen(&mut months, month, Some(times));
    }
    for record in records.iter().flatten() {
        let month = (record.partition.year, record.partition.month);
        widen(&mut months, month, record.event_time.map(|time| (time, time)));
    }
    let range = |((year, month), times)| MonthRange { year, month, times };
    Selection::Months(months.into_iter().map(range).collect())
}

fn widen(months: &mut BTreeMap<(i32, i32), Option<(i64, i64)>>, month: (i32, i32), times: Option<(i64, i64)>) {
    months
        .entry(month)
        .and_modify(|known| {
            *known = known.zip(times).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1)));
        })
        .or_insert(times);
}

/// The months that the instants `first..end` touch, each with its part of them.
fn by_month(first: i64, end: i64) -> Vec<((i32, i32), (i64, i64))> {
    let mut parts = Vec::new();
    let mut from = first;
    while from < end {
        let Some(date) = DateTime::from_timestamp_micros(from).map(|time| time.date_naive()) else { break };
        let next = date.with_day(1).and_then(|day| day.checked_add_months(chrono::Months::new(1)));
        let until = next.map_or(end, midnight).min(end);
        parts.push(((date.year(), date.month().cast_signed()), (from, until)));
        from = until;
    }
    parts
}

fn midnight(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_time_falls_into_its_months() {
        let day = |text: &str| midnight(text.parse().unwrap());
        let parts = by_month(day("2022-01-30"), day("2022-03-02"));
        let months: Vec<_> = parts.iter().map(|(month, _)| *month).collect();
        assert_eq!(months, [(2022, 1), (2022, 2), (2022, 3)]);
        assert_eq!(parts[1].1, (day("2022-02-01"), day("2022-03-01")));
        assert_eq!(parts[2].1.1, day("2022-03-02"));
    }

    #[test]
    fn a_row_without_a_time_opens_its_whole_month() {
        let mut months = BTreeMap::new();
        widen(&mut months, (0, 0), None);
        widen(&mut months, (2022, 1), Some((5, 5)));
        widen(&mut months, (2022, 1), Some((1, 3)));
        assert_eq!(months[&(0, 0)], None);
        assert_eq!(months[&(2022, 1)], Some((1, 5)));
    }
}
