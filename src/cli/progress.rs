//! A progress bar on a terminal. Elsewhere the log tells how things go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::extract::{Event, Observer};

/// Pages and records as they come in.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    records: Arc<AtomicU64>,
}

impl Progress {
    /// Starts to show; nothing appears where standard error is no terminal.
    pub(super) fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} pages {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, records: Arc::default() }
    }

    /// Tells the bar what happens.
    pub(super) fn observer(&self) -> Observer {
        let (bar, records) = (self.bar.clone(), Arc::clone(&self.records));
        Observer::new(move |event| {
            if let Event::Page { records: count, .. } = event {
                let total = records.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
                bar.inc(1);
                bar.set_message(format!("{total} records"));
            }
        })
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
