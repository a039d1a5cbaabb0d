//! Faults: what can go wrong with an answer, and the plan of when it does.
//!
//! ```text
//! request -> [stands_in] -> account -> [spoil_page] -> PageDraft -> [spoil_reply] -> Reply
//! ```
//!
//! A fault acts at one of these three points; what needs more than the answer (time, tokens, records) is done by the
//! server. To add one: a variant, an arm at its point, a test. Tests that need a fault once use [`Fault::page`].

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzEncoder;

use super::reply::{self, Reply};
use super::{AccountRecord, Endpoint, PageDraft, SeenRequest};

const HTML: &str = "<!DOCTYPE html><html><head><title>Service</title></head><body>Please try again.</body></html>";

/// Something that goes wrong with one answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// Another answer stands in; the request reaches neither rate limits nor account.
    Status {
        /// The status.
        code: u16,
        /// Headers beside the content's type and length.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// Status 200 and a page of HTML.
    Html200,
    /// Status 200 and an error object.
    ErrorObject200,
    /// The answer takes longer.
    Delay(Duration),
    /// The answer never comes.
    Hang,
    /// The connection breaks in the middle of the body.
    ResetMidBody,
    /// The connection breaks before the first byte.
    ResetBeforeAnswer,
    /// The body is whole as HTTP sees it, and half a JSON text.
    TruncatedJson,
    /// The body arrives in so many pieces, with a pause after each.
    Drip {
        /// How many pieces.
        pieces: usize,
        /// The time between two of them.
        pause: Duration,
    },
    /// So many bytes of white space come before the body.
    Padded(usize),
    /// The body is compressed, and the headers say so.
    Gzip,
    /// The headers call the body something else.
    ContentType(String),
    /// `operation_logs` is `null`.
    NullLogs,
    /// The page holds a byte that is not valid UTF-8, in its first record's last string.
    InvalidUtf8,
    /// The page holds the records of the page before it, once more.
    DuplicatePage,
    /// The page has no records and a token that leads on; none is lost.
    EmptyPageWithToken,
    /// The page has at most so many records, whatever `page_size` asks for; none is lost.
    ShortPage(u32),
    /// The next token is the one the page was asked for with. Does nothing to a first page.
    RepeatToken,
    /// The last page has a token too: it leads to a page with neither records nor token.
    TokenAtEnd,
    /// The page lacks its last record.
    DropRecord,
    /// `total_records` is off by so many.
    WrongTotal(i64),
    /// The page token of the request is dead. Does nothing to a first page.
    ExpireToken,
    /// All access tokens are revoked when the request comes in.
    RevokeAccess,
    /// Records arrive just before the request.
    Arrive(Vec<AccountRecord>),
    /// Anything else that can be done to a page (see [`Fault::page`]).
    Page(PageEdit),
}

impl Fault {
    /// An answer of `code` with `body`.
    pub fn status(code: u16, body: impl Into<String>) -> Self {
        Self::Status { code, headers: Vec::new(), body: body.into() }
    }

    /// An answer of `code` with one header and `body`.
    pub fn status_with_header(code: u16, name: &str, value: &str, body: impl Into<String>) -> Self {
        Self::Status { code, headers: vec![(name.to_owned(), value.to_owned())], body: body.into() }
    }

    /// Does `edit` to the page.
    pub fn page(edit: impl Fn(&mut PageDraft) + Send + Sync + 'static) -> Self {
        Self::Page(PageEdit(Arc::new(edit)))
    }

    /// The answer that is given instead of asking the account.
    pub(super) fn stands_in(&self) -> Option<Reply> {
        match self {
            Self::Status { code, headers, body } => {
                let reply = Reply::json(*code, body.clone());
                Some(headers.iter().fold(reply, |reply, (name, value)| reply.with_header(name, value)))
            }
            Self::Html200 => Some(Reply::new(200, "text/html;charset=UTF-8", HTML)),
            Self::ErrorObject200 => Some(reply::error(200, 300, "Validation Failed.")),
            _ => None,
        }
    }

    /// The most records that the page may have.
    pub(super) fn row_limit(&self) -> Option<u32> {
        match self {
            Self::EmptyPageWithToken => Some(0),
            Self::ShortPage(rows) => Some(*rows),
            _ => None,
        }
    }

    pub(super) fn spoil_page(&self, page: &mut PageDraft) {
        match self {
            Self::NullLogs => page.operation_logs = None,
            Self::InvalidUtf8 => {
                if let Some(record) = page.operation_logs.iter_mut().flatten().next() {
                    *record = with_invalid_byte(record);
                }
            }
            Self::RepeatToken if page.requested_token.is_some() => {
                page.next_page_token.clone_from(&page.requested_token);
            }
            Self::DropRecord => drop(page.operation_logs.as_mut().and_then(Vec::pop)),
            Self::WrongTotal(off) => {
                page.total_records = page.total_records.map(|total| total.saturating_add_signed(*off));
            }
            Self::Page(PageEdit(edit)) => edit(page),
            _ => {}
        }
    }

