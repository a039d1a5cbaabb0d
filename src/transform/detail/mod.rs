//! What `operation_detail` says, read out of the text beside it.
//!
//! ```text
//! text --enclosure, item--> head + items --head, target--> verb, object, second party
//!                                        --item----------> changes
//! text --contact--> phone numbers, emails, extensions
//! ```
//!
//! The rule: a text never fails, it is `unparsed`; where two readings exist the status says so; and whatever changes a
//! column raises [`PARSER_VERSION`].

mod enclosure;
mod head;
mod item;
mod lexicon;
mod target;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::enclosure::Enclosures;
use self::item::Parts;
use crate::model::{Detail, DetailStatus};
use crate::transform::contact::Contacts;

/// Which grammar and lexicon the columns were read with.
pub const PARSER_VERSION: i32 = 1;

/// Reads a detail. The time it takes grows linearly with the text.
pub(super) fn parse(text: &str) -> Detail<'_> {
    let contacts = Contacts::of(text);
    let mut detail = Detail {
        phone_numbers: contacts.phone_numbers(),
        emails: contacts.emails(),
        extensions: contacts.extensions(),
        ..Detail::default()
    };
    let enclosures = Enclosures::of(text);
    let mut parts = Parts::of(text, &enclosures);
    head::read(text, parts.head.clone(), &enclosures, !parts.items.is_empty(), &mut detail);

    let mut doubtful = parts.doubtful;
    if detail.object_type.is_some() && detail.object_name.is_none() && detail.target_relation.is_none() {
        detail.object_name = take_addresses(text, &mut parts).map(Cow::Borrowed);
    }
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

/// The addresses that follow a type without a name, in place of the name: `delete user - user2@example.com`.
fn take_addresses<'t>(text: &'t str, parts: &mut Parts) -> Option<&'t str> {
    let count = parts.items.iter().take_while(|item| item.email).count();
    let taken = parts.items.drain(..count);
    let (first, last) =
        taken.fold((None, None), |(first, _), item| (first.or(Some(item.range.start)), Some(item.range.end)));
    Some(text[first?..last?].trim())
}
