//! Phone numbers: where they stand in a text, and their digits.
//!
//! The rule: a number is written with a `+`, and ends before a date, a time, a count or another number.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr_iter;

use super::extension::suffix_digits;
use super::{Spans, within};

/// Digits that no telephone number exceeds: a group that would go beyond belongs to whatever follows.
const MOST_DIGITS: usize = 17;
/// A first run this long is a whole number written compactly, so a space ends it.
const COMPACT_DIGITS: usize = 9;
/// Digits of a whole number of the North American plan, the `1` included.
const NANP_DIGITS: usize = 11;

/// A number as `+` and digits.
pub(super) fn compact(number: &str) -> Cow<'_, str> {
    if number[1..].bytes().all(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(number);
    }
    let digits = number.chars().filter(char::is_ascii_digit);
    Cow::Owned(std::iter::once('+').chain(digits).collect())
}

pub(super) fn phone_spans(text: &str, emails: &[Range<usize>]) -> Spans {
    let mut spans = Spans::new();
    for plus in memchr_iter(b'+', text.as_bytes()) {
        let previous_end = spans.last().map_or(0, |span| span.end);
        // `\+` is the sign itself, in a pattern.
        if plus < previous_end || text[..plus].ends_with('\\') || within(emails, plus) {
            continue;
        }
        let Some(number) = number_at(text, plus) else { continue };
        let glued =
            plus > previous_end && text[..plus].trim_end_matches('+').ends_with(|c: char| c.is_ascii_alphanumeric());
        // `C++11` and `UTC+8` are no numbers to call; `Mobile+14155550100` is.
        let plausible = !glued || (number.digits >= 7 && !after_zone(text, plus));
        if plausible && !(number.digits <= 4 && (after_zone(text, plus) || is_offset(&text[number.end..]))) {
            spans.push(plus..number.end);
        }
    }
    spans
}

/// Where a number ends, and how many of its digits show.
struct Number {
    end: usize,
    digits: usize,
}

/// Reads the number whose `+` stands at `plus`: groups of digits with at most two separators between.
fn number_at(text: &str, plus: usize) -> Option<Number> {
    let after = &text[plus + 1..];
    let opened = after.strip_prefix('(').map_or(0, |_| 1);
    let first = group(&after[opened..])?;
    let mut number = Number { end: plus + 1 + opened + first.len, digits: first.digits };
    if opened == 1 {
        text[number.end..].starts_with(')').then_some(())?;
    }
    loop {
        let rest = &text[number.end..];
        let Some(separator) = separator(rest) else { break };
        let tail = &rest[separator.len..];
        let Some(next) = group(tail) else { break };
        if !belongs(&number, first.digits, text.as_bytes()[plus + 1], &separator, &next, tail) {
            break;
        }
        number.end += separator.len + next.len;
        number.digits += next.digits;
    }
    (number.digits > 0).then_some(number)
}

/// Whether the group at the start of `tail` is part of the number before it, and not a date, a time, a count or another
/// number.
fn belongs(number: &Number, first_digits: usize, lead: u8, separator: &Separator, group: &Group, tail: &str) -> bool {
    let after = &tail[group.len..];
    let whole = number.digits >= NANP_DIGITS && lead == b'1';
    if number.digits + group.digits > MOST_DIGITS || (separator.opens && number.digits > 4) {
        return false;
    }
    if separator.opens && !after.starts_with(')') {
        return false;
    }
    if separator.spaced {
        let stray = number.digits >= 10 && group.len == 1;
        if whole || stray || first_digits >= COMPACT_DIGITS || (number.digits >= 4 && is_date(tail)) {
            return false;
        }
        let unit = after.starts_with(|c: char| c.is_ascii_alphabetic()) && suffix_digits(after).is_none();
        if unit || starts_slashed_date(group, after) || after.starts_with(['%', '@', '_']) || is_offset(after) {
            return false;
        }
    }
    true
}

/// What stands between two groups of a number.
struct Separator {
    len: usize,
    spaced: bool,
    opens: bool,
}

/// One or two of space, hyphen, dot and bracket, never two spaces: those part the text's own pieces.
fn separator(text: &str) -> Option<Separator> {
    let mut separator = Separator { len: 0, spaced: false, opens: false };
    let mut count = 0;
    for c in text.chars() {
        match c {
            ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' if !separator.spaced => separator.spaced = true,
            '-' | '\u{2010}' | '\u{2011}' | '.' | ')' => {}
            '(' => separator.opens = true,
            _ if is_invisible(c) => {
                separator.len += c.len_utf8();
                continue;
            }
            _ => break,
        }
        count += 1;
        separator.len += c.len_utf8();
    }
    (1..=2).contains(&count).then_some(separator)
}

