//! An invented account: as many records as asked for, the same for the same seed.
//!
//! ```text
//! seed -> Timetable (when) + Cast (who) + wording (what) -> AccountRecord
//! ```
//!
//! The rule: everything is drawn from the seeded generator, with whole numbers as weights, so that an account is the same
//! on every machine and on every day. Names, domains and numbers are fictional.

mod cast;
mod timetable;
mod weighted;
mod wording;

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use cast::Cast;
use timetable::Timetable;
use weighted::Weighted;
use wording::Deed;

use super::AccountRecord;
use super::category::{self, CATEGORIES};

/// The commonest categories, commonest first. The others of the table follow in its order, then the unknown ones.
const COMMONEST: [&str; 12] = [
    "phone_number",
    "user",
    "device",
    "call_queue",
    "extension",
    "call_setting",
    "auto_receptionist",
    "account_options",
    "voicemail",
    "emergency_address",
    "shared_line_group",
    "recording",
];
/// Categories that the published table lacks.
const UNKNOWN: [&str; 4] = ["Excluded Number", "AI Receptionist", "E911 / Nomadic", "呼叫分析"];
/// From so many records on, every category occurs.
const COMPLETE_FROM: usize = 1000;

const BURST_LENGTHS: std::ops::Range<usize> = 5..60;
const BURSTS_PER_MILLE: u32 = 6;
const TWINS_PER_MILLE: u32 = 15;

/// What account to invent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratorConfig {
    /// What decides everything that is left to chance.
    pub seed: u64,
    /// How many records there are.
    pub records: usize,
    /// The first UTC day that may have records.
    pub from: NaiveDate,
    /// The last.
    pub to: NaiveDate,
}

/// An account that cannot be invented.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no days from {from} to {to}")]
pub struct InvalidGenerator {
    from: NaiveDate,
    to: NaiveDate,
}

/// A record's JSON, with the keys in the order of the upstream's example.
#[derive(Serialize)]
struct Row<'a> {
    action: &'a str,
    category_type: &'a str,
    operation_detail: &'a str,
    operator: &'a str,
    time: &'a str,
}

/// Invents the records of an account, in order of time.
pub fn generate(config: &GeneratorConfig) -> Result<Vec<AccountRecord>, InvalidGenerator> {
    let GeneratorConfig { seed, records, from, to } = *config;
    if to < from {
        return Err(InvalidGenerator { from, to });
    }
    let mut generator = Generator::new(seed, from, to);
    let mut made = Vec::with_capacity(records);
    if records >= COMPLETE_FROM {
        (0..generator.categories.len()).for_each(|category| made.push(generator.single(category)));
    }
    while made.len() < records {
        generator.event(records - made.len(), &mut made);
    }
    made.sort_by_key(AccountRecord::at);
    Ok(made)
}

struct Category {
    code: Cow<'static, str>,
    name: String,
}

struct Generator {
    rng: ChaCha8Rng,
    timetable: Timetable,
    cast: Cast,
    categories: Vec<Category>,
    popularity: Weighted,
}

impl Generator {
    fn new(seed: u64, from: NaiveDate, to: NaiveDate) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let categories = categories();
        // The nth category is an nth as frequent as the first.
        let popularity = Weighted::new((1..=categories.len() as u64).map(|rank| 10_000 / rank));
        Self { timetable: Timetable::new(&mut rng, from, to), cast: Cast::new(), categories, popularity, rng }
    }

    /// Adds the records of one thing that happened: a single record, a burst of one operator's in one second, or records
    /// that are the same in every byte. There are never more than `most`.
    fn event(&mut self, most: usize, made: &mut Vec<AccountRecord>) {
        let category = self.popularity.pick(&mut self.rng);
        let chance = self.rng.random_range(0..1000);
        if chance < BURSTS_PER_MILLE {
            let length = self.rng.random_range(BURST_LENGTHS).min(most);
            self.burst(length, made);
        } else if chance < BURSTS_PER_MILLE + TWINS_PER_MILLE {
            let copies = self.rng.random_range(2..=4).min(most);
            let record = self.single(category);
            made.extend(std::iter::repeat_n(record, copies));
        } else {
            made.push(self.single(category));
        }
    }

    fn single(&mut self, category: usize) -> AccountRecord {
        let at = self.timetable.pick(&mut self.rng);
        let deed = wording::deed(&mut self.rng, &self.cast, &self.categories[category].code);
        let operator = self.cast.operator(&mut self.rng, deed.action);
        record(at, &self.categories[category], &deed, &operator)
    }

    /// A batch job over users, or an import of numbers: one second, one operator, one category.
    fn burst(&mut self, length: usize, made: &mut Vec<AccountRecord>) {
        let at = self.timetable.pick(&mut self.rng);
        let operator = self.cast.operator(&mut self.rng, "Batch Update");
        let code = if self.rng.random_bool(0.5) { "user" } else { "phone_number" };
        let category = self.categories.iter().position(|category| category.code == code).unwrap_or_default();
        for _ in 0..length {
            let deed = wording::batch_deed(&mut self.rng, &self.cast, code);
            made.push(record(at, &self.categories[category], &deed, &operator));
        }
    }
}

