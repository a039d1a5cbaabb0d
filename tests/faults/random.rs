//! All faults together, drawn from seeds.
//!
//! An upstream that lies in the same way twice in a row, about records as about their number, cannot be told from one
//! that is right. So every kind of lie is planned once for an account; all else may come as often as it likes.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use futures::{StreamExt, stream};
use phonetrail::extract::ErrorKind;
use phonetrail::simulator::{
    Endpoint, Fault, FaultPlan, LastToken, LongRange, MonthLength, Paging, RateLimits, RecordOrder, SecondWindow,
    SeenRequest, SimulatorConfig,
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

/// How many of a hundred end well, in an error with some days final by then, and in one without.
const LEAST_SHARES: [usize; 3] = [50, 6, 5];

/// How long a request may take: some are never answered.
const PATIENCE: Duration = Duration::from_secs(1);

const MOST_BODY_BYTES: usize = 256 << 10;

/// Where nobody listens, and where nothing is.
const UNREACHABLE: [&str; 2] = ["http://127.0.0.1:1/v2", "https://upstream.invalid/v2"];

/// Days that it takes at most where the account has few requests a day.
const MOST_DAYS: usize = 10;

const PAGE_TOKEN: &str = r#"{"code":300,"message":"The next page token is either invalid or has expired."}"#;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_together_the_table_is_the_account_or_the_run_says_why_not() {
    let outcomes: Vec<(u64, Option<Ending>)> = stream::iter(SEEDS)
        .map(|seed| async move {
            let runtime = Handle::current();
            let survived = tokio::task::spawn_blocking(move || runtime.block_on(survive(seed)));
            (seed, survived.await.ok())
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let failed: Vec<u64> = outcomes.iter().filter(|(_, ending)| ending.is_none()).map(|(seed, _)| *seed).collect();
    assert!(failed.is_empty(), "seeds {failed:?}");

    // Were nearly all to end in one way, the others would not be tried at all.
    let all = outcomes.len();
    let share = |ending| outcomes.iter().filter(|(_, of)| *of == Some(ending)).count() * 100 / all;
    let shares = [Ending::Well, Ending::InErrorWithFinalDays, Ending::InError].map(share);
    assert!(shares.iter().zip(LEAST_SHARES).all(|(share, least)| *share >= least), "{shares:?} % of {all}");
}

/// How a sync under faults ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Well,
    InErrorWithFinalDays,
    InError,
}

async fn survive(seed: u64) -> Ending {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let is_of_today = random.random_bool(0.3);
    let config = behaviour(&mut random, if is_of_today { SimulatorConfig::default() } else { config() });
    let faults = faults(&mut random, is_of_today);
    let told = format!("seed {seed}: {faults:?}");
    let config = config.with_faults(faults);
    let mut trial = if is_of_today { trial_of_today(config, seed, 60).await } else { Trial::start(config).await };
    // With more than one worker the order of requests, and with it what is struck, is left to chance.
    trial.settings.concurrency = one_of(&mut random, &[Some(1), Some(1), Some(3), None]);
    trial.settings.timeouts.total = PATIENCE;
    trial.settings.max_body_bytes = MOST_BODY_BYTES;
    let reachable = trial.settings.base_url.clone();
    if random.random_bool(0.05) {
        trial.settings.base_url = one_of(&mut random, &UNREACHABLE).to_owned();
    }
    let before = trial.account.truth();

    let outcome = trial.sync().await;
    trial.assert_nothing_invented();
    let final_days = trial.assert_final_days_exact().await;
    let ending = if outcome.error().is_some() {
        assert_clear(&outcome.text(), &told);
        if final_days > 0 { Ending::InErrorWithFinalDays } else { Ending::InError }
    } else {
        let found = trial.found();
        assert!(before.iter().all(|record| found.contains(record)), "a record is missing; {told}");
        outcome.done();
        Ending::Well
    };
    trial.settings.base_url = reachable;
    trial.account.simulator.end_faults();
    heal(&mut trial, &told).await;
    assert_eq!(trial.found(), trial.account.truth(), "{told}");
    ending
}

/// Syncs without faults, on as many days as the account's limits make it take, and without haste.
async fn heal(trial: &mut Trial, told: &str) {
    if let Some(per_second) = trial.account.simulator.config().rate_limits.per_second {
        trial.settings.plan = format!("{per_second}/s,1000000/day").parse().unwrap();
    }
    for _ in 0..MOST_DAYS {
        trial.account.simulator.start_new_day();
        match trial.sync().await {
            outcome if outcome.error().is_none() => return drop(outcome.done()),
            outcome => assert_eq!(outcome.kind(), Some(ErrorKind::DailyLimit), "{}; {told}", outcome.text()),
        }
    }
    panic!("not within {MOST_DAYS} days; {told}");
}

/// It names what was asked for, or what the account is not given; and the request, where there was one.
fn assert_clear(text: &str, told: &str) {
    let subjects = [
        "window 202",
        "an access token",
        "daily request limit reached, go on at 20",
        "not accepted",
        "refused by the upstream",
    ];
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
        .with_rate_limits(RateLimits {
            per_second: random.random_bool(0.15).then(|| random.random_range(20..100)),
            per_day: random.random_bool(0.15).then(|| random.random_range(25..90)),
        })
        .with_rate_limits_told(random.random_bool(0.5))
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
    if random.random_bool(0.5) { lasting(random, plan) } else { plan }
}

/// Adds a failure that does not pass by itself: from some request on it strikes every one, or every other one.
fn lasting(random: &mut impl Rng, plan: FaultPlan) -> FaultPlan {
    let (first, step) = (random.random_range(4..20), one_of(random, &[1, 1, 1, 2]));
    let strikes = move |request: &SeenRequest| {
        request.endpoint == Endpoint::Report && request.number >= first && request.number.is_multiple_of(step)
    };
    let fault = match random.random_range(0..12) {
        0..=2 => Fault::status(500, ""),
        3..=4 => Fault::Html200,
        5..=6 => Fault::ResetMidBody,
        7..=8 => Fault::TruncatedJson,
        9..=10 => Fault::Padded(MOST_BODY_BYTES),
        _ => Fault::Hang,
    };
    plan.when(u64::MAX, strikes, fault)
}

fn failure(random: &mut impl Rng) -> Fault {
    match random.random_range(0..16) {
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
        13 => Fault::Padded(MOST_BODY_BYTES),
        14 => Fault::Hang,
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
        _ => match random.random_range(0..4) {
            0 => Fault::status_with_header(429, "X-RateLimit-Type", "Daily-limit", ""),
            1 => Fault::status(403, json!({"code": 403, "message": "No permission."}).to_string()),
            2 => Fault::status_with_header(307, "Location", "http://127.0.0.1:1/", ""),
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
