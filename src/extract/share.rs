//! How windows are shared out among workers: which are cut, and how finely.
//!
//! Pages of one window can only be read one after the other, so a few long windows leave the permitted rate unused
//! when answers are slow. But a part costs a page that is not full, days that parts share are read twice, and a first
//! page whose window is cut is lost. The rule: a window is cut only as finely as the rate needs, and that may cost a
//! small part of its pages at most.
//!
//! Where the requests that are left do not suffice for all windows, a second rule comes first: none is begun that they
//! are not likely to bring to its end beside those at work. What is read of a window that is not whole is read for
//! nothing, and the next run would begin with the same windows again.
//!
//! And where pages are far larger than usual, a third one comes before both: what waits in memory keeps to its bound, were
//! it to leave the rate unused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::plan;
use super::pulse::Pulse;
use super::quota::Plan;
use super::ticket::Ticket;
use crate::model::{Seam, Window};

/// A part should be worth its start.
const LEAST_PAGES_PER_PART: u64 = 8;
/// A window of more pages is cut even if no worker idles: its pages wait in memory until it is whole.
const MOST_PAGES: u64 = 60;
/// What cuts may cost, as a part of the pages cut; where a run has few pages in all, it may be more.
const MOST_LOSS: f64 = 0.036;
/// Parts never come out equal, and the longest ends last: so long windows are cut finer than needed.
const FINER: u64 = 3;
const LEAST_PAGES_PER_FINE_PART: u64 = 16;
const LEAST_LOSS_PAGES: f64 = 10.0;
/// What one more window costs: its last page is half empty on average.
const LOSS_PER_PART: f64 = 0.5;
/// What windows come to scatters about what is expected of them, so parts are made to take less than there is.
const FIT: f64 = 1.1;
/// As many requests as a window may take that is not cut, should it have to be read twice: what to reckon with while
/// nothing is known.
pub(super) const UNTOLD_PAGES: u64 = 2 * MOST_PAGES;
/// What is slightly too long is left as it is; a part, which was cut once already, even what is rather too long.
pub(super) const TOLERANCE: f64 = 1.1;
pub(super) const TOLERANCE_OF_PARTS: f64 = 1.6;
/// Windows of more pages than these are not under way together unless the rate needs it: some 70 MB as received, and a sixth
/// of that while they wait.
const MOST_PAGES_UNDER_WAY: f64 = 1000.0;
/// Windows that take more memory than this are not under way together, whatever the rate needs. Of pages of the usual size,
/// that is some ten thousand.
const MOST_BYTES_UNDER_WAY: f64 = 96.0 * 1024.0 * 1024.0;
/// Windows at work are put off only where they take so much more: it costs a page of each.
const TOLERANCE_OF_BYTES: f64 = 1.5;
/// A window of more bytes, as received, is cut even if no worker idles: a commit has all of it in hand at once. Of pages of
/// the usual size, [`MOST_PAGES`] come to a sixth of it.
const MOST_BYTES: f64 = 24.0 * 1024.0 * 1024.0;
/// Workers for each that the rate needs, beyond its own headroom: some read short windows, which end soon.
const SPARE_WORKERS: f64 = 1.2;
/// Windows that are tried first while it is not known how long they are.
const PROBES: usize = 2;

/// What is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    pub(super) windows: usize,
    pub(super) pages: f64,
}

/// What is left to do in a run.
#[derive(Debug)]
pub(super) struct Load {
    pulse: Arc<Pulse>,
    per_second: f64,
    concurrency: usize,
    seam: Seam,
    work: Mutex<Work>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Work {
    /// Days of windows whose pages are not known.
    unknown_days: u64,
    /// The pages that those of them which are at work are likely to have.
    pages_expected: u64,
    /// Pages left in the others.
    pages_left: u64,
    /// Pages of the others that were read and wait for the rest.
    pages_waiting: u64,
    pages_done: u64,
}

/// What is known of the pages that are left of a window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Left {
    /// Nothing, and it is not at work.
    #[default]
    Unknown,
    /// It is at work, and likely to have so many.
    Expected(u64),
    /// So many are left, and so many were read.
    Known { pages: u64, read: u64 },
}

