//! What the pager needs to know of a page: where it goes on, what it says about the window, one hash per record.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use chrono::NaiveDate;

use crate::model::{Envelope, Page, PageError};

/// Stands for records while their pages need not be kept. The hash is keyed anew for every source, so nobody can write
/// log entries that are taken for one another.
pub(super) type RecordHash = u64;

#[derive(Debug)]
pub(super) struct Digest {
    pub(super) next_page_token: Option<String>,
    pub(super) total_records: Option<u64>,
    /// The echoed days, where given in a form that is understood.
    pub(super) from: Option<NaiveDate>,
    pub(super) to: Option<NaiveDate>,
    /// One hash per record, in order.
    pub(super) records: Vec<RecordHash>,
    /// Whether the page is Unicode, as JSON must be. What is not may have been damaged on its way.
    pub(super) is_unicode: bool,
}

impl Digest {
    pub(super) fn try_new(page: &Page, keys: &RandomState) -> Result<Self, PageError> {
        let text = page.text();
        let envelope = Envelope::parse(&text)?;
        Ok(Self {
            next_page_token: envelope.next_page_token.map(String::from),
            total_records: envelope.total_records,
            from: envelope.from.as_deref().and_then(day),
            to: envelope.to.as_deref().and_then(day),
            records: envelope.operation_logs.iter().map(|record| keys.hash_one(record.get())).collect(),
            is_unicode: matches!(text, Cow::Borrowed(_)),
        })
    }
}

/// The date part of `yyyy-mm-dd` or of a date-time that begins with it.
fn day(text: &str) -> Option<NaiveDate> {
    text.trim().get(..10)?.parse().ok()
}

/// Stands for a whole page.
pub(super) fn hash(records: &[RecordHash]) -> u64 {
    // The records' hashes are keyed, so this one need not be.
    BuildHasherDefault::<DefaultHasher>::default().hash_one(records)
}

/// How many records the pages share at their edge: the most that end `left` and also start `right`. Either the result
/// moved while it was read, or they are twins that the upstream really has.
pub(super) fn overlap(left: &[RecordHash], right: &[RecordHash]) -> usize {
    let most = left.len().min(right.len());
    (1..=most).rev().find(|&count| left.ends_with(&right[..count])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echoed_day_is_read_in_any_form() {
        let asked = "2022-02-01".parse().ok();
        for text in ["2022-02-01", "2022-02-01T00:00:00Z", " 2022-02-01 00:00"] {
            assert_eq!(day(text), asked, "{text}");
        }
        for text in ["", "Feb 1", "01/02/2022", "2022-02-é1"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn pages_that_share_any_number_of_records_at_the_edge_overlap() {
        assert_eq!(overlap(&[1, 2, 3], &[3, 4]), 1);
        assert_eq!(overlap(&[1, 2, 3], &[2, 3, 4]), 2);
        assert_eq!(overlap(&[1, 2], &[1, 2]), 2);
        assert_eq!(overlap(&[1, 2, 3], &[4, 3]), 0);
        assert_eq!(overlap(&[1, 2, 3], &[]), 0);
    }
}
