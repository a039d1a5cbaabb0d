//! Items: where each one starts in a detail, and the change that it says.
//!
//! ```text
//! detail = head [ "  - " item *( " - " item ) ]
//! item   = field ": from " old " to " new | field ": set to " new | field ": " new | email
//! ```
//!
//! The rule: a ` - ` starts an item only where what follows looks like one. Hyphens in names, words and values do not.

use std::ops::Range;

use memchr::memchr_iter;
use smallvec::SmallVec;

use super::enclosure::Enclosures;
use crate::model::Change;
use crate::transform::contact;
use crate::transform::trim::trim;

/// A detail taken apart into its head and its items.
#[derive(Debug)]
pub(super) struct Parts {
    /// What comes before the first item.
    pub(super) head: Range<usize>,
    /// The items, in order.
    pub(super) items: SmallVec<[Item; 4]>,
    /// Whether it can be taken apart in another way.
    pub(super) doubtful: bool,
}

/// Where an item stands.
#[derive(Debug)]
pub(super) struct Item {
    /// From its first letter to its last one.
    pub(super) range: Range<usize>,
    /// Whether it is an email address and nothing else.
    pub(super) email: bool,
    /// Whether two spaces come before its hyphen.
    spaced: bool,
}

/// What the text between two separators looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// `field: ...`; where the colon stands.
    Field(usize),
    Email,
    Other,
}

/// What the value of the last item leaves open for the text behind it.
#[derive(Default)]
struct Value {
    /// It says `from` and no `to` yet: the rest of it must follow.
    unfinished: bool,
    /// It stands alone, so that text behind it is hardly part of it.
    whole: bool,
    /// Where such text is, which may be the start of a field with a hyphen in its name.
    field_behind: Option<usize>,
}

/// The texts that part a field from its values, the longer first.
const FROM: &str = ": from ";
const SET_TO: &str = ": set to";
const TO: &str = " to ";

impl Parts {
    pub(super) fn of(text: &str, enclosures: &Enclosures) -> Self {
        let hyphens = hyphens(text, enclosures);
        let mut parts = Self { head: 0..text.len(), items: SmallVec::new(), doubtful: false };
        let mut last = Value::default();
        for (i, &hyphen) in hyphens.iter().enumerate() {
            let end = hyphens.get(i + 1).map_or(text.len(), |next| next - 1);
            let range = hyphen + 2..end.max(hyphen + 2).min(text.len());
            let piece = &text[range.clone()];
            let spaced = text[..hyphen].ends_with("  ");
            let in_field = parts.items.last().is_some_and(|item| !item.email);
            match look(text, &range, enclosures) {
                Look::Field(colon) if last.unfinished && holds_the_rest(text, &range, colon) => {
                    (last.unfinished, parts.doubtful) = (false, true);
                }
                Look::Field(colon) => {
                    parts.doubtful |= in_field && weaker(text, &parts.items[0], &range, colon);
                    let names = |start: &usize| self::colon(text, &(*start..range.end), enclosures) == Some(colon);
                    let start = last.field_behind.filter(names).unwrap_or(range.start);
                    parts.items.push(Item { range: start..range.end, email: false, spaced });
                    // Of the last item's value nobody asks.
                    let followed = i + 1 < hyphens.len();
                    last = if followed { Value::of(&text[colon..range.end]) } else { Value::default() };
                }
                Look::Email if !in_field => parts.items.push(Item { range, email: true, spaced }),
                other => {
                    if std::mem::take(&mut last.whole) {
                        (last.field_behind, parts.doubtful) = (Some(range.start), true);
                    }
                    last.unfinished &= !continues(piece);
                    parts.doubtful |= (spaced && !after_empty_value(&text[..hyphen])) || other == Look::Email;
                    if !in_field {
                        // Text that is no item behind addresses: they belong to the head, like it.
                        parts.items.clear();
                    }
                }
            }
        }
        parts.settle(text)
    }

