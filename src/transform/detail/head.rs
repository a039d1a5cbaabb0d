//! The head of a detail: what was done, to what, and who else was part of it.
//!
//! ```text
//! head   = [ verb ] object-type object-name [ preposition target ]
//! target = name "(" email ")" | name
//! ```
//!
//! The rule: precision before recall. A word is taken for a type only where the lexicon knows it, and a head that fits no
//! rule is an object name as a whole.

use std::borrow::Cow;
use std::ops::Range;

use super::enclosure::Enclosures;
use super::lexicon::{self, ObjectType, Verb};
use super::target::{self, Expectation, Parted};
use crate::model::{Detail, DetailStatus};
use crate::transform::contact;
use crate::transform::trim::trim;

/// Words before an object type that say nothing of it.
const ARTICLES: [&str; 6] = ["a ", "an ", "the ", "new ", "zoom phone ", "zoom "];

/// A head as read.
struct Reading<'t> {
    verb: Option<Cow<'t, str>>,
    object_type: Option<Cow<'static, str>>,
    parted: Parted<'t>,
    status: DetailStatus,
}

/// A head before it is read.
pub(super) struct Head<'t, 'e> {
    text: &'t str,
    /// Where it starts in what `enclosures` were read from.
    offset: usize,
    enclosures: &'e Enclosures,
    /// The name of a type that the lexicon may lack.
    category: Option<&'e str>,
    has_items: bool,
}

impl<'t, 'e> Head<'t, 'e> {
    /// The head at `range` of `text`.
    pub(super) fn new(
        text: &'t str,
        range: Range<usize>,
        enclosures: &'e Enclosures,
        category: Option<&'e str>,
        has_items: bool,
    ) -> Self {
        let head = &text[range.clone()];
        let offset = range.start + (head.len() - head.trim_start().len());
        Self { text: trim(head), offset, enclosures, category, has_items }
    }

    /// Reads it into the columns that are about it.
    pub(super) fn read_into(&self, detail: &mut Detail<'t>) {
        let reading = self.read();
        detail.status = reading.status;
        detail.verb = reading.verb;
        detail.object_type = reading.object_type;
        detail.object_name = Some(reading.parted.object_name).filter(|name| !name.is_empty()).map(Cow::Borrowed);
        detail.target_relation = reading.parted.relation;
        detail.target_name = reading.parted.target.name.map(Cow::Borrowed);
        detail.target_email = reading.parted.target.email.map(contact::email_key);
    }

    fn read(&self) -> Reading<'t> {
        let word = lexicon::word_at(self.text, 0);
        let rest = self.text[word.len()..].trim_start();
        match lexicon::verb(word) {
            Some(verb) if !self.opens_with_a_noun(verb, rest) => self.with_verb(verb, word, rest),
            None if lexicon::is_adverb(word) => self.with_adverb(rest),
            _ => self.without_verb(),
        }
    }

    /// Whether the first word, though a known verb, is the start of a noun: `Blocked User`, `Transfer Options`.
    fn opens_with_a_noun(&self, verb: Verb, rest: &str) -> bool {
        if !verb.doubtful {
            return false;
        }
        let phrase = lexicon::object_type(self.text).is_some_and(|(_, end)| self.text[..end].contains([' ', '-']));
        let says_what =
            find_type(rest).is_some_and(|(object, _)| !object.general) || contact::leading_contacts(rest) > 0;
        phrase || (self.has_items && !says_what)
    }

    fn with_verb(&self, verb: Verb, word: &'t str, rest: &'t str) -> Reading<'t> {
        if rest.is_empty() {
            return if self.has_items { self.bare(verb.spelled(word)) } else { self.whole(DetailStatus::Unparsed) };
        }
        let (object_type, end, party) = self.object_type(rest);
        let (kind, name) = (&rest[..end], after_type(&rest[end..]));
        let parted = self.part(name, Expectation { verb: Some(verb), party });
        let known = object_type.is_some() || is_contact(parted.object_name);
        let sure = known && !parted.doubtful && !is_sentence(kind, parted.object_name);
        Reading { verb: Some(verb.spelled(word)), object_type, parted, status: status(sure) }
    }

    /// The slug of the longest type at the start of `text`, where it ends, and whether it is a person, a number or a device.
    fn object_type(&self, text: &str) -> (Option<Cow<'static, str>>, usize, bool) {
        let known = find_type(text).map(|(object, end)| (with_suffix(object, text, end), object.party));
        let category = self.category.and_then(|name| lexicon::category(name, text));
        match (known, category) {
            (known, Some((slug, end))) if known.as_ref().is_none_or(|((_, known_end), _)| *known_end < end) => {
                (Some(Cow::Owned(slug)), end, false)
            }
            (Some(((slug, end), party)), _) => (Some(slug), end, party),
            (None, _) => (None, 0, false),
        }
    }

    /// As without the adverb, which no column holds.
    fn with_adverb(&self, rest: &'t str) -> Reading<'t> {
        let word = lexicon::word_at(rest, 0);
        match lexicon::verb(word) {
            Some(verb) if word.len() < rest.len() => {
                let reading = self.with_verb(verb, word, rest[word.len()..].trim_start());
                Reading { status: DetailStatus::Ambiguous, ..reading }
            }
            _ => self.without_verb(),
        }
    }

    /// A type and a number or an address, or else a settings section, which only its items tell from any other text.
    fn without_verb(&self) -> Reading<'t> {
        let object = find_type(self.text);
        if let Some((object, end)) = object {
            let parted = self.part(after_type(&self.text[end..]), Expectation { verb: None, party: object.party });
            if !parted.object_name.is_empty() && is_contact_list(parted.object_name) {
                let status = status(!parted.doubtful);
                return Reading { verb: None, object_type: Some(Cow::Borrowed(object.slug)), parted, status };
            }
        }
        if !self.has_items {
            return self.whole(DetailStatus::Unparsed);
        }
        // `Call Queue Sales` may be a section's title, or a queue whose verb is left out.
        let named = object.is_some_and(|(object, end)| {
            let rest = &self.text[with_suffix(object, self.text, end).1..];
            rest.trim_start().starts_with(|c: char| !c.is_lowercase() && c != '&')
        });
        let word = lexicon::word_at(self.text, 0);
        let general = find_type(self.text[word.len()..].trim_start()).is_some_and(|(object, _)| object.general);
        let noun_or_verb = lexicon::verb(word).is_some() && object.is_none() && !general;
        let titled = self.text.rsplit(' ').next().is_some_and(lexicon::ends_title);
        self.whole(status(titled || (!named && !noun_or_verb)))
    }

    fn part(&self, text: &'t str, expected: Expectation) -> Parted<'t> {
        // The head is trimmed, so what is left of it is always its tail.
        let offset = self.offset + self.text.len() - text.len();
        target::part(text, offset, self.enclosures, expected)
    }

    /// All of the head as the object's name.
    fn whole(&self, status: DetailStatus) -> Reading<'t> {
        let parted = Parted { object_name: self.text, ..Parted::default() };
        Reading { verb: None, object_type: None, parted, status }
    }

    fn bare(&self, verb: Cow<'t, str>) -> Reading<'t> {
        Reading { verb: Some(verb), object_type: None, parted: Parted::default(), status: DetailStatus::Parsed }
    }
}

