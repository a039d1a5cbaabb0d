//! One page, whatever it takes: token, permit, request, and again where that helps.
//!
//! The rule: every way to fail is counted against a budget, so that nothing here goes on for ever.

use std::collections::hash_map::RandomState;
use std::sync::Arc;
use std::time::Duration;

use serde_json::error::Category;
use tokio::time::Instant;
use url::Url;

use super::auth::{Access, Authority, UnusableAnswer};
use super::classify::{self, Verdict};
use super::client::{Client, Reply, TransportError};
use super::credentials::Credentials;
use super::digest::Digest;
use super::endpoint::Endpoint;
use super::error::{Answer, Asked, Cause, ExtractError, Refusal, cause};
use super::limiter::Limiter;
use super::progress::{Counters, Event};
use super::pulse::Pulse;
use super::retry::{self, LastFailure, Run, WindowBudget};
use super::settings::{DEFAULT_PAGE_SIZE, Settings};
use super::ticket::Ticket;
use crate::model::{Page, PageError, Window};

const REPORT_PATH: &str = "/phone/reports/operationlogs";
/// A `Retry-After` of a passing failure is followed up to here.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How often a page is asked for with a new access token. Where a new token ends the one before, another program that
/// signs in to the same app ends ours, and may do so again before the page has come.
const RENEWALS_PER_PAGE: u32 = 5;

/// Everything that fetching needs, shared by all workers.
pub(super) struct Fetcher {
    pub(super) settings: Settings,
    pub(super) limiter: Arc<Limiter>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) counters: Counters,
    authority: Authority,
    client: Client,
    keys: RandomState,
}

/// A page of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) window: &'a Window,
    pub(super) number: u32,
    pub(super) token: Option<&'a str>,
    /// Says how many pages the window still has: see [`Limiter::permit`].
    pub(super) ticket: Option<&'a Ticket>,
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Stop {
    /// The page token is not valid (any more).
    TokenExpired,
    /// There is no use in trying on.
    Failed(ExtractError),
}

impl From<ExtractError> for Stop {
    fn from(error: ExtractError) -> Self {
        Self::Failed(error)
    }
}

impl Fetcher {
    pub(super) fn try_new(credentials: Credentials, settings: Settings) -> Result<Self, ExtractError> {
        if !(1..=DEFAULT_PAGE_SIZE).contains(&settings.page_size) {
            return Err(ExtractError::InvalidSetting { name: "page size", reason: "it must be 1 to 300" });
        }
        let authority = Authority::try_new(credentials, &settings)?;
        let limiter = Arc::new(Limiter::new(&settings));
        // Connections made for signing in are the API's too where one server is both.
        let (gate, any) = (Arc::clone(&limiter), authority.is_one_server());
        let on_connect = move || {
            if any || gate.has_begun() {
                gate.opened();
            }
        };
        Ok(Self {
            client: Client::try_new(&settings, authority.is_local(), on_connect)?,
            limiter,
            pulse: Arc::default(),
            counters: Counters::default(),
            authority,
            settings,
            keys: RandomState::new(),
        })
    }

    /// Signs in, if that has not been done.
    pub(super) async fn access(&self) -> Result<Access, ExtractError> {
        let (began, asked) = (Instant::now(), self.counters.token_requests.get());
        let access = self.authority.access(&self.client, &self.counters).await?;
        if self.counters.token_requests.get() > asked {
            self.pulse.signed_in(began.elapsed());
        }
        Ok(access)
    }

