//! Who did it: `operator` -> an id to group by, and what sort of actor it is.
//!
//! - An email address, alone or behind a name (`Jane Doe <jane@x.com>`, `Jane Doe(jane@x.com)`), is the id in lower case: a
//!   user, whatever the name says, since the address answers for what was done. Only the upstream's own role mailboxes
//!   (`system@zoom.us`) are the system; anyone else at its domains is a user.
//! - `System` and the upstream's support under its own name are the system. `Support` and `System Administrator` are not:
//!   customers call their own people so.
//! - A name that ends in `App`, `API`, `OAuth` or `SCIM`, or starts as an API client's does, is an app.
//! - Anything else is unknown, and its case may matter (opaque ids), so it is kept.
//!
//! The rule: nothing but the one address of the text is ever taken for an address, and the verbatim text stays as it is.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::model::{Field, Operator, OperatorKind};

/// The upstream's own mail domains, and the mailboxes there that are no person.
const SYSTEM_DOMAINS: [&str; 4] = ["zoom.com", "zoom.us", "zoomgov.com", "zoom.com.cn"];
const SYSTEM_MAILBOXES: [&str; 5] = ["no-reply", "no_reply", "noreply", "support", "system"];

/// Names of the upstream itself, by their words.
const SYSTEM_NAMES: [&[&str]; 9] = [
    &["system"],
    &["zoom"],
    &["zoom", "customer", "support"],
    &["zoom", "phone"],
    &["zoom", "phone", "support"],
    &["zoom", "support"],
    &["zoom", "support", "team"],
    &["zoom", "system"],
    &["zoom", "technical", "support"],
];

/// How names of apps start and end, by their words.
const APP_STARTS: [&[&str]; 4] = [&["rest", "api"], &["s2s", "oauth"], &["scim", "api"], &["server", "to", "server"]];
const APP_ENDS: [&str; 4] = ["api", "app", "oauth", "scim"];

/// Reads an operator. One that is missing, null, blank or no string has no id and is unknown.
pub(super) fn parse<'a>(field: &Field<'a>) -> Operator<'a> {
    match field {
        Field::Text(Cow::Borrowed(text)) => operator(text),
        Field::Text(Cow::Owned(text)) | Field::Broken { text, .. } => operator(text).into_owned(),
        Field::Missing | Field::Null | Field::Other(_) => Operator::default(),
    }
}

fn operator(verbatim: &str) -> Operator<'_> {
    let text = verbatim.trim();
    let operator =
        if is_nfc(text) { identified(text) } else { identified(&text.nfc().collect::<String>()).into_owned() };
    Operator { verbatim: Some(Cow::Borrowed(verbatim)), ..operator }
}

/// The operator of a trimmed text in NFC, without its verbatim text.
fn identified(text: &str) -> Operator<'_> {
    if text.is_empty() {
        return Operator::default();
    }
    let Some(address) = address(text) else {
        return Operator { id: Some(Cow::Borrowed(text)), kind: kind_of_name(text), ..Operator::default() };
    };
    let id = lower_case(address);
    let (kind, domain) = match &id {
        Cow::Borrowed(id) => {
            let (kind, domain) = kind_and_domain(id);
            (kind, Cow::Borrowed(domain))
        }
        Cow::Owned(id) => {
            let (kind, domain) = kind_and_domain(id);
            (kind, Cow::Owned(domain.to_owned()))
        }
    };
    Operator { id: Some(id), kind, domain: Some(domain), verbatim: None }
}

fn kind_and_domain(id: &str) -> (OperatorKind, &str) {
    let (mailbox, domain) = id.split_once('@').unwrap_or_default();
    let is_system = SYSTEM_DOMAINS.contains(&domain) && SYSTEM_MAILBOXES.contains(&mailbox);
    (if is_system { OperatorKind::System } else { OperatorKind::User }, domain)
}

/// The address that the text is, or ends in after a name: `<jane@x.com>` or `(jane@x.com)`.
fn address(text: &str) -> Option<&str> {
    let bracketed = |open, close| text.strip_suffix(close)?.rsplit_once(open).map(|(_, inside)| inside.trim());
    let candidate = bracketed('<', '>').or_else(|| bracketed('(', ')')).unwrap_or(text);
    is_address(candidate).then_some(candidate)
}

