//! What `operation_detail` says, read out of the text beside it.
//!
//! ```text
//! text --enclosure, item--> head + items --head, target--> verb, object, second party
//!                                        --item----------> changes
//! text --contact--> phone numbers, emails, extensions
//! text --shape--> what it is made of, to report one that cannot be read
//! ```
//!
//! The rule: a text never fails, it is `unparsed`; where two readings exist the status says so; and whatever changes a
//! column raises [`PARSER_VERSION`].

mod enclosure;
mod head;
mod item;
mod lexicon;
mod shape;
mod target;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::enclosure::Enclosures;
use self::head::Head;
use self::item::Parts;
pub use self::shape::shape;
use crate::model::{Detail, DetailStatus, Field};
use crate::transform::contact::Contacts;

/// Which grammar and lexicon the columns were read with.
pub const PARSER_VERSION: i32 = 3;

/// Reads a detail. The time it takes grows linearly with the text.
pub fn parse(text: &str) -> Detail<'_> {
    parse_within(text, None)
}

/// Reads a detail of a category that the lexicon may lack: what the upstream calls by that name is a type too.
fn parse_within<'t>(text: &'t str, category: Option<&str>) -> Detail<'t> {
    let contacts = Contacts::of(text);
    let mut detail = Detail {
        phone_numbers: contacts.phone_numbers(),
        emails: contacts.emails(),
        extensions: contacts.extensions(),
        ..Detail::default()
    };
    let enclosures = Enclosures::of(text);
    let mut parts = Parts::of(text, &enclosures);
    let head = Head::new(text, parts.head.clone(), &enclosures, category, !parts.items.is_empty());
    head.read_into(&mut detail);

    let mut doubtful = parts.doubtful;
    if detail.object_type.is_some() && detail.object_name.is_none() && detail.target_relation.is_none() {
        detail.object_name = take_addresses(text, &mut parts).map(Cow::Borrowed);
    }
    detail.changes.reserve_exact(parts.items.len());
    for item in &parts.items {
        let (change, unclear) = item.change(text, &enclosures);
        doubtful |= unclear;
        detail.changes.push(change);
    }
    if doubtful && detail.status == DetailStatus::Parsed {
        detail.status = DetailStatus::Ambiguous;
    }
    detail
}

/// What a field says, borrowed where the text is.
pub(super) fn of_field<'p>(field: &Field<'p>, category: Option<&str>) -> Detail<'p> {
    match field {
        Field::Text(Cow::Borrowed(text)) => parse_within(text, category),
        Field::Text(Cow::Owned(text)) | Field::Broken { text, .. } => parse_within(text, category).into_owned(),
        Field::Missing | Field::Null | Field::Other(_) => Detail::default(),
    }
}

/// The addresses that follow a type without a name, in place of the name: `delete user - user2@example.com`.
fn take_addresses<'t>(text: &'t str, parts: &mut Parts) -> Option<&'t str> {
    let count = parts.items.iter().take_while(|item| item.email).count();
    let taken = parts.items.drain(..count);
    let (first, last) =
        taken.fold((None, None), |(first, _), item| (first.or(Some(item.range.start)), Some(item.range.end)));
    Some(text[first?..last?].trim())
}
