//! Workers in line for the next slot.
//!
//! The rule: who has the most work left goes first, so that all end together and none is left to read on alone, one
//! round trip after the other; but where requests will not do for all, who has the least goes first, so that as many as
//! can be get to their end. In either case nobody waits so long that its page token dies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Who has waited this long goes first. Page tokens live 15 minutes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// Who has the most work left.
    #[default]
    MostWork,
    /// Who has the least.
    LeastWork,
}

#[derive(Debug, Default)]
pub(super) struct Line(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether a turn is out.
    is_taken: bool,
    order: Order,
    /// In order of arrival.
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    since: Instant,
    work: u64,
    turn: oneshot::Sender<Turn>,
}

/// The head of the line, until dropped.
#[derive(Debug)]
pub(super) struct Turn(Arc<Mutex<State>>);

impl Line {
    /// Waits for a turn.
    pub(super) async fn turn(&self, work: u64) -> Turn {
        loop {
            let called = {
                let mut state = lock(&self.0);
                if !state.is_taken {
                    state.is_taken = true;
                    return Turn(Arc::clone(&self.0));
                }
                let (turn, called) = oneshot::channel();
                state.waiting.push(Waiter { since: Instant::now(), work, turn });
                called
            };
            if let Ok(turn) = called.await {
                return turn;
            }
        }
    }

    /// Says who goes first from now on.
    pub(super) fn set_order(&self, order: Order) {
        lock(&self.0).order = order;
    }
}

impl State {
    fn next(&mut self, now: Instant) -> Option<Waiter> {
        let first = self.waiting.first()?;
        let waiting = self.waiting.iter().enumerate();
        let index = match self.order {
            _ if now - first.since >= PATIENCE => 0,
            Order::MostWork => waiting.rev().max_by_key(|(_, waiter)| waiter.work)?.0,
            Order::LeastWork => waiting.min_by_key(|(_, waiter)| waiter.work)?.0,
        };
        Some(self.waiting.remove(index))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = lock(&self.0);
            let next = state.next(Instant::now());
            state.is_taken = next.is_some();
            next
        };
        if let Some(waiter) = next {
            // A turn that nobody takes any more is dropped in its turn, and so passed on.
            let _ = waiter.turn.send(Self(Arc::clone(&self.0)));
        }
    }
}

fn lock(mutex: &Mutex<State>) -> MutexGuard<'_, State> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use test_case::test_case;

    use super::*;

    #[test_case(Order::MostWork, [1, 3, 2, 0])]
    #[test_case(Order::LeastWork, [0, 2, 1, 3])]
    #[tokio::test]
    async fn the_most_or_the_least_work_goes_first_and_the_earliest_of_equals(order: Order, expected: [usize; 4]) {
        let line = Line::default();
        line.set_order(order);
        let mut held = line.turn(0).await;
        let mut waiting: Vec<_> = [3, 7, 5, 7].map(|work| Box::pin(line.turn(work))).into();
        for waiter in &mut waiting {
            assert!(waiter.now_or_never().is_none());
        }
        for expected in expected {
            drop(held);
            let called: Vec<_> = waiting.iter_mut().map(|waiter| waiter.now_or_never()).collect();
            let index = called.iter().position(Option::is_some).unwrap();
            assert_eq!(index, expected);
            held = called.into_iter().flatten().next().unwrap();
            waiting[index] = Box::pin(line.turn(if order == Order::MostWork { 0 } else { 9 }));
        }
    }

    #[tokio::test]
    async fn a_turn_that_is_not_taken_is_passed_on() {
        let line = Line::default();
        let held = line.turn(0).await;
        let mut gone = Box::pin(line.turn(9));
        let mut called = Box::pin(line.turn(8));
        let mut last = Box::pin(line.turn(1));
        assert!((&mut gone).now_or_never().is_none() && (&mut called).now_or_never().is_none());
        assert!((&mut last).now_or_never().is_none());
        drop(gone);
        drop(held);
        drop(called);
        assert!(last.now_or_never().is_some());
    }

    #[test_case(Order::MostWork, 1000)]
    #[test_case(Order::LeastWork, 1)]
    fn nobody_waits_for_ever(order: Order, at_first: u64) {
        let since = Instant::now();
        let waiter = |work| Waiter { since, work, turn: oneshot::channel().0 };
        let mut state = State { is_taken: true, order, waiting: vec![waiter(9), waiter(1), waiter(1000), waiter(2)] };
        assert_eq!(state.next(since).unwrap().work, at_first);
        assert_eq!(state.next(since + PATIENCE).unwrap().work, 9);
    }
}
