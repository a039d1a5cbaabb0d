//! All faults together, drawn from seeds.
//!
//! An upstream that lies in the same way twice in a row, about records as about their number, cannot be told from one
//! that is right. So every kind of lie is planned once for an account; all else may come as often as it likes.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use futures::{StreamExt, stream};
use phonetrail::simulator::{
    Fault, FaultPlan, LastToken, LongRange, MonthLength, Paging, RecordOrder, SecondWindow, SimulatorConfig,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio::runtime::Handle;

use super::arrivals::{arriving, trial_of_today};
use super::trial::{Trial, config};

const SEEDS: std::ops::Range<u64> = 0..200;
const AT_ONCE: usize = 6;
const MOST_FAULTS: usize = 14;
const MOST_REQUESTS: u64 = 40;

/// Of arriving records: they lie in days that every calendar has by now, and that are not settled.
const AGE: TimeDelta = TimeDelta::hours(60);

const PAGE_TOKEN: &str = r#"{"code":300,"message":"The next page token is either invalid or has expired."}"#;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_together_the_table_is_the_account_or_the_run_says_why_not() {
    let failed: Vec<u64> = stream::iter(SEEDS)
        .map(|seed| async move {
            let runtime = Handle::current();
            let survived = tokio::task::spawn_blocking(move || runtime.block_on(survive(seed)));
            survived.await.is_err().then_some(seed)
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(async |failed| failed)
        .collect()
        .await;
    assert!(failed.is_empty(), "seeds {failed:?}");
}

async fn survive(seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let is_of_today = random.random_bool(0.3);
    let config = behaviour(&mut random, if is_of_today { SimulatorConfig::default() } else { config() });
    let faults = faults(&mut random, is_of_today);
    let told = format!("seed {seed}: {faults:?}");
    let config = config.with_faults(faults);
    let mut trial = if is_of_today { trial_of_today(config, seed, 60).await } else { Trial::start(config).await };
    // One request after the other, or the order of requests, and with it what is struck, would be left to chance.
    trial.settings.concurrency = Some(1);
    let before = trial.account.truth();

    let outcome = trial.sync().await;
    trial.assert_nothing_invented();
    if outcome.error().is_some() {
        assert_clear(&outcome.text(), &told);
    } else {
        let found = trial.found();
        assert!(before.iter().all(|record| found.contains(record)), "a record is missing; {told}");
        outcome.done();
    }
    trial.account.simulator.end_faults();
    trial.account.simulator.start_new_day();
    let text = trial.sync().await.text();
    assert!(text.is_empty(), "{text}; {told}");
    assert_eq!(trial.found(), trial.account.truth(), "{told}");
}

/// It names what was asked for, or what the account is not given; and the request, where there was one.
fn assert_clear(text: &str, told: &str) {
    let subjects = ["window 202", "an access token", "daily request limit reached, go on at 20", "not accepted"];
    assert!(subjects.iter().any(|subject| text.contains(subject)), "`{text}` is not clear; {told}");
    let traces = ["tracking id v=2.0", "no whole answer", "go on at", "is answered for"];
    assert!(traces.iter().any(|trace| text.contains(trace)), "`{text}` cannot be traced; {told}");
}

fn one_of<T: Clone>(random: &mut impl Rng, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())].clone()
}

/// What the documentation leaves open.
fn behaviour(random: &mut impl Rng, config: SimulatorConfig) -> SimulatorConfig {
    let offset = format!("{}{:02}:00", one_of(random, &["+", "-"]), random.random_range(0..12));
    let second_window = one_of(random, &[SecondWindow::Fixed, SecondWindow::Sliding]);
    config
        .with_order(one_of(random, &[RecordOrder::NewestFirst, RecordOrder::OldestFirst, RecordOrder::Unsorted]))
        .with_paging(one_of(random, &[Paging::Snapshot, Paging::Live]))
        .with_last_token(one_of(random, &[LastToken::Empty, LastToken::Null, LastToken::Missing]))
        .with_totals_given(random.random_bool(0.7))
        .with_day_offset(offset.parse().unwrap())
        .with_to_inclusive(random.random_bool(0.5))
        .with_page_cap(random.random_range(15..50))
        .with_long_range(one_of(random, &[LongRange::CutEnd, LongRange::CutStart]))
        .with_month(one_of(random, &[MonthLength::Calendar, MonthLength::Calendar, MonthLength::Days(12)]))
        .with_single_use_page_tokens(random.random_bool(0.2))
        .with_single_access_token(random.random_bool(0.2))
        .with_second_window(second_window)
}

