//! The records an account holds: each a JSON text that is served as it is, the instant that places it, and the category
//! under which it is found.
//!
//! The rule: a record's text is never re-serialised, except where a line of a file loses metadata or is given a time.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{SimulatorError, category};

/// Keys of a line that say where the record is from and are not served.
pub const METADATA_KEYS: [&str; 4] = ["report", "source", "kind", "note"];

/// The time of records from a file that have none: it is filled in where `time` is null or missing, and places those
/// whose time cannot be read (these are served as they are).
pub const SUBSTITUTE_TIME: &str = "2022-02-01T02:36:14Z";
const SUBSTITUTE_SECONDS: i64 = 1_643_682_974;

/// A record of the account.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountRecord {
    text: Bytes,
    at: DateTime<Utc>,
    category: Option<Cow<'static, str>>,
}

impl AccountRecord {
    /// A record that is served as `text`, whatever that is, in queries that include `at`. Its category is read from
    /// `category_type` where that can be done.
    pub fn new(text: impl Into<Bytes>, at: DateTime<Utc>) -> Self {
        let text = text.into();
        let category = serde_json::from_slice::<Members<'_>>(&text).ok().and_then(|members| members.category());
        Self { text, at, category }
    }

    /// A record whose category is known.
    pub(super) fn of_category(text: impl Into<Bytes>, at: DateTime<Utc>, code: Cow<'static, str>) -> Self {
        Self { text: text.into(), at, category: Some(code) }
    }

    /// A record from a line of a file: an object, placed by its `time`. [`METADATA_KEYS`] are taken out and a `time`
    /// that is null or missing is filled in (see [`SUBSTITUTE_TIME`]); a line that needs neither is served as it is.
    pub fn from_line(line: &str) -> Result<Self, serde_json::Error> {
        let line = line.trim();
        let mut members: Members<'_> = serde_json::from_str(line)?;
        let category = members.category();
        let at = members.get("time").and_then(readable_time).unwrap_or_else(substitute_instant);

        let rewritten = members.drop_metadata() | members.fill_time();
        let text = if rewritten { members.to_json() } else { line.to_owned() };
        Ok(Self { text: text.into(), at, category })
    }

    /// The record as served.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The instant that decides which queries include it.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The category code under which it is found; a record without one is found among all only.
    pub fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    pub(super) fn category_key(&self) -> Option<Cow<'static, str>> {
        self.category.clone()
    }
}

/// Counts, never contents.
impl fmt::Debug for AccountRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountRecord")
            .field("text_bytes", &self.text.len())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Reads a file of one JSON object a line (see [`AccountRecord::from_line`]); blank lines are skipped.
pub fn read_records(path: &Path) -> Result<Vec<AccountRecord>, SimulatorError> {
    let file = || path.display().to_string();
    let unreadable = |source| SimulatorError::Read { file: file(), source };
    let mut records = Vec::new();
    for (index, line) in BufReader::new(File::open(path).map_err(unreadable)?).lines().enumerate() {
        let line = line.map_err(unreadable)?;
        if !line.trim().is_empty() {
            let record = AccountRecord::from_line(&line);
            records.push(record.map_err(|source| SimulatorError::Line { file: file(), line: index + 1, source })?);
        }
    }
    Ok(records)
}

fn substitute_instant() -> DateTime<Utc> {
    DateTime::from_timestamp(SUBSTITUTE_SECONDS, 0).unwrap_or_default()
}

