//! Who is who: the identity of records that have no id.
//!
//! `record_id` is the first 16 bytes of SHA-256 over, in this order:
//!
//! 1. `phonetrail record 1`, the account id and the report, each framed;
//! 2. `action`, `category_type`, `operation_detail`, `operator`, `time`, each framed;
//! 3. where `time` is no text: the record's other members, framed. Without a time, different records of different windows
//!    would otherwise meet in one identity;
//! 4. the ordinal, 8 bytes little endian: 0, 1, 2, ... among the records of one window that agree in 1 to 3.
//!
//! A frame is a tag byte (0 missing, 1 null, 2 text, 3 text that is not Unicode, 4 other JSON), then for 2, 3 and 4 the
//! length in bytes, 8 bytes little endian, then the bytes: of the text itself for 2, of its JSON for 3 and 4.
//!
//! Records that agree share a second, so every window that covers that second holds the whole group, and numbers it the
//! same way: union by `record_id` keeps each as often as the upstream has it.
//!
//! The rule: a change to this formula doubles every stored row. It never changes.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use sha2::{Digest, Sha256};

use crate::model::{AccountId, Field, REPORT, Record, RecordId};

const DOMAIN: &str = "phonetrail record 1";

/// Bytes that SHA-256 takes at once.
const BLOCK_BYTES: usize = 64;

/// What makes identities: the part of the formula that all records of an account share.
pub(super) struct Identities {
    /// Has taken the whole blocks of that part.
    begun: Sha256,
    /// The rest of that part.
    prefix: Vec<u8>,
}

impl Identities {
    pub(super) fn of(account: &AccountId) -> Self {
        let mut prefix = Vec::new();
        for text in [DOMAIN, account.as_str(), REPORT] {
            frame(&mut prefix, 2, text);
        }
        let rest = prefix.split_off(prefix.len() / BLOCK_BYTES * BLOCK_BYTES);
        Self { begun: Sha256::new_with_prefix(prefix), prefix: rest }
    }

    /// The identity of the record that has `ordinal` among those of its window that agree with it. What is hashed is put
    /// together in `frames` before, whatever that holds: to hash it piece by piece takes longer.
    pub(super) fn record_id(&self, frames: &mut Vec<u8>, record: &Record<'_>, ordinal: u64) -> RecordId {
        frames.clone_from(&self.prefix);
        for field in [&record.action, &record.category_type, &record.operation_detail, &record.operator, &record.time] {
            frame_field(frames, field);
        }
        if !matches!(record.time, Field::Text(_)) {
            match &record.rest {
                Some(rest) => frame(frames, 4, rest),
                None => frames.push(0),
            }
        }
        frames.extend_from_slice(&ordinal.to_le_bytes());
        let digest = self.begun.clone().chain_update(frames).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        RecordId(id)
    }

    /// The identities of those of one window's records that are not the first of their kind, with their places. `firsts`
    /// are the identities of all at ordinal 0, and `record` gives the record at a place.
    ///
    /// Within a group of equal records the ordinals follow the order of their other members, not that of the response, so
    /// that the upstream's sort order does not matter.
    pub(super) fn of_twins<'p>(
        &self,
        firsts: &[RecordId],
        record: impl Fn(usize) -> Record<'p>,
    ) -> Vec<(usize, RecordId)> {
        let (mut twins, mut frames) = (Vec::new(), Vec::new());
        for group in groups(firsts) {
            let mut members: Vec<_> = group.into_iter().map(|index| (index, record(index))).collect();
            members.sort_by(|(_, a), (_, b)| (a.rest.as_deref(), a.source).cmp(&(b.rest.as_deref(), b.source)));
            let others = (0u64..).zip(&members).skip(1);
            twins.extend(
                others.map(|(ordinal, (index, record))| (*index, self.record_id(&mut frames, record, ordinal))),
            );
        }
        twins
    }
}

/// The places of records that agree, a list for each two or more.
fn groups(firsts: &[RecordId]) -> impl Iterator<Item = Vec<usize>> {
    let mut places: HashMap<RecordId, usize, RandomState> =
        HashMap::with_capacity_and_hasher(firsts.len(), RandomState::default());
    let mut groups: HashMap<RecordId, Vec<usize>> = HashMap::new();
    for (place, id) in firsts.iter().enumerate() {
        if let Some(first) = places.insert(*id, place) {
            groups.entry(*id).or_insert_with(|| vec![first]).push(place);
        }
    }
    groups.into_values()
}

fn frame_field(frames: &mut Vec<u8>, field: &Field<'_>) {
    match field {
        Field::Missing => frames.push(0),
        Field::Null => frames.push(1),
        Field::Text(text) => frame(frames, 2, text),
        Field::Broken { json, .. } => frame(frames, 3, json),
        Field::Other(json) => frame(frames, 4, json),
    }
}

