//! What an answer held, byte for byte, small while it waits.
//!
//! The rule: [`Body::bytes`] gives back every byte that [`Body::from`] was given.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// zstd level: pages repeat themselves so much that higher levels gain little.
const LEVEL: i32 = 1;

/// The body of a [`super::Page`]. A run holds the pages of all windows that are not committed, which is most of its
/// memory: [`Body::packed`] makes them a tenth of their size.
#[derive(Clone)]
pub struct Body(Form);

#[derive(Clone)]
enum Form {
    Plain(Bytes),
    /// One zstd frame, of so many bytes when unpacked.
    Packed(Bytes, usize),
}

/// Counts, never contents: pages hold personal data.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("bytes", &self.len()).finish_non_exhaustive()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Form::Plain(bytes))
    }
}

impl Body {
    /// The same body, compressed.
    pub fn packed(self) -> Self {
        let Form::Plain(bytes) = &self.0 else { return self };
        match zstd::bulk::compress(bytes, LEVEL) {
            Ok(frame) => Self(Form::Packed(frame.into_boxed_slice().into(), bytes.len())),
            Err(_) => self,
        }
    }

    /// The bytes, as they were received.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.0 {
            Form::Plain(bytes) => Cow::Borrowed(bytes),
            // Were the frame damaged in memory, nothing would come of it: no page, which no commit takes for one.
            Form::Packed(frame, len) => Cow::Owned(zstd::bulk::decompress(frame, *len).unwrap_or_default()),
        }
    }

    /// How many bytes were received.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Plain(bytes) => bytes.len(),
            Form::Packed(_, len) => *len,
        }
    }

    /// How many bytes it takes while it waits.
    pub fn kept_len(&self) -> usize {
        match &self.0 {
            Form::Plain(bytes) | Form::Packed(bytes, _) => bytes.len(),
        }
    }

    /// Whether nothing was received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_body_comes_back_byte_for_byte(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let body = Body::from(Bytes::from(bytes.clone()));
            let packed = body.clone().packed().packed();
            prop_assert_eq!((body.bytes(), body.len()), (Cow::Borrowed(&bytes[..]), bytes.len()));
            prop_assert_eq!((body.kept_len(), packed.kept_len() > 0), (bytes.len(), true));
            prop_assert_eq!((packed.bytes(), packed.len()), (Cow::Borrowed(&bytes[..]), bytes.len()));
        }
    }
}
