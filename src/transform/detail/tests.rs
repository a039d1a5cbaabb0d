use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A detail in the shape of the fixtures' `expect`.
fn shown(detail: &Detail) -> Value {
    let change = |change: &crate::model::Change| json!({ "field": change.field, "old_value": change.old_value, "new_value": change.new_value });
    json!({
        "status": detail.status.as_str(),
        "verb": detail.verb,
        "object_type": detail.object_type,
        "object_name": detail.object_name,
        "target_relation": detail.target_relation,
        "target_name": detail.target_name,
        "target_email": detail.target_email,
        "changes": detail.changes.iter().map(change).collect::<Vec<_>>(),
        "phone_numbers": detail.phone_numbers,
        "emails": detail.emails,
        "extensions": detail.extensions,
    })
}

/// What holds of every detail, whatever the text.
fn check_invariants(text: &str) {
    let detail = parse(text);
    let names = [&detail.object_name, &detail.target_name];
    for name in names.into_iter().flatten() {
        assert!(text.contains(&**name) && name.trim() == name && !name.is_empty(), "{text:?}");
    }
    for change in &detail.changes {
        assert!(text.contains(&*change.field) && !change.field.is_empty(), "{text:?}");
        for value in [&change.old_value, &change.new_value].into_iter().flatten() {
            assert!(text.contains(&**value), "{text:?}");
        }
    }
    if detail.status == DetailStatus::Unparsed {
        let head = Some(text.trim()).filter(|head| !head.is_empty());
        assert_eq!(detail.object_name.as_deref(), head, "{text:?}");
        assert!(detail.verb.is_none() && detail.object_type.is_none() && detail.changes.is_empty(), "{text:?}");
    }
    if detail.target_name.is_some() || detail.target_email.is_some() {
        assert!(detail.target_relation.is_some(), "{text:?}");
    }
    assert!(detail.target_email.iter().all(|email| detail.emails.contains(email)), "{text:?}");
}

#[test]
fn every_labelled_detail_reads_as_a_careful_reader_would() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/details.jsonl");
    let mut wrong = Vec::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["detail"].as_str().unwrap();
        check_invariants(text);
        let read = shown(&parse(text));
        if read != case["expect"] {
            wrong.push(format!("{text:?}\n  read     {read}\n  expected {}", case["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_sample_row_keeps_the_invariants() {
    let Ok(path) = std::env::var("PHONETRAIL_SAMPLES") else {
        eprintln!("skipped: PHONETRAIL_SAMPLES names no file of sample records");
        return;
    };
    for line in fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let Some(text) = row["operation_detail"].as_str() else { continue };
        check_invariants(text);
    }
}

#[test]
fn the_time_taken_grows_with_the_length_of_the_text_and_no_faster() {
    let units = [
        " - ",
        "(",
        ")",
        "\"",
        "{",
        "[\"",
        " to ",
        " from x to y from",
        "+1 ",
        "+",
        "a@",
        "a@b.",
        "a@b.co ",
        ": ",
        "x: from ",
        "  - a: from ",
        " - a: set to ",
        "ext ",
        "ext. 1, ",
        " to User ",
        ") to ",
        "*",
        "1",
        "Phone ",
        "- ",
        " - a@b.co",
        "extensions 1 to ",
        "+1415 ",
        " - to b: ",
        "(a@b.co) to ",
        "\u{200f}",
        "+1(",
        "-",
        "é@",
        "用@",
        "..",
    ];
    for unit in units {
        for start in ["", "Add User ", "Security  - x: from ", "Assign Phone Number +1 to "] {
            let text = format!("{start}{}", unit.repeat(65_536 / unit.len()));
            let started = Instant::now();
            std::hint::black_box(parse(&text));
            // Quadratic cost would take minutes; this leaves room for a slow, busy machine.
            assert!(started.elapsed() < Duration::from_secs(5), "{start:?} {unit:?}: {:?}", started.elapsed());
        }
    }
}

/// Texts made of what the grammar is made of.
fn grammatical() -> impl Strategy<Value = String> {
    let pieces = [
        " ",
        "  - ",
        " - ",
        "-",
        ": ",
        ":",
        ": from ",
        " to ",
        ": set to ",
        " from ",
        " for ",
        "Add ",
        "delete ",
        "User ",
        "Phone Number ",
        "Group",
        "Sales",
        "+1 415 555 0100",
        "+86",
        "ana@example.com",
        "(",
        ")",
        "(ana@example.com)",
        "\"",
        "{",
        "}",
        "Ext. 801",
        "801",
        "é",
        "用户",
        "\u{200f}",
        "\n",
        "x801",
        "*",
        ".",
        ",",
        "@",
        "+",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_has_a_reading_that_keeps_the_invariants(text in ".*") {
        check_invariants(&text);
    }

    #[test]
    fn texts_made_of_the_grammars_pieces_keep_the_invariants(text in grammatical()) {
        check_invariants(&text);
    }

    #[test]
    fn a_contact_found_is_found_in_itself(text in prop_oneof![".*", grammatical(), "[+@a-zé用0-9 .()*x-]{0,40}"]) {
        for number in Contacts::of(&text).phone_numbers() {
            prop_assert_eq!(Contacts::of(&number).phone_numbers(), vec![number.clone()]);
        }
        for email in Contacts::of(&text).emails() {
            prop_assert_eq!(Contacts::of(&email).emails(), vec![email.clone()]);
        }
        for extension in Contacts::of(&text).extensions() {
            let announced = format!("Ext. {extension}");
            prop_assert_eq!(Contacts::of(&announced).extensions(), vec![extension]);
        }
    }

    #[test]
    fn a_generated_detail_reads_back(
        name in "[C-EG-HJ-N][a-z]{2,8}( - [C-EG-HJ-N][a-z]{2,8})?",
        changes in proptest::collection::vec(("[A-Z][a-z]{2,8}( \\([A-Z]{3}\\))?", "[A-Z0-9][a-z0-9]{0,8}", "[A-Z0-9][a-z0-9]{0,8}"), 0..5),
    ) {
        let items: String = changes.iter().map(|(field, old, new)| format!(" - {field}: from {old} to {new}")).collect();
        let text = format!("Edit Call Queue {name} {items}");
        let detail = parse(&text);
        prop_assert_eq!(detail.status, DetailStatus::Parsed);
        prop_assert_eq!(detail.object_name, Some(name.into()));
        let read: Vec<_> = detail.changes.into_iter().map(|c| (c.field.into(), c.old_value.unwrap().into(), c.new_value.unwrap().into())).collect();
        prop_assert_eq!(read, changes);
    }
}
