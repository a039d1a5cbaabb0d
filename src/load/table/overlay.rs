//! A store with a checkpoint laid over it, which only the log's library sees.
//!
//! The rule: the checkpoint is served from memory, everything else comes from and goes to the store below.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, future};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The two layers.
#[derive(Debug)]
pub(super) struct Overlay {
    below: Arc<dyn ObjectStore>,
    above: InMemory,
    checkpoint: ObjectMeta,
    hint: Path,
}

impl Overlay {
    /// Lays a table's checkpoint, and the hint that leads to it, over `below`.
    pub(super) async fn new(
        below: Arc<dyn ObjectStore>,
        (checkpoint, bytes): (Path, Bytes),
        (hint, text): (Path, Bytes),
    ) -> Result<Self> {
        let above = InMemory::new();
        above.put(&checkpoint, bytes.into()).await?;
        above.put(&hint, text.into()).await?;
        Ok(Self { checkpoint: above.head(&checkpoint).await?, below, above, hint })
    }

    fn layer(&self, location: &Path) -> &dyn ObjectStore {
        if *location == self.checkpoint.location || *location == self.hint { &self.above } else { &self.below }
    }

    /// A listing of the store below, with the checkpoint in its place. The hint is never looked for in a listing.
    fn with_checkpoint(
        &self,
        below: BoxStream<'static, Result<ObjectMeta>>,
        is_wanted: bool,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let checkpoint = self.checkpoint.clone();
        let others = below.filter(move |found| {
            future::ready(!matches!(found, Ok(found) if is_wanted && found.location == checkpoint.location))
        });
        let mut waiting = Some(self.checkpoint.clone()).filter(|_| is_wanted);
        let inserted = others.map(Some).chain(stream::iter([None])).flat_map(move |next| {
            let first = match &next {
                Some(Ok(found)) => waiting.take_if(|waiting| waiting.location < found.location),
                Some(Err(_)) => None,
                None => waiting.take(),
            };
            stream::iter(first.map(Ok).into_iter().chain(next))
        });
        inserted.boxed()
    }
}

impl fmt::Display for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with a checkpoint", self.below)
    }
}

#[async_trait]
impl ObjectStore for Overlay {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.below.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.below.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.layer(location).get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.layer(location).get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.below.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let is_wanted = prefix.is_none_or(|prefix| self.checkpoint.location.prefix_matches(prefix));
        self.with_checkpoint(self.below.list(prefix), is_wanted)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let is_within = prefix.is_none_or(|prefix| self.checkpoint.location.prefix_matches(prefix));
        let is_wanted = is_within && self.checkpoint.location > *offset;
        self.with_checkpoint(self.below.list_with_offset(prefix, offset), is_wanted)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.below.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.below.copy_opts(from, to, options).await
    }
}
