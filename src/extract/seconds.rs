//! In how many seconds the records of a page happened, as far as it takes to tell a day from a moment.
//!
//! The rule: a time that cannot be read for certain is none.

use std::borrow::Cow;

use chrono::DateTime;
use serde::Deserialize;

use crate::model::{Envelope, Page};

#[derive(Deserialize)]
struct Timed<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// Whether the records of `page` happened in at least two different seconds.
pub(super) fn are_several(page: &Page) -> bool {
    let text = page.text();
    let Ok(envelope) = Envelope::parse(&text) else { return false };
    let mut seconds = envelope.operation_logs.iter().filter_map(|record| {
        let Timed { time } = serde_json::from_str(record.get()).ok()?;
        Some(DateTime::parse_from_rfc3339(&time).ok()?.timestamp())
    });
    seconds.next().is_some_and(|first| seconds.any(|other| other != first))
}