    /// Decides where the head ends, and every item with it.
    fn settle(mut self, text: &str) -> Self {
        let first_spaced = self.items.iter().position(|item| item.spaced && !after_empty_value(item.before(text)));
        if let (Some(spaced), Some(first)) = (first_spaced, self.items.first())
            && !first.spaced
            && !first.email
        {
            // Two spaces come after the head, so what looked like items before them is part of a name.
            self.items.drain(..spaced);
            self.doubtful = true;
        }
        if let Some(first) = self.items.first() {
            self.head.end = first.range.start - 2;
            let piece = &text[first.range.clone()];
            let stated = [FROM, SET_TO].iter().any(|marker| positions(piece, marker).next().is_some());
            // ` - Floor: 2` behind a single space may as well be the end of a name.
            let closed = ends_in_email(&text[..self.head.end]);
            let weak = !first.spaced && !first.email && !stated && !closed && self.head.end > 0;
            self.doubtful |= weak;
        }
        for i in 0..self.items.len() {
            let end = self.items.get(i + 1).map_or(text.len(), |next| next.range.start - 3);
            self.items[i].range.end = end.max(self.items[i].range.start);
        }
        self
    }
}

impl Value {
    /// Of an item from its colon on.
    fn of(tail: &str) -> Self {
        let tail = tail.trim_end();
        let value = positions(tail, TO).last().map(|to| &tail[to + TO.len()..]);
        let whole = value.is_some_and(|value| !value.is_empty() && is_scalar(value));
        Self { unfinished: says_from_without_to(tail), whole, field_behind: None }
    }
}

impl Item {
    /// The text before the item's hyphen.
    fn before<'t>(&self, text: &'t str) -> &'t str {
        &text[..self.range.start - 2]
    }

    /// The change that the item says, and whether it can be read in another way.
    pub(super) fn change<'t>(&self, text: &'t str, enclosures: &Enclosures) -> (Change<'t>, bool) {
        change(text, &self.range, enclosures)
    }
}

/// Where `marker` stands, by its first byte: for the short texts at hand that costs less than preparing a search for all
/// of it.
fn positions(text: &str, marker: &str) -> impl Iterator<Item = usize> {
    let (bytes, marker) = (text.as_bytes(), marker.as_bytes());
    memchr_iter(marker[0], bytes).filter(move |at| bytes[*at..].starts_with(marker))
}

/// Every hyphen with a space on both sides, or at the start with one behind.
fn hyphens(text: &str, enclosures: &Enclosures) -> SmallVec<[usize; 8]> {
    let bytes = text.as_bytes();
    let stands_alone = |at: usize| (at == 0 || bytes[at - 1] == b' ') && bytes.get(at + 1) == Some(&b' ');
    memchr_iter(b'-', bytes).filter(|at| stands_alone(*at) && !enclosures.hold(*at)).collect()
}

fn look(text: &str, range: &Range<usize>, enclosures: &Enclosures) -> Look {
    match colon(text, range, enclosures) {
        Some(colon) if names_a_field(&text[range.start..colon]) => Look::Field(colon),
        _ if contact::is_email(trim(&text[range.clone()])) => Look::Email,
        _ => Look::Other,
    }
}

/// Whether what comes before a colon may be a field: no signs alone, and no end of a range of hours (`- 17:00; Sat: ...`).
fn names_a_field(name: &str) -> bool {
    let hours = name.trim_start().bytes().take_while(u8::is_ascii_digit).count();
    let clock = hours > 0 && name.trim_start()[hours..].starts_with(':');
    !clock && name.contains(char::is_alphanumeric)
}

/// The first colon of a piece with a space or the end behind it.
fn colon(text: &str, range: &Range<usize>, enclosures: &Enclosures) -> Option<usize> {
    let ends = |at: usize| at + 1 == text.len() || text.as_bytes()[at + 1] == b' ';
    let mut colons = memchr_iter(b':', &text.as_bytes()[range.clone()]).map(|at| range.start + at);
    colons.find(|at| ends(*at) && !enclosures.hold(*at))
}

fn says_from_without_to(tail: &str) -> bool {
    positions(tail, FROM).next().is_some_and(|at| {
        let value = &tail[at + FROM.len() - 1..];
        positions(value, TO).next().is_none() && !value.ends_with(" to")
    })
}

/// Whether a piece that looks like an item, its colon at `colon`, is the rest of the value before it, which lacks a ` to `.
fn holds_the_rest(text: &str, piece: &Range<usize>, colon: usize) -> bool {
    let value = &text[colon..piece.end];
    let plain = !value.starts_with(FROM) && !value.starts_with(SET_TO);
    continues(&text[piece.start..colon]) || (plain && positions(value, TO).next().is_some())
}

