//! How often, and after what delays, something is tried again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::Utc;

use super::error::{Asked, Cause, ExtractError};
use super::pause::Stalled;
use super::progress::Counter;
use super::settings::Retries;

/// One failure in so many requests is forgiven whatever a run's length.
const REQUESTS_PER_FORGIVEN_FAILURE: u64 = 4;

/// Exponential delays with full jitter: each is drawn between nothing and its bound, so that workers that failed
/// together do not come back together.
pub(super) fn delays(retries: &Retries) -> impl Iterator<Item = Duration> + Send + use<> {
    let bounds = ExponentialBuilder::new()
        .with_min_delay(retries.first_delay)
        .with_max_delay(retries.max_delay)
        .without_max_times()
        // Without its `std` feature the crate draws the same numbers for everybody.
        .with_jitter_seed(RandomState::new().hash_one(()));
    // The crate's jitter comes on top of the bound; what it adds is the full jitter.
    bounds.with_jitter().build().zip(bounds.build()).map(|(jittered, bound)| jittered.saturating_sub(bound))
}

/// What a window, or an access token, may still spend on failures.
#[derive(Debug)]
pub(super) struct WindowBudget {
    failures: u32,
    throttles: u32,
}

impl WindowBudget {
    pub(super) fn new() -> Self {
        Self { failures: 0, throttles: 0 }
    }

    /// Counts a failure: `attempt` is the number of tries for the page so far.
    pub(super) fn fail(&mut self, retries: &Retries, attempt: u32, last: &LastFailure) -> Result<(), ExtractError> {
        self.failures += 1;
        if attempt >= retries.tries_per_page {
            return Err(last.unavailable(attempt, retries.tries_per_page));
        }
        if self.failures >= retries.per_window {
            return Err(last.unavailable(self.failures, retries.per_window));
        }
        Ok(())
    }

    /// A page came: what was throttled before it was not in vain.
    pub(super) fn relax(&mut self) {
        self.throttles = 0;
    }

    /// Counts an answer "too many requests per second".
    pub(super) fn throttle(&mut self, retries: &Retries, last: &LastFailure) -> Result<(), ExtractError> {
        self.throttles += 1;
        if self.throttles >= retries.throttles_per_window {
            return Err(last.unavailable(self.throttles, retries.throttles_per_window));
        }
        Ok(())
    }
}

/// The failure that an exhausted budget is reported with.
#[derive(Clone, Debug)]
pub(super) struct LastFailure {
    pub(super) asked: Asked,
    pub(super) tracking_id: Option<String>,
    pub(super) source: Cause,
}

impl LastFailure {
    pub(super) fn unavailable(&self, attempt: u32, attempts: u32) -> ExtractError {
        ExtractError::Unavailable {
            asked: self.asked.clone(),
            attempt,
            attempts,
            tracking_id: self.tracking_id.clone(),
            source: Cause::clone(&self.source),
        }
    }

    /// The failure where all is throttled for longer than a run waits.
    pub(super) fn throttled(self, stalled: Stalled) -> ExtractError {
        let Self { asked, tracking_id, source } = self;
        let resume_at = stalled.resume_at(Utc::now());
        ExtractError::Throttled { asked, waited: stalled.waited, resume_at, tracking_id, source }
    }
}

/// What all windows of a run share: the budget of failures, and the error that ends it.
#[derive(Debug, Default)]
pub(super) struct Run {
    requests: Counter,
    failures: Counter,
    ended: OnceLock<ExtractError>,
}

impl Run {
    /// Fails once the run has ended: no request may be started any more.
    pub(super) fn check(&self) -> Result<(), ExtractError> {
        self.ended.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Ends the run for everybody if `error` would meet every window.
    pub(super) fn end_if_fatal(&self, error: &ExtractError) {
        if error.is_fatal() {
            self.ended.get_or_init(|| error.clone());
        }
    }

    pub(super) fn count_request(&self) {
        self.requests.add();
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Counts a failed request.
    pub(super) fn fail(&self, retries: &Retries, last: &LastFailure) -> Result<(), ExtractError> {
        let failures = self.failures.add();
        let requests = self.requests.get();
        if failures <= u64::from(retries.per_run) + requests / REQUESTS_PER_FORGIVEN_FAILURE {
            return Ok(());
        }
        let LastFailure { asked, tracking_id, source } = last.clone();
        Err(ExtractError::TooManyFailures { asked, failures, requests, tracking_id, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_their_bound_and_are_jittered_in_full() {
        let retries = Retries {
            first_delay: Duration::from_millis(100),
            max_delay: Duration::from_millis(1000),
            ..Retries::default()
        };
        let draws: Vec<Vec<Duration>> = (0..200).map(|_| delays(&retries).take(6).collect()).collect();
        for (n, bound) in [100, 200, 400, 800, 1000, 1000].into_iter().map(Duration::from_millis).enumerate() {
            assert!(draws.iter().all(|draw| draw[n] <= bound));
            assert!(draws.iter().any(|draw| draw[n] > bound / 2) && draws.iter().any(|draw| draw[n] < bound / 4));
        }
    }

    #[test]
    fn a_window_is_given_up_for_throttles_in_a_row_only() {
        let retries = Retries { throttles_per_window: 3, ..Retries::default() };
        let source: Cause = std::sync::Arc::from(Box::from("x"));
        let last = LastFailure { asked: Asked::AccessToken, tracking_id: None, source };
        let mut budget = WindowBudget::new();
        for _ in 0..9 {
            assert!((0..2).all(|_| budget.throttle(&retries, &last).is_ok()));
            budget.relax();
        }
        assert!((0..2).all(|_| budget.throttle(&retries, &last).is_ok()));
        assert!(budget.throttle(&retries, &last).is_err());
    }

    #[test]
    fn a_run_ends_when_failures_outgrow_its_requests() {
        let retries = Retries { per_run: 2, ..Retries::default() };
        let source: Cause = std::sync::Arc::from(Box::from("x"));
        let last = LastFailure { asked: Asked::AccessToken, tracking_id: None, source };
        let run = Run::default();
        (0..8).for_each(|_| run.count_request());
        assert!((0..4).all(|_| run.fail(&retries, &last).is_ok()));
        let error = run.fail(&retries, &last).unwrap_err();
        run.end_if_fatal(&error);
        assert!(matches!(run.check(), Err(ExtractError::TooManyFailures { failures: 5, requests: 8, .. })));
    }
}
