//! When it happened: `time` -> microseconds since the Unix epoch, UTC.
//!
//! Read are, with white space around them:
//!
//! - `date (T | t | space) hh:mm:ss [fraction] [zone]`. The fraction is `.` or `,` and digits, cut to microseconds, or `:`
//!   and three digits. The zone is `Z`, `UTC` or `GMT` in any case, `±hh:mm`, `±hhmm` or `±hh`; without one it is UTC.
//!   Second 60 is the second that follows.
//! - seconds, milliseconds or microseconds since the epoch, as a JSON number or as digits, with or without a decimal
//!   fraction. The unit is the one that puts the time into the years 2000 to 2099. No number fits two of them, and dates
//!   written as digits (`20220201023614`) fit none.
//!
//! A date alone or a time without seconds is not read: the missing part would be made up.
//!
//! The rule: a canonical text comes back from [`format_canonical`] byte for byte, or rows cannot be turned back into
//! records.

use std::ops::{Range, RangeInclusive};

use chrono::{DateTime, NaiveDate, SecondsFormat};

use crate::model::Field;

const MICROS: i64 = 1_000_000;

/// The first and the last second of the years 1970 to 9999.
const SECONDS: RangeInclusive<i64> = 0..=253_402_300_799;

/// The years 2000 to 2099 in microseconds. The upstream's product is younger than that.
const PLAUSIBLE_EPOCH: Range<i64> = 946_684_800 * MICROS..4_102_444_800 * MICROS;

/// Microseconds since the epoch; `None` for what is no time of the years 1970 to 9999.
pub(super) fn parse(field: &Field<'_>) -> Option<i64> {
    match field {
        Field::Text(text) => calendar(text.trim()).or_else(|| epoch(text.trim())),
        Field::Other(json) => epoch(json.trim()),
        Field::Missing | Field::Null | Field::Broken { .. } => None,
    }
}

/// Whether `text` is exactly `YYYY-MM-DDTHH:MM:SSZ` and a time that [`parse`] reads. Second 60 is not canonical: it would
/// come back as another text.
#[cfg(any(test, feature = "internals"))]
pub(super) fn is_canonical(text: &str) -> bool {
    has_canonical_shape(text) && calendar(text).is_some()
}

/// Whether `text`, if [`parse`] reads it, is canonical.
pub(super) fn has_canonical_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 20 && bytes[10] == b'T' && bytes[17] != b'6' && bytes[19] == b'Z'
}

/// The canonical text of a time that [`parse`] gave for one. A time outside 1970 to 9999 becomes the nearest inside.
pub(super) fn format_canonical(micros: i64) -> String {
    let seconds = micros.div_euclid(MICROS).clamp(*SECONDS.start(), *SECONDS.end());
    DateTime::from_timestamp_secs(seconds).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn calendar(text: &str) -> Option<i64> {
    let mut reader = Reader(text.as_bytes());
    let year = reader.digits(4)?;
    reader.one_of(b"-")?;
    let month = reader.digits(2)?;
    reader.one_of(b"-")?;
    let day = reader.digits(2)?;

    reader.one_of(b"Tt ")?;
    let hour = reader.digits(2)?;
    reader.one_of(b":")?;
    let minute = reader.digits(2)?;
    reader.one_of(b":")?;
    let second = reader.digits(2).filter(|second| *second <= 60)?;

    let fraction = reader.fraction()?;
    let offset = offset(reader.0.trim_ascii_start())?;

    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let local = date.and_hms_opt(hour, minute, second.min(59))?.and_utc().timestamp() + i64::from(second == 60);
    let seconds = local - offset;
    SECONDS.contains(&seconds).then_some(seconds * MICROS + fraction)
}

/// Seconds east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    if zone.is_empty() || [&b"Z"[..], b"UTC", b"GMT"].iter().any(|utc| zone.eq_ignore_ascii_case(utc)) {
        return Some(0);
    }
    let mut reader = Reader(zone);
    let sign = if reader.one_of(b"+-")? == b'-' { -1 } else { 1 };
    let hours = reader.digits(2).filter(|hours| *hours < 24)?;
    let minutes = match reader.0 {
        [] => 0,
        _ => {
            let _colon = reader.one_of(b":");
            reader.digits(2).filter(|minutes| *minutes < 60)?
        }
    };
    reader.0.is_empty().then_some(sign * i64::from(hours * 3600 + minutes * 60))
}

