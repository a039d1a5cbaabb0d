//! The words that heads are made of: verbs, object types and prepositions, read from `lexicon.tsv`.
//!
//! The rule: a word is added there, with its source, and never in code.

use std::collections::HashMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("lexicon.tsv");

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::read(TABLE));

/// What is known of a verb.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verb {
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
    verbs: HashMap<&'static str, Verb>,
    /// Every type under its normal form, and every start of one with `None`.
    objects: HashMap<String, Option<ObjectType>>,
    prepositions: Vec<Preposition>,
    adverbs: Vec<&'static str>,
    suffixes: HashMap<&'static str, &'static str>,
}

impl Lexicon {
    fn read(table: &'static str) -> Self {
        let mut lexicon = Self {
            verbs: HashMap::new(),
            objects: HashMap::new(),
            prepositions: Vec::new(),
            adverbs: Vec::new(),
            suffixes: HashMap::new(),
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
                self.verbs.insert(words, Verb { prepositions: value, doubtful });
            }
            "object" => self.add_object(words, value),
            "preposition" => self.prepositions.push(Preposition { word: words, core: value == "core" }),
            "adverb" => self.adverbs.push(words),
            "suffix" => {
                self.suffixes.insert(words, value);
            }
            _ => {}
        }
    }

    fn add_object(&mut self, words: &str, value: &'static str) {
        let slug = value.trim_end_matches(['!', '~']);
        let object = ObjectType { slug, party: value.ends_with('!'), general: value.ends_with('~') };
        let mut phrase = String::new();
        for word in words.split(' ') {
            push_normal(&mut phrase, word);
            self.objects.entry(phrase.clone()).or_default();
        }
        self.objects.insert(phrase, Some(object));
    }
}

/// The verb that `word` is, in its base or past form, in any case, hyphens aside.
pub(super) fn verb(word: &str) -> Option<Verb> {
    let word = word.replace('-', "").to_lowercase();
    if let Some(verb) = LEXICON.verbs.get(word.as_str()) {
        return Some(*verb);
    }
    let stem = word.strip_suffix("ed")?;
    let undoubled = stem.strip_suffix(|last: char| stem.chars().rev().nth(1) == Some(last));
    let bases = [word.strip_suffix('d'), Some(stem), undoubled];
    let known = |base: &str| LEXICON.verbs.get(base).copied();
    let verb = bases.into_iter().flatten().find_map(known).or_else(|| known(&format!("{}y", stem.strip_suffix('i')?)));
    verb.map(|verb| Verb { doubtful: true, ..verb })
}

impl Verb {
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
    let mut phrase = String::new();
    let mut at = 0;
    loop {
        let word = word_at(text, at);
        let bare = word.strip_suffix(':').unwrap_or(word);
        let bare = bare.strip_suffix("(s)").unwrap_or(bare);
        if bare.is_empty() {
            return longest;
        }
        push_normal(&mut phrase, bare);
        let Some(entry) = LEXICON.objects.get(&phrase) else { return longest };
        let end = at + word.len();
        longest = entry.map(|object| (object, end)).or(longest);
        if word.ends_with(':') || !text[end..].starts_with(' ') {
            return longest;
        }
        at = end + 1;
    }
}

/// The preposition that `word` is, in any case.
pub(super) fn preposition(word: &str) -> Option<Preposition> {
    LEXICON.prepositions.iter().find(|preposition| preposition.word.eq_ignore_ascii_case(word)).copied()
}

/// Whether `word` may come before a verb: `Batch Update ...`.
pub(super) fn is_adverb(word: &str) -> bool {
    LEXICON.adverbs.iter().any(|adverb| adverb.eq_ignore_ascii_case(word))
}

/// The general noun that `word` is where it joins the type before it: `setting` for `Settings`.
pub(super) fn suffix(word: &str) -> Option<&'static str> {
    let mut normal = String::new();
    push_normal(&mut normal, word);
    LEXICON.suffixes.get(normal.as_str()).copied()
}

/// The word of `text` that starts at `at`.
pub(super) fn word_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())]
}

/// Adds a word to a phrase in normal form: lower case, a space for each hyphen and underscore, parts in the singular.
fn push_normal(phrase: &mut String, word: &str) {
    for part in word.split(['-', '_']) {
        if !phrase.is_empty() {
            phrase.push(' ');
        }
        let start = phrase.len();
        if part.is_ascii() {
            phrase.push_str(part);
            phrase[start..].make_ascii_lowercase();
        } else {
            phrase.extend(part.chars().flat_map(char::to_lowercase));
        }
        make_singular(phrase, start);
    }
}

fn make_singular(phrase: &mut String, start: usize) {
    let part = &phrase[start..];
    if part.len() < 3 || !part.ends_with('s') || ["ss", "us", "is"].iter().any(|end| part.ends_with(end)) {
        return;
    }
    let cut = if part.len() > 4 && part.ends_with("ies") {
        3
    } else if ["sses", "xes", "ches", "shes"].iter().any(|end| part.ends_with(end)) {
        2
    } else {
        1
    };
    phrase.truncate(phrase.len() - cut);
    if cut == 3 {
        phrase.push('y');
    }
}

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
            assert!(["verb", "object", "preposition", "adverb", "suffix"].contains(&kind), "{line}");
            assert!(["record", "category", "console", "detail", "english"].contains(&source), "{line}");
            assert!(!words.is_empty() && (kind == "verb" || !value.is_empty()), "{line}");
            assert!(seen.insert((kind, words)), "{line}");
        }
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
