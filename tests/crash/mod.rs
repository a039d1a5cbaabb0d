//! Real runs, killed: whatever they were at, readers see whole commits and no row twice, and the next run makes the table
//! exact and leaves nothing behind.
//!
//! ```text
//! Origin (two accounts, tables to start from) --copy--> Place (local disk, S3)
//!     Trial: readers at work || a run, killed -> the same run again -> a run that tidies up -> what readers saw, what is there
//! ```
//!
//! A run dies at a [`FailPoint`], by its own hand, or after a time, by ours. Trials are drawn from seeds:
//! `PHONETRAIL_KILLS=500 cargo test --test behaviour crash::drawn -- --nocapture` makes as many and prints what they were,
//! and with `PHONETRAIL_SEED=7 PHONETRAIL_KILLS=1` it is the one of seed 7. Whoever adds a step that changes a destination
//! adds a point to `src/failpoint.rs`; that it is reached is seen to here.

mod origin;
mod place;
mod readers;
mod series;
mod side_by_side;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use phonetrail::failpoint::FailPoint;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use test_case::test_matrix;
use tokio::runtime::Handle;

use self::origin::{Origin, Scenario};
use self::place::Kind;
use self::trial::{Death, Trial};

/// How many trials are made at once.
const AT_ONCE: usize = 3;

/// Trials of a test run that is not told how many.
const FEW_KILLS: u64 = 8;

/// How a run goes that nobody disturbs.
struct Course {
    passages: BTreeMap<&'static str, u32>,
    time: Duration,
}

impl Course {
    async fn of(origin: &Origin, scenario: Scenario, kind: Kind) -> Self {
        let place = origin.copy(scenario, kind).await;
        let begun = Instant::now();
        let mut passages = BTreeMap::new();
        let log = origin.passages(scenario, &place).await;
        for point in FailPoint::ALL {
            let count = log.iter().filter(|name| *name == point.name()).count();
            if count > 0 {
                passages.insert(point.name(), count as u32);
            }
        }
        Self { passages, time: begun.elapsed() }
    }
}

fn point(name: &str) -> FailPoint {
    *FailPoint::ALL.iter().find(|point| point.name() == name).unwrap()
}

