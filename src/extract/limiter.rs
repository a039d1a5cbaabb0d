//! When a request may leave: evenly spaced, within the plan's rate and its daily limit, for all workers together.
//!
//! The rule: every request for a page passes through [`Limiter::permit`], a repeated one too.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::ExtractError;
use super::line::Line;
use super::quota::{DailyQuota, DailyUse, DayCount, Plan, Spent};
use super::settings::Settings;

/// How long a pause grows when throttling does not end.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Limiter {
    pacer: Mutex<Pacer<MonotonicClock>>,
    quota: Mutex<DailyQuota>,
    pause: Mutex<Pause>,
    first_pause: Duration,
    /// One worker at a time waits for the next slot.
    line: Line,
    /// Whether a first request was let go.
    begun: AtomicBool,
    /// Whether the way to the upstream is open.
    open: watch::Sender<bool>,
}

impl Limiter {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { plan, reserve, max_requests, used_today, .. } = *settings;
        Self {
            pacer: Mutex::new(Pacer::new(plan, MonotonicClock)),
            quota: Mutex::new(DailyQuota::new(plan, reserve, max_requests, used_today, Utc::now())),
            pause: Mutex::new(Pause::none()),
            first_pause: settings.retries.throttle_pause,
            line: Line::default(),
            begun: AtomicBool::new(false),
            open: watch::Sender::new(false),
        }
    }

    /// Waits until one request may be sent, and counts it; fails at once when the day's requests are used up. Of those
    /// that wait, the one with the most `work` left goes first. The permit is to be held until the answer has come.
    pub(super) async fn permit(&self, work: u64) -> Result<Permit<'_>, ExtractError> {
        let turn = self.line.turn(work).await;
        let is_first = !self.begun.swap(true, Ordering::Relaxed);
        if !is_first {
            // The sender lives as long as `self`, so the wait ends with an opening.
            let _ = self.open.subscribe().wait_for(|open| *open).await;
        }
        loop {
            lock(&self.quota).check(Utc::now())?;
            let until = lock(&self.pause).until;
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
        drop(turn);
        Ok(Permit { limiter: self, is_first })
    }

    /// A connection to the upstream is open: what is sent now is not overtaken by what is sent later.
    pub(super) fn opened(&self) {
        if !self.open.send_replace(true) && self.begun.load(Ordering::Relaxed) {
            let gap = lock(&self.pacer).gap();
            let mut pause = lock(&self.pause);
            pause.until = pause.until.max(Instant::now() + gap);
        }
    }

    /// Whether a first request was let go.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// The upstream answered "too many requests per second" to a request sent at `sent_at`.
    pub(super) fn throttle(&self, sent_at: Instant, after: Option<Duration>) {
        let mut pause = lock(&self.pause);
        // Requests that were in flight together are throttled together: that is one reason to slow down, not many.
        if sent_at >= pause.throttled_until {
            pause.length = (pause.length * 2).clamp(self.first_pause, LONGEST_PAUSE.max(self.first_pause));
            // Others use the account too, or the way there is less even than thought.
            lock(&self.pacer).slow_down();
        }
        let length = pause.length.max(after.unwrap_or_default().min(LONGEST_PAUSE));
        pause.throttled_until = pause.throttled_until.max(Instant::now() + length);
        pause.until = pause.until.max(pause.throttled_until);
    }

    /// The upstream took a request sent at `sent_at`.
    pub(super) fn relax(&self, sent_at: Instant) {
        let mut pause = lock(&self.pause);
        if sent_at >= pause.throttled_until {
            pause.length = Duration::ZERO;
        }
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
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_first {
            self.limiter.opened();
        }
    }
}

struct Pause {
    /// No request leaves before.
    until: Instant,
    /// The end of the last pause that throttling caused.
    throttled_until: Instant,
    /// How long that was; nothing once a later request was taken.
    length: Duration,
}

impl Pause {
    fn none() -> Self {
        let now = Instant::now();
        Self { until: now, throttled_until: now, length: Duration::ZERO }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Evenly spaced slots.
///
/// A request takes as many cells as 1.02 seconds hold, divided by the rate, so `rate + 1` requests span at least 1.02
/// seconds. A worker that the runtime wakes late may shorten the next gap by what it was late, at most 5 ms; that
/// leaves 15 ms for requests to draw closer on their way, and no second of the upstream's, wherever it begins, sees
/// more than `rate` of them. Where that proves too little, the gap grows.
struct Pacer<C: Clock> {
    cells: Cells<C>,
    cost: NonZeroU32,
    most_cost: NonZeroU32,
    clock: C,
}

type Cells<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

const CELL: Duration = Duration::from_micros(10);
const CELLS_IN_A_WIDE_SECOND: u32 = 102_000;
const CELLS_OF_LATENESS: u32 = 500;
/// A gap grows by one part in so many, to twice its first length at most.
const GROWTH: u32 = 50;

impl<C: Clock + Clone> Pacer<C> {
    fn new(plan: Plan, clock: C) -> Self {
        let cost = CELLS_IN_A_WIDE_SECOND.div_ceil(plan.per_second.get());
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        Self { cells: cells(cost, &clock), cost, most_cost: cost.saturating_add(cost.get()), clock }
    }

    /// From one slot to the next.
    fn gap(&self) -> Duration {
        CELL * self.cost.get()
    }

    fn slow_down(&mut self) {
        self.cost = self.cost.saturating_add(self.cost.get().div_ceil(GROWTH)).min(self.most_cost);
        self.cells = cells(self.cost, &self.clock);
    }

    /// Takes the next slot if it has come, or tells how long to wait for it.
    fn take(&self) -> Result<(), Duration> {
        match self.cells.check_n(self.cost) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(not_until.wait_time_from(self.clock.now())),
            // The burst is larger than the cost by construction. Should that ever break, waiting is the safe side.
            Err(_) => Err(Duration::from_secs(1)),
        }
    }
}

fn cells<C: Clock + Clone>(cost: NonZeroU32, clock: &C) -> Cells<C> {
    let quota = Quota::with_period(CELL).unwrap_or(Quota::per_second(cost));
    RateLimiter::direct_with_clock(quota.allow_burst(cost.saturating_add(CELLS_OF_LATENESS)), clock.clone())
}

#[cfg(test)]
mod tests {
    use super::super::settings::Retries;
    use governor::clock::FakeRelativeClock;

