//! Whether a destination can hold a table, found out by doing what a sync does.
//!
//! The rule: the probe leaves nothing behind, and touches nothing that lies there.

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use uuid::Uuid;

use super::store::object;
use super::{LoadError, Store};

/// What a destination can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whether a second put-if-absent of an object is refused. Without that, concurrent commits overwrite each other.
    pub honours_put_if_absent: bool,
    /// How far the destination's clock is ahead of this machine's.
    pub clock_ahead: TimeDelta,
}

impl Store {
    /// Writes, publishes, lists, reads and removes an object of its own.
    pub async fn probe(&self) -> Result<Probe, LoadError> {
        let path = format!(".phonetrail-probe-{}", Uuid::now_v7());
        let probed = self.probe_at(&path).await;
        self.remove(vec![path.clone()]).await?;
        probed
    }

    async fn probe_at(&self, path: &str) -> Result<Probe, LoadError> {
        let content = Bytes::from_static(b"phonetrail");
        self.stage(path, content.clone()).await?;
        self.publish(vec![path.to_owned()]).await?;
        self.get(path).await?;

        let objects = self.objects();
        let location = self.location(path);
        let written = objects.head(&location).await.map_err(object("look at", path))?.last_modified;
        let clock_ahead = written - Utc::now();
        let again = objects.put_opts(&location, content.into(), PutMode::Create.into()).await;
        let honours_put_if_absent = match again {
            Err(object_store::Error::AlreadyExists { .. }) => true,
            Ok(_) => false,
            Err(source) => return Err(object("write", path)(source)),
        };
        Ok(Probe { honours_put_if_absent, clock_ahead })
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
