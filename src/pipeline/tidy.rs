//! What lies at the destination and nobody needs.

use crate::ledger::{self, LedgerError};
use crate::load::{self, LoadError, RecentPacks, Replaced, Store, Table};
use chrono::TimeDelta;

/// Removes what dead runs left behind, and files replaced longer than `grace` ago; only for who knows that no other run is
/// alive. Of the replaced files, `unneeded` go whenever they were replaced. Gives the number of files removed.
pub(super) async fn clean_up<E: From<LoadError> + From<LedgerError>>(
    store: &Store,
    table: &Table,
    grace: TimeDelta,
    unneeded: &[String],
) -> Result<usize, E> {
    let (since, first) = table.recent_versions().await?;
    let named = ledger::packs_since(table, first).await?;
    let replaced = Replaced::read(store, table, grace).await?.without(unneeded);
    Ok(load::remove_orphans(store, table, &RecentPacks { since, named }, &replaced).await?)
}
