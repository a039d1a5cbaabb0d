//! Windows: read to their end, and believed only where they add up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{Days, NaiveDate, Utc};
use futures::StreamExt;
use test_case::test_case;

use super::upstream::{Asked, Told, Upstream, bodies, credentials, day, february, page, token, told, window};
use crate::extract::*;
use crate::model::{Scope, Seam, Window};

#[tokio::test]
async fn pages_are_followed_to_the_absent_token() {
    let upstream = Upstream::of_pages(|asked, _| match asked.param("next_page_token") {
        None => page(&["1", "2"], Some(3), "a b/+").header("x-zm-trackingid", "rid-1"),
        Some("a b/+") => page(&["3"], Some(3), "c"),
        Some(_) => page(&[], Some(3), ""),
    })
    .await;
    let source = upstream.source();

    let reads = source.read(&february()).await.unwrap();

    let [read] = reads.as_slice() else { panic!("{reads:?}") };
    assert_eq!((read.pages.len(), read.reported, read.received, read.reads), (3, Some(3), 3, 1));
    assert_eq!(read.pages[0].tracking_id.as_deref(), Some("rid-1"));
    assert_eq!(
        read.pages[0].request,
        "/v2/phone/reports/operationlogs?from=2022-02-01&to=2022-02-28&category_type=all&page_size=300"
    );
    assert_eq!(read.pages.iter().map(|page| page.number).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(read.started_at <= read.pages[0].received_at);
    for asked in &upstream.pages()[1..] {
        let first = &upstream.pages()[0].query;
        assert!(first.iter().all(|(name, value)| asked.query.get(name) == Some(value)), "{asked:?}");
    }
    assert_eq!((source.usage().pages, source.usage().retries), (3, 0));
}

#[tokio::test]
async fn settings_shape_the_request() {
    let upstream = Upstream::of_pages(|_, _| page(&[], Some(0), "")).await;
    let settings = Settings { page_size: 30, date_format: DateFormat::DateTime, ..upstream.settings() };
    let scope = "sip_group".parse().unwrap();
    let window = Window::try_new(day("2022-02-01"), day("2022-02-02"), scope).unwrap();
    Source::try_new(credentials(), settings).unwrap().read(&window).await.unwrap();
    let asked = &upstream.pages()[0];
    assert_eq!((asked.param("from"), asked.param("to")), (Some("2022-02-01T00:00:00Z"), Some("2022-02-02T23:59:59Z")));
    assert_eq!((asked.param("category_type"), asked.param("page_size")), (Some("sip_group"), Some("30")));
}

#[test_case(|n| page(&["1"], Some(2), if n == 9 { "a" } else { "" }); "fewer_than_reported")]
#[test_case(|_| page(&["1", "2"], Some(1), ""); "more_than_reported")]
#[test_case(|_| page(&[], Some(1), "a"); "an_empty_page_with_a_token")]
#[test_case(|_| page(&[], None, "a"); "an_empty_page_with_a_token_and_no_total")]
#[tokio::test]
async fn a_reading_that_does_not_add_up_is_repeated(wrong: fn(usize) -> Told) {
    let upstream = Upstream::of_pages(move |_, n| if n < 2 { wrong(n) } else { page(&["1"], Some(1), "") }).await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].received, reads[0].reads, reads[0].pages.len()), (1, 3, 1));
}

#[tokio::test]
async fn a_repeated_token_ends_the_reading() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (_, 0..=2) => page(&[&n.to_string()], Some(9), "same"),
        (None, _) => page(&["1"], Some(2), "same"),
        _ => page(&["2"], Some(2), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].received, reads[0].reads), (2, 3));
}

/// A token came with the last record that was reported.
#[test_case(|| told(400, r#"{"code":300,"message":"The next page token is either invalid or has expired."}"#); "to_an_invalid_token")]
#[test_case(|| page(&[], Some(2), ""); "to_an_empty_page")]
#[test_case(|| page(&[], Some(2), "b"); "to_an_empty_page_with_a_token")]
#[test_case(|| page(&[], Some(2), "a"); "to_itself")]
#[tokio::test]
async fn a_token_after_the_last_record_may_lead_nowhere(after: fn() -> Told) {
    let upstream = Upstream::of_pages(move |asked, _| match asked.param("next_page_token") {
        None => page(&["1", "2"], Some(2), "a"),
        Some(_) => after(),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads.len(), reads[0].received), (1, 2));
    assert!(upstream.pages().len() <= 4);
}

