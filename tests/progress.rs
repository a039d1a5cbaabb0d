//! What a run tells while it goes on: a bar where somebody watches, a log where nobody does, and on standard output its
//! data alone.

use std::collections::BTreeSet;
use std::process::Output;
use std::time::Duration;

use phonetrail::simulator::{GeneratorConfig, Latency, SimulatorConfig};
use serde_json::Value;
use test_case::test_case;

use crate::support::{Account, day, entries, output};

const YEAR: [&str; 6] = ["--from", "2022-01-01", "--to", "2022-12-31", "--output", "json"];

/// An account whose windows have some three hundred records each.
async fn account(latency: Duration) -> Account {
    let generated = GeneratorConfig { seed: 31, records: 4_500, from: day("2022-01-01"), to: day("2022-12-31") };
    Account::start(SimulatorConfig::default().with_generated(generated).with_latency(Latency::fixed(latency))).await
}

/// The summary, which is all that may stand on standard output.
fn report(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The days, pages, records and readings of every window that a log tells to have been read.
fn windows_told(log: &str, format: &str) -> Vec<[String; 4]> {
    const FIELDS: [&str; 4] = ["window", "pages", "records", "reads"];
    let of_text = |line: &str| {
        let (_, fields) = line.split_once(" window read ")?;
        let fields: Vec<(&str, &str)> = fields.split(' ').map(|field| field.split_once('=').unwrap()).collect();
        Some(FIELDS.map(|name| fields.iter().find(|(field, _)| *field == name).unwrap().1.to_owned()))
    };
    let of_json = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let fields = &line["fields"];
        (fields["message"] == "window read").then(|| FIELDS.map(|name| fields[name].to_string().replace('"', "")))
    };
    log.lines().filter_map(|line| if format == "json" { of_json(line) } else { of_text(line) }).collect()
}

#[test_case("text")]
#[test_case("json")]
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_watches_each_window_has_a_line_of_the_log(format: &str) {
    let account = account(Duration::ZERO).await;
    let mut command = account.command("sync");
    command.args(YEAR).args(["--log-format", format]);
    let output = output(command).await;

    let report = report(&output);
    let log = String::from_utf8(output.stderr).unwrap();
    let mut told = windows_told(&log, format);
    let entries = entries(&account.path());
    let committed = entries.iter().flat_map(|(entry, _)| &entry.windows);
    let mut expected: Vec<[String; 4]> = committed
        .map(|window| {
            let days = format!("{}..{}", window.from, window.to);
            [days, window.pages.to_string(), window.received.to_string(), window.reads.to_string()]
        })
        .collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    let days: BTreeSet<&String> = told.iter().map(|[days, ..]| days).collect();
    assert!(days.len() > 10 && days.len() == told.len(), "{days:?}");
    assert_eq!(report["windows"], told.len());
    assert!(!log.contains("s left") && !log.contains('\u{1b}'), "a bar is drawn where nobody watches: {log}");
}

#[cfg(unix)]
mod on_a_terminal {
    use super::*;
    use crate::support::{COLUMNS, frames, output_on_terminal};

    /// What a drawn bar says.
    #[derive(Debug, PartialEq)]
    struct Shown {
        windows: [u64; 2],
        pages: u64,
        records: u64,
        rate: f64,
        seconds_left: u64,
    }

    impl Shown {
        /// Of a line that says all of it, and nothing else beside the bar itself.
        fn read(line: &str) -> Option<Self> {
            let line = line.trim_start_matches(|c: char| !c.is_ascii_digit());
            let parts: Vec<&str> = line.split(", ").collect();
            let [windows, pages, records, rate, left] = parts[..] else { return None };
            let (whole, all) = windows.strip_suffix(" windows")?.split_once('/')?;
            let (rate, limit) = rate.strip_suffix(" requests/s")?.split_once(" of ")?;
            assert_eq!(limit, "40");
            Some(Self {
                windows: [whole.parse().ok()?, all.parse().ok()?],
                pages: pages.strip_suffix(" pages")?.parse().ok()?,
                records: records.strip_suffix(" records")?.parse().ok()?,
                rate: rate.parse().ok()?,
                seconds_left: left.strip_suffix(" s left")?.parse().ok()?,
            })
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bar_tells_what_has_come_how_fast_and_for_how_long_yet() {
        let account = account(Duration::from_millis(50)).await;
        let mut command = account.command("sync");
        command.args(YEAR).args(["--page-size", "75", "--plan", "40/s,30000/day"]);
        let output = output_on_terminal(command).await;

        let report = report(&output);
        let number = |name: &str| report[name].as_u64().unwrap();
        let lines = frames(&output.stderr);
        let bars = lines.iter().filter(|line| line.contains(" windows"));
        let shown: Vec<Shown> =
            bars.map(|line| Shown::read(line).unwrap_or_else(|| panic!("it does not tell all: {line}"))).collect();
        let width = |line: &String| line.chars().count();
        assert!(lines.iter().all(|line| width(line) <= usize::from(COLUMNS)), "a line is broken: {lines:#?}");
        // Before the first page there is nothing to go by.
        let said = || shown.iter().skip_while(|shown| shown.pages < 20);
        assert!(said().count() > 3, "{lines:#?}");
        assert!(said().all(|shown| shown.records > 0 && shown.rate > 0.0 && shown.windows[1] > 10), "{shown:#?}");
        assert!(said().any(|shown| shown.seconds_left > 0), "{shown:#?}");
        let grows = |of: fn(&Shown) -> u64| {
            let values: Vec<u64> = shown.iter().map(of).collect();
            values.is_sorted() && values.first() < values.last()
        };
        assert!(grows(|shown| shown.windows[0]) && grows(|shown| shown.pages) && grows(|shown| shown.records));
        let last = shown.last().unwrap();
        assert!(last.windows[0] <= number("windows") && last.records <= number("records_received"), "{last:?}");
        // Of the log, only what is wrong belongs beside the bar.
        assert!(!lines.iter().any(|line| line.contains("INFO")), "{lines:#?}");
    }
}
