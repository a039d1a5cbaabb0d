//! One run that dies, the runs after it, and what must hold.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use phonetrail::failpoint::FailPoint;
use phonetrail::ledger::WorkV1;

use super::origin::{Origin, Scenario};
use super::place::{Kind, Place};
use super::readers::{Readers, at_rest, present};
use crate::support::{data_files, entries, output, phonetrail, rows};

/// How a run dies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Death {
    /// When it passes a point for the so many-th time.
    At(FailPoint, u32),
    /// So long after its start.
    After(Duration),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) scenario: Scenario,
    pub(super) kind: Kind,
    pub(super) death: Death,
}

impl Trial {
    /// Gives whether the run died; it may have ended before.
    pub(super) async fn run(self, origin: &Origin) -> bool {
        let place = origin.copy(self.scenario, self.kind).await;
        let readers = Readers::start(&place);
        let died = self.kill(origin, &place).await;
        self.run_again(origin, &place).await;
        self.assert_files_are_the_table(origin, &place);
        assert_all_is_well(origin, &place, readers, self.may_show_rows_twice()).await;
        died
    }

    async fn kill(self, origin: &Origin, place: &Place) -> bool {
        let mut command = origin.command(self.scenario, place).await;
        match self.death {
            Death::At(point, passage) => {
                command.env("PHONETRAIL_FAIL_POINT", format!("{}:{passage}", point.name()));
                let Output { status, stderr, .. } = output(command).await;
                assert!(status.success() || status.signal().is_some(), "{}", String::from_utf8_lossy(&stderr));
                !status.success()
            }
            Death::After(life) => {
                let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                tokio::time::sleep(life).await;
                child.kill().unwrap();
                let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
                assert!(status.success() || status.signal().is_some(), "{status}");
                !status.success()
            }
        }
    }

    async fn run_again(self, origin: &Origin, place: &Place) {
        let is_replayed = has_replay(&place.path());
        if is_replayed && self.scenario == Scenario::ReplayLost {
            // It is not lost any more.
            return;
        }
        let done = output(origin.command(self.scenario, place).await).await;
        let log = String::from_utf8_lossy(&done.stderr);
        let expected = if is_replayed && self.scenario == Scenario::ReplayElsewhere { 2 } else { 0 };
        assert_eq!(done.status.code(), Some(expected), "{log}");
    }

    /// Whether whoever takes all files for the table may find rows twice for a while: those of replaced files; and on
    /// object storage those of dead runs, which nobody knows to be dead.
    fn may_show_rows_twice(self) -> bool {
        self.kind == Kind::S3 || self.scenario.replaces_files()
    }

    /// On local disk all files are the table when a run has ended well, but for replaced ones, which have their time of
    /// grace.
    fn assert_files_are_the_table(self, origin: &Origin, place: &Place) {
        if self.kind == Kind::Disk {
            let mut found: Vec<String> = rows(&place.path()).into_iter().map(|row| row.record).collect();
            found.sort();
            assert!(found == origin.truth(), "the files are not the table: {} rows", found.len());
        }
    }
}

fn has_replay(destination: &Path) -> bool {
    destination.join("operation_logs/_delta_log").exists()
        && entries(destination).iter().any(|(entry, _)| entry.work == WorkV1::Replay)
}

/// What must hold when all runs are over, and one has tidied up.
pub(super) async fn assert_all_is_well(origin: &Origin, place: &Place, readers: Readers, may_show_rows_twice: bool) {
    place.let_days_go_by();
    tidy_up(place).await;
    readers.stop().await.assert_right(&place.path(), &origin.truth(), may_show_rows_twice);
    assert_exact(origin, &place.path());
    assert_nothing_left(&place.path());
}

/// A run that has nothing to do but to remove what others have left.
async fn tidy_up(place: &Place) {
    let mut command = phonetrail();
    place.prepare(&mut command);
    command.args(["compact", "--grace", "0"]);
    let done = output(command).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Every record stands in the files once, by what it is and by how many there are, and each commit names the one before it.
fn assert_exact(origin: &Origin, destination: &Path) {
    let rows = at_rest(destination);
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.record_id.as_str()).collect();
    let mut found: Vec<String> = rows.iter().map(|row| row.record.clone()).collect();
    found.sort();
    assert_eq!((found.len(), ids.len()), (origin.record_count(), origin.record_count()));
    assert!(found == origin.truth(), "the table is not the accounts");
    for (version, pair) in entries(destination).windows(2).enumerate() {
        let previous = pair[1].0.previous.as_ref().unwrap();
        assert_eq!((previous.version, &previous.sha256), (version as u64, &pair[0].1));
    }
}

/// Nothing lies there but what the newest version names, what the log needs, and what spares time.
fn assert_nothing_left(destination: &Path) {
    let table = Path::new("operation_logs");
    let mut expected: BTreeSet<PathBuf> = data_files(destination).0.into_iter().map(|file| table.join(file)).collect();
    let entries = entries(destination);
    expected.extend(entries.iter().flat_map(|(entry, _)| &entry.packs).map(|pack| PathBuf::from(&pack.path)));
    expected.extend((0..entries.len()).map(|version| table.join(format!("_delta_log/{version:020}.json"))));
    let spared = [Path::new(".phonetrail.lock"), Path::new(".phonetrail/checkpoint")];
    let found: BTreeSet<PathBuf> =
        present(destination).into_iter().filter(|path| !spared.contains(&path.as_path())).collect();
    let surplus: Vec<_> = found.difference(&expected).collect();
    let lacking: Vec<_> = expected.difference(&found).collect();
    assert!(surplus.is_empty() && lacking.is_empty(), "left behind: {surplus:?}; lacking: {lacking:?}");
}
