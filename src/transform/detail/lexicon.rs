//! The words that heads are made of: verbs, object types and prepositions, read from `lexicon.tsv`.
//!
//! The rule: a word is added there, with its source, and never in code.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

use crate::transform::byte;

const TABLE: &str = include_str!("lexicon.tsv");

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::read(TABLE));

/// What is known of a verb.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verb {
    /// Its base form.
    word: &'static str,
    /// Prepositions that follow it, with their marks.
    prepositions: &'static str,
    /// Whether the word may as well be a noun, or (a past form) an adjective.
    pub(super) doubtful: bool,
}

/// How a verb takes to a preposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bond {
    /// The verb makes no sense without a second party.
    Demands,
    /// The verb usually has one.
    Takes,
    /// The verb has one where the object is a person, a number or a device.
    TakesForParty,
    /// The verb has none.
    None,
}

/// A kind of thing that can be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ObjectType {
    /// The slug, in the singular.
    pub(super) slug: &'static str,
    /// A person, a number or a device: its name is no phrase.
    pub(super) party: bool,
    /// A word that alone says nothing of what was acted on: `settings`.
    pub(super) general: bool,
}

/// A preposition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preposition {
    /// In lower case.
    pub(super) word: &'static str,
    /// Whether it may split any head, and not only one where what surrounds it leaves no doubt.
    pub(super) core: bool,
}

struct Lexicon {
    verbs: Words<&'static [u8], Verb>,
    /// Every type under its normal form, and every start of one with `None`.
    objects: Words<Box<[u8]>, Option<ObjectType>>,
    /// The single words of the types.
    object_words: Words<Box<[u8]>, ()>,
    /// By length.
    prepositions: Vec<Vec<Preposition>>,
    adverbs: Vec<&'static str>,
    suffixes: Words<&'static [u8], &'static str>,
    /// Their first letters.
    suffix_starts: Vec<u8>,
    titles: Words<&'static [u8], ()>,
}

/// Found by every word of every head: so by a fast hash, whose seed no secret depends on.
type Words<K, V> = HashMap<K, V, FixedState>;

impl Lexicon {
    fn read(table: &'static str) -> Self {
        let mut lexicon = Self {
            verbs: Words::default(),
            objects: Words::default(),
            object_words: Words::default(),
            prepositions: Vec::new(),
            adverbs: Vec::new(),
            suffixes: Words::default(),
            suffix_starts: Vec::new(),
            titles: Words::default(),
        };
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('\t');
            if let (Some(kind), Some(words), Some(value)) = (columns.next(), columns.next(), columns.next()) {
                lexicon.add(kind, words, value);
            }
        }
        lexicon
    }

    fn add(&mut self, kind: &str, words: &'static str, value: &'static str) {
        match kind {
            "verb" => {
                let doubtful = value.split(' ').any(|mark| mark == "noun");
                self.verbs.insert(words.as_bytes(), Verb { word: words, prepositions: value, doubtful });
            }
            "object" => self.add_object(words, value),
            "preposition" => {
                let of_length = words.len().max(self.prepositions.len().saturating_sub(1)) + 1;
                self.prepositions.resize_with(of_length, Vec::new);
                self.prepositions[words.len()].push(Preposition { word: words, core: value == "core" });
            }
            "adverb" => self.adverbs.push(words),
            "suffix" => {
                self.suffixes.insert(words.as_bytes(), value);
                self.suffix_starts.extend(words.bytes().next());
            }
            "title" => {
                self.titles.insert(words.as_bytes(), ());
            }
            _ => {}
        }
    }

    fn add_object(&mut self, words: &str, value: &'static str) {
        let slug = value.trim_end_matches(['!', '~']);
        let object = ObjectType { slug, party: value.ends_with('!'), general: value.ends_with('~') };
        let mut phrase = Phrase::default();
        for word in words.split(' ') {
            let mut alone = Phrase::default();
            alone.push_normal(word);
            self.object_words.insert(alone.as_bytes().into(), ());
            phrase.push_normal(word);
            self.objects.entry(phrase.as_bytes().into()).or_default();
        }
        self.objects.insert(phrase.as_bytes().into(), Some(object));
    }
}

/// The verb that `word` is, in its base or past form, in any case, hyphens aside.
pub(super) fn verb(word: &str) -> Option<Verb> {
    let word = Phrase::lower(word);
    let known = |base: &[u8]| LEXICON.verbs.get(base).copied();
    let word = word.as_bytes();
    if let Some(verb) = known(word) {
        return Some(verb);
    }
    let stem = word.strip_suffix(b"ed")?;
    let [.., before, last] = stem else { return None };
    let undoubled = (before == last).then(|| &stem[..stem.len() - 1]);
    let bases = [word.strip_suffix(b"d"), Some(stem), undoubled];
    let in_y = || stem.strip_suffix(b"i").and_then(|stem| known(&[stem, b"y"].concat()));
    let verb = bases.into_iter().flatten().find_map(known).or_else(in_y);
    verb.map(|verb| Verb { doubtful: true, ..verb })
}

