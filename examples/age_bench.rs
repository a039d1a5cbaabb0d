//! What a table costs as it ages: a sync with nothing new, and its steps, over tables of ever more commits.
//!
//! ```text
//! cargo run --release --example age_bench -- --commits 10,1000,5000
//! ```
//!
//! Each table is what hourly syncs would have made: a commit an hour, each with its files, its pack of raw pages and its
//! ledger entry. *sync* is a sync with nothing new, of which *upstream* is what asking alone takes on loopback; *besides*
//! is the difference. The least of several runs is shown, in milliseconds.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::borrow::Cow;
use std::error::Error;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use clap::Parser;
use futures::StreamExt;
use phonetrail::extract::{Credentials, Plan, Secret, Settings, Source};
use phonetrail::ledger::{
    self, CoverageV1, EntryV1, FORMAT, FileV1, Head, PackV1, PreviousV1, RequestsV1, RowsV1, WorkV1,
};
use phonetrail::load::{
    self, CommitInfo, CommitOutcome, DEFAULT_GRACE, Destination, MonthRange, RecentPacks, Replaced, Selection, Store,
    TABLE_DIRECTORY, Table,
};
use phonetrail::model::{AccountId, Coverage, REPORT, Scope, Seam, Span, StagedFile, Window};
use phonetrail::pipeline::{self, SyncReport, SyncRequest};
use phonetrail::simulator::{self, AccountRecord, GeneratorConfig, RunningSimulator, SimulatorConfig};
use phonetrail::transform;

type Failure = Box<dyn Error + Send + Sync>;

/// Times a step is measured.
const RUNS: usize = 5;

/// Days before today that are not final.
const OPEN_DAYS: Days = Days::new(4);

#[derive(Debug, Parser)]
struct Arguments {
    /// Commits of the tables to make, one after the other.
    #[arg(long, default_value = "10,1000,5000", value_delimiter = ',')]
    commits: Vec<u32>,
    /// Records stored by each.
    #[arg(long, default_value_t = 2)]
    records: usize,
    /// Keeps the tables below this directory.
    #[arg(long)]
    keep: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    println!("commits  files  {}", STEPS.map(|step| format!("{step:>9}")).join(" "));
    for commits in arguments.commits {
        let temporary = tempfile::tempdir()?;
        let directory = match &arguments.keep {
            Some(directory) => Path::new(directory).join(commits.to_string()),
            None => temporary.path().join("trail"),
        };
        let aged = Aged::make(&directory, commits, arguments.records).await?;
        let (files, times) = aged.measure().await?;
        let times = times.map(|time| format!("{:>9.1}", time.as_secs_f64() * 1000.0));
        println!("{commits:>7} {files:>6}  {}", times.join(" "));
    }
    Ok(())
}

const STEPS: [&str; 10] =
    ["open", "head", "month", "all files", "requests", "packs", "orphans", "status", "sync", "besides"];

/// A table that hourly syncs have made, and the account it was read from.
struct Aged {
    account: AccountId,
    simulator: RunningSimulator,
    destination: Destination,
    store: Store,
}

