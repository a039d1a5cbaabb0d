//! A simulated account and a destination of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use chrono::{DateTime, NaiveDate, Utc};
use phonetrail::extract::{Credentials, Plan, Retries, Secret, Settings, Source};
use phonetrail::load::Destination;
use phonetrail::model::AccountId;
use phonetrail::pipeline::{self, SyncError, SyncReport, SyncRequest};
use phonetrail::simulator::{self, AccountRecord, GeneratorConfig, RunningSimulator, SimulatorConfig};
use tempfile::TempDir;

/// A day from its text.
pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) struct Account {
    pub(crate) simulator: RunningSimulator,
    directory: TempDir,
}

impl Account {
    pub(crate) async fn start(config: SimulatorConfig) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = simulator::serve(config, address).await.unwrap();
        Self { simulator, directory: tempfile::tempdir().unwrap() }
    }

    /// An account of `records` invented records.
    pub(crate) async fn generated(records: usize, from: &str, to: &str) -> Self {
        let generated = GeneratorConfig { seed: 11, records, from: day(from), to: day(to) };
        Self::start(SimulatorConfig::default().with_generated(generated)).await
    }

    /// An account of the given JSON texts, each at its instant.
    pub(crate) async fn holding(records: impl IntoIterator<Item = (String, &str)>) -> Self {
        Self::start(SimulatorConfig::default().with_records(placed(records))).await
    }

    /// The destination's directory.
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("trail")
    }

    pub(crate) fn destination(&self) -> Destination {
        self.path().to_str().unwrap().parse().unwrap()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            base_url: self.simulator.base_url(),
            oauth_url: self.simulator.oauth_url(),
            plan: "1000/s,1000000/day".parse::<Plan>().unwrap(),
            retries: Retries { first_delay: std::time::Duration::from_millis(1), ..Retries::default() },
            ..Settings::default()
        }
    }

    pub(crate) fn source(&self) -> Source {
        self.source_with(self.settings())
    }

    pub(crate) fn source_with(&self, settings: Settings) -> Source {
        let simulator::Credentials { account_id, client_id, client_secret } =
            self.simulator.config().credentials.clone();
        let credentials = Credentials::ServerToServer {
            account_id: AccountId::new(account_id),
            client_id,
            client_secret: Secret::new(client_secret),
        };
        Source::try_new(credentials, settings).unwrap()
    }

    pub(crate) fn request(&self) -> SyncRequest {
        SyncRequest::new(AccountId::new(simulator::Credentials::ACCOUNT_ID))
    }

    /// Syncs the days `from..=to`.
    pub(crate) async fn sync(&self, from: &str, to: &str) -> Result<SyncReport, SyncError> {
        let request = SyncRequest { from: Some(day(from)), to: Some(day(to)), ..self.request() };
        pipeline::sync(&self.source(), &self.destination(), &request).await
    }

    /// The real program, pointed at this account.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = phonetrail();
        let simulator::Credentials { account_id, client_id, client_secret } = &self.simulator.config().credentials;
        command
            .arg(subcommand)
            .env("PHONETRAIL_ACCOUNT_ID", account_id)
            .env("PHONETRAIL_CLIENT_ID", client_id)
            .env("PHONETRAIL_CLIENT_SECRET", client_secret)
            .env("PHONETRAIL_BASE_URL", self.simulator.base_url())
            .env("PHONETRAIL_OAUTH_URL", self.simulator.oauth_url())
            .env("PHONETRAIL_DESTINATION", self.path())
            .env("PHONETRAIL_PLAN", "1000/s,1000000/day");
        command
    }

    /// Runs the real program to its end, off the runtime's threads: the simulator needs them.
    pub(crate) async fn run(&self, subcommand: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(subcommand);
        command.args(arguments);
        output(command).await
    }

    /// What the account holds, as canonical JSON, sorted.
    pub(crate) fn truth(&self) -> Vec<String> {
        super::multiset(self.simulator.ground_truth().texts().map(|text| std::str::from_utf8(text).unwrap()))
    }
}

/// Runs `command` to its end, off the runtime's threads.
pub(crate) async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output().unwrap()).await.unwrap()
}

/// The single line for the user of a command that must end with `code`.
pub(crate) fn refusal(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("phonetrail: ")).collect();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(lines.len(), 1, "{text}");
    lines[0].to_owned()
}

/// The real program, with nothing of this environment's settings.
pub(crate) fn phonetrail() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phonetrail"));
    let of_settings = |name: &str| ["PHONETRAIL_", "AWS_", "AZURE_", "GOOGLE_"].iter().any(|of| name.starts_with(of));
    for (name, _) in std::env::vars().filter(|(name, _)| of_settings(name)) {
        command.env_remove(name);
    }
    command.current_dir(std::env::temp_dir());
    command
}

/// Records from JSON texts, each at its instant.
pub(crate) fn placed(records: impl IntoIterator<Item = (String, impl AsRef<str>)>) -> Vec<AccountRecord> {
    let record = |(text, at): (String, _)| {
        let at: DateTime<Utc> = AsRef::<str>::as_ref(&at).parse().unwrap();
        AccountRecord::new(text, at)
    };
    records.into_iter().map(record).collect()
}

/// Every file below `directory`, with its bytes, by path.
pub(crate) fn snapshot(directory: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut files = std::collections::BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}
