//! What each step of the transform costs a record, and all of them together, on one thread and two.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::borrow::Cow;
use std::hint::black_box;

use chrono::{DateTime, NaiveDate, Utc};
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use phonetrail::model::{AccountId, KeyedRecord, Record};
use phonetrail::simulator::{GeneratorConfig, LastToken, PageDraft, generate};
use phonetrail::transform::{self, internals};
use rayon::ThreadPoolBuilder;
use serde::de::IgnoredAny;

const RECORDS: usize = 60_000;
const PAGE_SIZE: usize = 300;

criterion_group!(benches, steps, whole);
criterion_main!(benches);

fn steps(criterion: &mut Criterion) {
    let pages = pages();
    let records: Vec<Record<'_>> = pages.iter().flat_map(|page| internals::records(page).unwrap()).collect();
    let account = AccountId::new("bench");
    let keyed = transform::keyed(&account, &pages).unwrap();
    let mut group = group(criterion, "step");

    group.bench_function("parse only", |bencher| bencher.iter(|| pages.iter().for_each(|page| parse(page))));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| pages.iter().map(|page| internals::records(page).unwrap().len()).sum::<usize>());
    });
    group.bench_function("identity", |bencher| bencher.iter(|| internals::identities(&account, &records)));
    each(&mut group, "time", &records, |record| internals::time(&record.time));
    each(&mut group, "category", &records, |record| internals::category(&record.category_type));
    each(&mut group, "operator", &records, |record| internals::operator(&record.operator));
    each(&mut group, "action", &records, |record| internals::action(&record.action));
    each(&mut group, "detail", &records, |record| record.operation_detail.as_str().map(internals::detail));
    each(&mut group, "contacts", &records, |record| record.operation_detail.as_str().map(internals::contacts));
    group.bench_function("rows", |bencher| {
        let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let batches = |keyed: Vec<Vec<KeyedRecord<'_>>>| {
            transform::batches(DateTime::<Utc>::UNIX_EPOCH, keyed.into_iter().flatten()).unwrap()
        };
        bencher.iter_batched(|| keyed.clone(), |keyed| pool.install(|| batches(keyed)), BatchSize::PerIteration);
    });
}

fn whole(criterion: &mut Criterion) {
    let pages = pages();
    let account = AccountId::new("bench");
    let mut group = group(criterion, "pages to batches");
    for threads in [1, 2] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let batches = || {
            let keyed = transform::keyed(&account, &pages).unwrap();
            transform::batches(DateTime::<Utc>::UNIX_EPOCH, keyed.into_iter().flatten()).unwrap()
        };
        group.bench_function(format!("{threads} threads"), |bencher| bencher.iter(|| pool.install(batches)));
    }
}

fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    group
}

fn each<'r, T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    records: &'r [Record<'r>],
    step: impl Fn(&'r Record<'r>) -> T,
) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| records.iter().for_each(|record| drop(black_box(step(record)))));
    });
}

fn parse(page: &str) {
    serde_json::from_str::<IgnoredAny>(black_box(page)).unwrap();
}

/// The pages of one month.
fn pages() -> Vec<Cow<'static, str>> {
    let day = |day| NaiveDate::from_ymd_opt(2022, 2, day).unwrap();
    let records = generate(&GeneratorConfig { seed: 7, records: RECORDS, from: day(1), to: day(28) }).unwrap();
    let draft = |page: &[_]| PageDraft {
        requested_token: None,
        next_page_token: None,
        last_token: LastToken::Empty,
        page_size: 300,
        total_records: Some(RECORDS as u64),
        from: "2022-02-01".to_owned(),
        to: "2022-02-28".to_owned(),
        operation_logs: Some(page.iter().map(phonetrail::simulator::AccountRecord::text).cloned().collect()),
    };
    let text = |page: &[_]| Cow::Owned(String::from_utf8(draft(page).to_json().to_vec()).unwrap());
    records.chunks(PAGE_SIZE).map(text).collect()
}
