//! Access tokens: given out by the OAuth endpoint, asked for by the report.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::opaque::Opaque;

const TOKEN_LENGTH: usize = 64;

/// Why a request's access token does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccessRefusal {
    Missing,
    Unknown,
    Expired,
}

/// The tokens given out so far. Without `Debug`: tokens are secrets.
pub(super) struct AccessTokens {
    lifetime: Duration,
    single: bool,
    texts: Opaque,
    expiries: HashMap<String, Instant>,
    given_out: Vec<String>,
}

impl AccessTokens {
    pub(super) fn new(lifetime: Duration, single: bool) -> Self {
        Self { lifetime, single, texts: Opaque::new(), expiries: HashMap::new(), given_out: Vec::new() }
    }

    pub(super) fn issue(&mut self, now: Instant) -> String {
        if self.single {
            self.revoke_all();
        }
        let token = self.texts.text(TOKEN_LENGTH);
        self.expiries.insert(token.clone(), now + self.lifetime);
        self.given_out.push(token.clone());
        token
    }

    /// All tokens, dead ones included.
    pub(super) fn given_out(&self) -> &[String] {
        &self.given_out
    }

    pub(super) fn revoke_all(&mut self) {
        self.expiries.clear();
    }

    /// Checks the header `Authorization`.
    pub(super) fn check(&self, authorization: Option<&str>, now: Instant) -> Result<(), AccessRefusal> {
        let (scheme, token) = authorization.and_then(|value| value.split_once(' ')).ok_or(AccessRefusal::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(AccessRefusal::Missing);
        }
        match self.expiries.get(token.trim()) {
            None => Err(AccessRefusal::Unknown),
            Some(expiry) if *expiry <= now => Err(AccessRefusal::Expired),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn check(tokens: &AccessTokens, token: &str, now: Instant) -> Result<(), AccessRefusal> {
        tokens.check(Some(&format!("Bearer {token}")), now)
    }

    #[test]
    fn a_token_lives_until_it_expires_or_is_revoked() {
        let now = Instant::now();
        let mut tokens = AccessTokens::new(HOUR, false);
        let (first, second) = (tokens.issue(now), tokens.issue(now));
        assert_eq!(check(&tokens, &first, now), Ok(()));
        assert_eq!(check(&tokens, &second, now + HOUR), Err(AccessRefusal::Expired));
        tokens.revoke_all();
        assert_eq!(check(&tokens, &first, now), Err(AccessRefusal::Unknown));
    }

    #[test]
    fn a_single_token_ends_the_one_before() {
        let now = Instant::now();
        let mut tokens = AccessTokens::new(HOUR, true);
        let (first, second) = (tokens.issue(now), tokens.issue(now));
        assert_eq!(check(&tokens, &first, now), Err(AccessRefusal::Unknown));
        assert_eq!(check(&tokens, &second, now), Ok(()));
    }

    #[test]
    fn a_header_of_another_scheme_is_no_token() {
        let tokens = AccessTokens::new(HOUR, false);
        for header in [None, Some("Basic abc"), Some("abc")] {
            assert_eq!(tokens.check(header, Instant::now()), Err(AccessRefusal::Missing));
        }
    }
}
