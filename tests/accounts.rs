//! Several accounts, one destination: each is whole by itself, whatever befalls the others.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use phonetrail::simulator::{Credentials, GeneratorConfig, Latency, RateLimits, SimulatorConfig};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Account, day, entries, multiset, output, phonetrail, placed, rows, snapshot};

const RANGE: [&str; 4] = ["--from", "2022-01-01", "--to", "2022-03-31"];

/// Simulated accounts, their settings file and their one destination.
struct Fleet {
    accounts: Vec<Account>,
    directory: TempDir,
}

/// An account of its own: ids and secret end with `name`.
fn config(name: &str) -> SimulatorConfig {
    SimulatorConfig::default().with_credentials(Credentials {
        account_id: format!("account-{name}"),
        client_id: format!("client-{name}"),
        client_secret: format!("secret-of-{name}"),
    })
}

fn generated(name: &str, seed: u64, records: usize) -> SimulatorConfig {
    config(name).with_generated(GeneratorConfig { seed, records, from: day("2022-01-01"), to: day("2022-03-31") })
}

impl Fleet {
    async fn start(configs: impl IntoIterator<Item = SimulatorConfig>) -> Self {
        let mut accounts = Vec::new();
        for config in configs {
            accounts.push(Account::start(config).await);
        }
        Self { accounts, directory: tempfile::tempdir().unwrap() }
    }

    fn destination(&self) -> PathBuf {
        self.directory.path().join("trail")
    }

    fn secret_file(&self, place: usize) -> PathBuf {
        self.directory.path().join(format!("secret-{place}"))
    }

