//! The upstream as the rest of the program sees it: windows in, whole windows out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::crawl::{Crawl, Outcome};
use super::credentials::Credentials;
use super::digest::Digest;
use super::error::{ExtractError, WindowFailure};
use super::fetch::{Fetcher, Place, Stop};
use super::progress::{Event, Usage};
use super::quota::{DayCount, Plan};
use super::retry::{Run, WindowBudget};
use super::seconds;
use super::settings::{DateFormat, Settings};
use super::share::{Load, UNTOLD_PAGES, UnderWay};
use super::tally::{Tally, Unaccounted};
use super::ticket::Ticket;
use crate::model::{Page, Scope, Seam, Window, WindowRead};

/// An account's operation log. Clones share connections, token, limits and counters.
#[derive(Clone)]
pub struct Source {
    fetcher: Arc<Fetcher>,
    tally: Arc<Tally>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("settings", &self.fetcher.settings).finish_non_exhaustive()
    }
}

impl Source {
    /// A source for the account of `credentials`. Nothing is asked yet.
    pub fn try_new(credentials: Credentials, settings: Settings) -> Result<Self, ExtractError> {
        Ok(Self { fetcher: Arc::new(Fetcher::try_new(credentials, settings)?), tally: Arc::default() })
    }

    /// Signs in: fails when the credentials are refused. Scopes show only when a window is read.
    pub async fn sign_in(&self) -> Result<(), ExtractError> {
        self.fetcher.access().await.map(|_| ())
    }

    /// How many records the upstream reports for a window, where it says so, for the price of one page.
    pub async fn total(&self, window: &Window) -> Result<Option<u64>, WindowFailure> {
        Ok(self.first_page(window).await?.and_then(|(_, digest)| digest.total_records))
    }

    async fn first_page(&self, window: &Window) -> Result<Option<(Page, Digest)>, WindowFailure> {
        let place = Place { window, number: 0, token: None, ticket: None };
        match self.fetcher.page(&Run::default(), &mut WindowBudget::new(), place).await {
            Ok(first) => Ok(Some(first)),
            Err(Stop::Failed(error)) => Err(WindowFailure { window: window.clone(), error }),
            // No token was sent, so the complaint cannot be about one; there is no page to be had.
            Err(Stop::TokenExpired) => Ok(None),
        }
    }

    /// Whether windows are asked for by their days, so that it can be found out how they may meet. By date-times they
    /// always share a day: whether the last second counts is no more known than whether the last day does.
    pub fn asks_for_days(&self) -> bool {
        self.fetcher.settings.date_format == DateFormat::Date
    }

