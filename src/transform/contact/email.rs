//! Email addresses: where they stand in a text, and their key.
//!
//! The rule: an address ends where its own signs end, whatever the script around it.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::transform::byte;

/// An address as the columns hold it. A letter whose lower case is more than one character stays, so that the key of a
/// key is itself.
pub(in crate::transform) fn email_key(email: &str) -> Cow<'_, str> {
    if email.is_ascii() {
        let lower = !email.bytes().any(|byte| byte.is_ascii_uppercase());
        return if lower { Cow::Borrowed(email) } else { Cow::Owned(email.to_ascii_lowercase()) };
    }
    let lower = |letter: char| {
        let mut lower = letter.to_lowercase();
        if lower.len() == 1 { lower.next().unwrap_or(letter) } else { letter }
    };
    Cow::Owned(email.chars().map(lower).collect())
}

/// Whether `text` is one email address and nothing else.
pub(in crate::transform) fn is_email(text: &str) -> bool {
    let may_be = memchr(b' ', text.as_bytes()).is_none() && memchr(b'@', text.as_bytes()).is_some();
    may_be && email_spans(text).next().is_some_and(|first| first.len() == text.len())
}

/// Whether an email address stands anywhere in `text`.
pub(in crate::transform) fn holds_email(text: &str) -> bool {
    email_spans(text).next().is_some()
}

pub(super) fn email_spans(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut floor = 0;
    memchr_iter(b'@', text.as_bytes()).filter_map(move |at| {
        let start = at - local_part(text.get(floor..at)?).len();
        if start == at {
            return None;
        }
        let domain = domain(&text[at + 1..]);
        (!domain.is_empty()).then(|| {
            floor = at + 1 + domain.len();
            start..floor
        })
    })
}

/// The longest tail of `before` that can stand left of an `@`.
fn local_part(before: &str) -> &str {
    let run = local_run(before);
    let run = double_dots(run).next_back().map_or(run, |dots| &run[dots + 2..]);
    run.trim_start_matches(['.', '-', '\'', '&'])
}

fn local_run(before: &str) -> &str {
    let start = before.bytes().rposition(|byte| !byte::LOCAL_PART.hold(byte)).map_or(0, |at| at + 1);
    if start == 0 || before.as_bytes()[start - 1].is_ascii() {
        return &before[start..];
    }
    let foreign = before.chars().next_back().is_some_and(is_foreign);
    let tail = before.char_indices().rev().take_while(|(_, c)| {
        is_latin(*c) || (foreign && is_foreign(*c)) || u8::try_from(*c).is_ok_and(|byte| byte::LOCAL_PART.hold(byte))
    });
    tail.last().map_or("", |(start, _)| &before[start..])
}

/// The longest start of `after` that can stand right of an `@`: labels with a dot between, the last one no number.
fn domain(after: &str) -> &str {
    let end = domain_run(after);
    let mut run = &after[..end];
    if after[end..].starts_with('@') {
        // Two addresses joined by a hyphen: the rest is the second one's local part.
        run = run.rfind('-').map_or(run, |hyphen| &run[..hyphen]);
    }
    run = double_dots(run).next().map_or(run, |dots| &run[..dots]);
    loop {
        run = run.trim_end_matches(['.', '-']);
        let Some(dot) = run.rfind('.') else { return "" };
        let last = &run[dot + 1..];
        if last.chars().nth(1).is_some() && last.chars().any(char::is_alphabetic) {
            break;
        }
        run = &run[..dot];
    }
    if run.starts_with(['.', '-']) { "" } else { run }
}

/// Where the letters, dots and hyphens at the start of `after` end.
fn domain_run(after: &str) -> usize {
    match after.bytes().position(|byte| !byte::DOMAIN.hold(byte)) {
        None => after.len(),
        Some(end) if after.as_bytes()[end].is_ascii() => end,
        Some(_) => {
            let foreign = after.chars().next().is_some_and(is_foreign);
            let outside = |c: char| !(is_latin(c) || (foreign && is_foreign(c)) || matches!(c, '.' | '-'));
            after.find(outside).unwrap_or(after.len())
        }
    }
}

/// Where two dots stand side by side.
fn double_dots(text: &str) -> impl DoubleEndedIterator<Item = usize> {
    text.as_bytes().windows(2).enumerate().filter(|(_, pair)| pair == b"..").map(|(at, _)| at)
}

/// Letters that addresses are commonly made of, accents included.
fn is_latin(c: char) -> bool {
    c.is_ascii_alphanumeric() || (('\u{c0}'..='\u{24f}').contains(&c) && c.is_alphabetic())
}

/// Letters of other scripts: part of an address only where it is written in one, else a neighbour.
fn is_foreign(c: char) -> bool {
    !c.is_ascii() && c.is_alphanumeric() && !is_latin(c)
}

#[cfg(test)]
mod tests {
    use super::super::Contacts;

    #[test]
    fn an_address_needs_no_white_space_around_it() {
        for (text, found) in [
            ("Mendes(Abc@x.com)", &["abc@x.com"][..]),
            ("sales+emea@example.com", &["sales+emea@example.com"]),
            ("admin-test%1223+123@duff.dev.co.", &["admin-test%1223+123@duff.dev.co"]),
            ("用户bob@example.com用户", &["bob@example.com"]),
            ("josé@bücher.example", &["josé@bücher.example"]),
            ("用户@例子.公司", &["用户@例子.公司"]),
            ("<mailto:a@b.museum>;c_d@e-f.technology", &["a@b.museum", "c_d@e-f.technology"]),
            ("a@x.com,A@X.com", &["a@x.com"]),
            ("a@x.com-b@y.com", &["a@x.com", "b@y.com"]),
            ("see...bob@x.com", &["bob@x.com"]),
            ("root@localhost 801@10.0.0.1 @x.com a@ @", &[]),
        ] {
            assert_eq!(Contacts::of(text).emails(), found, "{text}");
        }
    }
}
