//! Converters of points in time: seconds since 1970, in UTC.

use std::time::{Duration, UNIX_EPOCH};

use super::arguments::Arguments;
use super::strftime::{self, Moment};

/// How `http_date` reads its number.
#[derive(Debug)]
pub(super) struct HttpDate {
    /// In the unit of the number.
    offset: i64,
    /// Units in a second.
    units: i64,
    /// Digits after the second.
    digits: usize,
}

/// Beyond it, the year has five digits (RFC 9110 §5.6.7 has four).
const YEAR_10000: i64 = 253_402_300_800;

impl HttpDate {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        let (units, digits) = match arguments.text(1) {
            "ms" => (1_000, 3),
            "us" => (1_000_000, 6),
            _ => (1, 0),
        };
        Self {
            offset: arguments.int(0).unwrap_or_default(),
            units,
            digits,
        }
    }

    pub(super) fn write(&self, number: i64, into: &mut Vec<u8>) -> bool {
        let time = number.saturating_add(self.offset);
        let (seconds, part) = (time.div_euclid(self.units), time.rem_euclid(self.units));
        let Some(time) = moment(seconds) else {
            return false;
        };
        let text = httpdate::fmt_http_date(UNIX_EPOCH + time);
        let (before, zone) = text.split_at(text.len() - " GMT".len());
        into.extend_from_slice(before.as_bytes());
        if self.digits > 0 {
            into.extend_from_slice(format!(".{part:0digits$}", digits = self.digits).as_bytes());
        }
        into.extend_from_slice(zone.as_bytes());
        true
    }
}

fn moment(seconds: i64) -> Option<Duration> {
    let is_possible = (0..YEAR_10000).contains(&seconds);
    is_possible.then(|| Duration::from_secs(seconds.unsigned_abs()))
}

/// The format of `utime`, `ms_utime` and `us_utime`.
#[derive(Debug)]
pub(super) struct Utc {
    format: Box<str>,
    /// In the unit of the number.
    offset: i64,
    /// Units in a second.
    units: i64,
}

impl Utc {
    pub(super) fn of(units: i64, arguments: Arguments<'_>) -> Self {
        Self {
            format: arguments.text(0).into(),
            offset: arguments.int(1).unwrap_or_default(),
            units,
        }
    }

    pub(super) fn write(&self, number: i64, into: &mut Vec<u8>) -> bool {
        let time = number.saturating_add(self.offset);
        let (seconds, part) = (time.div_euclid(self.units), time.rem_euclid(self.units));
        if moment(seconds).is_none() {
            return false;
        }
        // Less than 1,000,000,000.
        let nanos = (part * (1_000_000_000 / self.units)) as u32;
        let moment = Moment {
            seconds,
            nanos: (self.units > 1).then_some(nanos),
        };
        let mut text = String::new();
        strftime::write(&self.format, moment, &mut text);
        into.extend_from_slice(text.as_bytes());
        true
    }
}