fn faults(random: &mut impl Rng, arrivals: bool) -> FaultPlan {
    let mut plan = FaultPlan::new();
    let mut lies = BTreeSet::new();
    for _ in 0..random.random_range(0..=MOST_FAULTS) {
        let number = random.random_range(1..=MOST_REQUESTS);
        plan = match random.random_range(0..10) {
            0 if arrivals => plan.on_report(number, Fault::Arrive(arriving(one_of(random, &[1, 5, 30]), "late", AGE))),
            0..=1 => plan.on_token(random.random_range(1..=3), failure(random)),
            2..=5 => plan.on_report(number, failure(random)),
            6..=7 => plan.on_report(number, of_access_or_paging(random)),
            _ => {
                let (kind, lie) = lie(random);
                if lies.insert(kind) { plan.on_report(number, lie) } else { plan }
            }
        };
    }
    plan
}

fn failure(random: &mut impl Rng) -> Fault {
    match random.random_range(0..14) {
        0 => Fault::status(500, ""),
        1 => Fault::status(502, "<html>Bad Gateway</html>"),
        2 => Fault::status_with_header(503, "Retry-After", "0", ""),
        3 => Fault::status_with_header(429, "X-RateLimit-Type", "QPS", ""),
        4 => Fault::status(429, r#"{"code":429,"message":"You have reached the maximum per-second rate limit."}"#),
        5 => Fault::Html200,
        6 => Fault::ResetMidBody,
        7 => Fault::ResetBeforeAnswer,
        8 => Fault::TruncatedJson,
        9 => Fault::Drip { pieces: 5, pause: Duration::from_millis(3) },
        10 => Fault::Gzip,
        11 => Fault::ContentType("text/html".to_owned()),
        12 => Fault::Padded(100_000),
        _ => Fault::Delay(Duration::from_millis(15)),
    }
}

fn of_access_or_paging(random: &mut impl Rng) -> Fault {
    match random.random_range(0..14) {
        0 => Fault::RevokeAccess,
        1 => Fault::status(401, r#"{"code":124,"message":"Access token is expired."}"#),
        2 => Fault::ExpireToken,
        3 => Fault::status(400, PAGE_TOKEN),
        4 => Fault::RepeatToken,
        5 => Fault::EmptyPageWithToken,
        6 => Fault::TokenAtEnd,
        7 => Fault::page(|page| {
            page.next_page_token.get_or_insert("dead".to_owned());
        }),
        8 => Fault::ShortPage(4),
        9 => Fault::NullLogs,
        10 => Fault::ErrorObject200,
        11 => Fault::page(|page| page.total_records = None),
        12 => Fault::page(|page| page.to = page.from.clone()),
        _ => match random.random_range(0..3) {
            0 => Fault::status_with_header(429, "X-RateLimit-Type", "Daily-limit", ""),
            1 => Fault::status_with_header(307, "Location", "http://127.0.0.1:1/", ""),
            _ => Fault::status(400, json!({"code": 300, "message": "Validation Failed."}).to_string()),
        },
    }
}

/// Pages that look whole and are not.
fn lie(random: &mut impl Rng) -> (&'static str, Fault) {
    match random.random_range(0..4) {
        0 => ("a record missing", Fault::DropRecord),
        1 => ("a page twice", Fault::DuplicatePage),
        2 => ("a wrong total", Fault::WrongTotal(one_of(random, &[-9, 5, 1000]))),
        _ => ("a damaged byte", Fault::InvalidUtf8),
    }
}
