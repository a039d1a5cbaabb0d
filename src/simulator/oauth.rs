//! `POST /oauth/token`: access tokens for account credentials.

use data_encoding::BASE64;
use serde::Serialize;
use tokio::time::Instant;

use super::Fault;
use super::reply::{self, Reply};
use super::state::{Shared, lock};
use super::stats::first;

/// The answer to a good request.
#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_url: Option<&'a str>,
}

/// Answers a request with the parameters of its form (or query) and its header `Authorization`.
pub(super) fn answer(
    shared: &Shared,
    parameters: &[(String, String)],
    authorization: Option<&str>,
    faults: &[Fault],
) -> Reply {
    let reply = faults.iter().find_map(Fault::stands_in).unwrap_or_else(|| token(shared, parameters, authorization));
    faults.iter().fold(reply, |reply, fault| fault.spoil_reply(reply))
}

fn token(shared: &Shared, parameters: &[(String, String)], authorization: Option<&str>) -> Reply {
    let credentials = &shared.config.credentials;

    let client = format!("{}:{}", credentials.client_id, credentials.client_secret);
    if authorization.and_then(basic_credentials) != Some(client.into_bytes()) {
        return reply::oauth_error("Invalid client_id or client_secret", "invalid_client");
    }
    match first(parameters, "grant_type") {
        Some("account_credentials") => {}
        Some(_) => return reply::oauth_error("unsupported grant type", "unsupported_grant_type"),
        None => return reply::oauth_error("Bad Request", "invalid_request"),
    }
    match first(parameters, "account_id") {
        Some(account_id) if account_id == credentials.account_id => {}
        Some(_) => return reply::oauth_error("Account does not exist", "invalid_request"),
        None => return reply::oauth_error("Bad Request", "invalid_request"),
    }

    let body = TokenBody {
        access_token: lock(&shared.access).issue(Instant::now()),
        token_type: "bearer",
        expires_in: shared.config.access_token_lifetime.as_secs(),
        scope: shared.config.scopes.join(" "),
        api_url: shared.config.api_url_given.then_some(shared.origin.as_str()),
    };
    Reply::json(200, serde_json::to_vec(&body).unwrap_or_default())
}

fn basic_credentials(authorization: &str) -> Option<Vec<u8>> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    BASE64.decode(encoded.trim().as_bytes()).ok()
}
