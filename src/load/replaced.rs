//! Files that a version replaced: the table holds their rows in others, but whoever reads an earlier version needs them.
//!
//! The rule: a replaced file stays until its time of grace is over, or until somebody knows that nobody needs it.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::store::Listed;
use super::table::commit_path;
use super::{DEFAULT_GRACE, LoadError, Store, Table, ago};

/// What was replaced of late, by this tool or another writer.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// By path relative to the table's root, when its time of grace ends.
    until: HashMap<String, DateTime<Utc>>,
    now: DateTime<Utc>,
}

impl Replaced {
    /// Reads what the table's versions from `first` on replaced; what a version replaced is to be kept for its `grace`.
    pub async fn read(
        store: &Store,
        table: &Table,
        first: u64,
        grace: impl Fn(u64) -> TimeDelta,
    ) -> Result<Self, LoadError> {
        let mut replaced = Self { until: HashMap::new(), now: Utc::now() };
        for (version, committed_at) in table.commit_times().await? {
            if version >= first {
                let removed = removed(version, &store.get(&commit_path(version)).await?)?;
                replaced.add(removed, committed_at, grace(version));
            }
        }
        Ok(replaced)
    }

    fn add(&mut self, paths: Vec<String>, at: DateTime<Utc>, grace: TimeDelta) {
        let until = match grace {
            // Whatever the clocks say.
            none if none <= TimeDelta::zero() => DateTime::<Utc>::MIN_UTC,
            grace => at.checked_add_signed(grace).unwrap_or(DateTime::<Utc>::MAX_UTC),
        };
        self.until.extend(paths.into_iter().map(|path| (path, until)));
    }

    /// Ends the grace of files that nobody can need.
    #[must_use]
    pub fn without<'p>(mut self, paths: impl IntoIterator<Item = &'p String>) -> Self {
        for path in paths {
            self.until.entry(path.clone()).and_modify(|until| *until = DateTime::<Utc>::MIN_UTC);
        }
        self
    }

    /// Whether nothing that was replaced must stay.
    pub fn is_empty(&self) -> bool {
        self.until.values().all(|until| *until <= self.now)
    }

    /// Whether a file of the table, `path` relative to its root, must stay though the newest version does not name it.
    pub(super) fn keeps(&self, path: &str, listed: &Listed) -> bool {
        match self.until.get(path) {
            Some(until) => *until > self.now,
            // Another writer may be about to commit it.
            None => !is_ours(path) && listed.modified_at > ago(self.now, DEFAULT_GRACE),
        }
    }
}

/// Whether a data file has a name as only this tool gives, published or staged: `part-` and a UUID.
fn is_ours(path: &str) -> bool {
    let name = path.rsplit('/').next().and_then(|name| name.strip_prefix("part-"));
    name.and_then(|name| name.split_once(".parquet")).is_some_and(|(id, _)| uuid::Uuid::try_parse(id).is_ok())
}

/// The files that a commit removes.
fn removed(version: u64, commit: &[u8]) -> Result<Vec<String>, LoadError> {
    #[derive(Deserialize)]
    struct Action {
        remove: Option<Remove>,
    }
    #[derive(Deserialize)]
    struct Remove {
        path: String,
    }

    let lines = commit.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"remove\""));
    let actions = lines.map(serde_json::from_slice::<Action>);
    let paths = actions.filter_map(|action| action.map(|action| Some(action.remove?.path)).transpose());
    paths.collect::<Result<_, _>>().map_err(|source| LoadError::Commit { version, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "year=2022/month=2/category=user/part-0192f0c1-2d7a-7b6e-8f6e-0d5a3c1b2a50.parquet";
    const OTHERS: &str = "year=2022/month=2/category=user/part-00001-0192f0c1-2d7a-7b6e-8f6e-0d5a3c1b2a50-c000.parquet";

    fn listed(now: DateTime<Utc>, age: TimeDelta) -> Listed {
        Listed { path: String::new(), modified_at: now - age }
    }

    #[test]
    fn a_replaced_file_is_kept_for_its_grace_whoever_wrote_it() {
        let now = Utc::now();
        for path in [OURS, OTHERS] {
            for (grace, kept) in [(0, false), (1, false), (3, true), (24, true), (1 << 40, true)] {
                let mut replaced = Replaced { until: HashMap::new(), now };
                replaced.add(vec![path.to_owned()], now - TimeDelta::hours(2), TimeDelta::hours(grace));
                let file = listed(now, TimeDelta::days(9));
                assert_eq!(replaced.keeps(path, &file), kept, "{path} {grace}");
                assert!(!replaced.without([&path.to_owned()]).keeps(path, &file));
            }
        }
    }

    #[test]
    fn what_no_commit_names_goes_at_once_unless_another_writer_may_be_about_to_commit_it() {
        let now = Utc::now();
        let replaced = Replaced { until: HashMap::new(), now };
        assert!(!replaced.keeps(OURS, &listed(now, TimeDelta::zero())));
        assert!(!replaced.keeps(&format!("{OURS}.staged"), &listed(now, TimeDelta::zero())));
        assert!(replaced.keeps(OTHERS, &listed(now, TimeDelta::hours(23))));
        assert!(!replaced.keeps(OTHERS, &listed(now, TimeDelta::hours(25))));
    }

    #[test]
    fn a_commits_removals_are_told_from_all_else_in_it() {
        let commit =
            b"{\"commitInfo\":{}}\n{\"remove\":{\"path\":\"a\",\"dataChange\":false}}\n{\"add\":{\"path\":\"b\"}}\n";
        assert_eq!(removed(7, commit).unwrap(), ["a"]);
        assert!(removed(7, b"{\"remove\":7}").unwrap_err().to_string().contains('7'));
    }
}
