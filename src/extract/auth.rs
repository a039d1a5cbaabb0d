//! The access token, asked for once for all workers.
//!
//! The rule: one request for a token at a time, none before the time that the issuer names, and credentials go to the OAuth
//! URL and nowhere else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::classify::{self, Verdict};
use super::client::{Client, Reply, TransportError};
use super::credentials::{Credentials, Secret};
use super::endpoint::Endpoint;
use super::error::{Answer, Asked, Cause, ExtractError, Refusal, cause};
use super::pause::Pause;
use super::progress::Counters;
use super::retry::{self, LastFailure, WindowBudget};
use super::settings::{DEFAULT_BASE_URL, Retries, Settings};

/// A token is renewed this long before it expires, or a tenth of its life for a short one.
const MARGIN: Duration = Duration::from_secs(60);
/// What the upstream's tokens live where it does not say.
const USUAL_LIFE_SECONDS: u64 = 3600;
const LONGEST_LIFE_SECONDS: u64 = 86_400;

/// The right to ask, until further notice.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) bearer: HeaderValue,
    pub(super) token: Secret,
    /// The API that takes the token.
    pub(super) base: Endpoint,
    /// Tells a token from the one that replaced it.
    pub(super) generation: u64,
    renew_at: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Authority {
    credentials: Credentials,
    oauth: Endpoint,
    base: Endpoint,
    retries: Retries,
    state: Mutex<Option<Result<Access, ExtractError>>>,
    /// How many tokens were asked for; also the last one's generation.
    flights: AtomicU64,
}

impl Authority {
    pub(super) fn try_new(credentials: Credentials, settings: &Settings) -> Result<Self, ExtractError> {
        Ok(Self {
            credentials,
            oauth: Endpoint::try_new("OAuth URL", &settings.oauth_url)?,
            base: Endpoint::try_new("base URL", &settings.base_url)?,
            retries: settings.retries.clone(),
            state: Mutex::new(None),
            flights: AtomicU64::new(0),
        })
    }

    /// Whether the API or the token's issuer is on loopback.
    pub(super) fn is_local(&self) -> bool {
        self.oauth.is_loopback() || self.base.is_loopback()
    }

    /// Whether one server is both the API and the token's issuer.
    pub(super) fn is_one_server(&self) -> bool {
        self.oauth.origin() == self.base.origin()
    }

    /// A token that is not about to expire.
    pub(super) async fn access(&self, client: &Client, counters: &Counters) -> Result<Access, ExtractError> {
        self.obtain(client, counters, 0).await
    }

    /// A token in place of `stale`, which the upstream did not take: `answer` is what it said.
    pub(super) async fn renew(
        &self,
        client: &Client,
        counters: &Counters,
        stale: &Access,
        answer: Answer,
    ) -> Result<Access, ExtractError> {
        if matches!(self.credentials, Credentials::AccessToken { .. }) {
            return Err(ExtractError::Refused { refusal: Refusal::AccessToken, answer: Box::new(answer) });
        }
        self.obtain(client, counters, stale.generation).await
    }

    /// A token younger than generation `stale`. Workers that come while one is being asked for wait and share it, or
    /// share the failure.
    async fn obtain(&self, client: &Client, counters: &Counters, stale: u64) -> Result<Access, ExtractError> {
        let seen = self.flights.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        match &*state {
            Some(Ok(access)) if access.generation > stale && !access.is_due() => return Ok(access.clone()),
            Some(Err(error)) if self.flights.load(Ordering::Acquire) > seen => return Err(error.clone()),
            _ => {}
        }
        let generation = seen.max(self.flights.load(Ordering::Acquire)) + 1;
        let outcome = self.issue(client, counters, generation).await;
        *state = Some(outcome.clone());
        self.flights.store(generation, Ordering::Release);
        outcome
    }

    async fn issue(&self, client: &Client, counters: &Counters, generation: u64) -> Result<Access, ExtractError> {
        match &self.credentials {
            Credentials::AccessToken { token, .. } => {
                let invalid = ExtractError::InvalidSetting { name: "access token", reason: "it holds odd characters" };
                let bearer = bearer(token).ok_or(invalid)?;
                let (token, base) = (token.clone(), self.base.clone());
                Ok(Access { bearer, token, base, generation, renew_at: None })
            }
            Credentials::ServerToServer { account_id, client_id, client_secret } => {
                let form = [("grant_type", "account_credentials"), ("account_id", account_id.as_str())];
                let post = || {
                    counters.token_requests.add();
                    client.post_form(self.oauth.url().clone(), client_id, client_secret, &form)
                };
                self.ask(post, generation).await
            }
        }
    }

    /// Posts until a token comes, it is refused, or the tries or the run's patience are used up.
    async fn ask<F>(&self, post: impl Fn() -> F, generation: u64) -> Result<Access, ExtractError>
    where
        F: Future<Output = Result<Reply, TransportError>>,
    {
        let (mut delays, mut budget) = (retry::delays(&self.retries), WindowBudget::new());
        let mut pause = Pause::new(Instant::now(), &self.retries);
        let mut attempt = 0;
        loop {
            let sent_at = Instant::now();
            let (tracking_id, wait, source) = match post().await {
                Ok(reply) => match self.read(&reply, generation) {
                    Ok(access) => return Ok(access),
                    Err(source) => (reply.tracking_id(), judge(&reply)?, source),
                },
                Err(error) => (error.tracking_id(), Wait::AskAgain { after: None }, cause(error)),
            };
            tracing::warn!(attempt = attempt + 1, tracking_id, cause = %source, ?wait, "no access token yet");
            let last = LastFailure { asked: Asked::AccessToken, tracking_id, source };
            match wait {
                Wait::AskAgain { after } => {
                    attempt += 1;
                    budget.fail(&self.retries, attempt, &last)?;
                    // Before the time that the issuer names, asking is no use.
                    if after.is_some_and(|after| !pause.hold(Instant::now(), after)) {
                        return Err(last.unavailable(attempt, self.retries.tries_per_page));
                    }
                    tokio::time::sleep(delays.next().unwrap_or_default()).await;
                }
                Wait::Pause { after } => {
                    budget.throttle(&self.retries, &last)?;
                    pause.throttle(Instant::now(), sent_at, after).map_err(|stalled| last.throttled(stalled))?;
                }
            }
            tokio::time::sleep_until(pause.until()).await;
        }
    }

