//! Arrow rows -> a polars frame.
//!
//! The rule: the frame has all columns of the table, in its types; those that nobody wants are null.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::concat;
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use polars::chunked_array::builder::get_list_builder;
use polars::prelude::{
    Column, DataFrame, DataType, Int32Chunked, Int64Chunked, IntoColumn, IntoSeries, PlSmallStr, PolarsError,
    PolarsResult, Series, StringChunked, StructChunked,
};

use super::rows::Found;
use super::scan::schema;
use crate::model::{COLUMNS, Partition};

/// The `wanted` columns of `found`.
pub(super) fn frame(found: &[Found<'_>], wanted: &HashSet<String>) -> PolarsResult<DataFrame> {
    let height = found.iter().map(|(_, rows)| rows.num_rows()).sum();
    let schema = schema(|_| true);
    let column = |column: &crate::model::Column| -> PolarsResult<Column> {
        let name = PlSmallStr::from_static(column.name);
        let data_type = schema.try_get(column.name)?;
        let series = if found.is_empty() || !wanted.contains(column.name) {
            Series::full_null(name, height, data_type)
        } else if column.is_partition() {
            of_partitions(found, column.name)
        } else {
            series(name, &joined(found, column.name)?, data_type)?
        };
        Ok(series.into_column())
    };
    DataFrame::new(height, COLUMNS.iter().map(column).collect::<PolarsResult<_>>()?)
}

fn of_partitions(found: &[Found<'_>], name: &'static str) -> Series {
    let each = || found.iter().flat_map(|(partition, rows)| std::iter::repeat_n(*partition, rows.num_rows()));
    let number = |number: fn(&Partition) -> i32| {
        Int32Chunked::from_iter(each().map(|partition| Some(number(partition)))).into_series()
    };
    let series = match name {
        "year" => number(|partition| partition.year),
        "month" => number(|partition| partition.month),
        _ => StringChunked::from_iter(each().map(|partition| Some(&*partition.category))).into_series(),
    };
    series.with_name(name.into())
}

/// A column of all rows.
fn joined(found: &[Found<'_>], name: &str) -> PolarsResult<ArrayRef> {
    let arrays = found.iter().map(|(_, rows)| rows.column_by_name(name).map(|column| &**column as &dyn Array));
    let arrays: Vec<_> = arrays.collect::<Option<_>>().ok_or_else(|| foreign(name))?;
    concat(&arrays).map_err(|_| foreign(name))
}

fn series(name: PlSmallStr, array: &ArrayRef, data_type: &DataType) -> PolarsResult<Series> {
    let foreign = || foreign(&name);
    let series = match data_type {
        DataType::String => StringChunked::from_iter(array.as_string_opt::<i32>().ok_or_else(foreign)?).into_series(),
        DataType::Int32 => {
            Int32Chunked::from_iter(array.as_primitive_opt::<Int32Type>().ok_or_else(foreign)?).into_series()
        }
        DataType::Datetime(..) => {
            let micros = array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(foreign)?;
            Int64Chunked::from_iter(micros).into_series().cast(data_type)?
        }
        DataType::List(inner) => list(&name, array.as_list_opt().ok_or_else(foreign)?, inner)?,
        DataType::Struct(fields) => {
            let members = array.as_struct_opt().ok_or_else(foreign)?;
            let member = |field: &polars::prelude::Field| {
                let array = members.column_by_name(&field.name).ok_or_else(foreign)?;
                series(field.name.clone(), array, &field.dtype)
            };
            let members: Vec<Series> = fields.iter().map(member).collect::<PolarsResult<_>>()?;
            StructChunked::from_series(name.clone(), array.len(), members.iter())?.into_series()
        }
        _ => return Err(foreign()),
    };
    Ok(series.with_name(name))
}

fn list(name: &PlSmallStr, lists: &ListArray, inner: &DataType) -> PolarsResult<Series> {
    let items = series(PlSmallStr::EMPTY, lists.values(), inner)?;
    let mut builder = get_list_builder(inner, items.len(), lists.len(), name.clone());
    for row in 0..lists.len() {
        if lists.is_null(row) {
            builder.append_null();
        } else {
            let start = lists.value_offsets()[row];
            builder.append_owned_series(items.slice(i64::from(start), lists.value_length(row) as usize))?;
        }
    }
    Ok(builder.finish().into_series())
}

fn foreign(name: &str) -> PolarsError {
    PolarsError::SchemaMismatch(format!("column {name} is of another type").into())
}
