//! A page of the report before it is text: what faults may change.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::LastToken;

/// A page about to be served.
#[derive(Clone, PartialEq, Eq)]
pub struct PageDraft {
    /// The token that this page was asked for with; `None` on the first page.
    pub requested_token: Option<String>,
    /// The token of the next page; `None` on the last page.
    pub next_page_token: Option<String>,
    /// How the last page says so.
    pub last_token: LastToken,
    /// The echoed `page_size`.
    pub page_size: u32,
    /// How many records the query has; `None` where that is not told.
    pub total_records: Option<u64>,
    /// The echoed first day or instant.
    pub from: String,
    /// The echoed last day or instant.
    pub to: String,
    /// The records; `None` is served as `null`.
    pub operation_logs: Option<Vec<Bytes>>,
}

impl PageDraft {
    /// The page as JSON. The records are put in as they are, so a record that is no JSON makes a page that is none.
    pub fn to_json(&self) -> Bytes {
        let records = self.operation_logs.as_deref().unwrap_or_default();
        let record_bytes: usize = records.iter().map(|record| record.len() + 1).sum();
        let mut json = BytesMut::with_capacity(record_bytes + 256);

        json.put_u8(b'{');
        match (&self.next_page_token, self.last_token) {
            (Some(token), _) => member(&mut json, "next_page_token", token),
            (None, LastToken::Empty) => member(&mut json, "next_page_token", ""),
            (None, LastToken::Null) => member(&mut json, "next_page_token", &()),
            (None, LastToken::Missing) => {}
        }
        member(&mut json, "page_size", &self.page_size);
        if let Some(total) = self.total_records {
            member(&mut json, "total_records", &total);
        }
        member(&mut json, "from", &self.from);
        member(&mut json, "to", &self.to);
        json.put_slice(b"\"operation_logs\":");
        match &self.operation_logs {
            None => json.put_slice(b"null"),
            Some(records) => list(&mut json, records),
        }
        json.put_u8(b'}');
        json.freeze()
    }
}

/// Counts, never contents.
impl fmt::Debug for PageDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageDraft")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("total_records", &self.total_records)
            .field("record_count", &self.operation_logs.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

fn member(json: &mut BytesMut, name: &str, value: &(impl Serialize + ?Sized)) {
    json.put_u8(b'"');
    json.put_slice(name.as_bytes());
    json.put_slice(b"\":");
    json.put_slice(&serde_json::to_vec(value).unwrap_or_default());
    json.put_u8(b',');
}

fn list(json: &mut BytesMut, records: &[Bytes]) {
    json.put_u8(b'[');
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            json.put_u8(b',');
        }
        json.put_slice(record);
    }
    json.put_u8(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> PageDraft {
        PageDraft {
            requested_token: None,
            next_page_token: Some("BJLYC6".to_owned()),
            last_token: LastToken::Missing,
            page_size: 20,
            total_records: Some(10),
            from: "2021-10-01".to_owned(),
            to: "2021-10-12".to_owned(),
            operation_logs: Some(vec![Bytes::from_static(b"{ }"), Bytes::from_static(b"{\"a\":1.0}")]),
        }
    }

    #[test]
    fn a_page_holds_its_records_byte_for_byte() {
        let expected = r#"{"next_page_token":"BJLYC6","page_size":20,"total_records":10,"from":"2021-10-01","to":"2021-10-12","operation_logs":[{ },{"a":1.0}]}"#;
        assert_eq!(draft().to_json(), expected);
    }

    #[test]
    fn the_last_page_says_so_in_three_ways() {
        for (last_token, start) in [
            (LastToken::Empty, r#"{"next_page_token":"","page_size""#),
            (LastToken::Null, r#"{"next_page_token":null,"page_size""#),
            (LastToken::Missing, r#"{"page_size""#),
        ] {
            let json = PageDraft { next_page_token: None, last_token, ..draft() }.to_json();
            assert!(json.starts_with(start.as_bytes()), "{last_token}");
        }
    }
}
