//! Parts of a detail that are closed in themselves: quoted text, brackets, embedded JSON.
//!
//! The rule: no separator, colon or preposition inside one takes part in the grammar, and an opener that is never closed
//! encloses nothing.

use std::ops::Range;

use memchr::{memchr, memchr3};
use smallvec::SmallVec;

/// The outermost enclosed parts of a text, in order.
#[derive(Debug, Default)]
pub(super) struct Enclosures(SmallVec<[Range<usize>; 2]>);

impl Enclosures {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut enclosed = SmallVec::new();
        // Up to where an opener of each kind is known to stay open. Not trying again before keeps the cost linear.
        let mut open_until = [0_usize; 3];
        let mut openers = Openers { bytes, list: Some(0) };
        let mut at = 0;
        while let Some(found) = openers.next(at) {
            at = found;
            let kind = match bytes[at] {
                b'(' => 0,
                b'"' => 1,
                _ => 2,
            };
            let outcome = match kind {
                _ if at < open_until[kind] => Err(open_until[kind]),
                0 => bracket_end(bytes, at),
                1 => quote_end(bytes, at),
                _ => json_end(bytes, at),
            };
            match outcome {
                Ok(end) => {
                    enclosed.push(at..end);
                    at = end;
                }
                Err(until) => {
                    open_until[kind] = until;
                    at += 1;
                }
            }
        }
        Self(enclosed)
    }

    pub(super) fn parts(&self) -> &[Range<usize>] {
        &self.0
    }

    /// Whether `at` lies in an enclosed part.
    pub(super) fn hold(&self, at: usize) -> bool {
        let next = self.0.partition_point(|part| part.end <= at);
        self.0.get(next).is_some_and(|part| part.start <= at)
    }
}

/// What opens a part, found from left to right.
struct Openers<'t> {
    bytes: &'t [u8],
    /// Where the next `[` is at the earliest: the search for one at a time goes over the text once.
    list: Option<usize>,
}

impl Openers<'_> {
    /// The first one from `at` on.
    fn next(&mut self, at: usize) -> Option<usize> {
        let other = memchr3(b'(', b'"', b'{', &self.bytes[at..]).map(|found| at + found);
        if self.list.is_some_and(|list| list <= at) {
            self.list = memchr(b'[', &self.bytes[at..]).map(|found| at + found);
        }
        [other, self.list].into_iter().flatten().min()
    }
}

/// Where the part that opens at `at` ends, or up to where it is known not to.
type End = Result<usize, usize>;

fn bracket_end(bytes: &[u8], at: usize) -> End {
    let mut depth = 0_usize;
    for (i, byte) in bytes.iter().enumerate().skip(at) {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return Ok(i + 1),
            b')' => depth -= 1,
            b' ' if parts_items(bytes, i) => return Err(i),
            _ => {}
        }
    }
    Err(bytes.len())
}

/// A quote opens behind a space or a bracket and closes before a space, punctuation or the end: `7" - 10"` has none.
fn quote_end(bytes: &[u8], at: usize) -> End {
    if at > 0 && !matches!(bytes[at - 1], b' ' | b'(') {
        return Err(at);
    }
    for i in at + 1..bytes.len() {
        let ends = |next: Option<&u8>| matches!(next, None | Some(b' ' | b')' | b',' | b'.' | b';' | b':'));
        match bytes[i] {
            b'"' if ends(bytes.get(i + 1)) => return Ok(i + 1),
            b' ' if parts_items(bytes, i) => return Err(i),
            _ => {}
        }
    }
    Err(bytes.len())
}

fn json_end(bytes: &[u8], at: usize) -> End {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for (i, byte) in bytes.iter().enumerate().skip(at) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted && depth == 1 => return Ok(i + 1),
            b'}' | b']' if !quoted => depth -= 1,
            _ => {}
        }
    }
    Err(bytes.len())
}

/// Whether the separator of the first item stands at `at`: no bracket or quote reaches over it.
fn parts_items(bytes: &[u8], at: usize) -> bool {
    bytes[at..].starts_with(b"  - ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(text: &str) -> String {
        let enclosures = Enclosures::of(text);
        text.char_indices().filter(|(at, _)| enclosures.hold(*at)).map(|(_, c)| c).collect()
    }

    #[test]
    fn brackets_quotes_and_json_are_closed_in_themselves() {
        assert_eq!(held(r#"a (b (c)) "d - e" f"#), r#"(b (c))"d - e""#);
        assert_eq!(held(r#"p: {"a - b": "}"} - q: [1, 2]"#), r#"{"a - b": "}"}[1, 2]"#);
    }

    #[test]
    fn what_stays_open_encloses_nothing() {
        assert_eq!(held(r#"7" - 10" ( { " x"#), "");
        assert_eq!(held("Group (x  - Field (y): from a) to b"), "(y)");
    }
}
