//! Tells whether another run is alive on the same local destination.
//!
//! The rule: the lock keeps nobody from writing (commits settle that). Who holds it alone may remove what dead runs left.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;

use super::{LoadError, Store};

const LOCK_FILE: &str = ".phonetrail.lock";

/// A run's mark on the destination, for as long as it lives; the system takes it away when the process dies.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    file: File,
    is_sole: bool,
}

impl RunLock {
    /// Marks `store` as in use.
    pub fn acquire(store: &Store) -> Result<Self, LoadError> {
        let path = store.directory().join(LOCK_FILE);
        let locked = || -> io::Result<Self> {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            let is_sole = file.try_lock().is_ok();
            if !is_sole {
                file.lock_shared()?;
            }
            Ok(Self { path: path.clone(), file, is_sole })
        };
        locked().map_err(|source| LoadError::Destination { path: path.clone(), source })
    }

    /// Whether no other run is alive.
    pub fn is_sole(&self) -> bool {
        self.is_sole
    }

    /// Takes the mark away, and with it a directory that was made for this run and holds nothing else.
    pub fn abandon(self, store: &Store) {
        if store.is_new() {
            // Whatever cannot be removed is another run's by now.
            let _ = std::fs::remove_file(&self.path).and_then(|()| std::fs::remove_dir(store.directory()));
        }
    }

    /// Lets other runs in. Between the two steps another run may get hold of the lock alone; it then removes what no
    /// commit names, so this must come before anything is staged.
    pub fn share(&mut self) -> Result<(), LoadError> {
        if !std::mem::take(&mut self.is_sole) {
            return Ok(());
        }
        let shared = self.file.unlock().and_then(|()| self.file.lock_shared());
        shared.map_err(|source| LoadError::Destination { path: self.path.clone(), source })
    }
}
