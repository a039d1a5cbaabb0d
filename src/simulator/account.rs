//! The account's records, sorted for the two questions a request asks: which lie in a range of instants, all or of one
//! category.
//!
//! The rule: a page costs the same however many records the account holds, so a query is a slice of a sorted list.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{AccountRecord, RecordOrder};

/// Every record, in order of arrival, and lists of them sorted by time.
#[derive(Debug, Default)]
pub(super) struct Account {
    records: Vec<AccountRecord>,
    all: Vec<Key>,
    by_category: HashMap<Cow<'static, str>, Vec<Key>>,
}

/// A record in a sorted list; `arrival` is its index in the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: DateTime<Utc>,
    arrival: usize,
}

/// A query's records, in the order in which they are served.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    keys: Cow<'a, [Key]>,
    backwards: bool,
}

impl Account {
    /// Adds records, which arrive in the order given.
    pub(super) fn add(&mut self, records: Vec<AccountRecord>) {
        let mut added = Vec::with_capacity(records.len());
        let mut added_by_category: HashMap<_, Vec<Key>> = HashMap::new();
        for record in records {
            let key = Key { at: record.at(), arrival: self.records.len() };
            added.push(key);
            if let Some(category) = record.category_key() {
                added_by_category.entry(category).or_default().push(key);
            }
            self.records.push(record);
        }
        merge(&mut self.all, added);
        for (category, added) in added_by_category {
            merge(self.by_category.entry(category).or_default(), added);
        }
    }

    /// The records of `range`, of all categories or of one.
    pub(super) fn select(
        &self,
        category: Option<&str>,
        range: &Range<DateTime<Utc>>,
        order: RecordOrder,
    ) -> Selection<'_> {
        let keys = match category {
            None => self.all.as_slice(),
            Some(code) => self.by_category.get(code).map_or(&[][..], Vec::as_slice),
        };
        let start = keys.partition_point(|key| key.at < range.start);
        let end = keys.partition_point(|key| key.at < range.end).max(start);
        Selection::new(&keys[start..end], order)
    }

    /// The texts of at most `rows` records of `selection`, from `offset`.
    pub(super) fn texts(&self, selection: &Selection<'_>, offset: usize, rows: usize) -> Vec<Bytes> {
        selection.arrivals(offset, rows).map(|arrival| self.records[arrival].text().clone()).collect()
    }

    /// Every record by time, then arrival.
    pub(super) fn by_time(&self) -> impl Iterator<Item = &AccountRecord> {
        self.all.iter().map(|key| &self.records[key.arrival])
    }
}

impl<'a> Selection<'a> {
    fn new(keys: &'a [Key], order: RecordOrder) -> Self {
        match order {
            RecordOrder::NewestFirst => Self { keys: keys.into(), backwards: true },
            RecordOrder::OldestFirst => Self { keys: keys.into(), backwards: false },
            RecordOrder::Unsorted => {
                let mut keys = keys.to_vec();
                keys.sort_by_key(|key| scrambled(key.arrival));
                Self { keys: keys.into(), backwards: false }
            }
        }
    }

    /// The same records, whatever arrives later.
    pub(super) fn to_snapshot(&self) -> Selection<'static> {
        Selection { keys: self.keys.to_vec().into(), backwards: self.backwards }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    fn arrivals(&self, offset: usize, rows: usize) -> impl Iterator<Item = usize> {
        let count = self.keys.len();
        let end = offset.saturating_add(rows).min(count);
        (offset.min(end)..end).map(move |place| {
            let place = if self.backwards { count - 1 - place } else { place };
            self.keys[place].arrival
        })
    }
}

/// Brings `added` into the sorted list `keys`. A few keys are put in their places one by one, so that records which
/// arrive while the account is served do not cost a sort of the whole.
fn merge(keys: &mut Vec<Key>, mut added: Vec<Key>) {
    const FEW: usize = 32;
    added.sort_unstable();
    let at_the_end = keys.last() <= added.first();
    if !at_the_end && added.len() <= FEW {
        for key in added {
            keys.insert(keys.partition_point(|other| *other < key), key);
        }
        return;
    }
    keys.extend(added);
    if !at_the_end {
        keys.sort_unstable();
    }
}

/// A number that has nothing to do with the order of arrival (the finaliser of SplitMix64).
fn scrambled(arrival: usize) -> u64 {
    let mut bits = (arrival as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn account(seconds: &[i64]) -> Account {
        let mut account = Account::default();
        for second in seconds {
            account.add(vec![AccountRecord::new(second.to_string(), at(*second))]);
        }
        account
    }

    fn page(account: &Account, range: Range<i64>, order: RecordOrder, offset: usize, rows: usize) -> Vec<String> {
        let selection = account.select(None, &(at(range.start)..at(range.end)), order);
        let texts = account.texts(&selection, offset, rows);
        texts.iter().map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_page_is_a_slice_of_the_range_in_the_order_asked_for() {
        let account = account(&[5, 1, 4, 2, 3]);
        assert_eq!(page(&account, 2..5, RecordOrder::NewestFirst, 0, 2), ["4", "3"]);
        assert_eq!(page(&account, 2..5, RecordOrder::NewestFirst, 2, 2), ["2"]);
        assert_eq!(page(&account, 2..9, RecordOrder::OldestFirst, 1, 9), ["3", "4", "5"]);
        assert!(page(&account, 2..5, RecordOrder::OldestFirst, 7, 2).is_empty());
        assert!(page(&account, 5..5, RecordOrder::OldestFirst, 0, 2).is_empty());
    }

    #[test]
    fn an_unsorted_account_gives_every_record_once() {
        let account = account(&(0..100).collect::<Vec<_>>());
        let texts = page(&account, 0..100, RecordOrder::Unsorted, 0, 100);
        let mut sorted: Vec<i64> = texts.iter().map(|text| text.parse().unwrap()).collect();
        assert!(!sorted.is_sorted());
        sorted.sort();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_snapshot_does_not_see_what_arrives_later() {
        let mut account = account(&[1, 2]);
        let snapshot = account.select(None, &(at(0)..at(9)), RecordOrder::NewestFirst).to_snapshot();
        account.add(vec![AccountRecord::new("3", at(3))]);
        assert_eq!(account.texts(&snapshot, 0, 9).len(), 2);
        assert_eq!(page(&account, 0..9, RecordOrder::NewestFirst, 0, 9), ["3", "2", "1"]);
    }
}
