//! The destination, open: objects by their paths below it, through `object_store`.
//!
//! The rule: paths in this crate are relative to the destination's root; only this module knows where that is.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use super::destination::Place;
use super::{Destination, LoadError, remote};
use crate::failpoint::FailPoint;

/// What a staged file is called until it is published.
const STAGED_SUFFIX: &str = ".staged";

/// How many objects are written or read at once.
const PARALLEL_OBJECTS: usize = 32;

/// An object that a listing found.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Path relative to the root.
    pub path: String,
    /// When it was last written.
    pub modified_at: DateTime<Utc>,
}

/// A destination that is open.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Of a destination on local disk.
    directory: Option<PathBuf>,
    root: Path,
    url: Url,
    made: Vec<PathBuf>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.url.as_str()).finish()
    }
}

impl Store {
    /// Opens `destination`, making its directory where it is missing.
    pub fn create(destination: &Destination) -> Result<Self, LoadError> {
        let mut made = Vec::new();
        if let Place::Directory(path) = &destination.0 {
            let missing = path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
            made = missing.map(FsPath::to_path_buf).collect();
            std::fs::create_dir_all(path).map_err(|source| LoadError::Destination { path: path.clone(), source })?;
        }
        Ok(Self { made, ..Self::open(destination)? })
    }

    /// The directories that [`Self::create`] made, the innermost first.
    pub fn made(&self) -> &[PathBuf] {
        &self.made
    }

    /// Opens `destination`. A directory must exist; object storage is not asked anything yet.
    pub fn open(destination: &Destination) -> Result<Self, LoadError> {
        match &destination.0 {
            Place::Directory(path) => Self::local(path),
            Place::Url(url) => Self::remote(url, remote::open(url)?),
            Place::Objects(url, objects) => Self::remote(url, Arc::clone(objects)),
        }
    }

    fn local(path: &FsPath) -> Result<Self, LoadError> {
        let failed = |source| LoadError::Destination { path: path.to_path_buf(), source };
        // The log's library takes canonical paths only: through a symbolic link our files would lie outside its table.
        let directory = path.canonicalize().map_err(failed)?;
        let url = Url::from_directory_path(&directory).map_err(|()| failed(io::ErrorKind::InvalidFilename.into()))?;
        let root = Path::from_absolute_path(&directory).map_err(|error| failed(io::Error::other(error)))?;
        let objects = Arc::new(LocalFileSystem::new().with_fsync(true));
        Ok(Self { objects, directory: Some(directory), root, url, made: Vec::new() })
    }

    fn remote(url: &Url, objects: Arc<dyn ObjectStore>) -> Result<Self, LoadError> {
        let failed = |source: object_store::path::Error| LoadError::Url { url: url.to_string(), source: source.into() };
        let root = Path::from_url_path(url.path()).map_err(failed)?;
        Ok(Self { objects, directory: None, root, url: url.clone(), made: Vec::new() })
    }

    /// The root's URL, with a slash at its end.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The root's directory, where that is on local disk.
    pub fn directory(&self) -> Option<&FsPath> {
        self.directory.as_deref()
    }

    pub(super) fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    pub(super) fn location(&self, path: &str) -> Path {
        path.split('/').filter(|part| !part.is_empty()).fold(self.root.clone(), |parent, part| parent.join(part))
    }

    /// The whole object.
    pub async fn get(&self, path: &str) -> Result<Bytes, LoadError> {
        let read = async { self.objects.get(&self.location(path)).await?.bytes().await };
        read.await.map_err(object("read", path))
    }

