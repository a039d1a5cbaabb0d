//! The main job: read from the upstream whatever is not final, and commit it window by window.
//!
//! The rule: what was read whole is committed, however the run ends.

use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::calibration;
use super::commit::{self, Run, Work};
use super::days::Stretch;
use super::pending::Pending;
use super::report::{DayCounts, Stop, StopReason, SyncReport};
use super::session::Session;
use crate::extract::{ErrorKind, ExtractError, Source, Usage, WindowFailure};
use crate::ledger::{self, CalibrationV1, Head, LedgerError};
use crate::load::{Destination, LoadError, Table};
use crate::model::{AccountId, Calibration, Coverage, DayState, PageError, Scope, Seam, Span, Window, WindowRead};

/// Days a new table reaches back when nothing else is said.
pub const DEFAULT_LOOK_BACK_DAYS: u64 = 30;

/// How long after its end a day may still gain records: a day's delay has been seen in sibling reports.
pub const DEFAULT_SETTLE: TimeDelta = TimeDelta::hours(72);

/// Records after which a commit is made.
pub const DEFAULT_COMMIT_RECORDS: u64 = 100_000;

/// Time after which a commit is made: what a crash can cost.
pub const DEFAULT_COMMIT_INTERVAL: Duration = Duration::from_secs(60);

/// Windows that wait for the next commit at most while one is being made.
const WAITING_WINDOWS: usize = 1;

/// What to sync.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// Whose log.
    pub account: AccountId,
    /// First UTC day; the first covered one, or [`DEFAULT_LOOK_BACK_DAYS`] back, when `None`.
    pub from: Option<NaiveDate>,
    /// Last UTC day; today when `None`.
    pub to: Option<NaiveDate>,
    /// What to ask for: everything, or some categories.
    pub scopes: Vec<Scope>,
    /// How long after its end a day stays provisional.
    pub settle: TimeDelta,
    /// Records after which a commit is made.
    pub commit_records: u64,
    /// Time after which a commit is made.
    pub commit_interval: Duration,
    /// How long files that this run replaces stay for who reads an earlier version, and those that others replaced and
    /// promised nothing of. `None`: those that this run replaces go at its end, or with a later run, as soon as it is known
    /// that no other run is alive; others after [`DEFAULT_GRACE`](crate::load::DEFAULT_GRACE).
    pub grace: Option<TimeDelta>,
    /// Cancelled, it ends the run after the commit that it is at, with whatever is whole committed.
    pub stop: CancellationToken,
}

impl SyncRequest {
    /// Everything of `account` that is not final.
    pub fn new(account: AccountId) -> Self {
        Self {
            account,
            from: None,
            to: None,
            scopes: vec![Scope::All],
            settle: DEFAULT_SETTLE,
            commit_records: DEFAULT_COMMIT_RECORDS,
            commit_interval: DEFAULT_COMMIT_INTERVAL,
            grace: None,
            stop: CancellationToken::new(),
        }
    }
}

