//! Whether a sync could do its work, tried piece by piece.

use chrono::{TimeDelta, Utc};

use crate::extract::{ExtractError, Source};
use crate::ledger::Head;
use crate::load::{Destination, RunLock, Store, Table};
use crate::model::{Scope, Window};
use crate::pipeline::SyncError;

/// The longest difference between two clocks that is not worth a word.
const TOLERATED_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Something that was tried.
#[derive(Debug)]
pub struct Checked {
    /// What was tried.
    pub name: &'static str,
    /// What came of it.
    pub finding: Finding,
}

/// What came of a trial.
#[derive(Debug)]
pub enum Finding {
    /// It works; what was seen.
    Works(String),
    /// It works, but something about it is not as it should be.
    Warning(String),
    /// It does not.
    Fails(SyncError),
    /// It was not tried, since something before it fails.
    Skipped,
}

/// Tries the credentials and the report, for the price of one page, and looks at the plan.
///
/// The request is not counted among the day's: they are kept in the ledger, and a check leaves none behind. The upstream's
/// own count, where it tells one, has it.
pub async fn check_upstream(source: &Source) -> Vec<Checked> {
    let signed_in = source.sign_in().await;
    let report = match &signed_in {
        Ok(()) => finding(report(source).await),
        Err(_) => Finding::Skipped,
    };
    let plan = if matches!(report, Finding::Works(_)) { plan(source) } else { Finding::Skipped };
    let credentials = finding(signed_in.map(|()| "an access token was given".to_owned()));
    of_upstream([credentials, report, plan])
}

/// What [`check_upstream`] tries, where there is nothing to try it with.
pub fn skip_upstream() -> Vec<Checked> {
    of_upstream([Finding::Skipped, Finding::Skipped, Finding::Skipped])
}

fn of_upstream(findings: [Finding; 3]) -> Vec<Checked> {
    let named = ["credentials", "report", "plan"].into_iter().zip(findings);
    named.map(|(name, finding)| Checked { name, finding }).collect()
}

/// Whether the upstream allows as many requests as the plan reckons with. That it allows more is no fault: they may be left to
/// others on purpose.
fn plan(source: &Source) -> Finding {
    let (plan, per_day) = (source.plan(), source.plan().per_day.get());
    match source.allowed_per_day() {
        Some(allowed) if allowed < per_day => Finding::Warning(format!(
            "the upstream allows {allowed} requests a day, and {plan} means {per_day}: give the plan that the account has"
        )),
        Some(allowed) => Finding::Works(format!("{plan}; the upstream allows {allowed} requests a day")),
        None => Finding::Works(format!("{plan} is taken as set; the upstream does not say what it allows")),
    }
}

async fn report(source: &Source) -> Result<String, ExtractError> {
    let today = Utc::now().date_naive();
    let yesterday = today.pred_opt().unwrap_or(today);
    let Ok(window) = Window::try_new(yesterday, today, Scope::All) else {
        return Ok("not asked: there is no yesterday".to_owned());
    };
    let total = source.total(&window).await.map_err(|failure| failure.error)?;
    Ok(match total {
        Some(total) => format!("{total} records since yesterday"),
        None => "readable; the upstream gives no totals".to_owned(),
    })
}

/// Tries to write to the destination as a commit would, and reads the table that is there.
pub async fn check_destination(destination: &Destination) -> Vec<Checked> {
    let tried = try_destination(destination).await;
    let (writing, table) = match tried {
        Ok((writing, table)) => (writing, table),
        Err(error) => (Finding::Fails(error), Finding::Skipped),
    };
    vec![Checked { name: "destination", finding: writing }, Checked { name: "table", finding: table }]
}

async fn try_destination(destination: &Destination) -> Result<(Finding, Finding), SyncError> {
    let store = Store::create(destination)?;
    let lock = RunLock::acquire(&store).await?;
    let probe = store.probe().await;
    let table = table(&store).await;
    lock.abandon(&store);

    let probe = probe?;
    let writing = if let Err(error) = probe.require_put_if_absent(&store) {
        Finding::Fails(error.into())
    } else if probe.clock_ahead.abs() > TOLERATED_SKEW {
        Finding::Warning(format!("its clock differs from this machine's by {} s", probe.clock_ahead.num_seconds()))
    } else {
        Finding::Works("can be written, and keeps what another run wrote first".to_owned())
    };
    Ok((writing, table.map_or_else(Finding::Fails, Finding::Works)))
}

async fn table(store: &Store) -> Result<String, SyncError> {
    let Some(table) = Table::open(store).await? else {
        return Ok("none yet; the first sync makes it".to_owned());
    };
    let head = Head::read(&table).await?;
    Ok(format!("version {}, ledger entry {}", table.version(), head.entry.sequence))
}

fn finding(tried: Result<String, ExtractError>) -> Finding {
    tried.map_or_else(|error| Finding::Fails(error.into()), Finding::Works)
}
