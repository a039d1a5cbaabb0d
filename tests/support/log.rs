//! The log read back as an auditor would: the ledger's entries and the digests of the commits that hold them.

use std::collections::BTreeSet;
use std::path::Path;

use phonetrail::ledger::EntryV1;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

/// The data files that the log's newest version names, and those that it does not name any more.
pub(crate) fn data_files(destination: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut live, mut replaced) = (BTreeSet::new(), BTreeSet::new());
    for action in commits(destination).iter().flat_map(|commit| actions(commit)) {
        let path = |kind: &str| action[kind]["path"].as_str().map(str::to_owned);
        live.extend(path("add"));
        if let Some(path) = path("remove") {
            assert!(live.remove(&path), "{path} was removed, but not live");
            replaced.insert(path);
        }
    }
    (live, replaced)
}

/// The entries of the table's log with the digest of the commit they lie in.
pub(crate) fn entries(destination: &Path) -> Vec<(EntryV1, String)> {
    let entry = |bytes: &Vec<u8>| {
        let actions = actions(bytes);
        let entry = actions.iter().find_map(|action| action["commitInfo"]["phonetrail"].as_str()).unwrap();
        (serde_json::from_str(entry).unwrap(), sha256(bytes))
    };
    commits(destination).iter().map(entry).collect()
}

/// The bytes of every commit, by version.
fn commits(destination: &Path) -> Vec<Vec<u8>> {
    let log = destination.join("operation_logs/_delta_log");
    (0..).map_while(|version| std::fs::read(log.join(format!("{version:020}.json"))).ok()).collect()
}

fn actions(commit: &[u8]) -> Vec<Value> {
    let lines = commit.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}
