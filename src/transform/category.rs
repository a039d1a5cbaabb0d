//! What it was about: `category_type` -> the slug that names a partition.
//!
//! Two texts are the same category if they fold to the same form: NFC, lower case, each run of white space, hyphens and
//! underscores one underscore, none at the ends. Then:
//!
//! - a code or description of the upstream's table, its singular or plural, with or without separators and a `(link)`
//!   suffix, becomes the code;
//! - a form of `[a-z0-9_]` that starts with a letter is its own slug, if it is at most 64 bytes long, no reserved word, and
//!   does not look like the next kind;
//! - any other form becomes what can be kept of it, then `_` and 8 hex digits of its SHA-256;
//! - a category that is missing, null, blank or no string is `uncategorized`. No other text gets that slug.
//!
//! The rule: no text from upstream reaches a path but through [`slug`], and two categories never share a slug.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::model::Field;

/// The slug of a record without a category.
const UNCATEGORIZED: &str = "uncategorized";

/// The longest slug, and the most a hash adds to one.
const MAX_BYTES: usize = 64;
const HASH_DIGITS: usize = 8;

/// What stands before the hash where nothing that starts with a letter is left.
const PREFIX: &str = "category";

/// What the upstream's table has behind some descriptions: a hyperlink's text.
const LINK: &str = "(link)";

/// Words that engines read from a Hive path as null, a boolean or a number, and the slug that means none.
const RESERVED: [&str; 8] =
    ["false", "hive_default_partition", "inf", "infinity", "nan", "null", "true", UNCATEGORIZED];

/// The upstream's codes and descriptions. `excluded_number` is only in its changelog.
const TABLE: [(&str, &str); 45] = [
    ("account_allow_list", "Approved account"),
    ("account_blocked", "Blocked account"),
    ("account_options", "Account options"),
    ("auto_receptionist", "Auto receptionist"),
    ("backup_routing_rule", "Directory backup routing rules"),
    ("barge_monitor_whisper", "Call monitoring"),
    ("call_forward", "Call forwarding"),
    ("call_log", "Call logs"),
    ("call_queue", "Call queues"),
    ("call_setting", "Call setting"),
    ("calling_plan", "Calling plan"),
    ("company_info", "Company information"),
    ("contact_center", "Contact center"),
    ("contact_center_domain", "Domain of the contact center"),
    ("csv_import", "CSV file imports"),
    ("custom_vm_greeting", "Custom voicemail greeting"),
    ("delegation", "Call delegation"),
    ("device", "Zoom Phone device"),
    ("dial_by_name", "Dial-by-name directory"),
    ("emergency_address", "Emergency address"),
    ("emergency_calling", "Emergency calling"),
    ("emergency_number_routing_rule", "Emergency number routing rule"),
    ("emergency_service", "Emergency service"),
    ("excluded_number", "Excluded number"),
    ("extension", "Extension number"),
    ("extension_line_keys", "Extension line keys"),
    ("extension_template", "Extension template"),
    ("external_contacts", "External contacts"),
    ("holiday_hours", "Holiday hours"),
    ("location", "Location"),
    ("multiple_site", "Multiple sites"),
    ("outbound_number", "Outbound number"),
    ("phone_number", "Phone number"),
    ("policy", "Policy"),
    ("provision_template", "Provision templates"),
    ("recording", "Call recordings"),
    ("shared_line_group", "Shared line groups"),
    ("sip_group", "SIP group"),
    ("sip_trunk_group", "SIP trunk group"),
    ("spam", "Spam"),
    ("user", "User"),
    ("user_blocked", "Blocked user"),
    ("voicemail", "Voicemail"),
    ("zoom_phone_role", "Zoom Phone roles"),
    ("zoom_room", "Zoom Rooms PBX Support"),
];

/// Codes by [`Key`] of their spellings.
static CODES: LazyLock<HashMap<Box<[u8]>, &'static str>> = LazyLock::new(|| {
    let spellings = TABLE.iter().flat_map(|(code, description)| [(code, *code), (description, *code)]);
    let numbers = spellings.flat_map(|(text, code)| numbers(text).map(move |text| (text, code)));
    numbers.filter_map(|(text, code)| Some((Key::of(&text)?.as_bytes().into(), code))).collect()
});

