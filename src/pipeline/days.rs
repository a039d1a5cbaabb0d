//! From days that are wanted to windows that are asked for, and back to days that are covered.
//!
//! The rule: a day counts as covered only when windows that were read to their end hold it with all the neighbours its
//! records may lie under (see [`crate::extract::plan::asked_span`]).

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use crate::extract::plan;
use crate::model::{Scope, Seam, Span, Window};

/// Days wanted under one scope, the span asked for to get them, and the windows that span is cut into.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    scope: Scope,
    wanted: (NaiveDate, NaiveDate),
    asked: (NaiveDate, NaiveDate),
    today: NaiveDate,
    done: Vec<(Window, DateTime<Utc>)>,
}

impl Stretch {
    /// The stretches that cover `runs` of days; runs whose asked spans meet become one stretch.
    pub(super) fn plan(runs: &[(NaiveDate, NaiveDate)], scope: &Scope, today: NaiveDate) -> Vec<Self> {
        let mut stretches: Vec<Self> = Vec::new();
        for &wanted in runs {
            let asked = plan::asked_span(wanted.0, wanted.1, today);
            match stretches.last_mut() {
                Some(last) if asked.0 <= last.asked.1 => {
                    last.wanted.1 = wanted.1;
                    last.asked.1 = asked.1;
                }
                _ => stretches.push(Self { scope: scope.clone(), wanted, asked, today, done: Vec::new() }),
            }
        }
        stretches
    }

    /// The windows to ask for, which meet as `seam` says.
    pub(super) fn windows(&self, seam: Seam) -> Vec<Window> {
        plan::windows(self.asked.0, self.asked.1, &self.scope, seam)
    }

    /// Notes that `window` was read to its end, if it is of this stretch.
    pub(super) fn note(&mut self, window: &Window, read_at: DateTime<Utc>) {
        let inside = self.asked.0 <= window.from() && window.to() <= self.asked.1;
        if inside && *window.scope() == self.scope {
            self.done.push((window.clone(), read_at));
        }
    }

    /// Under which scope it is read.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The wanted days covered by the windows noted so far, which meet as `seam` says. A day is final where it was read at
    /// least `settle` after its end and both sides of it were read.
    pub(super) fn covered(&self, settle: TimeDelta, seam: Seam) -> Vec<Span> {
        let mut spans = Vec::new();
        for (first, last, read_at) in self.unions(seam) {
            let (whole_from, whole_until) = plan::covered_days(first, last);
            let from = if first == self.asked.0 { self.wanted.0 } else { whole_from };
            let to = if self.is_end(last) { last } else { whole_until }.min(self.wanted.1);
            spans.extend(by_state((from, to), whole_until, read_at, settle));
        }
        spans
    }

    /// Whether nothing after `last` is to be had: in an account to the west, today may not have begun.
    fn is_end(&self, last: NaiveDate) -> bool {
        last == self.asked.1 || (self.asked.1 == self.today && last == back(self.today, 1))
    }

    /// The windows noted so far, joined where they meet, with the earliest time of reading.
    fn unions(&self, seam: Seam) -> Vec<(NaiveDate, NaiveDate, DateTime<Utc>)> {
        let days = |(window, read_at): &(Window, DateTime<Utc>)| (window.from(), window.to(), *read_at);
        joined(self.done.iter().map(days).collect(), seam)
    }
}

/// Days read together, and when their reading began.
pub(super) type Read = (NaiveDate, NaiveDate, DateTime<Utc>);

/// Windows, joined where they meet as `seam` says, with the earliest time of reading.
pub(super) fn joined(mut windows: Vec<Read>, seam: Seam) -> Vec<Read> {
    windows.sort_unstable();
    let mut unions: Vec<Read> = Vec::new();
    for (from, to, read_at) in windows {
        match unions.last_mut() {
            Some((_, last, earliest)) if from <= ahead(*last, 1 - seam.days()) => {
                *last = (*last).max(to);
                *earliest = (*earliest).min(read_at);
            }
            _ => unions.push((from, to, read_at)),
        }
    }
    unions
}

/// The days that windows cover which were read by themselves, whatever was wanted of them.
pub(super) fn covered_alone((first, last, read_at): Read, settle: TimeDelta) -> impl Iterator<Item = Span> {
    let whole = plan::covered_days(first, last);
    by_state(whole, whole.1, read_at, settle)
}

