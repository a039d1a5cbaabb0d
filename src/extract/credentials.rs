//! What proves to the upstream who asks.
//!
//! The rule: a secret is readable in one place only, where the request that carries it is built.

use std::fmt;

use crate::model::AccountId;

/// A text that no log, error or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with the secret blotted out: an upstream may echo what it was sent.
    pub(super) fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How the extractor signs in.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A Server-to-Server OAuth app: access tokens are asked for, and renewed, with these.
    ServerToServer {
        /// The account the app belongs to.
        account_id: AccountId,
        /// The app's client id.
        client_id: String,
        /// The app's client secret.
        client_secret: Secret,
    },
    /// An access token made elsewhere. It cannot be renewed, so a run lasts as long as it does.
    AccessToken {
        /// The account it belongs to, where known.
        account_id: Option<AccountId>,
        /// The token.
        token: Secret,
    },
}

impl Credentials {
    /// The account they are for, where known.
    pub fn account_id(&self) -> Option<&AccountId> {
        match self {
            Self::ServerToServer { account_id, .. } => Some(account_id),
            Self::AccessToken { account_id, .. } => account_id.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_printed() {
        let credentials = Credentials::ServerToServer {
            account_id: AccountId::new("acc"),
            client_id: "id".to_owned(),
            client_secret: Secret::new("hush"),
        };
        let printed = format!("{credentials:?} {}", Secret::new("hush"));
        assert!(!printed.contains("hush") && printed.contains("***"), "{printed}");
        assert_eq!(Secret::new("hush").redact("say hush twice: hush"), "say *** twice: ***");
    }
}