impl Work {
    fn add(&mut self, days: u64, left: Left) {
        match left {
            Left::Unknown => self.unknown_days += days,
            Left::Expected(pages) => {
                self.unknown_days += days;
                self.pages_expected += pages;
            }
            Left::Known { pages, read } => {
                self.pages_left += pages;
                self.pages_waiting += read;
            }
        }
    }

    fn remove(&mut self, days: u64, left: Left) {
        match left {
            Left::Unknown => self.unknown_days -= days,
            Left::Expected(pages) => {
                self.unknown_days -= days;
                self.pages_expected -= pages;
            }
            Left::Known { pages, read } => {
                self.pages_left -= pages;
                self.pages_waiting -= read;
            }
        }
    }
}

impl Load {
    pub(super) fn new(pulse: Arc<Pulse>, plan: Plan, concurrency: usize, seam: Seam) -> Arc<Self> {
        let per_second = f64::from(plan.per_second.get());
        Arc::new(Self { pulse, per_second, concurrency, seam, work: Mutex::default() })
    }

    /// How many requests the windows at work are likely to need yet.
    pub(super) fn needed(&self) -> u64 {
        let work = self.work();
        work.pages_left + work.pages_expected
    }

    /// Whether `left` requests are likely to bring one more window, of `pages` pages, to its end beside those at work.
    pub(super) fn can_afford(&self, pages: u64, left: u64) -> bool {
        self.needed() + pages <= left
    }

    /// The windows to ask for instead of one of `pages` pages, if that is more than the requests `left`, so that these
    /// bring at least one to its end. `None` where days allow of no cut.
    pub(super) fn cut_to_fit(&self, window: &Window, pages: u64, left: u64) -> Option<Vec<Window>> {
        if left == 0 || pages <= left {
            return None;
        }
        let parts = (pages as f64 * FIT / left as f64).ceil() as u64;
        plan::parts(window, parts.max(2), self.seam)
    }

    /// Whether a window allows of no cut.
    pub(super) fn is_shortest(&self, window: &Window) -> bool {
        plan::parts(window, 2, self.seam).is_none()
    }

    /// How many requests a window that is begun now is likely to take, where that can be told.
    pub(super) fn expected_pages(&self, window: &Window) -> Option<u64> {
        self.pulse.requests_per_day().map(|per_day| (per_day * plan::mean_days(window)).ceil() as u64)
    }

    /// Counts a window to be read.
    pub(super) fn ticket(self: &Arc<Self>, window: &Window, is_part: bool) -> Ticket {
        self.work().add(window.days(), Left::default());
        Ticket::new(Arc::clone(self), window.clone(), is_part)
    }

    /// What is left of a window of so many days is no longer what it was.
    pub(super) fn exchange(&self, days: u64, old: Left, new: Left) {
        let mut work = self.work();
        work.remove(days, old);
        work.add(days, new);
    }

    /// A page was read.
    pub(super) fn advance(&self) {
        self.work().pages_done += 1;
    }

    /// Whether to begin one more window, of about so many pages, while `under_way` is, and so many windows are not done.
    /// The more, the better they end together; but their pages wait in memory until they are whole. Where windows may
    /// have to be cut, it is cheaper to try a few first than to lose the first page of each.
    pub(super) fn has_room(&self, under_way: UnderWay, pages: f64, undone: usize) -> bool {
        let is_known = self.pulse.has_page();
        let demand = self.pulse.demand(self.per_second);
        if !is_known && demand.is_none_or(|demand| demand > undone as f64) {
            return under_way.windows < PROBES.min(self.concurrency);
        }
        let needed = (demand.unwrap_or_default() * SPARE_WORKERS).ceil() as usize;
        let pages = under_way.pages + pages;
        let most = match () {
            // Of each window, a page is being read; the others wait.
            () if self.bytes(pages, under_way.windows + 1) > MOST_BYTES_UNDER_WAY => 1,
            () if pages > MOST_PAGES_UNDER_WAY => needed.max(1),
            () => usize::MAX,
        };
        under_way.windows < most.min(self.concurrency)
    }

