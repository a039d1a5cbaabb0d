//! The log read back as an auditor would: the ledger's entries and the digests of the commits that hold them.

use std::path::Path;

use phonetrail::ledger::EntryV1;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

/// The entries of the table's log with the digest of the commit they lie in.
pub(crate) fn entries(destination: &Path) -> Vec<(EntryV1, String)> {
    let log = destination.join("operation_logs/_delta_log");
    (0..)
        .map_while(|version| std::fs::read(log.join(format!("{version:020}.json"))).ok())
        .map(|bytes| {
            let actions: Vec<Value> = bytes
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect();
            let entry = actions.iter().find_map(|action| action["commitInfo"]["phonetrail"].as_str()).unwrap();
            (serde_json::from_str(entry).unwrap(), sha256(&bytes))
        })
        .collect()
}
