//! How details were read: counts by category, and the commonest shapes of those without a reading.
//!
//! The rule: a shape holds no customer's data, and however many records there are, few shapes are kept.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::DetailStatus;

/// How many shapes are told apart; rows of further ones count among the rest.
const MOST_SHAPES: usize = 1_000;
/// How many shapes are shown, the commonest first.
const SHOWN_SHAPES: usize = 10;

/// Rows by [`DetailStatus`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DetailCounts {
    /// One reading.
    pub parsed: u64,
    /// Several readings.
    pub ambiguous: u64,
    /// No reading.
    pub unparsed: u64,
}

/// How the details of some rows were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Readings {
    /// Rows by category.
    pub detail_by_category: BTreeMap<String, DetailCounts>,
    /// Rows of the shapes without a reading.
    pub unparsed_shapes: Shapes,
}

/// Rows by the shape of their detail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shapes {
    rows: BTreeMap<String, u64>,
}

impl DetailCounts {
    /// Counts `rows` of one status.
    pub fn count(&mut self, status: DetailStatus, rows: u64) {
        match status {
            DetailStatus::Parsed => self.parsed += rows,
            DetailStatus::Ambiguous => self.ambiguous += rows,
            DetailStatus::Unparsed => self.unparsed += rows,
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Self) {
        self.parsed += other.parsed;
        self.ambiguous += other.ambiguous;
        self.unparsed += other.unparsed;
    }
}

impl Readings {
    /// Counts rows of one category.
    pub fn count(&mut self, category: &str, rows: DetailCounts) {
        if let Some(counts) = self.detail_by_category.get_mut(category) {
            counts.add(rows);
        } else {
            self.detail_by_category.insert(category.to_owned(), rows);
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (category, counts) in &other.detail_by_category {
            self.count(category, *counts);
        }
        self.unparsed_shapes.add(&other.unparsed_shapes);
    }
}

impl Shapes {
    /// Counts `rows` of one shape.
    pub fn count(&mut self, shape: String, rows: u64) {
        if self.rows.len() < MOST_SHAPES || self.rows.contains_key(&shape) {
            *self.rows.entry(shape).or_default() += rows;
        } else {
            *self.rows.entry("<other>".to_owned()).or_default() += rows;
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        other.rows.iter().for_each(|(shape, rows)| self.count(shape.clone(), *rows));
    }

    /// The commonest shapes and their rows, most first.
    pub fn commonest(&self) -> Vec<(&str, u64)> {
        let mut shapes: Vec<_> = self.rows.iter().map(|(shape, rows)| (shape.as_str(), *rows)).collect();
        shapes.sort_by_key(|(_, rows)| Reverse(*rows));
        shapes.truncate(SHOWN_SHAPES);
        shapes
    }
}

impl Serialize for Shapes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'s> {
            shape: &'s str,
            rows: u64,
        }

        serializer.collect_seq(self.commonest().into_iter().map(|(shape, rows)| Shape { shape, rows }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_shapes_come_first_and_the_rest_counts_together() {
        let mut shapes = Shapes::default();
        for shape in 0..MOST_SHAPES + 5 {
            shapes.count(format!("<text> {shape}"), 1);
        }
        shapes.count("<text> 7".to_owned(), 9);

        assert_eq!(shapes.commonest()[..2], [("<text> 7", 10), ("<other>", 5)]);
        assert_eq!(shapes.commonest().len(), SHOWN_SHAPES);
    }

    #[test]
    fn readings_of_several_files_add_up() {
        let mut one = Readings::default();
        one.count("device", DetailCounts { parsed: 2, ..DetailCounts::default() });
        let mut two = Readings::default();
        two.count("device", DetailCounts { unparsed: 1, ..DetailCounts::default() });
        two.unparsed_shapes.count("<text>".to_owned(), 1);

        one.add(&two);
        one.add(&two);
        assert_eq!(one.detail_by_category["device"], DetailCounts { parsed: 2, ambiguous: 0, unparsed: 2 });
        assert_eq!(one.unparsed_shapes.commonest(), [("<text>", 2)]);
    }
}
