//! Pages -> records -> typed operations -> Arrow.
//!
//! ```text
//! Page --decode--> Record --identity, time, category, operator, action, detail--> Operation --rows--> Batch
//! ```
//!
//! The rule: every record the upstream reported comes out as a row; what cannot be read is null, counted, and kept in
//! `source_json`.

mod action;
mod category;
mod contact;
mod decode;
mod detail;
mod identity;
mod operator;
mod rows;
mod time;

use std::borrow::Cow;

use chrono::{DateTime, Datelike};

pub use self::detail::PARSER_VERSION;
pub use self::identity::record_ids;
pub use self::rows::{batches, record_json};
use crate::model::{AccountId, Detail, Field, Operation, PageError, Partition, Record, RecordId, UNKNOWN_TIME};

/// The operations of one window, from the texts of all its pages (see [`crate::model::Page::text`]).
///
/// All pages of the window must be given at once: identical records are numbered within it.
pub fn operations<'p>(account: &AccountId, pages: &'p [Cow<'p, str>]) -> Result<Vec<Operation<'p>>, PageError> {
    let mut records: Vec<Record<'p>> = Vec::new();
    for page in pages {
        records.extend(decode::records(page)?);
    }
    let ids = record_ids(account, &records);
    Ok(records.into_iter().zip(ids).map(|(record, id)| operation(record, id)).collect())
}

fn operation(record: Record<'_>, record_id: RecordId) -> Operation<'_> {
    let event_time = time::parse(&record.time);
    let (category, category_known) = category::slug(&record.category_type);
    let (action_kind, channel) = action::parse(&record.action);
    let (year, month) = event_time.and_then(year_and_month).unwrap_or(UNKNOWN_TIME);
    let partition = Partition { year, month, category: category.into_owned() };
    let source_json = (!reproducible(&record)).then_some(Cow::Borrowed(record.source));
    let operator = operator::parse(&record.operator);
    let detail = detail(&record.operation_detail);

    Operation {
        record_id,
        event_time,
        action: text(record.action),
        action_kind,
        channel,
        category_type: text(record.category_type),
        category_known,
        operator,
        operation_detail: text(record.operation_detail),
        detail,
        source_json,
        partition,
    }
}

/// What the detail says, borrowed where the text is.
fn detail<'p>(field: &Field<'p>) -> Detail<'p> {
    match field {
        Field::Text(Cow::Borrowed(text)) => detail::parse(text),
        Field::Text(Cow::Owned(text)) | Field::Broken { text, .. } => detail::parse(text).into_owned(),
        Field::Missing | Field::Null | Field::Other(_) => Detail::default(),
    }
}

/// Whether the verbatim columns and `event_time` alone give the record back.
fn reproducible(record: &Record<'_>) -> bool {
    let texts = [&record.action, &record.category_type, &record.operation_detail, &record.operator];
    record.rest.is_none()
        && texts.iter().all(|field| matches!(field, Field::Text(_)))
        && matches!(&record.time, Field::Text(time) if time::is_canonical(time))
}

fn text(field: Field<'_>) -> Option<Cow<'_, str>> {
    match field {
        Field::Text(text) => Some(text),
        Field::Broken { text, .. } => Some(Cow::Owned(text)),
        Field::Missing | Field::Null | Field::Other(_) => None,
    }
}

fn year_and_month(micros: i64) -> Option<(i32, i32)> {
    let date = DateTime::from_timestamp_micros(micros)?.date_naive();
    Some((date.year(), i32::try_from(date.month()).ok()?))
}
