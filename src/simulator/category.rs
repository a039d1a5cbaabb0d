//! The upstream's category codes: what `category_type` in a request may be, and the display names that records carry
//! instead.

use std::borrow::Cow;

/// The published codes with their descriptions. The list is open: the upstream's changelog names codes it lacks.
pub(super) const CATEGORIES: [(&str, &str); 44] = [
    ("account_allow_list", "Approved account"),
    ("account_blocked", "Blocked account"),
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
    ("emergency_service", "Emergency service"),
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
    ("emergency_number_routing_rule", "Emergency number routing rule"),
    ("account_options", "Account options"),
    ("zoom_phone_role", "Zoom Phone roles"),
    ("zoom_room", "Zoom Rooms PBX Support"),
];

/// The name that records carry for `code`: "Phone Number" for `phone_number`. Only two of them are published; the
/// others follow their example.
pub(super) fn display_name(code: &str) -> String {
    let mut name = String::with_capacity(code.len());
    let mut at_start = true;
    for character in code.chars() {
        if character == '_' {
            name.push(' ');
            at_start = true;
        } else if std::mem::take(&mut at_start) {
            name.extend(character.to_uppercase());
        } else {
            name.push(character);
        }
    }
    name
}

/// The code under which records that carry `text` (a display name, a code or a description) are found; `None` for a
/// text that leaves nothing of a code.
pub(super) fn code_of(text: &str) -> Option<Cow<'static, str>> {
    let code = snake_case(text);
    let known = CATEGORIES.iter().find(|(known, description)| code == *known || text.eq_ignore_ascii_case(description));
    match known {
        Some((known, _)) => Some(Cow::Borrowed(*known)),
        None if code.is_empty() => None,
        None => Some(Cow::Owned(code)),
    }
}

fn snake_case(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for word in text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !code.is_empty() {
            code.push('_');
        }
        code.extend(word.chars().flat_map(char::to_lowercase));
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_display_name_code_and_description_leads_to_its_code() {
        for (code, description) in CATEGORIES {
            for text in [code, description, &display_name(code)] {
                assert_eq!(code_of(text).unwrap(), code, "{text}");
            }
        }
        assert_eq!(display_name("phone_number"), "Phone Number");
    }

    #[test]
    fn unknown_names_have_codes_of_their_own() {
        assert_eq!(code_of("Excluded Number").unwrap(), "excluded_number");
        assert_eq!(code_of("Größe / Ändern").unwrap(), "größe_ändern");
        assert_eq!(code_of(" - "), None);
    }
}
