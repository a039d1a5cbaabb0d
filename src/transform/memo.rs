//! What texts say that come again and again: an account has few operators, actions and categories, and what is done to
//! many at once is reported many times.
//!
//! The rule: what is remembered is what reading the text again would give, and never grows with the number of records.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{action, category, detail, operator};
use crate::model::{Detail, Field, Operator};

/// How many texts of a kind are remembered at once.
const MOST_TEXTS: usize = 4096;

/// How many details, which take some three hundred bytes each. More of them are said again more often, but are so far away
/// in memory by then that it takes as long to read them anew.
const MOST_DETAILS: usize = 2048;

type Texts<'p, T> = HashMap<&'p str, T, RandomState>;

type KindAndChannel = (Option<Cow<'static, str>>, Option<Cow<'static, str>>);

/// What has been read of texts that live for `'p`.
#[derive(Default)]
pub(super) struct Memo<'p> {
    actions: Texts<'p, KindAndChannel>,
    categories: Texts<'p, (Cow<'static, str>, bool)>,
    operators: Texts<'p, Operator<'p>>,
    details: Texts<'p, usize>,
    /// What `details` gives the places of, and what is not remembered but for the row at hand.
    read: Vec<Detail<'p>>,
}

impl<'p> Memo<'p> {
    /// Makes room for what `rows` records may say.
    pub(super) fn expect(&mut self, rows: usize) {
        let rows = rows.min(MOST_DETAILS - self.read.len().min(MOST_DETAILS));
        self.details.reserve(rows);
        self.read.reserve(rows);
    }

    /// As [`action::parse`].
    pub(super) fn action(&mut self, field: &Field<'p>) -> KindAndChannel {
        recall(&mut self.actions, field, action::parse)
    }

    /// As [`category::slug`].
    pub(super) fn category(&mut self, field: &Field<'p>) -> (Cow<'static, str>, bool) {
        recall(&mut self.categories, field, category::slug)
    }

    /// As [`operator::parse`].
    pub(super) fn operator(&mut self, field: &Field<'p>) -> Operator<'p> {
        recall(&mut self.operators, field, operator::parse)
    }

    /// As [`detail::of_field`].
    pub(super) fn detail(&mut self, field: &Field<'p>, unlisted_category: Option<&str>) -> &Detail<'p> {
        if self.read.len() >= MOST_DETAILS {
            self.details.clear();
            self.read.clear();
        }
        let next = self.read.len();
        let place = match (field, unlisted_category) {
            (Field::Text(Cow::Borrowed(text)), None) => *self.details.entry(text).or_insert(next),
            // The same text says something else elsewhere.
            _ => next,
        };
        if place == next {
            self.read.push(detail::of_field(field, unlisted_category));
        }
        &self.read[place]
    }
}

fn recall<'p, T: Clone>(known: &mut Texts<'p, T>, field: &Field<'p>, read: impl Fn(&Field<'p>) -> T) -> T {
    let Field::Text(Cow::Borrowed(text)) = field else { return read(field) };
    if known.len() >= MOST_TEXTS {
        known.clear();
    }
    known.entry(text).or_insert_with(|| read(field)).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_texts_than_are_remembered_read_the_same() {
        let texts: Vec<String> = (0..2 * MOST_DETAILS).map(|number| format!("User{number}@Example.com")).collect();
        let mut memo = Memo::default();
        for text in texts.iter().chain(&texts[..3]) {
            let field = Field::Text(Cow::Borrowed(text));
            assert_eq!(memo.operator(&field), operator::parse(&field));
            assert_eq!(*memo.detail(&field, None), detail::of_field(&field, None));
        }
        assert!(memo.operators.len() <= MOST_TEXTS && memo.read.len() <= MOST_DETAILS);
    }

    #[test]
    fn what_is_no_text_of_the_page_is_read_each_time() {
        let mut memo = Memo::default();
        for field in [Field::Null, Field::Text(Cow::Owned("ADD".to_owned()))] {
            assert_eq!(memo.action(&field), action::parse(&field));
        }
        assert!(memo.actions.is_empty());
    }
}
