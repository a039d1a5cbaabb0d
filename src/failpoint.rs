//! Places where a run can be made to die, so that tests can show that dying there does no harm.
//!
//! `PHONETRAIL_FAIL_POINT=commit.put` makes the process abort when it first passes the point of that name,
//! `commit.put:3` when it passes it for the third time: no destructor runs, no buffer is flushed, nobody is told. Every
//! passage is an event of level `trace` (`PHONETRAIL_LOG=off,phonetrail::failpoint=trace` lists them). `tests/crash` goes
//! through all points.
//!
//! The rule: a point stands beside each step after which the destination is another one, and costs nothing where it
//! matters: without debug assertions, `FailPoint::pass` is empty.

/// Declares the points, each with its name.
macro_rules! points {
    ($($(#[$doc:meta])* $point:ident = $name:literal,)*) => {
        /// A place where a run can be made to die.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FailPoint { $($(#[$doc])* $point,)* }

        impl FailPoint {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// What `PHONETRAIL_FAIL_POINT` calls it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)* }
            }
        }
    };
}

points! {
    /// The run has its lock, on local disk. Nothing else is there yet where the destination is new.
    LockTaken = "lock.taken",
    /// Object storage is being tried out, and holds what that takes.
    ProbeWritten = "probe.written",
    /// The run is marked as one that writes.
    MarkSet = "mark.set",
    /// Before the first version of a table.
    TableCreate = "table.create",
    /// The table is there, and empty.
    TableCreated = "table.created",
    /// Before a pack is written.
    PackStage = "pack.stage",
    /// A pack is written, on local disk under a name that does not count.
    PackStaged = "pack.staged",
    /// The packs have their names.
    PacksPublished = "packs.published",
    /// Before a data file is written.
    FileStage = "file.stage",
    /// A data file is written, on local disk under a name that does not count.
    FileStaged = "file.staged",
    /// The same of one that holds the rows of others, which are not compared yet.
    FileMerged = "file.merged",
    /// All data files of a commit are written.
    FilesPublish = "files.publish",
    /// One of several objects has got its name, on local disk.
    ObjectPublished = "object.published",
    /// The data files of a commit have their names, and no version names them.
    CommitPut = "commit.put",
    /// A version is there.
    CommitMade = "commit.made",
    /// Before a checkpoint is written.
    CheckpointPut = "checkpoint.put",
    /// A checkpoint is there.
    CheckpointMade = "checkpoint.made",
    /// Before files are removed that no version names, or none names any more.
    OrphansRemove = "orphans.remove",
    /// One of several objects is removed.
    ObjectRemoved = "object.removed",
    /// The files that no version names are removed, and the marks that led to them still there.
    OrphansRemoved = "orphans.removed",
    /// Before a run's mark is taken away.
    MarkClear = "mark.clear",
    /// A run's mark is taken away.
    MarkCleared = "mark.cleared",
}

impl FailPoint {
    /// Dies here, if that is wished.
    #[cfg(debug_assertions)]
    pub(crate) fn pass(self) {
        use std::sync::LazyLock;
        use std::sync::atomic::{AtomicU32, Ordering};

        /// The point's name, and the passages that are left.
        static CHOSEN: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
            let chosen = std::env::var("PHONETRAIL_FAIL_POINT").ok()?;
            let (name, passage) = chosen.split_once(':').unwrap_or((&chosen, "1"));
            Some((name.to_owned(), AtomicU32::new(passage.parse().ok()?)))
        });

        tracing::trace!(point = self.name(), "passed");
        if let Some((name, left)) = &*CHOSEN
            && name == self.name()
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            std::process::abort();
        }
    }

    /// Nothing.
    #[cfg(not(debug_assertions))]
    #[inline]
    pub(crate) fn pass(self) {}
}
