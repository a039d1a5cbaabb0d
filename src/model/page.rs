//! A response page exactly as received, and what its envelope says.
//!
//! The rule: the body's bytes are never changed; whatever is read out of them is read from a view.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Body, Window};

/// One response page, as received.
#[derive(Clone)]
pub struct Page {
    /// The window it was asked for, without a last day that had not begun where the upstream is.
    pub window: Window,
    /// Its place in the window, from 0.
    pub number: u32,
    /// Path and query of the request, without the host.
    pub request: String,
    /// When its last byte arrived.
    pub received_at: DateTime<Utc>,
    /// HTTP status.
    pub status: u16,
    /// The upstream's request id (`x-zm-trackingid`), to quote to its support.
    pub tracking_id: Option<String>,
    /// The body, byte for byte (after HTTP content decoding).
    pub body: Body,
}

impl Page {
    /// The body as text in which every byte is still told apart: a byte that is not valid UTF-8 becomes the JSON escape
    /// of a lone low surrogate, `\udc80` to `\udcff` (as in Python's `surrogateescape`, PEP 383). Inside a JSON string,
    /// the only place where such bytes can stand, that reads as a character which no valid text holds.
    pub fn text(&self) -> Cow<'_, str> {
        match self.body.bytes() {
            Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => Cow::Owned(surrogate_escaped(bytes)),
            },
            Cow::Owned(bytes) => {
                Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| surrogate_escaped(error.as_bytes())))
            }
        }
    }
}

/// Counts, never contents: pages hold personal data.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("window", &self.window)
            .field("number", &self.number)
            .field("status", &self.status)
            .field("tracking_id", &self.tracking_id)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

fn surrogate_escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\udc{byte:02x}"));
        }
    }
    text
}

/// What a page says about itself, and its records still as JSON text.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The token of the next page; `None` on the last one (empty, null or missing).
    pub next_page_token: Option<Cow<'a, str>>,
    /// How many records the whole window has, where the upstream says so.
    pub total_records: Option<u64>,
    /// The echoed first day.
    pub from: Option<Cow<'a, str>>,
    /// The echoed last day.
    pub to: Option<Cow<'a, str>>,
    /// One JSON text per record.
    pub operation_logs: Vec<&'a RawValue>,
}

/// A body that is not a page of the report.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// It is not a JSON object at all, or not of the page's shape.
    #[error("the body is not a page of the operation log")]
    Malformed(#[source] serde_json::Error),
    /// It is a JSON object without a list of records: an error in the guise of a page. Taking it for an empty page would
    /// lose the rest of the window in silence.
    #[error("the body has no list `operation_logs`")]
    NoRecords,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope of `text` (see [`Page::text`]).
    pub fn parse(text: &'a str) -> Result<Self, PageError> {
        let raw: RawEnvelope<'a> = serde_json::from_str(text).map_err(PageError::Malformed)?;
        Ok(Self {
            next_page_token: raw.next_page_token.filter(|token| !token.is_empty()),
            total_records: raw.total_records,
            from: raw.from,
            to: raw.to,
            operation_logs: raw.operation_logs.ok_or(PageError::NoRecords)?,
        })
    }
}

#[derive(Deserialize)]
struct RawEnvelope<'a> {
    #[serde(borrow, default)]
    next_page_token: Option<Cow<'a, str>>,
    #[serde(default)]
    total_records: Option<u64>,
    #[serde(borrow, default)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    operation_logs: Option<Vec<&'a RawValue>>,
}

/// A window read to its end: every page, and what the upstream said there would be.
#[derive(Clone, Debug)]
pub struct WindowRead {
    /// What was asked, without a last day that had not begun where the upstream is.
    pub window: Window,
    /// All pages, in order.
    pub pages: Vec<Page>,
    /// `total_records`, where given.
    pub reported: Option<u64>,
    /// Records on the pages.
    pub received: u64,
    /// How many times the window was read until it was stable.
    pub reads: u32,
    /// When the first request of the read that counts was sent: what happened later may be missing.
    pub started_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &'static [u8]) -> Page {
        let day = "2022-02-01".parse().unwrap();
        Page {
            window: Window::try_new(day, day, super::super::Scope::All).unwrap(),
            number: 0,
            request: String::new(),
            received_at: DateTime::UNIX_EPOCH,
            status: 200,
            tracking_id: None,
            body: bytes::Bytes::from_static(body).into(),
        }
    }

    #[test]
    fn the_end_is_an_empty_null_or_missing_token() {
        for end in [r#""next_page_token":"","#, r#""next_page_token":null,"#, ""] {
            let text = format!(r#"{{{end}"operation_logs":[{{"a":1}}]}}"#);
            let envelope = Envelope::parse(&text).unwrap();
            assert_eq!((envelope.next_page_token, envelope.operation_logs.len()), (None, 1));
        }
    }

    #[test]
    fn an_object_without_records_is_not_an_empty_page() {
        for text in [r#"{"code":300,"message":"x"}"#, r#"{"operation_logs":null}"#] {
            assert!(matches!(Envelope::parse(text), Err(PageError::NoRecords)));
        }
        assert!(matches!(Envelope::parse("<html>"), Err(PageError::Malformed(_))));
    }

    #[test]
    fn invalid_bytes_stay_apart() {
        let page = page(b"{\"operation_logs\":[{\"action\":\"\xff\xc3\x28\"}]}");
        let text = page.text();
        let envelope = Envelope::parse(&text).unwrap();
        assert_eq!(envelope.operation_logs[0].get(), r#"{"action":"\udcff\udcc3("}"#);
    }
}