impl Aged {
    async fn make(directory: &Path, commits: u32, records: usize) -> Result<Self, Failure> {
        let account = AccountId::new(simulator::Credentials::ACCOUNT_ID);
        let now = Utc::now();
        let first = now - TimeDelta::hours(commits.into());
        let history = history(first, now, commits as usize * records)?;
        let config = SimulatorConfig::default().with_records(history.clone());
        let simulator = simulator::serve(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let destination: Destination = directory.to_str().ok_or("the folder's name is not Unicode")?.parse()?;
        let store = Store::create(&destination)?;

        let mut writer = Writer { account: &account, store: &store, first_day: first.date_naive(), previous: None };
        let mut table = Table::create(&store, writer.info(0, first, &[], vec![])?).await?;
        let (count, steps) = (history.len(), commits as usize - 1);
        for number in 1..commits {
            let step = number as usize;
            let records = &history[count * (step - 1) / steps..count * step / steps];
            writer.commit(&mut table, number.into(), first + TimeDelta::hours(number.into()), records).await?;
        }
        for (number, at) in (0..commits).map(|number| (number, first + TimeDelta::hours(number.into()))) {
            let log = directory.join(format!("{TABLE_DIRECTORY}/_delta_log/{number:020}.json"));
            File::options().write(true).open(log)?.set_modified(SystemTime::from(at))?;
        }
        Ok(Self { account, simulator, destination, store })
    }

    fn source(&self) -> Result<Source, Failure> {
        let credentials = Credentials::ServerToServer {
            account_id: self.account.clone(),
            client_id: simulator::Credentials::CLIENT_ID.to_owned(),
            client_secret: Secret::new(simulator::Credentials::CLIENT_SECRET),
        };
        let settings = Settings {
            base_url: self.simulator.base_url(),
            oauth_url: self.simulator.oauth_url(),
            plan: "1000/s,1000000/day".parse::<Plan>()?,
            ..Settings::default()
        };
        Ok(Source::try_new(credentials, settings)?)
    }

    async fn measure(&self) -> Result<(usize, [Duration; 10]), Failure> {
        let today = Utc::now().date_naive();
        let month =
            Selection::Months(vec![MonthRange { year: today.year(), month: today.month().cast_signed(), times: None }]);
        // Twins that fell into several commits are told apart by whoever sees them together.
        self.sync().await?;
        let mut files = 0;
        let mut least = [Duration::MAX; 10];
        for _ in 0..RUNS {
            let mut clock = Clock::default();
            let table = Table::open(&self.store).await?.ok_or("no table")?;
            clock.lap();
            Head::read(&table).await?;
            clock.lap();
            table.files(&month).await?;
            clock.lap();
            files = table.files(&Selection::All).await?.len();
            clock.lap();
            ledger::requests_on(&table, &self.account, today).await?;
            clock.lap();
            let since = Utc::now();
            let first = table.first_version_since(since).await?;
            let named = ledger::recent(&table, first).await?.packs;
            clock.lap();
            let first = table.first_version_since(since - DEFAULT_GRACE).await?;
            let replaced = Replaced::read(&self.store, &table, first, |_| DEFAULT_GRACE).await?;
            load::remove_orphans(&self.store, &table, &RecentPacks { since, named }, &replaced).await?;
            clock.lap();
            pipeline::status(&self.destination).await?;
            clock.lap();
            let report = self.sync().await?;
            clock.lap();
            if report.rows_new > 0 || report.requests != 1 {
                return Err(format!("{} rows were new, {} requests", report.rows_new, report.requests).into());
            }
            let upstream = self.upstream(today).await?;
            clock.laps.push(clock.laps[8].saturating_sub(upstream));
            least.iter_mut().zip(clock.laps).for_each(|(least, lap)| *least = lap.min(*least));
        }
        Ok((files, least))
    }

    async fn sync(&self) -> Result<SyncReport, Failure> {
        let request = SyncRequest::new(self.account.clone());
        Ok(pipeline::sync(&self.source()?, &self.destination, &request).await?)
    }

    /// What a sync asks of the upstream.
    async fn upstream(&self, today: NaiveDate) -> Result<Duration, Failure> {
        let source = self.source()?;
        let began = Instant::now();
        source.sign_in().await?;
        let window = Window::try_new(today - OPEN_DAYS - Days::new(1), today, Scope::All)?;
        let mut reads = source.read_all(vec![window], Seam::Shared);
        while let Some(read) = reads.next().await {
            read.map_err(|failure| failure.error)?;
        }
        Ok(began.elapsed())
    }
}

/// Invented records from `first` to `now`, oldest first.
fn history(first: DateTime<Utc>, now: DateTime<Utc>, records: usize) -> Result<Vec<AccountRecord>, Failure> {
    let days = GeneratorConfig { seed: 3, records: records * 2, from: first.date_naive(), to: now.date_naive() };
    let mut history = simulator::generate(&days)?;
    history.retain(|record| first <= record.at() && record.at() < now);
    history.sort_by_key(AccountRecord::at);
    history.truncate(records);
    Ok(history)
}

/// Makes the commits that syncs would make.
struct Writer<'w> {
    account: &'w AccountId,
    store: &'w Store,
    first_day: NaiveDate,
    previous: Option<PreviousV1>,
}