fn categories() -> Vec<Category> {
    let others = CATEGORIES.iter().map(|(code, _)| *code).filter(|code| !COMMONEST.contains(code));
    let known = COMMONEST.into_iter().chain(others);
    let known = known.map(|code| Category { code: Cow::Borrowed(code), name: category::display_name(code) });
    let unknown = UNKNOWN
        .iter()
        .map(|name| Category { code: category::code_of(name).unwrap_or_default(), name: (*name).to_owned() });
    known.chain(unknown).collect()
}

fn record(at: DateTime<Utc>, category: &Category, deed: &Deed, operator: &str) -> AccountRecord {
    let row = Row {
        action: deed.action,
        category_type: &category.name,
        operation_detail: &deed.detail,
        operator,
        time: &at.to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    // Boxed, as the slack of a grown vector would stay with the record.
    let text = serde_json::to_vec(&row).unwrap_or_default().into_boxed_slice();
    AccountRecord::of_category(text, at, category.code.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn config(records: usize) -> GeneratorConfig {
        let day = |text: &str| text.parse().unwrap();
        GeneratorConfig { seed: 7, records, from: day("2022-01-15"), to: day("2022-03-14") }
    }

    fn field(record: &AccountRecord, name: &str) -> String {
        let value: serde_json::Value = serde_json::from_slice(record.text()).unwrap();
        value[name].as_str().unwrap().to_owned()
    }

    #[test]
    fn there_are_exactly_as_many_records_as_asked_for_and_none_outside_the_days() {
        for records in [0, 1, 7, 1000, 4321] {
            let made = generate(&config(records)).unwrap();
            assert_eq!(made.len(), records);
            for record in &made {
                let day = record.at().date_naive();
                assert!((config(0).from..=config(0).to).contains(&day));
            }
        }
        let backwards = GeneratorConfig { to: "2022-01-14".parse().unwrap(), ..config(1) };
        assert!(generate(&backwards).is_err());
    }

    #[test]
    fn the_same_seed_makes_the_same_account_and_another_makes_another() {
        let made = generate(&config(2000)).unwrap();
        assert_eq!(made, generate(&config(2000)).unwrap());
        assert_ne!(made, generate(&GeneratorConfig { seed: 8, ..config(2000) }).unwrap());
    }

    #[test]
    fn every_category_occurs_under_its_display_name_and_few_make_up_most() {
        let made = generate(&config(5000)).unwrap();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for record in &made {
            *counts.entry(record.category().unwrap()).or_default() += 1;
            assert_eq!(category::code_of(&field(record, "category_type")).as_deref(), record.category());
        }
        assert_eq!(counts.len(), CATEGORIES.len() + UNKNOWN.len());
        assert!(CATEGORIES.iter().all(|(code, _)| counts.contains_key(code)));
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_by(|a, b| b.cmp(a));
        assert!(counts[..6].iter().sum::<usize>() > made.len() / 2);
    }

    #[test]
    fn records_come_in_bursts_and_as_twins() {
        let made = generate(&config(5000)).unwrap();
        let mut by_second: HashMap<DateTime<Utc>, usize> = HashMap::new();
        made.iter().for_each(|record| *by_second.entry(record.at()).or_default() += 1);
        assert!(by_second.values().any(|count| *count >= 20));
        let distinct: HashSet<_> = made.iter().map(AccountRecord::text).collect();
        assert!(distinct.len() < made.len());
    }

    #[test]
    fn every_record_is_what_a_line_of_a_file_would_make_of_it() {
        for record in generate(&config(3000)).unwrap() {
            let line = std::str::from_utf8(record.text()).unwrap();
            assert_eq!(AccountRecord::from_line(line).unwrap(), record);
        }
    }
}
