//! Page text -> records, verbatim.
//!
//! The rule: a record that is not what the documentation promises is still a record; only a page that is no page fails.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use crate::model::{Envelope, Field, PageError, Record, Source};

/// The documented members of a record, in the order of [`Record`]'s fields, up to where their text starts.
const KEYS: [&str; 5] =
    ["\"action\":\"", "\"category_type\":\"", "\"operation_detail\":\"", "\"operator\":\"", "\"time\":\""];

/// The list of a page's records, up to where the first one starts.
const LIST: &str = "\"operation_logs\":[";

/// The records of a page (`text` as by [`crate::model::Page::text`]), in the page's order.
pub(super) fn sources(text: &str) -> Result<Vec<Source<'_>>, PageError> {
    if let Some(sources) = compact_page(text) {
        return Ok(sources);
    }
    let envelope = Envelope::parse(text)?;
    Ok(envelope.operation_logs.into_iter().map(|json| source(json.get())).collect())
}

/// The records of a page without white space in its list, as most are: they are parted and found to be JSON in one go.
/// The page is JSON just if each of them is and the page without them is.
fn compact_page(text: &str) -> Option<Vec<Source<'_>>> {
    // No text may hold a control character. All of them are looked for at once, so none needs to be at each quote.
    if text.bytes().fold(u8::MAX, u8::min) < b' ' {
        return None;
    }
    let start = memmem::find(text.as_bytes(), LIST.as_bytes())? + LIST.len();
    let (mut sources, mut end) = (Vec::new(), start);
    while !text[end..].starts_with(']') {
        if !sources.is_empty() {
            end += text[end..].starts_with(',').then_some(1)?;
        }
        let source = bare_source(&text[end..]).or_else(|| object_source(&text[end..]))?;
        end += source.text.len();
        sources.push(source);
    }
    is_emptied(&[&text[..start], &text[end..]].concat()).then_some(sources)
}

/// Whether this is a page whose one list, not one of a member within, is that of the records, and empty.
fn is_emptied(page: &str) -> bool {
    let lists = memmem::find_iter(page.as_bytes(), b"operation_logs").take(2).count();
    lists == 1
        && memchr(b'\\', page.as_bytes()).is_none()
        && Envelope::parse(page).is_ok_and(|page| page.operation_logs.is_empty())
}

/// The record at the start of `text`, if it is as documented and has no escapes and no white space, as most are: then
/// quotes alone part it, and nothing of it needs to be read byte by byte. That no control characters are in it is known.
fn bare_source(text: &str) -> Option<Source<'_>> {
    let mut texts = [None; KEYS.len()];
    let mut rest = text.strip_prefix('{')?;
    for likely in 0..KEYS.len() {
        let (place, value) = bare_member(rest, likely)?;
        let len = bare_len(value)?;
        let start = text.len() - value.len();
        texts[place] = Some((u16::try_from(start).ok()?, u16::try_from(start + len).ok()?));
        rest = value[len + 1..].strip_prefix(if likely + 1 < KEYS.len() { ',' } else { '}' })?;
    }
    // As many members as keys: all are there only if none comes twice.
    let [Some(action), Some(category_type), Some(operation_detail), Some(operator), Some(time)] = texts else {
        return None;
    };
    let places = Some([action, category_type, operation_detail, operator, time]);
    Some(Source { text: &text[..text.len() - rest.len()], places })
}

/// Which field a member is, and what follows the quote that opens its text. Mostly the members come in one order.
fn bare_member(member: &str, likely: usize) -> Option<(usize, &str)> {
    if let Some(value) = member.strip_prefix(KEYS[likely]) {
        return Some((likely, value));
    }
    KEYS.iter().enumerate().find_map(|(place, key)| Some((place, member.strip_prefix(key)?)))
}

/// How long the text is up to the next quote, if there is no escape in it.
fn bare_len(text: &str) -> Option<usize> {
    let end = memchr2(b'"', b'\\', text.as_bytes())?;
    text[end..].starts_with('"').then_some(end)
}

/// The JSON object at the start of `text`.
fn object_source(text: &str) -> Option<Source<'_>> {
    text.starts_with('{').then_some(())?;
    let json = Deserializer::from_str(text).into_iter::<&RawValue>().next()?.ok()?.get();
    Some(Source { text: json, places: None })
}

/// A record's JSON text, whatever it is. That it is JSON is known.
fn source(json: &str) -> Source<'_> {
    bare_source(json).unwrap_or(Source { text: json, places: None })
}