    /// Finds out how windows may meet, from the totals of `day`, of the next and of both together, for the price of
    /// three pages. `None` where the days hold nothing or the upstream gives no totals: then another day may tell.
    ///
    /// A day counts as one only where its page shows records of two seconds: were the last day of a window included with
    /// its first second only, and had all happened in that second, the totals would add up too.
    ///
    /// Both days should be so old that nothing arrives in them any more. Totals that do not add up mean that days must
    /// be shared: a last day that is not included shows as a day without records, or as two days that hold as much as
    /// the first alone.
    pub async fn calibrate(&self, day: NaiveDate) -> Result<Option<Seam>, WindowFailure> {
        let next = day.succ_opt().unwrap_or(day);
        let window = |from, to| Window::try_new(from, to, Scope::All);
        let (Ok(first), Ok(second), Ok(both)) = (window(day, day), window(next, next), window(day, next)) else {
            return Ok(None);
        };
        let (first, second, both) = tokio::try_join!(self.first_page(&first), self.total(&second), self.total(&both))?;
        let is_more_than_a_second = first.as_ref().is_some_and(|(page, _)| seconds::are_several(page));
        let first = first.and_then(|(_, digest)| digest.total_records);
        let (Some(first), Some(second), Some(both)) = (first, second, both) else { return Ok(None) };
        Ok(match (first, second) {
            _ if both == 0 => None,
            // Each day alone holds something, so the last day of a window is included; together they hold it once.
            (1.., 1..) if first.checked_add(second) == Some(both) => is_more_than_a_second.then_some(Seam::Adjacent),
            // A day that is empty proves nothing, unless a window of one day can hold nothing at all.
            (0, 1..) | (1.., 0) => None,
            _ => Some(Seam::Shared),
        })
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
                // Only windows that are read beside others are put off.
                Ok(Outcome::PutOff(_)) => open.push(window),
                Err(error) => return Err(WindowFailure { window, error }),
            }
        }
        Ok(reads)
    }

    /// Reads many windows side by side, and hands them on as they become whole, in any order.
    ///
    /// A window may come as several that together ask for the same days and meet as `seam` says. A failure ends its own
    /// window only, unless every other would meet it too ([`ExtractError::is_fatal`]): then no further window is
    /// started, those under way fail likewise, and the stream ends without a word on the rest. Not more windows than
    /// [`crate::extract::Settings::concurrency`], and not many more pages than the rate needs, are in memory at a time,
    /// read ones that were not yet taken included. The work goes on between polls, and ends when the stream is dropped.
    pub fn read_all(
        &self,
        windows: impl IntoIterator<Item = Window>,
        seam: Seam,
    ) -> BoxStream<'static, Result<WindowRead, WindowFailure>> {
        self.read_until(windows, seam, CancellationToken::new())
    }

    /// The same until `stop` is cancelled: then windows that are whole already are handed on, those under way are given
    /// up, and the stream ends.
    pub fn read_until(
        &self,
        windows: impl IntoIterator<Item = Window>,
        seam: Seam,
        stop: CancellationToken,
    ) -> BoxStream<'static, Result<WindowRead, WindowFailure>> {
        let crew = Crew::new(Arc::clone(&self.fetcher), windows, seam, stop);
        stream::unfold(crew, |mut crew| async move { crew.next().await.map(|item| (item, crew)) }).boxed()
    }

    /// A ledger accounts for so many requests of the account by now: those that others made count against the day's
    /// limit, too.
    pub(crate) fn note_ledger(&self, ledger: DayCount) {
        self.fetcher.limiter.set_others(self.tally.others(ledger));
    }

    /// The requests that no ledger accounts for yet, for a commit to do so.
    pub(crate) fn unaccounted(&self) -> Unaccounted<'_> {
        self.tally.claim(self.fetcher.counters.requests.get())
    }

    /// The limits that the source keeps to.
    pub fn plan(&self) -> Plan {
        self.fetcher.settings.plan
    }

    /// How many requests a day the upstream allows the account, where an answer has said so.
    pub fn allowed_per_day(&self) -> Option<u32> {
        self.fetcher.limiter.told_limit()
    }

    /// What was used since the source was made.
    pub fn usage(&self) -> Usage {
        self.fetcher.counters.usage(self.fetcher.limiter.today())
    }
}

/// A window that waits for a worker.
struct Job {
    window: Window,
    ticket: Ticket,
    is_part: bool,
    /// How many it was likely to have when it was begun.
    pages: f64,
    /// How many it has, where it was begun before.
    known: Option<u64>,
}

/// The workers of one run.
struct Crew {
    fetcher: Arc<Fetcher>,
    run: Arc<Run>,
    load: Arc<Load>,
    queue: VecDeque<Job>,
    /// As many as the windows at work were likely to have when they were begun.
    pages_under_way: f64,
    at_work: JoinSet<(Job, Result<Outcome, ExtractError>)>,
    stop: CancellationToken,
}

impl Crew {
    fn new(
        fetcher: Arc<Fetcher>,
        windows: impl IntoIterator<Item = Window>,
        seam: Seam,
        stop: CancellationToken,
    ) -> Self {
        let settings = &fetcher.settings;
        let load = Load::new(Arc::clone(&fetcher.pulse), settings.plan, settings.concurrency(), seam);
        let queue: VecDeque<Job> = windows.into_iter().map(|window| job(&load, window, false)).collect();
        fetcher
            .settings
            .observer
            .tell(Event::Planned { windows: queue.len(), per_second: settings.plan.per_second.get() });
        Self { fetcher, run: Arc::default(), load, queue, pages_under_way: 0.0, at_work: JoinSet::new(), stop }
    }

