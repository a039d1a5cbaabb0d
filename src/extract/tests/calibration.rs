//! Totals, and what they tell of the account's days.

use test_case::test_case;

use super::upstream::{Upstream, day, february, page};
use crate::extract::*;
use crate::model::Seam;

#[tokio::test]
async fn a_total_costs_one_page() {
    let upstream = Upstream::of_pages(|_, _| page(&["1"], Some(60), "a")).await;
    let source = upstream.source();
    assert_eq!(source.total(&february()).await.unwrap(), Some(60));
    assert_eq!(upstream.pages().len(), 1);
}

/// A record of the time `2022-02-07T{time}`.
fn at(time: &str) -> String {
    format!(r#"{{"time":"2022-02-07T{time}"}}"#)
}

/// Totals of the days 7 and 8 of February, and of both, where the pages show records at `times`.
async fn calibrated(totals: [Option<u64>; 3], times: &[&str]) -> (Option<Seam>, usize) {
    let records: Vec<String> = times.iter().map(|time| at(time)).collect();
    let upstream = Upstream::of_pages(move |asked, _| {
        let total = match (asked.param("from"), asked.param("to")) {
            (Some("2022-02-07"), Some("2022-02-07")) => totals[0],
            (Some("2022-02-08"), Some("2022-02-08")) => totals[1],
            (Some("2022-02-07"), Some("2022-02-08")) => totals[2],
            other => panic!("{other:?}"),
        };
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        page(if total == Some(0) { &[] } else { &records }, total, "")
    })
    .await;
    let seam = upstream.source().calibrate(day("2022-02-07")).await.unwrap();
    (seam, upstream.pages().len())
}

#[test_case([Some(4), Some(5), Some(9)], Some(Seam::Adjacent); "the_last_day_is_included")]
#[test_case([Some(0), Some(0), Some(4)], Some(Seam::Shared); "a_day_on_its_own_is_empty")]
#[test_case([Some(4), Some(5), Some(4)], Some(Seam::Shared); "a_day_on_its_own_is_whole_and_of_two_the_last_is_missing")]
#[test_case([Some(4), Some(5), Some(10)], Some(Seam::Shared); "the_totals_are_estimates")]
#[test_case([Some(4), Some(0), Some(4)], None; "a_quiet_day")]
#[test_case([Some(0), Some(4), Some(4)], None; "a_quiet_day_before")]
#[test_case([Some(0), Some(0), Some(0)], None; "quiet_days")]
#[test_case([None, None, None], None; "no_totals")]
#[tokio::test]
async fn three_totals_tell_how_windows_may_meet(totals: [Option<u64>; 3], seam: Option<Seam>) {
    assert_eq!(calibrated(totals, &["09:00:00Z", "09:00:01Z"]).await, (seam, 3));
}

#[test_case(&["00:00:00Z", "00:00:00Z"]; "all_at_midnight")]
#[test_case(&["00:00:00Z", "00:00:00.5Z", "01:00:00+01:00"]; "all_in_midnights_second")]
#[test_case(&["00:00:00Z", "soon"]; "one_cannot_be_read")]
#[test_case(&[]; "none_is_shown")]
#[tokio::test]
async fn a_day_that_may_be_no_more_than_a_second_tells_nothing(times: &[&str]) {
    // Where the last day counted for its first second only, these totals would add up too.
    assert_eq!(calibrated([Some(4), Some(5), Some(9)], times).await, (None, 3));
}

#[cfg(feature = "simulator")]
#[tokio::test]
async fn an_account_is_calibrated_whatever_its_last_day_means() {
    use crate::simulator::{self, GeneratorConfig, SimulatorConfig};
    for (included, expected) in [(true, Seam::Adjacent), (false, Seam::Shared)] {
        for hours_east in [-12, 0, 14] {
            let generated = GeneratorConfig { seed: 5, records: 2000, from: day("2022-02-01"), to: day("2022-02-14") };
            let config = SimulatorConfig::default()
                .with_generated(generated)
                .with_to_inclusive(included)
                .with_day_offset(chrono::FixedOffset::east_opt(hours_east * 3600).unwrap());
            let account = simulator::serve(config, "127.0.0.1:0".parse().unwrap()).await.unwrap();
            let settings = Settings {
                base_url: account.base_url(),
                oauth_url: account.oauth_url(),
                plan: "1000/s,100000/day".parse().unwrap(),
                ..Settings::default()
            };
            let given = Credentials::AccessToken { account_id: None, token: Secret::new(account.issue_access_token()) };
            let source = Source::try_new(given, settings).unwrap();
            assert_eq!(source.calibrate(day("2022-02-08")).await.unwrap(), Some(expected));
            assert_eq!(account.stats().report_requests, 3);
        }
    }
}
