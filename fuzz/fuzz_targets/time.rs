//! A time that counts as canonical comes back byte for byte, and no time lies outside the years 1970 to 9999.

#![no_main]

use libfuzzer_sys::fuzz_target;
use phonetrail::model::Field;
use phonetrail::transform::internals;

fuzz_target!(|text: &str| {
    let (canonical, back) = internals::canonical_time(text);
    if canonical {
        assert_eq!(back.as_deref(), Some(text));
    }
    for field in [Field::Text(text.into()), Field::Other(text)] {
        if let Some(micros) = internals::time(&field) {
            assert!((0..253_402_300_800_000_000).contains(&micros));
        }
    }
});