    /// The next window that is whole or has failed; `None` when all are done.
    async fn next(&mut self) -> Option<Result<WindowRead, WindowFailure>> {
        loop {
            if self.stop.is_cancelled() {
                return self.whole_by_now().map(Ok);
            }
            self.start_workers();
            let done = tokio::select! {
                done = self.at_work.join_next() => done?,
                () = self.fetcher.pulse.changed(), if !self.queue.is_empty() => continue,
                () = self.stop.cancelled() => continue,
            };
            let (job, outcome) = match done {
                Ok(done) => done,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // Workers are aborted with the stream only, and then nobody asks for more.
                    Err(_) => continue,
                },
            };
            self.pages_under_way -= job.pages;
            match outcome {
                Ok(Outcome::Whole(read)) => return Some(Ok(read)),
                Ok(Outcome::Parts(parts)) => self.queue_parts(parts),
                Ok(Outcome::PutOff(pages)) => {
                    self.queue.push_front(Job { known: Some(pages), ..self::job(&self.load, job.window, job.is_part) });
                }
                Err(error) => return Some(Err(WindowFailure { window: job.window, error })),
            }
        }
    }

    /// A window that has become whole and was not handed on yet.
    fn whole_by_now(&mut self) -> Option<WindowRead> {
        let done = std::iter::from_fn(|| self.at_work.try_join_next());
        done.filter_map(Result::ok).find_map(|(_, outcome)| match outcome {
            Ok(Outcome::Whole(read)) => Some(read),
            _ => None,
        })
    }

    fn start_workers(&mut self) {
        if self.run.check().is_err() {
            self.queue.clear();
        }
        while let Some(mut job) = self.queue.pop_front() {
            if let Some(parts) = self.load.cut_unread(&job.window).filter(|_| !job.is_part) {
                self.cut(job, parts);
                continue;
            }
            let undone = self.queue.len() + 1 + self.at_work.len();
            job.pages = job.known.map_or_else(|| self.load.pages(&job.window), |pages| pages as f64);
            let under_way = UnderWay { windows: self.at_work.len(), pages: self.pages_under_way };
            let expected = job.known.or_else(|| self.load.expected_pages(&job.window));
            let left = self.fetcher.limiter.left();
            if self.at_work.is_empty()
                && let Some(parts) = expected.and_then(|pages| self.load.cut_to_fit(&job.window, pages, left))
            {
                self.cut(job, parts);
                continue;
            }
            // One is read in any case: it is not certain that it does not fit.
            let expected = expected.unwrap_or(UNTOLD_PAGES);
            let is_affordable =
                self.at_work.is_empty() || self.load.can_afford(expected, self.fetcher.limiter.left_for_pages());
            if !is_affordable || !self.load.has_room(under_way, job.pages, undone) {
                self.queue.push_front(job);
                break;
            }
            self.pages_under_way += job.pages;
            job.ticket.start(expected);
            let worker = work(Arc::clone(&self.fetcher), Arc::clone(&self.run), job);
            self.at_work.spawn(worker.in_current_span());
        }
    }

    /// Puts parts in the place of a window of which nothing was read.
    fn cut(&mut self, job: Job, parts: Vec<Window>) {
        self.fetcher.settings.observer.tell(Event::Cut { window: &job.window, parts: parts.len() });
        drop(job);
        self.queue_parts(parts);
    }

    /// Parts go first: their window has waited already.
    fn queue_parts(&mut self, parts: Vec<Window>) {
        for window in parts.into_iter().rev() {
            self.queue.push_front(job(&self.load, window, true));
        }
    }
}

fn job(load: &Arc<Load>, window: Window, is_part: bool) -> Job {
    Job { ticket: load.ticket(&window, is_part), window, is_part, pages: 0.0, known: None }
}

async fn work(fetcher: Arc<Fetcher>, run: Arc<Run>, job: Job) -> (Job, Result<Outcome, ExtractError>) {
    let outcome = Crawl::new(&fetcher, &run, &job.window, Some(&job.ticket)).read().await;
    if let Err(error) = &outcome {
        run.end_if_fatal(error);
    }
    (job, outcome)
}