#[tokio::test]
async fn an_invalid_token_before_the_last_record_is_no_end() {
    let upstream = Upstream::of_pages(move |asked, _| match asked.param("next_page_token") {
        None => page(&["1", "2"], Some(3), "a"),
        Some(_) => told(400, r#"{"code":300,"message":"The next page token is invalid or expired."}"#),
    })
    .await;
    let failure = upstream.source().read(&window("2022-02-01", "2022-02-01")).await.unwrap_err();
    assert!(matches!(failure.error, ExtractError::Unstable { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_page_that_comes_in_the_place_of_another_is_not_believed() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (None, _) => page(&["1", "2"], Some(6), "a"),
        (Some("a"), _) => page(&["3", "4"], Some(6), "b"),
        (_, 2) => page(&["1", "2"], Some(6), ""),
        _ => page(&["5", "6"], Some(6), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert!(bodies(&reads[0]).contains("[5,6]"));
}

#[tokio::test]
async fn a_damaged_byte_is_believed_only_when_it_comes_again() {
    let damaged = b"{\"total_records\":1,\"operation_logs\":[\"\xff\"]}";
    let passing = Upstream::of_pages(move |_, n| if n == 0 { told(200, damaged) } else { page(&["1"], Some(1), "") });
    let passing = passing.await.source().read(&february()).await.unwrap();
    assert_eq!((passing[0].reads, bodies(&passing[0]).contains("[1]")), (2, true));

    let lasting = Upstream::of_pages(move |_, _| told(200, damaged)).await;
    let lasting = lasting.source().read(&february()).await.unwrap();
    assert_eq!((lasting[0].reads, lasting[0].pages[0].body.bytes().as_ref()), (2, &damaged[..]));
}

#[tokio::test]
async fn a_total_that_moves_restarts_the_reading() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (None, 0) => page(&["1"], Some(2), "a"),
        (Some(_), 1) => page(&["2"], Some(3), "b"),
        (None, _) => page(&["1"], Some(2), "a"),
        _ => page(&["2"], Some(2), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].reads, upstream.pages().len()), (2, 4));
}

#[tokio::test]
async fn a_window_that_never_matches_its_total_is_an_error_and_not_asked_in_parts() {
    let upstream = Upstream::of_pages(|_, _| page(&["1"], Some(7), "")).await;
    let failure = upstream.source().read(&february()).await.unwrap_err();
    let ExtractError::Unstable { reads: 4, reason, .. } = &failure.error else { panic!("{failure:?}") };
    assert_eq!(*reason, Disturbance::TotalMissed { reported: 7, received: 1 });
    assert_eq!(upstream.pages().len(), 4);
}

#[tokio::test]
async fn a_restless_day_does_not_spoil_the_other_days_of_its_window() {
    let today = |asked: &Asked| asked.param("to") == Some("2022-02-28");
    let upstream = Upstream::of_pages(move |asked, n| match today(asked) {
        true => page(&[&n.to_string()], None, ""),
        false => page(&["1"], Some(1), ""),
    })
    .await;

    let failure = upstream.source().read(&february()).await.unwrap_err();
    assert_eq!((failure.window.to(), failure.window.days()), (day("2022-02-28"), 2));

    let reads: Vec<_> = upstream.source().read_all([february()], Seam::Shared).collect().await;
    let days = reads.iter().flatten().map(|read| read.window.to()).max();
    assert_eq!(days, Some(day("2022-02-27")));
    assert_eq!(reads.iter().filter(|read| read.is_err()).count(), 1);
}

#[tokio::test]
async fn without_a_total_two_readings_in_a_row_must_be_equal() {
    let upstream = Upstream::of_pages(|_, n| match n {
        0 => page(&["1", "2"], None, ""),
        1 => page(&["1", "2", "2"], None, ""),
        _ => page(&["2", "1", "2"], None, ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].reads, reads[0].received, reads[0].reported), (3, 3, None));
    assert!(bodies(&reads[0]).contains("[2,1,2]"));
}

#[tokio::test]
async fn twins_at_a_page_edge_call_for_a_second_reading_while_records_may_still_arrive() {
    let today = chrono::Utc::now().date_naive();
    let open = Window::try_new(today, today, Scope::All).unwrap();
    for (window, expected_reads) in [(open, 2), (february(), 1)] {
        let upstream = Upstream::of_pages(|asked, _| match asked.param("next_page_token") {
            None => page(&["1", "2"], Some(4), "a"),
            Some(_) => page(&["2", "3"], Some(4), ""),
        })
        .await;
        let reads = upstream.source().read(&window).await.unwrap();
        assert_eq!((reads[0].reads, reads[0].received), (expected_reads, 4), "{window}");
    }
}

#[tokio::test]
async fn a_record_delivered_twice_by_a_shift_is_not_believed() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (None, 0) => page(&["2", "1"], Some(3), "a"),
        (Some(_), 1) => page(&["1"], Some(3), ""),
        (None, _) => page(&["3", "2"], Some(3), "a"),
        _ => page(&["1"], Some(3), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert!(bodies(&reads[0]).contains("[3,2]"));
}

#[tokio::test]
async fn an_expired_page_token_restarts_the_window() {
    let upstream = Upstream::of_pages(|asked, n| match (asked.param("next_page_token"), n) {
        (None, _) => page(&["1"], Some(2), "a"),
        (Some(_), 1) => told(400, r#"{"code":400,"message":"The next page token is invalid or expired."}"#),
        _ => page(&["2"], Some(2), ""),
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert_eq!((reads[0].reads, reads[0].received, upstream.pages().len()), (2, 2, 4));
}

#[tokio::test]
async fn a_clamped_window_is_asked_for_in_halves() {
    let upstream = Upstream::of_pages(|asked, _| {
        let (from, to) = (day(asked.param("from").unwrap()), day(asked.param("to").unwrap()));
        let from = from.max(to - Days::new(9));
        told(200, format!(r#"{{"total_records":0,"from":"{from}T00:00:00Z","to":"{to}","operation_logs":[]}}"#))
    })
    .await;
    let reads = upstream.source().read(&february()).await.unwrap();
    assert!(reads.iter().all(|read| read.window.days() <= 10));
    assert_eq!((reads[0].window.from(), reads[reads.len() - 1].window.to()), (february().from(), february().to()));
    assert!(reads.windows(2).all(|pair| pair[0].window.to() == pair[1].window.from()));
}

#[tokio::test]
async fn a_window_clamped_to_the_last_is_an_error() {
    let upstream = Upstream::of_pages(|_, _| {
        told(200, r#"{"total_records":0,"from":"2022-02-20","to":"2022-02-28","operation_logs":[]}"#)
    })
    .await;
    let failure = upstream.source().read(&window("2022-02-01", "2022-02-02")).await.unwrap_err();
    assert!(matches!(failure.error, ExtractError::Clamped { .. }));
    assert_eq!(failure.error.kind(), ErrorKind::Unstable);
}

/// A page with one record, for a window that ends yesterday at the latest.
fn until_yesterday(asked: &Asked) -> Told {
    let (from, to) = (day(asked.param("from").unwrap()), day(asked.param("to").unwrap()));
    let (from, to) = (from.min(yesterday()), to.min(yesterday()));
    told(200, format!(r#"{{"total_records":1,"from":"{from}","to":"{to}","operation_logs":[1]}}"#))
}

fn yesterday() -> NaiveDate {
    Utc::now().date_naive() - Days::new(1)
}

#[tokio::test]
async fn a_window_that_ends_today_is_read_to_yesterday_where_it_is_still_yesterday() {
    let upstream = Upstream::of_pages(|asked, _| until_yesterday(asked)).await;
    let (today, start) = (yesterday() + Days::new(1), yesterday() - Days::new(5));
    let asked = Window::try_new(start, today, Scope::All).unwrap();
    let reads = upstream.source().read(&asked).await.unwrap();
    let [read] = reads.as_slice() else { panic!("{reads:?}") };
    let to_yesterday = Window::try_new(start, yesterday(), Scope::All).unwrap();
    assert_eq!((&read.window, &read.pages[0].window), (&to_yesterday, &to_yesterday));
    assert!(read.pages[0].request.contains(&format!("to={today}")), "{}", read.pages[0].request);

    // Nothing of today is there yet.
    let asked = Window::try_new(today, today, Scope::All).unwrap();
    assert!(upstream.source().read(&asked).await.unwrap().is_empty());
    // That it is two days ago is nowhere true.
    let asked = Window::try_new(yesterday(), today, Scope::All).unwrap();
    let days_ago = Upstream::of_pages(|_, _| {
        let to = yesterday() - Days::new(1);
        told(200, format!(r#"{{"total_records":0,"to":"{to}","operation_logs":[]}}"#))
    })
    .await;
    let failure = days_ago.source().read(&asked).await.unwrap_err();
    assert!(matches!(failure.error, ExtractError::Clamped { .. }));
}

#[tokio::test]
async fn a_long_window_is_shared_out_when_workers_would_idle() {
    let upstream = Upstream::of_pages(|asked, _| {
        std::thread::sleep(Duration::from_millis(10));
        match (asked.param("from"), asked.param("to")) {
            (Some("2022-02-01"), Some("2022-02-28")) => page(&["1"], Some(60), "a"),
            _ => page(&["1"], Some(1), ""),
        }
    })
    .await;
    let reads: Vec<_> = upstream.source().read_all([february()], Seam::Shared).map(Result::unwrap).collect().await;
    let mut days: Vec<_> = reads.iter().map(|read| (read.window.from(), read.window.to())).collect();
    days.sort_unstable();
    assert_eq!((days.len(), upstream.pages().len()), (5, 6));
    assert_eq!((days[0].0, days[4].1), (february().from(), february().to()));
    assert!(days.windows(2).all(|pair| pair[0].1 == pair[1].0), "{days:?}");
}

#[tokio::test]
async fn an_observer_hears_of_pages_and_windows() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let upstream = Upstream::of_pages(|_, n| match n {
        0 => told(500, ""),
        _ => page(&["1"], Some(1), ""),
    })
    .await;
    let observer = Observer::new(move |event| {
        let name = format!("{event:?}");
        ear.lock().unwrap().push(name.split(' ').next().unwrap().to_owned());
    });
    let settings = Settings { observer, ..upstream.settings() };
    Source::try_new(credentials(), settings).unwrap().read(&february()).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["Retry", "Page", "Whole"]);
}

#[tokio::test]
async fn windows_of_unknown_length_are_cut_before_they_cost_a_page() {
    let slow = |told| {
        std::thread::sleep(Duration::from_millis(30));
        told
    };
    let upstream = Upstream::start(move |asked, n| {
        if asked.is_token() {
            return slow(token(n));
        }
        let days = (day(asked.param("to").unwrap()) - day(asked.param("from").unwrap())).num_days() + 1;
        if days == 28 { slow(page(&["1"], Some(60), "a")) } else { page(&["1"], Some(1), "") }
    })
    .await;
    let settings = upstream.settings();
    let windows = plan::windows(day("2021-01-01"), day("2021-10-07"), &Scope::All, Seam::Adjacent);
    assert!(windows.len() == 10 && windows.iter().all(|window| window.days() == 28));

    let reads: Vec<_> = Source::try_new(credentials(), settings)
        .unwrap()
        .read_all(windows, Seam::Adjacent)
        .map(Result::unwrap)
        .collect()
        .await;

    let mut days: Vec<_> = reads.iter().map(|read| (read.window.from(), read.window.to())).collect();
    days.sort_unstable();
    assert!(days.windows(2).all(|pair| pair[0].1.succ_opt() == Some(pair[1].0)), "{days:?}");
    assert_eq!((days[0].0, days[days.len() - 1].1), (day("2021-01-01"), day("2021-10-07")));
    // Two were tried whole.
    assert!(
        days.len() > 20 && upstream.pages().len() <= days.len() + 2,
        "{} for {}",
        upstream.pages().len(),
        days.len()
    );
}
