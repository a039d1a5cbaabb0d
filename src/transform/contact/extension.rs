//! Extension numbers: announced by a word, or right behind a phone number.
//!
//! The rule: digits alone are no extension, nor are those of a date, a time or a name.

use std::ops::Range;

use memchr::memchr2;

use super::{Spans, within};

/// Extension numbers are shorter than telephone numbers.
const MOST_EXTENSION_DIGITS: usize = 10;

/// Words after `ext` that leave it an announcement.
const QUALIFIERS: [&str; 6] = ["number", "num", "no", "from", "set to", "to"];

pub(super) fn announced_extensions(text: &str, emails: &[Range<usize>]) -> Spans {
    let bytes = text.as_bytes();
    let mut spans = Spans::new();
    let mut from = 0;
    while let Some(found) = memchr2(b'x', b'X', &bytes[from..]) {
        let x = from + found;
        from = x + 1;
        let Some(start) = x.checked_sub(1).filter(|start| starts_with_bytes(&bytes[*start..], b"ext")) else {
            continue;
        };
        let inside = start > 0 && (bytes[start - 1].is_ascii_alphanumeric() || bytes[start - 1] == b'_');
        if inside || within(emails, start) {
            continue;
        }
        let Some((mut at, many)) = announcement(text, start) else { continue };
        while let Some(len) = extension_digits(&text[at..]) {
            spans.push(at..at + len);
            at += len;
            let Some(gap) = listed(&text[at..], many) else { break };
            at += gap;
        }
        from = from.max(at);
    }
    spans
}

/// Where the number starts that the word at `start` announces, and whether it may be one of several.
fn announcement(text: &str, start: usize) -> Option<(usize, bool)> {
    const WORDS: [&str; 6] = ["extensions", "extension", "extns", "extn", "exts", "ext"];
    let word = WORDS.iter().find(|word| starts_with(&text[start..], word))?;
    let mut at = start + word.len();
    let mut many = word.ends_with('s');
    loop {
        let rest = &text[at..];
        let gap = rest.len() - rest.trim_start_matches([' ', '.', ':', '#', '(']).len();
        at += gap;
        if text[at..].starts_with(|c: char| c.is_ascii_digit()) {
            return Some((at, many));
        }
        let qualifier = QUALIFIERS.iter().find(|word| gap > 0 && starts_with(&text[at..], word))?;
        at += qualifier.len();
        if text[at..].starts_with(['s', 'S']) {
            at += 1;
            many = true;
        }
        many |= *qualifier == "from";
        text[at..].starts_with([' ', '.', ':', '#']).then_some(())?;
    }
}

/// The gap to the next number of a list, or of a change from one number to another.
fn listed(text: &str, many: bool) -> Option<usize> {
    let gap = [", ", ",", "; ", ";", " and ", " & ", " to "].iter().find(|gap| text.starts_with(**gap))?;
    (many && extension_digits(&text[gap.len()..]).is_some()).then_some(gap.len())
}

/// The length of the extension number that `text` starts with.
fn extension_digits(text: &str) -> Option<usize> {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut after = text[len..].chars();
    let ends = match after.next() {
        Some(c) if c.is_ascii_alphanumeric() || matches!(c, '_' | '@') => false,
        // A date, a time or a decimal number.
        Some('/' | ':' | '.') => !after.next().is_some_and(|c| c.is_ascii_digit()),
        _ => true,
    };
    (ends && (1..=MOST_EXTENSION_DIGITS).contains(&len)).then_some(len)
}

/// The extension number right behind a phone number that ends at `end`: `x801`, ` x 801`.
pub(super) fn suffixed_extension(text: &str, end: usize) -> Option<Range<usize>> {
    let rest = &text[end..];
    let gap = usize::from(rest.starts_with(' '));
    let (skipped, len) = suffix_digits(&rest[gap..])?;
    let start = end + gap + skipped;
    Some(start..start + len)
}

/// How far behind an `x` or `ext` the digits start, and how many there are.
pub(super) fn suffix_digits(text: &str) -> Option<(usize, usize)> {
    let word = ["ext.", "ext", "x"].iter().find(|word| starts_with(text, word))?;
    let gap = word.len() + usize::from(text[word.len()..].starts_with(' '));
    extension_digits(&text[gap..]).map(|len| (gap, len))
}

/// How many bytes at the start of `text` are one announced extension, or nothing but digits.
pub(super) fn leading_extension(text: &str) -> usize {
    if let Some(len) = extension_digits(text) {
        return len;
    }
    let announced = if starts_with(text, "ext") { announcement(text, 0) } else { None };
    announced.and_then(|(at, _)| extension_digits(&text[at..]).map(|len| at + len)).unwrap_or(0)
}

fn starts_with(text: &str, word: &str) -> bool {
    starts_with_bytes(text.as_bytes(), word.as_bytes())
}

fn starts_with_bytes(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::super::Contacts;

    #[test]
    fn an_extension_is_announced_or_follows_a_number() {
        for (text, found) in [
            ("Ext. 801", &["801"][..]),
            ("(ext 801)", &["801"]),
            ("ext: 801, Ext.802", &["801", "802"]),
            ("Extension Number 801", &["801"]),
            ("Extension Number: from 801 to 802", &["801", "802"]),
            ("Extension: set to 0801", &["0801"]),
            ("Extensions 801, 802 and 803", &["801", "802", "803"]),
            ("Extensions: 801;802; 803", &["801", "802", "803"]),
            ("Extension 801, 2 devices", &["801"]),
            ("+1 415 555 0100 x801", &["801"]),
            ("+14155550100ext. 801", &["801"]),
            ("Next 801, text 5, x86, 1920x1080, Sam x801", &[]),
            ("Extension 01/02/2024, Ext 10:30, Ext 12345678901, ext801@x.com", &[]),
            ("Extension Template 801", &[]),
        ] {
            assert_eq!(Contacts::of(text).extensions(), found, "{text}");
        }
    }
}
