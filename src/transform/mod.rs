//! Pages -> records -> typed operations -> Arrow.
//!
//! ```text
//! Page --decode--> Record --identity, time, category--> KeyedRecord
//!                                                            | (sorted, by partition)
//! Batch <--columns-- Operation <--operator, action, detail---+
//! ```
//!
//! What waits for the rest of its window is a [`KeyedRecord`], which is small and borrows from its page. An
//! [`Operation`] lives only until its row is written.
//!
//! The rule: every record the upstream reported comes out as a row; what cannot be read is null, counted, and kept in
//! `source_json`.

mod action;
mod byte;
mod category;
mod columns;
mod contact;
mod decode;
mod detail;
mod identity;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod memo;
mod operator;
mod rows;
mod time;
mod trim;

use std::borrow::Cow;

use chrono::{DateTime, Datelike};
use rayon::prelude::*;

pub use self::detail::{PARSER_VERSION, parse as read_detail, shape as detail_shape};
use self::identity::Identities;
use self::memo::Memo;
pub use self::rows::{batches, batches_of, record_json};
use crate::model::{
    AccountId, Field, KeyedRecord, Operation, PageError, Partition, Record, RecordId, Source, UNKNOWN_TIME,
};

/// The records of one window, page by page, from the texts of all its pages (see [`crate::model::Page::text`]). Pages are
/// read on all cores.
///
/// All pages of the window must be given at once: identical records are numbered within it.
pub fn keyed<'p>(account: &'p AccountId, pages: &'p [Cow<'p, str>]) -> Result<Vec<Vec<KeyedRecord<'p>>>, PageError> {
    let identities = Identities::of(account);
    let read = |memo: &mut Memo<'p>, page: &'p Cow<'p, str>| -> Result<Vec<_>, PageError> {
        let sources = decode::sources(page)?;
        let mut frames = Vec::new();
        let mut keyed = |source| {
            let record = decode::record(source);
            let record_id = identities.record_id(&mut frames, &record, 0);
            keyed_record(account, record_id, &record, source, memo)
        };
        Ok(sources.into_iter().map(&mut keyed).collect())
    };
    let mut pages = pages.par_iter().map_init(Memo::default, read).collect::<Result<Vec<_>, _>>()?;
    number(&mut pages, &identities);
    Ok(pages)
}

fn keyed_record<'p>(
    account: &'p AccountId,
    record_id: RecordId,
    record: &Record<'p>,
    source: Source<'p>,
    memo: &mut Memo<'p>,
) -> KeyedRecord<'p> {
    let event_time = time::parse(&record.time);
    let (category, category_known) = memo.category(&record.category_type);
    let (year, month) = event_time.and_then(year_and_month).unwrap_or(UNKNOWN_TIME);
    KeyedRecord {
        record_id,
        event_time,
        account,
        partition: Partition { year, month, category },
        category_known,
        reproducible: event_time.is_some() && reproducible(record),
        source,
    }
}

/// Tells those records of a window apart that agree.
fn number(pages: &mut [Vec<KeyedRecord<'_>>], identities: &Identities) {
    let starts: Vec<usize> =
        pages.iter().scan(0, |next, page| Some(std::mem::replace(next, *next + page.len()))).collect();
    let place = |index: usize| {
        let page = starts.partition_point(|start| *start <= index) - 1;
        (page, index - starts[page])
    };
    let firsts: Vec<_> = pages.iter().flatten().map(|record| record.record_id).collect();
    let record = |index: usize| {
        let (page, line) = place(index);
        decode::record(pages[page][line].source)
    };
    for (index, id) in identities.of_twins(&firsts, record) {
        let (page, line) = place(index);
        pages[page][line].record_id = id;
    }
}

/// The typed row of a record.
fn operation<'m, 'p>(keyed: &KeyedRecord<'p>, memo: &'m mut Memo<'p>) -> Operation<'m> {
    let record = decode::record(keyed.source);
    let (action_kind, channel) = memo.action(&record.action);
    let source_json = (!keyed.reproducible).then_some(Cow::Borrowed(keyed.source.text));
    let operator = memo.operator(&record.operator);
    let unlisted = if keyed.category_known { None } else { record.category_type.as_str() };
    let detail = memo.detail(&record.operation_detail, unlisted);

    Operation {
        record_id: keyed.record_id,
        event_time: keyed.event_time,
        account: keyed.account,
        action: text(record.action),
        action_kind,
        channel,
        category_type: text(record.category_type),
        operator,
        operation_detail: text(record.operation_detail),
        detail,
        source_json,
    }
}

/// Whether the verbatim columns and `event_time` alone give back the record, whose time was read.
fn reproducible(record: &Record<'_>) -> bool {
    let texts = [&record.action, &record.category_type, &record.operation_detail, &record.operator];
    record.rest.is_none()
        && texts.iter().all(|field| matches!(field, Field::Text(_)))
        && matches!(&record.time, Field::Text(time) if time::has_canonical_shape(time))
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn ids(pages: &[&[&str]]) -> HashSet<RecordId> {
        let page = |records: &&[&str]| Cow::Owned(format!(r#"{{"operation_logs":[{}]}}"#, records.join(",")));
        let pages: Vec<_> = pages.iter().map(page).collect();
        let account = AccountId::new("a");
        let records = keyed(&account, &pages).unwrap();
        records.iter().flatten().map(|record| record.record_id).collect()
    }

    #[test]
    fn identical_records_are_numbered_across_pages() {
        let [one, other] = [r#"{"action":"a","time":"t"}"#, r#"{"action":"b","time":"t"}"#];
        let whole = ids(&[&[one, other, one, one]]);
        assert_eq!(whole.len(), 4);
        assert_eq!(ids(&[&[one], &[], &[one, other], &[one]]), whole);
    }
}
