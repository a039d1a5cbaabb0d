//! Which days have been read, and whether they can still change.
//!
//! The rule: a day is *final* only if it was read, with all its neighbours under every reading of the upstream's
//! calendar, long enough after its end; anything less is *provisional* and will be read again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, Month, Scope};

/// What is known of one UTC day, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayState {
    /// Never read.
    Missing,
    /// Read, but records may still arrive.
    Provisional,
    /// Read after it had settled.
    Final,
}

/// A run of days `from..=to` with one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// Every day of the span was last read at this time or later.
    pub read_at: DateTime<Utc>,
    /// Whether the days are final.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// The days read of every account, by scope. Spans are sorted, disjoint and as few as possible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    spans: BTreeMap<(AccountId, Scope), Vec<Span>>,
}

impl Coverage {
    /// Records that the days of `span` were read. A day that was final stays so.
    pub fn add(&mut self, account: &AccountId, scope: &Scope, span: Span) {
        let spans = self.spans.entry((account.clone(), scope.clone())).or_default();
        let (settled, open): (Vec<_>, Vec<_>) = std::mem::take(spans).into_iter().partition(|old| old.is_final);
        let fresh = cut(span, &settled);
        let still_open = open.into_iter().flat_map(|old| cut(old, &fresh));
        let mut all: Vec<Span> = still_open.chain(settled).chain(fresh.iter().cloned()).collect();
        all.sort_by_key(|span| span.from);
        *spans = merged(all);
    }

    /// The state of `day`: what was read under a wider scope counts too.
    pub fn state(&self, account: &AccountId, scope: &Scope, day: NaiveDate) -> DayState {
        let applicable = self.spans.iter().filter(|((of, read), _)| of == account && read.includes(scope));
        let mut state = DayState::Missing;
        for span in applicable.flat_map(|(_, spans)| spans).filter(|span| span.from <= day && day <= span.to) {
            if span.is_final {
                return DayState::Final;
            }
            state = DayState::Provisional;
        }
        state
    }

    /// The days of `from..=to` that are not final, as runs.
    pub fn open_days(
        &self,
        account: &AccountId,
        scope: &Scope,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Vec<(NaiveDate, NaiveDate)> {
        let mut runs: Vec<(NaiveDate, NaiveDate)> = Vec::new();
        for day in from.iter_days().take_while(|day| *day <= to) {
            if self.state(account, scope, day) == DayState::Final {
                continue;
            }
            match runs.last_mut() {
                Some((_, last)) if last.succ_opt() == Some(day) => *last = day,
                _ => runs.push((day, day)),
            }
        }
        runs
    }

    /// The first day ever read of `account` under `scope`.
    pub fn first_day(&self, account: &AccountId, scope: &Scope) -> Option<NaiveDate> {
        let applicable = self.spans.iter().filter(|((of, read), _)| of == account && read.includes(scope));
        applicable.flat_map(|(_, spans)| spans).map(|span| span.from).min()
    }

    /// Whether `month` is settled: somebody covers some of it, and whoever does, under whatever scope, has all its days
    /// final.
    pub fn is_closed(&self, month: Month) -> bool {
        let Some((first, last)) = month.days() else { return false };
        let touches = |spans: &[Span]| spans.iter().any(|span| span.from <= last && first <= span.to);
        let mut covering = self.iter().filter(|(_, _, spans)| touches(spans)).peekable();
        covering.peek().is_some()
            && covering.all(|(account, scope, _)| self.open_days(account, scope, first, last).is_empty())
    }

    /// All months that are settled so.
    pub fn closed_months(&self) -> BTreeSet<Month> {
        let touched = self.spans.values().flatten().flat_map(|span| Month::touched(span.from, span.to));
        let touched: BTreeSet<Month> = touched.collect();
        touched.into_iter().filter(|month| self.is_closed(*month)).collect()
    }

    /// Every account, scope and its spans.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountId, &Scope, &[Span])> {
        self.spans.iter().map(|((account, scope), spans)| (account, scope, spans.as_slice()))
    }
}

/// The parts of `span` that none of `holes` overlaps.
fn cut(span: Span, holes: &[Span]) -> Vec<Span> {
    let mut parts = vec![span];
    for hole in holes {
        parts = parts.into_iter().flat_map(|part| cut_one(part, hole)).collect();
    }
    parts
}

