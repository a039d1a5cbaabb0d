//! Pages as received, in packs: NDJSON, a page a line, zstd.
//!
//! The rule: a page's body comes back byte for byte, under the digest that was taken when it arrived.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Write};

use bytes::Bytes;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use data_encoding::{BASE64, HEXLOWER};
use memchr::memmem;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{LoadError, escaped};
use crate::model::{AccountId, Page, REPORT, RawPack, Scope, Window};

/// Where the packs lie below the destination.
pub(super) const RAW_DIRECTORY: &str = "raw";

/// What a pack's name ends in.
pub(super) const PACK_SUFFIX: &str = ".ndjson.zst";

/// zstd level: pages repeat themselves so much that higher levels gain little.
const LEVEL: i32 = 3;

/// What a line's body begins with, which ends with the line.
const BODY: &str = ",\"body\":\"";

/// Bytes that are unpacked at once: a page, as a rule.
const READ_BYTES: usize = 128 * 1024;

/// One line of a pack, format 1. Frozen: a field may be added, none may change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArchivedPage<'a> {
    /// The format: 1.
    pub format: u32,
    /// The account it was asked of.
    pub account_id: Cow<'a, str>,
    /// The report.
    pub report: Cow<'a, str>,
    /// First day asked for.
    pub from: NaiveDate,
    /// Last day asked for.
    pub to: NaiveDate,
    /// Categories asked for.
    pub scope: Scope,
    /// Place in the window, from 0.
    pub number: u32,
    /// Path and query of the request.
    pub request: Cow<'a, str>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// HTTP status.
    pub status: u16,
    /// The upstream's request id.
    pub tracking_id: Option<Cow<'a, str>>,
    /// SHA-256 of the body, hex.
    pub sha256: Cow<'a, str>,
    /// The body, where it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Cow<'a, str>>,
    /// The body in base64, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<Cow<'a, str>>,
}

/// Packs pages of one account that were asked for in windows beginning in one month. Gives the pack and its bytes.
pub fn pack(account: &AccountId, month: NaiveDate, name: &str, pages: &[Page]) -> Result<(RawPack, Bytes), LoadError> {
    let path = format!("{RAW_DIRECTORY}/year={}/month={}/{name}{PACK_SUFFIX}", month.year(), month.month());
    let written = || -> std::io::Result<Vec<u8>> {
        let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
        encoder.include_checksum(true)?;
        for page in pages {
            let body = page.body.bytes();
            serde_json::to_writer(&mut encoder, &ArchivedPage::new(account, page, &body))?;
            encoder.write_all(b"\n")?;
        }
        encoder.finish()
    };
    let bytes = written().map_err(|source| LoadError::Pack { action: "write", path: path.clone(), source })?;
    let pack = RawPack {
        path,
        page_count: pages.len() as u64,
        byte_count: bytes.len() as u64,
        sha256: HEXLOWER.encode(&Sha256::digest(&bytes)),
    };
    Ok((pack, bytes.into()))
}

/// The pages of a pack, in order, each with the account it was asked of.
pub(super) fn pages(path: &str, bytes: &[u8]) -> Result<Vec<(AccountId, Page)>, LoadError> {
    let read = || -> std::io::Result<Vec<(AccountId, Page)>> {
        let mut text = BufReader::with_capacity(READ_BYTES, zstd::Decoder::new(bytes)?);
        let (mut pages, mut line) = (Vec::new(), String::new());
        while text.read_line(&mut line)? > 0 {
            pages.push(ArchivedPage::parse(&line)?.into_page()?);
            line.clear();
        }
        Ok(pages)
    };
    read().map_err(|source| LoadError::Pack { action: "read", path: path.to_owned(), source })
}

/// Whether `path` is the name of a pack, published or staged.
pub(super) fn is_pack(path: &str) -> bool {
    path.starts_with(RAW_DIRECTORY) && path.contains(PACK_SUFFIX)
}

impl<'a> ArchivedPage<'a> {
    fn parse(line: &'a str) -> serde_json::Result<Self> {
        Self::parted(line).map_or_else(|| serde_json::from_str(line), Ok)
    }

