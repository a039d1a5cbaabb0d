//! Whole windows that wait for the next commit.
//!
//! The rule: none waits longer than it was said to, whether others come meanwhile or not.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::model::WindowRead;

/// Bytes, as received, after which they are committed: what a commit takes is some multiple of them. Records of the usual
/// size come to fewer before [`super::DEFAULT_COMMIT_RECORDS`] of them are there.
const MOST_BYTES: usize = 32 << 20;

#[derive(Debug)]
pub(super) struct Pending {
    most_records: u64,
    longest: Duration,
    reads: Vec<WindowRead>,
    /// When the first of them is to be committed; a time too far away is none.
    due_at: Option<Instant>,
}

impl Pending {
    /// None yet. They are to be committed when they hold `most_records`, or [`MOST_BYTES`], or when the first has waited for
    /// the `longest` time.
    pub(super) fn new(most_records: u64, longest: Duration) -> Self {
        Self { most_records, longest, reads: Vec::new(), due_at: None }
    }

    pub(super) fn push(&mut self, read: WindowRead) {
        if self.reads.is_empty() {
            self.due_at = Instant::now().checked_add(self.longest);
        }
        self.reads.push(read);
    }

    /// Whether they are to be committed now.
    pub(super) fn are_due(&self) -> bool {
        let records: u64 = self.reads.iter().map(|read| read.received).sum();
        let is_much = records >= self.most_records || self.bytes() >= MOST_BYTES;
        let is_time = self.due_at.is_some_and(|due_at| due_at <= Instant::now());
        !self.reads.is_empty() && (is_time || is_much)
    }

    fn bytes(&self) -> usize {
        self.reads.iter().flat_map(|read| &read.pages).map(|page| page.body.len()).sum()
    }

    /// Waits until the first has waited long enough: for ever, where there is none.
    pub(super) async fn wait(&self) {
        match self.due_at {
            Some(due_at) => sleep_until(due_at).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn take(&mut self) -> Vec<WindowRead> {
        self.due_at = None;
        std::mem::take(&mut self.reads)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::model::{Page, Scope, Window};

    /// A window of so many pages, each of so many bytes and of 300 records.
    fn read(pages: u32, bytes: usize) -> WindowRead {
        let day = "2022-02-01".parse().unwrap();
        let window = Window::try_new(day, day, Scope::All).unwrap();
        let page = |number| Page {
            window: window.clone(),
            number,
            request: String::new(),
            received_at: DateTime::UNIX_EPOCH,
            status: 200,
            tracking_id: None,
            body: bytes::Bytes::from(vec![b' '; bytes]).into(),
        };
        WindowRead {
            pages: (0..pages).map(page).collect(),
            reported: None,
            received: u64::from(pages) * 300,
            reads: 1,
            started_at: DateTime::UNIX_EPOCH,
            window: window.clone(),
        }
    }

    /// How many windows of ten pages of so many bytes are taken together.
    fn windows_of(bytes: usize) -> usize {
        let mut pending = Pending::new(100_000, Duration::MAX);
        assert!(!pending.are_due());
        while !pending.are_due() {
            pending.push(read(10, bytes));
        }
        pending.take().len()
    }

    #[test]
    fn pages_far_larger_than_usual_are_due_before_their_records() {
        assert_eq!(windows_of(65_000), 34);
        assert_eq!(windows_of(1 << 20), 4);
    }
}
