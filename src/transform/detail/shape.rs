//! The shape of a detail: what it is made of without what it says, so that one that cannot be read can be reported.
//!
//! The rule: no customer's data shows. Only words of the lexicon, spaces and punctuation stay; every other word, number,
//! address and quoted text is a mark of its class.

use std::iter::Peekable;

use super::enclosure::Enclosures;
use super::lexicon;
use crate::transform::contact::Contacts;

/// A shape is cut behind this many bytes: what follows seldom tells one from another.
const MOST_BYTES: usize = 160;

const TEXT: &str = "<text>";
const NUMBER: &str = "<number>";

/// The shape of a detail; `None` is one that is not there.
pub fn shape(text: Option<&str>) -> String {
    let Some(text) = text else { return "<null>".to_owned() };
    let mut shape = Shape::default();
    let mut at = 0;
    for (start, end, mark) in masked_spans(text) {
        shape.push_plain(&text[at..start]);
        shape.push_mark(mark);
        at = end;
        if shape.is_full() {
            return shape.finish();
        }
    }
    shape.push_plain(&text[at..]);
    shape.finish()
}

/// The parts that are masked as a whole, in order and disjoint: `(start, end, mark)`.
fn masked_spans(text: &str) -> impl Iterator<Item = (usize, usize, &'static str)> {
    let contacts = Contacts::of(text);
    let emails = contacts.email_spans().iter().map(|span| (span.start, span.end, "<email>"));
    let phones = contacts.phone_spans().iter().map(|span| (span.start, span.end, "<phone>"));
    let enclosures = Enclosures::of(text);
    let closed = enclosures.parts().iter().filter_map(|part| match text.as_bytes()[part.start] {
        b'"' => Some((part.start, part.end, "\"<text>\"")),
        b'(' => None,
        _ => Some((part.start, part.end, "<json>")),
    });
    let mut spans: Vec<_> = emails.chain(phones).chain(closed).collect();
    // Of two that start together, and of two that overlap, the one that hides more comes first.
    spans.sort_unstable_by_key(|&(start, end, _)| (start, std::cmp::Reverse(end)));
    Disjoint { spans: spans.into_iter().peekable() }
}

/// Spans without those that lie in an earlier one; overlapping ones are merged under the earlier one's mark.
struct Disjoint<I: Iterator> {
    spans: Peekable<I>,
}

impl<I: Iterator<Item = (usize, usize, &'static str)>> Iterator for Disjoint<I> {
    type Item = (usize, usize, &'static str);

    fn next(&mut self) -> Option<Self::Item> {
        let (start, mut end, mark) = self.spans.next()?;
        while let Some((_, next_end, _)) = self.spans.next_if(|&(next, _, _)| next < end) {
            end = end.max(next_end);
        }
        Some((start, end, mark))
    }
}

#[derive(Default)]
struct Shape {
    text: String,
}

impl Shape {
    fn is_full(&self) -> bool {
        self.text.len() > MOST_BYTES
    }

    /// Adds text without addresses: words that are known, and marks for the others.
    fn push_plain(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() && !self.is_full() {
            let end = rest.find(is_separator).unwrap_or(rest.len());
            self.push_word(&rest[..end]);
            let mut separators = rest[end..].chars();
            if let Some(separator) = separators.next() {
                self.push_separator(separator);
            }
            rest = separators.as_str();
        }
    }

    /// Adds what stands between two separators, the punctuation around it verbatim.
    fn push_word(&mut self, run: &str) {
        let core = run.trim_matches(|c: char| c.is_ascii_punctuation());
        let before = run.find(core).unwrap_or_default();
        if core.is_empty() {
            return self.text.push_str(run);
        }
        self.text.push_str(&run[..before]);
        if lexicon::holds(core) {
            self.text.push_str(core);
        } else if core.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_punctuation()) {
            self.push_mark(NUMBER);
        } else {
            self.push_mark(TEXT);
        }
        self.text.push_str(&run[before + core.len()..]);
    }

    /// Adds a mark, unless it would repeat the one before it: how many words a name has is no part of its shape.
    fn push_mark(&mut self, mark: &str) {
        if self.text.strip_suffix(' ').is_some_and(|text| text.ends_with(mark)) {
            self.text.pop();
        } else {
            self.text.push_str(mark);
        }
    }

    fn push_separator(&mut self, separator: char) {
        const BREAK: &str = "<break>";
        if separator == ' ' || separator.is_ascii_punctuation() {
            self.text.push(separator);
        } else if !self.text.ends_with(BREAK) {
            self.text.push_str(BREAK);
        }
    }

    fn finish(mut self) -> String {
        if self.text.is_empty() {
            return "<empty>".to_owned();
        }
        if self.is_full() {
            // All of it is ASCII: a mark may be cut, a character is not.
            self.text.truncate(MOST_BYTES);
            self.text.push_str("...");
        }
        self.text
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '"' | ',' | ';')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    #[test_case("User ana@example.com was removed", "User <email> <text> removed"; "addresses")]
    #[test_case("Añadir número +1 (415) 555-0100", "<text> <phone>"; "numbers with a plus, words in other languages")]
    #[test_case("用户设置已更新", "<text>"; "other scripts")]
    #[test_case("Error 500: try 3 4", "<text> <number>: <text> <number>"; "digits")]
    #[test_case("Line \"Ana's secret line\" for O'Neil, Ana (Ext. 7)", "Line \"<text>\" for <text>, <text> (<text>. <number>)"; "quoted text and names")]
    #[test_case("done {\"pin\": \"1234\"} [\"a\"]", "<text> <json>"; "embedded JSON")]
    #[test_case("  Add  - b\n\nc ", "  Add  - <text><break><text> "; "spaces and breaks")]
    #[test_case("https://example.com/call?user=ana 2024-01-02", "<text> <number>"; "links and dates")]
    #[test_case("", "<empty>"; "an empty one")]
    fn a_shape_keeps_known_words_and_punctuation_and_masks_the_rest(text: &str, expected: &str) {
        assert_eq!(shape(Some(text)), expected);
    }

    #[test]
    fn a_detail_that_is_missing_has_a_shape_of_its_own() {
        assert_eq!(shape(None), "<null>");
    }

    #[test]
    fn a_long_text_has_a_short_shape() {
        for unit in ["to ", "(", "a@b.co, ", "+1 ", "\"x\" ", ",", "é", "- ", "1,"] {
            let shape = shape(Some(&unit.repeat(65_536 / unit.len())));
            assert!(shape.len() <= MOST_BYTES + 3, "{unit:?}: {shape}");
        }
    }

    proptest! {
        #[test]
        fn a_shape_holds_known_words_only(text in prop_oneof![".*", "[A-Za-z0-9é用+@. \"'(){},:-]{0,60}"]) {
            let shape = shape(Some(&text));
            let whole = shape.strip_suffix("...").map_or(shape.as_str(), |cut| &cut[..cut.rfind([' ', '<']).unwrap_or(0)]);
            let mut words = whole.to_owned();
            for mark in ["<text>", "<number>", "<email>", "<phone>", "<json>", "<break>", "<empty>"] {
                words = words.replace(mark, " ");
            }
            for word in words.split(|c: char| is_separator(c) || c == ' ') {
                let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
                prop_assert!(word.is_empty() || lexicon::holds(word), "{text:?} -> {shape:?}: {word:?}");
            }
        }
    }
}
