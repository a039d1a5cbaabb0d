//! A query's result, as JSON values: what every output format can show.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use polars::prelude::{AnyValue, DataFrame, Series, TimeUnit};
use serde_json::{Map, Value};

/// Columns and rows, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The columns' names.
    pub columns: Vec<String>,
    /// One value per column in each row. Times are RFC 3339 texts in UTC; lists and structs are JSON lists and objects.
    pub rows: Vec<Vec<Value>>,
}

impl From<&DataFrame> for Answer {
    fn from(frame: &DataFrame) -> Self {
        let columns: Vec<Vec<Value>> =
            frame.columns().iter().map(|column| values(column.as_materialized_series())).collect();
        let row = |index: usize| columns.iter().map(|column| column.get(index).cloned().unwrap_or_default()).collect();
        Self {
            columns: frame.get_column_names().into_iter().map(ToString::to_string).collect(),
            rows: (0..frame.height()).map(row).collect(),
        }
    }
}

fn values(series: &Series) -> Vec<Value> {
    series.iter().map(value).collect()
}

fn value(any: AnyValue<'_>) -> Value {
    match any {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(value) => value.into(),
        AnyValue::String(text) => text.into(),
        AnyValue::StringOwned(text) => text.as_str().into(),
        AnyValue::Float32(number) => f64::from(number).into(),
        AnyValue::Float64(number) => number.into(),
        AnyValue::Date(days) => date(days),
        AnyValue::Datetime(since_epoch, unit, _) | AnyValue::DatetimeOwned(since_epoch, unit, _) => {
            instant(since_epoch, unit)
        }
        AnyValue::List(series) => values(&series).into(),
        AnyValue::Struct(..) | AnyValue::StructOwned(_) => record(&any),
        other => match other.extract::<i64>().filter(|_| other.is_integer()) {
            Some(number) => number.into(),
            None => other.to_string().into(),
        },
    }
}

fn date(days: i32) -> Value {
    let date =
        NaiveDate::from_ymd_opt(1970, 1, 1).and_then(|epoch| epoch.checked_add_signed(TimeDelta::days(days.into())));
    date.map_or(Value::Null, |date| date.to_string().into())
}

fn instant(since_epoch: i64, unit: TimeUnit) -> Value {
    let time: Option<DateTime<Utc>> = match unit {
        TimeUnit::Nanoseconds => Some(DateTime::from_timestamp_nanos(since_epoch)),
        TimeUnit::Microseconds => DateTime::from_timestamp_micros(since_epoch),
        TimeUnit::Milliseconds => DateTime::from_timestamp_millis(since_epoch),
    };
    time.map_or(Value::Null, |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
}

fn record(any: &AnyValue<'_>) -> Value {
    let mut members = Vec::new();
    any._materialize_struct_av(&mut members);
    let names: Vec<String> = match any.dtype() {
        polars::prelude::DataType::Struct(fields) => fields.iter().map(|field| field.name.to_string()).collect(),
        _ => Vec::new(),
    };
    Value::Object(Map::from_iter(names.into_iter().zip(members.into_iter().map(value))))
}
