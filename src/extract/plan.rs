//! From days to windows.
//!
//! Two things about the upstream are unknown: in which time zone its days begin, and whether the last day of a window
//! is included. The rule: what is asked must hold what is wanted under every answer, and what is called covered must
//! be so under every answer.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use crate::model::{MAX_WINDOW_DAYS, Scope, Seam, Window};

/// Days asked for before the first one wanted. In an account west of Greenwich (to UTC-12) a UTC day begins on the
/// account's day before.
const DAYS_BEFORE: u64 = 1;
/// Days asked for after the last one wanted: one because an account east of Greenwich (to UTC+14) is on its next day
/// when the UTC day ends, and one because the last day asked for may not be included.
const DAYS_AFTER: u64 = 2;

/// The first and last upstream day to ask for, so that the UTC days `first..=last` are held; never the future, so the
/// last two or three days before `today` (UTC) are held in part only.
pub fn asked_span(first: NaiveDate, last: NaiveDate, today: NaiveDate) -> (NaiveDate, NaiveDate) {
    (back(first, DAYS_BEFORE), ahead(last, DAYS_AFTER).min(today))
}

/// The UTC days that upstream days `from..=to`, once read, surely hold: the inverse of [`asked_span`]. Join the spans
/// of neighbouring windows first: a window on its own covers less.
/// The last comes before the first where they hold none.
pub fn covered_days(from: NaiveDate, to: NaiveDate) -> (NaiveDate, NaiveDate) {
    (ahead(from, DAYS_BEFORE), back(to, DAYS_AFTER))
}

/// Days of `first..=last` that are likely to hold records, as is the next: a Tuesday late in the span and one amid it.
pub fn telling_days(first: NaiveDate, last: NaiveDate) -> Vec<NaiveDate> {
    let tuesday = |day: NaiveDate| day.iter_days().rev().take(7).find(|day| day.weekday() == Weekday::Tue);
    let amid = ahead(first, days_between(first, last.max(first)) / 2);
    let mut days: Vec<NaiveDate> = [back(last, 7), amid].into_iter().filter_map(tuesday).collect();
    days.retain(|day| first <= *day && *day < last);
    days.dedup();
    days
}

/// Cuts the upstream days `from..=to` into windows, oldest first: few, of about the same length, and sharing days of
/// the weekend where they share any. None for an empty span.
pub fn windows(from: NaiveDate, to: NaiveDate, scope: &Scope, seam: Seam) -> Vec<Window> {
    if to < from {
        return Vec::new();
    }
    let mut starts = vec![from];
    match seam {
        Seam::Adjacent => {
            let days = days_between(from, to) + 1;
            let count = days.div_ceil(MAX_WINDOW_DAYS);
            starts.extend((1..count).map(|part| ahead(from, days * part / count)));
        }
        Seam::Shared => {
            let mut start = from;
            while days_between(start, to) >= MAX_WINDOW_DAYS {
                start = last_quiet_day(ahead(start, MAX_WINDOW_DAYS - 1));
                starts.push(start);
            }
        }
    }
    joined(&starts, to, scope, seam)
}

/// Cuts a window into `parts` or fewer that hold about as much each, as a rule, or `None` where that leaves it whole.
pub(super) fn parts(window: &Window, parts: u64, seam: Seam) -> Option<Vec<Window>> {
    let own_days = window.days() - seam.days();
    let parts = parts.min(own_days);
    if parts < 2 {
        return None;
    }
    let per_part = mean_days(window) / parts as f64;
    let mut starts = vec![window.from()];
    let (mut held, mut due) = (0.0, per_part);
    for day in window.from().iter_days().take_while(|day| *day <= window.to()) {
        // The part ends where it comes closest to its due.
        if held + share(day) / 2.0 > due {
            starts.push(day);
            due += per_part;
        }
        held += share(day);
    }
    if seam == Seam::Shared && own_days / parts >= 5 {
        // Within reach of a weekend, parts meet there.
        starts[1..].iter_mut().for_each(|day| *day = last_quiet_day(ahead(*day, 3)).max(window.from()));
    }
    starts.retain(|day| *day < ahead(window.to(), 1 - seam.days()));
    starts.dedup();
    (starts.len() > 1).then(|| joined(&starts, window.to(), window.scope(), seam))
}

/// How much a window holds, as a rule, in mean days.
pub(super) fn mean_days(window: &Window) -> f64 {
    window.from().iter_days().take_while(|day| *day <= window.to()).map(share).sum()
}

/// What a day holds, as a rule, as a part of a mean day: administrators rest at the weekend. Such a day costs least to
/// read twice.
pub(super) fn share(day: NaiveDate) -> f64 {
    if is_quiet(day) { 0.25 } else { 1.3 }
}

fn is_quiet(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The last day of the weekend up to `day`.
fn last_quiet_day(day: NaiveDate) -> NaiveDate {
    day.iter_days().rev().take(7).find(|day| is_quiet(*day)).unwrap_or(day)
}

/// Windows that begin on `starts`, the last of which ends at `to`.
fn joined(starts: &[NaiveDate], to: NaiveDate, scope: &Scope, seam: Seam) -> Vec<Window> {
    let ends = starts[1..].iter().map(|next| back(*next, 1 - seam.days())).chain([to]);
    starts.iter().zip(ends).filter_map(|(from, to)| Window::try_new(*from, to, scope.clone()).ok()).collect()
}

fn days_between(from: NaiveDate, to: NaiveDate) -> u64 {
    (to - from).num_days().unsigned_abs()
}

fn ahead(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX)
}

