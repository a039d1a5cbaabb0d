//! A checkpoint of our own: the files live at one version, so that a run does not read the log from its beginning.
//!
//! It lies beside the table, where no engine takes it for part of it: a checkpoint in the log would be Parquet, and whoever
//! reads the table by its files alone would take that for rows.
//!
//! The rule: it says nothing that the log does not say. It is believed only if it is whole and the commit of its version is
//! the very one that it was made at. A missing or damaged one costs time and nothing else.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow::array::RecordBatch;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::{FilteredEngineData, KernelResult, SnapshotRef};
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::commit::commit_path;
use super::engine::TableEngine;
use super::overlay::Overlay;
use super::{LoadError, Store, TABLE_DIRECTORY, Table, blocking};
use crate::failpoint::FailPoint;
use crate::load::STATE_DIRECTORY;

/// Commits after which another one is written: reading so many takes as long as reading a checkpoint.
const INTERVAL: u64 = 50;

const FORMAT: u32 = 1;

/// A checkpoint that can be believed.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    pub(super) version: u64,
    /// As the log's library reads it: Parquet.
    content: Bytes,
}

/// The first line of the file; the content follows.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    version: u64,
    /// Of the commit of that version.
    commit_sha256: String,
    content_sha256: String,
}

/// Why a checkpoint is of no use.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it has no header of format {FORMAT}")]
    Header,
    #[error("its content is not what its header says")]
    Content,
    #[error("the log's version {version} is not the one it was made at")]
    Commit { version: u64 },
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl Checkpoint {
    /// The checkpoint that lies in `store`, if it can be believed.
    pub(super) async fn load(store: &Store) -> Option<Self> {
        let bytes = store.get(&path()).await.inspect_err(|error| tracing::debug!(%error, "no checkpoint")).ok()?;
        match Self::verified(store, bytes).await {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) => {
                tracing::warn!(%error, "the checkpoint is of no use; reading the whole log");
                None
            }
        }
    }

    async fn verified(store: &Store, bytes: Bytes) -> Result<Self, Unusable> {
        let end = memchr::memchr(b'\n', &bytes).ok_or(Unusable::Header)?;
        let header: Header = serde_json::from_slice(&bytes[..end]).map_err(|_| Unusable::Header)?;
        let (version, content) = (header.version, bytes.slice(end + 1..));
        if header.format != FORMAT {
            return Err(Unusable::Header);
        }
        if header.content_sha256 != sha256(&content) {
            return Err(Unusable::Content);
        }
        if header.commit_sha256 != sha256(&store.get(&commit_path(version)).await?) {
            return Err(Unusable::Commit { version });
        }
        Ok(Self { version, content })
    }

    /// The objects of `store` as the log's library would find them had it written this checkpoint.
    pub(super) async fn lay_over(self, store: &Store) -> Result<Arc<dyn ObjectStore>, LoadError> {
        let log = format!("{TABLE_DIRECTORY}/_delta_log");
        let file = store.location(&format!("{log}/{:020}.checkpoint.parquet", self.version));
        let hint = store.location(&format!("{log}/_last_checkpoint"));
        // Its size is for information, and may be anything.
        let text = Bytes::from(format!(r#"{{"version":{},"size":0}}"#, self.version));
        let laid = Overlay::new(store.objects(), (file, self.content), (hint, text)).await;
        laid.map(|overlay| Arc::new(overlay) as _).map_err(|source| LoadError::Object {
            action: "lay a checkpoint over",
            path: log,
            source,
        })
    }
}

impl Table {
    /// Writes a checkpoint where the one that was found has become old. That it fails is no failure of the run.
    pub async fn checkpoint_if_due(&mut self) {
        if self.version() < self.checkpointed.unwrap_or_default() + INTERVAL {
            return;
        }
        let version = self.version();
        match self.write_checkpoint().await {
            Ok(bytes) => {
                tracing::debug!(version, bytes, "wrote a checkpoint");
                self.checkpointed = Some(version);
            }
            Err(error) => tracing::warn!(version, %error, "cannot write a checkpoint; the next run will be slower"),
        }
    }

    async fn write_checkpoint(&self) -> Result<usize, LoadError> {
        let snapshot = Arc::clone(&self.snapshot);
        let batches = blocking(&self.engine, move |engine| batches(engine, &snapshot)).await?;
        let content = encoded(&batches.map_err(LoadError::table("make a checkpoint of", &self.root))?)
            .map_err(|source| LoadError::Parquet { action: "write", path: path(), source })?;
        let header = Header {
            format: FORMAT,
            version: self.version(),
            commit_sha256: self.commit_file(self.version()).await?.sha256,
            content_sha256: sha256(&content),
        };
        let mut bytes =
            serde_json::to_vec(&header).map_err(|source| LoadError::Commit { version: header.version, source })?;
        bytes.push(b'\n');
        bytes.extend(content);
        let count = bytes.len();
        FailPoint::CheckpointPut.pass();
        self.store.put(&path(), bytes.into()).await?;
        FailPoint::CheckpointMade.pass();
        Ok(count)
    }
}

fn path() -> String {
    format!("{STATE_DIRECTORY}/checkpoint")
}

/// What a checkpoint of `snapshot` holds.
fn batches(engine: &TableEngine, snapshot: &SnapshotRef) -> KernelResult<Vec<RecordBatch>> {
    let writer = Arc::clone(snapshot).create_checkpoint_writer(engine)?;
    let batch = |data: KernelResult<FilteredEngineData>| {
        let data = ArrowEngineData::try_from_engine_data(data?.apply_selection_vector()?)?;
        Ok((*data).into())
    };
    writer.checkpoint_data(engine)?.map(batch).collect()
}

fn encoded(batches: &[RecordBatch]) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let schema = batches.first().map(RecordBatch::schema).ok_or_else(|| ParquetError::General("no actions".into()))?;
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.into_inner()
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}
