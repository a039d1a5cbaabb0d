//! The second party of a head: where its preposition stands, and whom it names.
//!
//! The rule: names hold prepositions too (`Welcome from HR`), so a split that is not certain says so.

use std::cell::LazyCell;

use memchr::memrchr;
use smallvec::SmallVec;

use super::enclosure::Enclosures;
use super::lexicon::{self, Bond, Preposition, Verb};
use crate::transform::contact;
use crate::transform::trim::trim;

/// The text between the object type and the end of a head, parted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parted<'t> {
    pub(super) object_name: &'t str,
    pub(super) relation: Option<&'static str>,
    pub(super) target: Party<'t>,
    /// Whether it can be parted in another way.
    pub(super) doubtful: bool,
}

/// Whom a preposition names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Party<'t> {
    pub(super) name: Option<&'t str>,
    pub(super) email: Option<&'t str>,
}

/// A place where a name may be parted.
struct Split {
    preposition: Preposition,
    /// Where the preposition starts.
    at: usize,
    /// Whether what comes before can be no longer: a number, an address, or nothing.
    closed: bool,
    /// Whether what follows starts with an object type.
    typed: bool,
    /// Whether what follows starts with a number, an address or a host.
    contact: bool,
}

/// What the verb and the object say about the splits to expect.
#[derive(Clone, Copy)]
pub(super) struct Expectation {
    pub(super) verb: Option<Verb>,
    /// Whether the object is a person, a number or a device.
    pub(super) party: bool,
}

impl Expectation {
    fn bond(self, preposition: Preposition) -> Bond {
        match self.verb.map_or(Bond::None, |verb| verb.bond(preposition.word)) {
            Bond::TakesForParty if self.party => Bond::Takes,
            Bond::TakesForParty => Bond::None,
            bond => bond,
        }
    }
}

/// Parts `text`, which starts at `offset` of what `enclosures` were read from.
pub(super) fn part<'t>(text: &'t str, offset: usize, enclosures: &Enclosures, expected: Expectation) -> Parted<'t> {
    let splits = splits(text, offset, enclosures, expected);
    let addressed = || party(text).0.email.is_some();
    let (split, doubtful) = match splits.as_slice() {
        [] => (None, false),
        [only] => judge(only, expected, addressed()),
        several => (likeliest(several, expected, addressed()), true),
    };
    let Some(split) = split else { return Parted { object_name: trim(text), doubtful, ..Parted::default() } };

    let named = trim(&text[split.at + split.preposition.word.len()..]);
    let (target, unclear) = party(named);
    Parted {
        object_name: trim(&text[..split.at]),
        relation: Some(split.preposition.word),
        doubtful: doubtful || unclear || named.is_empty(),
        target,
    }
}

/// Every place where a preposition may part `text`.
fn splits(text: &str, offset: usize, enclosures: &Enclosures, expected: Expectation) -> SmallVec<[Split; 2]> {
    let known_end = LazyCell::new(|| contact::leading_contacts(text));
    let mut splits = SmallVec::new();
    let mut floor = 0;
    for (at, word) in words(text) {
        let Some(preposition) = lexicon::preposition(word) else { continue };
        if enclosures.hold(offset + at) {
            continue;
        }
        let before = text[floor..at].trim_end();
        let whole = floor + before.len() == *known_end || (before.ends_with(')') && ends_with_address(before));
        let after = text[at + word.len()..].trim_start();
        let split = Split {
            preposition,
            at,
            closed: whole || text[..at].trim_start().is_empty(),
            typed: lexicon::object_type(after).is_some_and(|(object, _)| !object.general),
            contact: is_contact(lexicon::word_at(after, 0)),
        };
        floor = at;
        let bonded = expected.bond(preposition) != Bond::None;
        // `Update Extension of Sam(sam@x.com)`: no name, though names start with such words.
        let nameless = at == 0 && party(after).0.email.is_some();
        if preposition.core || bonded || nameless || (split.closed && at > 0) || split.typed || split.contact {
            splits.push(split);
        }
    }
    splits
}

/// The words of `text` between spaces, with where each starts.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.as_bytes().split(|byte| *byte == b' ').map(move |word| {
        let end = start + word.len();
        (std::mem::replace(&mut start, end + 1), &text[end - word.len()..end])
    })
}

