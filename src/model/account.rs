//! Whose log it is.

use std::fmt;

/// The report every row comes from: the Zoom Phone operation log. The sibling reports share its record shape
/// (`/report/operationlogs` and others), so the name is part of a record's identity.
pub const REPORT: &str = "phone";

/// The upstream's id of an account, verbatim. It is part of the identity of each of the account's records.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(String);

impl AccountId {
    /// Takes the id as the user gave it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
