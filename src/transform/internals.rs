//! The steps of the transform by themselves, for benchmarks and fuzzing. No part of the library's interface.

use crate::model::{AccountId, Detail, Field, Operator, PageError, Record, RecordId};

use super::identity::Identities;
use super::{action, category, contact, decode, operator, read_detail, time};

/// The records of a page.
pub fn records(text: &str) -> Result<Vec<Record<'_>>, PageError> {
    Ok(decode::sources(text)?.into_iter().map(decode::record).collect())
}

/// The identities of records that are all different.
pub fn identities(account: &AccountId, records: &[Record<'_>]) -> Vec<RecordId> {
    let identities = Identities::of(account);
    let mut frames = Vec::new();
    records.iter().map(|record| identities.record_id(&mut frames, record, 0)).collect()
}

/// Microseconds since the epoch.
pub fn time(field: &Field<'_>) -> Option<i64> {
    time::parse(field)
}

/// Whether the time comes back from its microseconds byte for byte, and what comes back.
pub fn canonical_time(text: &str) -> (bool, Option<String>) {
    let micros = time::parse(&Field::Text(text.into()));
    (time::is_canonical(text), micros.map(time::format_canonical))
}

/// The category's slug, and whether the upstream documents it.
pub fn category(field: &Field<'_>) -> (String, bool) {
    let (slug, known) = category::slug(field);
    (slug.into_owned(), known)
}

/// Whether the action has a kind and a channel.
pub fn action(field: &Field<'_>) -> (bool, bool) {
    let (kind, channel) = action::parse(field);
    (kind.is_some(), channel.is_some())
}

/// Who did it.
pub fn operator<'a>(field: &Field<'a>) -> Operator<'a> {
    operator::parse(field)
}

/// What the detail says.
pub fn detail(text: &str) -> Detail<'_> {
    read_detail(text)
}

/// How many phone numbers, addresses and extensions a text mentions.
pub fn contacts(text: &str) -> usize {
    let contacts = contact::Contacts::of(text);
    contacts.phone_numbers().len() + contacts.emails().len() + contacts.extensions().len()
}
