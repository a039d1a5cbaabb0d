//! What an answer means: the one place that decides whether to ask again, and how.
//!
//! The rule: the application's `code` is a hint only (124 stands for an expired token and for an unknown account
//! alike); the HTTP status and the text of the message decide.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::client::Reply;
use super::error::{Answer, Refusal};
use super::quota::DailyUse;
use super::{quota, retry_after};

/// A `Retry-After` beyond this speaks of the daily limit: those of the limit per second are seconds.
const FAR_AWAY: Duration = Duration::from_secs(300);
/// A daily limit that is said to last longer than this is taken to end at midnight.
const LONGEST_DAY: TimeDelta = TimeDelta::hours(48);
/// A limit of at least this many requests is one per day.
const LEAST_DAILY_LIMIT: u32 = 1000;
const LONGEST_MESSAGE: usize = 200;
/// How much of a body that is no JSON object is searched for words.
const SEARCHED_BYTES: usize = 4096;

/// What to do about an answer that is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ask again, not before then.
    Retry { after: Option<Duration> },
    /// Ask again, and let everybody ask less.
    Throttle { after: Option<Duration> },
    /// Ask nothing more today.
    DailyLimit { resume_at: DateTime<Utc> },
    /// Ask again with a new access token.
    RenewToken,
    /// Ask for the window from its first page.
    RestartWindow,
    /// Asking again is no use: something must be set right first.
    Refuse(Refusal),
    /// Asking again is no use: the request is at fault.
    Reject,
}

/// Judges an answer to a request for a page. One with status 200 is judged only when it holds no page.
pub(super) fn page(reply: &Reply) -> Verdict {
    let complaint = Complaint::of(reply);
    match reply.status.as_u16() {
        // An answer that contradicts itself may be a passing one, so it takes more to end the asking.
        200 => match complaint.implied_status().map(|status| by_status(status, reply, &complaint)) {
            Some(Verdict::Reject) | None => Verdict::Retry { after: None },
            Some(verdict) => verdict,
        },
        status => by_status(status, reply, &complaint),
    }
}

fn by_status(status: u16, reply: &Reply, complaint: &Complaint) -> Verdict {
    match status {
        429 => too_many(reply, complaint),
        200..=299 | 408 | 425 | 500..=599 => Verdict::Retry { after: wait(reply) },
        400..=499 => match complaint.client_error(status) {
            // What it finds fault with may have been lost on the way.
            Verdict::Reject if complaint.code.is_none() && complaint.message.is_none() => {
                Verdict::Retry { after: wait(reply) }
            }
            verdict => verdict,
        },
        _ => Verdict::Reject,
    }
}

/// Judges an answer to a request for an access token that gives none.
pub(super) fn access_token(reply: &Reply) -> Verdict {
    let complaint = Complaint::of(reply);
    match reply.status.as_u16() {
        429 => Verdict::Throttle { after: wait(reply) },
        200..=299 | 408 | 425 | 500..=599 => Verdict::Retry { after: wait(reply) },
        400..=499 => complaint.no_access_token(),
        _ => Verdict::Reject,
    }
}

/// Whether a body with an empty list of records is an error in the guise of a page.
pub(super) fn is_complaint(reply: &Reply) -> bool {
    Complaint::of(reply).code.is_some_and(|code| code != 0 && code != 200)
}

/// What to report of an answer: never its body.
pub(super) fn answer(reply: &Reply) -> Answer {
    let complaint = Complaint::of(reply);
    Answer {
        status: reply.status.as_u16(),
        code: complaint.code,
        message: complaint
            .message
            .map(|message| printable(&reply.sent.iter().fold(message, |message, secret| secret.redact(&message)))),
        tracking_id: reply.tracking_id(),
    }
}

/// What the account's daily limit is and how much of it is used, where the answer says so.
pub(super) fn used_today(reply: &Reply) -> Option<DailyUse> {
    let number = |name| reply.header(name)?.trim().parse::<u32>().ok();
    let limit = number("x-ratelimit-limit")?;
    let remaining = number("x-ratelimit-remaining")?;
    let daily = match reply.header("x-ratelimit-type") {
        Some(kind) => kind.to_ascii_lowercase().contains("daily"),
        None => limit >= LEAST_DAILY_LIMIT,
    };
    daily.then(|| DailyUse { limit, used: limit.saturating_sub(remaining) })
}