    /// Writes an object under its final name.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), LoadError> {
        self.put_at(&self.location(path), path, bytes).await
    }

    async fn put_at(&self, location: &Path, path: &str, bytes: Bytes) -> Result<(), LoadError> {
        self.objects.put(location, bytes.into()).await.map_err(object("write", path))?;
        Ok(())
    }

    /// Writes an object where no reader takes it for part of the table, until [`Self::publish`] names it. Object storage
    /// cannot rename; there it has its final name at once.
    pub async fn stage(&self, path: &str, bytes: Bytes) -> Result<(), LoadError> {
        self.put_at(&self.staged_location(path), path, bytes).await
    }

    /// Where [`Self::stage`] puts what will be called `path`.
    pub(super) fn staged_location(&self, path: &str) -> Path {
        match self.directory {
            Some(_) => self.location(&staged(path)),
            None => self.location(path),
        }
    }

    /// Removes objects, whether they are staged or published.
    pub async fn discard(&self, paths: Vec<String>) -> Result<(), LoadError> {
        let staged: Vec<String> = self.directory.iter().flat_map(|_| &paths).map(|path| staged(path)).collect();
        self.remove([staged, paths].concat()).await
    }

    /// Gives staged objects their final names.
    pub async fn publish(&self, paths: Vec<String>) -> Result<(), LoadError> {
        if self.directory.is_none() {
            return Ok(());
        }
        let publish = |path: String| async move {
            let (from, to) = (self.location(&staged(&path)), self.location(&path));
            self.objects.rename(&from, &to).await.map_err(object("publish", &path))?;
            FailPoint::ObjectPublished.pass();
            Ok(())
        };
        futures::stream::iter(paths).map(publish).buffer_unordered(PARALLEL_OBJECTS).try_collect().await
    }

    /// Removes objects; one that is gone already is no error.
    pub async fn remove(&self, paths: Vec<String>) -> Result<(), LoadError> {
        let remove = |path: String| async move {
            match self.objects.delete(&self.location(&path)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {
                    FailPoint::ObjectRemoved.pass();
                    Ok(())
                }
                Err(source) => Err(object("remove", &path)(source)),
            }
        };
        futures::stream::iter(paths).map(remove).buffer_unordered(PARALLEL_OBJECTS).try_collect().await
    }

    /// Removes the files of writes that never ended, below `directories` on local disk; only for who knows that no write
    /// is going on. Object storage shows no such writes.
    pub(super) fn remove_abandoned_uploads(&self, directories: &[&str]) -> Result<usize, LoadError> {
        let mut count = 0;
        for path in self.directory.iter().flat_map(|root| directories.iter().map(|directory| root.join(directory))) {
            count += remove_uploads(&path).map_err(|source| LoadError::Destination { path, source })?;
        }
        Ok(count)
    }

    /// Everything below `directory`.
    pub async fn list(&self, directory: &str) -> Result<Vec<Listed>, LoadError> {
        let found = self.objects.list(Some(&self.location(directory)));
        let listed = found.try_filter_map(|meta| async move {
            let relative = meta.location.prefix_match(&self.root).map(|parts| {
                let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
                parts.join("/")
            });
            Ok(relative.map(|path| Listed { path, modified_at: meta.last_modified }))
        });
        listed.try_collect().await.map_err(object("list", directory))
    }
}

/// The names that the local store gives a file while its bytes arrive: the final name, `#`, and a number. Its own
/// listings do not show them.
fn is_upload(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn remove_uploads(directory: &FsPath) -> io::Result<usize> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut count = 0;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            count += remove_uploads(&entry.path())?;
        } else if is_upload(&entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path())?;
            count += 1;
        }
    }
    Ok(count)
}

/// Whether `path` is the name of a file that was staged and never published.
pub(super) fn is_staged(path: &str) -> bool {
    path.ends_with(STAGED_SUFFIX)
}

fn staged(path: &str) -> String {
    format!("{path}{STAGED_SUFFIX}")
}

pub(super) fn object(action: &'static str, path: &str) -> impl FnOnce(object_store::Error) -> LoadError {
    let path = path.to_owned();
    move |source| LoadError::Object { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abandoned_uploads_are_told_by_their_number() {
        assert!(is_upload("part-1.parquet.staged#1"));
        assert!(!is_upload("part-1.parquet") && !is_upload("notes#a") && !is_upload("notes#"));
    }
}
