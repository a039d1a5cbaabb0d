//! Phone numbers, email addresses and extensions that a text mentions, wherever they stand in it.
//!
//! The rule: this recognises, it never validates. A number that is too short, too long or masked is still a number, and
//! what surrounds one (any script, no white space at all) does not hide it. Every scan passes over the text once.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};
use smallvec::SmallVec;

use super::byte;
use super::trim::trim;

/// Digits that no telephone number exceeds: a group that would go beyond belongs to whatever follows.
const MOST_DIGITS: usize = 17;
/// A first run this long is a whole number written compactly, so a space ends it.
const COMPACT_DIGITS: usize = 9;
/// Digits of a whole number of the North American plan, the `1` included.
const NANP_DIGITS: usize = 11;
/// Extension numbers are shorter than telephone numbers.
const MOST_EXTENSION_DIGITS: usize = 10;

/// Parts of a text, in order. Most texts have few.
type Spans = SmallVec<[Range<usize>; 2]>;

/// How many items are compared one by one before a set tells whether one is there.
const FEW: usize = 16;

/// Where a text mentions phone numbers and email addresses.
#[derive(Debug)]
pub(super) struct Contacts<'t> {
    text: &'t str,
    emails: Spans,
    phones: Spans,
}

impl<'t> Contacts<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let emails = email_spans(text).collect::<Spans>();
        let phones = if memchr(b'+', text.as_bytes()).is_some() { phone_spans(text, &emails) } else { Spans::new() };
        Self { text, emails, phones }
    }

    /// Where email addresses stand, in order.
    pub(super) fn email_spans(&self) -> &[Range<usize>] {
        &self.emails
    }

    /// Where phone numbers stand, in order.
    pub(super) fn phone_spans(&self) -> &[Range<usize>] {
        &self.phones
    }

    /// Every number written with a `+`, as `+` and digits, in order, once each.
    ///
    /// A masked number keeps the digits that show: `+1 415 *** 2671` is `+14152671`.
    pub(super) fn phone_numbers(&self) -> Vec<Cow<'t, str>> {
        once_each(self.phones.iter().map(|span| compact(&self.text[span.clone()])))
    }

    /// Every email address, lower case, in order, once each.
    pub(super) fn emails(&self) -> Vec<Cow<'t, str>> {
        once_each(self.emails.iter().map(|span| email_key(&self.text[span.clone()])))
    }

    /// Every extension number that a word announces (`Ext. 801`, `Extension Number: from 801 to 802`) or that directly
    /// follows a phone number (`+1 415 555 0100 x801`), in order, once each.
    pub(super) fn extensions(&self) -> Vec<Cow<'t, str>> {
        let mut spans = announced_extensions(self.text, &self.emails);
        spans.extend(self.phones.iter().filter_map(|phone| suffixed_extension(self.text, phone.end)));
        spans.sort_by_key(|span| span.start);
        once_each(spans.into_iter().map(|span| Cow::Borrowed(&self.text[span])))
    }
}

/// An address as the columns hold it. A letter whose lower case is more than one character stays, so that the key of a
/// key is itself.
pub(super) fn email_key(email: &str) -> Cow<'_, str> {
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

/// A number as `+` and digits.
fn compact(number: &str) -> Cow<'_, str> {
    if number[1..].bytes().all(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(number);
    }
    let digits = number.chars().filter(char::is_ascii_digit);
    Cow::Owned(std::iter::once('+').chain(digits).collect())
}

/// Whether `text` is one email address and nothing else.
pub(super) fn is_email(text: &str) -> bool {
    let may_be = memchr(b' ', text.as_bytes()).is_none() && memchr(b'@', text.as_bytes()).is_some();
    may_be && email_spans(text).next().is_some_and(|first| first.len() == text.len())
}

/// Whether an email address stands anywhere in `text`.
pub(super) fn holds_email(text: &str) -> bool {
    email_spans(text).next().is_some()
}

/// How many bytes at the start of `text` are phone numbers, email addresses and extensions, one or a list of them.
pub(super) fn leading_contacts(text: &str) -> usize {
    let start = leading_extension(text);
    if !text.starts_with('+') {
        return end_of_list(text, start, email_spans(text));
    }
    let emails = email_spans(text).collect::<Spans>();
    let mut spans = phone_spans(text, &emails);
    spans.extend(emails);
    spans.sort_by_key(|span| span.start);
    end_of_list(text, start, spans)
}

/// Where the list of `spans` ends that goes on at `start`.
fn end_of_list(text: &str, start: usize, spans: impl IntoIterator<Item = Range<usize>>) -> usize {
    let mut end = start;
    for span in spans {
        let between = text.get(end..span.start).unwrap_or("\0");
        if !matches!(trim(between), "" | "," | ";" | "&" | "and") {
            break;
        }
        end = span.end;
    }
    end
}

fn once_each<'t>(items: impl Iterator<Item = Cow<'t, str>>) -> Vec<Cow<'t, str>> {
    let mut list: Vec<Cow<'t, str>> = Vec::new();
    let mut listed: Option<HashSet<Cow<'t, str>>> = None;
    for item in items {
        let is_listed = if list.len() <= FEW {
            list.contains(&item)
        } else {
            !listed.get_or_insert_with(|| list.iter().cloned().collect()).insert(item.clone())
        };
        if !is_listed {
            list.push(item);
        }
    }
    list
}

// Email addresses

fn email_spans(text: &str) -> impl Iterator<Item = Range<usize>> {
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

// Phone numbers

fn phone_spans(text: &str, emails: &[Range<usize>]) -> Spans {
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

// Extensions

/// Words after `ext` that leave it an announcement.
const QUALIFIERS: [&str; 6] = ["number", "num", "no", "from", "set to", "to"];

fn announced_extensions(text: &str, emails: &[Range<usize>]) -> Spans {
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
fn suffixed_extension(text: &str, end: usize) -> Option<Range<usize>> {
    let rest = &text[end..];
    let gap = usize::from(rest.starts_with(' '));
    let (skipped, len) = suffix_digits(&rest[gap..])?;
    let start = end + gap + skipped;
    Some(start..start + len)
}

/// How far behind an `x` or `ext` the digits start, and how many there are.
fn suffix_digits(text: &str) -> Option<(usize, usize)> {
    let word = ["ext.", "ext", "x"].iter().find(|word| starts_with(text, word))?;
    let gap = word.len() + usize::from(text[word.len()..].starts_with(' '));
    extension_digits(&text[gap..]).map(|len| (gap, len))
}

/// How many bytes at the start of `text` are one announced extension, or nothing but digits.
fn leading_extension(text: &str) -> usize {
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

/// Whether `at` lies in one of the ordered, disjoint `spans`.
fn within(spans: &[Range<usize>], at: usize) -> bool {
    let next = spans.partition_point(|span| span.end <= at);
    spans.get(next).is_some_and(|span| span.start <= at)
}

#[cfg(test)]
mod tests {
    use super::*;

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
