//! A small account, a sync of it under faults, and what must hold whatever comes of that.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use phonetrail::extract::{ErrorKind, ExtractError, Retries, Settings, Source, Timeouts, plan};
use phonetrail::model::{Scope, Seam, Window};
use phonetrail::pipeline::{self, SyncError, SyncReport, SyncRequest};
use phonetrail::simulator::{AccountRecord, Endpoint, Fault, FaultPlan, SeenRequest, SimulatorConfig};

use crate::support::{Account, Row, day, multiset, rows};

/// The days that are synced.
const RANGE: (&str, &str) = ("2022-01-01", "2022-03-31");

/// The windows that they are asked for in, once it is known that they need not share days.
fn windows() -> Vec<Window> {
    let (from, to) = plan::asked_span(day(RANGE.0), day(RANGE.1), Utc::now().date_naive());
    plan::windows(from, to, &Scope::All, Seam::Adjacent)
}

/// One of them, as errors name it.
pub(super) fn third_window() -> String {
    format!("window {}", windows()[2])
}

/// Requests that it takes to find out how they may meet.
pub(super) const CALIBRATION: u64 = 3;

/// How many pages each window has.
pub(super) const PAGES: u64 = 4;

/// Stands in every record's detail, and nowhere else.
pub(super) const DETAIL_WORD: &str = "upstairs";

/// How many records the account has.
pub(super) const RECORDS: u64 = 300;

/// An account whose windows have several pages each.
pub(super) fn config() -> SimulatorConfig {
    SimulatorConfig::default().with_records(records()).with_page_cap(20)
}

/// Records seven hours apart, some of them twins. Few categories make few files.
fn records() -> Vec<AccountRecord> {
    let start: DateTime<Utc> = "2022-01-01T00:00:00Z".parse().unwrap();
    let record = |n: u64| {
        let n = if n % 20 == 19 { n - 1 } else { n };
        let at = start + TimeDelta::minutes(n as i64 * 7 * 60);
        let category = ["Device", "Phone Number"][n as usize % 2];
        let time = at.format("%Y-%m-%dT%H:%M:%SZ");
        let text = format!(
            r#"{{"action":"ADD","category_type":"{category}","operation_detail":"Add {n} {DETAIL_WORD}","operator":"o@example.com","time":"{time}"}}"#
        );
        AccountRecord::new(text, at)
    };
    (0..RECORDS).map(record).collect()
}

/// Settings for an upstream on loopback, which need not be spared.
pub(super) fn impatient(settings: Settings) -> Settings {
    let retries = Retries {
        tries_per_page: 4,
        throttles_per_window: 8,
        first_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(8),
        throttle_pause: Duration::from_millis(5),
        ..Retries::default()
    };
    let timeouts = Timeouts { idle: Duration::from_secs(5), total: Duration::from_secs(10), ..Timeouts::default() };
    Settings { retries, timeouts, ..settings }
}

pub(super) struct Trial {
    pub(super) account: Account,
    pub(super) settings: Settings,
    pub(super) request: SyncRequest,
}

impl Trial {
    pub(super) async fn start(config: SimulatorConfig) -> Self {
        let account = Account::start(config).await;
        let settings = impatient(account.settings());
        let request = SyncRequest { from: Some(day(RANGE.0)), to: Some(day(RANGE.1)), ..account.request() };
        Self { account, settings, request }
    }

    /// The account of [`config`], where `faults` will strike.
    pub(super) async fn under(faults: FaultPlan) -> Self {
        Self::start(config().with_faults(faults)).await
    }

    pub(super) async fn sync(&self) -> Outcome {
        self.sync_from(self.account.source_with(self.settings.clone())).await
    }

    pub(super) async fn sync_from(&self, source: Source) -> Outcome {
        Outcome(pipeline::sync(&source, &self.account.destination(), &self.request).await)
    }

    /// Syncs, which must end well, and compares.
    pub(super) async fn heals(&self) -> SyncReport {
        let report = self.sync().await.done();
        self.assert_exact();
        report
    }

    /// Syncs, which must fail and store no more than the account holds; then ends the faults, and all must be well.
    pub(super) async fn fails_until_the_faults_end(&self) -> Outcome {
        let outcome = self.sync().await;
        assert!(outcome.error().is_some(), "it ended well: {:?}", outcome.0);
        self.assert_nothing_invented();
        self.account.simulator.end_faults();
        self.heals().await;
        outcome
    }

    /// Every record of the account stands in the table as often as in the account.
    pub(super) fn assert_exact(&self) {
        let (found, truth) = (self.found(), self.account.truth());
        assert!(found == truth, "{}", difference(&found, &truth));
    }

    /// Every row of the table is of the account, and stands there at most as often.
    pub(super) fn assert_nothing_invented(&self) {
        let (found, truth) = (self.found(), self.account.truth());
        let mut left = truth.iter();
        let invented = found.iter().filter(|row| !left.by_ref().any(|record| record == *row)).count();
        assert_eq!(invented, 0, "{}", difference(&found, &truth));
    }

