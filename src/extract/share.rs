//! When a long window is shared out among workers that would idle.
//!
//! Pages of one window can only be read one after the other, so a few long windows leave the permitted rate unused
//! when answers are slow. The rule: a window is cut only when that gains something, since each cut costs the page
//! already read, and a shared day is read twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::plan::{self, Seam};
use super::quota::Plan;
use crate::model::Window;

/// A window of fewer pages is read as it is: the page lost would be more than 1 in 40.
const LEAST_PAGES: u64 = 40;
/// A part should be worth its start.
const LEAST_PAGES_PER_PART: u64 = 10;
/// Days of a part beside the one it shares: with fewer, shared days would weigh too much.
const LEAST_DAYS_PER_PART: u64 = 3;
/// A window of more pages is cut even if no worker idles: its pages wait in memory until it is whole.
const MOST_PAGES: u64 = 100;
const PAGES_PER_PART_OF_MANY: u64 = 50;

/// What the workers are busy with.
#[derive(Debug)]
pub(super) struct Load {
    per_second: u32,
    concurrency: usize,
    seam: Seam,
    windows: AtomicUsize,
    latency_micros: AtomicU64,
}

/// One of the windows that a run was given, held by it or by its parts until the last is done.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Load>);

impl Load {
    pub(super) fn new(plan: Plan, concurrency: usize, seam: Seam) -> Arc<Self> {
        Arc::new(Self {
            per_second: plan.per_second.get(),
            concurrency,
            seam,
            windows: AtomicUsize::new(0),
            latency_micros: AtomicU64::new(0),
        })
    }

    pub(super) fn ticket(self: &Arc<Self>) -> Arc<Ticket> {
        self.windows.fetch_add(1, Ordering::Relaxed);
        Arc::new(Ticket(Arc::clone(self)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.windows.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ticket {
    /// Learns how long a page took. The mean follows the upstream's mood within a few pages.
    pub(super) fn observe(&self, latency: Duration) {
        let sample = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let fold = |mean: u64| Some(if mean == 0 { sample } else { mean - mean / 8 + sample / 8 });
        let _ = self.0.latency_micros.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fold);
    }

    /// The windows to read instead of `window`, which has so many `pages`, or `None` to read it as it is.
    pub(super) fn share_out(&self, window: &Window, pages: u64) -> Option<Vec<Window>> {
        if pages < LEAST_PAGES {
            return None;
        }
        let needed = if pages > MOST_PAGES { pages.div_ceil(PAGES_PER_PART_OF_MANY) } else { 1 };
        let own_days = window.days() - self.0.seam.days();
        let sensible = (pages / LEAST_PAGES_PER_PART).min(own_days / LEAST_DAYS_PER_PART);
        plan::parts(window, needed.max(self.workers_per_window()).min(sensible), self.0.seam)
    }

    /// How many workers each window could use, so that the rate is the bound and not the round trip. Never so many
    /// that parts would have to wait for each other.
    fn workers_per_window(&self) -> u64 {
        let windows = self.0.windows.load(Ordering::Relaxed).max(1) as u64;
        let in_flight = u64::from(self.0.per_second) * self.0.latency_micros.load(Ordering::Relaxed);
        // A quarter more than the mean needs, since latencies scatter.
        let useful = (in_flight * 5 / 4).div_ceil(1_000_000);
        useful.div_ceil(windows).min(self.0.concurrency as u64 / windows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn month() -> Window {
        Window::try_new("2022-02-01".parse().unwrap(), "2022-02-28".parse().unwrap(), Scope::All).unwrap()
    }

    fn parts_of(pages: u64, windows: usize, latency_ms: u64) -> usize {
        let load = Load::new(Plan::BUSINESS, 30, Seam::Shared);
        let tickets: Vec<_> = (0..windows).map(|_| load.ticket()).collect();
        tickets[0].observe(Duration::from_millis(latency_ms));
        tickets[0].share_out(&month(), pages).map_or(1, |parts| parts.len())
    }

    #[test]
    fn a_long_window_is_cut_only_when_workers_would_idle() {
        assert_eq!(parts_of(60, 14, 2000), 2);
        assert_eq!(parts_of(60, 8, 2000), 3);
        assert_eq!(parts_of(60, 14, 200), 1);
        assert_eq!(parts_of(60, 100, 2000), 1);
        assert_eq!(parts_of(60, 1, 2000), 6);
        assert_eq!(parts_of(39, 1, 2000), 1);
    }

    #[test]
    fn a_very_long_window_is_cut_for_the_sake_of_memory() {
        assert_eq!(parts_of(200, 100, 200), 4);
        assert_eq!(parts_of(100_000, 100, 200), 9);
    }

    #[test]
    fn a_window_counts_until_its_last_part_is_done() {
        let load = Load::new(Plan::PRO, 16, Seam::Shared);
        let ticket = load.ticket();
        let part = Arc::clone(&ticket);
        drop(ticket);
        assert_eq!(load.windows.load(Ordering::Relaxed), 1);
        drop(part);
        assert_eq!(load.windows.load(Ordering::Relaxed), 0);
    }
}