/// Why a sync could not do its work. Whole windows committed before stay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The range is empty.
    #[error("nothing to sync from {from} to {to}: the first day is after the last")]
    EmptyRange {
        /// First day.
        from: NaiveDate,
        /// Last day.
        to: NaiveDate,
    },
    /// The upstream, or the way to it.
    #[error("cannot read the operation log")]
    Extract(#[from] ExtractError),
    /// A page that was taken for one is none.
    #[error("a page of window {window} cannot be decoded")]
    Page {
        /// The window.
        window: Window,
        /// Why.
        #[source]
        source: PageError,
    },
    /// Rows cannot be made.
    #[error("cannot make rows")]
    Rows(#[from] arrow::error::ArrowError),
    /// The destination.
    #[error("the destination failed")]
    Load(#[from] LoadError),
    /// The ledger.
    #[error("the ledger cannot be continued")]
    Ledger(#[from] LedgerError),
    /// The ledger entry of a commit cannot be written as JSON.
    #[error("a ledger entry cannot be written")]
    Entry(#[source] serde_json::Error),
    /// Other writers were faster every time.
    #[error("other writers were faster in each of {attempts} attempts to commit")]
    Contended {
        /// Attempts.
        attempts: u32,
    },
}

/// Brings the table at `destination` up to date with `source`.
///
/// Gives the run's figures also when it stopped early ([`SyncReport::stopped`]); an error means that the run could not
/// work at all, or that the destination failed under it.
pub async fn sync(source: &Source, destination: &Destination, request: &SyncRequest) -> Result<SyncReport, SyncError> {
    let Some(session) = Session::begin(destination, request.grace, &request.stop).await? else {
        return Ok(SyncReport::of_none());
    };
    match sync_account(source, &session, request).await {
        Ok(mut report) => {
            report.add_compacted(session.compact(&request.stop).await);
            session.end().await?;
            Ok(report)
        }
        Err(error) if error.spares_the_destination() => session.end().await.and(Err(error)),
        Err(error) => {
            session.abandon();
            Err(error)
        }
    }
}

impl SyncError {
    /// Whether it befell the run while nothing was being written.
    pub(super) fn spares_the_destination(&self) -> bool {
        matches!(self, Self::EmptyRange { .. } | Self::Extract(_))
    }
}

/// One account's part of a run.
pub(super) async fn sync_account(
    source: &Source,
    session: &Session,
    request: &SyncRequest,
) -> Result<SyncReport, SyncError> {
    let started = Instant::now();
    let store = session.store();
    let run = Run { id: session.run_id().to_owned(), account: request.account.clone(), started_at: Utc::now() };
    let mut table = Table::open(store).await?;
    let head = match &table {
        Some(table) => Some(Head::read(table).await?),
        None => None,
    };
    let coverage = head.as_ref().map(Head::coverage).unwrap_or_default();
    let range = range(request, &coverage, run.started_at.date_naive())?;
    let mut job = Job {
        source,
        session,
        run,
        request,
        stretches: Vec::new(),
        calibration: None,
        seam: Seam::Shared,
        used_before: source.usage(),
        report: SyncReport::default(),
        failure: None,
    };
    let signed_in = tokio::select! {
        biased;
        () = request.stop.cancelled() => None,
        signed_in = source.sign_in() => Some(signed_in),
    };
    // A run that is told to stop before it has begun has nothing to keep.
    if let Some(signed_in) = signed_in {
        signed_in?;
        session.enter(table.as_ref().zip(head.as_ref())).await?;
        let windows = job.plan(table.as_ref(), head.as_ref(), &coverage, range).await?;
        tracing::info!(from = %range.0, to = %range.1, windows = windows.len(), "reading what is not final");
        job.read_and_commit(windows, &mut table).await?;
    }
    job.finish(table.as_ref(), range, started).await
}

fn windows(stretches: &[Stretch], seam: Seam) -> Vec<Window> {
    stretches.iter().flat_map(|stretch| stretch.windows(seam)).collect()
}

/// The UTC days to be covered.
fn range(request: &SyncRequest, coverage: &Coverage, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), SyncError> {
    let known = request.scopes.iter().filter_map(|scope| coverage.first_day(&request.account, scope)).min();
    let to = request.to.unwrap_or(today).min(today);
    let default = today.checked_sub_days(Days::new(DEFAULT_LOOK_BACK_DAYS)).unwrap_or(today);
    let from = request.from.or(known).unwrap_or(default.min(to));
    if from > to { Err(SyncError::EmptyRange { from, to }) } else { Ok((from, to)) }
}

struct Job<'r> {
    source: &'r Source,
    session: &'r Session,
    run: Run,
    request: &'r SyncRequest,
    stretches: Vec<Stretch>,
    calibration: Option<Calibration>,
    /// How the windows meet.
    seam: Seam,
    /// What the source had used when the run began.
    used_before: Usage,
    report: SyncReport,
    failure: Option<ExtractError>,
}

impl Job<'_> {
    /// The windows to read, having found out how they may meet.
    async fn plan(
        &mut self,
        table: Option<&Table>,
        head: Option<&Head>,
        coverage: &Coverage,
        range: (NaiveDate, NaiveDate),
    ) -> Result<Vec<Window>, SyncError> {
        let Run { account, started_at, .. } = &self.run;
        let today = started_at.date_naive();
        if let Some(table) = table {
            let earlier = ledger::requests_on(table, account, today).await?;
            self.source.note_ledger(commit::day_count(today, earlier));
        }
        for scope in &self.request.scopes {
            let open = coverage.open_days(account, scope, range.0, range.1);
            self.stretches.extend(Stretch::plan(&open, scope, today));
        }
        let known = head.and_then(|head| CalibrationV1::find(&head.entry.calibrations, account));
        let count = windows(&self.stretches, Seam::Shared).len();
        let calibration = calibration::calibration(self.source, known, count, range, *started_at);
        self.calibration = tokio::select! {
            biased;
            () = self.request.stop.cancelled() => None,
            calibration = calibration => calibration,
        };
        self.seam = calibration::seam(self.calibration.as_ref());
        Ok(windows(&self.stretches, self.seam))
    }

    /// Reads until all is read or the run is told to stop, and commits what is whole by then.
    async fn read_and_commit(&mut self, windows: Vec<Window>, table: &mut Option<Table>) -> Result<(), SyncError> {
        let stop = self.request.stop.child_token();
        let (mut reads, reader) = spawn_reader(self.source.clone(), windows, self.seam, stop.clone());
        // Where a commit fails, the reading ends too.
        let _ended = stop.drop_guard();
        let mut pending = Pending::new(self.request.commit_records, self.request.commit_interval);
        loop {
            let read = tokio::select! {
                read = reads.recv() => match read {
                    Some(read) => Some(read),
                    None => break,
                },
                () = pending.wait() => None,
            };
            match read {
                Some(Ok(read)) => pending.push(read),
                Some(Err(failure)) => self.note_failure(failure),
                None => {}
            }
            if pending.are_due() {
                self.commit(pending.take(), table).await?;
            }
        }
        self.commit(pending.take(), table).await?;
        match reader.await.map_err(JoinError::try_into_panic) {
            // The windows that a reader which broke down had still to read must not pass for read.
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            _ => Ok(()),
        }
    }

    fn note_failure(&mut self, WindowFailure { window, error }: WindowFailure) {
        tracing::warn!(%window, error = %error, "window not read");
        // The gravest failure is the one to tell: it is what the user must act on first.
        if self.failure.as_ref().is_none_or(|known| gravity(&error) > gravity(known)) {
            self.failure = Some(error);
        }
    }

    /// Commits `reads`, and in any case the requests made since the commit before: the day's are shared by all runs.
    async fn commit(&mut self, reads: Vec<WindowRead>, table: &mut Option<Table>) -> Result<(), SyncError> {
        let unaccounted = self.source.unaccounted();
        // No table is made for the sake of requests alone.
        if reads.is_empty() && (unaccounted.requests() == 0 || table.is_none()) {
            return Ok(());
        }
        for read in &reads {
            self.stretches.iter_mut().for_each(|stretch| stretch.note(&read.window, read.started_at));
        }
        let covered: Vec<(Scope, Span)> = self
            .stretches
            .iter()
            .flat_map(|stretch| {
                stretch.covered(self.request.settle, self.seam).into_iter().map(|span| (stretch.scope().clone(), span))
            })
            .collect();
        let mut turn = self.session.turn().await;
        let store = self.session.store();
        self.session.mark().await?;
        let table = match table {
            Some(table) => turn.catch_up(table),
            None => table.insert(Table::create(store, commit::creation(&self.run)?).await?),
        };
        let requests = unaccounted.requests();
        let work = Work { reads: &reads, covered: &covered, requests, calibration: self.calibration };
        let of_day = commit::commit(store, table, &self.run, &work, &mut self.report).await?;
        unaccounted.are_accounted_on(of_day.day);
        self.source.note_ledger(of_day);
        turn.note(table);
        table.checkpoint_if_due().await;
        Ok(())
    }

    async fn finish(
        mut self,
        table: Option<&Table>,
        range: (NaiveDate, NaiveDate),
        started: Instant,
    ) -> Result<SyncReport, SyncError> {
        let usage = self.source.usage();
        let head = match table {
            Some(table) => Some(Head::read(table).await?),
            None => None,
        };
        let coverage = head.as_ref().map(Head::coverage).unwrap_or_default();
        self.report.run_id = self.run.id;
        self.report.requests = usage.requests - self.used_before.requests;
        self.report.throttled = usage.throttled - self.used_before.throttled;
        self.report.version = table.map(Table::version);
        self.report.days = day_counts(&coverage, self.request, range);
        let interrupted = self.request.stop.is_cancelled().then(|| Stop::now(StopReason::Interrupted));
        self.report.stopped = self.failure.as_ref().map(stop).or(interrupted);
        self.report.wall_seconds = started.elapsed().as_secs_f64();
        match self.failure {
            // Nothing was read: there is no run to report on, only an error.
            Some(error) if self.report.windows == 0 && gravity(&error) > 0 => Err(error.into()),
            failure => Ok(SyncReport { failure, ..self.report }),
        }
    }
}

/// Reads in a task of its own, so that reading goes on while a commit is made. Once told to stop, it gives what is whole and
/// ends.
fn spawn_reader(
    source: Source,
    windows: Vec<Window>,
    seam: Seam,
    stop: CancellationToken,
) -> (mpsc::Receiver<Result<WindowRead, WindowFailure>>, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(WAITING_WINDOWS);
    let read = async move {
        let mut reads = source.read_until(windows, seam, stop);
        while let Some(read) = reads.next().await {
            if sender.send(read).await.is_err() {
                return;
            }
        }
    };
    (receiver, tokio::spawn(read.in_current_span()))
}

fn gravity(error: &ExtractError) -> u8 {
    match error.kind() {
        ErrorKind::Refused | ErrorKind::Configuration => 5,
        ErrorKind::TooLong => 4,
        ErrorKind::DailyLimit | ErrorKind::RateLimit | ErrorKind::RunLimit => 3,
        ErrorKind::Unavailable => 2,
        ErrorKind::Rejected => 1,
        ErrorKind::Unstable => 0,
    }
}

fn stop(error: &ExtractError) -> Stop {
    let reason = match error.kind() {
        ErrorKind::DailyLimit => StopReason::DailyLimit,
        ErrorKind::RateLimit => StopReason::RateLimit,
        ErrorKind::RunLimit => StopReason::RunLimit,
        ErrorKind::TooLong => StopReason::TooLong,
        ErrorKind::Unstable => StopReason::Unmatched,
        ErrorKind::Refused | ErrorKind::Rejected | ErrorKind::Configuration => StopReason::Refused,
        _ => StopReason::Unavailable,
    };
    Stop { reason, resume_at: resume_at(error) }
}

fn resume_at(error: &ExtractError) -> Option<DateTime<Utc>> {
    match error {
        ExtractError::DailyLimit { resume_at } | ExtractError::Throttled { resume_at, .. } => Some(*resume_at),
        _ => None,
    }
}

fn day_counts(coverage: &Coverage, request: &SyncRequest, (from, to): (NaiveDate, NaiveDate)) -> DayCounts {
    let mut counts = DayCounts::default();
    for day in from.iter_days().take_while(|day| *day <= to) {
        let states = request.scopes.iter().map(|scope| coverage.state(&request.account, scope, day));
        // A day is as good as the scope that knows least of it.
        match states.min().unwrap_or(DayState::Missing) {
            DayState::Final => counts.settled += 1,
            DayState::Provisional => counts.provisional += 1,
            DayState::Missing => counts.unmatched += 1,
        }
    }
    counts
}
