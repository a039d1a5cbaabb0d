//! The newest entry of a table, which is its state.

use std::collections::{HashMap, HashSet};

use chrono::{NaiveDate, TimeDelta};
use futures::{StreamExt, TryStreamExt};

use super::{CoverageV1, EntryV1, FORMAT, FileV1, PackV1, PreviousV1, RequestsV1};
use crate::load::{LoadError, Table};
use crate::model::{AccountId, Coverage};

/// How many commits are read at once.
const PARALLEL_COMMITS: usize = 8;

/// Where the ledger stands.
#[derive(Clone, Debug)]
pub struct Head {
    /// The newest entry.
    pub entry: EntryV1,
    /// The version it lies in. Later versions, up to the table's, are other writers'.
    pub version: u64,
    /// The table's newest commit: what the next entry names as its previous.
    pub previous: PreviousV1,
}

/// A ledger that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// A commit cannot be read.
    #[error("cannot read the ledger")]
    Load(#[from] LoadError),
    /// An entry is not in a format known here.
    #[error("the ledger entry of version {version} is not readable; a newer phonetrail may have written it")]
    Entry {
        /// The version.
        version: u64,
        /// Where it stopped making sense.
        #[source]
        source: serde_json::Error,
    },
    /// An entry is in a format not known here.
    #[error(
        "the ledger entry of version {version} has format {format}, this phonetrail knows up to {FORMAT}: update it"
    )]
    Format {
        /// The version.
        version: u64,
        /// The entry's format.
        format: u32,
    },
    /// No commit holds an entry.
    #[error(
        "the table {table} holds no entry of phonetrail: it was made by something else; choose another destination"
    )]
    Foreign {
        /// The table's URL.
        table: String,
    },
}

impl Head {
    /// Reads the ledger's head, walking back over commits by other writers.
    pub async fn read(table: &Table) -> Result<Self, LedgerError> {
        let newest = table.version();
        let mut previous = None;
        for version in (0..=newest).rev() {
            let commit = table.commit_file(version).await?;
            let previous = previous.get_or_insert(PreviousV1 { version: newest, sha256: commit.sha256 }).clone();
            if let Some(text) = commit.entry {
                return Ok(Self { entry: parse(version, &text)?, version, previous });
            }
        }
        Err(LedgerError::Foreign { table: table.root().to_string() })
    }

    /// The coverage as of now.
    pub fn coverage(&self) -> Coverage {
        CoverageV1::restore(&self.entry.coverage)
    }
}

/// The requests that entries made on `day` (UTC) account for, of one account. The newest entry knows, but for those made
/// before entries held it: of them, the first older one ends the search.
pub async fn requests_on(table: &Table, account: &AccountId, day: NaiveDate) -> Result<u64, LedgerError> {
    let mut requests = 0;
    for version in (0..=table.version()).rev() {
        let Some(text) = table.commit_file(version).await?.entry else { continue };
        let entry = parse(version, &text)?;
        if !entry.requests_of_day.is_empty() {
            requests += RequestsV1::on(&entry.requests_of_day, account, day);
            break;
        }
        if entry.made_at.date_naive() < day {
            break;
        }
        requests += if entry.account_id.as_deref() == Some(account.as_str()) { entry.requests } else { 0 };
    }
    Ok(requests)
}

/// What entries of late say that who removes files must know.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// The packs that they name.
    pub packs: HashSet<String>,
    /// By version, how long the files that it replaced stay, where that was promised.
    pub graces: HashMap<u64, TimeDelta>,
}

/// What entries from version `first` on say.
pub async fn recent(table: &Table, first: u64) -> Result<Recent, LedgerError> {
    let read = |version| async move { Ok::<_, LedgerError>((version, table.commit_file(version).await?)) };
    let mut commits = futures::stream::iter(first..=table.version()).map(read).buffer_unordered(PARALLEL_COMMITS);
    let mut recent = Recent::default();
    while let Some((version, commit)) = commits.try_next().await? {
        if let Some(text) = commit.entry {
            let entry = parse(version, &text)?;
            recent.graces.extend(entry.grace().map(|grace| (version, grace)));
            recent.packs.extend(entry.packs.into_iter().map(|pack| pack.path));
        }
    }
    Ok(recent)
}

/// All packs that entries name, by path.
pub async fn packs(table: &Table) -> Result<HashMap<String, PackV1>, LedgerError> {
    let mut packs = HashMap::new();
    for version in 0..=table.version() {
        if let Some(text) = table.commit_file(version).await?.entry {
            packs.extend(parse(version, &text)?.packs.into_iter().map(|pack| (pack.path.clone(), pack)));
        }
    }
    Ok(packs)
}

/// A data file as the entry that added it has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The file.
    pub file: FileV1,
    /// The run that added it.
    pub run_id: String,
}

/// What entries say of the data files `paths`; nothing of those that another writer added.
pub async fn named_files(table: &Table, mut paths: HashSet<String>) -> Result<HashMap<String, NamedFile>, LedgerError> {
    let mut named = HashMap::new();
    for version in (0..=table.version()).rev() {
        if paths.is_empty() {
            break;
        }
        let Some(text) = table.commit_file(version).await?.entry else { continue };
        let EntryV1 { files, run_id, .. } = parse(version, &text)?;
        for file in files {
            if let Some(path) = paths.take(&file.path) {
                named.insert(path, NamedFile { file, run_id: run_id.clone() });
            }
        }
    }
    Ok(named)
}

fn parse(version: u64, text: &str) -> Result<EntryV1, LedgerError> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }

    let unreadable = |source| LedgerError::Entry { version, source };
    let Format { format } = serde_json::from_str(text).map_err(unreadable)?;
    if format > FORMAT {
        return Err(LedgerError::Format { version, format });
    }
    serde_json::from_str(text).map_err(unreadable)
}
