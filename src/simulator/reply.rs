//! Answers before they are HTTP, with the upstream's own wordings.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::{StreamExt, stream};
use serde::Serialize;

use super::query::InvalidParameter;

/// A status, headers and a body.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    delivery: Delivery,
}

/// How the body is sent.
#[derive(Clone, Copy, Debug)]
enum Delivery {
    Whole,
    /// So many bytes, then the connection breaks.
    Broken(usize),
    /// In pieces, with a pause after each.
    Dripping(usize, Duration),
}

impl Reply {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![(header::CONTENT_TYPE.to_string(), content_type.to_owned())];
        Self { status, headers, body: body.into(), delivery: Delivery::Whole }
    }

    pub(super) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status, "application/json;charset=UTF-8", body)
    }

    pub(super) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The answer with another body.
    pub(super) fn map_body(mut self, change: impl FnOnce(Bytes) -> Bytes) -> Self {
        self.body = change(self.body);
        self
    }

    /// The answer, of which only so many bytes of the body arrive before the connection breaks.
    pub(super) fn broken_after(mut self, bytes: usize) -> Self {
        self.delivery = Delivery::Broken(bytes.min(self.body.len()));
        self
    }

    /// The answer, whose body arrives in so many pieces with a pause after each.
    pub(super) fn dripping(mut self, pieces: usize, pause: Duration) -> Self {
        self.delivery = Delivery::Dripping(pieces, pause);
        self
    }

    /// The answer under another content type.
    pub(super) fn of_type(mut self, content_type: &str) -> Self {
        self.headers.retain(|(name, _)| name != header::CONTENT_TYPE.as_str());
        self.with_header(header::CONTENT_TYPE.as_str(), content_type)
    }

    pub(super) fn broken_midway(self) -> Self {
        let middle = self.body.len() / 2;
        self.broken_after(middle)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let length = self.body.len();
        let body = match self.delivery {
            Delivery::Whole => Body::from(self.body),
            Delivery::Broken(bytes) => broken_body(self.body.slice(..bytes)),
            Delivery::Dripping(pieces, pause) => dripping_body(self.body, pieces, pause),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            // A name or value that HTTP cannot carry is left out.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        response
    }
}

/// A body that ends in an error, upon which the server closes the connection. The pause lets what came before reach the
/// socket; with nothing before there is none, and not even the status arrives.
fn broken_body(sent: Bytes) -> Body {
    let pause = !sent.is_empty();
    let first = stream::iter((!sent.is_empty()).then_some(Ok(sent)));
    let rest = stream::once(async move {
        if pause {
            tokio::task::yield_now().await;
        }
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(first.chain(rest))
}

fn dripping_body(body: Bytes, pieces: usize, pause: Duration) -> Body {
    let size = body.len().div_ceil(pieces.max(1)).max(1);
    let pieces: Vec<Bytes> = body.chunks(size).map(|piece| body.slice_ref(piece)).collect();
    Body::from_stream(stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, io::Error>(piece)
    }))
}

/// The upstream's usual error body.
#[derive(Serialize)]
struct ErrorBody<'a> {
    code: u32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<[FieldError; 1]>,
}

#[derive(Serialize)]
struct FieldError {
    field: &'static str,
    message: &'static str,
}

/// The OAuth endpoint's error body, which differs from all others.
#[derive(Serialize)]
struct OauthErrorBody<'a> {
    reason: &'a str,
    error: &'a str,
}

fn json_of(status: u16, body: &impl Serialize) -> Reply {
    Reply::json(status, serde_json::to_vec(body).unwrap_or_default())
}

pub(super) fn error(status: u16, code: u32, message: &str) -> Reply {
    json_of(status, &ErrorBody { code, message, errors: None })
}

pub(super) fn oauth_error(reason: &str, error: &str) -> Reply {
    json_of(400, &OauthErrorBody { reason, error })
}

pub(super) fn access_refused(message: &str) -> Reply {
    error(401, 124, message)
}

pub(super) fn scope_missing(scope: &str) -> Reply {
    error(400, 4711, &format!("Invalid access token, does not contain scopes:[{scope}]."))
}

pub(super) fn phone_not_enabled() -> Reply {
    error(403, 403, "Zoom Phone has not been enabled for this account")
}

pub(super) fn page_token_invalid() -> Reply {
    error(400, 400, "The next page token is invalid or expired.")
}

pub(super) fn invalid_parameter(parameter: InvalidParameter) -> Reply {
    let InvalidParameter { field, message } = parameter;
    let errors = Some([FieldError { field, message }]);
    json_of(400, &ErrorBody { code: 300, message: "Validation Failed.", errors })
}

/// The limit per second: neither the limit nor the time to wait is told.
pub(super) fn too_fast() -> Reply {
    error(429, 429, "You have reached the maximum per-second rate limit for this API. Try again later.")
        .with_header("X-RateLimit-Category", "Heavy")
        .with_header("X-RateLimit-Type", "QPS")
}

/// The limit per day: the time to wait until is an ISO 8601 instant, not one of the forms of RFC 9110.
pub(super) fn day_used_up(limit: u32, until: DateTime<Utc>) -> Reply {
    let message = "You have reached the maximum daily rate limit for this API. Refer to the response header for \
                   details on when you can make another request.";
    error(429, 429, message)
        .with_header("X-RateLimit-Category", "Heavy")
        .with_header("X-RateLimit-Type", "Daily-limit")
        .with_header("X-RateLimit-Limit", limit.to_string())
        .with_header("X-RateLimit-Remaining", "0")
        .with_header("Retry-After", until.to_rfc3339_opts(SecondsFormat::Secs, true))
}

pub(super) fn not_found() -> Reply {
    error(404, 404, "The requested resource does not exist.")
}
