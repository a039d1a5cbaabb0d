//! How the cost of reading a detail grows with its length: by byte it must stay the same from 1 KiB to 256 KiB, whatever
//! the text.

#![allow(missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phonetrail::transform::internals;

/// What the texts are made of, after a start.
const SHAPES: [(&str, &str, &str); 12] = [
    ("settings", "Security ", " - Require a passcode: from Off to On"),
    ("names", "Assign Phone Number +12025550123 to ", "Sam Mendes "),
    ("hyphens", "Add User ", " - "),
    ("parentheses", "Add User ", "("),
    ("pairs", "Add User ", "(a) "),
    ("pluses", "Add User ", "+"),
    ("ats", "Add User ", "@"),
    ("half addresses", "Add User ", "a@b."),
    ("tos", "Assign User Sam", " to "),
    ("typed tos", "Assign User Sam", " to User "),
    ("unfinished", "Security ", " - a: from b"),
    ("quotes", "Add User ", " \"a"),
];
/// Texts that are never the same twice.
const COUNTED: [(&str, &str, &str); 3] =
    [("numbers", "+1202555", " "), ("addresses", "user", "@example.com "), ("extensions", "ext. ", ", ")];
const KIBIBYTES: [usize; 5] = [1, 4, 16, 64, 256];

criterion_group!(benches, growth);
criterion_main!(benches);

fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("detail");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
    let repeated = SHAPES.map(|(name, start, unit)| (name, repeated(start, unit)));
    let counted = COUNTED.map(|(name, before, after)| (name, counted(before, after)));
    for (name, text) in repeated.into_iter().chain(counted) {
        for kibibytes in KIBIBYTES {
            let mut end = kibibytes * 1024;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let text = &text[..end];
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(BenchmarkId::new(name, kibibytes), |bencher| {
                bencher.iter(|| black_box(internals::detail(black_box(text))));
            });
        }
    }
}

fn longest() -> usize {
    KIBIBYTES.iter().max().copied().unwrap_or_default() * 1024
}

fn repeated(start: &str, unit: &str) -> String {
    format!("{start}{}", unit.repeat(longest() / unit.len() + 1))
}

fn counted(before: &str, after: &str) -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < longest() {
        text.push_str(&format!("{before}{number:06}{after}"));
        number += 1;
    }
    text
}