fn epoch(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if ![whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let plausible = |unit: &i64| whole.checked_mul(*unit).is_some_and(|micros| PLAUSIBLE_EPOCH.contains(&micros));
    let unit = [MICROS, 1000, 1].into_iter().find(plausible)?;
    Some(whole * unit + millionths(fraction.as_bytes()) * unit / MICROS)
}

/// The value of the digits behind a decimal point in millionths, cut after the sixth.
fn millionths(digits: &[u8]) -> i64 {
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0'));
    padded.take(6).fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// What is left of a text, read from its start.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// The value of exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let mut value = 0;
        for digit in digits {
            value = value * 10 + char::from(*digit).to_digit(10)?;
        }
        self.0 = rest;
        Some(value)
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        allowed.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// The fraction of a second in microseconds: 0 where there is none, `None` where it is not one.
    fn fraction(&mut self) -> Option<i64> {
        let Some(mark) = self.one_of(b".,:") else { return Some(0) };
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 || (mark == b':' && count != 3) {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(millionths(digits))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    fn parse_text(text: &str) -> Option<i64> {
        parse(&Field::Text(text.into()))
    }

    #[test_case("2022-02-01T02:36:14Z", "2022-02-01T02:36:14.000000Z"; "canonical")]
    #[test_case("2022-12-16 18:15:38", "2022-12-16T18:15:38.000000Z"; "no_zone")]
    #[test_case("2021-11-17 00:37:24Z", "2021-11-17T00:37:24.000000Z"; "space_and_zone")]
    #[test_case("2021-11-17t00:37:24z", "2021-11-17T00:37:24.000000Z"; "lower_case")]
    #[test_case("2021-11-17T00:37:24", "2021-11-17T00:37:24.000000Z"; "no_zone_with_t")]
    #[test_case("2019-08-20T19:09:01.1234567+00:00", "2019-08-20T19:09:01.123456Z"; "seven_digits")]
    #[test_case("2019-08-20T19:09:01.1Z", "2019-08-20T19:09:01.100000Z"; "one_digit")]
    #[test_case("2019-08-20T19:09:01.9999999999999999999999999Z", "2019-08-20T19:09:01.999999Z"; "long_fraction")]
    #[test_case("2019-08-20T19:09:01,25Z", "2019-08-20T19:09:01.250000Z"; "comma")]
    #[test_case("2022-12-16 18:15:38:042", "2022-12-16T18:15:38.042000Z"; "colon_milliseconds")]
    #[test_case("2022-01-01T01:30:00+05:30", "2021-12-31T20:00:00.000000Z"; "east")]
    #[test_case("2021-12-31T20:00:00-08:00", "2022-01-01T04:00:00.000000Z"; "west")]
    #[test_case("2021-12-31T20:00:00-0800", "2022-01-01T04:00:00.000000Z"; "no_colon")]
    #[test_case("2021-12-31T20:00:00-08", "2022-01-01T04:00:00.000000Z"; "hours_only")]
    #[test_case("2021-12-31T20:00:00-00:00", "2021-12-31T20:00:00.000000Z"; "unknown_offset")]
    #[test_case("2021-12-31 20:00:00 +0000", "2021-12-31T20:00:00.000000Z"; "space_before_zone")]
    #[test_case("2021-12-31 20:00:00 UTC", "2021-12-31T20:00:00.000000Z"; "named_utc")]
    #[test_case(" \t2022-02-01T02:36:14Z\r\n", "2022-02-01T02:36:14.000000Z"; "white_space_around")]
    #[test_case("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"; "leap_second")]
    #[test_case("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000Z"; "leap_second_with_fraction")]
    #[test_case("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"; "leap_day")]
    #[test_case("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"; "first")]
    #[test_case("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00.000000Z"; "first_by_offset")]
    #[test_case("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"; "last")]
    #[test_case("1660000000", "2022-08-08T23:06:40.000000Z"; "digits")]
    #[test_case(" 1660000000123 ", "2022-08-08T23:06:40.123000Z"; "digit_milliseconds")]
    fn variants_are_read_as_utc(text: &str, expected: &str) {
        let time = parse_text(text).and_then(DateTime::from_timestamp_micros).unwrap();
        assert_eq!(time.to_rfc3339_opts(SecondsFormat::Micros, true), expected);
    }

    #[test_case("1660000000", 1_660_000_000_000_000; "seconds")]
    #[test_case("1660000000.1234567", 1_660_000_000_123_456; "fraction_of_a_second")]
    #[test_case("1660000000123", 1_660_000_000_123_000; "milliseconds")]
    #[test_case("1660000000123.25", 1_660_000_000_123_250; "fraction_of_a_millisecond")]
    #[test_case("1660000000123456", 1_660_000_000_123_456; "microseconds")]
    fn numbers_are_read_in_their_unit(json: &str, micros: i64) {
        assert_eq!(parse(&Field::Other(json)), Some(micros));
    }

    #[test_case("")]
    #[test_case(" ")]
    #[test_case("yesterday")]
    #[test_case("2022-02-01"; "date_alone")]
    #[test_case("2022-02-01T02:36Z"; "no_seconds")]
    #[test_case("2023-02-29T00:00:00Z"; "no_leap_year")]
    #[test_case("2022-13-01T00:00:00Z"; "month")]
    #[test_case("2022-01-00T00:00:00Z"; "day_zero")]
    #[test_case("2022-01-01T24:00:00Z"; "hour")]
    #[test_case("2022-01-01T00:60:00Z"; "minute")]
    #[test_case("2022-01-01T00:00:61Z"; "second")]
    #[test_case("1969-12-31T23:59:59Z"; "too_early")]
    #[test_case("0000-01-01T00:00:00Z"; "year_zero")]
    #[test_case("1970-01-01T00:00:00+00:01"; "too_early_by_offset")]
    #[test_case("9999-12-31T23:59:60Z"; "too_late_by_leap_second")]
    #[test_case("9999-12-31T23:59:59-00:01"; "too_late_by_offset")]
    #[test_case("10000-01-01T00:00:00Z"; "five_digit_year")]
    #[test_case("2022-01-01T00:00:00.Z"; "no_fraction")]
    #[test_case("2022-01-01T00:00:00:12"; "colon_and_two_digits")]
    #[test_case("2022-01-01T00:00:00+24:00"; "offset_hours")]
    #[test_case("2022-01-01T00:00:00+00:60"; "offset_minutes")]
    #[test_case("2022-01-01T00:00:00+1"; "half_an_offset")]
    #[test_case("2022-01-01T00:00:00+01:"; "dangling_colon")]
    #[test_case("2022-01-01T00:00:00Zulu"; "text_behind")]
    #[test_case("٢٠٢٢-01-01T00:00:00Z"; "other_digits")]
    #[test_case("-1660000000"; "signed")]
    #[test_case("1.66e9"; "exponent")]
    #[test_case("12345"; "implausible")]
    #[test_case("20220201"; "compact_day")]
    #[test_case("20220201023614"; "compact_time")]
    #[test_case("99999999999999999999999999999999999999"; "huge")]
    #[test_case(".5"; "no_whole")]
    #[test_case("1660000000."; "no_decimals")]
    fn what_is_no_time_is_none(text: &str) {
        assert_eq!(parse_text(text), None);
    }

    #[test_case(Field::Missing)]
    #[test_case(Field::Null)]
    #[test_case(Field::Other("true"))]
    #[test_case(Field::Other("[1660000000]"))]
    #[test_case(Field::Broken { text: "\u{fffd}".to_owned(), json: r#""\udcff""# })]
    fn what_is_no_text_and_no_number_is_none(field: Field<'_>) {
        assert_eq!(parse(&field), None);
    }

    #[test_case("2022-02-01T02:36:14Z", true)]
    #[test_case("2022-02-01T02:36:14z", false)]
    #[test_case("2022-02-01 02:36:14Z", false)]
    #[test_case(" 2022-02-01T02:36:1Z", false)]
    #[test_case("2022-02-01T02:36:14Z ", false)]
    #[test_case("2022-02-01T02:36:60Z", false)]
    #[test_case("2022-02-30T02:36:14Z", false)]
    #[test_case("1969-12-31T23:59:59Z", false)]
    #[test_case("2022-02-01T02:36:1éZ", false)]
    #[test_case("", false)]
    fn only_one_form_is_canonical(text: &str, canonical: bool) {
        assert_eq!(is_canonical(text), canonical);
    }

    #[test_case(i64::MIN, "1970-01-01T00:00:00Z")]
    #[test_case(i64::MAX, "9999-12-31T23:59:59Z")]
    fn a_time_out_of_range_is_written_as_the_nearest(micros: i64, text: &str) {
        assert_eq!(format_canonical(micros), text);
    }

    /// Texts in the shape of RFC 3339, valid or not.
    const RFC_3339: &str = concat!(
        "20[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-5][0-9](\\.[0-9]{1,9})?",
        "([Zz]|[+-][0-2][0-9]:[0-6][0-9])",
    );

    proptest! {
        #[test]
        fn every_canonical_text_comes_back_byte_for_byte(seconds in SECONDS) {
            let text = Utc.timestamp_opt(seconds, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string();
            prop_assert!(is_canonical(&text));
            prop_assert_eq!(parse_text(&text), Some(seconds * MICROS));
            prop_assert_eq!(format_canonical(seconds * MICROS), text);
        }

        #[test]
        fn whatever_is_canonical_comes_back(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z") {
            if is_canonical(&text) {
                prop_assert_eq!(parse_text(&text).map(format_canonical), Some(text));
            }
        }

        #[test]
        fn rfc_3339_agrees_with_chrono(text in RFC_3339) {
            let expected = DateTime::parse_from_rfc3339(&text).ok().map(|time| time.timestamp_micros());
            prop_assert_eq!(parse_text(&text), expected);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", digits in "[0-9:.,+TZ -]{0,40}") {
            for text in [text, digits] {
                let micros = parse_text(&text);
                prop_assert!(micros.is_none_or(|micros| SECONDS.contains(&micros.div_euclid(MICROS))));
                let _canonical = is_canonical(&text);
                let _number = parse(&Field::Other(&text));
            }
        }
    }
}
