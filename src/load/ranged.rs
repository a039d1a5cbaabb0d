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

/// A data file where it lies.
#[derive(Clone, Debug)]
pub(super) struct RangedFile {
    objects: Arc<dyn ObjectStore>,
    location: Path,
    byte_count: u64,
}

impl RangedFile {
    pub(super) fn new(store: &Store, file: &LiveFile) -> Self {
        let location = store.location(&format!("{TABLE_DIRECTORY}/{}", file.path));
        Self { objects: store.objects(), location, byte_count: file.byte_count }
    }

    /// A file that is staged.
    pub(super) fn staged(store: &Store, file: &StagedFile) -> Self {
        let location = store.staged_location(&format!("{TABLE_DIRECTORY}/{}", file.path));
        Self { objects: store.objects(), location, byte_count: file.byte_count }
    }
}

impl AsyncFileReader for RangedFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { self.objects.get_range(&self.location, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.objects.get_ranges(&self.location, &ranges).await.map_err(external) }.boxed()
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

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