/// Whether the only split holds, and whether that is doubtful.
fn judge(split: &Split, expected: Expectation, addressed: bool) -> (Option<&Split>, bool) {
    let bond = expected.bond(split.preposition);
    if split.closed || split.contact || addressed || bond == Bond::Demands {
        return (Some(split), false);
    }
    match bond {
        Bond::Takes => (Some(split), !expected.party && !split.typed),
        _ if split.typed || expected.party => (Some(split), true),
        _ => (None, true),
    }
}

fn likeliest(splits: &[Split], expected: Expectation, addressed: bool) -> Option<&Split> {
    let bonded = |split: &&Split| matches!(expected.bond(split.preposition), Bond::Demands | Bond::Takes);
    let first = splits.first().filter(|first| first.closed);
    // `Move ... from here to there`: the pair is kept whole, as the second party.
    let pair = splits.iter().all(|split| bonded(&split)).then(|| splits.first()).flatten();
    let pair = pair.filter(|first| first.preposition.word == "from");
    let strong = |split: &&Split| split.preposition.core && (addressed || split.contact || split.typed);
    let bonded_one = || if expected.party { splits.iter().find(bonded) } else { splits.iter().rfind(bonded) };
    first.or(pair).or_else(|| splits.iter().rfind(strong)).or_else(bonded_one)
}

/// A number, an address or a host: `+1415`, `sam@example.com`, `example.com`.
fn is_contact(word: &str) -> bool {
    let number = word.strip_prefix('+').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    number || contact::is_email(word) || is_host(word)
}

fn is_host(word: &str) -> bool {
    let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let last = word.rsplit('.').next().unwrap_or_default();
    word.chars().all(host)
        && !word.starts_with('.')
        && last.len() < word.len()
        && last.len() > 1
        && last.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Whether the last bracket of a `text` that ends with one holds an address.
pub(super) fn ends_with_address(text: &str) -> bool {
    text.rfind('(').is_some_and(|open| contact::is_email(trim(&text[open + 1..text.len() - 1])))
}

/// Whom `text` names, and whether some of it is left over: `name(email)`, `email` or `name`.
fn party(text: &str) -> (Party<'_>, bool) {
    let text = trim(text);
    if contact::is_email(text) {
        return (Party { name: None, email: Some(text) }, false);
    }
    if let Some((open, close)) = last_group(text) {
        let held = trim(&text[open + 1..close]);
        if contact::is_email(held) {
            let name = some(&text[..open]);
            // Something behind the address, or another party before it.
            let left_over = !trim(&text[close + 1..]).is_empty() || name.is_some_and(contact::holds_email);
            return (Party { name, email: Some(held) }, left_over);
        }
    } else if let Some((name, word)) = text.rsplit_once(' ')
        && contact::is_email(word.trim_matches(['<', '>']))
    {
        return addressed(text, name, word);
    }
    (Party { name: some(text), email: None }, false)
}

/// Whom a `name` and the email address `word` behind it, bracketed or not, make together.
fn addressed<'t>(text: &'t str, name: &'t str, word: &'t str) -> (Party<'t>, bool) {
    let email = word.trim_matches(['<', '>']);
    if lexicon::object_type(name).is_some_and(|(_, end)| end == name.len()) {
        // `User sam@example.com`: a type, and the address in place of a name.
        return (Party { name: Some(text), email: Some(email) }, false);
    }
    if name.rsplit(' ').next().and_then(lexicon::preposition).is_some() {
        // `... for sam@example.com`: the address is a third party's.
        return (Party { name: Some(text), email: None }, true);
    }
    let bracketed = word.len() == email.len() + 2;
    (Party { name: some(name), email: Some(email) }, !bracketed)
}

/// Where the last balanced group opens and closes.
fn last_group(text: &str) -> Option<(usize, usize)> {
    let close = memrchr(b')', text.as_bytes())?;
    let mut depth = 0_usize;
    for (at, byte) in text.as_bytes()[..=close].iter().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' if depth == 1 => return Some((at, close)),
            b'(' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn some(text: &str) -> Option<&str> {
    Some(trim(text)).filter(|text| !text.is_empty())
}