/// One record. Whatever is not a JSON object becomes a record without fields that keeps the text.
pub(super) fn record(source: Source<'_>) -> Record<'_> {
    let text = source.text;
    let Some(places) = source.places else { return plain_record(text).unwrap_or_else(|| odd_record(text)) };
    let [action, category_type, operation_detail, operator, time] =
        places.map(|(start, end)| Field::Text(Cow::Borrowed(&text[start.into()..end.into()])));
    Record { action, category_type, operation_detail, operator, time, rest: None, source: text }
}

/// The record, if it is as documented; most are.
fn plain_record(source: &str) -> Option<Record<'_>> {
    // A list of five strings would pass for one: what is read into named fields may come without their names.
    let plain: Plain<'_> = source.starts_with('{').then(|| serde_json::from_str(source).ok()).flatten()?;
    Some(Record {
        action: Field::Text(plain.action),
        category_type: Field::Text(plain.category_type),
        operation_detail: Field::Text(plain.operation_detail),
        operator: Field::Text(plain.operator),
        time: Field::Text(plain.time),
        rest: None,
        source,
    })
}

/// The record, whatever its members are.
fn odd_record(source: &str) -> Record<'_> {
    let members = serde_json::from_str::<Members<'_>>(source).ok();
    let mut record = Record {
        action: Field::Missing,
        category_type: Field::Missing,
        operation_detail: Field::Missing,
        operator: Field::Missing,
        time: Field::Missing,
        rest: None,
        source,
    };
    let Some(Members(members)) = members else {
        record.rest = Some(source.to_owned());
        return record;
    };

    let mut rest: Vec<(Cow<'_, str>, &str)> = Vec::new();
    for (key, value) in members {
        let slot = match key.as_ref() {
            "action" => &mut record.action,
            "category_type" => &mut record.category_type,
            "operation_detail" => &mut record.operation_detail,
            "operator" => &mut record.operator,
            "time" => &mut record.time,
            _ => {
                rest.push((key, value.get()));
                continue;
            }
        };
        // Of a repeated key the last counts, as most JSON readers have it; the others are kept as something else.
        let former = std::mem::replace(slot, field(value.get()));
        if former != Field::Missing {
            rest.push((key, "\"repeated\""));
        }
    }
    record.rest = (!rest.is_empty()).then(|| canonical(rest));
    record
}

fn field(json: &str) -> Field<'_> {
    match json.as_bytes().first() {
        Some(b'"') => text(json),
        Some(b'n') => Field::Null,
        _ => Field::Other(json),
    }
}

fn text(json: &str) -> Field<'_> {
    match serde_json::from_str::<Text<'_>>(json) {
        Ok(Text(text)) => Field::Text(text),
        // A string whose escapes are lone surrogates: no Unicode text, but JSON all the same.
        Err(_) => Field::Broken { text: lossy(json), json },
    }
}

fn lossy(json: &str) -> String {
    let mut deserializer = Deserializer::from_str(json);
    match de::Deserializer::deserialize_bytes(&mut deserializer, Wtf8) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => json.to_owned(),
    }
}

