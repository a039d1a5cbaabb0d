//! A URL of object storage -> the store that it lies on, reached with the settings of the environment.
//!
//! The rule: settings go to the store's client and nowhere else; they hold the secrets. In clear only to loopback, unless
//! the environment allows it.

use std::ffi::OsString;
use std::sync::Arc;

use object_store::ObjectStore;
use url::{Host, Url};

use super::LoadError;

/// Settings, by the lower-case names of their variables.
type Options = Vec<(String, String)>;

/// The variables that name another server than the provider's own.
const ENDPOINTS: [&str; 6] = [
    "aws_endpoint",
    "aws_endpoint_url",
    "aws_endpoint_url_s3",
    "azure_endpoint",
    "azure_storage_endpoint",
    "google_base_url",
];

/// How long a request may take with its body, unless the environment says so: enough for a large file on a slow line.
const REQUEST_TIMEOUT: (&str, &str) = ("timeout", "120s");

/// Opens the store that `url` lies on. Nothing is asked of it yet.
pub(super) fn open(url: &Url) -> Result<Arc<dyn ObjectStore>, LoadError> {
    let options = options(url.scheme(), std::env::vars_os());
    if options.iter().any(|(name, _)| name == "aws_profile") && !options.iter().any(|(name, _)| name.contains("key")) {
        tracing::warn!("AWS_PROFILE is not read; give the profile's credentials as AWS_ACCESS_KEY_ID and so on");
    }
    let clear = options.iter().filter(|(name, _)| ENDPOINTS.contains(&name.as_str()));
    let clear = clear.filter_map(|(_, value)| Url::parse(value).ok()).filter(|endpoint| endpoint.scheme() == "http");
    let (local, open): (Vec<Url>, Vec<Url>) = clear.partition(is_loopback);
    if let Some(endpoint) = open.first().filter(|_| !allows_http(&options)) {
        let host = endpoint.host_str().unwrap_or_default().to_owned();
        return Err(LoadError::Unencrypted { host });
    }

    let allow_http = (!local.is_empty()).then_some(("allow_http", "true"));
    let defaults = [REQUEST_TIMEOUT].into_iter().chain(allow_http);
    let defaults = defaults.map(|(name, value)| (name.to_owned(), value.to_owned()));
    // The last one counts.
    let (objects, _) = object_store::parse_url_opts(url, defaults.chain(options))
        .map_err(|source| LoadError::Url { url: url.to_string(), source })?;
    Ok(objects.into())
}

/// The variables that have to do with `scheme`. An empty one counts as not set.
fn options(scheme: &str, variables: impl Iterator<Item = (OsString, OsString)>) -> Options {
    let prefix = match scheme {
        "s3" | "s3a" => "aws_",
        "gs" => "google_",
        _ => "azure_",
    };
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?.to_ascii_lowercase(), value.into_string().ok()?)))
        .filter(|(name, value)| !value.is_empty() && (name.starts_with(prefix) || is_identity(scheme, name)))
        .collect()
}

/// Whether `name` is what Azure tells its own machines where tokens are to be had.
fn is_identity(scheme: &str, name: &str) -> bool {
    name == "identity_endpoint" && !matches!(scheme, "s3" | "s3a" | "gs")
}

fn allows_http(options: &Options) -> bool {
    options.iter().any(|(name, value)| name.ends_with("_allow_http") && value.eq_ignore_ascii_case("true"))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_of_the_provider_are_passed_on() {
        let variables = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_SESSION_TOKEN", ""),
            ("GOOGLE_SERVICE_ACCOUNT", "/run/key.json"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
            ("TOKEN", "of something else"),
        ];
        let names = |scheme| {
            let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
            options(scheme, variables).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names("s3"), ["aws_region"]);
        assert_eq!(names("s3a"), ["aws_region"]);
        assert_eq!(names("gs"), ["google_service_account"]);
        assert_eq!(names("abfss"), ["azure_storage_account_name"]);
    }

    #[test]
    fn loopback_is_told_from_elsewhere() {
        let is_local = |url: &str| is_loopback(&Url::parse(url).unwrap());
        for url in ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost"] {
            assert!(is_local(url), "{url}");
        }
        assert!(!is_local("http://10.0.0.1:9000") && !is_local("http://localhost.example"));
    }
}
