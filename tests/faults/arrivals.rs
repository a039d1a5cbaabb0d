//! Records that arrive while their window is read.

use chrono::{DateTime, Days, TimeDelta, Utc};
use phonetrail::simulator::{AccountRecord, Fault, FaultPlan, GeneratorConfig, Paging, RecordOrder, SimulatorConfig};
use test_case::test_matrix;

use super::trial::Trial;

/// So many records, the latest of them `age` old.
pub(super) fn arriving(count: usize, name: &str, age: TimeDelta) -> Vec<AccountRecord> {
    let latest = Utc::now() - age;
    let record = |n: usize| {
        let at: DateTime<Utc> = latest - TimeDelta::seconds(n as i64);
        let time = at.format("%Y-%m-%dT%H:%M:%SZ");
        AccountRecord::new(
            format!(
                r#"{{"action":"ADD","category_type":"Device","operation_detail":"Add {name} {n}","operator":"o@example.com","time":"{time}"}}"#
            ),
            at,
        )
    };
    (0..count).map(record).collect()
}

/// An account that is synced from two weeks ago to today, and whose records are three days old or older.
pub(super) async fn trial_of_today(config: SimulatorConfig, seed: u64, records: usize) -> Trial {
    let today = Utc::now().date_naive();
    let from = today - Days::new(14);
    let generated = GeneratorConfig { seed, records, from, to: today - Days::new(3) };
    let mut trial = Trial::start(config.with_generated(generated)).await;
    (trial.request.from, trial.request.to) = (Some(from), Some(today));
    trial
}

#[test_matrix([Paging::Live, Paging::Snapshot], [RecordOrder::NewestFirst, RecordOrder::OldestFirst, RecordOrder::Unsorted], [true, false], [&[2], &[2, 4, 7], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]])]
#[tokio::test(flavor = "multi_thread")]
async fn records_that_arrive_between_pages_are_neither_lost_nor_doubled(
    paging: Paging,
    order: RecordOrder,
    totals: bool,
    // A few, a page's worth, and so many that no reading is stable.
    at: &[u64],
) {
    let faults = at.iter().fold(FaultPlan::new(), |plan, &number| {
        let count = [1, 20, 3][number as usize % 3];
        plan.on_report(number, Fault::Arrive(arriving(count, &number.to_string(), TimeDelta::zero())))
    });
    let config = SimulatorConfig::default()
        .with_page_cap(20)
        .with_paging(paging)
        .with_order(order)
        .with_totals_given(totals)
        .with_faults(faults);
    let trial = trial_of_today(config, 3, 70).await;

    let outcome = trial.sync().await;
    trial.assert_nothing_invented();
    if outcome.error().is_some() {
        outcome.assert_says(&["window 20", "reads"]);
    }
    trial.account.simulator.end_faults();
    trial.heals().await;
}