    fn read(&self, reply: &Reply, generation: u64) -> Result<Access, Cause> {
        if reply.status != 200 {
            return Err(cause(UnusableAnswer(classify::answer(reply))));
        }
        let issued: Issued = serde_json::from_slice(&reply.body).map_err(|_| cause(NoToken))?;
        let token = Secret::new(issued.access_token);
        let bearer = bearer(&token).ok_or_else(|| cause(NoToken))?;
        let life = Duration::from_secs(issued.expires_in.unwrap_or(USUAL_LIFE_SECONDS).min(LONGEST_LIFE_SECONDS));
        Ok(Access {
            bearer,
            token,
            base: self.base_for(issued.api_url.as_deref()),
            generation,
            renew_at: Some(Instant::now() + life - MARGIN.min(life / 10)),
        })
    }

    /// The regional API, where the upstream names one and the user none.
    fn base_for(&self, api_url: Option<&str>) -> Endpoint {
        let default = self.base.url().as_str() == DEFAULT_BASE_URL;
        let Some(api_url) = api_url.filter(|_| default) else { return self.base.clone() };
        Endpoint::from_api_url(api_url, &self.oauth).unwrap_or_else(|| {
            tracing::warn!("the API address that came with the access token is not the upstream's and is ignored");
            self.base.clone()
        })
    }
}

impl Access {
    fn is_due(&self) -> bool {
        self.renew_at.is_some_and(|at| at <= Instant::now())
    }
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
    expires_in: Option<u64>,
    api_url: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("the answer holds no access token")]
struct NoToken;

#[derive(Debug, thiserror::Error)]
#[error("unusable answer ({0})")]
pub(super) struct UnusableAnswer(pub(super) Answer);

fn bearer(token: &Secret) -> Option<HeaderValue> {
    let usable = !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    let mut value = usable.then(|| HeaderValue::try_from(format!("Bearer {}", token.expose())).ok())??;
    value.set_sensitive(true);
    Some(value)
}

/// What comes before the next try, with the time that the issuer names.
#[derive(Clone, Copy, Debug)]
enum Wait {
    AskAgain { after: Option<Duration> },
    Pause { after: Option<Duration> },
}

/// How to wait before asking again, or why that is no use.
fn judge(reply: &Reply) -> Result<Wait, ExtractError> {
    let answer = || Box::new(classify::answer(reply));
    match classify::access_token(reply) {
        Verdict::Retry { after } => Ok(Wait::AskAgain { after }),
        Verdict::Throttle { after } => Ok(Wait::Pause { after }),
        Verdict::Refuse(refusal) => Err(ExtractError::Refused { refusal, answer: answer() }),
        Verdict::DailyLimit { .. } | Verdict::RenewToken | Verdict::RestartWindow | Verdict::Reject => {
            Err(ExtractError::Rejected { asked: Asked::AccessToken, answer: answer() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountId;

    /// Where the bearer goes that `oauth_url` gave out with `api_url`, when `base_url` is set.
    fn base(base_url: &str, oauth_url: &str, api_url: Option<&str>) -> String {
        let settings =
            Settings { base_url: base_url.to_owned(), oauth_url: oauth_url.to_owned(), ..Settings::default() };
        let credentials = Credentials::AccessToken { account_id: None::<AccountId>, token: Secret::new("token") };
        Authority::try_new(credentials, &settings).unwrap().base_for(api_url).url().to_string()
    }

    #[test]
    fn a_token_goes_to_no_address_that_is_neither_the_upstreams_nor_its_issuers() {
        let issuers = ["https://zoom.us/oauth/token", "http://127.0.0.1:1/oauth/token"];
        let hostile = [
            "http://0.0.0.0:2",
            "http://10.0.0.1",
            "http://169.254.169.254",
            "https://zoom.us.example",
            "https://127.0.0.1.example",
            "https://example.org/zoom.us",
            "http://api.zoom.us",
            "file:///etc",
            "nonsense",
            "",
        ];
        for issuer in issuers {
            for api_url in hostile {
                assert_eq!(base(DEFAULT_BASE_URL, issuer, Some(api_url)), DEFAULT_BASE_URL, "{issuer} {api_url}");
            }
            assert_eq!(base(DEFAULT_BASE_URL, issuer, None), DEFAULT_BASE_URL);
            assert_eq!(base(DEFAULT_BASE_URL, issuer, Some("https://api-eu.zoom.us")), "https://api-eu.zoom.us/v2");
            let set = "https://proxy.example/v2";
            assert_eq!(base(set, issuer, Some("https://api-eu.zoom.us")), set);
        }
        let local = |issuer| base(DEFAULT_BASE_URL, issuer, Some("http://127.0.0.1:2"));
        assert_eq!(issuers.map(local), [DEFAULT_BASE_URL, "http://127.0.0.1:2/v2"]);
    }
}