/// The category's slug of 1 to 64 bytes of `[a-z0-9_]`, and whether it is a code that the upstream documents. One that is
/// `uncategorized` is not.
pub(super) fn slug(field: &Field<'_>) -> (Cow<'static, str>, bool) {
    match field {
        Field::Text(text) if text.trim().is_empty() => (Cow::Borrowed(UNCATEGORIZED), false),
        Field::Text(text) => match code(text) {
            Some(code) => (Cow::Borrowed(code), true),
            None => folded_slug(&fold(text)),
        },
        // The readable text hides which surrogates were there; the JSON does not. 0xff is in no text's hash.
        Field::Broken { text, json } => {
            let hash = Sha256::new().chain_update([0xff]).chain_update(json);
            (Cow::Owned(hashed(&ascii(&fold(text)), hash)), false)
        }
        Field::Missing | Field::Null | Field::Other(_) => (Cow::Borrowed(UNCATEGORIZED), false),
    }
}

fn code(text: &str) -> Option<&'static str> {
    CODES.get(Key::of(text)?.as_bytes()).copied()
}

fn folded_slug(folded: &str) -> (Cow<'static, str>, bool) {
    // Letters that only fold to ASCII (the Kelvin sign) are not in a key, but may still spell a code.
    if let Some(code) = code(folded) {
        return (Cow::Borrowed(code), true);
    }
    let plain = ascii(folded);
    let slug = if plain == folded && may_stand_alone(&plain) {
        plain
    } else {
        hashed(&plain, Sha256::new().chain_update(folded))
    };
    (Cow::Owned(slug), false)
}

fn may_stand_alone(plain: &str) -> bool {
    plain.len() <= MAX_BYTES
        && plain.starts_with(|first: char| first.is_ascii_lowercase())
        && !RESERVED.contains(&plain)
        && !looks_hashed(plain)
}

fn hashed(plain: &str, hash: Sha256) -> String {
    let prefix = match plain.bytes().next() {
        Some(b'a'..=b'z') => Cow::Borrowed(plain),
        Some(_) => Cow::Owned(format!("{PREFIX}_{plain}")),
        None => Cow::Borrowed(PREFIX),
    };
    let kept = prefix.len().min(MAX_BYTES - HASH_DIGITS - 1);
    let prefix = prefix[..kept].trim_end_matches('_');
    let digest = data_encoding::HEXLOWER.encode(&hash.finalize()[..HASH_DIGITS / 2]);
    format!("{prefix}_{digest}")
}

fn looks_hashed(slug: &str) -> bool {
    let hex = |digits: &str| digits.len() == HASH_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    slug.rsplit_once('_').is_some_and(|(_, last)| hex(last))
}

/// The form in which equal categories are equal texts.
fn fold(text: &str) -> String {
    let lower = text.nfc().flat_map(char::to_lowercase).nfc();
    joined(lower, |character| character.is_whitespace() || matches!(character, '-' | '_'))
}

/// What of a folded text is safe in a path.
fn ascii(folded: &str) -> String {
    joined(folded.chars(), |character| !character.is_ascii_alphanumeric())
}

/// The text with each run of separators one underscore, none at the ends.
fn joined(characters: impl Iterator<Item = char>, is_separator: impl Fn(char) -> bool) -> String {
    let mut text = String::new();
    let mut separated = false;
    for character in characters {
        if is_separator(character) {
            separated = true;
            continue;
        }
        if std::mem::take(&mut separated) && !text.is_empty() {
            text.push('_');
        }
        text.push(character);
    }
    text
}

/// `text` itself, its singular and its plural, by the last word's ending.
fn numbers(text: &str) -> [String; 2] {
    let other = match text {
        _ if text.ends_with("ss") => format!("{text}es"),
        _ if text.ends_with('s') => text.trim_end_matches('s').to_owned(),
        _ if text.ends_with('y') => format!("{}ies", text.trim_end_matches('y')),
        _ => format!("{text}s"),
    };
    [text.to_owned(), other]
}

/// The ASCII letters and digits of a text in lower case, by which the table's texts are found without allocating.
struct Key {
    bytes: [u8; Self::MAX_BYTES],
    len: usize,
}

