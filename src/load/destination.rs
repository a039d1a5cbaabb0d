//! Where the table and the raw archive lie, as the user named it: a directory, or a URL of object storage.
//!
//! The rule: a destination holds no secret, so that it can be shown. What it takes to reach it comes from the
//! environment.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

/// The schemes of object storage.
const REMOTE_SCHEMES: [&str; 6] = ["s3", "s3a", "gs", "az", "abfs", "abfss"];

/// Those in whose URLs the part before `@` names a container.
const AZURE_SCHEMES: [&str; 3] = ["az", "abfs", "abfss"];

/// Where the table and the raw archive lie.
#[derive(Clone)]
pub struct Destination(pub(super) Place);

/// The kinds of destinations.
#[derive(Clone)]
pub(super) enum Place {
    /// On local disk.
    Directory(PathBuf),
    /// On object storage that the environment says how to reach.
    Url(Url),
    /// On object storage that is open already.
    Objects(Url, Arc<dyn ObjectStore>),
}

/// A text that names no destination. It is not repeated: it may hold what should not be there.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidDestination {
    /// There is no text.
    #[error("it is empty: give a directory or a URL")]
    Empty,
    /// Nothing is stored under such URLs.
    #[error(
        "`{0}://` is not supported: give a directory, or a URL that begins with file, s3, s3a, gs, az, abfs or abfss"
    )]
    Scheme(String),
    /// The URL holds a password or parameters.
    #[error("the URL holds credentials or parameters: leave them to the environment")]
    Credentials,
    /// The URL is no URL, or names no place.
    #[error("the URL cannot be used: {0}")]
    Url(String),
}

impl Destination {
    /// A destination below `url` on an object store that is open already: one in memory, or one whose credentials do not
    /// come from the environment. The path of `url` is the one within the store.
    pub fn on(objects: Arc<dyn ObjectStore>, url: &str) -> Result<Self, InvalidDestination> {
        let url = Url::parse(url).map_err(|error| InvalidDestination::Url(error.to_string()))?;
        if url.scheme() == "file" {
            return Err(InvalidDestination::Scheme(url.scheme().to_owned()));
        }
        Ok(Self(Place::Objects(directory(url)?, objects)))
    }
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason: &str| InvalidDestination::Url(reason.to_owned());
        if text.is_empty() {
            return Err(InvalidDestination::Empty);
        }
        let Some((scheme, _)) = text.split_once("://") else { return Ok(Self(Place::Directory(text.into()))) };
        let scheme = scheme.to_ascii_lowercase();
        let is_remote = REMOTE_SCHEMES.contains(&scheme.as_str());
        if scheme != "file" && !is_remote {
            return Err(InvalidDestination::Scheme(scheme));
        }
        let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
        if !is_remote {
            let path = url.to_file_path().map_err(|()| invalid("a file URL has an absolute path and no host"))?;
            return Ok(Self(Place::Directory(path)));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(invalid("it names no bucket or container"));
        }
        Ok(Self(Place::Url(directory(url)?)))
    }
}

/// `url` with a slash at its end, if it names a place and nothing else.
fn directory(mut url: Url) -> Result<Url, InvalidDestination> {
    let has_user = !url.username().is_empty() && !AZURE_SCHEMES.contains(&url.scheme());
    if has_user || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(InvalidDestination::Credentials);
    }
    url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
    Path::from_url_path(url.path()).map_err(|error| InvalidDestination::Url(error.to_string()))?;
    Ok(url)
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Directory(path) => path.display().fmt(f),
            Place::Url(url) | Place::Objects(url, _) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Destination").field(&self.to_string()).finish()
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("out/log", "out/log"; "a path")]
    #[test_case("file:///srv/a%20b", "/srv/a b"; "a file URL")]
    #[test_case("s3://bucket/a/trail/", "s3://bucket/a/trail"; "S3")]
    #[test_case("S3A://bucket", "s3a://bucket"; "S3 as Hadoop writes it")]
    #[test_case("gs://bucket/trail", "gs://bucket/trail"; "Google")]
    #[test_case("az://container/trail", "az://container/trail"; "Azure")]
    #[test_case("abfss://c@account.dfs.core.windows.net/t", "abfss://c@account.dfs.core.windows.net/t"; "Azure in full")]
    fn paths_and_urls_are_destinations(text: &str, shown: &str) {
        assert_eq!(text.parse::<Destination>().unwrap().to_string(), shown);
    }

    #[test_case(""; "nothing")]
    #[test_case("ftp://host/x"; "another scheme")]
    #[test_case("memory:///x"; "memory, which ends with the program")]
    #[test_case("file://host/x"; "a file elsewhere")]
    #[test_case("s3:///x"; "no bucket")]
    #[test_case("s3://bucket/a//b"; "a part without a name")]
    #[test_case("s3://key:swordfish@bucket/x"; "a key in the URL")]
    #[test_case("s3://swordfish@bucket/x"; "a user in the URL")]
    #[test_case("abfss://c:swordfish@account.dfs.core.windows.net/t"; "a password in the URL")]
    #[test_case("az://container/x?sig=swordfish"; "a signature in the URL")]
    fn other_texts_are_refused_and_not_repeated(text: &str) {
        let error = text.parse::<Destination>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("swordfish"), "{error}");
    }
}
