//! Data files of object storage, brought to local disk, where polars reads them.
//!
//! The rule: a data file never changes, so one that is here in its full size need not be fetched again. What lies here can
//! be removed at any time.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::QueryError;
use crate::load::{DEFAULT_GRACE, LiveFile, Store, TABLE_DIRECTORY};

/// How many files are fetched at once.
const PARALLEL_FILES: usize = 16;

/// Files of one table.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    directory: PathBuf,
}

/// Where files are kept between queries, unless something else is said: below the user's own directory for such things.
pub fn default_cache() -> PathBuf {
    let user = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let user = user.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    user.unwrap_or_else(std::env::temp_dir).join("phonetrail").join("files")
}

impl Cache {
    /// The part of the cache in `directory` that belongs to `store`.
    pub(super) fn of(directory: &Path, store: &Store) -> Self {
        let name = HEXLOWER.encode(&Sha256::digest(store.url().as_str()));
        Self { directory: directory.join(&name[..32]) }
    }

    /// The table's root within the cache.
    pub(super) fn root(&self) -> PathBuf {
        self.directory.join(TABLE_DIRECTORY)
    }

    /// Fetches those of `files` that are not here.
    pub(super) async fn fetch(&self, store: &Store, files: &[LiveFile]) -> Result<(), QueryError> {
        let missing: Vec<LiveFile> = files.iter().filter(|file| !self.has(file)).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        make_private(&self.directory).map_err(|source| self.failed(source))?;
        let bytes: u64 = missing.iter().map(|file| file.byte_count).sum();
        tracing::info!(files = missing.len(), of = files.len(), bytes, "fetching data files");
        let fetch = |file: LiveFile| async move {
            let bytes = store.get(&format!("{TABLE_DIRECTORY}/{}", file.path)).await?;
            let path = self.root().join(&file.path);
            tokio::task::spawn_blocking(move || write(&path, &bytes)).await?.map_err(|source| self.failed(source))
        };
        futures::stream::iter(missing).map(fetch).buffer_unordered(PARALLEL_FILES).try_collect().await
    }

    /// Removes what is not among `live`, but for files so fresh that a query at work may have them open.
    pub(super) fn retain(&self, live: &[LiveFile]) -> Result<(), QueryError> {
        let root = self.root();
        let live: HashSet<PathBuf> = live.iter().map(|file| root.join(&file.path)).collect();
        remove_all_but(&root, &live).map_err(|source| self.failed(source))
    }

    fn has(&self, file: &LiveFile) -> bool {
        std::fs::metadata(self.root().join(&file.path)).is_ok_and(|found| found.len() == file.byte_count)
    }

    fn failed(&self, source: io::Error) -> QueryError {
        QueryError::Cache { directory: self.directory.clone(), source }
    }
}

/// What lies here tells of people: it is the user's alone.
fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let part = path.with_extension(format!("{}.part", Uuid::now_v7()));
    std::fs::write(&part, bytes)?;
    std::fs::rename(&part, path)
}

fn remove_all_but(directory: &Path, live: &HashSet<PathBuf>) -> io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_all_but(&path, live)?;
        } else if !live.contains(&path) && age(&entry.metadata()?) > DEFAULT_GRACE.to_std().unwrap_or(Duration::MAX) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn age(file: &std::fs::Metadata) -> Duration {
    let modified = file.modified().unwrap_or_else(|_| SystemTime::now());
    SystemTime::now().duration_since(modified).unwrap_or_default()
}