impl Key {
    /// Longer than any spelling of the table.
    const MAX_BYTES: usize = 40;

    /// `None` for a text that is no spelling of the table for sure.
    fn of(text: &str) -> Option<Self> {
        let text = text.trim_end();
        let text = match text.len().checked_sub(LINK.len()).and_then(|start| text.split_at_checked(start)) {
            Some((rest, link)) if link.eq_ignore_ascii_case(LINK) => rest,
            _ => text,
        };
        let mut key = Self { bytes: [0; Self::MAX_BYTES], len: 0 };
        for character in text.chars() {
            if character.is_ascii_alphanumeric() {
                *key.bytes.get_mut(key.len)? = u8::try_from(character.to_ascii_lowercase()).ok()?;
                key.len += 1;
            } else if !(character.is_whitespace() || matches!(character, '-' | '_')) {
                return None;
            }
        }
        Some(key)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    fn slug_of(text: &str) -> (String, bool) {
        let (slug, known) = slug(&Field::Text(text.into()));
        (slug.into_owned(), known)
    }

    fn is_safe(slug: &str) -> bool {
        (1..=MAX_BYTES).contains(&slug.len())
            && slug.starts_with(|first: char| first.is_ascii_lowercase())
            && slug.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    }

    #[test]
    fn every_code_display_name_and_description_becomes_the_code() {
        for (code, description) in TABLE {
            let display_name = code.replace('_', " ");
            let linked = format!("{description} (link)");
            for text in [code, description, &display_name, &display_name.to_uppercase(), &linked] {
                assert_eq!(slug_of(text), (code.to_owned(), true), "{text}");
            }
        }
    }

    #[test]
    fn no_spelling_belongs_to_two_codes_and_none_is_longer_than_a_key() {
        let mut owners: HashMap<Vec<u8>, &str> = HashMap::new();
        for (code, description) in TABLE {
            for text in [code, description].into_iter().flat_map(numbers) {
                let key = Key::of(&text).unwrap();
                let owner = *owners.entry(key.as_bytes().to_vec()).or_insert(code);
                assert_eq!(owner, code, "{text}");
            }
        }
    }

    #[test]
    fn no_code_looks_reserved_or_hashed() {
        for (code, _) in TABLE {
            assert!(is_safe(code) && !RESERVED.contains(&code) && !looks_hashed(code), "{code}");
        }
    }

    #[test_case("Phone Numbers", "phone_number")]
    #[test_case("  phone-number ", "phone_number")]
    #[test_case("PHONE__NUMBER", "phone_number")]
    #[test_case("PhoneNumber", "phone_number")]
    #[test_case("phone\u{a0}number", "phone_number")]
    #[test_case("Zoom Rooms", "zoom_room")]
    #[test_case("Policies", "policy")]
    #[test_case("Emergency Addresses", "emergency_address")]
    #[test_case("External Contact", "external_contacts")]
    #[test_case("Call Recording", "recording")]
    #[test_case("Dial by name directory(LINK)", "dial_by_name")]
    #[test_case("csvImport", "csv_import")]
    #[test_case("Users", "user")]
    #[test_case("User bloc\u{212a}ed", "user_blocked"; "kelvin_sign")]
    fn spellings_of_a_known_category_meet(text: &str, code: &str) {
        assert_eq!(slug_of(text), (code.to_owned(), true));
    }

    #[test_case("User Settings", "user_settings")]
    #[test_case("user_settings", "user_settings")]
    #[test_case("Account", "account")]
    #[test_case("im", "im")]
    #[test_case("Real-time Analytics", "real_time_analytics")]
    #[test_case("CORS domain whitelist", "cors_domain_whitelist")]
    #[test_case("carrierMarket", "carriermarket")]
    #[test_case("Roles", "roles")]
    fn unknown_plain_names_are_their_own_slug(text: &str, expected: &str) {
        assert_eq!(slug_of(text), (expected.to_owned(), false));
    }

    #[test_case("../../x", "x_"; "path")]
    #[test_case("a=b", "a_b_"; "hive")]
    #[test_case("user\u{0}", "user_"; "control")]
    #[test_case("Phone Number!", "phone_number_"; "punctuation")]
    #[test_case("Téléphone", "t_l_phone_"; "accent")]
    #[test_case("电话号码", "category_"; "non_latin")]
    #[test_case("📞", "category_"; "emoji")]
    #[test_case("-_-", "category_"; "separators_alone")]
    #[test_case("2022", "category_2022_"; "digits")]
    #[test_case("3CX", "category_3cx_"; "leading_digit")]
    #[test_case("Uncategorized", "uncategorized_"; "reserved")]
    #[test_case("NULL", "null_"; "null")]
    #[test_case("__HIVE_DEFAULT_PARTITION__", "hive_default_partition_"; "hive_null")]
    #[test_case("x deadbeef", "x_deadbeef_"; "looks_hashed")]
    fn what_could_meet_another_name_has_a_hash(text: &str, prefix: &str) {
        let (slug, known) = slug_of(text);
        assert!(slug.starts_with(prefix) && slug.len() == prefix.len() + HASH_DIGITS && !known, "{slug}");
        assert!(is_safe(&slug) && looks_hashed(&slug), "{slug}");
    }

    #[test]
    fn hashes_are_pinned_because_partitions_carry_them() {
        // `printf '电话号码' | sha256sum`, and of `a=b`.
        assert_eq!(slug_of("电话号码").0, "category_8e87c0dd");
        assert_eq!(slug_of("A=b").0, "a_b_42144f39");
    }

    #[test]
    fn long_names_are_cut_and_told_apart() {
        let [one, other] = ["x", "y"].map(|end| slug_of(&format!("{}{end}", "long name ".repeat(100))).0);
        assert_ne!(one, other);
        assert!(is_safe(&one) && is_safe(&other) && one.len() == MAX_BYTES - 1, "{one}");

        let longest = "a".repeat(MAX_BYTES);
        assert_eq!(slug_of(&longest).0, longest);
        assert_eq!(slug_of(&"a".repeat(MAX_BYTES + 1)).0.len(), MAX_BYTES);
    }

    #[test_case(Field::Missing)]
    #[test_case(Field::Null)]
    #[test_case(Field::Other("5"))]
    #[test_case(Field::Text("".into()))]
    #[test_case(Field::Text(" \t\u{a0}".into()))]
    fn no_category_is_uncategorized(field: Field<'_>) {
        assert_eq!(slug(&field), (Cow::Borrowed("uncategorized"), false));
    }

    #[test]
    fn texts_that_are_no_unicode_are_told_apart_by_their_json() {
        let texts = [r#""a\udcff""#, r#""a\udcfe""#];
        let slugs: HashSet<_> = texts.map(|json| slug(&Field::Broken { text: "a\u{fffd}".to_owned(), json })).into();
        assert_eq!(slugs.len(), 2);
        assert!(!slugs.contains(&slug(&Field::Text("a\u{fffd}".into()))));
        assert!(slugs.iter().all(|(slug, known)| is_safe(slug) && slug.starts_with("a_") && !known));
    }

    /// Texts that are likely to meet: few characters, or known names with something wrong about them.
    fn near_misses() -> impl Strategy<Value = String> {
        let known = (0..TABLE.len(), "[ _/!0é-]{0,2}", "[ _/!0és-]{0,2}")
            .prop_map(|(index, before, after)| format!("{before}{}{after}", TABLE[index].0));
        prop_oneof!["[aA _/é1\u{212a}-]{1,5}", "[a-c]_[0-9a-f]{7,9}", ".{0,30}", "\\PC{60,70}", known]
    }

    proptest! {
        #[test]
        fn every_slug_is_safe_and_stable(text in near_misses()) {
            let (slug, known) = slug_of(&text);
            prop_assert!(is_safe(&slug), "{slug}");
            prop_assert_eq!(known, TABLE.iter().any(|(code, _)| *code == slug));
            prop_assert_eq!(slug_of(&text), (slug, known));
        }

        #[test]
        fn different_texts_have_different_slugs(one in near_misses(), other in near_misses()) {
            let [(one_slug, known), (other_slug, _)] = [slug_of(&one), slug_of(&other)];
            if fold(&one) == fold(&other) {
                prop_assert!(one_slug == other_slug || fold(&one).is_empty());
            } else if !known {
                prop_assert_ne!(one_slug, other_slug);
            }
        }
    }
}
