//! Marks of runs that write: one lies there from before a run's first file until it has ended well.
//!
//! The rule: a mark is removed by its run, when nothing of it can be left behind, or by who has removed what it left.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{LoadError, STATE_DIRECTORY, Store};
use crate::failpoint::FailPoint;

/// A run's mark.
#[derive(Debug)]
pub struct RunMark {
    path: String,
}

impl RunMark {
    /// Says that `run` will write.
    pub async fn set(store: &Store, run: &str) -> Result<Self, LoadError> {
        let path = path(run);
        store.put(&path, Bytes::new()).await?;
        FailPoint::MarkSet.pass();
        Ok(Self { path })
    }

    /// Says that the run has left nothing behind.
    pub async fn clear(self, store: &Store) -> Result<(), LoadError> {
        FailPoint::MarkClear.pass();
        store.remove(vec![self.path]).await?;
        FailPoint::MarkCleared.pass();
        Ok(())
    }

    /// The marks of dead runs, and when each was set; only for who knows that no other run is alive.
    pub async fn of_dead_runs(store: &Store) -> Result<Vec<(Self, DateTime<Utc>)>, LoadError> {
        // A run may have died over its mark.
        store.remove_abandoned_uploads(&[STATE_DIRECTORY])?;
        let listed = store.list(&directory()).await?.into_iter();
        Ok(listed.map(|listed| (Self { path: listed.path }, listed.modified_at)).collect())
    }
}

/// Where the mark of `run` lies below the destination.
pub(super) fn path(run: &str) -> String {
    format!("{}/{run}", directory())
}

/// Removes the directories of marks on local disk, where nothing lies in them.
pub(super) fn remove_empty_directories(store: &Store) {
    if let Some(root) = store.directory() {
        // Whatever cannot be removed is in use.
        let _ =
            std::fs::remove_dir(root.join(directory())).and_then(|()| std::fs::remove_dir(root.join(STATE_DIRECTORY)));
    }
}

fn directory() -> String {
    format!("{STATE_DIRECTORY}/runs")
}
