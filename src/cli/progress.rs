//! A progress bar on a terminal. Elsewhere the log tells how things go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::extract::{Event, Observer};

/// What has come in, and what is known to come.
#[derive(Debug)]
struct Tally {
    windows: u64,
    whole: u64,
    pages: u64,
    records: u64,
    /// Records of the windows whose totals are known, and how many windows those are.
    expected: u64,
    opened: u64,
    throttled: u64,
    began: Option<Instant>,
}

/// Windows, pages and records as they come in.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    tally: Arc<Mutex<Tally>>,
}

impl Progress {
    /// Starts to show; nothing appears where standard error is no terminal.
    pub(super) fn start() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        let tally =
            Tally { windows: 0, whole: 0, pages: 0, records: 0, expected: 0, opened: 0, throttled: 0, began: None };
        Self { bar, tally: Arc::new(Mutex::new(tally)) }
    }

    /// Tells the bar what happens.
    pub(super) fn observer(&self) -> Observer {
        let (bar, tally) = (self.bar.clone(), Arc::clone(&self.tally));
        Observer::new(move |event| {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.note(event);
            bar.set_length(tally.total());
            bar.set_position(tally.records.min(tally.total()));
            bar.set_message(tally.line());
        })
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Tally {
    fn note(&mut self, event: Event<'_>) {
        match event {
            Event::Planned { windows } => self.windows = windows as u64,
            Event::Page { number, records, total, .. } => {
                self.began.get_or_insert_with(Instant::now);
                self.pages += 1;
                self.records += records as u64;
                if number == 0 {
                    self.opened += 1;
                    self.expected += total.unwrap_or(records as u64);
                }
            }
            Event::Whole { .. } => self.whole += 1,
            Event::Cut { parts, .. } => self.windows += parts as u64 - 1,
            Event::Throttled => self.throttled += 1,
            _ => {}
        }
    }

    /// Records to come in all, taking windows not opened yet to be as full as the others.
    fn total(&self) -> u64 {
        let unopened = self.windows.saturating_sub(self.opened);
        self.expected + self.expected.checked_div(self.opened).unwrap_or_default() * unopened
    }

    fn line(&self) -> String {
        let seconds = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        let rate = if seconds > 0.0 { self.pages as f64 / seconds } else { 0.0 };
        let left = match self.records {
            0 => 0.0,
            records => seconds * self.total().saturating_sub(records) as f64 / records as f64,
        };
        let Self { windows, whole, pages, records, throttled, .. } = self;
        let throttled = if *throttled > 0 { format!(", {throttled} throttled") } else { String::new() };
        format!("{whole}/{windows} windows, {pages} pages, {records} records, {rate:.1}/s{throttled}, {left:.0} s left")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Scope, Window};

    #[test]
    fn windows_not_opened_yet_are_taken_to_be_as_full_as_the_others() {
        let progress = Progress::start();
        let day = "2022-02-01".parse().unwrap();
        let window = Window::try_new(day, day, Scope::All).unwrap();
        let mut tally = progress.tally.lock().unwrap();
        tally.note(Event::Planned { windows: 4 });
        tally.note(Event::Page { window: &window, number: 0, records: 300, total: Some(600) });
        assert_eq!((tally.total(), tally.records), (2_400, 300));
        tally.note(Event::Cut { window: &window, parts: 2 });
        assert_eq!(tally.windows, 5);
    }
}
