//! Tells whether another run is alive on the same destination, which only local disk can say.
//!
//! The rule: the lock keeps nobody from writing (commits settle that). Who holds it alone may remove what dead runs left.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::{LoadError, Store};
use crate::failpoint::FailPoint;

const LOCK_FILE: &str = ".phonetrail.lock";

/// How often to look whether another run has cleaned up.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A run's mark on the destination, for as long as it lives; the system takes it away when the process dies. On object
/// storage there is none, and nobody knows to be alone.
#[derive(Debug)]
pub struct RunLock {
    file: Option<(PathBuf, File)>,
    is_sole: bool,
    has_shared: bool,
}

impl RunLock {
    /// Marks `store` as in use. Waits while another run cleans up.
    pub async fn acquire(store: &Store) -> Result<Self, LoadError> {
        let Some(directory) = store.directory() else {
            return Ok(Self { file: None, is_sole: false, has_shared: false });
        };
        let path = directory.join(LOCK_FILE);
        let failed = |source| LoadError::Destination { path: path.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        loop {
            let is_sole = held(file.try_lock()).map_err(failed)?;
            if is_sole || held(file.try_lock_shared()).map_err(failed)? {
                FailPoint::LockTaken.pass();
                return Ok(Self { file: Some((path, file)), is_sole, has_shared: false });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether this run is to clean up: no other run is alive, or nobody can know, and this one has not let others in yet.
    pub fn may_clean_up(&self) -> bool {
        self.is_sole || (self.file.is_none() && !self.has_shared)
    }

    /// Takes the mark away, and with it directories that were made for this run and hold nothing else.
    pub fn abandon(mut self, store: &Store) {
        // The file is another run's mark, too, where one has come.
        let is_sole = !store.made().is_empty() && self.outlives_others().unwrap_or_default();
        if let (Some((path, _)), true) = (&self.file, is_sole) {
            // Whatever cannot be removed is in use.
            let _ = std::fs::remove_file(path).and_then(|()| store.made().iter().try_for_each(std::fs::remove_dir));
        }
    }

    /// Lets other runs in. Between the two steps another run may get hold of the lock alone; it then removes what no
    /// commit names, so this must come before anything is staged.
    pub async fn share(&mut self) -> Result<(), LoadError> {
        self.has_shared = true;
        let Some((path, file)) = self.file.as_ref().filter(|_| std::mem::take(&mut self.is_sole)) else {
            return Ok(());
        };
        let failed = |source| LoadError::Destination { path: path.clone(), source };
        file.unlock().map_err(failed)?;
        while !held(file.try_lock_shared()).map_err(failed)? {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Tells whether no other run is left; only for who has nothing more to write, since the mark is lost where another is.
    pub fn outlives_others(&mut self) -> Result<bool, LoadError> {
        let Some((path, file)) = &self.file else { return Ok(false) };
        let failed = |source| LoadError::Destination { path: path.clone(), source };
        file.unlock().map_err(failed)?;
        self.is_sole = held(file.try_lock()).map_err(failed)?;
        Ok(self.is_sole)
    }
}

/// Whether an attempt got the lock. Not to wait in the system keeps the runtime's threads free.
fn held(attempt: Result<(), TryLockError>) -> io::Result<bool> {
    match attempt {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
