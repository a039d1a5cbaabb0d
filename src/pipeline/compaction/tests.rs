//! Compactions that meet with other commits.

use std::net::{Ipv4Addr, SocketAddr};

use arrow::array::StructArray;
use tempfile::TempDir;

use super::*;
use crate::extract::{Credentials, Plan, Secret, Settings, Source};
use crate::load::{Destination, TABLE_DIRECTORY};
use crate::model::{AccountId, RecordId};
use crate::pipeline::{SyncRequest, sync};
use crate::simulator::{self, GeneratorConfig, RunningSimulator, SimulatorConfig};

const APRIL: Month = Month { year: 2022, month: 4 };

/// A table with several files in partitions of April.
struct Crowded {
    simulator: RunningSimulator,
    directory: TempDir,
    store: Store,
    stop: CancellationToken,
}

impl Crowded {
    async fn start() -> Self {
        let day = |text: &str| text.parse().unwrap();
        let generated = GeneratorConfig { seed: 1, records: 200, from: day("2022-04-01"), to: day("2022-05-31") };
        let config = SimulatorConfig::default().with_generated(generated);
        let simulator = simulator::serve(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let destination: Destination = directory.path().to_str().unwrap().parse().unwrap();
        let store = Store::open(&destination).unwrap();
        let crowded = Self { simulator, directory, store, stop: CancellationToken::new() };
        crowded.sync("2022-04-01", "2022-04-10").await;
        crowded.sync("2022-04-11", "2022-04-25").await;
        crowded
    }

    async fn sync(&self, from: &str, to: &str) {
        let simulator::Credentials { account_id, client_id, client_secret } =
            self.simulator.config().credentials.clone();
        let account_id = AccountId::new(account_id);
        let mut request = SyncRequest::new(account_id.clone());
        (request.from, request.to) = (from.parse().ok(), to.parse().ok());
        let client_secret = Secret::new(client_secret);
        let settings = Settings {
            base_url: self.simulator.base_url(),
            oauth_url: self.simulator.oauth_url(),
            plan: "1000/s,1000000/day".parse::<Plan>().unwrap(),
            ..Settings::default()
        };
        let credentials = Credentials::ServerToServer { account_id, client_id, client_secret };
        let source = Source::try_new(credentials, settings).unwrap();
        let destination = self.directory.path().to_str().unwrap().parse().unwrap();
        sync(&source, &destination, &request).await.unwrap();
    }

    async fn table(&self) -> Table {
        Table::open(&self.store).await.unwrap().unwrap()
    }

    async fn compact(&self, table: &mut Table) -> Option<Done> {
        let compaction = Compaction { store: &self.store, run_id: "run", grace: None, stop: &self.stop };
        compaction.month(table, APRIL).await.unwrap()
    }

    async fn rows(&self) -> u64 {
        let files = self.table().await.files(&Selection::All).await.unwrap();
        files.iter().filter_map(|file| file.row_count).sum()
    }

    /// How many data files lie there.
    async fn present(&self) -> usize {
        let listed = self.store.list(TABLE_DIRECTORY).await.unwrap();
        listed.iter().filter(|listed| !listed.path.contains("_delta_log")).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_another_commit_the_same_files_are_committed_if_all_they_replace_is_live() {
    let crowded = Crowded::start().await;
    let mut table = crowded.table().await;
    let outdated = table.version();
    crowded.sync("2022-05-10", "2022-05-20").await;
    let (rows, present) = (crowded.rows().await, crowded.present().await);

    let done = crowded.compact(&mut table).await.unwrap().month;
    assert_eq!(done.version, outdated + 2);
    assert_eq!(crowded.rows().await, rows);
    assert_eq!(crowded.present().await, present + usize::try_from(done.files_added).unwrap());
    assert!(crowded.compact(&mut table).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_compaction_replaced_meanwhile_is_not_replaced_again() {
    let crowded = Crowded::start().await;
    let (rows, mut table, mut outdated) = (crowded.rows().await, crowded.table().await, crowded.table().await);
    crowded.compact(&mut table).await.unwrap();
    let present = crowded.present().await;

    assert!(crowded.compact(&mut outdated).await.is_none());
    assert_eq!((crowded.rows().await, crowded.present().await), (rows, present));
    assert_eq!(crowded.table().await.version(), table.version());
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_leaves_nothing_behind() {
    let crowded = Crowded::start().await;
    let (mut table, present) = (crowded.table().await, crowded.present().await);
    crowded.stop.cancel();
    assert!(crowded.compact(&mut table).await.is_none());
    assert_eq!((crowded.present().await, crowded.table().await.version()), (present, table.version()));
}

#[test]
fn rows_that_differ_from_those_read_are_no_proof() {
    let mut rows = RowSet::default();
    rows.insert(RecordId([1; 16]));
    let file = StagedFile {
        partition: Partition { year: 2022, month: 2, category: "device".into() },
        path: "part-1.parquet".to_owned(),
        row_count: 1,
        byte_count: 1,
        sha256: String::new(),
        stats: StructArray::new_empty_fields(1, None),
    };
    let merged = |written| Merged { file: file.clone(), inputs: Vec::new(), read: rows, written };
    let prove = |written| Rewrite::prove(vec![merged(rows), merged(written)], &HashMap::new(), "run");

    assert!(prove(rows).is_ok());
    let mut other = RowSet::default();
    other.insert(RecordId([2; 16]));
    let mut more = rows;
    more.insert(RecordId([0; 16]));
    for written in [RowSet::default(), other, more] {
        let error = prove(written).map(|_| ()).unwrap_err();
        assert!(matches!(error, CompactError::RowsDiffer { .. }) && error.to_string().contains("category=device"));
    }
}
