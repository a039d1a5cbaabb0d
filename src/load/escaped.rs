//! The text of a JSON string, where its escapes are of one character, as in a page within a pack: there every tenth is.
//!
//! The rule: what is given back is what a JSON reader gives back. What this does not know, it leaves to one.

/// Bytes that are looked at at once.
const WORD: usize = size_of::<u64>();

/// The text that `escaped`, the inside of a JSON string, stands for; `None` where it has other escapes, or is no such.
pub(super) fn text(escaped: &str) -> Option<String> {
    let (mut text, mut rest) = (Vec::with_capacity(escaped.len()), escaped.as_bytes());
    while let Some(word) = rest.first_chunk::<WORD>() {
        let plain = plain_bytes(u64::from_le_bytes(*word));
        // All of the word, then back: a copy of a fixed length takes less than one of just the plain bytes.
        let end = text.len() + plain;
        text.extend_from_slice(word);
        text.truncate(end);
        rest = &rest[plain..];
        if plain < WORD {
            rest = unescape(rest, &mut text)?;
        }
    }
    while let Some(byte) = rest.first() {
        if matches!(byte, ..b' ' | b'"' | b'\\') {
            rest = unescape(rest, &mut text)?;
        } else {
            text.push(*byte);
            rest = &rest[1..];
        }
    }
    String::from_utf8(text).ok()
}

/// How many bytes of `word` come before a quote, a backslash or a control character.
fn plain_bytes(word: u64) -> usize {
    const LOW: u64 = u64::from_le_bytes([0x01; WORD]);
    const HIGH: u64 = u64::from_le_bytes([0x80; WORD]);
    // The high bit of each byte below `bound`, up to the first: borrows spoil only those behind it.
    let below = |word: u64, bound: u8| word.wrapping_sub(LOW * u64::from(bound)) & !word & HIGH;
    let equal = |byte: u8| below(word ^ (LOW * u64::from(byte)), 1);
    let special = equal(b'"') | equal(b'\\') | below(word, b' ');
    special.trailing_zeros() as usize / 8
}

/// Appends what the escape at the start of `rest` stands for, and gives what follows it.
fn unescape<'r>(rest: &'r [u8], text: &mut Vec<u8>) -> Option<&'r [u8]> {
    let [b'\\', escape, rest @ ..] = rest else { return None };
    text.push(match escape {
        b'"' | b'\\' | b'/' => *escape,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    });
    Some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The inside of what a JSON writer makes of `text`.
    fn escaped(text: &str) -> String {
        let json = serde_json::to_string(text).unwrap();
        json[1..json.len() - 1].to_owned()
    }

    #[test]
    fn every_escape_of_one_character_is_read_wherever_it_stands() {
        for before in 0..WORD * 2 {
            let plain = "ä".repeat(before);
            let text = format!("{plain}\"\\\u{8}\u{c}\n\r\t{plain}");
            assert_eq!(super::text(&escaped(&text)), Some(text));
        }
        assert_eq!(super::text(r"a\/b"), Some("a/b".to_owned()));
    }

    #[test]
    fn what_is_not_known_or_no_such_text_is_left_to_a_reader_of_json() {
        for escaped in [r"\u00e4", "\\", "a\"b", r"\x", "a\nb", "a\u{1f}b"] {
            for before in ["", "1234567", "12345678"] {
                assert_eq!(super::text(&format!("{before}{escaped}")), None, "{escaped:?}");
                assert_eq!(super::text(&format!("{before}{escaped}u2345678")), None, "{escaped:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_text_is_what_a_reader_of_json_says_it_is(pieces in prop::collection::vec(prop::sample::select(vec![
            "\\\"", "\\\\", "\\n", "\\u0001", "\\", "\"", "ä", "😀", "a", "abcdefg", "abcdefgh", "\u{7f}", "\u{1f}", "\u{80}",
        ]), 0..24)) {
            let escaped = pieces.concat();
            if let Some(text) = super::text(&escaped) {
                prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{escaped}\"")).ok(), Some(text));
            }
        }

        #[test]
        fn all_texts_without_control_characters_are_read(text in "\\PC{0,60}") {
            prop_assert_eq!(super::text(&escaped(&text)), Some(text));
        }
    }
}
