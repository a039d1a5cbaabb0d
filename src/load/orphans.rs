//! Files that a dead run wrote and no commit names, and those that no commit names any more.
//!
//! The rule: remove only what bears one of our names, lies in our directories, is named by no live version, and was not
//! replaced of late (see [`Replaced`]). Where it cannot be known that no other run is alive, remove only what is older than
//! any run may take for a commit.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::archive::{RAW_DIRECTORY, is_pack};
use super::store::{Listed, is_staged};
use super::{DEFAULT_GRACE, LoadError, Replaced, Selection, Store, TABLE_DIRECTORY, Table};
use crate::failpoint::FailPoint;

/// The packs that recent commits name. A pack is written before its commit, so one written at `since` or later is named
/// among these or nowhere.
#[derive(Clone, Debug)]
pub struct RecentPacks {
    /// When the first of the dead runs began: an older pack is none of theirs, whether or not a commit names it. The table
    /// that named it may be lost, and be made again from it.
    pub since: DateTime<Utc>,
    /// Paths relative to the destination.
    pub named: HashSet<String>,
}

/// Removes what dead runs left behind, and replaced files past their grace. On local disk only for who knows that no other
/// run is alive; on object storage nobody knows, and what is younger than [`DEFAULT_GRACE`] stays. Gives the number of
/// files removed.
pub async fn remove_orphans(
    store: &Store,
    table: &Table,
    recent: &RecentPacks,
    replaced: &Replaced,
) -> Result<usize, LoadError> {
    let live: HashSet<String> = table.files(&Selection::All).await?.into_iter().map(|file| file.path).collect();
    let files = store.list(TABLE_DIRECTORY).await?;
    let packs = store.list(RAW_DIRECTORY).await?;
    let before = match store.directory() {
        Some(_) => DateTime::<Utc>::MAX_UTC,
        None => newest(files.iter().chain(&packs)) - DEFAULT_GRACE,
    };
    let is_orphan = |listed: &Listed| {
        let path = listed.path.as_str();
        let is_unneeded = match data_file(path) {
            Some(file) => is_staged(path) || (!live.contains(file) && !replaced.keeps(file, listed)),
            None if is_staged(path) => is_pack(path),
            None => is_pack(path) && !recent.named.contains(path) && listed.modified_at >= recent.since,
        };
        is_unneeded && listed.modified_at < before
    };
    let orphans = files.into_iter().chain(packs).filter(is_orphan).map(|listed| listed.path);
    let orphans: Vec<String> = orphans.collect();

    FailPoint::OrphansRemove.pass();
    let count = orphans.len() + store.remove_abandoned_uploads(&[TABLE_DIRECTORY, RAW_DIRECTORY])?;
    store.remove(orphans).await?;
    FailPoint::OrphansRemoved.pass();
    if count > 0 {
        tracing::info!(count, "removed files that no commit names");
    }
    Ok(count)
}

/// A time that is past by the store's clock, however wrong this machine's is: the newest that the store has given, if
/// this machine's is not older still.
fn newest<'l>(listed: impl Iterator<Item = &'l Listed>) -> DateTime<Utc> {
    let newest = listed.map(|listed| listed.modified_at).max();
    newest.unwrap_or(DateTime::UNIX_EPOCH).min(Utc::now())
}

/// The path within the table, for a data file of ours.
fn data_file(path: &str) -> Option<&str> {
    let file = path.strip_prefix(TABLE_DIRECTORY)?.strip_prefix('/')?;
    let name = file.rsplit('/').next()?;
    let ours = file.starts_with("year=") && name.starts_with("part-") && name.contains(".parquet");
    ours.then_some(file)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn only_our_names_in_our_places_can_be_orphans() {
        let table = |rest: &str| format!("{TABLE_DIRECTORY}/{rest}");
        let file = "year=2022/month=2/category=user/part-1.parquet";
        assert_eq!(data_file(&table(file)), Some(file));
        assert!(data_file(&table(&format!("{file}.staged"))).is_some());
        assert_eq!(data_file(&table("_delta_log/00000000000000000050.checkpoint.parquet")), None);
        assert_eq!(data_file(&table("year=2022/notes.parquet")), None);
        assert_eq!(data_file("elsewhere/year=2022/part-1.parquet"), None);
    }

    #[test]
    fn the_time_of_grace_counts_from_a_time_that_is_past_by_both_clocks() {
        let written = |hours| Listed { path: String::new(), modified_at: Utc::now() + TimeDelta::hours(hours) };
        let (long_ago, lately, ahead) = (written(-90), written(-50), written(5));
        assert_eq!(
            newest([&long_ago, &lately].into_iter()),
            lately.modified_at,
            "a clock that runs ahead is not asked"
        );
        assert!(newest([&lately, &ahead].into_iter()) <= Utc::now());
        assert_eq!(newest(std::iter::empty()), DateTime::UNIX_EPOCH);
    }
}