    /// Gets one page.
    pub(super) async fn page(
        &self,
        run: &Run,
        budget: &mut WindowBudget,
        place: Place<'_>,
    ) -> Result<(Page, Digest), Stop> {
        let mut delays = retry::delays(&self.settings.retries);
        let mut tries = Tries::default();
        loop {
            run.check()?;
            let access = self.access().await?;
            let permit = self.limiter.permit(place.ticket).await?;
            // While this worker waited for its turn, another may have learnt that there is no use.
            run.check()?;
            self.counters.requests.add();
            run.count_request();
            let sent_at = Instant::now();
            let answer = self.ask(&access, place).await;
            drop(permit);

            let failure = match answer {
                Ok((page, digest)) => {
                    self.limiter.relax(sent_at);
                    budget.relax();
                    self.pulse.observe(sent_at.elapsed());
                    if place.number == 0 {
                        self.pulse.measure(place.window, self.pages(&digest));
                    }
                    return Ok((page, digest));
                }
                Err(failure) => failure,
            };
            match self.react(run, budget, &mut tries, place, &failure)? {
                Next::AskAgain { after } => {
                    if !after.is_zero() {
                        self.limiter.hold(after);
                    }
                    tokio::time::sleep(delays.next().unwrap_or_default().max(after)).await;
                }
                Next::Pause { after } => {
                    let stalled = |stalled| failure.last(place.window).throttled(stalled);
                    self.limiter.throttle(sent_at, after).map_err(stalled)?;
                }
                Next::Renew => {
                    if tries.renewals > 1 {
                        tokio::time::sleep(delays.next().unwrap_or_default()).await;
                    }
                    self.authority.renew(&self.client, &self.counters, &access, failure.answer()).await?;
                }
            }
            self.counters.retries.add();
            self.settings.observer.tell(Event::Retry { window: place.window });
        }
    }

    /// How many pages a window fills, by its first.
    fn pages(&self, first: &Digest) -> Option<f64> {
        let per_page = match first.next_page_token {
            Some(_) => first.records.len().max(1) as f64,
            None => f64::from(self.settings.page_size),
        };
        first.total_records.map(|total| total as f64 / per_page)
    }

    /// Counts a failure, and decides what follows from it.
    fn react(
        &self,
        run: &Run,
        budget: &mut WindowBudget,
        tries: &mut Tries,
        place: Place<'_>,
        failure: &Failure,
    ) -> Result<Next, Stop> {
        let retries = &self.settings.retries;
        let verdict = failure.verdict();
        let last = failure.last(place.window);
        self.report(failure, &verdict, place, tries.failed + 1);
        match verdict {
            Verdict::Retry { after } => {
                tries.failed += 1;
                run.fail(retries, &last)?;
                budget.fail(retries, tries.failed, &last)?;
                Ok(Next::AskAgain { after: after.unwrap_or_default().min(LONGEST_WAIT) })
            }
            Verdict::Throttle { after } => {
                self.counters.throttled.add();
                self.settings.observer.tell(Event::Throttled);
                budget.throttle(retries, &last)?;
                Ok(Next::Pause { after })
            }
            Verdict::DailyLimit { resume_at } => {
                self.counters.throttled.add();
                self.limiter.exhaust(resume_at);
                Err(ExtractError::DailyLimit { resume_at }.into())
            }
            Verdict::RenewToken if tries.renewals < RENEWALS_PER_PAGE => {
                tries.renewals += 1;
                run.fail(retries, &last)?;
                Ok(Next::Renew)
            }
            Verdict::RenewToken => Err(failure.refused(Refusal::AccessToken).into()),
            Verdict::RestartWindow => {
                run.fail(retries, &last)?;
                Err(Stop::TokenExpired)
            }
            Verdict::Refuse(refusal) => Err(failure.refused(refusal).into()),
            Verdict::Reject => Err(failure.rejected(place.window).into()),
        }
    }

