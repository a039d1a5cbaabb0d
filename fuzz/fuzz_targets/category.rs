//! A category's slug is safe in a path, and does not depend on white space around the name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use phonetrail::model::Field;
use phonetrail::transform::internals;

fuzz_target!(|text: &str| {
    let (slug, known) = internals::category(&Field::Text(text.into()));
    assert!((1..=64).contains(&slug.len()) && slug.as_bytes()[0].is_ascii_lowercase());
    assert!(slug.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')));
    assert_eq!(slug == "uncategorized", text.trim().is_empty());
    let padded = format!(" {text}\t");
    assert_eq!(internals::category(&Field::Text(padded.into())), (slug, known));
});
