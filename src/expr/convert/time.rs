//! Converters of points in time: seconds since 1970, in UTC or in the zone of this machine.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use crate::base::{LocalTime, Zone};

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

/// The format of `utime`, `ltime` and their forms for milliseconds and microseconds.
#[derive(Debug)]
pub(super) struct Calendar {
    /// `None`: UTC.
    zone: Option<Zone>,
    format: Box<str>,
    /// In the unit of the number.
    offset: i64,
    /// Units in a second.
    units: i64,
}

impl Calendar {
    pub(super) fn of(zone: Option<Zone>, units: i64, arguments: Arguments<'_>) -> Self {
        Self {
            zone,
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
            local: match &self.zone {
                Some(zone) => &zone.at(seconds),
                None => &GMT,
            },
        };
        let mut text = String::new();
        strftime::write(&self.format, moment, &mut text);
        into.extend_from_slice(text.as_bytes());
        true
    }
}

/// UTC, by the name that glibc's `gmtime` has for it.
const GMT: LocalTime = LocalTime {
    ahead: 0,
    name: Cow::Borrowed("GMT"),
};

#[cfg(test)]
mod tests {
    use crate::plan::expr::Argument;

    use super::*;

    fn local(rules: &str, units: i64, format: &str, number: i64) -> String {
        let zone = Zone::by_rules(rules).expect("rules");
        let arguments = [Argument::Text(format.to_owned())];
        let calendar = Calendar::of(Some(zone), units, Arguments(&arguments));
        let mut text = Vec::new();
        assert!(calendar.write(number, &mut text), "{number}");
        String::from_utf8(text).expect("a text")
    }

    #[test]
    fn a_local_time_is_that_of_its_zone() {
        let paris = "CET-1CEST,M3.5.0,M10.5.0/3";
        let format = "%F %T %z %Z %s %j %a";
        assert_eq!(
            local(paris, 1, format, 1_711_846_799),
            "2024-03-31 01:59:59 +0100 CET 1711846799 091 Sun"
        );
        assert_eq!(
            local(paris, 1, format, 1_711_846_800),
            "2024-03-31 03:00:00 +0200 CEST 1711846800 091 Sun"
        );
        assert_eq!(
            local(paris, 1_000, "%T.%3N", 1_711_846_800_789),
            "03:00:00.789"
        );
        assert_eq!(
            local(paris, 1_000_000, "%T.%6N", 1_711_846_800_789_012),
            "03:00:00.789012"
        );
        assert_eq!(
            local("<+0530>-5:30", 1, "%T %z %Z", 0),
            "05:30:00 +0530 +0530"
        );
    }

    #[test]
    fn a_local_time_may_be_before_1970() {
        assert_eq!(
            local("<-0930>9:30", 1, "%F %T %z %a %j %s %G-%V", 0),
            "1969-12-31 14:30:00 -0930 Wed 365 0 1970-01"
        );
    }
}
