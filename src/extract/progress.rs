//! What a run tells while it goes on, and what it has used.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::quota::DayCount;
use crate::model::Window;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A run begins to read this many windows.
    Planned {
        /// How many.
        windows: usize,
        /// How many requests a second are permitted.
        per_second: u32,
    },
    /// A page was received. It may yet be read again.
    Page {
        /// The window it belongs to.
        window: &'a Window,
        /// Its place in the window, from 0.
        number: u32,
        /// How many records it holds.
        records: usize,
        /// How many records the window has, where the upstream says so.
        total: Option<u64>,
    },
    /// A window is whole.
    Whole {
        /// The window.
        window: &'a Window,
        /// How many pages it took.
        pages: usize,
        /// How many records they hold.
        records: u64,
    },
    /// A window is asked for in parts instead.
    Cut {
        /// The window.
        window: &'a Window,
        /// How many windows take its place.
        parts: usize,
    },
    /// A window is read again from its first page.
    Reread {
        /// The window.
        window: &'a Window,
    },
    /// A request is sent again.
    Retry {
        /// The window it is for.
        window: &'a Window,
    },
    /// The upstream asked for fewer requests per second.
    Throttled,
}

type Hear = dyn Fn(Event<'_>) + Send + Sync;

/// Who is told of every [`Event`]. It is called on the workers' threads and must not block.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Hear>>);

impl Observer {
    /// Tells `hear` of everything.
    pub fn new(hear: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    pub(super) fn tell(&self, event: Event<'_>) {
        if let Some(hear) = &self.0 {
            hear(event);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer(set)" } else { "Observer(none)" })
    }
}

/// What a source has used since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Requests for pages, whatever became of them. All count against the daily limit.
    pub requests: u64,
    /// Pages received, those of discarded readings included.
    pub pages: u64,
    /// Answers "too many requests".
    pub throttled: u64,
    /// Requests sent again, after whatever failure.
    pub retries: u64,
    /// Requests for access tokens.
    pub token_requests: u64,
    /// Requests of this UTC day, those of earlier runs included: to be kept for the next run.
    pub today: DayCount,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: Counter,
    pub(super) pages: Counter,
    pub(super) throttled: Counter,
    pub(super) retries: Counter,
    pub(super) token_requests: Counter,
}

impl Counters {
    pub(super) fn usage(&self, today: DayCount) -> Usage {
        Usage {
            requests: self.requests.get(),
            pages: self.pages.get(),
            throttled: self.throttled.get(),
            retries: self.retries.get(),
            token_requests: self.token_requests.get(),
            today,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Counts one more and returns how many there are.
    pub(super) fn add(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
