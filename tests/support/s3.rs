//! An S3 server on loopback that checks signatures and keeps its objects in a directory, and can be told to misbehave.
//!
//! The server that it is made of looks first and writes then; a lock makes its conditional puts atomic.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{IF_NONE_MATCH, LAST_MODIFIED};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use chrono::{TimeDelta, Utc};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

const BUCKET: &str = "audit";
const KEY_ID: &str = "simulated-key";
const SECRET: &str = "simulated-and-no-secret-either";

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is answered as it should be.
    Answer,
    /// It is refused, whoever asks.
    Deny,
    /// It is done, and answered as if the server were overloaded.
    LoseAnswer,
    /// It is done, and the connection closed before the answer.
    LoseConnection,
    /// Its connection is closed while its body is on the way.
    Reset,
    /// It is done, and answered as if somebody else had been first.
    Exists,
    /// It is answered so much later.
    Delay(Duration),
    /// It is done, and answered when [`S3::treat`] is called again.
    Hold,
    /// A put is done, whatever its conditions.
    Overwrite,
    /// Its object seems to have been written so long ago.
    Backdate(TimeDelta),
}

type Rule = Box<dyn FnMut(&Method, &str) -> Treatment + Send>;

pub(crate) struct S3 {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    directory: TempDir,
    service: S3Service,
    rule: Mutex<Rule>,
    /// How many rules there have been.
    rules: watch::Sender<u32>,
    conditional_puts: tokio::sync::Mutex<()>,
}

impl S3 {
    /// A server with one bucket, which is empty.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(directory.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let shared = Arc::new(Shared {
            directory,
            service: builder.build(),
            rule: Mutex::new(Box::new(|_, _| Treatment::Answer)),
            rules: watch::Sender::new(0),
            conditional_puts: tokio::sync::Mutex::default(),
        });

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// From here on `rule` says what becomes of a request, by its method and path.
    pub(crate) fn treat(&self, rule: impl FnMut(&Method, &str) -> Treatment + Send + 'static) {
        *self.shared.rule.lock().unwrap() = Box::new(rule);
        self.shared.rules.send_modify(|rules| *rules += 1);
    }

    /// The destination's URL.
    pub(crate) fn url(&self) -> String {
        format!("s3://{BUCKET}/some/trail")
    }

    /// The destination's objects, as files.
    pub(crate) fn path(&self) -> PathBuf {
        self.shared.directory.path().join(BUCKET).join("some/trail")
    }

    /// Sets `command` to use this server's destination.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .env("PHONETRAIL_DESTINATION", self.url())
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET);
    }

    /// The server for use within this process.
    pub(crate) fn client(&self) -> object_store::aws::AmazonS3 {
        object_store::aws::AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_endpoint(format!("http://{}", self.address))
            .with_allow_http(true)
            .with_access_key_id(KEY_ID)
            .with_secret_access_key(SECRET)
            .build()
            .unwrap()
    }

    /// Puts an object there that was written so long ago.
    pub(crate) fn plant(&self, path: &str, age: TimeDelta) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - age.to_std().unwrap()).unwrap();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut rules = shared.rules.subscribe();
    let treatment = shared.rule.lock().unwrap()(request.method(), request.uri().path());
    let file = file(shared.directory.path(), request.uri().path());
    let (parts, body) = request.into_parts();
    let is_conditional = parts.headers.contains_key(IF_NONE_MATCH);
    if treatment == Treatment::Reset {
        hang_up();
    }
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let request = s3s::HttpRequest::from_parts(parts, body.into());

    let answered = match treatment {
        Treatment::Deny => return denied(),
        _ if is_conditional => {
            let _one_at_a_time = shared.conditional_puts.lock().await;
            if treatment == Treatment::Overwrite && file.exists() {
                std::fs::remove_file(file).unwrap();
            }
            shared.service.call(request).await
        }
        _ => shared.service.call(request).await,
    };
    let mut response = answered.unwrap().map(Body::new);
    match treatment {
        Treatment::LoseAnswer => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Treatment::LoseConnection => hang_up(),
        Treatment::Exists => return StatusCode::PRECONDITION_FAILED.into_response(),
        Treatment::Delay(time) => tokio::time::sleep(time).await,
        Treatment::Hold => rules.changed().await.unwrap(),
        Treatment::Backdate(age) => {
            let written = (Utc::now() - age).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
            response.headers_mut().insert(LAST_MODIFIED, written.parse().unwrap());
        }
        _ => (),
    }
    response
}

/// Ends the task that serves the connection, and with it the connection. Nobody is told of this panic.
fn hang_up() -> ! {
    std::panic::resume_unwind(Box::new("hung up"))
}

fn denied() -> Response {
    let text = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    (StatusCode::FORBIDDEN, text).into_response()
}

/// Where the object of a request lies. The tests' names hold nothing that a path would encode but `=`.
fn file(directory: &Path, path: &str) -> PathBuf {
    directory.join(path.trim_start_matches('/').replace("%3D", "="))
}
