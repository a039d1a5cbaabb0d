//! What was done, and how: `action` -> its kind and its channel.
//!
//! The words of the text, in lower case and joined by underscores, are the kind (`Opt-Out` is `opt_out`), once a channel
//! before them is taken off: `SCIM API`, `REST API` and `Batch`, with or without a dash behind, and any other name that
//! ends in `API` with a dash behind (`Partner API - Add`), unless it starts with a verb (`Delete API - Key`). Without a
//! channel the change was made in the console. Where two precede (`REST API - Batch Update`), the first counts and both are
//! taken off. A channel alone is a kind.
//!
//! The rule: every text with a letter or digit in it has a kind; letters of any script are kept.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::model::Field;

/// The actions that are common or published, so that they need no allocation.
const KINDS: [&str; 40] = [
    "activate",
    "add",
    "agree",
    "assign",
    "create",
    "deactivate",
    "delete",
    "disable",
    "download",
    "edit",
    "enable",
    "export",
    "generate",
    "import",
    "listen",
    "lock",
    "login",
    "logout",
    "migrate",
    "move",
    "operate",
    "publish",
    "recover",
    "remove",
    "reset",
    "restore",
    "search",
    "submit",
    "subscribe",
    "sync",
    "syncdata",
    "unassign",
    "unbind",
    "unlock",
    "unmask",
    "unpublish",
    "unsubscribe",
    "update",
    "upload",
    "view",
];

/// Channels by the words that stand before the kind.
const CHANNELS: [(&[&str], &str); 3] =
    [(&["scim", "api"], "scim_api"), (&["rest", "api"], "rest_api"), (&["batch"], "batch")];

/// An action's kind and channel.
pub(super) fn parse(field: &Field<'_>) -> (Option<Cow<'static, str>>, Option<Cow<'static, str>>) {
    let Some(text) = field.as_str() else { return (None, None) };
    if let Some(kind) = common_kind(text) {
        return (Some(Cow::Borrowed(kind)), None);
    }
    let Some((channel, rest)) = split_channel(text) else { return (kind(text), None) };
    let rest = split_channel(rest).map_or(rest, |(_, rest)| rest);
    (kind(rest), Some(channel))
}

fn kind(text: &str) -> Option<Cow<'static, str>> {
    if let Some(kind) = common_kind(text.trim_matches(is_separator)) {
        return Some(Cow::Borrowed(kind));
    }
    let slug = slug(text);
    (!slug.is_empty()).then_some(Cow::Owned(slug))
}

fn common_kind(text: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| kind.eq_ignore_ascii_case(text))
}

/// The channel before the kind, and the text behind it, which has a word.
fn split_channel(text: &str) -> Option<(Cow<'static, str>, &str)> {
    let known = CHANNELS.into_iter().find_map(|(words, name)| Some((Cow::Borrowed(name), after(words, text)?)));
    let (channel, rest) = known.or_else(|| split_named_api(text))?;
    next_word(rest).map(|_| (channel, rest))
}

/// A name that ends in `API` and is no verb's object, and the text behind the dash.
fn split_named_api(text: &str) -> Option<(Cow<'static, str>, &str)> {
    let (name, rest) = text.split_once(" - ")?;
    let is_api = name.rsplit(is_separator).find(|word| !word.is_empty())?.eq_ignore_ascii_case("api");
    let (first, _) = next_word(name)?;
    (is_api && common_kind(first).is_none()).then(|| (Cow::Owned(slug(name)), rest))
}

/// The text behind `words`, where it starts with them in any case.
fn after<'t>(words: &[&str], text: &'t str) -> Option<&'t str> {
    words.iter().try_fold(text, |text, expected| {
        let (word, rest) = next_word(text)?;
        word.eq_ignore_ascii_case(expected).then_some(rest)
    })
}

fn next_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(is_separator);
    let end = text.find(is_separator).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    let mut separated = false;
    for character in text.nfc().flat_map(char::to_lowercase) {
        if is_separator(character) {
            separated = true;
            continue;
        }
        if std::mem::take(&mut separated) && !slug.is_empty() {
            slug.push('_');
        }
        slug.push(character);
    }
    slug
}