    /// On the days that the table calls final it holds the account's records, and as often. Gives how many days those are.
    pub(super) async fn assert_final_days_exact(&self) -> usize {
        if !self.account.path().exists() {
            return 0;
        }
        let Some(status) = pipeline::status(&self.account.destination()).await.unwrap() else { return 0 };
        let spans = status.accounts.into_iter().flat_map(|of| of.spans).filter(|span| span.is_final);
        let days: BTreeSet<NaiveDate> =
            spans.flat_map(|span| span.from.iter_days().take_while(move |day| *day <= span.to)).collect();
        let truth = self.account.simulator.ground_truth();
        let texts = truth.records().iter().filter(|record| days.contains(&record.at().date_naive()));
        let truth = multiset(texts.map(|record| std::str::from_utf8(record.text()).unwrap()));
        let day = |row: &Row| DateTime::from_timestamp_micros(row.event_time?).map(|time| time.date_naive());
        let rows = rows(&self.account.path()).into_iter();
        let mut found: Vec<String> =
            rows.filter(|row| day(row).is_some_and(|day| days.contains(&day))).map(|row| row.record).collect();
        found.sort();
        assert!(found == truth, "of {} final days: {}", days.len(), difference(&found, &truth));
        days.len()
    }

    /// The records in the table, sorted.
    pub(super) fn found(&self) -> Vec<String> {
        let mut found: Vec<String> = rows(&self.account.path()).into_iter().map(|row| row.record).collect();
        found.sort();
        found
    }
}

fn difference(found: &[String], truth: &[String]) -> String {
    let lacking = truth.iter().filter(|record| !found.contains(record)).count();
    let surplus = found.iter().filter(|record| !truth.contains(record)).count();
    format!("{} rows for {} records; {lacking} lacking, {surplus} not of the account", found.len(), truth.len())
}

/// How a sync ended.
#[derive(Debug)]
pub(super) struct Outcome(pub(super) Result<SyncReport, SyncError>);

impl Outcome {
    /// The report of a sync that did all its work.
    pub(super) fn done(self) -> SyncReport {
        let text = self.text();
        let report = self.0.unwrap_or_else(|_| panic!("{text}"));
        assert!(report.stopped.is_none(), "{text}");
        assert_eq!(report.days.unmatched, 0);
        report
    }

    /// What kept it from doing all its work.
    pub(super) fn error(&self) -> Option<&ExtractError> {
        match &self.0 {
            Ok(report) => report.failure.as_ref(),
            Err(SyncError::Extract(error)) => Some(error),
            Err(error) => panic!("no failure of the upstream: {error:?}"),
        }
    }

    pub(super) fn kind(&self) -> Option<ErrorKind> {
        self.error().map(ExtractError::kind)
    }

    /// The error with all its causes, as it is printed.
    pub(super) fn text(&self) -> String {
        let mut causes = Vec::new();
        let mut next = self.error().map(|error| error as &dyn Error);
        while let Some(error) = next {
            causes.push(error.to_string());
            next = error.source();
        }
        causes.join(": ")
    }

    pub(super) fn assert_says(&self, words: &[&str]) {
        let text = self.text();
        assert!(words.iter().all(|word| text.contains(word)), "{words:?} not all in `{text}`");
    }
}

/// `fault` strikes while it is found out how windows may meet, then a first page, a second one and a later one.
pub(super) fn four_times(fault: &Fault) -> FaultPlan {
    [1, 4, 9, 14].into_iter().fold(FaultPlan::new(), |plan, number| plan.on_report(number, fault.clone()))
}

/// `fault` strikes every request for the report.
pub(super) fn always(fault: &Fault) -> FaultPlan {
    FaultPlan::new().on_next(Endpoint::Report, u64::MAX, fault.clone())
}

/// `fault` strikes every request for the third window or a part of it.
pub(super) fn in_the_third_window(fault: &Fault) -> FaultPlan {
    also_in_the_third_window(FaultPlan::new(), fault)
}

/// The same, after what `plan` has in store.
pub(super) fn also_in_the_third_window(plan: FaultPlan, fault: &Fault) -> FaultPlan {
    let days = windows()[2].from()..windows()[3].from();
    let strikes = move |request: &SeenRequest| request.parameter("from").is_some_and(|from| days.contains(&day(from)));
    plan.when(u64::MAX, strikes, fault.clone())
}

/// `fault` strikes the `number`th request that carries a page token, counted from 1.
pub(super) fn at_page_token(number: u64, fault: Fault) -> FaultPlan {
    let seen = AtomicU64::new(0);
    let strikes = move |request: &SeenRequest| {
        let has_token = request.parameter("next_page_token").is_some_and(|token| !token.is_empty());
        has_token && seen.fetch_add(1, Ordering::Relaxed) + 1 == number
    };
    FaultPlan::new().when(1, strikes, fault)
}
