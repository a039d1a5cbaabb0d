//! `phonetrail sync` of several accounts: what came of each, and of all.
//!
//! The rule: every account is told of, whatever befell it; the gravest of their exit codes is the run's.

use std::time::Instant;

use chrono::SecondsFormat;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::sync;
use crate::load::Destination;
use crate::model::AccountId;
use crate::pipeline::{self, AccountOutcome, AccountSync, SyncReport};

/// What came of a run over several accounts.
#[derive(Debug)]
pub(super) struct AccountsRun {
    /// In the order of the settings.
    accounts: Vec<AccountRun>,
    totals: SyncReport,
}

/// What came of one of them. It has no report where nothing could be done for it.
#[derive(Debug)]
struct AccountRun {
    id: AccountId,
    report: Option<SyncReport>,
    failure: Option<Failure>,
}

/// The summary for scripts: that of one account, added up, and each account's own.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'r> {
    accounts: Vec<AccountSummary<'r>>,
    exit_code: u8,
    #[serde(flatten)]
    totals: &'r SyncReport,
}

#[derive(Debug, Serialize)]
struct AccountSummary<'r> {
    account_id: &'r str,
    exit_code: u8,
    error: Option<&'r str>,
    #[serde(flatten)]
    report: Option<&'r SyncReport>,
}

/// Syncs those that could be prepared, and tells of the others too. Fails where the destination cannot be used at all.
pub(super) async fn sync(
    prepared: Vec<(AccountId, Result<AccountSync, Failure>)>,
    destination: &Destination,
    stop: &CancellationToken,
) -> Result<AccountsRun, Failure> {
    let started = Instant::now();
    let (mut ready, mut accounts) = (Vec::new(), Vec::new());
    for (id, account) in prepared {
        let failure = account.map(|account| ready.push(account)).err();
        accounts.push(AccountRun { id, report: None, failure });
    }
    let outcome = pipeline::sync_accounts(ready, destination, stop).await?;
    for AccountOutcome { account, result } in outcome.accounts {
        if let Some(run) = accounts.iter_mut().find(|run| run.id == account) {
            match result {
                Ok(report) => {
                    run.failure = sync::stopped(&report);
                    run.report = Some(report);
                }
                Err(error) => run.failure = Some(error.into()),
            }
        }
    }
    let mut totals = totals(&accounts, started);
    totals.add_compacted(outcome.compacted);
    Ok(AccountsRun { totals, accounts })
}

fn totals(accounts: &[AccountRun], started: Instant) -> SyncReport {
    let mut totals = SyncReport { wall_seconds: started.elapsed().as_secs_f64(), ..SyncReport::default() };
    let reports = accounts.iter().filter_map(|run| run.report.as_ref());
    for report in reports.clone() {
        totals.add(report);
        totals.run_id.clone_from(&report.run_id);
    }
    let stops = reports.filter_map(|report| report.stopped.as_ref());
    totals.stopped = stops.max_by_key(|stop| Exit::from(*stop).gravity()).cloned();
    totals
}

impl AccountsRun {
    /// The summary for people: a line an account, then the totals.
    pub(super) fn human(&self, destination: &str) -> String {
        let lines: String = self.accounts.iter().map(AccountRun::line).collect();
        lines + &sync::human(&self.totals, destination)
    }

    /// The summary for scripts.
    pub(super) fn json(&self) -> Summary<'_> {
        let accounts = self.accounts.iter().map(AccountRun::summary).collect();
        Summary { accounts, exit_code: self.exit() as u8, totals: &self.totals }
    }

    /// Tells what went wrong, an account a line, and gives the exit code.
    pub(super) fn report(self) -> Exit {
        let exit = self.exit();
        for AccountRun { id, failure, .. } in self.accounts {
            if let Some(failure) = failure {
                failure.of(&id).report();
            }
        }
        exit
    }

    fn exit(&self) -> Exit {
        self.accounts.iter().map(AccountRun::exit).max_by_key(|exit| exit.gravity()).unwrap_or(Exit::Done)
    }
}

impl AccountRun {
    fn exit(&self) -> Exit {
        self.failure.as_ref().map_or(Exit::Done, Failure::exit)
    }

    fn line(&self) -> String {
        let Self { id, report, .. } = self;
        let code = self.exit() as u8;
        let Some(report) = report else {
            return format!("account   {id}: failed with code {code}\n");
        };
        let SyncReport { records_received, rows_new, requests, days, .. } = report;
        let stop = report.stopped.as_ref().map(|stop| match stop.resume_at {
            Some(at) => {
                format!("; stopped with code {code}, go on at {}", at.to_rfc3339_opts(SecondsFormat::Secs, true))
            }
            None => format!("; stopped with code {code}"),
        });
        format!(
            "account   {id}: {rows_new} new rows of {records_received} records, {requests} requests, days {} final, \
             {} provisional, {} unmatched{}\n",
            days.settled,
            days.provisional,
            days.unmatched,
            stop.unwrap_or_default(),
        )
    }

    fn summary(&self) -> AccountSummary<'_> {
        AccountSummary {
            account_id: self.id.as_str(),
            exit_code: self.exit() as u8,
            error: self.failure.as_ref().map(Failure::text),
            report: self.report.as_ref(),
        }
    }
}