    /// What so many pages of so many windows take, as far as that can be told.
    fn bytes(&self, pages: f64, windows: usize) -> f64 {
        self.pulse.page_bytes().map_or(0.0, |page| pages * page.kept + windows as f64 * page.received)
    }

    /// Whether the windows at work will take more memory than they may.
    pub(super) fn is_too_much(&self) -> bool {
        let Work { pages_left, pages_waiting, .. } = *self.work();
        self.bytes((pages_left + pages_waiting) as f64, 0) > MOST_BYTES_UNDER_WAY * TOLERANCE_OF_BYTES
    }

    /// How many pages a window is likely to have.
    pub(super) fn pages(&self, window: &Window) -> f64 {
        self.pulse.pages_per_day().unwrap_or_default() * plan::mean_days(window)
    }

    /// The windows to ask for instead of `window`, of which nothing was read yet, or `None` to ask for it as it is.
    pub(super) fn cut_unread(&self, window: &Window) -> Option<Vec<Window>> {
        self.cut(window, self.pages(window).ceil() as u64, TOLERANCE, 0.0)
    }

    /// Cuts a window of so many pages, which is still among the work left, at the price of what is `lost`.
    pub(super) fn cut(&self, window: &Window, pages: u64, tolerance: f64, lost: f64) -> Option<Vec<Window>> {
        let left = self.pages_left().max(pages as f64);
        let most_loss = MOST_LOSS.max(LEAST_LOSS_PAGES / (left + self.work().pages_done as f64));

        // So many workers would read this window while the others read the rest.
        let demand = self.pulse.demand(self.per_second).unwrap_or_default().min(self.concurrency as f64);
        let useful = demand * pages as f64 / left;
        let useful = if useful > tolerance { useful.ceil() as u64 } else { 1 };
        let finest = if useful > 1 { useful.max((useful * FINER).min(pages / LEAST_PAGES_PER_FINE_PART)) } else { 1 };
        let for_speed = (2..=finest.min(pages / LEAST_PAGES_PER_PART)).rev().find_map(|count| {
            let parts = plan::parts(window, count, self.seam)?;
            (lost + self.loss(window, pages, &parts) <= most_loss * pages as f64).then_some(parts)
        });
        // Where days are shared, weeks at the finest: they would be read twice for nothing but memory.
        let finest = if self.seam == Seam::Shared { window.days() / 7 } else { window.days() };
        let by_bytes = self.pulse.page_bytes().map_or(1.0, |page| (pages as f64 * page.received / MOST_BYTES).ceil());
        let for_memory = || plan::parts(window, pages.div_ceil(MOST_PAGES).min(finest).max(by_bytes as u64), self.seam);
        for_speed.or_else(for_memory)
    }

    /// The pages of all windows that are not done, as far as that can be told.
    fn pages_left(&self) -> f64 {
        let work = *self.work();
        work.pages_left as f64 + work.unknown_days as f64 * self.pulse.pages_per_day().unwrap_or_default()
    }

