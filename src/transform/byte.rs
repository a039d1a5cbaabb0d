//! Bytes by what they can be part of.
//!
//! The rule: these are looked up, since the scans of a detail pass over every byte of it, most of them several times.

/// What an email address holds left of its `@`, of ASCII.
pub(super) static LOCAL_PART: Bytes = Bytes::of(b"._%+-'&", true);

/// What an email address holds right of its `@`, of ASCII.
pub(super) static DOMAIN: Bytes = Bytes::of(b".-", true);

/// What ends a word, and the start of every character that is not ASCII.
pub(super) static WORD_ENDS: Bytes = Bytes::of(b"\t\n\x0b\x0c\r ", false).and_foreign();

/// A set of bytes.
pub(super) struct Bytes([bool; 256]);

impl Bytes {
    const fn of(signs: &[u8], alphanumeric: bool) -> Self {
        let mut held = [false; 256];
        let mut byte = 0_u8;
        while alphanumeric && byte < 128 {
            held[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut at = 0;
        while at < signs.len() {
            held[signs[at] as usize] = true;
            at += 1;
        }
        Self(held)
    }

    const fn and_foreign(mut self) -> Self {
        let mut byte = 128;
        while byte < 256 {
            self.0[byte] = true;
            byte += 1;
        }
        self
    }

    pub(super) fn hold(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    /// Where the first byte stands that is one of these.
    pub(super) fn find_in(&self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|byte| self.hold(*byte))
    }
}