fn status(sure: bool) -> DetailStatus {
    if sure { DetailStatus::Parsed } else { DetailStatus::Ambiguous }
}

/// The longest type at the start of `text`, articles aside, and where it ends.
fn find_type(text: &str) -> Option<(ObjectType, usize)> {
    let behind = |article: &&str| {
        let (start, rest) = text.split_at_checked(article.len())?;
        let found = start.eq_ignore_ascii_case(article).then(|| lexicon::object_type(rest)).flatten();
        found.map(|(object, end)| (object, article.len() + end))
    };
    let may_open = text.bytes().next().is_some_and(|first| matches!(first | 0x20, b'a' | b't' | b'n' | b'z'));
    let articles = if may_open { &ARTICLES[..] } else { &[] };
    let articled = articles.iter().filter_map(behind).max_by_key(|(_, end)| *end);
    let direct = lexicon::object_type(text);
    // The later of two equals wins.
    articled.into_iter().chain(direct).max_by_key(|(_, end)| *end)
}

/// The slug of a type and of the general noun behind it, where that ends the head or its object: `call queue settings`.
fn with_suffix(object: ObjectType, text: &str, end: usize) -> (Cow<'static, str>, usize) {
    let start = end + (text[end..].len() - text[end..].trim_start().len());
    let word = lexicon::word_at(text, start);
    let ends = || {
        let next = lexicon::word_at(text[start + word.len()..].trim_start(), 0);
        next.is_empty() || lexicon::preposition(next).is_some()
    };
    match lexicon::suffix(word) {
        Some(noun) if ends() => (Cow::Owned(format!("{}_{noun}", object.slug)), start + word.len()),
        _ => (Cow::Borrowed(object.slug), end),
    }
}

/// What follows a type, without the hyphen that may come between: `delete user - user2@example.com`.
fn after_type(text: &str) -> &str {
    let text = text.trim_start();
    text.strip_prefix("- ").map_or(text, str::trim)
}

/// Whether a name needs no type to say what it is: numbers and addresses, or a person with their address.
fn is_contact(name: &str) -> bool {
    is_contact_list(name) || (name.ends_with(')') && target::ends_with_address(name))
}

/// Whether a name is numbers and addresses and nothing else.
fn is_contact_list(name: &str) -> bool {
    !name.is_empty() && contact::leading_contacts(name) == name.len()
}

/// Whether a name reads on from its type as a sentence does, so that the type may end elsewhere: `user interface language`.
fn is_sentence(kind: &str, name: &str) -> bool {
    let last_word = kind.rsplit(' ').next().unwrap_or_default();
    last_word.starts_with(char::is_lowercase)
        && name.starts_with(char::is_lowercase)
        && name.contains(' ')
        && !name.contains(['@', '+'])
}