    /// How many more pages the parts of a window have than the window.
    fn loss(&self, window: &Window, pages: u64, parts: &[Window]) -> f64 {
        let pages_per_day = pages as f64 / plan::mean_days(window);
        let shared = |part: &Window| match self.seam {
            Seam::Adjacent => 0.0,
            Seam::Shared => plan::share(part.from()) * pages_per_day,
        };
        parts[1..].iter().map(|part| LOSS_PER_PART + shared(part)).sum()
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::line::Order;
    use super::*;
    use crate::model::Scope;

    fn month() -> Window {
        Window::try_new("2022-02-01".parse().unwrap(), "2022-02-28".parse().unwrap(), Scope::All).unwrap()
    }

    fn load(latency_ms: u64, seam: Seam) -> Arc<Load> {
        let pulse = Arc::<Pulse>::default();
        pulse.observe(Duration::from_millis(latency_ms));
        Load::new(pulse, Plan::BUSINESS, 30, seam)
    }

    /// Of one of so many windows, whose first page has come.
    fn parts_of(pages: u64, windows: usize, latency_ms: u64, seam: Seam) -> usize {
        let load = load(latency_ms, seam);
        let tickets: Vec<_> = (0..windows).map(|_| load.ticket(&month(), false)).collect();
        load.pulse.measure(&month(), Some(pages as f64));
        tickets[0].begin(pages, true).map_or(1, |parts| parts.len())
    }

    #[test]
    fn a_long_window_is_cut_only_when_workers_would_idle() {
        assert_eq!(parts_of(60, 14, 2000, Seam::Adjacent), 3);
        assert_eq!(parts_of(60, 14, 200, Seam::Adjacent), 1);
        assert_eq!(parts_of(60, 100, 2000, Seam::Adjacent), 1);
        assert_eq!(parts_of(60, 1, 2000, Seam::Adjacent), 7);
        assert_eq!(parts_of(60, 1, 2000, Seam::Shared), 5);
        assert_eq!(parts_of(15, 1, 2000, Seam::Adjacent), 1);
    }

    #[test]
    fn a_longer_window_is_cut_more_finely() {
        let load = load(2000, Seam::Adjacent);
        let [long, short] = [load.ticket(&month(), false), load.ticket(&month(), false)];
        [20.0, 600.0].iter().for_each(|pages| load.pulse.measure(&month(), Some(*pages)));
        assert!(long.begin(600, true).unwrap().len() > 15);
        assert_eq!(short.begin(20, true), None);
    }

    #[test]
    fn a_very_long_window_is_cut_for_the_sake_of_memory() {
        assert_eq!(parts_of(200, 100, 200, Seam::Shared), 4);
        assert_eq!(parts_of(100_000, 100, 200, Seam::Shared), 4);
    }

    /// The parts of a month of so many pages, beside enough others, where a page has so many bytes.
    fn parts_by_bytes(pages: u64, received: usize) -> usize {
        let load = load(200, Seam::Shared);
        let tickets: Vec<_> = (0..100).map(|_| load.ticket(&month(), false)).collect();
        load.pulse.measure(&month(), Some(pages as f64));
        load.pulse.weigh(received, received / 6);
        tickets[0].begin(pages, true).map_or(1, |parts| parts.len())
    }

    #[test]
    fn a_window_of_very_large_pages_is_cut_for_the_sake_of_memory() {
        assert_eq!(parts_by_bytes(60, 65_000), 1);
        assert_eq!(parts_by_bytes(200, 65_000), parts_of(200, 100, 200, Seam::Shared));
        assert_eq!(parts_by_bytes(60, 1 << 20), 3);
        assert_eq!(parts_by_bytes(60, 8 << 20), 19);
    }

    #[test]
    fn cuts_of_a_run_cost_little_in_all() {
        let load = load(20_000, Seam::Adjacent);
        let windows: [Window; 14] = std::array::from_fn(|_| month());
        let _tickets: Vec<_> = windows.iter().map(|window| load.ticket(window, false)).collect();
        load.pulse.measure(&month(), Some(43.0));
        let parts: usize = windows.iter().map(|window| load.cut_unread(window).map_or(1, |parts| parts.len())).sum();
        let extra = (parts - windows.len()) as f64 * LOSS_PER_PART;
        assert!(extra > 602.0 * 0.02 && extra <= 602.0 * MOST_LOSS, "{extra} pages");
    }

    #[test]
    fn what_is_left_to_do_is_nothing_when_all_tickets_are_gone() {
        let load = load(200, Seam::Shared);
        let [read, given_up] = [load.ticket(&month(), false), load.ticket(&month(), false)];
        assert_eq!(read.work(), u64::MAX);
        read.begin(3, true);
        read.advance();
        assert_eq!(read.work(), 2);
        {
            let work = load.work();
            assert_eq!((work.pages_left, work.unknown_days), (2, 28));
        }
        drop((read, given_up));
        let work = load.work();
        assert_eq!((work.pages_left, work.unknown_days, work.pages_done), (0, 0, 1));
    }

    #[test]
    fn a_window_is_begun_only_if_requests_suffice_for_it_beside_those_at_work() {
        let load = load(200, Seam::Adjacent);
        let [one, other] = [load.ticket(&month(), false), load.ticket(&month(), false)];
        assert_eq!(load.expected_pages(&month()), None);
        one.start(40);
        assert!(load.can_afford(40, 80) && !load.can_afford(41, 80));
        one.begin(50, false);
        one.advance();
        assert!(load.can_afford(31, 80) && !load.can_afford(32, 80));
        other.start(31);
        assert_eq!((one.order(80), one.order(79)), (Order::MostWork, Order::LeastWork));
        drop((one, other));
        assert!(load.can_afford(80, 80));
        load.pulse.measure_untold(&month(), 84.0);
        assert_eq!(load.expected_pages(&month()), Some(84));
        load.pulse.measure(&month(), Some(42.0));
        assert_eq!(load.expected_pages(&month()), Some(42));
    }

    #[test]
    fn a_few_windows_are_tried_first_where_they_may_have_to_be_cut() {
        let pulse = Arc::<Pulse>::default();
        pulse.signed_in(Duration::from_secs(2));
        let load = Load::new(Arc::clone(&pulse), Plan::BUSINESS, 30, Seam::Shared);
        let room = |windows, undone| load.has_room(UnderWay { windows, pages: 0.0 }, 0.0, undone);
        assert!(room(PROBES - 1, 14) && !room(PROBES, 14) && room(PROBES, 100));
        pulse.observe(Duration::from_secs(2));
        assert!(room(29, 14) && !room(30, 14));
    }

    #[test]
    fn no_more_windows_are_under_way_than_memory_holds_or_the_rate_needs() {
        let most = |latency_ms, pages: f64| {
            let load = load(latency_ms, Seam::Shared);
            let has_room = |windows: &usize| {
                load.has_room(UnderWay { windows: *windows, pages: pages * *windows as f64 }, pages, 100)
            };
            (0..100).take_while(has_room).count()
        };
        assert_eq!(most(1, 30.0), 30);
        assert_eq!(most(1, 50.0), 20);
        assert_eq!(most(1, 1000.0), 1);
        assert_eq!(most(500, 1000.0), 7);
        assert_eq!(most(60_000, 1000.0), 30);
    }

    #[test]
    fn no_more_large_pages_are_under_way_than_memory_holds_whatever_the_rate_needs() {
        let most = |received, kept, pages: f64| {
            let load = load(60_000, Seam::Shared);
            load.pulse.weigh(received, kept);
            let has_room = |windows: &usize| {
                load.has_room(UnderWay { windows: *windows, pages: pages * *windows as f64 }, pages, 100)
            };
            (0..100).take_while(has_room).count()
        };
        assert_eq!(most(1 << 20, 1 << 20, 40.0), 2);
        assert_eq!(most(1 << 20, 1 << 18, 40.0), 8);
        assert_eq!(most(8 << 20, 8 << 20, 40.0), 1);
        // Those of the usual size are as many as the rate needs.
        assert_eq!(most(65_000, 10_500, 250.0), 30);
    }
}
