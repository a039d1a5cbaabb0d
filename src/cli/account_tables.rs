//! The `[[account]]` tables of a settings file, and which of them to work on.
//!
//! The rule: what a table leaves open the top of the file gives, but for what tells accounts apart. Under an id that is not
//! its own, an account's log would be stored for good.

use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;

use super::settings::{Layer, SettingError};

/// A table, and where it stands.
pub(super) type AccountTable = Spanned<Layer>;

/// What is wrong with a file, and where, in bytes.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) at: Option<usize>,
    pub(super) reason: String,
}

/// Variables that say who signs in.
const CREDENTIAL_VARIABLES: [&str; 6] = [
    "PHONETRAIL_ACCOUNT_ID",
    "PHONETRAIL_CLIENT_ID",
    "PHONETRAIL_CLIENT_SECRET",
    "PHONETRAIL_CLIENT_SECRET_FILE",
    "PHONETRAIL_ACCESS_TOKEN",
    "PHONETRAIL_ACCESS_TOKEN_FILE",
];

/// The file's own settings, and those of each of its accounts, complete.
pub(super) fn layers(mut file: Layer) -> Result<(Layer, Vec<Layer>), Flaw> {
    let tables = std::mem::take(&mut file.account);
    let misplaced =
        [("account_id", file.account_id.is_some()), ("access_token_file", file.access_token_file.is_some())];
    if let Some((key, _)) = misplaced.into_iter().find(|(_, is_set)| *is_set && !tables.is_empty()) {
        let reason = format!("`{key}` at the top could be any account's: give it in each [[account]] table instead");
        return Err(Flaw { at: None, reason });
    }

    let mut accounts: Vec<Layer> = Vec::with_capacity(tables.len());
    for table in tables {
        let Range { start, .. } = table.span();
        let flaw = |reason| Flaw { at: Some(start), reason };
        let layer = table.into_inner();
        check_alone(&layer).map_err(flaw)?;
        let layer = layer.over(file.clone());
        check_credentials(&layer).map_err(flaw)?;
        for other in &accounts {
            check_apart(&layer, other).map_err(flaw)?;
        }
        accounts.push(layer);
    }
    Ok((file, accounts))
}

fn check_alone(table: &Layer) -> Result<(), String> {
    if table.account_id.as_ref().is_none_or(String::is_empty) {
        return Err("this [[account]] has no `account_id`".to_owned());
    }
    if table.destination.is_some() {
        return Err("`destination` belongs at the top: all accounts share it".to_owned());
    }
    if table.account.is_empty() { Ok(()) } else { Err("an [[account]] holds no other `account`".to_owned()) }
}

fn check_credentials(layer: &Layer) -> Result<(), String> {
    if layer.access_token_file.is_some() || (layer.client_id.is_some() && layer.client_secret_file.is_some()) {
        return Ok(());
    }
    let id = layer.account_id.as_deref().unwrap_or_default();
    Err(format!("account `{id}` needs `client_id` and `client_secret_file`, or `access_token_file`"))
}

fn check_apart(layer: &Layer, other: &Layer) -> Result<(), String> {
    let id = layer.account_id.as_deref().unwrap_or_default();
    if layer.account_id == other.account_id {
        return Err(format!("account `{id}` has an [[account]] already"));
    }
    if layer.access_token_file.is_some() && layer.access_token_file == other.access_token_file {
        return Err(format!("account `{id}` has the `access_token_file` of another"));
    }
    Ok(())
}

/// Refuses variables that say who signs in: beside several accounts it would be unclear whom they mean.
pub(super) fn refuse_variables(
    is_set: impl Fn(&'static str) -> Result<bool, SettingError>,
) -> Result<(), SettingError> {
    for name in CREDENTIAL_VARIABLES {
        if is_set(name)? {
            let reason = "the settings file has [[account]] tables, which say who signs in".to_owned();
            return Err(SettingError::Variable { name, reason });
        }
    }
    Ok(())
}

/// Those of `accounts` that `picked` names, or all where it names none.
pub(super) fn pick<T>(
    accounts: Vec<T>,
    picked: &[String],
    id: impl Fn(&T) -> Option<&str>,
) -> Result<Vec<T>, SettingError> {
    let known: HashSet<&str> = accounts.iter().filter_map(&id).collect();
    if let Some(unknown) = picked.iter().find(|picked| !known.contains(picked.as_str())) {
        return Err(SettingError::NoSuchAccount { id: unknown.clone() });
    }
    let is_picked = |account: &T| picked.is_empty() || id(account).is_some_and(|id| picked.iter().any(|one| one == id));
    Ok(accounts.into_iter().filter(is_picked).collect())
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    const ACCOUNT: &str = "[[account]]\naccount_id = \"a\"\nclient_id = \"c\"\nclient_secret_file = \"s\"\n";

    fn read(text: &str) -> Result<Vec<Layer>, Flaw> {
        layers(toml::from_str(text).unwrap()).map(|(_, accounts)| accounts)
    }

    #[test]
    fn a_table_takes_what_it_lacks_from_the_top() {
        let text = "client_id = \"top\"\nclient_secret_file = \"top\"\n".to_owned()
            + ACCOUNT
            + "[[account]]\naccount_id = \"b\"\n";
        let accounts = read(&text).unwrap();
        let ids: Vec<_> = accounts.iter().map(|account| account.client_id.as_deref().unwrap()).collect();
        assert_eq!(ids, ["c", "top"]);
    }

    #[test_case("[[account]]\nclient_id = \"c\"\n", 1, "no `account_id`"; "without an id")]
    #[test_case("[[account]]\naccount_id = \"\"\n", 1, "no `account_id`"; "with an empty id")]
    #[test_case("[[account]]\naccount_id = \"a\"\nclient_id = \"c\"\n", 1, "`client_secret_file`"; "without a secret")]
    #[test_case("[[account]]\naccount_id = \"a\"\nclient_id = \"c\"\nclient_secret_file = \"s\"\n\n[[account]]\naccount_id = \"a\"\nclient_id = \"c\"\nclient_secret_file = \"s\"\n", 6, "has an [[account]] already"; "twice")]
    #[test_case("[[account]]\naccount_id = \"a\"\naccess_token_file = \"t\"\n[[account]]\naccount_id = \"b\"\naccess_token_file = \"t\"\n", 4, "of another"; "with the token of another")]
    #[test_case("[[account]]\naccount_id = \"a\"\ndestination = \"/x\"\n", 1, "`destination`"; "with a destination")]
    #[test_case("[[account]]\naccount_id = \"a\"\n[[account.account]]\naccount_id = \"b\"\n", 1, "no other"; "in another")]
    fn an_account_is_refused_by_line(text: &str, line: usize, words: &str) {
        let flaw = read(text).unwrap_err();
        assert!(flaw.reason.contains(words), "{}", flaw.reason);
        assert_eq!(text[..flaw.at.unwrap()].matches('\n').count() + 1, line);
    }

    #[test_case("account_id")]
    #[test_case("access_token_file")]
    fn what_tells_accounts_apart_is_no_default(key: &str) {
        let flaw = read(&format!("{key} = \"x\"\n{ACCOUNT}")).unwrap_err();
        assert!(flaw.reason.contains(&format!("`{key}`")), "{}", flaw.reason);
    }
}
