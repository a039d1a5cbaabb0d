//! Workers in line for the next slot.
//!
//! The rule: who has the most work left goes first, so that all end together and none is left to read on alone, one
//! round trip after the other; but nobody waits so long that its page token dies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Who has waited this long goes first. Page tokens live 15 minutes.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
pub(super) struct Line(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether a turn is out.
    is_taken: bool,
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
}

impl State {
    fn next(&mut self, now: Instant) -> Option<Waiter> {
        let first = self.waiting.first()?;
        let longest = || self.waiting.iter().enumerate().rev().max_by_key(|(_, waiter)| waiter.work);
        let index = if now - first.since >= PATIENCE { 0 } else { longest()?.0 };
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

    use super::*;

    #[tokio::test]
    async fn the_most_work_goes_first_and_the_earliest_of_equals() {
        let line = Line::default();
        let mut held = line.turn(0).await;
        let mut waiting: Vec<_> = [3, 7, 5, 7].map(|work| Box::pin(line.turn(work))).into();
        for waiter in &mut waiting {
            assert!(waiter.now_or_never().is_none());
        }
        for expected in [1, 3, 2, 0] {
            drop(held);
            let called: Vec<_> = waiting.iter_mut().map(|waiter| waiter.now_or_never()).collect();
            let index = called.iter().position(Option::is_some).unwrap();
            assert_eq!(index, expected);
            held = called.into_iter().flatten().next().unwrap();
            waiting[index] = Box::pin(line.turn(0));
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

    #[test]
    fn nobody_waits_for_ever() {
        let since = Instant::now();
        let waiter = |work| Waiter { since, work, turn: oneshot::channel().0 };
        let mut state = State { is_taken: true, waiting: vec![waiter(1), waiter(1000), waiter(2)] };
        assert_eq!(state.next(since).unwrap().work, 1000);
        assert_eq!(state.next(since + PATIENCE).unwrap().work, 1);
    }
}