impl Verb {
    /// `word`, of which this was read, in lower case.
    pub(super) fn spelled(self, word: &str) -> Cow<'_, str> {
        if self.word.eq_ignore_ascii_case(word) { Cow::Borrowed(self.word) } else { Cow::Owned(word.to_lowercase()) }
    }

    /// How the verb takes to `preposition`.
    pub(super) fn bond(self, preposition: &str) -> Bond {
        let mark = self.prepositions.split(' ').find_map(|entry| match entry.strip_prefix(preposition) {
            Some("!") => Some(Bond::Demands),
            Some("?") => Some(Bond::TakesForParty),
            Some("") => Some(Bond::Takes),
            _ => None,
        });
        mark.unwrap_or(Bond::None)
    }
}

/// The longest object type that `text` starts with, and how many bytes it takes.
pub(super) fn object_type(text: &str) -> Option<(ObjectType, usize)> {
    let mut longest = None;
    let mut phrase = Phrase::default();
    let mut at = 0;
    loop {
        let word = word_at(text, at);
        let bare = word.strip_suffix(':').unwrap_or(word);
        let bare = bare.strip_suffix("(s)").unwrap_or(bare);
        if bare.is_empty() {
            return longest;
        }
        phrase.push_normal(bare);
        let Some(entry) = LEXICON.objects.get(phrase.as_bytes()) else { return longest };
        let end = at + word.len();
        longest = entry.map(|object| (object, end)).or(longest);
        if word.ends_with(':') || !text[end..].starts_with(' ') {
            return longest;
        }
        at = end + 1;
    }
}

/// The slug of `name`, a category that the lexicon may lack, and how many bytes it takes at the start of `text`, in any
/// number, case and punctuation; `None` where the text does not start with it.
pub(super) fn category(name: &str, text: &str) -> Option<(String, usize)> {
    let mut wanted = Phrase::default();
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .for_each(|word| wanted.push_normal(word));
    let mut phrase = Phrase::default();
    let mut at = 0;
    while phrase.len < wanted.len {
        let word = word_at(text, at);
        if word.is_empty() {
            return None;
        }
        if word.contains(char::is_alphanumeric) {
            phrase.push_normal(word.strip_suffix(':').unwrap_or(word));
        }
        at += word.len() + 1;
    }
    let whole = (1..Phrase::MAX_BYTES).contains(&wanted.len) && wanted.as_bytes() == phrase.as_bytes();
    let slug = str::from_utf8(wanted.as_bytes()).ok()?;
    whole.then(|| (slug.replace(' ', "_"), at - 1))
}

/// The preposition that `word` is, in any case.
pub(super) fn preposition(word: &str) -> Option<Preposition> {
    LEXICON
        .prepositions
        .get(word.len())?
        .iter()
        .find(|preposition| preposition.word.eq_ignore_ascii_case(word))
        .copied()
}

/// Whether `word` may come before a verb: `Batch Update ...`.
pub(super) fn is_adverb(word: &str) -> bool {
    LEXICON.adverbs.iter().any(|adverb| adverb.eq_ignore_ascii_case(word))
}

/// The general noun that `word` is where it joins the type before it: `setting` for `Settings`.
pub(super) fn suffix(word: &str) -> Option<&'static str> {
    // Most words behind a type are names.
    let first = word.bytes().next()?.to_ascii_lowercase();
    LEXICON.suffix_starts.contains(&first).then_some(())?;
    let mut normal = Phrase::default();
    normal.push_normal(word);
    LEXICON.suffixes.get(normal.as_bytes()).copied()
}

/// Whether `word` ends the title of a settings section: `Recording Management`.
pub(super) fn ends_title(word: &str) -> bool {
    let mut normal = Phrase::default();
    normal.push_normal(word);
    LEXICON.titles.contains_key(normal.as_bytes())
}

/// Whether `word`, or each of its parts between hyphens, is a word of the lexicon.
pub(super) fn holds(word: &str) -> bool {
    word.is_ascii() && (verb(word).is_some() || word.split(['-', '_']).all(holds_part))
}

fn holds_part(word: &str) -> bool {
    let mut normal = Phrase::default();
    normal.push_normal(word);
    let normal = normal.as_bytes();
    LEXICON.object_words.contains_key(normal)
        || LEXICON.suffixes.contains_key(normal)
        || LEXICON.titles.contains_key(normal)
        || verb(word).is_some()
        || preposition(word).is_some()
        || is_adverb(word)
}

/// The word of `text` that starts at `at`.
pub(super) fn word_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    match byte::WORD_ENDS.find_in(rest.as_bytes()) {
        Some(end) if rest.as_bytes()[end].is_ascii() => &rest[..end],
        Some(_) => rest.split(char::is_whitespace).next().unwrap_or_default(),
        None => rest,
    }
}

/// Words in the form in which the lexicon holds them. It has room for the longest there and some more; what does not fit
/// is cut, and so is found nowhere.
struct Phrase {
    bytes: [u8; Self::MAX_BYTES],
    len: usize,
}

impl Default for Phrase {
    fn default() -> Self {
        Self { bytes: [0; Self::MAX_BYTES], len: 0 }
    }
}

