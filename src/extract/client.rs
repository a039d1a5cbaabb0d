//! One request, one answer: bounded in time and size, never redirected.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use data_encoding::BASE64;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};
use tower::util::MapResponseLayer;
use url::Url;

use super::credentials::Secret;
use super::error::{ExtractError, cause};
use super::settings::Settings;

const USER_AGENT: &str = concat!("phonetrail/", env!("CARGO_PKG_VERSION"));
const TRACKING_ID: &str = "x-zm-trackingid";

#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    max_body_bytes: usize,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) received_at: DateTime<Utc>,
    /// The secrets that the request carried, so that no echo of them is printed.
    pub(super) sent: Vec<Secret>,
}

/// No answer, or only the beginning of one: then its request id is known.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    #[error("the request got no whole answer")]
    Http { tracking_id: Option<String>, source: reqwest::Error },
    #[error("the answer is longer than {limit} bytes: pages of fewer records may be shorter")]
    TooLong { tracking_id: Option<String>, limit: usize },
}

impl TransportError {
    /// A page's address carries its token, so the URL is left out of what may be printed.
    fn http(error: reqwest::Error, tracking_id: Option<String>) -> Self {
        Self::Http { tracking_id, source: error.without_url() }
    }

    /// The upstream's request id.
    pub(super) fn tracking_id(&self) -> Option<String> {
        match self {
            Self::Http { tracking_id, .. } | Self::TooLong { tracking_id, .. } => tracking_id.clone(),
        }
    }
}

impl Client {
    /// A client for `settings`; `local` says whether it talks to loopback, in clear and past any proxy. `on_connect` is
    /// called whenever a connection is open.
    pub(super) fn try_new(
        settings: &Settings,
        local: bool,
        on_connect: impl Fn() + Clone + Send + Sync + 'static,
    ) -> Result<Self, ExtractError> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .gzip(true)
            .redirect(Policy::none())
            // It would send what HTTP/2 refuses again by itself, past the limits and unseen by any count.
            .retry(reqwest::retry::never())
            .https_only(!local)
            .connector_layer(MapResponseLayer::new(move |connection| {
                on_connect();
                connection
            }))
            .connect_timeout(settings.timeouts.connect)
            .read_timeout(settings.timeouts.idle)
            .timeout(settings.timeouts.total);
        let builder = if local { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| ExtractError::Setup { source: cause(error) })?;
        Ok(Self { http, max_body_bytes: settings.max_body_bytes })
    }

    /// Gets `url` as the bearer of `token`, whose header is `bearer`.
    pub(super) async fn get(&self, url: Url, bearer: &HeaderValue, token: &Secret) -> Result<Reply, TransportError> {
        self.send(self.http.get(url).header(AUTHORIZATION, bearer.clone()), vec![token.clone()]).await
    }

    /// Posts `form` to `url` with Basic authentication.
    pub(super) async fn post_form(
        &self,
        url: Url,
        user: &str,
        secret: &Secret,
        form: &[(&str, &str)],
    ) -> Result<Reply, TransportError> {
        let basic = Secret::new(BASE64.encode(format!("{user}:{}", secret.expose()).as_bytes()));
        let request = self.http.post(url).basic_auth(user, Some(secret.expose())).form(form);
        self.send(request, vec![basic, secret.clone()]).await
    }

    async fn send(&self, request: RequestBuilder, sent: Vec<Secret>) -> Result<Reply, TransportError> {
        let mut response = request.send().await.map_err(|error| TransportError::http(error, None))?;
        let tracking_id = tracking_id(response.headers());
        let mut body = Vec::new();
        // Chunks are counted after decompression: a small answer that unpacks without end is stopped too.
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Err(TransportError::http(error, tracking_id)),
            };
            if body.len() + chunk.len() > self.max_body_bytes {
                return Err(TransportError::TooLong { tracking_id, limit: self.max_body_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            // Pages wait in memory for their window: without the room that growing left.
            body: Bytes::from(body.into_boxed_slice()),
            received_at: Utc::now(),
            sent,
        })
    }
}

impl Reply {
    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }

    /// The upstream's request id.
    pub(super) fn tracking_id(&self) -> Option<String> {
        tracking_id(&self.headers)
    }
}

fn tracking_id(headers: &HeaderMap) -> Option<String> {
    text(headers, TRACKING_ID).map(str::to_owned)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