fn cut_one(span: Span, hole: &Span) -> Vec<Span> {
    if hole.to < span.from || span.to < hole.from {
        return vec![span];
    }
    let before = hole.from.checked_sub_days(Days::new(1)).map(|to| Span { to, ..span.clone() });
    let after = hole.to.checked_add_days(Days::new(1)).map(|from| Span { from, ..span });
    [before, after].into_iter().flatten().filter(|part| part.from <= part.to).collect()
}

/// Joins neighbours: final days whatever their reading time, provisional ones with the same.
fn merged(spans: Vec<Span>) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last)
                if last.to.succ_opt() == Some(span.from)
                    && last.is_final == span.is_final
                    && (span.is_final || last.read_at == span.read_at) =>
            {
                last.to = span.to;
                last.read_at = last.read_at.min(span.read_at);
            }
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(n: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2022, 1, 1).unwrap() + Days::new(n)
    }

    fn span(from: u64, to: u64, read: i64, is_final: bool) -> Span {
        Span { from: day(from), to: day(to), read_at: DateTime::from_timestamp(read, 0).unwrap(), is_final }
    }

    proptest! {
        /// The oracle keeps one cell a day.
        #[test]
        fn coverage_equals_a_table_of_days(reads in prop::collection::vec((0u64..40, 0u64..12, 0i64..5, any::<bool>()), 0..20)) {
            let account = AccountId::new("a");
            let mut coverage = Coverage::default();
            let mut days = [DayState::Missing; 60];
            for (from, length, read, is_final) in reads {
                coverage.add(&account, &Scope::All, span(from, from + length, read, is_final));
                for cell in &mut days[from as usize..=(from + length) as usize] {
                    if *cell != DayState::Final {
                        *cell = if is_final { DayState::Final } else { DayState::Provisional };
                    }
                }
            }
            for (n, expected) in days.iter().enumerate() {
                prop_assert_eq!(coverage.state(&account, &Scope::All, day(n as u64)), *expected);
            }
            for (_, _, spans) in coverage.iter() {
                prop_assert!(spans.windows(2).all(|pair| pair[0].to < pair[1].from));
                prop_assert!(spans.iter().all(|span| span.from <= span.to));
            }
        }
    }

    #[test]
    fn final_days_merge_into_one_span_however_many_syncs_read_them() {
        let account = AccountId::new("a");
        let mut coverage = Coverage::default();
        for n in 0..100 {
            coverage.add(&account, &Scope::All, span(n, n, n as i64, true));
        }
        assert_eq!(coverage.iter().map(|(_, _, spans)| spans.len()).sum::<usize>(), 1);
    }

    #[test]
    fn all_categories_cover_each_of_them_but_not_the_reverse() {
        let account = AccountId::new("a");
        let device = Scope::Category("device".parse().unwrap());
        let mut coverage = Coverage::default();
        coverage.add(&account, &Scope::All, span(0, 4, 0, true));
        coverage.add(&account, &device, span(5, 9, 0, true));
        assert_eq!(coverage.state(&account, &device, day(2)), DayState::Final);
        assert_eq!(coverage.state(&account, &Scope::All, day(7)), DayState::Missing);
        assert_eq!(coverage.open_days(&account, &Scope::All, day(3), day(7)), [(day(5), day(7))]);
        assert_eq!(coverage.state(&AccountId::new("b"), &device, day(2)), DayState::Missing);
    }

    #[test]
    fn a_month_is_closed_when_whoever_covers_some_of_it_has_all_of_it_final() {
        let (account, other) = (AccountId::new("a"), AccountId::new("b"));
        let january = Month { year: 2022, month: 1 };
        let mut coverage = Coverage::default();
        assert!(!coverage.is_closed(january), "nobody covers it");

        coverage.add(&account, &Scope::All, span(0, 29, 0, true));
        coverage.add(&account, &Scope::All, span(30, 35, 0, false));
        assert!(!coverage.is_closed(january), "its last day is provisional");
        coverage.add(&account, &Scope::All, span(30, 30, 1, true));
        assert!(coverage.is_closed(january));
        assert_eq!(coverage.closed_months(), BTreeSet::from([january]));
        assert!(!coverage.is_closed(Month { year: 2022, month: 2 }));
        assert!(!coverage.is_closed(Month { year: 0, month: 0 }));

        coverage.add(&account, &Scope::Category("device".parse().unwrap()), span(10, 11, 1, true));
        assert!(coverage.is_closed(january), "all categories include each of them");
        coverage.add(&other, &Scope::All, span(15, 15, 1, true));
        assert!(!coverage.is_closed(january), "the other account lacks days");
    }
}