/// The instant of a `time` in RFC 3339 or one of its relaxations: a space for the `T`, no zone (then UTC), seconds or
/// milliseconds since the epoch.
fn readable_time(value: &RawValue) -> Option<DateTime<Utc>> {
    let text = serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let formats = ["%Y-%m-%d %H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
    let calendar = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    calendar.map(|time| time.and_utc()).or_else(|| since_epoch(text.parse().ok()?))
}

/// The instant that lies so many seconds or milliseconds, whichever is of our time, after the epoch.
fn since_epoch(number: f64) -> Option<DateTime<Utc>> {
    const SECONDS_OF_OUR_TIME: Range<f64> = 9e8..4e9;
    let seconds = [number, number / 1000.0].into_iter().find(|seconds| SECONDS_OF_OUR_TIME.contains(seconds))?;
    DateTime::from_timestamp(seconds as i64, 0)
}

/// An object's members in order, keys and values as JSON text.
struct Members<'a>(Vec<(&'a RawValue, Cow<'a, str>)>);

impl<'a> Members<'a> {
    fn get(&self, key: &str) -> Option<&'a RawValue> {
        let value = self.0.iter().find(|(name, _)| is_key(name, key)).map(|(_, value)| value)?;
        match value {
            Cow::Borrowed(json) => serde_json::from_str(json).ok(),
            Cow::Owned(_) => None,
        }
    }

    fn category(&self) -> Option<Cow<'static, str>> {
        let text: String = serde_json::from_str(self.get("category_type")?.get()).ok()?;
        category::code_of(&text)
    }

    fn drop_metadata(&mut self) -> bool {
        let before = self.0.len();
        self.0.retain(|(name, _)| !METADATA_KEYS.iter().any(|key| is_key(name, key)));
        self.0.len() < before
    }

    fn fill_time(&mut self) -> bool {
        let time = || Cow::Owned(format!("\"{SUBSTITUTE_TIME}\""));
        match self.0.iter_mut().find(|(name, _)| is_key(name, "time")) {
            Some((_, value)) if value == "null" => *value = time(),
            Some(_) => return false,
            None => {
                let Ok(name) = serde_json::from_str("\"time\"") else { return false };
                self.0.push((name, time()));
            }
        }
        true
    }

    fn to_json(&self) -> String {
        let members: Vec<String> = self.0.iter().map(|(name, value)| format!("{}:{value}", name.get())).collect();
        format!("{{{}}}", members.join(","))
    }
}

fn is_key(name: &RawValue, key: &str) -> bool {
    name.get().strip_prefix('"').and_then(|name| name.strip_suffix('"')) == Some(key)
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            members.push((name, Cow::Borrowed(value.get())));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> (String, String) {
        let record = AccountRecord::from_line(line).unwrap();
        let text = String::from_utf8(record.text().to_vec()).unwrap();
        (text, record.at().to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    }

    #[test]
    fn a_line_without_metadata_is_served_byte_for_byte() {
        let line = r#"{ "time" : "2022-02-01T02:36:14Z", "\u0061ction":"A\u0064D", "x":1.0, "operator":"\ud800" }"#;
        assert_eq!(record(line), (line.to_owned(), SUBSTITUTE_TIME.to_owned()));
    }

    #[test]
    fn metadata_goes_and_order_and_values_stay() {
        let line =
            r#"{"report":"phone","action":null,"z":[1, 2],"time":"2022-12-16 18:15:38","a":"\u00e9","note":"n"}"#;
        let served = r#"{"action":null,"z":[1, 2],"time":"2022-12-16 18:15:38","a":"\u00e9"}"#;
        assert_eq!(record(line), (served.to_owned(), "2022-12-16T18:15:38Z".to_owned()));
    }

    #[test]
    fn a_null_or_missing_time_is_filled_in() {
        let served = format!(r#"{{"action":"ADD","time":"{SUBSTITUTE_TIME}"}}"#);
        for line in [r#"{"action":"ADD","time":null}"#, r#"{"action":"ADD"}"#] {
            assert_eq!(record(line), (served.clone(), SUBSTITUTE_TIME.to_owned()));
        }
    }

    #[test]
    fn an_unreadable_time_is_kept_and_placed_at_the_substitute() {
        for line in [r#"{"time":"yesterday"}"#, r#"{"time":7}"#, r#"{"time":[1566241741]}"#] {
            assert_eq!(record(line), (line.to_owned(), SUBSTITUTE_TIME.to_owned()));
        }
    }

    #[test]
    fn times_are_read_in_the_forms_that_were_seen() {
        for time in [
            r#""2019-08-20T19:09:01Z""#,
            r#""2019-08-20T21:09:01+02:00""#,
            r#""2019-08-20T19:09:01.0000000+00:00""#,
            r#""2019-08-20 19:09:01Z""#,
            r#"" 2019-08-20 19:09:01 ""#,
            r#""2019-08-20T19:09:01""#,
            r#""1566328141""#,
            "1566328141.25",
            "1566328141000",
        ] {
            assert_eq!(record(&format!(r#"{{"time":{time}}}"#)).1, "2019-08-20T19:09:01Z", "{time}");
        }
    }

    #[test]
    fn the_category_is_the_code_of_what_the_record_says() {
        let category = |text: &'static str| AccountRecord::new(text, DateTime::UNIX_EPOCH).category_key();
        assert_eq!(category(r#"{"category_type":"Phone Number"}"#).as_deref(), Some("phone_number"));
        assert_eq!(category(r#"{"category_type":null}"#), None);
        assert_eq!(category("not JSON at all"), None);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for line in ["[]", "null", "{\"a\":", "{} {}"] {
            assert!(AccountRecord::from_line(line).is_err(), "{line}");
        }
    }
}