impl Phrase {
    const MAX_BYTES: usize = 64;

    /// A word in lower case, without its hyphens.
    fn lower(word: &str) -> Self {
        let mut phrase = Self::default();
        if word.is_ascii() {
            word.bytes().filter(|byte| *byte != b'-').for_each(|byte| phrase.push_ascii_lower(byte));
        } else {
            word.split('-').for_each(|part| phrase.push_lower(part));
        }
        phrase
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Adds a word in normal form: lower case, a space for each hyphen and underscore, parts in the singular.
    fn push_normal(&mut self, word: &str) {
        if !word.is_ascii() {
            for part in word.split(['-', '_']) {
                let start = self.start_part();
                self.push_lower(part);
                self.make_singular(start);
            }
            return;
        }
        let mut start = self.start_part();
        for byte in word.bytes() {
            if matches!(byte, b'-' | b'_') {
                self.make_singular(start);
                start = self.start_part();
            } else {
                self.push_ascii_lower(byte);
            }
        }
        self.make_singular(start);
    }

    /// Parts the words. Gives where the next one starts.
    fn start_part(&mut self) -> usize {
        if self.len > 0 {
            self.push(b" ");
        }
        self.len
    }

    fn make_singular(&mut self, start: usize) {
        let part = &self.bytes[start..self.len];
        if part.last() != Some(&b's') || part.len() < 3 || ENDINGS_KEPT.iter().any(|end| part.ends_with(end)) {
            return;
        }
        if part.len() > 4 && part.ends_with(b"ies") {
            self.len -= 2;
            self.bytes[self.len - 1] = b'y';
        } else if ENDINGS_IN_ES.iter().any(|end| part.ends_with(end)) {
            self.len -= 2;
        } else {
            self.len -= 1;
        }
    }

    fn push_lower(&mut self, text: &str) {
        let lower = text.chars().flat_map(char::to_lowercase);
        lower.for_each(|character| self.push(character.encode_utf8(&mut [0; 4]).as_bytes()));
    }

    fn push_ascii_lower(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte.to_ascii_lowercase();
            self.len += 1;
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let len = bytes.len().min(Self::MAX_BYTES - self.len);
        self.bytes[self.len..self.len + len].copy_from_slice(&bytes[..len]);
        self.len += len;
    }
}

/// How singulars end that look like plurals, and how singulars end behind which the plural has an `e`.
const ENDINGS_KEPT: [&[u8]; 3] = [b"ss", b"us", b"is"];
const ENDINGS_IN_ES: [&[u8]; 4] = [b"sses", b"xes", b"ches", b"shes"];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_has_a_kind_words_a_value_and_a_source_and_comes_once() {
        let mut seen = HashSet::new();
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<_> = line.split('\t').collect();
            let [kind, words, value, source] = columns[..] else { panic!("{line:?}") };
            assert!(["verb", "object", "preposition", "adverb", "suffix", "title"].contains(&kind), "{line}");
            assert!(["record", "category", "console", "detail", "english"].contains(&source), "{line}");
            assert!(!words.is_empty() && (kind == "verb" || !value.is_empty()), "{line}");
            assert!(seen.insert((kind, words)), "{line}");
        }
    }

    #[test]
    fn every_entry_leaves_room_for_a_longer_word_to_be_told_apart() {
        let objects = LEXICON.objects.keys().map(|key| key.len());
        let others = LEXICON.verbs.keys().chain(LEXICON.suffixes.keys()).map(|key| key.len());
        let longest = objects.chain(others).max();
        // Up to two bytes are cut off a plural, and `ed` off a past form.
        assert!(longest < Some(Phrase::MAX_BYTES - 4), "{longest:?}");
    }

    #[test]
    fn verbs_are_known_in_any_case_and_past_form() {
        for word in ["Add", "delete", "UNBIND", "Re-assign", "changed", "Applied", "stopped", "Updated"] {
            assert!(verb(word).is_some(), "{word}");
        }
        for word in ["test", "Security", "Sign-in", "Need", "ed", ""] {
            assert!(verb(word).is_none(), "{word}");
        }
    }

    #[test]
    fn the_longest_type_wins_in_any_number_case_and_hyphenation() {
        for (text, slug, len) in [
            ("Phone Numbers +1", "phone_number", 13),
            ("user group X", "user_group", 10),
            ("User Bob", "user", 4),
            ("Auto-Receptionist Main", "auto_receptionist", 17),
            ("Dial-by-Name Directory", "dial_by_name", 22),
            ("Call Queue Members Bob", "call_queue_member", 18),
            ("Emergency Addresses", "emergency_address", 19),
            ("Zoom Phone Device x", "device", 17),
            ("Phone Number: +1", "phone_number", 13),
            ("Business Hours", "business_hours", 14),
            ("phone_number +1", "phone_number", 12),
        ] {
            let (object, end) = object_type(text).unwrap();
            assert_eq!((object.slug, end), (slug, len), "{text}");
        }
        assert!(object_type("Frobnicator").is_none() && object_type("").is_none());
    }
}