/// Makes the trials, and gives back how each that failed was drawn.
async fn all(origin: &Arc<Origin>, trials: Vec<(u64, Trial)>) -> Vec<(Trial, bool)> {
    let made: Vec<(u64, Trial, Option<bool>)> = stream::iter(trials)
        .map(|(seed, trial)| {
            let origin = Arc::clone(origin);
            async move {
                let runtime = Handle::current();
                // A panic of one must not keep the others from being told.
                let made = tokio::task::spawn_blocking(move || runtime.block_on(trial.run(&origin))).await;
                eprintln!("seed {seed}, {trial:?}: {}", if made.is_ok() { "exact" } else { "FAILED" });
                (seed, trial, made.ok())
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let failed: Vec<_> =
        made.iter().filter(|(_, _, died)| died.is_none()).map(|(seed, trial, _)| (seed, trial)).collect();
    assert!(failed.is_empty(), "{} of {} failed, by seed: {failed:#?}", failed.len(), made.len());
    made.into_iter().map(|(_, trial, died)| (trial, died.unwrap())).collect()
}

#[cfg_attr(not(debug_assertions), ignore = "fail points are of builds with debug assertions")]
#[test_matrix([&Scenario::SYNCS, &Scenario::COMPACTIONS, &Scenario::REPLAYS], [Kind::Disk, Kind::S3])]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_may_die_at_every_point(scenarios: &'static [Scenario], kind: Kind) {
    let origin = Arc::new(Origin::start().await);
    let mut courses = Vec::new();
    for scenario in scenarios {
        courses.push((*scenario, Course::of(&origin, *scenario, kind).await));
    }
    let mut trials = Vec::new();
    for (place, point) in FailPoint::ALL.iter().enumerate() {
        let passing =
            courses.iter().filter_map(|(scenario, course)| Some((*scenario, *course.passages.get(point.name())?)));
        let passing: Vec<(Scenario, u32)> = passing.collect();
        // On object storage a table of many commits takes its time.
        let turn = if kind == Kind::S3 { 0 } else { place % passing.len().max(1) };
        if let Some((scenario, last)) = passing.get(turn) {
            let passage = if place % 2 == 0 { 1 } else { *last };
            trials.push((0, Trial { scenario: *scenario, kind, death: Death::At(*point, passage) }));
        }
    }
    let made = all(&origin, trials).await;
    for (trial, died) in &made {
        assert!(*died || !matches!(trial.death, Death::At(_, 1)), "{trial:?} was not reached");
    }
}

#[cfg_attr(not(debug_assertions), ignore = "fail points are of builds with debug assertions")]
#[tokio::test(flavor = "multi_thread")]
async fn drawn() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("PHONETRAIL_SEED").unwrap_or_default();
    let kills = number("PHONETRAIL_KILLS").unwrap_or(FEW_KILLS);
    let origin = Arc::new(Origin::start().await);
    let mut courses: BTreeMap<(Scenario, Kind), Course> = BTreeMap::new();
    for scenario in Scenario::all() {
        for kind in [Kind::Disk, Kind::S3] {
            courses.insert((scenario, kind), Course::of(&origin, scenario, kind).await);
        }
    }
    let passed: BTreeSet<&str> = courses.values().flat_map(|course| course.passages.keys().copied()).collect();
    let named: Vec<&str> = FailPoint::ALL.iter().map(|point| point.name()).collect();
    assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), passed, "each point is passed by some run");
    assert_eq!(named.len(), passed.len(), "names tell the points apart");

    let trials = (first..first + kills).map(|seed| (seed, draw(seed, &courses))).collect();
    let begun = Instant::now();
    let made = all(&origin, trials).await;
    summary(&made, begun.elapsed());
}

fn draw(seed: u64, courses: &BTreeMap<(Scenario, Kind), Course>) -> Trial {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let scenarios: Vec<Scenario> = Scenario::all().collect();
    let scenario = scenarios[random.random_range(0..scenarios.len())];
    let kind = [Kind::Disk, Kind::S3][random.random_range(0..2)];
    let course = &courses[&(scenario, kind)];
    let death =
        if random.random_bool(0.6) { at_a_point(&mut random, course) } else { after_a_time(&mut random, course) };
    Trial { scenario, kind, death }
}

fn at_a_point(random: &mut impl Rng, course: &Course) -> Death {
    let (name, passages) = course.passages.iter().nth(random.random_range(0..course.passages.len())).unwrap();
    Death::At(point(name), random.random_range(1..=*passages))
}

fn after_a_time(random: &mut impl Rng, course: &Course) -> Death {
    Death::After(course.time.mul_f64(random.random_range(0.0..1.0)))
}

fn summary(made: &[(Trial, bool)], time: Duration) {
    let mut by: [BTreeMap<String, (u32, u32)>; 3] = Default::default();
    for (trial, died) in made {
        let death = match trial.death {
            Death::At(point, _) => format!("at {}", point.name()),
            Death::After(_) => "at a random moment".to_owned(),
        };
        for (map, key) in by.iter_mut().zip([trial.scenario.to_string(), format!("{:?}", trial.kind), death]) {
            let (kills, survivals) = map.entry(key).or_default();
            *kills += u32::from(*died);
            *survivals += u32::from(!*died);
        }
    }
    let kills = made.iter().filter(|(_, died)| *died).count();
    eprintln!("{} trials, {kills} kills, {} exact, in {:.0} s", made.len(), made.len(), time.as_secs_f64());
    for (what, (kills, survivals)) in by.iter().flatten() {
        let early = if *survivals > 0 { format!(" ({survivals} ended first)") } else { String::new() };
        eprintln!("  {what:<24} {kills:>4}{early}");
    }
}
