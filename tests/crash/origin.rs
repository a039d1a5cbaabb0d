//! Where trials begin: two accounts, and tables of them at which a run finds something to do.

use std::fmt;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chrono::{DateTime, TimeDelta, Utc};
use phonetrail::load::Destination;
use phonetrail::model::AccountId;
use phonetrail::pipeline::{self, SyncRequest};
use phonetrail::simulator::{AccountRecord, Credentials, SimulatorConfig};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::place::{Kind, Place};
use crate::support::{Account, data_files, day, entries, output, phonetrail, snapshot};

/// The days that the accounts' records lie in.
const RANGE: (&str, &str) = ("2022-01-01", "2022-03-31");

/// No day is final so soon, so no month is closed.
const NEVER: TimeDelta = TimeDelta::days(36_500);

/// The version of a table at which the next run comes to write a checkpoint.
const BEFORE_CHECKPOINT: u64 = 48;

/// What a run finds, and what it is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scenario {
    /// A sync to a destination that is not there yet.
    SyncNew,
    /// A sync that brings the rest of a table's range, writes a checkpoint and compacts.
    SyncOnto,
    Compact,
    ReplayInPlace,
    /// A replay in place, where the table is gone.
    ReplayLost,
    ReplayElsewhere,
}

impl Scenario {
    pub(super) const SYNCS: [Self; 2] = [Self::SyncNew, Self::SyncOnto];
    pub(super) const COMPACTIONS: [Self; 1] = [Self::Compact];
    pub(super) const REPLAYS: [Self; 3] = [Self::ReplayInPlace, Self::ReplayLost, Self::ReplayElsewhere];

    pub(super) fn all() -> impl Iterator<Item = Self> {
        [&Self::SYNCS[..], &Self::COMPACTIONS, &Self::REPLAYS].concat().into_iter()
    }

    /// Whether whoever reads all Parquet files may find rows twice while such a run is at work.
    pub(super) fn replaces_files(self) -> bool {
        matches!(self, Self::SyncOnto | Self::Compact | Self::ReplayInPlace)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SyncNew => "sync, from nothing",
            Self::SyncOnto => "sync, onto a table",
            Self::Compact => "compact",
            Self::ReplayInPlace => "replay, in place",
            Self::ReplayLost => "replay, table lost",
            Self::ReplayElsewhere => "replay, elsewhere",
        })
    }
}

pub(super) struct Origin {
    accounts: [Account; 2],
    directory: TempDir,
    /// A table of all records, with several files in most partitions.
    whole: OnceCell<PathBuf>,
    /// A table of many commits, of the first account's records of some days.
    partial: OnceCell<PathBuf>,
}

/// Records so many hours apart, of two categories.
fn records(name: &str, hours: i64) -> Vec<AccountRecord> {
    let start: DateTime<Utc> = format!("{}T00:00:00Z", RANGE.0).parse().unwrap();
    let record = |n: i64| {
        let at = start + TimeDelta::hours(n * hours);
        let category = ["Device", "Phone Number"][n as usize % 2];
        // Now and then there are twins.
        let number = if n % 20 == 19 { n - 1 } else { n };
        let time = (start + TimeDelta::hours(number * hours)).format("%Y-%m-%dT%H:%M:%SZ");
        let text = format!(
            r#"{{"action":"ADD","category_type":"{category}","operation_detail":"Add {name} {number}","operator":"o@example.com","time":"{time}"}}"#
        );
        AccountRecord::new(text, at)
    };
    (0..90 * 24 / hours).map(record).collect()
}

async fn account(name: &str, hours: i64) -> Account {
    let credentials = Credentials {
        account_id: format!("account-{name}"),
        client_id: format!("client-{name}"),
        client_secret: format!("secret-of-{name}"),
    };
    let config = SimulatorConfig::default().with_credentials(credentials).with_records(records(name, hours));
    Account::start(config.with_page_cap(20).with_latency("2ms".parse().unwrap())).await
}

impl Origin {
    pub(super) async fn start() -> Self {
        let accounts = [account("a", 14).await, account("b", 26).await];
        let directory = tempfile::tempdir().unwrap();
        let mut settings = "plan = \"1000/s,1000000/day\"\n".to_owned();
        for account in &accounts {
            let Credentials { account_id, client_id, client_secret } = &account.simulator.config().credentials;
            let secret = directory.path().join(account_id);
            std::fs::write(&secret, client_secret).unwrap();
            let (base, oauth) = (account.simulator.base_url(), account.simulator.oauth_url());
            write!(
                settings,
                "[[account]]\naccount_id = \"{account_id}\"\nclient_id = \"{client_id}\"\n\
                 client_secret_file = {secret:?}\nbase_url = \"{base}\"\noauth_url = \"{oauth}\"\n"
            )
            .unwrap();
        }
        std::fs::write(directory.path().join("phonetrail.toml"), settings).unwrap();
        Self { accounts, directory, whole: OnceCell::new(), partial: OnceCell::new() }
    }

    /// What the accounts hold, as canonical JSON, sorted.
    pub(super) fn truth(&self) -> Vec<String> {
        let mut truth: Vec<String> = self.accounts.iter().flat_map(Account::truth).collect();
        truth.sort();
        truth
    }