    pub(super) fn spoil_reply(&self, reply: Reply) -> Reply {
        match self {
            Self::ResetMidBody => reply.broken_midway(),
            Self::ResetBeforeAnswer => reply.broken_after(0),
            Self::TruncatedJson => reply.map_body(|body| body.slice(..body.len() / 2)),
            Self::Drip { pieces, pause } => reply.dripping(*pieces, *pause),
            Self::Padded(bytes) => reply.map_body(|body| [&b" ".repeat(*bytes)[..], &body].concat().into()),
            Self::Gzip => reply.map_body(gzip).with_header("content-encoding", "gzip"),
            Self::ContentType(content_type) => reply.of_type(content_type),
            _ => reply,
        }
    }
}

/// A closure that changes a page.
#[derive(Clone)]
pub struct PageEdit(Arc<dyn Fn(&mut PageDraft) + Send + Sync>);

impl fmt::Debug for PageEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageEdit")
    }
}

fn gzip(body: Bytes) -> Bytes {
    let mut compressed = Vec::new();
    // Reading from memory cannot fail.
    let _ = GzEncoder::new(&body[..], Compression::fast()).read_to_end(&mut compressed);
    compressed.into()
}

fn with_invalid_byte(record: &Bytes) -> Bytes {
    let at = record.iter().rposition(|byte| *byte == b'"').unwrap_or(record.len());
    [&record[..at], b"\xff", &record[at..]].concat().into()
}

/// Which faults strike which requests. Several may strike one; they act in the order in which they were planned.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    rules: Vec<Rule>,
}

#[derive(Clone)]
struct Rule {
    when: Arc<dyn Fn(&SeenRequest) -> bool + Send + Sync>,
    left: u64,
    fault: Fault,
}

impl FaultPlan {
    /// No faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// `fault` strikes the `number`th request for the report, counted from 1.
    #[must_use]
    pub fn on_report(self, number: u64, fault: Fault) -> Self {
        self.when(1, move |request| request.endpoint == Endpoint::Report && request.number == number, fault)
    }

    /// `fault` strikes the `number`th request for an access token, counted from 1. Faults of pages do nothing there.
    #[must_use]
    pub fn on_token(self, number: u64, fault: Fault) -> Self {
        self.when(1, move |request| request.endpoint == Endpoint::Token && request.number == number, fault)
    }

    /// `fault` strikes the next `times` requests for `endpoint`.
    #[must_use]
    pub fn on_next(self, endpoint: Endpoint, times: u64, fault: Fault) -> Self {
        self.when(times, move |request| request.endpoint == endpoint, fault)
    }

    /// `fault` strikes the first `times` requests for which `when` holds.
    #[must_use]
    pub fn when(
        mut self,
        times: u64,
        when: impl Fn(&SeenRequest) -> bool + Send + Sync + 'static,
        fault: Fault,
    ) -> Self {
        self.rules.push(Rule { when: Arc::new(when), left: times, fault });
        self
    }

    /// Forgets the faults that have not struck yet.
    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Plans the faults of `other` too.
    pub(super) fn extend(&mut self, other: Self) {
        self.rules.extend(other.rules);
    }

    /// The faults that strike `request`.
    pub(super) fn strike(&mut self, request: &SeenRequest) -> Vec<Fault> {
        let mut struck = Vec::new();
        for rule in &mut self.rules {
            if rule.left > 0 && (rule.when)(request) {
                rule.left -= 1;
                struck.push(rule.fault.clone());
            }
        }
        struck
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("left", &self.left).field("fault", &self.fault).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(endpoint: Endpoint, number: u64) -> SeenRequest {
        SeenRequest { endpoint, number, parameters: vec![("from".to_owned(), "2022-02-01".to_owned())] }
    }

    #[test]
    fn a_fault_strikes_the_request_it_is_planned_for_and_no_other() {
        let mut plan = FaultPlan::new().on_report(2, Fault::NullLogs).on_token(1, Fault::Html200);
        let mut struck = |endpoint, number| plan.strike(&request(endpoint, number)).len();
        assert_eq!(struck(Endpoint::Report, 1), 0);
        assert_eq!(struck(Endpoint::Report, 2), 1);
        assert_eq!(struck(Endpoint::Token, 1), 1);
        assert_eq!(struck(Endpoint::Token, 2), 0);
    }

    #[test]
    fn a_predicate_strikes_so_many_times() {
        let of_first = |request: &SeenRequest| request.parameter("from") == Some("2022-02-01");
        let mut plan = FaultPlan::new().when(2, of_first, Fault::TruncatedJson);
        let struck: Vec<usize> = (1..=3).map(|number| plan.strike(&request(Endpoint::Report, number)).len()).collect();
        assert_eq!(struck, [1, 1, 0]);
    }

    #[test]
    fn an_invalid_byte_lands_inside_a_string() {
        assert_eq!(with_invalid_byte(&Bytes::from_static(b"{\"a\":\"b\"}")), &b"{\"a\":\"b\xff\"}"[..]);
    }
}
