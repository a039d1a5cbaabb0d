//! Many streams of rows in order -> one.
//!
//! The rule: a row is given out only when no stream can bring an earlier one.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use futures::TryStreamExt;

use super::ReadFile;
use super::input::{Batches, Input};
use crate::load::LoadError;
use crate::load::content::row_set;
use crate::load::sorted::{EVENT_TIME, RECORD_ID, sorted};
use crate::model::RowSet;

/// What rows are ordered by: time, unreadable first, then identity.
pub(super) type Key = (Option<i64>, String);

/// The merge, as far as it has come.
pub(super) struct Merge {
    /// Inputs whose time has not come, the first one last.
    waiting: Vec<Input>,
    runs: Vec<Run>,
    done: Vec<ReadFile>,
    read: RowSet,
}

/// An input that is being read.
struct Run {
    batches: Batches,
    /// Rows read and not given out: some, but between two calls.
    rows: RecordBatch,
    file: ReadFile,
}

impl Merge {
    pub(super) fn new(mut inputs: Vec<Input>) -> Self {
        inputs.sort_by_key(|input| std::cmp::Reverse(input.first));
        Self { waiting: inputs, runs: Vec::new(), done: Vec::new(), read: RowSet::default() }
    }

    /// The next rows, some of every input at most.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>, LoadError> {
        for run in std::mem::take(&mut self.runs) {
            if run.rows.num_rows() > 0 {
                self.runs.push(run);
            } else {
                self.read(run.batches, run.file).await?;
            }
        }
        let until = loop {
            let until = self.runs.iter().map(|run| key(&run.rows, run.rows.num_rows() - 1)).min();
            let is_due = |input: &mut Input| until.as_ref().is_none_or(|(time, _)| input.first <= *time);
            match self.waiting.pop_if(is_due) {
                Some(input) => {
                    let (batches, file) = input.start().await?;
                    self.read(batches, file).await?;
                }
                None => break until,
            }
        };
        let Some(until) = until else { return Ok(None) };
        let parts: Vec<RecordBatch> = self.runs.iter_mut().filter_map(|run| run.take(&until)).collect();
        sorted(&parts).map(Some).map_err(|error| LoadError::Parquet {
            action: "merge",
            path: self.runs.first().map(|run| run.file.path.clone()).unwrap_or_default(),
            source: error.into(),
        })
    }

    /// Reads the next rows of an input; one that has no more is done.
    async fn read(&mut self, mut batches: Batches, mut file: ReadFile) -> Result<(), LoadError> {
        while let Some(rows) = batches.try_next().await? {
            if rows.num_rows() == 0 {
                continue;
            }
            file.row_count += rows.num_rows() as u64;
            self.read.unite(row_set(&file.path, &rows)?);
            self.runs.push(Run { batches, rows, file });
            return Ok(());
        }
        self.done.push(file);
        Ok(())
    }

    /// The inputs, and all their rows.
    pub(super) fn finish(self) -> (Vec<ReadFile>, RowSet) {
        (self.done, self.read)
    }
}

impl Run {
    /// The rows up to `until`, where there are any.
    fn take(&mut self, until: &Key) -> Option<RecordBatch> {
        let (mut from, mut to) = (0, self.rows.num_rows());
        while from < to {
            let middle = usize::midpoint(from, to);
            if key(&self.rows, middle) <= *until { from = middle + 1 } else { to = middle }
        }
        let taken = self.rows.slice(0, from);
        self.rows = self.rows.slice(from, self.rows.num_rows() - from);
        (from > 0).then_some(taken)
    }
}

/// What a row is ordered by.
pub(super) fn key(rows: &RecordBatch, row: usize) -> Key {
    let times = rows[EVENT_TIME].as_primitive::<TimestampMicrosecondType>();
    let ids = rows[RECORD_ID].as_string::<i32>();
    (times.is_valid(row).then(|| times.value(row)), ids.value(row).to_owned())
}