    async fn ask(&self, access: &Access, place: Place<'_>) -> Result<(Page, Digest), Failure> {
        let url = self.url(&access.base, place);
        let request = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let reply = self.client.get(url, &access.bearer, &access.token).await?;
        if let Some(used) = classify::used_today(&reply) {
            self.limiter.correct(used);
        }
        if reply.status != 200 {
            return Err(Failure::unusable(reply));
        }

        let page = Page {
            window: place.window.clone(),
            number: place.number,
            request,
            received_at: reply.received_at,
            status: reply.status.as_u16(),
            tracking_id: reply.tracking_id(),
            body: reply.body.clone().into(),
        };
        match Digest::try_new(&page, &self.keys) {
            Ok(digest) if digest.records.is_empty() && classify::is_complaint(&reply) => Err(Failure::unusable(reply)),
            Ok(digest) => Ok((page, digest)),
            Err(error) => Err(Failure::not_a_page(reply, error)),
        }
    }

    fn url(&self, base: &Endpoint, place: Place<'_>) -> Url {
        let Settings { date_format, page_size, .. } = &self.settings;
        let mut url = base.join(REPORT_PATH);
        url.query_pairs_mut()
            .append_pair("from", &date_format.from(place.window.from()))
            .append_pair("to", &date_format.to(place.window.to()))
            .append_pair("category_type", place.window.scope().as_str())
            .append_pair("page_size", &page_size.to_string())
            .extend_pairs(place.token.map(|token| ("next_page_token", token)));
        url
    }

    fn report(&self, failure: &Failure, verdict: &Verdict, place: Place<'_>, attempt: u32) {
        let status = failure.reply.as_ref().map(|reply| reply.status.as_u16());
        let (window, page) = (place.window, place.number);
        let Failure { cause, tracking_id, .. } = failure;
        tracing::warn!(%window, page, status, attempt, tracking_id, %cause, ?verdict, "a request for a page failed");
    }
}

/// What was tried for one page.
#[derive(Debug, Default)]
struct Tries {
    failed: u32,
    renewals: u32,
}

/// What comes before the next try.
enum Next {
    AskAgain { after: Duration },
    Pause { after: Option<Duration> },
    Renew,
}

/// A request that gave no page.
#[derive(Debug)]
struct Failure {
    reply: Option<Reply>,
    tracking_id: Option<String>,
    cause: Cause,
}

/// A body that is no page, told without a word of it.
#[derive(Debug, thiserror::Error)]
enum NotAPage {
    #[error("the body is no page of the operation log ({category:?} error at line {line}, column {column})")]
    Malformed { category: Category, line: usize, column: usize },
    #[error("the body has no list of records")]
    NoRecords,
}

impl From<PageError> for NotAPage {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Malformed(error) => {
                Self::Malformed { category: error.classify(), line: error.line(), column: error.column() }
            }
            PageError::NoRecords => Self::NoRecords,
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self { reply: None, tracking_id: error.tracking_id(), cause: cause(error) }
    }
}

impl Failure {
    fn unusable(reply: Reply) -> Self {
        let cause = cause(UnusableAnswer(classify::answer(&reply)));
        Self { tracking_id: reply.tracking_id(), reply: Some(reply), cause }
    }

    fn not_a_page(reply: Reply, error: PageError) -> Self {
        Self { tracking_id: reply.tracking_id(), reply: Some(reply), cause: cause(NotAPage::from(error)) }
    }

    fn verdict(&self) -> Verdict {
        self.reply.as_ref().map_or(Verdict::Retry { after: None }, classify::page)
    }

    fn last(&self, window: &Window) -> LastFailure {
        LastFailure {
            asked: Asked::Window(window.clone()),
            tracking_id: self.tracking_id.clone(),
            source: Cause::clone(&self.cause),
        }
    }

    fn answer(&self) -> Answer {
        self.reply.as_ref().map(classify::answer).unwrap_or_default()
    }

    fn refused(&self, refusal: Refusal) -> ExtractError {
        ExtractError::Refused { refusal, answer: Box::new(self.answer()) }
    }

    fn rejected(&self, window: &Window) -> ExtractError {
        ExtractError::Rejected { asked: Asked::Window(window.clone()), answer: Box::new(self.answer()) }
    }
}
