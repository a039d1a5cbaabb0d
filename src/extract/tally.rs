//! Which of a source's requests a ledger accounts for.
//!
//! The rule: each is accounted for by one commit, however many runs share the source; where the commit is not made, by
//! another one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;

use super::quota::DayCount;

#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many of all requests commits account for, or will.
    claimed: u64,
    /// How many the entries of the newest day account for.
    of_day: Option<DayCount>,
}

/// Requests that a commit is to account for.
#[derive(Debug)]
pub(crate) struct Unaccounted<'t> {
    tally: &'t Tally,
    requests: u64,
}

impl Tally {
    /// Those of the requests `made` so far that nobody has claimed.
    pub(super) fn claim(&self, made: u64) -> Unaccounted<'_> {
        let mut state = self.state();
        let requests = made.saturating_sub(state.claimed);
        state.claimed += requests;
        Unaccounted { tally: self, requests }
    }

    /// What a `ledger` accounts for beside this source's.
    pub(super) fn others(&self, ledger: DayCount) -> DayCount {
        let own = self.state().of_day.filter(|own| own.day == ledger.day).map_or(0, |own| own.requests);
        DayCount { requests: ledger.requests.saturating_sub(own), ..ledger }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unaccounted<'_> {
    /// How many.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// A commit counts them as `day`'s.
    pub(crate) fn are_accounted_on(mut self, day: NaiveDate) {
        let requests = u32::try_from(std::mem::take(&mut self.requests)).unwrap_or(u32::MAX);
        let mut state = self.tally.state();
        let known = state.of_day.filter(|known| known.day == day).map_or(0, |known| known.requests);
        state.of_day = Some(DayCount { day, requests: known.saturating_add(requests) });
    }
}

/// Given up, they are still to be accounted for.
impl Drop for Unaccounted<'_> {
    fn drop(&mut self) {
        if self.requests > 0 {
            self.tally.state().claimed -= self.requests;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_claimed_once_and_again_only_where_no_commit_was_made() {
        let tally = Tally::default();
        let (one, other) = (tally.claim(5), tally.claim(7));
        assert_eq!((one.requests(), other.requests()), (5, 2));
        drop(one);
        other.are_accounted_on("2022-02-01".parse().unwrap());
        assert_eq!(tally.claim(7).requests(), 5);
    }

    #[test]
    fn of_what_a_ledger_accounts_for_the_source_s_own_is_not_others() {
        let tally = Tally::default();
        let of = |day: &str, requests| DayCount { day: day.parse().unwrap(), requests };
        assert_eq!(tally.others(of("2022-02-01", 4)), of("2022-02-01", 4));
        for made in [5, 8] {
            tally.claim(made).are_accounted_on("2022-02-01".parse().unwrap());
        }
        assert_eq!(tally.others(of("2022-02-01", 12)), of("2022-02-01", 4));
        assert_eq!(tally.others(of("2022-02-02", 12)), of("2022-02-02", 12));
        tally.claim(9).are_accounted_on("2022-02-02".parse().unwrap());
        assert_eq!(tally.others(of("2022-02-02", 12)), of("2022-02-02", 11));
    }
}