/// Unknown members as canonical JSON: keys sorted, values as received.
fn canonical(mut members: Vec<(Cow<'_, str>, &str)>) -> String {
    members.sort();
    let member = |(key, value): &(Cow<'_, str>, &str)| format!("{}:{value}", serde_json::Value::from(key.as_ref()));
    format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
}

/// The documented members, each a string of valid Unicode, each once, and no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    category_type: Cow<'a, str>,
    #[serde(borrow)]
    operation_detail: Cow<'a, str>,
    #[serde(borrow)]
    operator: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// The members of a JSON object in their order, values unread. A map type would drop repeated keys.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::with_capacity(5);
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A JSON string, borrowed where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a JSON string into WTF-8, in which lone surrogates have a place.
struct Wtf8;

impl Visitor<'_> for Wtf8 {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON string")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    fn record(json: &str) -> Record<'_> {
        super::record(source(json))
    }

    fn bare_record(json: &str) -> Option<Record<'_>> {
        bare_source(json).map(super::record)
    }

    #[test]
    fn missing_null_empty_and_odd_values_stay_apart() {
        let record = record(r#"{"action":null,"operator":"","time":5,"operation_detail":"a\nb","extra":[1, 2]}"#);
        assert_eq!(record.action, Field::Null);
        assert_eq!(record.category_type, Field::Missing);
        assert_eq!(record.operator, Field::Text("".into()));
        assert_eq!(record.time, Field::Other("5"));
        assert_eq!(record.operation_detail, Field::Text("a\nb".into()));
        assert_eq!(record.rest.as_deref(), Some(r#"{"extra":[1, 2]}"#));
    }

    #[test]
    fn a_lone_surrogate_is_shown_and_kept() {
        let source = r#"{"operator":"a\udcffb"}"#;
        let Field::Broken { text, json } = record(source).operator else { panic!("not broken") };
        assert!(text.starts_with('a') && text.ends_with('b') && text.contains('\u{fffd}'), "{text}");
        assert_eq!(json, r#""a\udcffb""#);
    }

    #[test]
    fn what_is_no_object_is_still_a_record() {
        for source in ["null", "[]", "\"x\"", "7", r#"["a","c","d","o","2022-02-01T02:36:14Z"]"#] {
            let record = record(source);
            assert_eq!((record.action, record.rest.as_deref(), record.source), (Field::Missing, Some(source), source));
        }
    }

    #[test]
    fn of_a_repeated_key_the_last_counts_and_the_record_is_marked() {
        let record = record(r#"{"action":"a","action":"b"}"#);
        assert_eq!(record.action, Field::Text("b".into()));
        assert!(record.rest.is_some());
    }

    #[test_case(r#"{"action":"a","category_type":"c","operation_detail":"d","operator":"o","time":"t"}"#)]
    #[test_case(r#"{"time" : "t", "operator": "\u00f6\"", "operation_detail":"", "category_type":"c","action":"\ud83d\udcde" }"#; "escapes")]
    #[test_case(r#"{"\u0061ction":"a","category_type":"c","operation_detail":"d","operator":"o","time":"t"}"#; "escaped_key")]
    fn a_record_as_documented_reads_like_any_other(source: &str) {
        assert_eq!(plain_record(source), Some(odd_record(source)));
        assert!(bare_record(source).is_none_or(|record| record == odd_record(source)));
    }

    #[test]
    fn a_record_without_escapes_and_white_space_is_bare() {
        let source = r#"{"time":"t","action":"ä","category_type":"","operation_detail":"d, } {","operator":"o:"}"#;
        assert_eq!(bare_record(source), Some(odd_record(source)));
    }

    #[test_case(r#"{"action":"a","category_type":"c","operation_detail":"d","operator":"o"}"#; "missing")]
    #[test_case(r#"{"action":"a","category_type":"c","operation_detail":"d","operator":"o","time":null}"#; "null")]
    #[test_case(r#"{"action":"a","category_type":"c","operation_detail":"d","operator":"o","time":1}"#; "number")]
    #[test_case(r#"{"action":"a","category_type":"c","operation_detail":"d","operator":"o","time":"t","x":1}"#; "unknown")]
    #[test_case(r#"{"action":"a","category_type":"c","operation_detail":"d","operator":"o","time":"t","time":"t"}"#; "twice")]
    #[test_case(r#"{"action":"a","category_type":"c","operation_detail":"d","operator":"\udcff","time":"t"}"#; "surrogate")]
    #[test_case(r#"["a","c","d","o","t"]"#; "list")]
    fn any_other_record_is_odd(source: &str) {
        assert_eq!((bare_record(source), plain_record(source)), (None, None));
    }

    /// The list of a page with everything around it, by the reader of JSON alone.
    fn by_envelope(page: &str) -> Option<Vec<&str>> {
        Some(Envelope::parse(page).ok()?.operation_logs.into_iter().map(RawValue::get).collect())
    }

    fn jsons(sources: Vec<Source<'_>>) -> Vec<&str> {
        sources.into_iter().map(|source| source.text).collect()
    }

    #[test_case(r#"{"operation_logs":[]}"#, true)]
    #[test_case(r#"{"from":"a","operation_logs":[{"action":"a","category_type":"c","operation_detail":"d","operator":"o","time":"t"},{"x":"\""}],"to":"b"}"#, true; "members around")]
    #[test_case(r#"{"operation_logs":[{"a":1},]}"#, false; "comma at the end")]
    #[test_case(r#"{"operation_logs":[{"a":1}]"#, false; "cut off")]
    #[test_case(r#"{"operation_logs":[{"a":1} ]}"#, false; "white space")]
    #[test_case("{\"operation_logs\":[{\"action\":\"\u{1}\",\"category_type\":\"c\",\"operation_detail\":\"d\",\"operator\":\"o\",\"time\":\"t\"}]}", false; "control character")]
    #[test_case(r#"{"x":{"operation_logs":[{"a":1}]},"operation_logs":[]}"#, false; "a list within first")]
    #[test_case(r#"{"x":{"operation_logs":[{"a":1}]},"operation_log\u0073":[]}"#, false; "the name in disguise")]
    #[test_case(r#"{"operation_logs":[{"a":1}],"operation_logs":[]}"#, false; "twice")]
    #[test_case(r#"{"x":"\"operation_logs\":[{}]","operation_logs":[]}"#, false; "the name in a text")]
    #[test_case(r#"{"x":{"operation_logs":[{"a":1}]}}"#, false; "only within")]
    fn a_compact_page_reads_like_any_other(page: &str, compact: bool) {
        let sources = compact_page(page).map(jsons);
        assert_eq!(sources.is_some(), compact);
        assert_eq!(super::sources(page).ok().map(jsons), by_envelope(page));
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_page_is_read_as_json_says(pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\\"", " ", "\n", "\u{1}", "ä", "1", "null",
            "\"operation_logs\":[", "\"operation_logs\":", "{\"operation_logs\":[", "],\"to\":\"b\"}", "]}", "\"x\":{",
            "{\"action\":\"a\",", "\"category_type\":\"c\",", "\"operation_detail\":\"", "d\",", "\"operator\":\"o\",",
            "\"time\":\"t\"}", "{\"a\":1}", ",{\"action\":\"a\",\"category_type\":\"c\",\"operation_detail\":\"d\",\"operator\":\"o\",\"time\":\"t\"}",
        ]), 0..10)) {
            let page = format!("{{\"operation_logs\":[{}", pieces.concat());
            prop_assert_eq!(super::sources(&page).ok().map(jsons), by_envelope(&page));
            let page = pieces.concat();
            prop_assert_eq!(super::sources(&page).ok().map(jsons), by_envelope(&page));
        }
    }
}
