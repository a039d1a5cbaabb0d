//! A data file of which only what is asked for is fetched: its footer, and the columns that a reader needs.

use std::ops::Range;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ArrowReaderOptions;
use ::parquet::arrow::async_reader::AsyncFileReader;
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{LiveFile, Store, TABLE_DIRECTORY};
use crate::model::StagedFile;

/// Files up to this size are fetched whole: on object storage a request costs more than these bytes.
const SMALL: u64 = 256 * 1024;

/// A data file where it lies.
#[derive(Clone, Debug)]
pub(super) struct RangedFile {
    objects: Arc<dyn ObjectStore>,
    location: Path,
    byte_count: u64,
    /// A small file, once something of it was asked for.
    whole: Option<Bytes>,
}

impl RangedFile {
    pub(super) fn new(store: &Store, file: &LiveFile) -> Self {
        let location = store.location(&format!("{TABLE_DIRECTORY}/{}", file.path));
        Self { objects: store.objects(), location, byte_count: file.byte_count, whole: None }
    }

    /// All of a small file.
    async fn whole(&mut self) -> Result<Option<Bytes>> {
        if self.byte_count <= SMALL && self.whole.is_none() {
            self.whole = Some(self.objects.get_range(&self.location, 0..self.byte_count).await.map_err(external)?);
        }
        Ok(self.whole.clone())
    }

    /// A file that is staged.
    pub(super) fn staged(store: &Store, file: &StagedFile) -> Self {
        let location = store.staged_location(&format!("{TABLE_DIRECTORY}/{}", file.path));
        Self { objects: store.objects(), location, byte_count: file.byte_count, whole: None }
    }
}

impl AsyncFileReader for RangedFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            match self.whole().await? {
                Some(whole) => part(&whole, &range),
                None => self.objects.get_range(&self.location, range).await.map_err(external),
            }
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            match self.whole().await? {
                Some(whole) => ranges.iter().map(|range| part(&whole, range)).collect(),
                None => self.objects.get_ranges(&self.location, &ranges).await.map_err(external),
            }
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let byte_count = self.byte_count;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            reader.load_and_finish(self, byte_count).await.map(Arc::new)
        }
        .boxed()
    }
}

fn part(whole: &Bytes, range: &Range<u64>) -> Result<Bytes> {
    let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    let bounds = bounds.filter(|(start, end)| start <= end && *end <= whole.len());
    let (start, end) = bounds.ok_or_else(|| ParquetError::EOF(format!("{range:?} of {} bytes", whole.len())))?;
    Ok(whole.slice(start..end))
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
