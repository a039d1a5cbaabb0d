use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::select as sample;
use serde_json::{Value, json};
use test_case::test_case;

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

#[test_case("Add AI Greeter Night", "AI Greeters", Some("ai_greeter"), "Night", "parsed"; "number aside")]
#[test_case("Delete e911-nomadic Front Desk", "E911 Nomadic", Some("e911_nomadic"), "Front Desk", "parsed"; "case and hyphens aside")]
#[test_case("Add E911 Nomadic Lobby", "E911 / Nomadic", Some("e911_nomadic"), "Lobby", "parsed"; "punctuation aside")]
#[test_case("Add E911 / Nomadic Lobby", "E911 / Nomadic", Some("e911_nomadic"), "Lobby", "parsed"; "punctuation")]
#[test_case("Update Device Lease 7", "device_lease", Some("device_lease"), "7", "parsed"; "longer than a known type")]
#[test_case("Update User Group Legal", "User", Some("user_group"), "Legal", "parsed"; "shorter than a known type")]
#[test_case("Add Greeters Night", "AI Greeter", None, "Greeters Night", "ambiguous"; "not there")]
#[test_case("Add 受付 Night", "受付", Some("受付"), "Night", "parsed"; "other scripts")]
#[test_case("Add X", " ", None, "X", "ambiguous"; "blank")]
fn an_unlisted_category_is_a_type(text: &str, category: &str, object_type: Option<&str>, name: &str, status: &str) {
    let detail = parse_within(text, Some(category));
    assert_eq!(detail.object_type.as_deref(), object_type);
    assert_eq!((detail.object_name.as_deref(), detail.status.as_str()), (Some(name), status));
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
        " - a to On - b",
        " with User ",
        " of (a@b.co)",
        "/ ",
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
        " - : ",
        "Off",
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

/// What text behind a whole value is the start of is a field with a hyphen in its name, or of none.
#[test]
fn no_field_is_without_a_name() {
    for text in ["- N: to oN - : - o:", "Edit Site HQ  - Mode: from On to Off - : - Note: set to x"] {
        check_invariants(text);
    }
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
        (object, slug) in sample(OBJECTS.to_vec()),
        name in sample(NAMES.to_vec()),
        party in proptest::option::of(sample(PARTIES.to_vec())),
        changes in proptest::collection::vec((sample(FIELDS.to_vec()), sample(VALUES.to_vec()), sample(VALUES.to_vec()), any::<bool>()), 0..5),
    ) {
        let verb = if party.is_some() { "Assign" } else { "Edit" };
        let to = party.map(|(party, ..)| format!(" to {party}")).unwrap_or_default();
        let item = |(field, old, new, changed): &(&str, &str, &str, bool)| match changed {
            true => format!(" - {field}: from {old} to {new}"),
            false => format!(" - {field}: set to {new}"),
        };
        let items: String = changes.iter().map(item).collect();
        let text = format!("{verb} {object} {name}{to} {items}");

        let detail = parse(&text);
        prop_assert_eq!(detail.status, DetailStatus::Parsed, "{:?}", &text);
        prop_assert!(detail.verb.as_deref().is_some_and(|read| read.eq_ignore_ascii_case(verb)), "{:?}", &text);
        prop_assert_eq!(detail.object_type.as_deref(), Some(slug), "{:?}", &text);
        prop_assert_eq!(detail.object_name.as_deref(), Some(name), "{:?}", &text);
        prop_assert_eq!(detail.target_name.as_deref(), party.and_then(|(_, name, _)| name), "{:?}", &text);
        prop_assert_eq!(detail.target_email.as_deref(), party.and_then(|(.., email)| email), "{:?}", &text);
        let read: Vec<_> = detail.changes.iter().map(|c| (c.field.as_ref(), c.old_value.as_deref(), c.new_value.as_deref())).collect();
        let told: Vec<_> = changes.iter().map(|(field, old, new, changed)| (*field, changed.then_some(*old), Some(*new))).collect();
        prop_assert_eq!(read, told, "{:?}", &text);
    }

    #[test]
    fn any_category_beside_any_text_keeps_the_type_a_slug(text in grammatical(), category in "[A-Za-z0-9é -]{0,70}") {
        for text in [text.clone(), format!("Add {category} {text}")] {
            if let Some(slug) = parse_within(&text, Some(&category)).object_type {
                prop_assert!(slug.chars().all(|c| c == '_' || c.is_alphanumeric() && !c.is_uppercase()), "{slug}");
            }
        }
    }
}

/// Types as the upstream writes them, with their slugs.
const OBJECTS: [(&str, &str); 12] = [
    ("Auto Receptionist", "auto_receptionist"),
    ("Call Queue", "call_queue"),
    ("Calling Plan", "calling_plan"),
    ("Common Area", "common_area"),
    ("Device", "device"),
    ("Emergency Address", "emergency_address"),
    ("Phone Number", "phone_number"),
    ("Provision Template", "provision_template"),
    ("SIP Trunk Group", "sip_trunk_group"),
    ("Shared Line Group", "shared_line_group"),
    ("Site", "site"),
    ("Zoom Phone Role", "zoom_phone_role"),
];

const NAMES: [&str; 13] = [
    "+1 (415) 555-0100",
    "1 Example Street, Springfield",
    "24/7 Hotline",
    "Büro Köln",
    "Co-Owner Desk",
    "Front Desk",
    "Lab (Tier 2)",
    "Q&A 🎉",
    "Sales - North",
    "lobby-phone-2",
    "Отдел продаж",
    "مكتب الاستقبال",
    "営業部",
];

/// Second parties as written, with their names and addresses.
const PARTIES: [(&str, Option<&str>, Option<&str>); 6] = [
    ("Ana Lima(Ana@Example.com)", Some("Ana Lima"), Some("ana@example.com")),
    ("Ana (EMEA) Lima(ana+x%7@mail.example.museum)", Some("Ana (EMEA) Lima"), Some("ana+x%7@mail.example.museum")),
    ("O'Neil, Shaun(shaun@example.ie)", Some("O'Neil, Shaun"), Some("shaun@example.ie")),
    ("山田太郎(taro@example.jp)", Some("山田太郎"), Some("taro@example.jp")),
    ("دانا(dana@example.test)", Some("دانا"), Some("dana@example.test")),
    ("ana@example.com", None, Some("ana@example.com")),
];

const FIELDS: [&str; 8] = [
    "24x7",
    "Display Name",
    "Overflow: Closed Hours",
    "Password Expiration (days)",
    "Personal Meeting ID (PMI) Passcode",
    "Sign-in",
    "ana@example.com",
    "言語",
];

const VALUES: [&str; 12] = [
    "",
    "+44 20 7946 0958",
    "01/02/2024 - 03/04/2024",
    "09:00 - 17:00",
    "15",
    "Ana Lima(ana@example.com)",
    "Billing Admin",
    "English - UK",
    "Off",
    "https://example.com/a - b",
    "line one\nline two",
    "{\"a\": \"x - y: z to q\"}",
];