impl Writer<'_> {
    async fn commit(
        &mut self,
        table: &mut Table,
        number: u64,
        at: DateTime<Utc>,
        records: &[AccountRecord],
    ) -> Result<(), Failure> {
        let head = table.commit_file(table.version()).await?;
        self.previous = Some(PreviousV1 { version: table.version(), sha256: head.sha256 });
        let (pack, bytes) = load::pack(self.account, at.date_naive(), &format!("pack-{number}"), &[])?;
        self.store.put(&pack.path, bytes).await?;
        let directory = self.store.directory().ok_or("the destination is no directory")?;
        let file = directory.join(&pack.path);
        File::options().write(true).open(file)?.set_modified(SystemTime::from(at))?;

        let texts: Vec<_> = records.iter().map(|record| String::from_utf8_lossy(record.text())).collect();
        let page = [Cow::Owned(format!(r#"{{"operation_logs":[{}]}}"#, texts.join(",")))];
        let keyed = transform::keyed(self.account, &page)?;
        let mut files = Vec::new();
        for batch in transform::batches(at, keyed.into_iter().flatten())? {
            let (file, bytes) = load::stage(batch.partition, &[batch.rows])?;
            let path = directory.join(TABLE_DIRECTORY).join(&file.path);
            fs::create_dir_all(path.parent().ok_or("a file lies in no directory")?)?;
            fs::write(path, bytes)?;
            files.push(file);
        }
        let info = self.info(number, at, &files, vec![PackV1::from(&pack)])?;
        match table.commit(&files, info).await? {
            CommitOutcome::Committed(_) => {
                table.checkpoint_if_due().await;
                Ok(())
            }
            outcome => Err(format!("commit {number}: {outcome:?}").into()),
        }
    }

    fn info(
        &self,
        sequence: u64,
        at: DateTime<Utc>,
        files: &[StagedFile],
        packs: Vec<PackV1>,
    ) -> Result<CommitInfo, Failure> {
        let entry = EntryV1 {
            format: FORMAT,
            sequence,
            previous: self.previous.clone(),
            commit_id: uuid::Uuid::now_v7().to_string(),
            run_id: uuid::Uuid::now_v7().to_string(),
            work: if sequence == 0 { WorkV1::Create } else { WorkV1::Sync },
            made_at: at,
            tool: concat!("phonetrail ", env!("CARGO_PKG_VERSION")).to_owned(),
            parser_version: transform::PARSER_VERSION,
            account_id: Some(self.account.as_str().to_owned()),
            report: REPORT.to_owned(),
            files: files.iter().map(FileV1::from).collect(),
            files_removed: Vec::new(),
            grace_seconds: None,
            packs,
            requests: 1,
            requests_of_day: RequestsV1::add(&[], self.account, at.date_naive(), 1),
            windows: Vec::new(),
            rows: RowsV1 { count: files.iter().map(|file| file.row_count).sum(), record_id_xor: String::new() },
            rewritten: None,
            coverage: CoverageV1::of(&self.coverage(at)),
            calibrations: Vec::new(),
        };
        Ok(CommitInfo {
            entry: serde_json::to_string(&entry)?,
            application: format!("phonetrail/{}/{REPORT}", self.account),
            sequence: sequence.cast_signed(),
            metrics: vec![("numFiles", files.len() as u64), ("numOutputRows", entry.rows.count)],
            begun: Utc::now(),
        })
    }

    /// What is covered by a sync that reads at `at`.
    fn coverage(&self, at: DateTime<Utc>) -> Coverage {
        let mut coverage = Coverage::default();
        let today = at.date_naive();
        let settled = today - OPEN_DAYS;
        let open = Span { from: self.first_day, to: today, read_at: at, is_final: false };
        coverage.add(self.account, &Scope::All, open);
        if self.first_day < settled {
            let settled = Span { from: self.first_day, to: settled, read_at: at, is_final: true };
            coverage.add(self.account, &Scope::All, settled);
        }
        coverage
    }
}

/// The times between laps.
struct Clock {
    last: Instant,
    laps: Vec<Duration>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { last: Instant::now(), laps: Vec::new() }
    }
}

impl Clock {
    fn lap(&mut self) {
        self.laps.push(self.last.elapsed());
        self.last = Instant::now();
    }
}