fn is_address(text: &str) -> bool {
    let Some((mailbox, domain)) = text.split_once('@') else { return false };
    let apart = |character: char| character.is_whitespace() || character.is_control();
    let in_mailbox = |character: char| !apart(character) && !r#""(),:;<>[\]"#.contains(character);
    let in_label = |character: char| match character {
        _ if character.is_ascii() => character.is_ascii_alphanumeric() || character == '-',
        _ => !apart(character),
    };
    let is_label = |label: &str| !label.is_empty() && label.chars().all(in_label);
    !mailbox.is_empty() && mailbox.chars().all(in_mailbox) && domain.contains('.') && domain.split('.').all(is_label)
}

fn lower_case(address: &str) -> Cow<'_, str> {
    if !address.is_ascii() {
        return Cow::Owned(address.chars().flat_map(char::to_lowercase).nfc().collect());
    }
    if address.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(address.to_ascii_lowercase());
    }
    Cow::Borrowed(address)
}

fn kind_of_name(name: &str) -> OperatorKind {
    if SYSTEM_NAMES.iter().any(|words| words_after(name, words).is_some_and(|mut rest| rest.next().is_none())) {
        return OperatorKind::System;
    }
    let starts = APP_STARTS.iter().any(|words| words_after(name, words).is_some());
    let last = words(name).next_back().unwrap_or_default();
    let ends = APP_ENDS.iter().any(|word| word.eq_ignore_ascii_case(last));
    if starts || ends { OperatorKind::App } else { OperatorKind::Unknown }
}

/// The words of `name` behind `start`, where it starts with those in any case.
fn words_after<'n>(name: &'n str, start: &[&str]) -> Option<impl Iterator<Item = &'n str> + use<'n>> {
    let mut words = words(name);
    start.iter().all(|word| words.next().is_some_and(|next| next.eq_ignore_ascii_case(word))).then_some(words)
}

