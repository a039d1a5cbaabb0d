//! A window that is to be read, as its worker and the others' see it: what is left of it, and what is better done with it.
//!
//! The rule: what a ticket says is left counts in [`super::share`] until the ticket is dropped, and not longer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::line::Order;
use super::share::{Left, Load, TOLERANCE, TOLERANCE_OF_PARTS};
use crate::model::Window;

/// A window that is to be read, until dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    load: Arc<Load>,
    window: Window,
    is_part: bool,
    left: Mutex<Left>,
}

impl Ticket {
    /// Of a window that is counted in `load` already.
    pub(super) fn new(load: Arc<Load>, window: Window, is_part: bool) -> Self {
        Self { load, window, is_part, left: Mutex::default() }
    }

    /// The pages left to read; before they are known, more than any.
    pub(super) fn work(&self) -> u64 {
        match *self.left() {
            Left::Known { pages, .. } => pages,
            Left::Unknown | Left::Expected(_) => u64::MAX,
        }
    }

    /// Who goes first while `left` requests are left: see [`super::line`].
    pub(super) fn order(&self, left: u64) -> Order {
        if self.load.needed() > left { Order::LeastWork } else { Order::MostWork }
    }

    /// Learns that the window is begun, and is likely to have so many pages.
    pub(super) fn start(&self, pages: u64) {
        self.set(Left::Expected(pages));
    }

    /// The windows to read instead, where more pages are left than requests: the `read` ones are lost either way.
    pub(super) fn cut_to_fit(&self, read: u64, left: u64) -> Option<Vec<Window>> {
        let Left::Known { pages, .. } = *self.left() else { return None };
        if pages > left { self.load.cut_to_fit(&self.window, pages + read, left) } else { None }
    }

    /// How many pages the window has, if they are more than the `most` requests that a run may make, and it allows of no
    /// cut.
    pub(super) fn exceeds(&self, read: u64, most: u64) -> Option<u64> {
        let Left::Known { pages, .. } = *self.left() else { return None };
        (pages + read > most && self.load.is_shortest(&self.window)).then_some(pages + read)
    }

    /// How many pages the window has, if it is better put off: it turned out too long to be afforded, or held in memory,
    /// beside the others at work, and as yet no more than its first page is lost.
    pub(super) fn put_off(&self, read: u64, left: u64) -> Option<u64> {
        let Left::Known { pages, .. } = *self.left() else { return None };
        let needed = self.load.needed();
        (read == 1 && pages < needed && (needed > left || self.load.is_too_much())).then_some(pages + read)
    }

    /// Learns that a reading begins, with a page of so many in all, and the windows to read instead, if that is better.
    pub(super) fn begin(&self, pages: u64, may_cut: bool) -> Option<Vec<Window>> {
        self.set(Left::Known { pages, read: 0 });
        if !may_cut {
            return None;
        }
        // The first page of a few windows is what it costs to know how long windows are; that of parts is lost.
        let (tolerance, lost) = if self.is_part { (TOLERANCE_OF_PARTS, 1.0) } else { (TOLERANCE, 0.0) };
        self.load.cut(&self.window, pages, tolerance, lost)
    }

    /// Learns that a page was read.
    pub(super) fn advance(&self) {
        let left = *self.left();
        if let Left::Known { pages, read } = left {
            self.set(Left::Known { pages: pages.saturating_sub(1), read: read + 1 });
        }
        self.load.advance();
    }

    fn set(&self, new: Left) {
        let mut left = self.left();
        self.load.exchange(self.window.days(), *left, new);
        *left = new;
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.set(Left::Known { pages: 0, read: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::super::pulse::Pulse;
    use super::super::quota::Plan;
    use super::*;
    use crate::model::{Scope, Seam};

    fn month() -> Window {
        Window::try_new("2022-02-01".parse().unwrap(), "2022-02-28".parse().unwrap(), Scope::All).unwrap()
    }

    #[test]
    fn a_window_that_turns_out_too_long_waits_or_is_cut() {
        let load = Load::new(Arc::<Pulse>::default(), Plan::BUSINESS, 30, Seam::Adjacent);
        let [one, other] = [load.ticket(&month(), false), load.ticket(&month(), false)];
        one.start(30);
        one.begin(41, false);
        one.advance();
        // Alone, it is cut where it is too long, and read on otherwise.
        assert_eq!((one.put_off(1, 39), one.cut_to_fit(1, 40)), (None, None));
        assert_eq!(one.cut_to_fit(1, 39).map(|parts| parts.len()), Some(2));
        assert_eq!(one.cut_to_fit(1, 0), None);
        other.start(30);
        assert_eq!((one.put_off(1, 70), one.put_off(1, 69), one.put_off(2, 69)), (None, Some(41), None));
    }

    #[test]
    fn a_window_of_pages_too_large_to_wait_beside_others_is_put_off() {
        let put_off = |received, kept| {
            let pulse = Arc::<Pulse>::default();
            pulse.weigh(received, kept);
            let load = Load::new(pulse, Plan::BUSINESS, 30, Seam::Adjacent);
            let tickets = [20, 20, 20].map(|pages| {
                let ticket = load.ticket(&month(), false);
                ticket.begin(pages, false);
                ticket.advance();
                ticket
            });
            let [one, two, three] = tickets;
            let first = one.put_off(1, 15_000);
            drop(one);
            let second = two.put_off(1, 15_000);
            drop(two);
            (first, second, three.put_off(1, 15_000))
        };
        assert_eq!(put_off(65_000, 10_500), (None, None, None));
        assert_eq!(put_off(3 << 20, 3 << 20), (Some(20), None, None));
        // One is read in any case.
        assert_eq!(put_off(8 << 20, 8 << 20), (Some(20), Some(20), None));
    }
}