    use super::*;

    /// When requests leave if every wake-up is late by what `lateness` says, in microseconds.
    fn departures(plan: Plan, count: usize, mut lateness: impl FnMut(usize) -> u64) -> Vec<u64> {
        let clock = FakeRelativeClock::default();
        let pacer = Pacer::new(plan, clock.clone());
        let mut now = 0;
        let mut sleep = |wait: u64| {
            clock.advance(Duration::from_micros(wait));
            now += wait;
            now
        };
        (0..count)
            .map(|n| {
                loop {
                    match pacer.take() {
                        Ok(()) => break sleep(0),
                        Err(wait) => sleep(wait.as_nanos().div_ceil(1000) as u64 + lateness(n)),
                    };
                }
            })
            .collect()
    }

    #[test]
    fn no_second_sees_more_than_the_rate_however_it_is_cut() {
        for rate in [1, 5, 10, 40, 333, 1000] {
            let plan: Plan = format!("{rate}/s,1000000/day").parse().unwrap();
            for worst in [1, 1_500, 9_000, 60_000] {
                let left = departures(plan, 2000, |n| (n as u64 * 7919) % worst);
                let narrowest = left.windows(rate + 1).map(|span| span[rate] - span[0]).min().unwrap();
                assert!(narrowest >= 1_014_900, "{rate}/s, {worst} us late: {narrowest} us");
            }
        }
    }

    #[test]
    fn workers_woken_a_little_late_lose_no_rate() {
        for rate in [5, 10, 40] {
            let plan: Plan = format!("{rate}/s,1000000/day").parse().unwrap();
            let left = departures(plan, 1000, |n| (n as u64 * 7919) % 2_000);
            let ideal = 999 * 1_000_000 / rate;
            let took = left[999];
            assert!(took * 1000 <= ideal * 1023, "{rate}/s: {took} us instead of {ideal} us");
        }
    }

    fn limiter(plan: &str, throttle_pause: Duration) -> Limiter {
        let retries = Retries { throttle_pause, ..Retries::default() };
        Limiter::new(&Settings { plan: plan.parse().unwrap(), retries, ..Settings::default() })
    }

    #[tokio::test]
    async fn requests_throttled_together_are_one_reason_to_pause() {
        let limiter = limiter("pro", Duration::from_millis(20));
        let sent_at = Instant::now();
        (0..16).for_each(|_| limiter.throttle(sent_at, None));
        assert_eq!(lock(&limiter.pause).length, Duration::from_millis(20));

        drop(limiter.permit(1).await.unwrap());
        assert!(sent_at.elapsed() >= Duration::from_millis(20));
        limiter.throttle(Instant::now(), None);
        assert_eq!(lock(&limiter.pause).length, Duration::from_millis(40));
        limiter.relax(sent_at);
        assert_eq!(lock(&limiter.pause).length, Duration::from_millis(40));
        limiter.relax(Instant::now() + Duration::from_secs(1));
        assert_eq!(lock(&limiter.pause).length, Duration::ZERO);
    }

    #[tokio::test]
    async fn the_first_request_goes_alone_until_it_is_answered() {
        let limiter = limiter("50/s,100/day", Duration::ZERO);
        let first = limiter.permit(1).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(60), limiter.permit(1)).await.is_err());
        let answered = Instant::now();
        drop(first);
        let _second = limiter.permit(1).await.unwrap();
        assert!(answered.elapsed() >= Duration::from_millis(20));
        let _third = limiter.permit(1).await.unwrap();
    }

    #[tokio::test]
    async fn an_open_connection_lets_the_others_follow() {
        let limiter = limiter("50/s,100/day", Duration::ZERO);
        let _first = limiter.permit(1).await.unwrap();
        limiter.opened();
        let opened = Instant::now();
        let _second = limiter.permit(1).await.unwrap();
        assert!(opened.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_gap_that_proved_too_short_grows_and_not_for_ever() {
        let mut pacer = Pacer::new(Plan::BUSINESS, FakeRelativeClock::default());
        let first = pacer.gap();
        pacer.slow_down();
        assert!(pacer.gap() > first * 101 / 100 && pacer.take().is_ok() && pacer.take().is_err());
        (0..200).for_each(|_| pacer.slow_down());
        assert_eq!(pacer.gap(), first * 2);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_day_that_is_used_up() {
        let limiter = limiter("1/s,1/day", Duration::from_secs(60));
        drop(limiter.permit(1).await.unwrap());
        limiter.throttle(Instant::now(), None);
        let began = Instant::now();
        assert!(matches!(limiter.permit(1).await, Err(ExtractError::DailyLimit { .. })));
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(limiter.today().requests, 1);
    }
}