    /// Writes a settings file with a table an account, `extra` lines in each, and the secrets it names.
    fn settings(&self, extra: impl Fn(usize) -> String) -> PathBuf {
        let mut text = format!("destination = {:?}\nplan = \"1000/s,1000000/day\"\n", self.destination());
        for (place, account) in self.accounts.iter().enumerate() {
            let Credentials { account_id, client_id, client_secret } = &account.simulator.config().credentials;
            let (base_url, oauth_url) = (account.simulator.base_url(), account.simulator.oauth_url());
            let file = self.secret_file(place);
            std::fs::write(&file, format!("{client_secret}\n")).unwrap();
            write!(
                text,
                "\n[[account]]\naccount_id = \"{account_id}\"\nclient_id = \"{client_id}\"\nclient_secret_file = {file:?}\n\
                 base_url = \"{base_url}\"\noauth_url = \"{oauth_url}\"\n{}\n",
                extra(place),
            )
            .unwrap();
        }
        let path = self.directory.path().join("phonetrail.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, subcommand: &str, arguments: &[&str]) -> Command {
        let mut command = phonetrail();
        command.arg(subcommand).arg("--config").arg(self.directory.path().join("phonetrail.toml")).args(arguments);
        command
    }

    async fn sync(&self, arguments: &[&str]) -> Output {
        output(self.command("sync", &[&RANGE[..], arguments].concat())).await
    }

    /// The records that the table holds of an account, sorted.
    fn found(&self, place: usize) -> Vec<String> {
        let id = &self.accounts[place].simulator.config().credentials.account_id;
        let rows = rows(&self.destination()).into_iter().filter(|row| row.account_id == *id);
        let mut records: Vec<String> = rows.map(|row| row.record).collect();
        records.sort();
        records
    }

    fn assert_exact(&self, place: usize) {
        assert!(self.found(place) == self.accounts[place].truth(), "account {place} is not exact");
    }

    fn assert_no_secret(&self, output: &Output) {
        let shown = [&output.stdout[..], &output.stderr[..]].concat();
        let shown = String::from_utf8_lossy(&shown);
        for account in &self.accounts {
            assert!(!shown.contains(&account.simulator.config().credentials.client_secret));
            assert!(account.simulator.access_tokens().iter().all(|token| !shown.contains(token)));
        }
    }
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", error(output)))
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_share_a_table_and_each_is_exact() {
    let fleet = Fleet::start([generated("a", 1, 900), generated("b", 2, 600), generated("c", 3, 300)]).await;
    fleet.settings(|_| String::new());

    let done = fleet.sync(&["--output", "json"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", error(&done));
    let summary = report(&done);
    let ids: Vec<&str> =
        summary["accounts"].as_array().unwrap().iter().map(|one| one["account_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["account-a", "account-b", "account-c"]);
    let news = [0, 1, 2].map(|place| summary["accounts"][place]["rows_new"].as_u64().unwrap());
    assert_eq!(news, [900, 600, 300]);
    assert_eq!(summary["rows_new"], 1_800);
    assert_eq!((&summary["stopped"], &summary["exit_code"]), (&Value::Null, &0.into()));
    (0..3).for_each(|place| fleet.assert_exact(place));

    // They take turns: none had to compute a commit again, and the log says whose each line is.
    let log = error(&done);
    assert!(!log.contains("computing again"), "{log}");
    assert!(
        ["account-a", "account-b", "account-c"].iter().all(|id| log.contains(&format!("account{{id={id}}}"))),
        "{log}"
    );
    let log = entries(&fleet.destination());
    assert!(log.iter().all(|(entry, _)| summary["run_id"] == entry.run_id));
    for (place, id) in ids.iter().enumerate() {
        let of_account = log.iter().filter(|(entry, _)| entry.account_id.as_deref() == Some(id));
        let requests: u64 = of_account.map(|(entry, _)| entry.requests).sum();
        assert_eq!(summary["accounts"][place]["requests"], requests);
    }
    fleet.assert_no_secret(&done);

    let again = report(&fleet.sync(&["--output", "json"]).await);
    assert_eq!((&again["rows_new"], &again["windows"]), (&0.into(), &0.into()));
    let status = output(fleet.command("status", &["--output", "json"])).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["accounts"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_refused_and_one_at_its_daily_limit_stop_no_other() {
    let capped = generated("capped", 2, 1_800).with_rate_limits(RateLimits { per_second: None, per_day: Some(9) });
    let fleet = Fleet::start([generated("refused", 1, 100), capped, generated("well", 3, 500)]).await;
    fleet.settings(|_| String::new());
    std::fs::write(fleet.secret_file(0), "a-wrong-secret").unwrap();

    let done = fleet.sync(&["--output", "json"]).await;
    assert_eq!(done.status.code(), Some(77), "{}", error(&done));
    let summary = report(&done);
    let accounts = &summary["accounts"];
    assert_eq!([0, 1, 2].map(|place| accounts[place]["exit_code"].as_u64().unwrap()), [77, 75, 0]);
    assert!(accounts[0]["error"].as_str().unwrap().contains("client secret"));
    assert!(accounts[0].get("rows_new").is_none(), "nothing was done for it");
    assert_eq!(accounts[1]["stopped"]["reason"], "daily_limit");
    assert_eq!((&accounts[2]["error"], &accounts[2]["rows_new"]), (&Value::Null, &500.into()));
    assert_eq!((&summary["exit_code"], &summary["stopped"]["reason"]), (&77.into(), &"daily_limit".into()));
    let told: Vec<String> =
        error(&done).lines().filter(|line| line.starts_with("phonetrail: ")).map(str::to_owned).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("phonetrail: account account-refused: ") && told[1].contains("account-capped"));
    assert!(!error(&done).contains("a-wrong-secret"));
    fleet.assert_no_secret(&done);

    fleet.assert_exact(2);
    assert_eq!(fleet.found(0), Vec::<String>::new());
    let kept = fleet.found(1);
    assert!(kept.len() as u64 == accounts[1]["rows_new"].as_u64().unwrap() && kept.len() < 1_800);

    // Picked, the others are left alone. The next days bring the rest.
    std::fs::write(fleet.secret_file(0), "secret-of-refused").unwrap();
    for _ in 0..20 {
        fleet.accounts[1].simulator.start_new_day();
        if fleet.sync(&["--account", "account-capped"]).await.status.success() {
            break;
        }
    }
    fleet.assert_exact(1);
    assert_eq!(fleet.found(0), Vec::<String>::new());
    let human = fleet.sync(&[]).await;
    assert_eq!(human.status.code(), Some(0), "{}", error(&human));
    fleet.assert_exact(0);
    let human = String::from_utf8(human.stdout).unwrap();
    assert!(human.starts_with("account   account-refused: 100 new rows of "), "{human}");
    assert_eq!(human.lines().filter(|line| line.starts_with("account ")).count(), 3, "{human}");
    assert!(human.contains("\nstored    100 new rows"), "{human}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_two_accounts_have_is_two_rows() {
    let text = r#"{"action":"ADD","category_type":"Device","operation_detail":"d","operator":"o","time":"2022-01-05T00:00:00Z"}"#;
    let twin = || placed([(text.to_owned(), "2022-01-05T00:00:00Z")]);
    let fleet = Fleet::start([config("a").with_records(twin()), config("b").with_records(twin())]).await;
    fleet.settings(|_| String::new());
    assert!(fleet.sync(&[]).await.status.success());
    assert!(fleet.sync(&[]).await.status.success());
    for place in [0, 1] {
        assert_eq!(fleet.found(place), multiset([text].into_iter()));
    }
    assert_eq!(rows(&fleet.destination()).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_read_is_its_account_s_concern_only() {
    let fleet = Fleet::start([generated("a", 1, 100), generated("b", 2, 100)]).await;
    fleet.settings(|_| String::new());
    std::fs::remove_file(fleet.secret_file(0)).unwrap();
    let done = fleet.sync(&["--output", "json"]).await;
    assert_eq!(done.status.code(), Some(78), "{}", error(&done));
    assert!(report(&done)["accounts"][0]["error"].as_str().unwrap().contains("secret-0"));
    fleet.assert_exact(1);

    let check = output(fleet.command("check", &[])).await;
    let lines = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(78), "{lines}");
    let of = |state: &str, words: &str| lines.lines().any(|line| line.starts_with(state) && line.contains(words));
    assert!(of("fails   settings", "account account-a"), "{lines}");
    assert!(of("ok      settings", "account account-b,") && of("ok      report", "account account-b: "), "{lines}");
    assert!(of("ok      table", "version"), "{lines}");
    let check = output(fleet.command("check", &["--account", "account-b"])).await;
    assert_eq!(check.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_does_nothing_for_any_account_leaves_nothing_behind() {
    let fleet = Fleet::start([generated("a", 1, 100), generated("b", 2, 100)]).await;
    fleet.settings(|_| String::new());
    for place in [0, 1] {
        std::fs::write(fleet.secret_file(place), "wrong").unwrap();
    }
    assert_eq!(fleet.sync(&[]).await.status.code(), Some(77));
    assert!(!fleet.destination().exists());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_all_accounts_keep_what_is_whole() {
    let names = ["a", "b", "c", "d", "e"];
    let slow = |(seed, name): (usize, &&str)| {
        generated(name, seed as u64, 900).with_latency(Latency::fixed(Duration::from_millis(60)))
    };
    let fleet = Fleet::start(names.iter().enumerate().map(slow)).await;
    fleet.settings(|_| "plan = \"2/s,30000/day\"".to_owned());
    let mut command = fleet.command("sync", &[&RANGE[..], &["--output", "json"]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for account in &fleet.accounts[..4] {
        while account.simulator.stats().report_requests < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let done = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();

    assert_eq!(done.status.code(), Some(75), "{}", error(&done));
    let summary = report(&done);
    for (place, account) in summary["accounts"].as_array().unwrap().iter().enumerate() {
        assert_eq!(account["stopped"]["reason"], "interrupted", "{account}");
        assert_eq!(account["rows_new"], fleet.found(place).len(), "{account}");
    }
    assert_eq!(fleet.accounts[4].simulator.stats().token_requests, 0, "the last had not begun");

    fleet.settings(|_| String::new());
    assert!(fleet.sync(&[]).await.status.success());
    (0..names.len()).for_each(|place| fleet.assert_exact(place));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_table_is_told_of_as_the_only_account() {
    let fleet = Fleet::start([generated("a", 1, 100)]).await;
    fleet.settings(|_| String::new());
    let summary = report(&fleet.sync(&["--output", "json"]).await);
    assert!(summary.get("accounts").is_none() && summary["rows_new"] == 100, "{summary}");
    fleet.assert_exact(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_could_mix_accounts_up_are_refused_by_line_and_key() {
    let fleet = Fleet::start([generated("a", 1, 100), generated("b", 2, 100)]).await;
    let path = fleet.settings(|_| String::new());
    let good = std::fs::read_to_string(&path).unwrap();
    let edits: [(&str, String, &[&str]); 5] = [
        ("an unknown key", good.replace("client_id", "client_name"), &["line 6", "client_name"]),
        ("an inline secret", good.clone() + "client_secret = \"hush-hush\"\n", &["client_secret", "line 19"]),
        ("one account twice", good.replace("account-b", "account-a"), &["line 12", "account-a", "already"]),
        ("an id at the top", format!("account_id = \"account-a\"\n{good}"), &["`account_id`", "[[account]]"]),
        (
            "no credentials",
            good.clone() + "[[account]]\naccount_id = \"c\"\n",
            &["line 19", "account `c`", "client_secret_file"],
        ),
    ];
    for (what, text, words) in edits {
        std::fs::write(&path, text).unwrap();
        let done = fleet.sync(&[]).await;
        let error = error(&done);
        assert_eq!(done.status.code(), Some(78), "{what}: {error}");
        assert!(words.iter().all(|word| error.contains(word)), "{what}: {error}");
        assert!(!error.contains("hush-hush"), "{error}");
    }

    std::fs::write(&path, good).unwrap();
    for name in ["PHONETRAIL_CLIENT_SECRET", "PHONETRAIL_ACCOUNT_ID", "PHONETRAIL_ACCESS_TOKEN_FILE"] {
        let mut command = fleet.command("sync", &RANGE);
        command.env(name, "hush-hush");
        let done = output(command).await;
        let error = error(&done);
        assert!(done.status.code() == Some(78) && error.contains(name) && error.contains("[[account]]"), "{error}");
        assert!(!error.contains("hush-hush"), "{error}");
    }
    let unknown = fleet.sync(&["--account", "account-x"]).await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(error(&unknown).contains("account-x"));
    assert!(!fleet.destination().exists() && snapshot(&fleet.destination()).is_empty());
}
