//! Page tokens, totals and pages that are not what they should be.

use std::time::Duration;

use phonetrail::extract::{ErrorKind, ExtractError};
use phonetrail::simulator::{Fault, FaultPlan, LastToken, LongRange, MonthLength, PageDraft, RecordOrder};
use serde_json::json;
use test_case::{test_case, test_matrix};

use super::trial::{
    CALIBRATION, PAGES, Trial, always, at_page_token, config, four_times, in_the_third_window, third_window,
};

#[test_matrix([300, 400, 1001], ["The next page token is invalid or expired.", "The next page token is either invalid or has expired.", "Next page token is invalid\r\nAsk for the first page again."])]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_that_is_not_valid_restarts_its_window(code: u32, message: &str) {
    for at in [1, 2, 5] {
        let refused = Fault::status(400, json!({"code": code, "message": message}).to_string());
        restarts_at_page_token(at, refused).await;
    }
}

/// Where `fault` strikes the `at`th request with a page token, its window is read from its first page on again: that costs
/// what was read of it, the request that was struck included.
async fn restarts_at_page_token(at: u64, fault: Fault) {
    let mut trial = Trial::under(at_page_token(at, fault)).await;
    // One window after the other.
    trial.settings.concurrency = Some(1);
    let report = trial.heals().await;
    assert_eq!(report.pages, report.windows * PAGES);
    let of_its_window = 1 + (at - 1) % (PAGES - 1);
    assert_eq!(report.requests, report.pages + CALIBRATION + of_its_window + 1, "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_that_dies_at_any_page_restarts_its_window() {
    for at in 1..=8 {
        restarts_at_page_token(at, Fault::ExpireToken).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_too_long_for_the_life_of_a_page_token_are_asked_for_in_parts() {
    let config = config()
        .with_page_cap(50)
        .with_page_token_lifetime(Duration::from_millis(10))
        .with_latency("20ms".parse().unwrap());
    let report = Trial::start(config).await.heals().await;
    assert!(report.windows > 4);
}

#[test_case(Fault::status(500, ""); "internal_error")]
#[test_case(Fault::ResetMidBody; "broken_off")]
#[test_case(Fault::TruncatedJson; "half_a_text")]
#[tokio::test(flavor = "multi_thread")]
async fn page_tokens_that_work_once_restart_the_window_when_their_page_is_lost(lost: Fault) {
    let plan = [2, 3, 5].into_iter().fold(FaultPlan::new(), |plan, number| plan.on_report(number, lost.clone()));
    Trial::start(config().with_single_use_page_tokens(true).with_faults(plan)).await.heals().await;
}

/// What a page lacks or says wrongly, once or every time; `lasting` is what the error says then, or nothing where the
/// window can be read all the same.
#[test_case(Fault::RepeatToken, Some("repeats a page token"); "the_same_token_again")]
#[test_case(Fault::EmptyPageWithToken, Some("is empty and has a page token"); "an_empty_page")]
#[test_case(Fault::DropRecord, Some("records were reported"); "a_record_missing")]
#[test_case(Fault::WrongTotal(7), Some("records were reported"); "a_total_too_high")]
#[test_case(Fault::WrongTotal(-7), Some("records were reported"); "a_total_too_low")]
#[test_case(Fault::page(|page| page.total_records = None), None; "no_total")]
#[test_case(Fault::ShortPage(3), None; "a_short_page")]
#[test_case(Fault::TokenAtEnd, None; "a_token_to_an_empty_page_at_the_end")]
#[test_case(Fault::page(dead_token_at_the_end), None; "a_dead_token_at_the_end")]
#[test_case(Fault::page(|page| (page.from, page.to) = (String::new(), String::new())), None; "no_echo")]
#[test_case(Fault::page(|page| page.from = "2020-01-01".to_owned()), None; "a_wider_echo")]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_what_it_should_be_is_found_out(fault: Fault, lasting: Option<&str>) {
    Trial::under(four_times(&fault)).await.heals().await;

    let trial = Trial::under(in_the_third_window(&fault)).await;
    match lasting {
        None => drop(trial.heals().await),
        Some(words) => {
            let outcome = trial.fails_until_the_faults_end().await;
            assert_eq!(outcome.kind(), Some(ErrorKind::Unstable));
            outcome.assert_says(&[&third_window(), "in 4 reads", "tracking id v=2.0", words]);
            assert_eq!(outcome.0.unwrap().windows, 3);
        }
    }
}

fn dead_token_at_the_end(page: &mut PageDraft) {
    page.next_page_token.get_or_insert("dead".to_owned());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_after_every_last_page_costs_two_readings_a_window_and_no_more() {
    let trial = Trial::under(always(&Fault::page(dead_token_at_the_end))).await;
    let report = trial.heals().await;
    assert_eq!((report.windows, report.requests), (4, 2 * (report.pages + 4) + CALIBRATION));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_the_place_of_another_is_found_out() {
    for totals in [true, false] {
        for number in 1..=12 {
            let plan = FaultPlan::new().on_report(number, Fault::DuplicatePage);
            Trial::start(config().with_totals_given(totals).with_faults(plan)).await.heals().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_totals_what_is_missing_once_is_found_out() {
    for fault in [Fault::DropRecord, Fault::EmptyPageWithToken, Fault::RepeatToken, Fault::InvalidUtf8] {
        for number in [1, 4, 9] {
            let plan = FaultPlan::new().on_report(number, fault.clone());
            Trial::start(config().with_totals_given(false).with_faults(plan)).await.heals().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_damaged_on_the_way_is_not_stored() {
    for number in 1..=9 {
        let mut trial = Trial::under(FaultPlan::new().on_report(number, Fault::InvalidUtf8)).await;
        trial.settings.concurrency = Some(1);
        let report = trial.heals().await;
        // Its window is read again, unless only totals were asked for.
        let again = if number > CALIBRATION { PAGES } else { 0 };
        assert_eq!(report.requests, report.pages + CALIBRATION + again, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_that_changes_while_paging_restarts_the_window() {
    for at in 1..=3 {
        restarts_at_page_token(at, Fault::WrongTotal(1)).await;
    }
}

#[test_matrix([LongRange::CutEnd, LongRange::CutStart], [MonthLength::Days(1), MonthLength::Days(10), MonthLength::Days(20)])]
#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_cut_is_asked_for_in_parts(how: LongRange, month: MonthLength) {
    let report = Trial::start(config().with_long_range(how).with_month(month)).await;
    match month {
        // Days that overlap cannot be asked for one by one.
        MonthLength::Days(1) => {
            let outcome = report.sync().await;
            assert!(matches!(outcome.error(), Some(ExtractError::Clamped { .. })), "{outcome:?}");
            outcome.assert_says(&["window 202", "is answered for"]);
            report.assert_nothing_invented();
        }
        _ => assert!(report.heals().await.windows > 4),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_the_upstream_keeps_no_more_are_an_error() {
    let kept = |page: &mut PageDraft| page.from = page.from.clone().max("2022-02-01".to_owned());
    let trial = Trial::under(always(&Fault::page(kept))).await;
    let outcome = trial.fails_until_the_faults_end().await;
    assert_eq!(outcome.kind(), Some(ErrorKind::Unstable));
    outcome.assert_says(&["window 202", "is answered for"]);
}

#[test_matrix([RecordOrder::NewestFirst, RecordOrder::OldestFirst, RecordOrder::Unsorted], [LastToken::Empty, LastToken::Null, LastToken::Missing], [true, false])]
#[tokio::test(flavor = "multi_thread")]
async fn any_order_and_any_last_token_will_do(order: RecordOrder, last: LastToken, totals: bool) {
    let config = config().with_order(order).with_last_token(last).with_totals_given(totals);
    Trial::start(config).await.heals().await;
}
