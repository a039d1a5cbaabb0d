//! Whole windows that wait for the next commit.
//!
//! The rule: none waits longer than it was said to, whether others come meanwhile or not.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::model::WindowRead;

#[derive(Debug)]
pub(super) struct Pending {
    most_records: u64,
    longest: Duration,
    reads: Vec<WindowRead>,
    /// When the first of them is to be committed; a time too far away is none.
    due_at: Option<Instant>,
}

impl Pending {
    /// None yet. They are to be committed when they hold `most_records`, or when the first has waited for the `longest`
    /// time.
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
        let is_time = self.due_at.is_some_and(|due_at| due_at <= Instant::now());
        !self.reads.is_empty() && (is_time || records >= self.most_records)
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
