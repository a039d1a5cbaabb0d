//! How details were read, for people: only where something is not read for sure.

use crate::model::{DetailCounts, Readings};

/// Categories shown.
const SHOWN_CATEGORIES: usize = 5;
/// Shapes shown.
const SHOWN_SHAPES: usize = 3;

/// A line for each category with doubtful readings, the most doubtful first, and for the commonest shapes without one.
pub(super) fn lines(readings: &Readings) -> String {
    let mut text = String::new();
    let doubtful = |counts: &DetailCounts| counts.ambiguous + counts.unparsed;
    let mut categories: Vec<_> =
        readings.detail_by_category.iter().filter(|(_, counts)| doubtful(counts) > 0).collect();
    categories.sort_by_key(|(_, counts)| std::cmp::Reverse(doubtful(counts)));
    for (category, counts) in categories.iter().take(SHOWN_CATEGORIES) {
        let DetailCounts { parsed, ambiguous, unparsed } = counts;
        let all = parsed + ambiguous + unparsed;
        text += &format!("doubtful  {category}: {ambiguous} ambiguous, {unparsed} unparsed of {all}\n");
    }
    if let Some(more) = categories.len().checked_sub(SHOWN_CATEGORIES).filter(|more| *more > 0) {
        text += &format!("doubtful  and {more} more categories\n");
    }
    for (shape, rows) in readings.unparsed_shapes.commonest().into_iter().take(SHOWN_SHAPES) {
        text += &format!("unparsed  {rows}: {shape}\n");
    }
    text
}