    /// Reads a line as [`pack`] writes it: all but the body as JSON, and the body, which is nearly all of it, faster than
    /// that. It is told by its digest whether that is the body.
    fn parted(line: &'a str) -> Option<Self> {
        let line = line.trim_end();
        // Within a text of JSON, the quotes would be escaped.
        let start = memmem::find(line.as_bytes(), BODY.as_bytes())?;
        let body = escaped::text(line[start + BODY.len()..].strip_suffix("\"}")?)?;
        let others: Self = serde_json::from_str(&format!("{}}}", &line[..start])).ok()?;
        Some(Self { body: Some(body.into()), ..others })
    }

    fn new(account: &'a AccountId, page: &'a Page, body: &'a [u8]) -> Self {
        let text = std::str::from_utf8(body).ok();
        Self {
            format: 1,
            account_id: account.as_str().into(),
            report: REPORT.into(),
            from: page.window.from(),
            to: page.window.to(),
            scope: page.window.scope().clone(),
            number: page.number,
            request: page.request.as_str().into(),
            received_at: page.received_at,
            status: page.status,
            tracking_id: page.tracking_id.as_deref().map(Cow::Borrowed),
            sha256: HEXLOWER.encode(&Sha256::digest(body)).into(),
            body: text.map(Cow::Borrowed),
            body_base64: text.is_none().then(|| BASE64.encode(body).into()),
        }
    }

    fn into_page(self) -> std::io::Result<(AccountId, Page)> {
        let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
        let body = match (self.body, self.body_base64) {
            (Some(text), _) => Bytes::from(text.into_owned()),
            (None, Some(text)) => {
                Bytes::from(BASE64.decode(text.as_bytes()).map_err(|_| invalid("a body is not base64"))?)
            }
            (None, None) => return Err(invalid("a page has no body")),
        };
        if HEXLOWER.encode(&Sha256::digest(&body)) != self.sha256 {
            return Err(invalid("a body does not match its SHA-256"));
        }
        let window =
            Window::try_new(self.from, self.to, self.scope).map_err(|_| invalid("a page has no valid window"))?;
        let page = Page {
            window,
            number: self.number,
            request: self.request.into_owned(),
            received_at: self.received_at,
            status: self.status,
            tracking_id: self.tracking_id.map(Cow::into_owned),
            body: body.into(),
        };
        Ok((AccountId::new(self.account_id.as_ref()), page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u32, body: &'static [u8]) -> Page {
        let day = "2022-02-01".parse().unwrap();
        Page {
            window: Window::try_new(day, day, Scope::All).unwrap(),
            number,
            request: "/v2/phone/reports/operationlogs?from=2022-02-01".to_owned(),
            received_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            status: 200,
            tracking_id: Some("v=2.0;rid=1".to_owned()),
            body: Bytes::from_static(body).into(),
        }
    }

    #[test]
    fn pages_come_back_byte_for_byte() {
        let bodies: [&[u8]; 3] =
            [b"{\"operation_logs\" :\r\n [ ] }", b"\xff\x00{}", "{\"a\":\"\u{1F980}\"}".as_bytes()];
        let pages: Vec<Page> = bodies.iter().zip(0..).map(|(body, number)| page(number, body)).collect();
        let month = "2022-02-01".parse().unwrap();
        let (pack, bytes) = pack(&AccountId::new("a"), month, "x", &pages).unwrap();
        assert_eq!(pack.path, "raw/year=2022/month=2/x.ndjson.zst");
        assert_eq!((pack.page_count, pack.byte_count), (3, bytes.len() as u64));

        let back = super::pages(&pack.path, &bytes).unwrap();
        for (before, (account, after)) in pages.iter().zip(&back) {
            assert_eq!(account.as_str(), "a");
            assert_eq!((before.number, &before.window), (after.number, &after.window));
            assert_eq!(before.body.bytes(), after.body.bytes());
            assert_eq!((before.received_at, &before.request), (after.received_at, &after.request));
        }
    }

    #[test]
    fn a_damaged_pack_is_refused_by_name() {
        let month = "2022-02-01".parse().unwrap();
        let (_, bytes) = pack(&AccountId::new("a"), month, "x", &[page(0, b"{}")]).unwrap();
        let mut damaged = bytes.to_vec();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        let error = super::pages("raw/x.ndjson.zst", &damaged).unwrap_err();
        assert!(error.to_string().contains("raw/x.ndjson.zst"), "{error}");
    }
}
