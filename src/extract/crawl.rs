//! Reads one window until the reading is stable.
//!
//! ```text
//! Window -> sweep (first page to last) -> proved?  yes -> WindowRead
//!             ^                              | no
//!             +------------------------------+  a bounded number of times
//! ```
//!
//! The rule: the end is an absent page token and nothing else, and a sweep counts only when its records are as many as
//! the upstream reports, or when two sweeps in a row found the same ones.

use std::collections::HashSet;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::digest::{self, Digest, RecordHash};
use super::error::{Disturbance, ErrorKind, ExtractError};
use super::fetch::{Fetcher, Place, Stop};
use super::progress::Event;
use super::retry::{self, Run, WindowBudget};
use super::ticket::Ticket;
use crate::model::{Page, Window, WindowRead};

/// No window has this many pages: it would be millions of records.
const MOST_PAGES: u32 = 20_000;

/// Days after its last one for which records may still arrive in a window.
const SETTLING: Days = Days::new(4);

/// What became of a window.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was read.
    Whole(WindowRead),
    /// It is to be asked for in these parts instead; none where nothing of it is there yet.
    Parts(Vec<Window>),
    /// It is to be begun anew when there are requests, and memory, enough for it: it has so many pages.
    PutOff(u64),
}

/// What ends a sweep early.
enum Interruption {
    Disturbed(Disturbance),
    Parts(Vec<Window>),
    PutOff(u64),
    Failed(ExtractError),
}

impl From<Disturbance> for Interruption {
    fn from(disturbance: Disturbance) -> Self {
        Self::Disturbed(disturbance)
    }
}

pub(super) struct Crawl<'a> {
    fetcher: &'a Fetcher,
    run: &'a Run,
    window: &'a Window,
    /// With it, the window may be shared out.
    ticket: Option<&'a Ticket>,
    budget: WindowBudget,
    /// How many pages came, those of discarded readings included.
    pages: u64,
    /// Of the last page that came.
    tracking_id: Option<String>,
}

impl<'a> Crawl<'a> {
    pub(super) fn new(fetcher: &'a Fetcher, run: &'a Run, window: &'a Window, ticket: Option<&'a Ticket>) -> Self {
        Self { fetcher, run, window, ticket, budget: WindowBudget::new(), pages: 0, tracking_id: None }
    }

    /// Reads the window until a reading is stable, or finds that it is better asked for in parts.
    pub(super) async fn read(mut self) -> Result<Outcome, ExtractError> {
        let mut delays = retry::delays(&self.fetcher.settings.retries);
        let mut former = None;
        let mut reads = 0;
        loop {
            reads += 1;
            let disturbance = match self.sweep().await {
                Ok(sweep) if sweep.is_proved() || former.as_ref() == Some(&sweep.multiset()) => {
                    return Ok(self.whole(sweep, reads));
                }
                Ok(sweep) => {
                    former = Some(sweep.multiset());
                    Disturbance::Unconfirmed { received: sweep.received() }
                }
                Err(Interruption::Disturbed(disturbance)) => {
                    former = None;
                    disturbance
                }
                Err(Interruption::Parts(parts)) => return Ok(self.cut(parts)),
                Err(Interruption::PutOff(pages)) => {
                    tracing::info!(window = %self.window, pages, "window waits until there is room for it");
                    return Ok(Outcome::PutOff(pages));
                }
                Err(Interruption::Failed(error)) => return Err(error),
            };
            if reads >= self.fetcher.settings.reads_per_window.max(1) {
                return self.give_up(reads, disturbance);
            }

            tracing::debug!(window = %self.window, reads, %disturbance, "window is read again");
            self.fetcher.settings.observer.tell(Event::Reread { window: self.window });
            if former.is_none() {
                tokio::time::sleep(delays.next().unwrap_or_default()).await;
            }
        }
    }

