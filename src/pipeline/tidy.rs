//! What lies at the destination and nobody needs.

use crate::ledger::{self, LedgerError};
use crate::load::{self, LoadError, RecentPacks, Replaced, Store, Table};
use chrono::TimeDelta;

/// How far back from the newest commit packs that no commit names are looked for: a dead run's are found, whenever the
/// next runs come, and not all commits there ever were need be read.
const ORPHAN_REACH: TimeDelta = TimeDelta::days(30);

/// Removes what dead runs left behind, and files replaced longer than `grace` ago; on local disk only for
/// who knows that no other run is alive. Of the replaced files, `unneeded` go whenever they were replaced. Gives the number of files removed.
pub(super) async fn clean_up<E: From<LoadError> + From<LedgerError>>(
    store: &Store,
    table: &Table,
    grace: TimeDelta,
    unneeded: &[String],
) -> Result<usize, E> {
    let (since, first) = table.recent_versions(ORPHAN_REACH).await?;
    let named = ledger::packs_since(table, first).await?;
    let replaced = Replaced::read(store, table, grace).await?.without(unneeded);
    Ok(load::remove_orphans(store, table, &RecentPacks { since, named }, &replaced).await?)
}
