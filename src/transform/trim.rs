//! White space off the ends of a text.
//!
//! The rule: what comes out is what [`str::trim`] gives, which reads the ends of every text as Unicode.

/// `text` without white space at its ends.
pub(super) fn trim(text: &str) -> &str {
    let near = text.trim_ascii();
    let visible = |byte: Option<&u8>| byte.is_none_or(|byte| (0x21..=0x7e).contains(byte));
    if visible(near.as_bytes().first()) && visible(near.as_bytes().last()) { near } else { near.trim() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_white_space_goes_and_nothing_else(text in "[a \t\u{b}\u{85}\u{a0}\u{3000}\u{e9}\u{1c}]{0,8}") {
            prop_assert_eq!(trim(&text), text.trim());
        }
    }
}
