//! The upstream as the rest of the program sees it: windows in, whole windows out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::task::JoinSet;
use tracing::Instrument;

use super::crawl::{Crawl, Outcome};
use super::credentials::Credentials;
use super::error::{ExtractError, WindowFailure};
use super::fetch::{Fetcher, Place, Stop};
use super::progress::{Event, Usage};
use super::quota::DayCount;
use super::retry::{Run, WindowBudget};
use super::settings::Settings;
use super::share::{Load, Ticket};
use crate::model::{Window, WindowRead};

/// Requests that must be left for each window under way once they run short.
const REQUESTS_KEPT_PER_WINDOW: u64 = 10;

/// An account's operation log. Clones share connections, token, limits and counters.
#[derive(Clone)]
pub struct Source {
    fetcher: Arc<Fetcher>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("settings", &self.fetcher.settings).finish_non_exhaustive()
    }
}

impl Source {
    /// A source for the account of `credentials`. Nothing is asked yet.
    pub fn try_new(credentials: Credentials, settings: Settings) -> Result<Self, ExtractError> {
        Ok(Self { fetcher: Arc::new(Fetcher::try_new(credentials, settings)?) })
    }

    /// Signs in: fails when the credentials are refused. Scopes show only when a window is read.
    pub async fn sign_in(&self) -> Result<(), ExtractError> {
        self.fetcher.access().await.map(|_| ())
    }

    /// How many records the upstream reports for a window, where it says so, for the price of one page.
    pub async fn total(&self, window: &Window) -> Result<Option<u64>, WindowFailure> {
        let place = Place { window, number: 0, token: None };
        match self.fetcher.page(&Run::default(), &mut WindowBudget::new(), place).await {
            Ok((_, digest, _)) => Ok(digest.total_records),
            Err(Stop::Failed(error)) => Err(WindowFailure { window: window.clone(), error }),
            // No token was sent, so the complaint cannot be about one; there is no total to tell.
            Err(Stop::TokenExpired) => Ok(None),
        }
    }

    /// Reads one window. It comes as several where the upstream would not give it whole.
    pub async fn read(&self, window: &Window) -> Result<Vec<WindowRead>, WindowFailure> {
        let run = Run::default();
        let mut open = vec![window.clone()];
        let mut reads = Vec::new();
        while let Some(window) = open.pop() {
            match Crawl::new(&self.fetcher, &run, &window, None).read().await {
                Ok(Outcome::Whole(read)) => reads.push(read),
                Ok(Outcome::Parts(parts)) => open.extend(parts.into_iter().rev()),
                Err(error) => return Err(WindowFailure { window, error }),
            }
        }
        Ok(reads)
    }

    /// Reads many windows side by side, and hands them on as they become whole, in any order.
    ///
    /// A window may come as several that together ask for the same days. A failure ends its own window only, unless
    /// every other would meet it too ([`ExtractError::is_fatal`]): then no further window is started, those under way
    /// fail likewise, and the stream ends without a word on the rest. Not more windows than [`Settings::concurrency`]
    /// are in memory at a time, read ones that were not yet taken included. The work goes on between polls, and ends
    /// when the stream is dropped.
    pub fn read_all(
        &self,
        windows: impl IntoIterator<Item = Window>,
    ) -> BoxStream<'static, Result<WindowRead, WindowFailure>> {
        let crew = Crew::new(Arc::clone(&self.fetcher), windows);
        stream::unfold(crew, |mut crew| async move { crew.next().await.map(|item| (item, crew)) }).boxed()
    }

    /// Counts requests that earlier runs made, which the source does not know of yet, against the day's limit.
    pub fn add_earlier_requests(&self, earlier: DayCount) {
        self.fetcher.limiter.add_earlier(earlier);
    }

    /// What was used since the source was made.
    pub fn usage(&self) -> Usage {
        self.fetcher.counters.usage(self.fetcher.limiter.today())
    }
}

/// A window that waits for a worker.
struct Job {
    window: Window,
    ticket: Arc<Ticket>,
    /// Parts are not shared out again: their pages are known to be few enough.
    is_part: bool,
}

/// The workers of one run.
struct Crew {
    fetcher: Arc<Fetcher>,
    run: Arc<Run>,
    queue: VecDeque<Job>,
    at_work: JoinSet<(Job, Result<Outcome, ExtractError>)>,
}

impl Crew {
    fn new(fetcher: Arc<Fetcher>, windows: impl IntoIterator<Item = Window>) -> Self {
        let Settings { plan, seam, .. } = fetcher.settings;
        let load = Load::new(plan, fetcher.settings.concurrency(), seam);
        let queue: VecDeque<Job> =
            windows.into_iter().map(|window| Job { window, ticket: load.ticket(), is_part: false }).collect();
        fetcher.settings.observer.tell(Event::Planned { windows: queue.len() });
        Self { fetcher, run: Arc::default(), queue, at_work: JoinSet::new() }
    }

    /// The next window that is whole or has failed; `None` when all are done.
    async fn next(&mut self) -> Option<Result<WindowRead, WindowFailure>> {
        loop {
            self.start_workers();
            let (job, outcome) = match self.at_work.join_next().await? {
                Ok(done) => done,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // Workers are aborted with the stream only, and then nobody asks for more.
                    Err(_) => continue,
                },
            };
            match outcome {
                Ok(Outcome::Whole(read)) => return Some(Ok(read)),
                Ok(Outcome::Parts(parts)) => self.queue_parts(&job, parts),
                Err(error) => return Some(Err(WindowFailure { window: job.window, error })),
            }
        }
    }

    fn start_workers(&mut self) {
        if self.run.check().is_err() {
            self.queue.clear();
        }
        while self.at_work.len() < self.fetcher.settings.concurrency().min(self.affordable()) {
            let Some(job) = self.queue.pop_front() else { break };
            let worker = work(Arc::clone(&self.fetcher), Arc::clone(&self.run), job);
            self.at_work.spawn(worker.in_current_span());
        }
    }

    /// How many windows may be under way with the requests that are left: a window that they do not suffice to end is
    /// read for nothing.
    fn affordable(&self) -> usize {
        let windows = self.fetcher.limiter.left() / REQUESTS_KEPT_PER_WINDOW;
        usize::try_from(windows).unwrap_or(usize::MAX).max(1)
    }

    /// Parts go first: their window has waited already.
    fn queue_parts(&mut self, whole: &Job, parts: Vec<Window>) {
        for window in parts.into_iter().rev() {
            self.queue.push_front(Job { window, ticket: Arc::clone(&whole.ticket), is_part: true });
        }
    }
}

async fn work(fetcher: Arc<Fetcher>, run: Arc<Run>, job: Job) -> (Job, Result<Outcome, ExtractError>) {
    let ticket = (!job.is_part).then_some(&*job.ticket);
    let outcome = Crawl::new(&fetcher, &run, &job.window, ticket).read().await;
    if let Err(error) = &outcome {
        run.end_if_fatal(error);
    }
    (job, outcome)
}
