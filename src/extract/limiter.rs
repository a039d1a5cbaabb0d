//! When a request may leave: evenly spaced, within the plan's rate and its daily limit, for all workers together.
//!
//! The rule: every request for a page passes through [`Limiter::permit`], a repeated one too.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use governor::clock::MonotonicClock;
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::ExtractError;
use super::line::Line;
use super::pacer::Pacer;
use super::pause::{Pause, Stalled};
use super::quota::{DailyQuota, DailyUse, DayCount, Spent};
use super::settings::Settings;
use super::ticket::Ticket;

pub(super) struct Limiter {
    pacer: Mutex<Pacer<MonotonicClock>>,
    quota: Mutex<DailyQuota>,
    pause: Mutex<Pause>,
    /// One worker at a time waits for the next slot.
    line: Line,
    /// Whether a first request was let go.
    begun: AtomicBool,
    /// Whether the way to the upstream is open.
    open: watch::Sender<bool>,
    /// Requests that were let go and not answered yet.
    under_way: AtomicU64,
}

impl Limiter {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { plan, reserve, max_requests, used_today, .. } = *settings;
        Self {
            pacer: Mutex::new(Pacer::new(plan, MonotonicClock)),
            quota: Mutex::new(DailyQuota::new(plan, reserve, max_requests, used_today, Utc::now())),
            pause: Mutex::new(Pause::new(Instant::now(), &settings.retries)),
            line: Line::default(),
            begun: AtomicBool::new(false),
            open: watch::Sender::new(false),
            under_way: AtomicU64::new(0),
        }
    }

    /// Waits until one request may be sent, and counts it; fails at once when the day's requests are used up. Of those
    /// that wait, one goes first by what its `ticket` says (see [`super::line`]); without one, it is for a single page.
    /// The permit is to be held until the answer has come.
    pub(super) async fn permit(&self, ticket: Option<&Ticket>) -> Result<Permit<'_>, ExtractError> {
        let turn = self.line.turn(ticket.map_or(1, Ticket::work)).await;
        // Nobody waits for the first answer only to hear that nothing is left.
        lock(&self.quota).check(Utc::now())?;
        // Made before anything can fail or be given up: dropped, it lets the others go on.
        let is_first = !self.begun.swap(true, Ordering::Relaxed);
        let mut permit = Permit { limiter: self, is_first, is_counted: false };
        if !permit.is_first {
            // The sender lives as long as `self`, so the wait ends with an opening.
            let _ = self.open.subscribe().wait_for(|open| *open).await;
        }
        loop {
            lock(&self.quota).check(Utc::now())?;
            let until = lock(&self.pause).until();
            if until > Instant::now() {
                tokio::time::sleep_until(until).await;
                continue;
            }
            let taken = lock(&self.pacer).take();
            match taken {
                Ok(()) => break,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
        lock(&self.quota).take(Utc::now())?;
        permit.is_counted = true;
        self.under_way.fetch_add(1, Ordering::Relaxed);
        if let Some(ticket) = ticket {
            self.line.set_order(ticket.order(self.left_for_pages()));
        }
        drop(turn);
        Ok(permit)
    }

    /// A connection to the upstream is open: what is sent now is not overtaken by what is sent later.
    pub(super) fn opened(&self) {
        if !self.open.send_replace(true) && self.begun.load(Ordering::Relaxed) {
            let gap = lock(&self.pacer).gap();
            lock(&self.pause).extend(Instant::now() + gap);
        }
    }

    /// Whether a first request was let go.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// The upstream answered "too many requests per second" to a request sent at `sent_at`. Where it has done so for long
    /// and taken none, this fails, and tells how long that was.
    pub(super) fn throttle(&self, sent_at: Instant, after: Option<Duration>) -> Result<(), Stalled> {
        let is_news = lock(&self.pause).throttle(Instant::now(), sent_at, after)?;
        if is_news {
            // Others use the account too, or the way there is less even than thought.
            lock(&self.pacer).slow_down();
        }
        Ok(())
    }

    /// The upstream asks to be left alone for so long.
    pub(super) fn hold(&self, after: Duration) {
        lock(&self.pause).hold(Instant::now(), after);
    }

    /// The upstream took a request sent at `sent_at`.
    pub(super) fn relax(&self, sent_at: Instant) {
        lock(&self.pause).relax(sent_at);
    }

    /// The upstream says that the day's requests are used up.
    pub(super) fn exhaust(&self, resume_at: DateTime<Utc>) {
        lock(&self.quota).exhaust(resume_at);
    }

    /// The upstream says how many requests of the day all apps of the account have made.
    pub(super) fn correct(&self, used: DailyUse) {
        lock(&self.quota).correct(used, Utc::now());
    }

    /// The account's requests a day, where the upstream has said how many.
    pub(super) fn told_limit(&self) -> Option<u32> {
        lock(&self.quota).told_limit()
    }

    /// Others have made so many requests by now.
    pub(super) fn set_others(&self, others: DayCount) {
        lock(&self.quota).set_others(others, Utc::now());
    }

    /// How many requests may still be sent today by this run.
    pub(super) fn left(&self) -> u64 {
        lock(&self.quota).left(Utc::now())
    }

    /// How many requests a run may make at best.
    pub(super) fn most(&self) -> u64 {
        lock(&self.quota).most()
    }

    /// The same as [`Self::left`], with those that are under way: their pages have not come yet, and count as work.
    pub(super) fn left_for_pages(&self) -> u64 {
        self.left() + self.under_way.load(Ordering::Relaxed)
    }

    /// The requests of this UTC day.
    pub(super) fn today(&self) -> DayCount {
        lock(&self.quota).count(Utc::now())
    }
}