fn back(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
    use proptest::prelude::*;

    use super::*;

    fn day(number: i64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2021, 12, 1).unwrap() + TimeDelta::days(number)
    }

    fn midnight(day: NaiveDate) -> DateTime<Utc> {
        day.and_time(NaiveTime::MIN).and_utc()
    }

    /// The instants that an upstream gives for a window, end excluded.
    fn given(window: &Window, hours_east: i64, last_included: bool) -> (DateTime<Utc>, DateTime<Utc>) {
        let shift = TimeDelta::hours(hours_east);
        let end = midnight(window.to()) + TimeDelta::days(i64::from(last_included));
        (midnight(window.from()) - shift, end - shift)
    }

    proptest! {
        #[test]
        fn every_instant_of_the_covered_days_is_asked_for(
            start in 0i64..400, length in 0i64..200, hours_east in -12i64..=14, included: bool
        ) {
            let (from, to) = (day(start), day(start + length));
            let windows = windows(from, to, &Scope::All, Seam::Shared);
            prop_assert!(windows.iter().all(|window| window.days() <= MAX_WINDOW_DAYS));
            prop_assert!(windows.windows(2).all(|pair| pair[0].to() == pair[1].from()));

            let (first, last) = covered_days(from, to);
            prop_assume!(first <= last);
            let mut reached = midnight(first);
            for window in &windows {
                let (begin, end) = given(window, hours_east, included);
                prop_assert!(begin <= reached || end <= reached, "a gap before {begin}");
                reached = reached.max(end);
            }
            prop_assert!(reached >= midnight(last) + TimeDelta::days(1));
        }

        #[test]
        fn what_is_asked_for_covers_what_is_wanted_unless_it_is_too_young(
            start in 0i64..400, length in 0i64..200, age in 0i64..9
        ) {
            let (first, last) = (day(start), day(start + length));
            let today = day(start + length + age);
            let (from, to) = asked_span(first, last, today);
            prop_assert!(to <= today);
            let covered = covered_days(from, to);
            if age >= 2 {
                prop_assert_eq!(covered, (first, last));
            } else {
                prop_assert!(covered.1 < last);
            }
        }

        #[test]
        fn parts_hold_every_day_of_their_window(length in 0i64..28, count in 1u64..40, shared: bool) {
            let seam = if shared { Seam::Shared } else { Seam::Adjacent };
            let window = Window::try_new(day(0), day(length), Scope::All).unwrap();
            let Some(parts) = parts(&window, count, seam) else { return Ok(()) };
            prop_assert!(parts.len() as u64 <= count);
            prop_assert_eq!((parts[0].from(), parts[parts.len() - 1].to()), (window.from(), window.to()));
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[1].from(), ahead(pair[0].to(), u64::from(!shared)));
            }
            prop_assert!(parts.iter().all(|part| part.days() < window.days()));
        }
    }

    #[test]
    fn a_span_of_one_day_is_one_window_and_an_empty_span_none() {
        assert_eq!(windows(day(3), day(3), &Scope::All, Seam::Shared).len(), 1);
        assert_eq!(windows(day(4), day(3), &Scope::All, Seam::Shared).len(), 0);
        assert_eq!(windows(day(0), day(27), &Scope::All, Seam::Shared).len(), 1);
        assert_eq!(windows(day(0), day(28), &Scope::All, Seam::Shared).len(), 2);
        assert_eq!(windows(day(0), day(55), &Scope::All, Seam::Adjacent).len(), 2);
    }

    #[test]
    fn windows_share_days_of_the_weekend_and_those_that_share_none_are_equally_long() {
        let shared = windows(day(0), day(367), &Scope::All, Seam::Shared);
        assert!(shared[1..].iter().all(|window| is_quiet(window.from())));
        assert_eq!(shared.len(), 15);
        let adjacent = windows(day(0), day(367), &Scope::All, Seam::Adjacent);
        assert_eq!(adjacent.len(), 14);
        assert!(adjacent.iter().all(|window| window.days() >= 17));
    }

    #[test]
    fn the_days_that_tell_most_are_two_tuesdays_within_the_span() {
        let days = |from: &str, to: &str| telling_days(from.parse().unwrap(), to.parse().unwrap());
        let tuesdays = |days: &[&str]| days.iter().map(|day| day.parse().unwrap()).collect::<Vec<NaiveDate>>();
        assert_eq!(days("2022-01-01", "2022-12-31"), tuesdays(&["2022-12-20", "2022-06-28"]));
        assert_eq!(days("2022-02-01", "2022-02-02"), tuesdays(&["2022-02-01"]));
        assert_eq!(days("2022-02-01", "2022-02-01"), []);
        assert_eq!(days("2022-02-02", "2022-02-07"), []);
        assert_eq!(days("2022-02-07", "2022-02-02"), []);
    }

    #[test]
    fn parts_of_a_week_share_days_of_the_weekend() {
        let month = Window::try_new(day(0), day(27), Scope::All).unwrap();
        let weeks = parts(&month, 4, Seam::Shared).unwrap();
        assert!(weeks.len() <= 4 && weeks[1..].iter().all(|part| is_quiet(part.from())), "{weeks:?}");
    }
}