fn frame(frames: &mut Vec<u8>, tag: u8, text: &str) {
    let mut head = [0; 9];
    head[0] = tag;
    head[1..].copy_from_slice(&(text.len() as u64).to_le_bytes());
    frames.extend_from_slice(&head);
    frames.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::super::decode;
    use super::*;
    use crate::model::Source;

    fn record(json: &str) -> Record<'_> {
        decode::record(Source { text: json, places: None })
    }

    fn record_ids(account: &str, records: &[Record<'_>]) -> Vec<RecordId> {
        let identities = Identities::of(&AccountId::new(account));
        let mut ids: Vec<_> = records.iter().map(|record| identities.record_id(&mut Vec::new(), record, 0)).collect();
        for (place, id) in identities.of_twins(&ids, |place| records[place].clone()) {
            ids[place] = id;
        }
        ids
    }

    fn ids(sources: &[String]) -> Vec<RecordId> {
        let records: Vec<_> = sources.iter().map(|source| record(source)).collect();
        record_ids("account", &records)
    }

    #[test]
    fn the_formula_is_pinned() {
        let source = r#"{"action":"ADD","category_type":"Phone Number","operation_detail":"Add BYOC +86 182 5188 5564","operator":"user@test.com","time":"2022-02-01T02:36:14Z"}"#;
        let twins = ids(&[source.to_owned(), source.to_owned()]);
        // By hand with Python's hashlib and struct, over the frames in the module's documentation.
        assert_eq!(twins[0].to_string(), "49ad2d83c91e3595140504ec0ad06dc9");
        assert_eq!(twins[1].to_string(), "405fe4944038079fe8797b69bb852cd0");
    }

    #[test]
    fn missing_null_empty_and_other_json_are_four_records() {
        let base = r#""category_type":"c","operation_detail":"d","operator":"o","time":"t""#;
        let variants = ["", r#""action":null,"#, r#""action":"","#, r#""action":"null","#, r#""action":0,"#];
        let all: HashSet<_> = variants.iter().flat_map(|variant| ids(&[format!("{{{variant}{base}}}")])).collect();
        assert_eq!(all.len(), variants.len());
    }

    #[test]
    fn text_cannot_move_between_fields() {
        let one = ids(&[r#"{"action":"ab","category_type":"c","time":"t"}"#.to_owned()]);
        let other = ids(&[r#"{"action":"a","category_type":"bc","time":"t"}"#.to_owned()]);
        assert_ne!(one, other);
    }

    #[test]
    fn a_new_member_upstream_does_not_make_a_stored_record_new() {
        let before = ids(&[r#"{"action":"a","time":"t"}"#.to_owned()]);
        let after = ids(&[r#"{"action":"a","time":"t","ip":"192.0.2.1"}"#.to_owned()]);
        assert_eq!(before, after);
    }

    #[test]
    fn records_without_a_time_are_told_apart_by_everything_else() {
        let one = ids(&[r#"{"action":"a","n":1}"#.to_owned()]);
        let other = ids(&[r#"{"action":"a","n":2}"#.to_owned()]);
        assert_ne!(one, other);
        assert_ne!(ids(&["null".to_owned()]), ids(&["7".to_owned()]));
    }

    #[test]
    fn accounts_do_not_share_identities() {
        let record = [record(r#"{"time":"t"}"#)];
        assert_ne!(record_ids("a", &record), record_ids("b", &record));
    }

    /// A small world, so that equal records are common.
    fn account() -> impl Strategy<Value = Vec<(u8, u8)>> {
        prop::collection::vec((0u8..12, 0u8..3), 0..60)
    }

    fn json(&(second, kind): &(u8, u8)) -> String {
        format!(r#"{{"action":"{kind}","time":"2022-02-01T00:00:{second:02}Z"}}"#)
    }

    proptest! {
        /// The oracle counts: of each distinct record, the union of all windows must hold exactly as many as there are.
        #[test]
        fn the_union_of_overlapping_windows_is_the_account(
            account in account(),
            windows in prop::collection::vec((0u8..12, 0u8..12, any::<bool>()), 1..8),
        ) {
            let mut union: HashMap<RecordId, String> = HashMap::new();
            let mut seen: HashMap<String, usize> = HashMap::new();
            for (a, b, oldest_first) in windows {
                let (low, high) = (a.min(b), a.max(b));
                let mut inside: Vec<String> =
                    account.iter().filter(|(second, _)| (low..=high).contains(second)).map(json).collect();
                if oldest_first { inside.reverse(); }
                for (source, id) in inside.iter().zip(ids(&inside)) {
                    union.insert(id, source.clone());
                }
                let mut here: HashMap<String, usize> = HashMap::new();
                for source in inside { *here.entry(source).or_default() += 1; }
                seen.extend(here);
            }
            let mut kept: HashMap<String, usize> = HashMap::new();
            for source in union.into_values() { *kept.entry(source).or_default() += 1; }
            prop_assert_eq!(kept, seen);
        }
    }
}
