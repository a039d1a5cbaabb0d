//! Choices that are not equally likely.

use rand::{Rng, RngExt};

/// Indices with whole-number weights.
#[derive(Clone, Debug)]
pub(super) struct Weighted {
    /// The sum of the weights up to and including each index.
    sums: Vec<u64>,
}

impl Weighted {
    /// One index per weight; a weight of 0 counts as 1.
    pub(super) fn new(weights: impl IntoIterator<Item = u64>) -> Self {
        let mut sum = 0;
        let sums = weights.into_iter().map(|weight| {
            sum += weight.max(1);
            sum
        });
        Self { sums: sums.collect() }
    }

    /// An index; 0 where there is none to choose.
    pub(super) fn pick(&self, rng: &mut impl Rng) -> usize {
        let total = self.sums.last().copied().unwrap_or(1);
        let drawn = rng.random_range(0..total);
        self.sums.partition_point(|sum| *sum <= drawn)
    }
}

/// One of `choices`, all equally likely.
pub(super) fn one_of<T: Copy, const N: usize>(rng: &mut impl Rng, choices: [T; N]) -> T {
    choices[rng.random_range(0..N)]
}