    /// Reads from the first page to the last.
    async fn sweep(&mut self) -> Result<Sweep, Interruption> {
        let mut sweep = Sweep::new(self.window);
        loop {
            match self.step(&mut sweep).await {
                Ok(true) => {}
                Ok(false) => return sweep.end(),
                Err(Interruption::Disturbed(disturbance)) if sweep.is_past_its_end(&disturbance) => {
                    sweep.is_doubtful = true;
                    return sweep.end();
                }
                Err(interruption) => return Err(interruption),
            }
        }
    }

    /// Reads one page, and tells whether there is another one.
    async fn step(&mut self, sweep: &mut Sweep) -> Result<bool, Interruption> {
        let (page, mut digest) = self.page(sweep).await?;
        self.check_days(sweep, &page, &digest)?;
        let next = digest.next_page_token.take();
        let is_first = sweep.pages.is_empty();
        sweep.add(page, digest)?;
        if let Some(Page { body, .. }) = sweep.pages.last() {
            self.fetcher.pulse.weigh(body.len(), body.kept_len());
        }
        let goes_on = next.is_some();
        if let Some(next) = next {
            sweep.go_on(next)?;
        }
        if is_first {
            self.share_out(sweep, goes_on)?;
        }
        if let Some(ticket) = self.ticket {
            ticket.advance();
        }
        Ok(goes_on)
    }

    async fn page(&mut self, sweep: &Sweep) -> Result<(Page, Digest), Interruption> {
        self.check_requests(sweep)?;
        let place =
            Place { window: self.window, number: sweep.number(), token: sweep.token.as_deref(), ticket: self.ticket };
        match self.fetcher.page(self.run, &mut self.budget, place).await {
            Ok((page, digest)) => {
                self.fetcher.counters.pages.add();
                self.pages += 1;
                self.tracking_id.clone_from(&page.tracking_id);
                self.fetcher.settings.observer.tell(Event::Page {
                    window: self.window,
                    number: page.number,
                    records: digest.records.len(),
                    total: digest.total_records,
                });
                Ok((page, digest))
            }
            Err(Stop::TokenExpired) => Err(Disturbance::TokenExpired { page: place.number }.into()),
            Err(Stop::Failed(error)) => Err(Interruption::Failed(self.failed(sweep, error))),
        }
    }

    /// Stops in time where the requests that are left do not suffice for all windows at work.
    fn check_requests(&self, sweep: &Sweep) -> Result<(), Interruption> {
        let Some(ticket) = self.ticket else { return Ok(()) };
        let (read, limiter) = (sweep.number().into(), &self.fetcher.limiter);
        if let Some(parts) = ticket.cut_to_fit(read, limiter.left()) {
            return Err(Interruption::Parts(parts));
        }
        if let Some(pages) = ticket.exceeds(read, limiter.most()) {
            return Err(Interruption::Failed(self.too_long(pages)));
        }
        ticket.put_off(read, limiter.left_for_pages()).map_or(Ok(()), |pages| Err(Interruption::PutOff(pages)))
    }

    /// The failure that follows from `error`. Where a run has asked for pages of this window alone, and they were not all, the
    /// next one would do no better; that a window with a total is so long, it shows before.
    fn failed(&self, sweep: &Sweep, error: ExtractError) -> ExtractError {
        let limiter = &self.fetcher.limiter;
        let had_all = match error.kind() {
            ErrorKind::RunLimit => true,
            ErrorKind::DailyLimit => u64::from(limiter.today().requests) == self.fetcher.counters.requests.get(),
            _ => false,
        };
        let is_alone = self.pages > 0 && self.pages == self.run.requests();
        if had_all && is_alone && sweep.reported.is_none() { self.too_long(self.pages + 1) } else { error }
    }

    fn too_long(&self, pages: u64) -> ExtractError {
        ExtractError::TooLong { window: self.window.clone(), pages, limit: self.fetcher.limiter.most() }
    }

