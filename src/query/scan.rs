//! Local files of the table as one lazy frame.

use std::path::Path;
use std::sync::Arc;

use polars::prelude::{
    DataFrame, DataType, Field, HiveOptions, IntoLazy, LazyFrame, PlRefPath, PolarsError, ScanArgsParquet, Schema,
    SchemaRef, TimeUnit,
};

use crate::load::LiveFile;
use crate::model::{COLUMNS, Column, ColumnKind};

/// The files below `root` as one lazy frame with the partition columns, in the table's column order.
pub(super) fn scan(root: &Path, files: &[LiveFile]) -> Result<LazyFrame, PolarsError> {
    if files.is_empty() {
        return Ok(empty().lazy());
    }
    let root = root.to_string_lossy();
    let paths = files.iter().map(|file| PlRefPath::new(format!("{root}/{}", file.path))).collect();
    let arguments = ScanArgsParquet {
        hive_options: HiveOptions {
            enabled: Some(true),
            hive_start_idx: root.len(),
            schema: Some(schema(Column::is_partition)),
            try_parse_dates: false,
        },
        schema: Some(schema(|column| !column.is_partition())),
        allow_missing_columns: true,
        glob: false,
        ..ScanArgsParquet::default()
    };
    LazyFrame::scan_parquet_files(paths, arguments)
}

/// The table without rows.
pub(super) fn empty() -> DataFrame {
    DataFrame::empty_with_schema(&schema(|_| true))
}

/// The columns that are `wanted`.
pub(super) fn schema(wanted: impl Fn(&Column) -> bool) -> SchemaRef {
    let columns = COLUMNS.iter().filter(|column| wanted(column));
    Arc::new(Schema::from_iter(columns.map(|column| Field::new(column.name.into(), data_type(column.kind)))))
}

fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text => DataType::String,
        // UTC without saying so: SQL's timestamp literals have no zone, and would not compare with a column that has one.
        ColumnKind::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
        ColumnKind::Int => DataType::Int32,
        ColumnKind::TextList => DataType::List(Box::new(DataType::String)),
        ColumnKind::ChangeList => {
            let text = |name: &str| Field::new(name.into(), DataType::String);
            let change = ["field", "old_value", "new_value"].map(text).to_vec();
            DataType::List(Box::new(DataType::Struct(change)))
        }
    }
}
