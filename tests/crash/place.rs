//! A destination that a trial has for itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use phonetrail::load::Destination;
use tempfile::TempDir;

use crate::support::{S3, snapshot};

/// Where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Disk,
    S3,
}

pub(super) enum Place {
    Disk(TempDir),
    S3(Box<S3>),
}

impl Place {
    pub(super) async fn start(kind: Kind) -> Self {
        match kind {
            Kind::Disk => Self::Disk(tempfile::tempdir().unwrap()),
            Kind::S3 => Self::S3(Box::new(S3::start().await)),
        }
    }

    /// The destination's objects, as files.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Disk(directory) => directory.path().join("trail"),
            Self::S3(s3) => s3.path(),
        }
    }

    /// As a flag names it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Disk(_) => self.path().to_str().unwrap().to_owned(),
            Self::S3(s3) => s3.url(),
        }
    }

    /// For use within this process.
    pub(super) fn destination(&self) -> Destination {
        match self {
            Self::Disk(_) => self.text().parse().unwrap(),
            Self::S3(s3) => Destination::on(Arc::new(s3.client()), &s3.url()).unwrap(),
        }
    }

    /// Sets `command` to use it.
    pub(super) fn prepare(&self, command: &mut Command) {
        match self {
            Self::Disk(_) => drop(command.env("PHONETRAIL_DESTINATION", self.path())),
            Self::S3(s3) => s3.prepare(command),
        }
    }

    /// Fills it with what lies in `base`.
    pub(super) fn fill(&self, base: &Path) {
        for (path, bytes) in snapshot(base).into_iter().filter(|(path, _)| !path.ends_with(".phonetrail.lock")) {
            let path = self.path().join(path.strip_prefix(base).unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// Lets three days go by, on object storage, where nothing else ends a time of grace: all is so old but the newest
    /// commit, by which the store's clock is told.
    pub(super) fn let_days_go_by(&self) {
        if matches!(self, Self::Disk(_)) {
            return;
        }
        let is_commit = |path: &PathBuf| path.parent().unwrap().ends_with("_delta_log");
        let files = snapshot(&self.path());
        let newest = files.keys().filter(|path| is_commit(path)).max();
        for path in files.keys().filter(|path| Some(*path) != newest) {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            let modified = file.metadata().unwrap().modified().unwrap().min(SystemTime::now());
            file.set_modified(modified - Duration::from_secs(3 * 24 * 60 * 60)).unwrap();
        }
    }
}
