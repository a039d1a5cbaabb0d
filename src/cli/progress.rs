//! A progress bar on a terminal. Elsewhere the log tells how things go.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::extract::{Event, Observer};
use crate::model::{AccountId, Window};

/// What has come in, and what is known to come.
#[derive(Debug, Default)]
struct Tally {
    windows: u64,
    whole: u64,
    pages: u64,
    /// Records of whole windows.
    records: u64,
    /// Windows under way.
    open: HashMap<Window, Share>,
    per_second: u32,
    throttled: u64,
    began: Option<Instant>,
}

/// A window under way.
#[derive(Clone, Copy, Debug)]
struct Share {
    received: u64,
    expected: u64,
}

/// Windows, pages and records as they come in, a bar an account.
#[derive(Debug)]
pub(super) struct Progress {
    bars: MultiProgress,
}

/// The bar of one account, from its first event until whoever tells of it is gone.
#[derive(Debug)]
struct Bar {
    bars: MultiProgress,
    name: Option<String>,
    shown: OnceLock<ProgressBar>,
    tally: Mutex<Tally>,
}

impl Progress {
    /// Starts to show; nothing appears where standard error is no terminal.
    pub(super) fn start() -> Self {
        Self { bars: MultiProgress::new() }
    }

    /// Tells a bar what happens, which bears the account's name where there are several.
    pub(super) fn observer(&self, account: Option<&AccountId>) -> Observer {
        let bar = Bar {
            bars: self.bars.clone(),
            name: account.map(|id| format!("{id}: ")),
            shown: OnceLock::new(),
            tally: Mutex::default(),
        };
        Observer::new(move |event| bar.note(event))
    }

    /// Takes the bars away.
    pub(super) fn finish(self) {
        // Nothing is lost with a terminal that is gone.
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }
}

impl Bar {
    fn note(&self, event: Event<'_>) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.note(event);
        let message = format!("{}{}", self.name.as_deref().unwrap_or_default(), tally.line());
        let bar = self.shown.get_or_init(|| fresh_bar(&self.bars, message.clone()));
        // Of a length of nothing, nothing would be the whole.
        bar.set_length(tally.total().max(1));
        bar.set_position(tally.received().min(tally.total()));
        bar.set_message(message);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.shown.get() {
            bar.finish_and_clear();
            self.bars.remove(bar);
        }
    }
}

/// A bar among `bars`, which draw it from the first on: a bar that draws itself before is never wiped away.
fn fresh_bar(bars: &MultiProgress, message: String) -> ProgressBar {
    let bar = bars.add(ProgressBar::new(1).with_message(message));
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

impl Tally {
    fn note(&mut self, event: Event<'_>) {
        match event {
            Event::Planned { windows, per_second } => (self.windows, self.per_second) = (windows as u64, per_second),
            Event::Page { window, number, records, total } => {
                self.began.get_or_insert_with(Instant::now);
                self.pages += 1;
                let records = records as u64;
                if number == 0 {
                    // A first page begins a reading, be it the window's second.
                    let share = Share { received: records, expected: total.unwrap_or(records) };
                    self.open.insert(window.clone(), share);
                } else if let Some(share) = self.open.get_mut(window) {
                    share.received += records;
                    share.expected = share.expected.max(share.received);
                }
            }
            Event::Whole { window, records, .. } => {
                self.open.remove(window);
                self.whole += 1;
                self.records += records;
            }
            Event::Cut { window, parts } => {
                self.open.remove(window);
                self.windows += parts as u64 - 1;
            }
            Event::Throttled => self.throttled += 1,
            _ => {}
        }
    }

    fn received(&self) -> u64 {
        self.records + self.open.values().map(|share| share.received).sum::<u64>()
    }

    /// Records to come in all, taking windows not opened yet to be as full as the others.
    fn total(&self) -> u64 {
        let opened = self.whole + self.open.len() as u64;
        let expected = self.records + self.open.values().map(|share| share.expected).sum::<u64>();
        expected + expected.checked_div(opened).unwrap_or_default() * self.windows.saturating_sub(opened)
    }

    fn line(&self) -> String {
        let seconds = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        // The time began with the first of them.
        let rate = if seconds > 0.0 { self.pages.saturating_sub(1) as f64 / seconds } else { 0.0 };
        let received = self.received();
        let left = match received {
            0 => 0.0,
            _ => seconds * self.total().saturating_sub(received) as f64 / received as f64,
        };
        let Self { windows, whole, pages, per_second, throttled, .. } = self;
        let throttled = if *throttled > 0 { format!(", {throttled} throttled") } else { String::new() };
        format!(
            "{whole}/{windows} windows, {pages} pages, {received} records, {rate:.1} of {per_second} requests/s\
             {throttled}, {left:.0} s left"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn window(from: &str) -> Window {
        Window::try_new(from.parse().unwrap(), "2022-02-20".parse().unwrap(), Scope::All).unwrap()
    }

    fn page(window: &Window, number: u32, total: u64) -> Event<'_> {
        Event::Page { window, number, records: 300, total: Some(total) }
    }

    #[test]
    fn windows_not_opened_yet_are_taken_to_be_as_full_as_the_others() {
        let window = window("2022-02-01");
        let mut tally = Tally::default();
        tally.note(Event::Planned { windows: 4, per_second: 10 });
        tally.note(page(&window, 0, 600));
        assert_eq!((tally.total(), tally.received()), (2_400, 300));
        assert!(tally.line().contains(" 0.0 of 10 requests/s, "), "{}", tally.line());
        tally.note(page(&window, 1, 600));
        tally.note(Event::Whole { window: &window, pages: 2, records: 600 });
        assert_eq!((tally.total(), tally.received()), (2_400, 600));
        assert!(tally.line().starts_with("1/4 windows, 2 pages, 600 records, "), "{}", tally.line());
        assert!(tally.line().contains(" of 10 requests/s, "), "{}", tally.line());
    }

    #[test]
    fn what_is_read_again_or_in_parts_does_not_count_twice() {
        let (whole, part) = (window("2022-02-01"), window("2022-02-10"));
        let mut tally = Tally::default();
        tally.note(Event::Planned { windows: 1, per_second: 10 });
        [page(&whole, 0, 900), page(&whole, 1, 900), page(&whole, 0, 900)]
            .into_iter()
            .for_each(|event| tally.note(event));
        assert_eq!((tally.total(), tally.received()), (900, 300));
        tally.note(Event::Cut { window: &whole, parts: 2 });
        tally.note(page(&part, 0, 450));
        assert_eq!((tally.total(), tally.received(), tally.windows), (900, 300, 2));
    }
}
