//! What is left to chance: texts that mean nothing to a client (tokens, request ids), and jitter.

use std::hash::{BuildHasher, Hasher, RandomState};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A source of chance. Its texts differ from process to process, as a restarted simulator knows no former token.
#[derive(Debug)]
pub(super) struct Opaque(ChaCha8Rng);

impl Opaque {
    pub(super) fn new() -> Self {
        Self(ChaCha8Rng::seed_from_u64(RandomState::new().build_hasher().finish()))
    }

    /// `length` letters and digits.
    pub(super) fn text(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(ALPHABET[self.0.random_range(0..ALPHABET.len())])).collect()
    }

    /// A number in 0..1.
    pub(super) fn fraction(&mut self) -> f64 {
        self.0.random()
    }
}
