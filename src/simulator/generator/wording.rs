//! What was done, in the upstream's way of putting it.
//!
//! ```text
//! head + " " + (" - " + item)*      Security  - Passcode: from Off to On - Length: set to 8
//! ```
//!
//! The rule: spaces carry structure. A head with items ends in two spaces before the first dash; one without may end in
//! one.

use rand::{Rng, RngExt};

use super::cast::{Cast, Person};
use super::weighted::one_of;
use crate::simulator::category;

/// Names that are hard to tell from the grammar around them, and some that are not.
const OBJECTS: [&str; 14] = [
    "Front Desk",
    "Lobby 2",
    "Sales - North",
    "Welcome from HR",
    "Bridge to Sales",
    "Night Line (EMEA)",
    "Empfang Zürich",
    "受付",
    "Support ☎",
    "Co-Owner Line",
    "Réception",
    "24/7 Hotline: Main",
    "غرفة الاجتماعات",
    "testDevice",
];
const SECTIONS: [&str; 6] =
    ["Security", "Call Settings", "Sign-in Methods", "Voicemail & Greetings", "Recording", "Emergency Calling"];
const SWITCHES: [&str; 8] = [
    "Require a passcode when checking voicemail",
    "Automatic Call Recording",
    "Voicemail Transcription",
    "International Calling",
    "Personal Meeting ID (PMI) Passcode",
    "Allow users to sign in with single sign-on",
    "Forward calls to external numbers",
    "Hand Off to Room",
];
const TEXTS: [&str; 7] = [
    "Display Name",
    "Greeting",
    "Department",
    "Cost Center",
    "Caller ID Name",
    "Outbound Caller ID",
    "Notes (internal)",
];
const VALUES: [&str; 9] = [
    "Sales",
    "Support, Tier 2",
    "Main Greeting",
    "Ring for 20 seconds",
    "09:00 - 17:00",
    "01/02/2024 - 03/04/2024",
    "{\"ring\":[1,2],\"mode\":\"all\"}",
    "line one\nline two",
    "Büro \"Nord\"",
];
const LICENSES: [&str; 5] = ["Pro", "US/CA Unlimited", "International Select Add-On", "Power Pack", "Common Area"];
const ROLES: [&str; 5] = ["User", "Admin", "Co-Owner", "Billing Admin", "Member"];

/// What was done: the record's `action` and `operation_detail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deed {
    pub(super) action: &'static str,
    pub(super) detail: String,
}

fn did(action: &'static str, detail: impl Into<String>) -> Deed {
    Deed { action, detail: detail.into() }
}

/// Something of the category `code`.
pub(super) fn deed(rng: &mut impl Rng, cast: &Cast, code: &str) -> Deed {
    match code {
        "phone_number" | "outbound_number" | "calling_plan" => of_number(rng, cast),
        "account_blocked" | "user_blocked" | "account_allow_list" | "spam" | "excluded_number" => {
            of_list(rng, cast, code)
        }
        "user" | "extension" | "delegation" | "call_forward" => of_user(rng, cast),
        "account_options" | "policy" | "call_setting" | "company_info" | "emergency_service" | "voicemail" => {
            of_settings(rng)
        }
        "csv_import" | "call_log" | "recording" => of_file(rng, cast, code),
        _ => of_object(rng, cast, &category::display_name(code)),
    }
}

/// One of many things of the category `code`, done in one go.
pub(super) fn batch_deed(rng: &mut impl Rng, cast: &Cast, code: &str) -> Deed {
    if code == "phone_number" {
        return did("Batch Add", format!("Add Phone Number {}", number(rng)));
    }
    let email = &cast.person(rng).email;
    let (from, to) = (one_of(rng, ROLES), one_of(rng, ROLES));
    did("Batch Update", detail("Change Role", &[format!("{email}: from {from} to {to}")]))
}

fn of_number(rng: &mut impl Rng, cast: &Cast) -> Deed {
    let number = number(rng);
    let holder = called(cast.person(rng));
    match rng.random_range(0..100) {
        0..20 => did("ADD", format!("Add BYOC {number}")),
        20..30 => did("ADD", format!("Add Phone Number {number}")),
        30..60 => did("UPDATE", format!("Assign Phone Number {number} to {holder}")),
        60..80 => did("UPDATE", format!("Unbind Phone Number {number} from {holder}")),
        80..90 => did("DELETE", format!("Delete Phone Number {number} From voice.example")),
        _ => did("UPDATE", detail(&format!("Update Phone Number {number}"), &items(rng))),
    }
}

fn of_list(rng: &mut impl Rng, cast: &Cast, code: &str) -> Deed {
    let number = number(rng);
    let name = category::display_name(code);
    match rng.random_range(0..3) {
        0 => did("ADD", format!("Add {name} {number}")),
        1 => did("DELETE", format!("Delete {name} {number} for {}", called(cast.person(rng)))),
        _ => did("UPDATE", detail(&format!("Block Number {number}"), &[format!("Reason: {}", one_of(rng, VALUES))])),
    }
}