fn too_many(reply: &Reply, complaint: &Complaint) -> Verdict {
    let kind = reply.header("x-ratelimit-type").unwrap_or_default().to_ascii_lowercase();
    let after = wait(reply);
    let far_away = after.is_some_and(|after| after > FAR_AWAY);
    let daily = kind.contains("daily") || (!kind.contains("qps") && (far_away || complaint.says("daily rate limit")));
    if !daily {
        return Verdict::Throttle { after };
    }

    let now = reply.received_at;
    let named = retry_at(reply).filter(|at| *at > now && *at <= now + LONGEST_DAY);
    Verdict::DailyLimit { resume_at: named.unwrap_or_else(|| quota::next_midnight(now.date_naive())) }
}

fn retry_at(reply: &Reply) -> Option<DateTime<Utc>> {
    retry_after::parse(reply.header("retry-after")?, reply.received_at)
}

fn wait(reply: &Reply) -> Option<Duration> {
    (retry_at(reply)? - reply.received_at).to_std().ok()
}

fn printable(message: &str) -> String {
    let clean: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_MESSAGE).collect();
    clean.trim().to_owned()
}

/// What an answer says is wrong, in any of the upstream's three shapes.
struct Complaint {
    code: Option<i64>,
    message: Option<String>,
    /// What is searched for words: lower case.
    text: String,
}

#[derive(Deserialize)]
struct RawComplaint {
    #[serde(alias = "errorCode")]
    code: Option<Value>,
    #[serde(alias = "errorMessage", alias = "reason")]
    message: Option<Value>,
    error: Option<Value>,
}

impl Complaint {
    fn of(reply: &Reply) -> Self {
        match serde_json::from_slice::<RawComplaint>(&reply.body) {
            Ok(raw) => {
                let code = raw.code.and_then(|code| code.as_i64().or_else(|| code.as_str()?.trim().parse().ok()));
                let texts = [raw.message, raw.error].map(|text| text.and_then(|text| text.as_str().map(str::to_owned)));
                let text = texts.iter().flatten().map(|text| text.to_lowercase()).collect::<Vec<_>>().join("\n");
                let [message, error] = texts;
                Self { code, message: message.or(error), text }
            }
            Err(_) => {
                let head = &reply.body[..reply.body.len().min(SEARCHED_BYTES)];
                Self { code: None, message: None, text: String::from_utf8_lossy(head).to_lowercase() }
            }
        }
    }