    /// An echo of fewer days than were asked for means that the upstream clamped the window. Of more days, as a
    /// date-time in another time zone may seem to be, it means no loss.
    fn check_days(&self, sweep: &mut Sweep, page: &Page, digest: &Digest) -> Result<(), Interruption> {
        let from = digest.from.unwrap_or(self.window.from());
        let to = digest.to.unwrap_or(self.window.to());
        if from <= self.window.from() && to >= self.window.to() {
            return Ok(());
        }
        let today = page.received_at.date_naive();
        // West of Greenwich it is yesterday for some hours yet, and nothing is lost of a day that has not begun.
        if from <= self.window.from() && self.window.to() == today && to.succ_opt() == Some(today) {
            sweep.read_to = Some(to);
            return Ok(());
        }
        tracing::warn!(window = %self.window, %from, %to, "the upstream clamped the window");
        Err(self.clamped(from, to))
    }

    fn clamped(&self, from: NaiveDate, to: NaiveDate) -> Interruption {
        match self.window.halves() {
            Some((left, right)) => Interruption::Parts(vec![left, right]),
            None => Interruption::Failed(ExtractError::Clamped { window: self.window.clone(), from, to }),
        }
    }

    /// Now that it is known how long the window is, it may be better to ask for parts.
    fn share_out(&self, sweep: &Sweep, goes_on: bool) -> Result<(), Interruption> {
        let Some((ticket, total)) = self.ticket.zip(sweep.reported) else { return Ok(()) };
        let pages = if goes_on { total.div_ceil(sweep.received().max(1)) } else { 1 };
        ticket.begin(pages, goes_on).map_or(Ok(()), |parts| Err(Interruption::Parts(parts)))
    }

    fn whole(&self, sweep: Sweep, reads: u32) -> Outcome {
        let (pages, records) = (sweep.pages.len(), sweep.received());
        tracing::info!(window = %self.window, pages, records, reads, "window read");
        self.fetcher.settings.observer.tell(Event::Whole { window: self.window, pages, records });
        if sweep.reported.is_none() {
            self.fetcher.pulse.measure_untold(self.window, pages as f64 * f64::from(reads));
        }
        let Ok(window) = self.window.until(sweep.read_to.unwrap_or(self.window.to())) else {
            // Its only day has not begun.
            return Outcome::Parts(Vec::new());
        };
        Outcome::Whole(WindowRead {
            pages: sweep.pages.into_iter().map(|page| Page { window: window.clone(), ..page }).collect(),
            window,
            reported: sweep.reported,
            received: records,
            reads,
            started_at: sweep.started_at,
        })
    }

    fn cut(&self, parts: Vec<Window>) -> Outcome {
        tracing::info!(window = %self.window, parts = parts.len(), "window is asked for in parts");
        self.fetcher.settings.observer.tell(Event::Cut { window: self.window, parts: parts.len() });
        Outcome::Parts(parts)
    }

    /// Where records come and go, part of the window may hold still. Where the numbers merely disagree, asking for
    /// parts would only spend requests.
    fn give_up(&self, reads: u32, reason: Disturbance) -> Result<Outcome, ExtractError> {
        match self.window.halves().filter(|_| reason.is_movement()) {
            Some((left, right)) => Ok(self.cut(vec![left, right])),
            None => {
                let (window, tracking_id) = (self.window.clone(), self.tracking_id.clone());
                Err(ExtractError::Unstable { window, reads, tracking_id, reason })
            }
        }
    }
}

/// One reading of a window, so far.
struct Sweep {
    started_at: DateTime<Utc>,
    pages: Vec<Page>,
    records: Vec<RecordHash>,
    /// How many of the records lie on the last page.
    on_last_page: usize,
    reported: Option<u64>,
    /// Whether records may still arrive in the window.
    is_open: bool,
    /// The last day that there is, where the window's own has not begun.
    read_to: Option<NaiveDate>,
    /// Whether something looks as if records had moved, been replaced or been damaged, or is wrong about the end.
    is_doubtful: bool,
    token: Option<String>,
    seen_tokens: HashSet<String>,
    /// A hash for each page with records.
    seen_pages: HashSet<u64>,
}

