//! Converters of points in time: seconds since 1970, in UTC.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use super::arguments::Arguments;

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

/// The format of `utime`, and an offset in seconds.
#[derive(Debug)]
pub(super) struct Utc {
    format: Box<str>,
    offset: i64,
}

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A day of the calendar.
struct Day {
    year: i64,
    /// From 1.
    month: usize,
    /// From 1.
    day: i64,
    /// From 1.
    of_year: i64,
    /// Sunday is 0.
    of_week: usize,
}

impl Utc {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        Self {
            format: arguments.text(0).into(),
            offset: arguments.int(1).unwrap_or_default(),
        }
    }

    pub(super) fn write(&self, number: i64, into: &mut Vec<u8>) -> bool {
        let seconds = number.saturating_add(self.offset);
        if moment(seconds).is_none() {
            return false;
        }
        let mut text = String::new();
        let mut characters = self.format.chars();
        while let Some(c) = characters.next() {
            match c {
                '%' => match characters.next() {
                    Some(conversion) => push(&mut text, conversion, seconds),
                    None => text.push('%'),
                },
                c => text.push(c),
            }
        }
        into.extend_from_slice(text.as_bytes());
        true
    }
}

/// Appends one conversion of `strftime`, in the locale "C".
fn push(text: &mut String, conversion: char, seconds: i64) {
    let day = Day::of(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let half = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    let weekday = DAYS[day.of_week];
    let month = MONTHS[day.month - 1];
    // Writing to a string does not fail.
    let _ = match conversion {
        'a' => write!(text, "{}", &weekday[..3]),
        'A' => write!(text, "{weekday}"),
        'b' | 'h' => write!(text, "{}", &month[..3]),
        'B' => write!(text, "{month}"),
        'C' => write!(text, "{:02}", day.year / 100),
        'd' => write!(text, "{:02}", day.day),
        'D' | 'x' => write!(
            text,
            "{:02}/{:02}/{:02}",
            day.month,
            day.day,
            day.year % 100
        ),
        'e' => write!(text, "{:2}", day.day),
        'F' => write!(text, "{}-{:02}-{:02}", day.year, day.month, day.day),
        'H' => write!(text, "{hour:02}"),
        'I' => write!(text, "{half:02}"),
        'j' => write!(text, "{:03}", day.of_year),
        'm' => write!(text, "{:02}", day.month),
        'M' => write!(text, "{minute:02}"),
        'n' => writeln!(text),
        'p' => write!(text, "{}", if hour < 12 { "AM" } else { "PM" }),
        'R' => write!(text, "{hour:02}:{minute:02}"),
        's' => write!(text, "{seconds}"),
        'S' => write!(text, "{second:02}"),
        't' => write!(text, "\t"),
        'T' | 'X' => write!(text, "{hour:02}:{minute:02}:{second:02}"),
        'u' => write!(text, "{}", (day.of_week + 6) % 7 + 1),
        'w' => write!(text, "{}", day.of_week),
        'y' => write!(text, "{:02}", day.year % 100),
        'Y' => write!(text, "{}", day.year),
        'z' => write!(text, "+0000"),
        'Z' => write!(text, "GMT"),
        '%' => write!(text, "%"),
        // As the C library does with what it does not know.
        other => write!(text, "%{other}"),
    };
}

impl Day {
    /// `days` since 1970, not negative (Howard Hinnant, "chrono-Compatible Low-Level Date
    /// Algorithms": years begin in March, so that the leap day is the last one).
    fn of(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let of_era = shifted % 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let from_march = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * from_march + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let leap_day = i64::from(is_leap);
        Self {
            year,
            month: month as usize,
            day: from_march - (153 * month_from_march + 2) / 5 + 1,
            of_year: match month {
                1 | 2 => from_march - 305,
                _ => from_march + 60 + leap_day,
            },
            of_week: ((days + 4) % 7) as usize,
        }
    }
}