    fn says(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// The status that an error with status 200 should have had, or `None` for one that nothing is known of.
    fn implied_status(&self) -> Option<u16> {
        self.message.as_ref()?;
        if self.says("next page token") {
            return Some(400);
        }
        if self.says("access token") {
            return Some(401);
        }
        match self.code? {
            124 => Some(401),
            200 | 300 => Some(400),
            2001 => Some(404),
            4700 | 4711 => Some(403),
            code @ 400..=599 => u16::try_from(code).ok(),
            _ => None,
        }
    }

    fn client_error(&self, status: u16) -> Verdict {
        if self.says("next page token") {
            return Verdict::RestartWindow;
        }
        if let Some(refusal) = self.refusal() {
            return Verdict::Refuse(refusal);
        }
        match status {
            401 => Verdict::RenewToken,
            _ if self.says("access token") => Verdict::RenewToken,
            403 => Verdict::Refuse(Refusal::Permission),
            404 => Verdict::Refuse(Refusal::Address),
            _ => Verdict::Reject,
        }
    }

    /// What is refused, whatever the status, where the words (or an unambiguous code) leave no doubt.
    fn refusal(&self) -> Option<Refusal> {
        if matches!(self.code, Some(4700 | 4711)) || self.says("does not contain scope") {
            return Some(Refusal::Scopes);
        }
        if self.code == Some(2001) || self.says("account does not exist") {
            return Some(Refusal::NoSuchAccount);
        }
        let words = [
            ("not been enabled", Refusal::PhoneNotEnabled),
            ("paid account", Refusal::Plan),
            ("only available for", Refusal::Plan),
            ("invalid api key", Refusal::Credentials),
            ("permission", Refusal::Permission),
            ("not permitted", Refusal::Permission),
            ("not authorized", Refusal::Permission),
        ];
        words.into_iter().find_map(|(words, refusal)| self.says(words).then_some(refusal))
    }

    fn no_access_token(&self) -> Verdict {
        if self.says("invalid_client") || self.says("client_id") || self.says("client_secret") {
            return Verdict::Refuse(Refusal::Credentials);
        }
        if self.says("account does not exist") {
            return Verdict::Refuse(Refusal::NoSuchAccount);
        }
        // `invalid_request` with no more than "Bad Request" is the answer to a wrong account id and to an app that is
        // not activated.
        Verdict::Refuse(Refusal::App)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderName};
    use test_case::test_case;

    use super::super::credentials::Secret;
    use super::*;

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: map,
            body: Bytes::copy_from_slice(body.as_bytes()),
            received_at: "2025-08-22T10:00:00Z".parse().unwrap(),
            sent: vec![Secret::new("aHVzaA=="), Secret::new("hush")],
        }
    }

    const RETRY: Verdict = Verdict::Retry { after: None };

    #[test_case(401, r#"{"code":124,"message":"Access token is expired."}"#, Verdict::RenewToken)]
    #[test_case(400, r#"{"code":124,"message":"Invalid access token."}"#, Verdict::RenewToken)]
    #[test_case(401, "", Verdict::RenewToken)]
    #[test_case(404, r#"{"code":124,"message":"Account does not exist: x."}"#, Verdict::Refuse(Refusal::NoSuchAccount))]
    #[test_case(401, r#"{"code":124,"message":"Account does not exist: x."}"#, Verdict::Refuse(Refusal::NoSuchAccount))]
    #[test_case(400, r#"{"code":2001,"message":"x"}"#, Verdict::Refuse(Refusal::NoSuchAccount))]
    #[test_case(
        401,
        r#"{"code":124,"message":"You do not have permission, because"}"#,
        Verdict::Refuse(Refusal::Permission)
    )]
    #[test_case(
        400,
        r#"{"code":4711,"message":"Invalid access token, does not contain scopes:[a]."}"#,
        Verdict::Refuse(Refusal::Scopes)
    )]
    #[test_case(
        403,
        r#"{"message":"Zoom Phone has not been enabled for this account"}"#,
        Verdict::Refuse(Refusal::PhoneNotEnabled)
    )]
    #[test_case(400, r#"{"code":200,"message":"Only available for Paid account: x."}"#, Verdict::Refuse(Refusal::Plan))]
    #[test_case(403, "<html>", Verdict::Refuse(Refusal::Permission))]
    #[test_case(404, "", Verdict::Refuse(Refusal::Address))]
    #[test_case(400, r#"{"code":400,"message":"The next page token is invalid or expired."}"#, Verdict::RestartWindow)]
    #[test_case(400, r#"{"code":1001,"message":"The Next Page Token is either invalid"}"#, Verdict::RestartWindow)]
    #[test_case(400, "The next page token is invalid or expired.\r\nAsk again.", Verdict::RestartWindow)]
    #[test_case(400, r#"{"code":300,"message":"Validation Failed."}"#, Verdict::Reject)]
    #[test_case(400, r#"{"code":400,"mess"#, Verdict::Retry { after: None })]
    #[test_case(302, "", Verdict::Reject)]
    #[test_case(500, "", RETRY)]
    #[test_case(503, "<html>next page token</html>", RETRY)]
    #[test_case(204, "", RETRY)]
    #[test_case(200, "<html>please sign in: access token</html>", RETRY)]
    #[test_case(200, r#"{"operation_logs":null}"#, RETRY)]
    #[test_case(200, r#"{"code":1,"message":"hm"}"#, RETRY)]
    #[test_case(200, r#"{"code":500,"message":"Internal"}"#, RETRY)]
    #[test_case(200, r#"{"code":300,"message":"Validation Failed."}"#, RETRY)]
    #[test_case(200, r#"{"code":124,"message":"Invalid access token."}"#, Verdict::RenewToken)]
    #[test_case(200, r#"{"code":300,"message":"The next page token is invalid or expired."}"#, Verdict::RestartWindow)]
    #[test_case(200, r#"{"code":429,"message":"Too many"}"#, Verdict::Throttle { after: None })]
    #[test_case(200, r#"{"status":false,"errorCode":"4711","errorMessage":"no"}"#, Verdict::Refuse(Refusal::Scopes))]
    fn an_answer_is_judged_by_status_and_text(status: u16, body: &str, verdict: Verdict) {
        assert_eq!(page(&reply(status, &[], body)), verdict);
    }

    #[test_case(&[("X-RateLimit-Type", "QPS")], "per-second", Verdict::Throttle { after: None })]
    #[test_case(&[("retry-after", "2")], "", Verdict::Throttle { after: Some(Duration::from_secs(2)) })]
    #[test_case(&[("X-RateLimit-Type", "QPS"), ("retry-after", "600")], "", Verdict::Throttle { after: Some(Duration::from_secs(600)) })]
    #[test_case(&[("X-RateLimit-Type", "Daily-limit"), ("retry-after", "2025-08-22T12:00:00Z")], "", daily("2025-08-22T12:00:00Z"))]
    #[test_case(&[("X-RateLimit-Type", "Daily-limit")], "", daily("2025-08-23T00:00:00Z"))]
    #[test_case(&[("X-RateLimit-Type", "Daily-limit"), ("retry-after", "2099-01-01T00:00:00Z")], "", daily("2025-08-23T00:00:00Z"))]
    #[test_case(&[("retry-after", "Fri, 22 Aug 2025 11:00:00 GMT")], "", daily("2025-08-22T11:00:00Z"))]
    #[test_case(&[], "You have reached the maximum daily rate limit for this API.", daily("2025-08-23T00:00:00Z"))]
    fn too_many_requests_per_second_and_per_day_are_told_apart(
        headers: &[(&str, &str)],
        message: &str,
        verdict: Verdict,
    ) {
        let body = format!(r#"{{"code":429,"message":"{message}"}}"#);
        assert_eq!(page(&reply(429, headers, &body)), verdict);
    }

    fn daily(at: &str) -> Verdict {
        Verdict::DailyLimit { resume_at: at.parse().unwrap() }
    }

    #[test_case(
        400,
        r#"{"reason":"Invalid client_id or client_secret","error":"invalid_client"}"#,
        Refusal::Credentials
    )]
    #[test_case(401, r#"{"reason":"Bad client","error":"invalid_client"}"#, Refusal::Credentials)]
    #[test_case(400, r#"{"reason":"Bad Request","error":"invalid_request"}"#, Refusal::App)]
    #[test_case(400, r#"{"reason":"Account does not exist","error":"invalid_request"}"#, Refusal::NoSuchAccount)]
    fn a_refused_access_token_names_what_is_wrong(status: u16, body: &str, refusal: Refusal) {
        assert_eq!(access_token(&reply(status, &[], body)), Verdict::Refuse(refusal));
        assert_eq!(access_token(&reply(500, &[], body)), RETRY);
    }

    #[test]
    fn an_answer_is_reported_without_control_characters_and_echoed_secrets() {
        let shown =
            answer(&reply(400, &[("x-zm-trackingid", "v=2")], "{\"code\":1,\"message\":\"a\\r\\nhush aHVzaA==\"}"));
        assert_eq!(shown.to_string(), "HTTP 400, code 1, `a  *** ***`, tracking id v=2");
    }

    #[test]
    fn the_use_of_the_daily_limit_is_read_from_headers() {
        let used = |headers: &[(&str, &str)]| used_today(&reply(200, headers, ""));
        let heavy = [("x-ratelimit-limit", "30000"), ("x-ratelimit-remaining", "29000")];
        assert_eq!(used(&heavy), Some(DailyUse { limit: 30_000, used: 1000 }));
        assert_eq!(used(&[heavy[0], heavy[1], ("x-ratelimit-type", "QPS")]), None);
        assert_eq!(used(&[("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "9")]), None);
        assert_eq!(used(&[]), None);
    }
}
