//! Evenly spaced slots for requests.
//!
//! The rule: no second of the upstream's, wherever it begins, sees more requests than the plan allows, however late
//! workers are woken.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::quota::Plan;

/// Evenly spaced slots.
///
/// A request takes as many cells as 1.02 seconds hold, divided by the rate, so `rate + 1` requests span at least 1.02
/// seconds. A worker that the runtime wakes late may shorten the next gap by what it was late, at most 5 ms; that
/// leaves 15 ms for requests to draw closer on their way, and no second of the upstream's, wherever it begins, sees
/// more than `rate` of them. Where that proves too little, the gap grows, and step by step shrinks again: what was in
/// the way, as other users of the account are, does not stay for ever.
pub(super) struct Pacer<C: Clock> {
    cells: Cells<C>,
    /// The cells of a slot while nothing has been in the way.
    first_cost: NonZeroU32,
    /// How often the gap has grown and not shrunk.
    steps: u32,
    /// When it last did either.
    changed_at: C::Instant,
    clock: C,
}

type Cells<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

const CELL: Duration = Duration::from_micros(10);
const CELLS_IN_A_WIDE_SECOND: u32 = 102_000;
const CELLS_OF_LATENESS: u32 = 500;
/// A gap grows by its first length divided by so many, and as often at most.
const STEPS: u32 = 50;
/// The gap shrinks by a step when it has proved long enough for this long.
const CALM: Duration = Duration::from_secs(60);

impl<C: Clock + Clone> Pacer<C> {
    pub(super) fn new(plan: Plan, clock: C) -> Self {
        let cost = CELLS_IN_A_WIDE_SECOND.div_ceil(plan.per_second.get());
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        Self { cells: cells(cost, &clock), first_cost: cost, steps: 0, changed_at: clock.now(), clock }
    }

    /// From one slot to the next.
    pub(super) fn gap(&self) -> Duration {
        CELL * self.cost().get()
    }

    /// The gap has proved too short.
    pub(super) fn slow_down(&mut self) {
        self.steps = (self.steps + 1).min(STEPS);
        self.changed_at = self.clock.now();
        self.cells = cells(self.cost(), &self.clock);
    }

    /// Takes the next slot if it has come, or tells how long to wait for it.
    pub(super) fn take(&mut self) -> Result<(), Duration> {
        match self.cells.check_n(self.cost()) {
            Ok(Ok(())) => {
                self.speed_up_if_calm();
                Ok(())
            }
            Ok(Err(not_until)) => Err(not_until.wait_time_from(self.clock.now())),
            // The burst is larger than the cost by construction. Should that ever break, waiting is the safe side.
            Err(_) => Err(Duration::from_secs(1)),
        }
    }

    fn cost(&self) -> NonZeroU32 {
        self.first_cost.saturating_add((self.first_cost.get() * self.steps).div_ceil(STEPS))
    }

    /// Shrinks the gap that begins now.
    fn speed_up_if_calm(&mut self) {
        let now = self.clock.now();
        if self.steps == 0 || Duration::from(now.duration_since(self.changed_at)) < CALM {
            return;
        }
        self.steps -= 1;
        self.changed_at = now;
        self.cells = cells(self.cost(), &self.clock);
        // The slot was taken from the former cells, so none of these is there yet. They are exactly as many.
        let _ = self.cells.check_n(self.cost().saturating_add(CELLS_OF_LATENESS));
    }
}

fn cells<C: Clock + Clone>(cost: NonZeroU32, clock: &C) -> Cells<C> {
    let quota = Quota::with_period(CELL).unwrap_or(Quota::per_second(cost));
    RateLimiter::direct_with_clock(quota.allow_burst(cost.saturating_add(CELLS_OF_LATENESS)), clock.clone())
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    /// When requests leave if every wake-up is late by what `lateness` says, in microseconds.
    fn departures(plan: Plan, count: usize, mut lateness: impl FnMut(usize) -> u64) -> Vec<u64> {
        let clock = FakeRelativeClock::default();
        let mut pacer = Pacer::new(plan, clock.clone());
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

    #[test]
    fn a_gap_that_proved_too_short_grows_and_not_for_ever() {
        let mut pacer = Pacer::new(Plan::BUSINESS, FakeRelativeClock::default());
        let first = pacer.gap();
        pacer.slow_down();
        assert!(pacer.gap() > first * 101 / 100 && pacer.take().is_ok() && pacer.take().is_err());
        (0..200).for_each(|_| pacer.slow_down());
        assert_eq!(pacer.gap(), first * 2);
    }

    #[test]
    fn a_gap_that_has_long_been_long_enough_shrinks_to_its_first_length() {
        let clock = FakeRelativeClock::default();
        let mut pacer = Pacer::new(Plan::BUSINESS, clock.clone());
        let first = pacer.gap();
        (0..10).for_each(|_| pacer.slow_down());
        let longest = pacer.gap();
        clock.advance(CALM - CELL);
        assert!(pacer.take().is_ok() && pacer.gap() == longest);

        for steps in (0..10).rev() {
            clock.advance(CALM);
            assert!(pacer.take().is_ok());
            assert_eq!(pacer.gap(), first + first * steps / STEPS);
            // The slot that follows is no nearer for that.
            clock.advance(pacer.gap() - CELL);
            assert!(pacer.take().is_err());
        }
        clock.advance(CALM);
        assert!(pacer.take().is_ok() && pacer.gap() == first);
    }
}