/// Marks that set a number's direction in right-to-left text, and zero-width spaces.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}')
}

/// A run of digits and mask characters.
struct Group {
    len: usize,
    digits: usize,
}

fn group(text: &str) -> Option<Group> {
    let mut group = Group { len: 0, digits: 0 };
    for (at, c) in text.char_indices() {
        match c {
            '0'..='9' => group.digits += 1,
            '*' | '•' => {}
            // One `x` announces an extension, several hide digits.
            'x' | 'X' if text[at + 1..].starts_with(c) || (group.len > 0 && text[..at].ends_with(c)) => {}
            _ => break,
        }
        group.len = at + c.len_utf8();
    }
    (group.len > 0).then_some(group)
}

/// Whether a group and what is behind it start a date: `31/01/...`, `2024/01/...`, and not `0100/0101`.
fn starts_slashed_date(group: &Group, after: &str) -> bool {
    let Some(rest) = after.strip_prefix('/') else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    group.len <= 2 || (group.len == 4 && (1..=2).contains(&digits))
}

/// Whether the number before `after` was the hours of a clock or an offset: `+05:30`.
fn is_offset(after: &str) -> bool {
    after.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn after_zone(text: &str, plus: usize) -> bool {
    let before = text[..plus].trim_end_matches(' ').as_bytes();
    let Some(zone) = before.len().checked_sub(3).map(|start| &before[start..]) else { return false };
    zone.eq_ignore_ascii_case(b"utc") || zone.eq_ignore_ascii_case(b"gmt")
}

/// Whether `text` starts with a date of this or the last century: `2024-01-31`, `31.01.2024`, `01-31-2024`.
fn is_date(text: &str) -> bool {
    let Some(date) = text.as_bytes().get(..10) else { return false };
    if text.as_bytes().get(10).is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let year_at = |at: usize| matches!(&date[at..at + 4], [b'1', b'9', y, z] | [b'2', b'0', y, z] if y.is_ascii_digit() && z.is_ascii_digit());
    let low = |at: usize| matches!(&date[at..at + 2], [b'0'..=b'3', unit] if unit.is_ascii_digit());
    let parted = |at: usize| matches!(date[at], b'-' | b'.');
    (year_at(0) && parted(4) && low(5) && parted(7) && low(8))
        || (low(0) && parted(2) && low(3) && parted(5) && year_at(6))
}

#[cfg(test)]
mod tests {
    use super::super::Contacts;

    #[test]
    fn a_number_ends_where_something_else_begins() {
        for (text, numbers) in [
            ("+86 182 5188 5564", &["+8618251885564"][..]),
            ("+1 (415) 555-0100", &["+14155550100"]),
            ("(+49) 30/1", &["+49"]),
            ("+(44) 20 7946 0958.", &["+442079460958"]),
            ("+1.415.555.0100", &["+14155550100"]),
            ("+1\u{a0}415\u{a0}555\u{2011}0100", &["+14155550100"]),
            ("\u{202a}+972 3 123 4567\u{202c}", &["+97231234567"]),
            ("号码+8618251885564号", &["+8618251885564"]),
            ("+14155550100-+14155550101,+1", &["+14155550100", "+14155550101", "+1"]),
            ("+14155550100 - 2", &["+14155550100"]),
            ("+1 415 555 0100 to 801", &["+14155550100"]),
            ("+44 20 7946 0958 2024-01-31", &["+442079460958"]),
            ("+44 20 7946 0958 31.01.2024", &["+442079460958"]),
            ("+1 415 555 0100 01/02/2024 10:30", &["+14155550100"]),
            ("+14155550100 14155550101", &["+14155550100"]),
            ("+1 415 555 0100/0101", &["+14155550100"]),
            ("+44 20 7946 0958 2024/1/31", &["+442079460958"]),
            (r"^\+49(1[5-7])", &[]),
            ("+120000123 3 devices", &["+120000123"]),
            ("+44 20 7946 0958 (12 users)", &["+442079460958"]),
            ("+14155550100, again +1 415 555 0100", &["+14155550100"]),
            ("sales+emea@example.com", &[]),
            ("C++11, UTC+8, (GMT+8:00), UTC +0530, a + 1", &[]),
        ] {
            assert_eq!(Contacts::of(text).phone_numbers(), numbers, "{text}");
        }
    }

    #[test]
    fn short_and_masked_numbers_stay() {
        for (text, number) in [
            ("+1 415 *** 2671", "+14152671"),
            ("+1415555****", "+1415555"),
            ("+1 415 XXX XXXX", "+1415"),
            ("+***2671", "+2671"),
            ("+86", "+86"),
            ("+12345678901234567890", "+12345678901234567890"),
        ] {
            assert_eq!(Contacts::of(text).phone_numbers(), [number], "{text}");
        }
    }
}