/// The days `from..=to`, of which those up to `whole_until` are there with both sides of them, by whether they are final.
fn by_state(
    (from, to): (NaiveDate, NaiveDate),
    whole_until: NaiveDate,
    read_at: DateTime<Utc>,
    settle: TimeDelta,
) -> impl Iterator<Item = Span> {
    let settled_until = back((read_at - settle).date_naive(), 1).min(whole_until).min(to);
    let settled = Span { from, to: settled_until, read_at, is_final: true };
    let open = Span { from: from.max(ahead(settled_until, 1)), to, read_at, is_final: false };
    [settled, open].into_iter().filter(|span| span.from <= span.to)
}

fn back(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN)
}

fn ahead(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn stretch(from: &str, to: &str, today: &str) -> Stretch {
        Stretch::plan(&[(day(from), day(to))], &Scope::All, day(today)).remove(0)
    }

    #[test_case(Seam::Shared)]
    #[test_case(Seam::Adjacent)]
    fn all_windows_read_cover_exactly_what_was_wanted(seam: Seam) {
        let mut stretch = stretch("2022-02-01", "2022-04-30", "2022-12-01");
        for window in stretch.windows(seam) {
            stretch.note(&window, at("2022-12-01T06:00:00Z"));
        }
        let covered = stretch.covered(TimeDelta::hours(72), seam);
        assert_eq!(covered.len(), 1);
        assert_eq!((covered[0].from, covered[0].to, covered[0].is_final), (day("2022-02-01"), day("2022-04-30"), true));
    }

    #[test]
    fn windows_that_only_touch_do_not_cover_the_days_between_them_where_the_last_may_not_count() {
        let mut stretch = stretch("2022-02-01", "2022-04-30", "2022-12-01");
        for window in stretch.windows(Seam::Adjacent) {
            stretch.note(&window, at("2022-12-01T06:00:00Z"));
        }
        assert!(stretch.covered(TimeDelta::hours(72), Seam::Shared).len() > 1);
    }

    #[test]
    fn a_missing_window_leaves_the_days_at_its_edges_uncovered() {
        let mut stretch = stretch("2022-02-01", "2022-04-30", "2022-12-01");
        let windows = stretch.windows(Seam::Shared);
        let missing = windows[1].clone();
        for window in windows.iter().filter(|window| **window != missing) {
            stretch.note(window, at("2022-12-01T06:00:00Z"));
        }
        let covered = stretch.covered(TimeDelta::hours(72), Seam::Shared);
        assert_eq!(covered.len(), 2);
        assert_eq!(covered[0].to, back(missing.from(), 2));
        assert_eq!(covered[1].from, ahead(missing.to(), 1));
    }

    #[test]
    fn the_last_days_before_today_stay_provisional() {
        let mut stretch = stretch("2022-02-01", "2022-02-10", "2022-02-10");
        for window in stretch.windows(Seam::Shared) {
            stretch.note(&window, at("2022-02-10T12:00:00Z"));
        }
        let covered = stretch.covered(TimeDelta::hours(72), Seam::Shared);
        assert_eq!((covered[0].to, covered[0].is_final), (day("2022-02-06"), true));
        assert_eq!(
            (covered[1].from, covered[1].to, covered[1].is_final),
            (day("2022-02-07"), day("2022-02-10"), false)
        );
    }

    #[test]
    fn today_stays_uncovered_where_it_has_not_begun() {
        let mut stretch = stretch("2022-02-01", "2022-02-10", "2022-02-10");
        for window in stretch.windows(Seam::Shared) {
            let last = window.to().min(day("2022-02-09"));
            stretch.note(&window.until(last).unwrap(), at("2022-02-10T01:00:00Z"));
        }
        let covered = stretch.covered(TimeDelta::hours(72), Seam::Shared);
        assert_eq!((covered[0].to, covered[0].is_final), (day("2022-02-06"), true));
        assert_eq!((covered[1].to, covered[1].is_final), (day("2022-02-09"), false));
    }

    #[test]
    fn a_day_read_without_its_neighbours_is_never_final_however_short_the_settling() {
        let mut stretch = stretch("2022-02-10", "2022-02-10", "2022-02-11");
        for window in stretch.windows(Seam::Shared) {
            stretch.note(&window, at("2022-02-11T12:00:00Z"));
        }
        assert!(stretch.covered(TimeDelta::zero(), Seam::Shared).iter().all(|span| !span.is_final));
    }

    #[test]
    fn runs_whose_asked_spans_meet_are_asked_once() {
        let runs = [(day("2022-02-01"), day("2022-02-03")), (day("2022-02-06"), day("2022-02-08"))];
        let stretches = Stretch::plan(&runs, &Scope::All, day("2022-12-01"));
        assert_eq!(stretches.len(), 1);
        assert_eq!(stretches[0].wanted, (day("2022-02-01"), day("2022-02-08")));
    }
}