/// Whether a head ends in an email address, which nothing can be part of the name behind.
fn ends_in_email(head: &str) -> bool {
    head.split_whitespace().next_back().is_some_and(contact::is_email)
}

/// Whether a piece holds the ` to ` that the value before it lacks.
fn continues(piece: &str) -> bool {
    piece.starts_with("to ") || positions(piece, TO).next().is_some()
}

/// Whether an item looks less like one than the first: a plain value, under a name in lower case where that is not the
/// habit.
fn weaker(text: &str, first: &Item, range: &Range<usize>, colon: usize) -> bool {
    let capital = |at: usize| text[at..].chars().next().is_some_and(char::is_uppercase);
    let plain = !text[colon..range.end].starts_with(FROM) && !text[colon..range.end].starts_with(SET_TO);
    plain
        && capital(first.range.start)
        && text[range.start..].starts_with(char::is_lowercase)
        && !contact::is_email(trim(&text[range.start..colon]))
}

/// Whether the two spaces at the end of `before` stand for an empty value.
fn after_empty_value(before: &str) -> bool {
    let value = before.trim_end_matches(' ');
    value.ends_with(':') || value.ends_with(" to") || value.ends_with(": from")
}

fn change<'t>(text: &'t str, range: &Range<usize>, enclosures: &Enclosures) -> (Change<'t>, bool) {
    let item = &text[range.clone()];
    let free = |at: &usize| !enclosures.hold(range.start + at);
    let first = |marker: &'static str| positions(item, marker).find(free);
    let set = first(SET_TO).filter(|at| matches!(item.as_bytes().get(at + SET_TO.len()), None | Some(b' ')));
    let from = first(FROM).filter(|at| set.is_none_or(|set| *at < set));
    let tos = from.map(|from| tos(item, from + FROM.len() - 1, free)).unwrap_or_default();

    if let (Some(from), false) = (from, tos.is_empty()) {
        let start = from + FROM.len();
        let (to, doubtful) = likeliest(item, start, &tos);
        let old = item.get(start..to).unwrap_or_default();
        let new = item.get(to + TO.len()..).unwrap_or_default();
        return (stated(&item[..from], Some(old), new), doubtful || to < start);
    }
    if let Some(set) = set {
        return (stated(&item[..set], None, &item[set + SET_TO.len()..]), from.is_some());
    }
    match colon(text, range, enclosures).map(|at| at - range.start) {
        Some(colon) => (stated(&item[..colon], None, &item[colon + 1..]), from.is_some()),
        None => (Change { field: trim(item).into(), ..Change::default() }, false),
    }
}

fn stated<'t>(field: &'t str, old: Option<&'t str>, new: &'t str) -> Change<'t> {
    Change { field: trim(field).into(), old_value: old.map(|old| trim(old).into()), new_value: Some(trim(new).into()) }
}

/// Where each ` to ` stands that can part the old value from the new one.
fn tos(item: &str, start: usize, free: impl Fn(&usize) -> bool) -> SmallVec<[usize; 4]> {
    let ends = |to: &usize| matches!(item.as_bytes().get(to + " to".len()), None | Some(b' '));
    positions(&item[start..], " to").map(|to| start + to).filter(ends).filter(free).collect()
}

/// The likeliest of several ` to `, and whether there was a choice. A value that is known to stand alone decides; else
/// the middle one is likeliest, as old and new values mostly are of the same make.
fn likeliest(item: &str, start: usize, tos: &[usize]) -> (usize, bool) {
    let (first, last) = (tos[0], tos[tos.len() - 1]);
    let to = if tos.len() == 1 || is_scalar(item.get(start..first).unwrap_or_default()) {
        first
    } else if is_scalar(item.get(last + TO.len()..).unwrap_or_default()) {
        last
    } else {
        tos[(tos.len() - 1) / 2]
    };
    (to, tos.len() > 1)
}

fn is_scalar(value: &str) -> bool {
    const SCALARS: [&str; 12] =
        ["", "on", "off", "yes", "no", "true", "false", "enabled", "disabled", "none", "null", "n/a"];
    let value = trim(value);
    SCALARS.iter().any(|scalar| value.eq_ignore_ascii_case(scalar))
}
