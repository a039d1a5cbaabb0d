//! Whether a destination can hold a table, found out by doing what a sync does.
//!
//! The rule: the probe leaves nothing behind, and touches nothing that lies there. It lies among the marks of runs: where it is
//! interrupted, a later run removes it as one of them.

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use uuid::Uuid;

use super::store::object;
use super::{LoadError, Store, mark};
use crate::failpoint::FailPoint;

/// How many writers race for one object: enough to meet if the store looks first and writes then.
const RACERS: usize = 8;

/// What a probe writes.
const CONTENT: Bytes = Bytes::from_static(b"phonetrail");

/// What a destination can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whether of several puts-if-absent of one object, at once and after each other, one at most is accepted. Without
    /// that, concurrent commits overwrite each other.
    pub honours_put_if_absent: bool,
    /// How far the destination's clock is ahead of this machine's.
    pub clock_ahead: TimeDelta,
}

impl Probe {
    /// Refuses a store that does not keep concurrent commits apart.
    pub fn require_put_if_absent(self, store: &Store) -> Result<(), LoadError> {
        let refused = || LoadError::Overwrites { destination: store.url().to_string() };
        self.honours_put_if_absent.then_some(()).ok_or_else(refused)
    }
}

impl Store {
    /// Writes, publishes, lists, reads and removes an object of its own; on local disk only for who holds the lock.
    pub async fn probe(&self) -> Result<Probe, LoadError> {
        let path = mark::path(&format!("probe-{}", Uuid::now_v7()));
        let probed = self.probe_at(&path).await;
        let removed = self.discard(vec![path]).await;
        mark::remove_empty_directories(self);
        let probed = probed?;
        removed.map(|()| probed)
    }

    async fn probe_at(&self, path: &str) -> Result<Probe, LoadError> {
        let racers = futures::stream::iter(0..RACERS).map(|_| self.put_if_absent(path)).buffer_unordered(RACERS);
        let accepted: Vec<bool> = racers.try_collect().await?;
        let accepted_later = self.put_if_absent(path).await?;
        FailPoint::ProbeWritten.pass();
        let honours_put_if_absent = !accepted_later && accepted.into_iter().filter(|accepted| *accepted).count() <= 1;

        self.stage(path, CONTENT).await?;
        self.publish(vec![path.to_owned()]).await?;
        self.get(path).await?;
        let head = self.objects().head(&self.location(path)).await.map_err(object("look at", path))?;
        Ok(Probe { honours_put_if_absent, clock_ahead: head.last_modified - Utc::now() })
    }

    /// Whether the store says that it wrote the object.
    async fn put_if_absent(&self, path: &str) -> Result<bool, LoadError> {
        match self.objects().put_opts(&self.location(path), CONTENT.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(object("write", path)(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Destination;
    use super::*;

    #[tokio::test]
    async fn a_local_directory_can_hold_a_table_and_is_left_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let destination: Destination = directory.path().to_str().unwrap().parse().unwrap();
        let probe = Store::open(&destination).unwrap().probe().await.unwrap();
        assert!(probe.honours_put_if_absent);
        assert!(probe.clock_ahead.abs() < TimeDelta::seconds(10), "{}", probe.clock_ahead);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