impl Sweep {
    fn new(window: &Window) -> Self {
        let started_at = Utc::now();
        let settled = window.to().checked_add_days(SETTLING).is_some_and(|day| day < started_at.date_naive());
        Self {
            started_at,
            pages: Vec::new(),
            records: Vec::new(),
            on_last_page: 0,
            reported: None,
            is_open: !settled,
            read_to: None,
            is_doubtful: false,
            token: None,
            seen_tokens: HashSet::new(),
            seen_pages: HashSet::new(),
        }
    }

    /// The number of the page to come; [`MOST_PAGES`] keeps it in range.
    fn number(&self) -> u32 {
        u32::try_from(self.pages.len()).unwrap_or(u32::MAX)
    }

    fn received(&self) -> u64 {
        self.records.len() as u64
    }

    fn add(&mut self, page: Page, digest: Digest) -> Result<(), Disturbance> {
        if let (Some(before), Some(after)) = (self.reported, digest.total_records)
            && before != after
        {
            return Err(Disturbance::TotalChanged { before, after });
        }
        self.reported = self.reported.or(digest.total_records);
        let last_page = &self.records[self.records.len() - self.on_last_page..];
        let shared = digest::overlap(last_page, &digest.records);
        let is_repeated = !digest.records.is_empty() && !self.seen_pages.insert(digest::hash(&digest.records));
        self.is_doubtful |= shared > 0 && (self.is_open || shared == digest.records.len());
        self.is_doubtful |= is_repeated || !digest.is_unicode;
        self.on_last_page = digest.records.len();
        self.records.extend(digest.records);
        self.pages.push(Page { body: page.body.packed(), ..page });
        match self.reported {
            Some(reported) if self.received() > reported => self.missed(reported),
            _ => Ok(()),
        }
    }

    /// Takes the token of the next page.
    fn go_on(&mut self, token: String) -> Result<(), Disturbance> {
        let page = self.number() - 1;
        if self.on_last_page == 0 {
            return Err(Disturbance::EmptyPage { page });
        }
        if self.number() >= MOST_PAGES {
            return Err(Disturbance::TooManyPages { pages: self.number() });
        }
        if !self.seen_tokens.insert(token.clone()) {
            return Err(Disturbance::RepeatedToken { page });
        }
        self.token = Some(token);
        Ok(())
    }

    /// Whether all that was reported had come before `disturbance`: a token that leads nowhere came with the last
    /// record. The reading is whole then, if a second one says so too.
    fn is_past_its_end(&self, disturbance: &Disturbance) -> bool {
        let leads_nowhere = matches!(
            disturbance,
            Disturbance::TokenExpired { .. } | Disturbance::EmptyPage { .. } | Disturbance::RepeatedToken { .. }
        );
        leads_nowhere && self.reported == Some(self.received())
    }

    /// There is no further page.
    fn end(self) -> Result<Self, Interruption> {
        match self.reported {
            Some(reported) if self.received() != reported => Ok(self.missed(reported).map(|()| self)?),
            _ => Ok(self),
        }
    }

    fn missed(&self, reported: u64) -> Result<(), Disturbance> {
        Err(Disturbance::TotalMissed { reported, received: self.received() })
    }

    /// Whether the reading proves itself: the total agrees, and nothing hints at records that moved from page to page
    /// while it was read. Twins at a page's edge are such a hint, so they call for a second reading; in a window where
    /// nothing arrives any more they do so only when a whole page is repeated.
    fn is_proved(&self) -> bool {
        self.reported.is_some() && !self.is_doubtful
    }

    /// The records, in an order that does not depend on how they were paged.
    fn multiset(&self) -> Vec<RecordHash> {
        let mut records = self.records.clone();
        records.sort_unstable();
        records
    }
}