impl From<Spent> for ExtractError {
    fn from(spent: Spent) -> Self {
        match spent {
            Spent::Day(resume_at) => Self::DailyLimit { resume_at },
            Spent::Run => Self::RunLimit,
        }
    }
}

/// The right to send one request.
///
/// The first one of all goes alone until its connection is open: what is sent meanwhile would arrive together with it.
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    is_first: bool,
    is_counted: bool,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_counted {
            self.limiter.under_way.fetch_sub(1, Ordering::Relaxed);
        }
        if self.is_first {
            self.limiter.opened();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::settings::Retries;
    use super::*;

    fn limiter(plan: &str, throttle_pause: Duration) -> Limiter {
        let retries = Retries { throttle_pause, ..Retries::default() };
        Limiter::new(&Settings { plan: plan.parse().unwrap(), retries, ..Settings::default() })
    }

    #[tokio::test]
    async fn the_first_request_goes_alone_until_it_is_answered() {
        let limiter = limiter("50/s,100/day", Duration::ZERO);
        let first = limiter.permit(None).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(60), limiter.permit(None)).await.is_err());
        let answered = Instant::now();
        drop(first);
        let _second = limiter.permit(None).await.unwrap();
        assert!(answered.elapsed() >= Duration::from_millis(20));
        let _third = limiter.permit(None).await.unwrap();
        assert_eq!((limiter.left(), limiter.left_for_pages()), (97, 99));
    }

    #[tokio::test]
    async fn an_open_connection_lets_the_others_follow() {
        let limiter = limiter("50/s,100/day", Duration::ZERO);
        let _first = limiter.permit(None).await.unwrap();
        limiter.opened();
        let opened = Instant::now();
        let _second = limiter.permit(None).await.unwrap();
        assert!(opened.elapsed() >= Duration::from_millis(20));
    }

    #[tokio::test]
    async fn a_first_request_that_is_given_up_holds_nobody_up() {
        let limiter = limiter("50/s,100/day", Duration::ZERO);
        lock(&limiter.pause).extend(Instant::now() + Duration::from_millis(100));
        assert!(tokio::time::timeout(Duration::from_millis(20), limiter.permit(None)).await.is_err());
        assert!(tokio::time::timeout(Duration::from_secs(5), limiter.permit(None)).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_for_a_day_that_is_used_up() {
        let limiter = limiter("1/s,1/day", Duration::from_secs(60));
        drop(limiter.permit(None).await.unwrap());
        limiter.throttle(Instant::now(), None).unwrap();
        let began = Instant::now();
        assert!(matches!(limiter.permit(None).await, Err(ExtractError::DailyLimit { .. })));
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(limiter.today().requests, 1);
    }
}
