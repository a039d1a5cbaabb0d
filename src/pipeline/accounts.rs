//! Several accounts, one run: each is read by itself, and they take turns to commit.
//!
//! The rule: what befalls one account stops no other.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::compact::CompactedMonth;
use super::report::SyncReport;
use super::session::Session;
use super::sync::{SyncError, SyncRequest, sync_account};
use crate::extract::Source;
use crate::load::Destination;
use crate::model::AccountId;

/// How many accounts are read at once. Each has limits of its own. Its pages wait in memory for its next commit, so the
/// records after which one is made are shared out among them.
pub const PARALLEL_ACCOUNTS: usize = 4;

/// An account's part of a run.
#[derive(Debug)]
pub struct AccountSync {
    /// Where it is read. It is dropped when the account is done.
    pub source: Source,
    /// What to sync of it.
    pub request: SyncRequest,
}

/// What came of an account's part of a run.
#[derive(Debug)]
pub struct AccountOutcome {
    /// The account.
    pub account: AccountId,
    /// As [`sync`](super::sync()) gives it.
    pub result: Result<SyncReport, SyncError>,
}

/// What came of a run over several accounts.
#[derive(Debug)]
pub struct AccountsOutcome {
    /// What came of each, in their order.
    pub accounts: Vec<AccountOutcome>,
    /// What was compacted at the end of the run.
    pub compacted: Vec<CompactedMonth>,
}

/// Brings the table at `destination` up to date with every account, [`PARALLEL_ACCOUNTS`] at a time. Cancelled, `stop`
/// ends what follows the accounts; each has its own besides. An error means that the destination cannot be used at all.
pub async fn sync_accounts(
    accounts: Vec<AccountSync>,
    destination: &Destination,
    stop: &CancellationToken,
) -> Result<AccountsOutcome, SyncError> {
    let grace = accounts.iter().filter_map(|account| account.request.grace).max();
    let Some(session) = Session::begin(destination, grace, stop).await? else {
        return Ok(AccountsOutcome::of_none(accounts));
    };
    let session = Arc::new(session);
    let side_by_side = accounts.len().clamp(1, PARALLEL_ACCOUNTS) as u64;
    let mut waiting = accounts.into_iter().enumerate();
    let mut at_work = JoinSet::new();
    let mut outcomes = Vec::new();
    loop {
        while at_work.len() < PARALLEL_ACCOUNTS
            && let Some((place, mut account)) = waiting.next()
        {
            account.request.commit_records = (account.request.commit_records / side_by_side).max(1);
            let span = tracing::info_span!("account", id = %account.request.account);
            let work = work(account, Arc::clone(&session));
            at_work.spawn(async move { (place, work.await) }.instrument(span));
        }
        match at_work.join_next().await {
            Some(Ok(outcome)) => outcomes.push(outcome),
            Some(Err(error)) => resume_panic(error),
            None => break,
        }
    }
    outcomes.sort_by_key(|(place, _)| *place);
    let accounts: Vec<AccountOutcome> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    let mut compacted = Vec::new();
    let done = accounts.iter().filter(|outcome| outcome.result.is_ok()).count();
    if done > 0 {
        compacted = session.compact(stop).await;
    }
    if let Some(session) = Arc::into_inner(session) {
        // One that failed while it wrote may have left files behind, so the mark of the run stays.
        let failed = |outcome: &AccountOutcome| {
            outcome.result.as_ref().err().is_some_and(|error| !error.spares_the_destination())
        };
        match done {
            _ if !accounts.iter().any(failed) => session.end().await?,
            0 => session.abandon(),
            _ => {}
        }
    }
    Ok(AccountsOutcome { accounts, compacted })
}

impl AccountsOutcome {
    /// Of a run that was told to stop before it had begun.
    fn of_none(accounts: Vec<AccountSync>) -> Self {
        let outcome = |account: AccountSync| AccountOutcome {
            account: account.request.account,
            result: Ok(SyncReport::of_none()),
        };
        Self { accounts: accounts.into_iter().map(outcome).collect(), compacted: Vec::new() }
    }
}

async fn work(AccountSync { source, request }: AccountSync, session: Arc<Session>) -> AccountOutcome {
    let result = sync_account(&source, &session, &request).await;
    match &result {
        Ok(report) => {
            let SyncReport { rows_new, requests, .. } = report;
            tracing::info!(rows_new, requests, stopped = report.stopped.is_some(), "account done");
        }
        Err(error) => tracing::warn!(error = error as &dyn std::error::Error, "account failed"),
    }
    AccountOutcome { account: request.account, result }
}

/// Accounts are never aborted while they are waited for, so one that did not end broke down.
fn resume_panic(error: JoinError) {
    if let Ok(panic) = error.try_into_panic() {
        std::panic::resume_unwind(panic);
    }
}
