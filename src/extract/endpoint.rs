//! The addresses that credentials are sent to.
//!
//! The rule: https everywhere but on loopback, and an address that the upstream hands out is followed only to the
//! upstream's own hosts.

use url::{Host, Url};

use super::error::ExtractError;

/// The domains of the upstream, commercial and government.
const UPSTREAM_DOMAINS: [&str; 2] = ["zoom.us", "zoomgov.com"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint(Url);

impl Endpoint {
    /// Takes an address that the user set; `name` says which.
    pub(super) fn try_new(name: &'static str, text: &str) -> Result<Self, ExtractError> {
        let invalid = |reason| ExtractError::InvalidSetting { name, reason };
        let url = Url::parse(text.trim_end_matches('/')).map_err(|_| invalid("it is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("it holds a user or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it holds a query or a fragment"));
        }
        let endpoint = Self(url);
        let safe = endpoint.0.scheme() == "https" || (endpoint.0.scheme() == "http" && endpoint.is_loopback());
        if safe { Ok(endpoint) } else { Err(ExtractError::InsecureUrl { name, origin: endpoint.origin() }) }
    }

    /// The API's address for an account, as it comes with an access token (without the version), or `None` for one
    /// that must not be trusted. Loopback is trusted only by a token that came from there.
    pub(super) fn from_api_url(text: &str, oauth: &Self) -> Option<Self> {
        let text = text.trim_end_matches('/');
        let base = Self::try_new("api_url", &format!("{}/v2", text.trim_end_matches("/v2"))).ok()?;
        (base.is_upstream() || (base.is_loopback() && oauth.is_loopback())).then_some(base)
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// The address of `path` below this one.
    pub(super) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url
    }

    pub(super) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    pub(super) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    fn is_upstream(&self) -> bool {
        let Some(Host::Domain(host)) = self.0.host() else { return false };
        let below =
            |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        self.0.scheme() == "https" && self.0.port().is_none() && UPSTREAM_DOMAINS.iter().any(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_are_asked() {
        for text in ["https://api.zoom.us/v2", "http://127.0.0.1:80/v2", "http://[::1]:9/v2", "http://localhost/v2/"] {
            assert!(Endpoint::try_new("base URL", text).is_ok(), "{text}");
        }
        for text in ["http://api.zoom.us/v2", "http://localhost.example/v2", "ftp://127.0.0.1/", "http://10.0.0.1"] {
            let error = Endpoint::try_new("base URL", text).unwrap_err();
            assert!(matches!(error, ExtractError::InsecureUrl { .. }), "{text}");
        }
        for text in ["", "api.zoom.us", "https://u:hush@api.zoom.us/v2", "https://api.zoom.us/v2?a=b"] {
            let error = Endpoint::try_new("base URL", text).unwrap_err();
            assert!(matches!(error, ExtractError::InvalidSetting { .. }), "{text}");
            assert!(!error.to_string().contains("hush"));
        }
    }

    #[test]
    fn an_address_from_the_upstream_is_followed_to_its_own_hosts_only() {
        let oauth = Endpoint::try_new("OAuth URL", "https://zoom.us/oauth/token").unwrap();
        let follow = |text| Endpoint::from_api_url(text, &oauth).map(|base| base.url().to_string());
        assert_eq!(follow("https://api-eu.zoom.us").as_deref(), Some("https://api-eu.zoom.us/v2"));
        assert_eq!(follow("https://api.zoomgov.com/v2/").as_deref(), Some("https://api.zoomgov.com/v2"));
        for text in [
            "http://api-eu.zoom.us",
            "https://api-eu.zoom.us:8443",
            "https://notzoom.us",
            "https://zoom.us.example",
            "https://zoom.us@example.org",
            "http://127.0.0.1:1",
            "",
        ] {
            assert_eq!(follow(text), None, "{text}");
        }

        let local = Endpoint::try_new("OAuth URL", "http://127.0.0.1:1/oauth/token").unwrap();
        assert!(Endpoint::from_api_url("http://127.0.0.1:2", &local).is_some());
    }

    #[test]
    fn a_path_is_put_below_the_version() {
        let base = Endpoint::try_new("base URL", "https://api.zoom.us/v2/").unwrap();
        assert_eq!(base.join("/phone/x").as_str(), "https://api.zoom.us/v2/phone/x");
    }
}
