//! The simulator as an HTTP server: where it listens, which path leads where, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::debug;

use super::account::Account;
use super::reply::{self, Reply};
use super::state::{Shared, lock};
use super::stats::parameters;
use super::{
    AccountRecord, Endpoint, FaultPlan, GroundTruth, SimulatorConfig, SimulatorError, Stats, generator, oauth, report,
};

const TRACKING_ID: &str = "x-zm-trackingid";
/// How long open requests may take once the simulator shuts down.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Serves an account on `addr` (port 0 is any free one) until the handle is shut down or dropped. Only loopback
/// addresses are served unless [`SimulatorConfig::remote_access`] is set.
pub async fn serve(mut config: SimulatorConfig, addr: SocketAddr) -> Result<RunningSimulator, SimulatorError> {
    if !addr.ip().is_loopback() && !config.remote_access {
        return Err(SimulatorError::NotLoopback { addr });
    }
    let mut account = Account::default();
    if let Some(generated) = &config.generated {
        account.add(generator::generate(generated)?);
    }
    account.add(std::mem::take(&mut config.records));

    let cannot_listen = |source: io::Error| SimulatorError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(cannot_listen)?;
    let origin = format!("http://{}", listener.local_addr().map_err(cannot_listen)?);

    let (closing, on_closing) = watch::channel(false);
    let shared = Arc::new(Shared::new(config, account, origin, on_closing.clone()));
    let task = tokio::spawn(run(listener, router(Arc::clone(&shared)), on_closing));
    Ok(RunningSimulator { shared, closing, task })
}

async fn run(listener: TcpListener, router: Router, mut closing: watch::Receiver<bool>) {
    // Small answers would otherwise wait for the client's acknowledgement of what came before.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let until = async move {
        // Ends in an error when the handle was dropped, which means the same.
        let _ = closing.wait_for(|closing| *closing).await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
        debug!(%error, "the simulator stopped serving");
    }
}

/// A simulator that serves. Dropped, it stops.
pub struct RunningSimulator {
    shared: Arc<Shared>,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl RunningSimulator {
    /// The server's scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    /// The API's base, to which `/phone/reports/operationlogs` is added.
    pub fn base_url(&self) -> String {
        format!("{}/v2", self.shared.origin)
    }

    /// Where access tokens are asked for.
    pub fn oauth_url(&self) -> String {
        format!("{}/oauth/token", self.shared.origin)
    }

    /// How it behaves (the records and faults it was started with have moved on).
    pub fn config(&self) -> &SimulatorConfig {
        &self.shared.config
    }

    /// What it saw and did so far.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Adds records, as if they arrived just now.
    pub fn add(&self, records: Vec<AccountRecord>) {
        lock(&self.shared.account).add(records);
    }

    /// Plans more faults. Requests are numbered from the simulator's start.
    pub fn inject(&self, faults: FaultPlan) {
        lock(&self.shared.faults).extend(faults);
    }

    /// Ends the faults: those that have not struck yet never will.
    pub fn end_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Every access token given out so far, for tests that look where one may have got to.
    pub fn access_tokens(&self) -> Vec<String> {
        lock(&self.shared.access).given_out().to_vec()
    }

    /// Every page token given out so far, for the same.
    pub fn page_tokens(&self) -> Vec<String> {
        lock(&self.shared.pages).given_out().to_vec()
    }

    /// An access token without the asking.
    pub fn issue_access_token(&self) -> String {
        lock(&self.shared.access).issue(Instant::now())
    }

    /// Ends all access tokens given out so far.
    pub fn revoke_tokens(&self) {
        lock(&self.shared.access).revoke_all();
    }

    /// Gives back what was used of the daily limit, as midnight does.
    pub fn start_new_day(&self) {
        lock(&self.shared.throttle).start_new_day();
    }

    /// What the account holds.
    pub fn ground_truth(&self) -> GroundTruth {
        GroundTruth::new(lock(&self.shared.account).by_time())
    }

    /// Stops serving. Requests that are open have a moment to end.
    pub async fn shutdown(self) {
        drop(self.closing);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(SHUTDOWN_GRACE, self.task).await.is_err() {
            abort.abort();
        }
    }
}

impl fmt::Debug for RunningSimulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningSimulator")
            .field("origin", &self.origin())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/oauth/token", post(token))
        .route("/v2/phone/reports/operationlogs", get(operation_logs))
        .fallback(async || reply::not_found())
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), observe))
        .with_state(shared)
}

/// Counts, slows down and marks every answer.
async fn observe(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let open = shared.counters.open();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;

    let (tracking_id, chance) = {
        let mut random = lock(&shared.chance);
        (format!("v=2.0;clid=us02;rid=WEB_{}", random.text(32)), random.fraction())
    };
    let latency = shared.config.latency.sample(chance);
    if !latency.is_zero() {
        // Even a sleep of no time at all would last until the timer's next tick.
        tokio::time::sleep(latency).await;
    }

    if let Ok(tracking_id) = HeaderValue::try_from(tracking_id) {
        response.headers_mut().insert(TRACKING_ID, tracking_id);
    }
    let status = response.status().as_u16();
    let body_bytes = response.body().size_hint().exact().unwrap_or_default();
    shared.counters.answer(status, body_bytes);
    debug!(path, status, body_bytes, "answered");
    drop(open);
    response
}

async fn operation_logs(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Reply {
    let (request, faults) = shared.see(Endpoint::Report, parameters(query.unwrap_or_default().as_bytes()));
    shared.endure(&faults).await;
    report::answer(&shared, &request, authorization(&headers), &faults)
}

async fn token(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery, headers: HeaderMap, form: Bytes) -> Reply {
    let query = parameters(query.unwrap_or_default().as_bytes());
    let form = parameters(&form);
    let accepted = if shared.config.token_query_accepted { [&query[..], &form].concat() } else { form.clone() };
    let (_, faults) = shared.see(Endpoint::Token, [query, form].concat());
    shared.endure(&faults).await;
    oauth::answer(&shared, &accepted, authorization(&headers), &faults)
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}