    /// How many records the accounts hold, as they count them.
    pub(super) fn record_count(&self) -> usize {
        self.accounts.iter().map(|account| account.simulator.ground_truth().len()).sum()
    }

    /// A place where `scenario` begins.
    pub(super) async fn copy(&self, scenario: Scenario, kind: Kind) -> Place {
        let place = Place::start(kind).await;
        match scenario {
            Scenario::SyncNew | Scenario::ReplayElsewhere => {}
            Scenario::SyncOnto => place.fill(self.partial().await),
            Scenario::Compact | Scenario::ReplayInPlace => place.fill(self.whole().await),
            Scenario::ReplayLost => {
                place.fill(self.whole().await);
                std::fs::remove_dir_all(place.path().join("operation_logs")).unwrap();
            }
        }
        if scenario.replaces_files() {
            litter(&place.path(), kind);
        }
        place
    }

    /// The run.
    pub(super) async fn command(&self, scenario: Scenario, place: &Place) -> Command {
        let mut command = phonetrail();
        place.prepare(&mut command);
        match scenario {
            Scenario::SyncNew | Scenario::SyncOnto => {
                command.arg("sync").arg("--config").arg(self.directory.path().join("phonetrail.toml"));
                command.args(["--from", RANGE.0, "--to", RANGE.1]);
                if scenario == Scenario::SyncNew {
                    command.args(["--settle-hours", &NEVER.num_hours().to_string()]);
                }
            }
            Scenario::Compact => {
                let months = ["2022-01", "2022-02", "2022-03"].map(|month| ["--month", month]);
                command.arg("compact").args(months.concat()).args(["--grace", "0"]);
            }
            Scenario::ReplayInPlace | Scenario::ReplayLost => drop(command.args(["replay", "--source", &place.text()])),
            Scenario::ReplayElsewhere => drop(command.args(["replay", "--source"]).arg(self.whole().await)),
        }
        command
    }

    /// Runs it, and gives the names of the fail points that it passes.
    pub(super) async fn passages(&self, scenario: Scenario, place: &Place) -> Vec<String> {
        let mut command = self.command(scenario, place).await;
        command.env("PHONETRAIL_LOG", "off,phonetrail::failpoint=trace");
        let Output { status, stderr, .. } = output(command).await;
        let log = String::from_utf8(stderr).unwrap();
        assert!(status.success(), "{scenario}: {log}");
        log.lines().filter_map(|line| Some(line.split_once("point=\"")?.1.split_once('"')?.0.to_owned())).collect()
    }

    async fn whole(&self) -> &PathBuf {
        let make = || async {
            let path = self.directory.path().join("whole");
            for (from, to) in [("2022-01-01", "2022-01-20"), ("2022-01-15", "2022-02-20"), ("2022-02-10", "2022-03-31")]
            {
                self.sync(0, &path, from, to).await;
            }
            self.sync(1, &path, RANGE.0, RANGE.1).await;
            path
        };
        self.whole.get_or_init(make).await
    }

    async fn partial(&self) -> &PathBuf {
        let make = || async {
            let path = self.directory.path().join("partial");
            self.sync(0, &path, "2022-02-20", "2022-03-10").await;
            while entries(&path).len() as u64 <= BEFORE_CHECKPOINT {
                self.sync(0, &path, "2022-01-02", "2022-01-20").await;
            }
            assert_eq!(entries(&path).len() as u64, BEFORE_CHECKPOINT + 1);
            path
        };
        self.partial.get_or_init(make).await
    }

    /// Syncs in one commit, whatever was read before.
    async fn sync(&self, place: usize, path: &Path, from: &str, to: &str) {
        let account = &self.accounts[place];
        let id = AccountId::new(&account.simulator.config().credentials.account_id);
        let (from, to) = (Some(day(from)), Some(day(to)));
        let request = SyncRequest { from, to, settle: NEVER, ..SyncRequest::new(id) };
        let destination: Destination = path.to_str().unwrap().parse().unwrap();
        pipeline::sync(&account.source(), &destination, &request).await.unwrap();
    }
}

/// Leaves in a destination what a run leaves that died before its commit, and one that died while it wrote.
fn litter(destination: &Path, kind: Kind) {
    let name = Uuid::now_v7();
    let table = destination.join("operation_logs");
    let file = table.join(data_files(destination).0.pop_first().unwrap());
    let pack = snapshot(&destination.join("raw")).into_keys().next().unwrap();
    let mark = destination.join(format!(".phonetrail/runs/{name}"));
    std::fs::create_dir_all(mark.parent().unwrap()).unwrap();
    std::fs::write(mark, "").unwrap();
    std::fs::copy(&file, file.with_file_name(format!("part-{name}.parquet"))).unwrap();
    std::fs::copy(&pack, pack.with_file_name(format!("{name}.ndjson.zst"))).unwrap();
    if kind == Kind::Disk {
        std::fs::write(file.with_file_name(format!("part-{name}.parquet.staged")), "half a f").unwrap();
        std::fs::write(file.with_file_name(format!("part-{name}.parquet.staged#3")), "half a f").unwrap();
        std::fs::write(pack.with_file_name(format!("{name}.ndjson.zst.staged")), "half a p").unwrap();
    }
}