fn words(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    name.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    fn read(text: &str) -> Operator<'_> {
        parse(&Field::Text(Cow::Borrowed(text)))
    }

    #[test_case("user@test.com", "user@test.com", "test.com"; "plain")]
    #[test_case("Admin@Example.COM", "admin@example.com", "example.com"; "upper_case")]
    #[test_case(" user@test.com\n", "user@test.com", "test.com"; "white_space")]
    #[test_case("admin-test%1223+123@duff.dev.co", "admin-test%1223+123@duff.dev.co", "duff.dev.co"; "signs")]
    #[test_case("o'hara@x.ie", "o'hara@x.ie", "x.ie"; "apostrophe")]
    #[test_case("Jane Doe <Jane@x.com>", "jane@x.com", "x.com"; "angle_brackets")]
    #[test_case("Jane Doe(jane@x.com)", "jane@x.com", "x.com"; "parentheses")]
    #[test_case("\"Doe, Jane\" <jane@x.com>", "jane@x.com", "x.com"; "quoted")]
    #[test_case("Jane (Berlin) (jane@x.com)", "jane@x.com", "x.com"; "two_parentheses")]
    #[test_case("<jane@x.com>", "jane@x.com", "x.com"; "brackets_alone")]
    #[test_case("田中 (tanaka@例え.jp)", "tanaka@例え.jp", "例え.jp"; "non_latin")]
    #[test_case("JO\u{308}RG@x.de", "j\u{f6}rg@x.de", "x.de"; "decomposed")]
    #[test_case("jane.doe@zoom.us", "jane.doe@zoom.us", "zoom.us"; "employee_of_the_upstream")]
    #[test_case("support@example.com", "support@example.com", "example.com"; "mailbox_of_a_customer")]
    #[test_case("REST API (jane@x.com)", "jane@x.com", "x.com"; "app_name_with_an_address")]
    fn an_address_is_a_user(text: &str, id: &str, domain: &str) {
        let expected = Operator {
            verbatim: Some(text.into()),
            id: Some(id.into()),
            kind: OperatorKind::User,
            domain: Some(domain.into()),
        };
        assert_eq!(read(text), expected);
    }

    #[test_case("System@Zoom.us", "system@zoom.us")]
    #[test_case("Zoom Support <support@zoom.us>", "support@zoom.us")]
    fn a_role_mailbox_of_the_upstream_is_the_system(text: &str, id: &str) {
        let operator = read(text);
        assert_eq!(operator.id.as_deref(), Some(id));
        assert_eq!((operator.kind, operator.domain.as_deref()), (OperatorKind::System, Some("zoom.us")));
    }

    #[test_case("System", OperatorKind::System)]
    #[test_case("SYSTEM", OperatorKind::System)]
    #[test_case("Zoom", OperatorKind::System)]
    #[test_case("Zoom Support", OperatorKind::System)]
    #[test_case("zoom  phone-support", OperatorKind::System)]
    #[test_case("SCIM API", OperatorKind::App)]
    #[test_case("REST API - Provisioning", OperatorKind::App)]
    #[test_case("Okta SCIM", OperatorKind::App)]
    #[test_case("Directory Sync App", OperatorKind::App)]
    #[test_case("Provisioning(API)", OperatorKind::App)]
    #[test_case("S2S OAuth", OperatorKind::App)]
    #[test_case("Server-to-Server OAuth: nightly", OperatorKind::App)]
    #[test_case("Support", OperatorKind::Unknown)]
    #[test_case("System Administrator", OperatorKind::Unknown)]
    #[test_case("Zoom Rooms Berlin", OperatorKind::Unknown)]
    #[test_case("Whatsapp", OperatorKind::Unknown)]
    #[test_case("Jane Doe", OperatorKind::Unknown)]
    #[test_case("KDcuGIm1QgePTO8WbOqwIQ", OperatorKind::Unknown)]
    #[test_case("[email protected]", OperatorKind::Unknown)]
    #[test_case("jane@", OperatorKind::Unknown)]
    #[test_case("@x.com", OperatorKind::Unknown)]
    #[test_case("jane@localhost", OperatorKind::Unknown)]
    #[test_case("jane@x..com", OperatorKind::Unknown)]
    #[test_case("jane@x.com, joe@x.com", OperatorKind::Unknown)]
    #[test_case("jane doe@x.com", OperatorKind::Unknown)]
    #[test_case("(", OperatorKind::Unknown)]
    #[test_case(">", OperatorKind::Unknown)]
    #[test_case("🤖", OperatorKind::Unknown)]
    fn a_name_keeps_its_case_and_has_no_domain(text: &str, kind: OperatorKind) {
        let expected = Operator { verbatim: Some(text.into()), id: Some(text.into()), kind, domain: None };
        assert_eq!(read(text), expected);
    }

    #[test_case(Field::Text("".into()), Some(""))]
    #[test_case(Field::Text(" \t\u{3000}".into()), Some(" \t\u{3000}"))]
    #[test_case(Field::Missing, None)]
    #[test_case(Field::Null, None)]
    #[test_case(Field::Other("7"), None)]
    fn nobody_has_no_id(field: Field<'_>, verbatim: Option<&str>) {
        assert_eq!(parse(&field), Operator { verbatim: verbatim.map(Cow::Borrowed), ..Operator::default() });
    }

    #[test]
    fn text_that_is_no_unicode_is_shown_readable() {
        let operator = parse(&Field::Broken { text: " a\u{fffd}b".to_owned(), json: r#"" a\udcffb""# });
        assert_eq!(operator.verbatim.as_deref(), Some(" a\u{fffd}b"));
        assert_eq!(operator.id.as_deref(), Some("a\u{fffd}b"));
    }

    #[test]
    fn equal_names_in_either_normal_form_have_one_id() {
        assert_eq!(read("Jo\u{308}rg").id, read("J\u{f6}rg").id);
        assert_eq!(read("Jo\u{308}rg").verbatim.as_deref(), Some("Jo\u{308}rg"));
    }

    #[test_case("user@test.com")]
    #[test_case(" user@test.com ")]
    #[test_case("Jane Doe <jane@x.com>")]
    #[test_case("Jörg")]
    fn what_does_not_change_is_borrowed(text: &str) {
        let operator = read(text);
        assert!(matches!(operator.verbatim, Some(Cow::Borrowed(_))));
        assert!(matches!(operator.id, Some(Cow::Borrowed(_))));
    }

    proptest! {
        #[test]
        fn an_id_is_its_own_id(text in prop_oneof![".{0,40}", "[A-Za-z .@()<>\"é-]{0,30}"]) {
            let operator = read(&text);
            prop_assert_eq!(operator.verbatim.as_deref(), Some(text.as_str()));
            prop_assert_eq!(operator.id.is_none(), text.trim().is_empty());
            if let Some(id) = operator.id.as_deref() {
                let again = read(id);
                prop_assert_eq!(again.id.as_deref(), Some(id));
                prop_assert_eq!((again.kind, again.domain), (operator.kind, operator.domain));
            }
        }
    }
}