fn of_user(rng: &mut impl Rng, cast: &Cast) -> Deed {
    let person = cast.person(rng);
    let email = &person.email;
    let extension = rng.random_range(100..100_000);
    match rng.random_range(0..100) {
        0..15 => did("ADD", format!("Add User {email}")),
        15..25 => did("UPDATE", format!("Activate User {email} ")),
        25..32 => did("DELETE", format!("delete user - {email}")),
        32..47 => did("SCIM API - Update", detail(&format!("Update User {email}"), &items(rng))),
        47..52 => did("SCIM API - Add", detail(&format!("Add User {email}"), &[licenses(rng)])),
        52..62 => did("UPDATE", format!("Assign Extension Number {extension} to {}", called(person))),
        62..72 => did("UPDATE", detail(&format!("Edit User {} Ext. {extension}", person.name), &items(rng))),
        72..82 => did("UPDATE", detail(&format!("Update User {email}"), &[licenses(rng)])),
        82..90 => batch_deed(rng, cast, "user"),
        _ => did("UPDATE", detail(&format!("Edit User {email}"), &items(rng))),
    }
}

fn of_settings(rng: &mut impl Rng) -> Deed {
    let section = one_of(rng, SECTIONS);
    did("UPDATE", detail(section, &items(rng)))
}

fn of_file(rng: &mut impl Rng, cast: &Cast, code: &str) -> Deed {
    let number = rng.random_range(1..500);
    match (code, rng.random_bool(0.5)) {
        ("csv_import", _) => did("ADD", format!("Import CSV users-{number}.csv")),
        ("call_log", true) => did("SEARCH", "Search Call Log 01/02/2024 - 03/04/2024"),
        ("call_log", false) => did("DOWNLOAD", format!("Download Call Log {number} for {}", cast.person(rng).email)),
        (_, true) => did("DELETE", format!("Delete Recording {number} of {}", called(cast.person(rng)))),
        (_, false) => did("DOWNLOAD", format!("Download Recording {number} of {}", called(cast.person(rng)))),
    }
}

fn of_object(rng: &mut impl Rng, cast: &Cast, name: &str) -> Deed {
    let object = one_of(rng, OBJECTS);
    let holder = called(cast.person(rng));
    match rng.random_range(0..100) {
        0..25 => did("ADD", format!("Add {name} {object}")),
        25..40 => did("DELETE", format!("Delete {name} {object}")),
        40..50 => did("UPDATE", format!("Assign {name} {object} to {holder}")),
        50..58 => did("UPDATE", format!("Remove {holder} from {name} {object}")),
        58..65 => did("UPDATE", format!("Edit {name} {object} ")),
        _ => did("UPDATE", detail(&format!("Edit {name} {object}"), &items(rng))),
    }
}

fn detail(head: &str, items: &[String]) -> String {
    let mut detail = format!("{head} ");
    for item in items {
        detail.push_str(" - ");
        detail.push_str(item);
    }
    detail
}

fn items(rng: &mut impl Rng) -> Vec<String> {
    let count = one_of(rng, [1, 1, 1, 2, 2, 3, 6]);
    (0..count).map(|_| item(rng)).collect()
}

fn item(rng: &mut impl Rng) -> String {
    let (switch, field) = (one_of(rng, SWITCHES), one_of(rng, TEXTS));
    let (value, other) = (one_of(rng, VALUES), one_of(rng, VALUES));
    match rng.random_range(0..100) {
        0..25 => format!("{switch}: from On to Off"),
        25..50 => format!("{switch}: from Off to On"),
        50..60 => format!("{field}: from {value} to {other}"),
        60..66 => format!("{field}: from  to {value}"),
        66..72 => format!("{field}: from {value} to "),
        72..82 => format!("{field}: set to {value}"),
        82..88 => format!("{field}: set to "),
        88..95 => format!("{field}: {value}"),
        _ => licenses(rng),
    }
}

/// A field whose value is a set.
fn licenses(rng: &mut impl Rng) -> String {
    let count = rng.random_range(1..=LICENSES.len());
    format!("Licenses: set to {}", LICENSES[..count].join(", "))
}

fn called(person: &Person) -> String {
    format!("{}({})", person.name, person.email)
}

/// A number from the ranges that are set aside for fiction, in the ways in which numbers are written.
fn number(rng: &mut impl Rng) -> String {
    let (two, three) = (rng.random_range(0..100), rng.random_range(0..1000));
    let area = one_of(rng, [202, 312, 415, 617, 808]);
    match rng.random_range(0..6) {
        0 | 1 => format!("+1{area}55501{two:02}"),
        2 => format!("+1 ({area}) 555-01{two:02}"),
        3 => format!("+44 20 7946 0{three:03}"),
        4 => format!("+61 2 5550 0{three:03}"),
        _ => format!("+49.30.23125-{three:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spaces_stand_before_the_first_item_and_one_before_the_others() {
        let items = ["A: from On to Off".to_owned(), "B: set to ".to_owned()];
        assert_eq!(detail("Security", &items), "Security  - A: from On to Off - B: set to ");
        assert_eq!(detail("Edit Group x", &[]), "Edit Group x ");
    }
}
