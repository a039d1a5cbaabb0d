//! Parts of a detail that are closed in themselves: quoted text, brackets, embedded JSON.
//!
//! The rule: no separator, colon or preposition inside one takes part in the grammar, and an opener that is never closed
//! encloses nothing.

use std::ops::Range;

/// The outermost enclosed parts of a text, in order.
#[derive(Debug, Default)]
pub(super) struct Enclosures(Vec<Range<usize>>);

impl Enclosures {
    pub(super) fn of(text: &str) -> Self {
        if !text.contains(['"', '(', '[', '{']) {
            return Self::default();
        }
        let bytes = text.as_bytes();
        let mut enclosed = Vec::new();
        // Up to where each opener is known to stay open. Not looking there again keeps the cost linear.
        let mut open_until = [0_usize; 3];
        let mut at = 0;
        while at < bytes.len() {
            let (kind, end) = match bytes[at] {
                b'(' => (0, close_bracket(bytes, at)),
                b'"' if at == 0 || matches!(bytes[at - 1], b' ' | b'(') => (1, close_quote(bytes, at)),
                b'{' | b'[' => (2, close_json(bytes, at)),
                _ => {
                    at += 1;
                    continue;
                }
            };
            if at < open_until[kind] {
                at += 1;
                continue;
            }
            match end() {
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

    /// Whether `at` lies in an enclosed part.
    pub(super) fn hold(&self, at: usize) -> bool {
        let next = self.0.partition_point(|part| part.end <= at);
        self.0.get(next).is_some_and(|part| part.start <= at)
    }
}
