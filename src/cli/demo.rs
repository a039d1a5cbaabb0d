//! `phonetrail demo`: the main job, from nothing to answers, against the built-in simulated account.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{Days, NaiveDate, Utc};
use clap::Args;

use super::exit::Exit;
use super::failure::Failure;
use super::output::print;
use super::progress::Progress;
#[cfg(feature = "query")]
use super::rows::table;
use super::{simulate, sync};
use crate::extract::{self, Source};
use crate::load::Destination;
use crate::model::AccountId;
use crate::pipeline::{self, SyncRequest};
#[cfg(feature = "query")]
use crate::query::default_cache;
use crate::simulator::{self, Credentials, GeneratorConfig, Latency, RateLimits, RunningSimulator, SimulatorConfig};

/// What the simulated account holds.
const RECORDS: usize = 12_000;
/// How far it reaches back.
const DAYS: u64 = 150;
/// How long it takes to answer.
const LATENCY: Duration = Duration::from_millis(100);
/// Marks a folder as one that the demo made and may make anew.
const MARKER: &str = ".phonetrail-demo";

#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// Folder for the table; made anew at every run
    #[arg(long, value_name = "DIR", default_value = "phonetrail-demo")]
    destination: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("the folder {} was not made by the demo", .0.display())]
    NotOurs(PathBuf),
    #[error("cannot make the folder {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the folder {} cannot be a destination", .0.display())]
    Destination(PathBuf),
}

pub(super) async fn run(args: DemoArgs) -> Result<Exit, Failure> {
    let folder = fresh_folder(&args.destination)?;
    let destination: Destination = folder
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| failure(&DemoError::Destination(folder.clone())))?;
    let today = Utc::now().date_naive();
    let from = today.checked_sub_days(Days::new(DAYS)).unwrap_or(today);
    // Today is not over: its later records would lie in the future.
    let simulator = serve(from, today.pred_opt().unwrap_or(today)).await?;

    print(&format!(
        "A simulated account with {} records since {from} answers at {}\n\n1. The first sync reads them all:\n",
        simulator.ground_truth().len(),
        simulator.base_url(),
    ))?;
    sync_once(&simulator, &destination, from).await?;
    print("\n2. A second sync reads again what can still change, and doubles nothing:\n")?;
    sync_once(&simulator, &destination, from).await?;
    simulator.shutdown().await;

    questions(&destination).await?;
    print(&format!(
        "The table lies in {0}/operation_logs (Delta Lake, Parquet), the pages as received in {0}/raw.\n\
         Ask it more:  phonetrail query --destination {0} \"SELECT * FROM operation_logs LIMIT 5\"\n",
        folder.display(),
    ))?;
    Ok(Exit::Done)
}

/// An empty folder: a new one, or one that an earlier demo made.
fn fresh_folder(path: &PathBuf) -> Result<PathBuf, Failure> {
    let failed = |source| failure(&DemoError::Folder { path: path.clone(), source });
    if path.exists() {
        if !path.join(MARKER).exists() {
            return Err(failure(&DemoError::NotOurs(path.clone())));
        }
        std::fs::remove_dir_all(path).map_err(failed)?;
    }
    std::fs::create_dir_all(path).map_err(failed)?;
    std::fs::write(path.join(MARKER), "").map_err(failed)?;
    Ok(path.clone())
}

async fn serve(from: NaiveDate, to: NaiveDate) -> Result<RunningSimulator, Failure> {
    let config = SimulatorConfig::default()
        .with_generated(GeneratorConfig { seed: 7, records: RECORDS, from, to })
        .with_rate_limits(RateLimits::BUSINESS)
        .with_latency(Latency::fixed(LATENCY));
    simulator::serve(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(simulate::failure)
}

async fn sync_once(simulator: &RunningSimulator, destination: &Destination, from: NaiveDate) -> Result<(), Failure> {
    let Credentials { account_id, client_id, client_secret } = simulator.config().credentials.clone();
    let account = AccountId::new(account_id);
    let credentials = extract::Credentials::ServerToServer {
        account_id: account.clone(),
        client_id,
        client_secret: extract::Secret::new(client_secret),
    };
    let progress = Progress::start();
    let settings = extract::Settings {
        base_url: simulator.base_url(),
        oauth_url: simulator.oauth_url(),
        plan: extract::Plan::BUSINESS,
        observer: progress.observer(None),
        ..extract::Settings::default()
    };
    let source = Source::try_new(credentials, settings)
        .map_err(|error| Failure::new(Exit::from(&error), &error, error.hint()))?;
    let request = SyncRequest { from: Some(from), ..SyncRequest::new(account) };
    let report = pipeline::sync(&source, destination, &request).await;
    progress.finish();
    print(&sync::human(&report?, &destination.to_string()))
}

/// Three questions that one would ask, answered from the table.
#[cfg(feature = "query")]
async fn questions(destination: &Destination) -> Result<(), Failure> {
    let questions = [
        (
            "Which phone numbers changed hands most recently, and by whom?",
            "SELECT event_time, operator_id, verb, object_name, target_relation, target_name, target_email \
             FROM operation_logs WHERE object_type = 'phone_number' AND target_email IS NOT NULL \
             ORDER BY event_time DESC LIMIT 5",
        ),
        (
            "Who switched something off, and what was it?",
            "SELECT operator_id, setting, COUNT(*) AS times FROM \
             (SELECT operator_id, change.field AS setting, change.new_value AS value FROM \
             (SELECT operator_id, UNNEST(changes) AS change FROM operation_logs)) \
             WHERE value = 'Off' GROUP BY operator_id, setting ORDER BY times DESC, operator_id, setting LIMIT 5",
        ),
        (
            "Who deletes the most, month by month?",
            "SELECT year, month, operator_id, operator_kind, COUNT(*) AS deletions FROM operation_logs \
             WHERE action_kind = 'delete' GROUP BY year, month, operator_id, operator_kind \
             ORDER BY deletions DESC, year, month, operator_id LIMIT 5",
        ),
    ];
    for (number, (question, sql)) in (3..).zip(questions) {
        let answer = crate::query::query(destination, sql, &default_cache()).await.map_err(super::query::failure)?;
        print(&format!("\n{number}. {question}\n   {sql}\n{}", table(&answer.columns, &answer.rows)))?;
    }
    print("\n")
}

#[cfg(not(feature = "query"))]
async fn questions(_: &Destination) -> Result<(), Failure> {
    print("\nThis build has no queries: build it with the feature `query`.\n\n")
}

fn failure(error: &DemoError) -> Failure {
    Failure::new(Exit::Destination, error, "Give another folder with --destination.")
}