/// Combining marks belong to the word: scripts such as Devanagari are not written without them.
fn is_separator(character: char) -> bool {
    !character.is_alphanumeric() && !is_combining_mark(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    fn read(text: &str) -> (Option<String>, Option<String>) {
        let (kind, channel) = parse(&Field::Text(text.into()));
        (kind.map(Cow::into_owned), channel.map(Cow::into_owned))
    }

    #[test_case("ADD", "add", None)]
    #[test_case(" Update ", "update", None)]
    #[test_case("delete", "delete", None)]
    #[test_case("SCIM API - Update", "update", Some("scim_api"))]
    #[test_case("scim_api_update", "update", Some("scim_api"))]
    #[test_case("REST API - Add", "add", Some("rest_api"))]
    #[test_case("REST API: Manually Redact", "manually_redact", Some("rest_api"))]
    #[test_case("Batch Update", "update", Some("batch"))]
    #[test_case("batch_add", "add", Some("batch"))]
    #[test_case("Batch - Delete", "delete", Some("batch"))]
    #[test_case("REST API - Batch Update", "update", Some("rest_api"); "two_channels")]
    #[test_case("Foo API - Update", "update", Some("foo_api"); "unknown_api")]
    #[test_case("API - Update", "update", Some("api"); "bare_api")]
    #[test_case("Delete API - Key", "delete_api_key", None; "api_as_an_object")]
    #[test_case("Auto - Delete", "auto_delete", None; "unknown_prefix")]
    #[test_case("Batch", "batch", None; "channel_alone")]
    #[test_case("SCIM API - ", "scim_api", None; "channel_and_dash")]
    #[test_case("Batched Update", "batched_update", None; "no_word_boundary")]
    #[test_case("Opt-Out", "opt_out", None)]
    #[test_case("Manually Redact", "manually_redact", None)]
    #[test_case("SyncData", "syncdata", None)]
    #[test_case("test", "test", None)]
    #[test_case("  Set -- up!  ", "set_up", None; "runs")]
    #[test_case("追加", "追加", None; "non_latin")]
    #[test_case("ДОБАВИТЬ всё", "добавить_всё", None; "non_latin_case")]
    #[test_case("जोड़ें", "जोड़ें", None; "combining_marks")]
    #[test_case("REST API - 追加", "追加", Some("rest_api"); "non_latin_kind")]
    fn actions_have_a_kind_and_perhaps_a_channel(text: &str, kind: &str, channel: Option<&str>) {
        let kind: String = kind.nfc().collect();
        assert_eq!(read(text), (Some(kind), channel.map(str::to_owned)));
    }

    #[test_case(Field::Missing)]
    #[test_case(Field::Null)]
    #[test_case(Field::Other("1"))]
    #[test_case(Field::Text("".into()))]
    #[test_case(Field::Text(" \t".into()))]
    #[test_case(Field::Text(" - 🙂".into()))]
    fn what_says_nothing_has_no_kind(field: Field<'_>) {
        assert_eq!(parse(&field), (None, None));
    }

    #[test]
    fn text_that_is_no_unicode_is_read_as_far_as_it_can_be() {
        let field = Field::Broken { text: "Add\u{fffd}".to_owned(), json: r#""Add\udcff""# };
        assert_eq!(parse(&field), (Some("add".into()), None));
    }

    #[test]
    fn common_actions_are_borrowed() {
        for text in ["ADD", "SCIM API - Update", "Batch Update"] {
            let field = Field::Text(text.into());
            assert!(matches!(parse(&field).0, Some(Cow::Borrowed(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_with_a_letter_has_a_kind_without_separators(
            text in prop_oneof![".{0,40}", "(REST |Foo )?(API|Batch)?( - |_)?[A-Za-zé -]{0,9}"]
        ) {
            let (kind, channel) = read(&text);
            prop_assert_eq!(kind.is_some(), text.nfc().any(|character| !is_separator(character)));
            for slug in [kind, channel].into_iter().flatten() {
                prop_assert!(slug.chars().all(|character| character == '_' || !is_separator(character)), "{slug}");
                prop_assert!(!slug.is_empty() && !slug.starts_with('_') && !slug.ends_with('_'), "{slug}");
            }
        }
    }
}
