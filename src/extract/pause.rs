//! How long nobody asks, once the upstream has answered that requests are too many, or that it is to be left alone.
//!
//! The rule: nobody asks before the time that the upstream names. Where it names none, pauses grow while requests are
//! throttled. Where none is taken for long, others use up the account's rate: then there is no use in going on.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::settings::Retries;

/// Others who use up the account's rate are left alone for so long.
const TIME_FOR_OTHERS: Duration = Duration::from_secs(300);

/// How long a pause grows when throttling does not end and the upstream names no time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Pause {
    /// No request leaves before.
    until: Instant,
    /// The end of the last pause that throttling caused.
    throttled_until: Instant,
    /// How long that was; nothing once a later request was taken.
    length: Duration,
    /// Since when requests are throttled and none is taken.
    stalled_since: Option<Instant>,
    /// How long the first pause is.
    first: Duration,
    /// How long requests may be throttled and none be taken.
    patience: Duration,
}

/// No request was taken for as long as a run waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stalled {
    /// How long none was.
    pub(super) waited: Duration,
    /// How long the next pause would have been.
    pub(super) pause: Duration,
}

impl Stalled {
    /// When it may be worth trying again.
    pub(super) fn resume_at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.pause.max(TIME_FOR_OTHERS)
    }
}

impl Pause {
    /// None yet.
    pub(super) fn new(now: Instant, retries: &Retries) -> Self {
        let Retries { throttle_pause, throttle_patience, .. } = *retries;
        Self {
            until: now,
            throttled_until: now,
            length: Duration::ZERO,
            stalled_since: None,
            first: throttle_pause,
            patience: throttle_patience,
        }
    }

    /// When requests may leave again.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// No request leaves before `until`, for whatever other reason.
    pub(super) fn extend(&mut self, until: Instant) {
        self.until = self.until.max(until);
    }

    /// A request sent at `sent_at` was throttled, with a wait that the upstream named, or none. Tells whether that is a
    /// reason to ask more slowly: requests that were in flight together are throttled together, which is one reason,
    /// not many.
    pub(super) fn throttle(
        &mut self,
        now: Instant,
        sent_at: Instant,
        after: Option<Duration>,
    ) -> Result<bool, Stalled> {
        let is_news = sent_at >= self.throttled_until;
        if is_news {
            self.length = (self.length * 2).clamp(self.first, LONGEST_PAUSE.max(self.first));
        }
        let pause = self.length.max(after.unwrap_or_default());
        let waited = now - self.stalled_since(now);
        if waited + pause > self.patience {
            return Err(Stalled { waited, pause });
        }
        self.throttled_until = self.throttled_until.max(now + pause);
        self.extend(self.throttled_until);
        Ok(is_news)
    }

    /// The upstream asks to be left alone for so long, for another reason. All follow it, but not for longer in a row than
    /// they would wait for the rate: then each page keeps its own count of how often it was asked for. Tells whether all do.
    pub(super) fn hold(&mut self, now: Instant, after: Duration) -> bool {
        let is_borne = now - self.stalled_since(now) + after <= self.patience;
        if is_borne {
            self.extend(now + after);
        }
        is_borne
    }

    /// A request sent at `sent_at` was taken.
    pub(super) fn relax(&mut self, sent_at: Instant) {
        self.stalled_since = None;
        if sent_at >= self.throttled_until {
            self.length = Duration::ZERO;
        }
    }

    /// Since when none is taken, `now` at the latest. Where nobody has asked for longer than a run waits, what was before
    /// tells nothing.
    fn stalled_since(&mut self, now: Instant) -> Instant {
        self.stalled_since = self.stalled_since.filter(|_| now <= self.until + self.patience);
        *self.stalled_since.get_or_insert(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pause() -> (Pause, Instant) {
        let now = Instant::now();
        (Pause::new(now, &Retries::default()), now)
    }

    #[test]
    fn requests_throttled_together_are_one_reason_to_pause() {
        let (mut pause, now) = pause();
        assert_eq!(pause.throttle(now, now, None), Ok(true));
        assert!((0..16).all(|_| pause.throttle(now, now, None) == Ok(false)));
        assert_eq!(pause.until(), now + SECOND);

        let later = pause.until();
        assert_eq!(pause.throttle(later, later, None), Ok(true));
        assert_eq!(pause.until(), later + 2 * SECOND);
        pause.relax(now);
        assert_eq!(pause.length, 2 * SECOND);
        pause.relax(pause.until());
        assert_eq!(pause.length, Duration::ZERO);
    }

    /// How often requests are throttled, each as soon as it may be sent, before that ends, and how.
    fn throttled_until_the_end(pause: &mut Pause, after: Option<Duration>) -> (u32, Stalled) {
        let mut throttled = 0;
        loop {
            let now = pause.until();
            throttled += 1;
            if let Err(stalled) = pause.throttle(now, now, after) {
                return (throttled, stalled);
            }
        }
    }

    #[test]
    fn pauses_end_where_no_request_is_taken_for_long() {
        let (mut pause, now) = pause();
        let (throttled, stalled) = throttled_until_the_end(&mut pause, None);
        assert_eq!((throttled, stalled), (14, Stalled { waited: 271 * SECOND, pause: 30 * SECOND }));
        assert!(pause.until() <= now + 300 * SECOND);

        // A request that is taken begins a new count, and so does a long silence.
        pause.relax(pause.until());
        assert!(pause.throttle(pause.until(), pause.until(), None).is_ok());
        let later = pause.until() + 3600 * SECOND;
        assert!(pause.throttle(later, later, None).is_ok());
    }

    #[test]
    fn a_wait_that_the_upstream_names_is_not_cut_short() {
        let (mut pause, now) = pause();
        assert_eq!(pause.throttle(now, now, Some(300 * SECOND)), Ok(true));
        assert_eq!(pause.until(), now + 300 * SECOND);
        let later = pause.until();
        let stalled = Stalled { waited: 300 * SECOND, pause: 60 * SECOND };
        assert_eq!(pause.throttle(later, later, Some(60 * SECOND)), Err(stalled));

        let (mut pause, now) = self::pause();
        let stalled = Stalled { waited: Duration::ZERO, pause: 600 * SECOND };
        assert_eq!(pause.throttle(now, now, Some(600 * SECOND)), Err(stalled));
    }

    #[test]
    fn an_upstream_that_is_to_be_left_alone_is_so_by_all_and_not_for_ever() {
        let (mut pause, now) = pause();
        pause.hold(now, 200 * SECOND);
        assert_eq!(pause.until(), now + 200 * SECOND);
        let later = pause.until();
        pause.hold(later, 200 * SECOND);
        assert_eq!(pause.until(), later);
        pause.relax(later);
        pause.hold(later, 200 * SECOND);
        assert_eq!(pause.until(), later + 200 * SECOND);
    }
}
