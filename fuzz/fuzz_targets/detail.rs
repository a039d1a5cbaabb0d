//! Any text has a reading, and whatever the columns hold of it stands there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use phonetrail::model::DetailStatus;
use phonetrail::transform::internals;

fuzz_target!(|text: &str| {
    let detail = internals::detail(text);
    for name in [&detail.object_name, &detail.target_name].into_iter().flatten() {
        assert!(text.contains(&**name) && name.trim() == name && !name.is_empty());
    }
    for change in &detail.changes {
        assert!(text.contains(&*change.field) && !change.field.is_empty());
        for value in [&change.old_value, &change.new_value].into_iter().flatten() {
            assert!(text.contains(&**value));
        }
    }
    if detail.status == DetailStatus::Unparsed {
        assert!(detail.verb.is_none() && detail.object_type.is_none() && detail.changes.is_empty());
        assert_eq!(detail.object_name.as_deref().unwrap_or_default(), text.trim());
    }
    if detail.target_name.is_some() || detail.target_email.is_some() {
        assert!(detail.target_relation.is_some());
    }
    assert!(detail.target_email.iter().all(|email| detail.emails.contains(email)));
    assert!(detail.phone_numbers.iter().all(|number| number[1..].bytes().all(|byte| byte.is_ascii_digit())));
    assert!(detail.extensions.iter().all(|extension| text.contains(&**extension)));
    assert_eq!(detail.clone().into_owned(), detail);
});
