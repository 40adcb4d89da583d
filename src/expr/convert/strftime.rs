//! `strftime` in the locale C, with the flags and widths of glibc.
//!
//! Pure text: [`super::time`] has the converters. POSIX `strftime`; glibc's manual, "Formatting Calendar
//! Time".

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use crate::base::LocalTime;

/// The largest width of one value: a format is a line, not a page.
const MOST_WIDTH: usize = 100;

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

/// A point in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    /// Since 1970, not negative.
    pub(super) seconds: i64,
    /// After them; `None`: not known, and then `%N` is no conversion.
    pub(super) nanos: Option<u32>,
    /// The zone whose calendar is written.
    pub(super) local: &'a LocalTime,
}

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
    of_week: i64,
}

/// What stands between `%` and the letter.
#[derive(Default)]
struct Options {
    /// `_`, `-` or `0`.
    pad: Option<char>,
    is_upper: bool,
    is_swapped: bool,
    width: Option<usize>,
}

/// The value of a conversion.
enum Item {
    /// A number, its usual width, and the character before it up to there.
    Number(i64, usize, char),
    Text(String),
}

/// Appends `moment` in `format`. A conversion that does not exist stays as it is written.
pub(super) fn write(format: &str, moment: Moment<'_>, text: &mut String) {
    let mut characters = format.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let before = characters.clone();
        let options = Options::read(&mut characters);
        let letter = characters.next();
        match letter.and_then(|letter| item(letter, &options, moment)) {
            Some(item) => options.write(item, letter, text),
            None => {
                text.push('%');
                let end = characters.clone().count();
                text.extend(before.clone().take(before.count() - end));
            }
        }
    }
}

impl Options {
    fn read(characters: &mut Peekable<Chars<'_>>) -> Self {
        let mut options = Self::default();
        while let Some(flag) = characters.next_if(|c| "_-0^#".contains(*c)) {
            match flag {
                '^' => options.is_upper = true,
                '#' => options.is_swapped = true,
                pad => options.pad = Some(pad),
            }
        }
        while let Some(digit) = characters.peek().and_then(|c| c.to_digit(10)) {
            characters.next();
            let width = options.width.unwrap_or(0) * 10 + digit as usize;
            options.width = Some(width.min(MOST_WIDTH));
        }
        // The locale C has no other calendar and no other digits.
        characters.next_if(|c| "EO".contains(*c));
        options
    }

    fn write(&self, item: Item, letter: Option<char>, text: &mut String) {
        let (value, width, pad) = match item {
            Item::Number(number, width, pad) => {
                let pad = match self.pad {
                    Some('_') => ' ',
                    Some('0') => '0',
                    _ => pad,
                };
                (number.to_string(), self.width.unwrap_or(width), pad)
            }
            Item::Text(value) => {
                let pad = if self.pad == Some('0') { '0' } else { ' ' };
                (value, self.width.unwrap_or(0), pad)
            }
        };
        if self.pad != Some('-') {
            text.extend(std::iter::repeat_n(pad, width.saturating_sub(value.len())));
        }
        let is_lower = letter == Some('P') || self.is_swapped && matches!(letter, Some('p' | 'Z'));
        match (is_lower, self.is_upper || self.is_swapped) {
            (true, _) => text.push_str(&value.to_ascii_lowercase()),
            (false, true) => text.push_str(&value.to_ascii_uppercase()),
            (false, false) => text.push_str(&value),
        }
    }
}

/// The value of the conversion `letter`.
fn item(letter: char, options: &Options, moment: Moment<'_>) -> Option<Item> {
    let Moment {
        seconds,
        nanos,
        local,
    } = moment;
    let shown = seconds + local.ahead;
    let (day, of_day) = (shown.div_euclid(86_400), shown.rem_euclid(86_400));
    let day = Day::of(day);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let half = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    let number = |number, width| Item::Number(number, width, '0');
    let text = |text: &str| Item::Text(text.to_owned());
    let composed = |format: &str| {
        let mut text = String::new();
        write(format, moment, &mut text);
        Item::Text(text)
    };
    let weekday = DAYS[day.of_week as usize];
    let month = MONTHS[day.month - 1];
    Some(match letter {
        'a' => text(&weekday[..3]),
        'A' => text(weekday),
        'b' | 'h' => text(&month[..3]),
        'B' => text(month),
        'c' => composed("%a %b %e %H:%M:%S %Y"),
        'C' => number(day.year / 100, 2),
        'd' => number(day.day, 2),
        'D' | 'x' => composed("%m/%d/%y"),
        'e' => Item::Number(day.day, 2, ' '),
        'F' => composed("%Y-%m-%d"),
        'g' => number(day.week().0 % 100, 2),
        'G' => number(day.week().0, 1),
        'H' => number(hour, 2),
        'I' => number(half, 2),
        'j' => number(day.of_year, 3),
        'k' => Item::Number(hour, 2, ' '),
        'l' => Item::Number(half, 2, ' '),
        'm' => number(day.month as i64, 2),
        'M' => number(minute, 2),
        'n' => text("\n"),
        'N' => text(&fraction(nanos?, options.width)),
        'p' | 'P' => text(if hour < 12 { "AM" } else { "PM" }),
        'r' => composed("%I:%M:%S %p"),
        'R' => composed("%H:%M"),
        's' => number(seconds, 1),
        'S' => number(second, 2),
        't' => text("\t"),
        'T' | 'X' => composed("%H:%M:%S"),
        'u' => number((day.of_week + 6) % 7 + 1, 1),
        'U' => number((day.of_year + 6 - day.of_week) / 7, 2),
        'V' => number(day.week().1, 2),
        'w' => number(day.of_week, 1),
        'W' => number((day.of_year + 6 - (day.of_week + 6) % 7) / 7, 2),
        'y' => number(day.year % 100, 2),
        'Y' => number(day.year, 1),
        'z' => text(&difference(local)),
        'Z' => text(&local.name),
        '%' => text("%"),
        _ => return None,
    })
}

/// The difference to UTC: `+0530`.
fn difference(local: &LocalTime) -> String {
    let sign = if local.ahead < 0 { '-' } else { '+' };
    let minutes = local.ahead.unsigned_abs() / 60;
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

/// The first digits of a fraction of a second: 9 unless `width` says fewer.
fn fraction(nanos: u32, width: Option<usize>) -> String {
    let mut digits = String::new();
    // Writing to a string does not fail.
    let _ = write!(digits, "{nanos:09}");
    digits.truncate(width.unwrap_or(9).clamp(1, 9));
    digits
}

impl Day {
    /// `days` since 1970, not before the year 0 (Howard Hinnant, "chrono-Compatible Low-Level Date
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
            of_week: (days + 4).rem_euclid(7),
        }
    }

    /// The year and the week by ISO 8601: weeks begin on Monday, and the first one has January 4th.
    fn week(&self) -> (i64, i64) {
        let week = (self.of_year - (self.of_week + 6) % 7 + 9) / 7;
        if week < 1 {
            return (self.year - 1, weeks_of(self.year - 1));
        }
        match week > weeks_of(self.year) {
            true => (self.year + 1, 1),
            false => (self.year, week),
        }
    }
}

/// The weeks of `year`: 53 if it ends on a Thursday, or the one before on a Wednesday.
fn weeks_of(year: i64) -> i64 {
    let last_day = |year: i64| (year + year / 4 - year / 100 + year / 400) % 7;
    match last_day(year) == 4 || last_day(year - 1) == 3 {
        true => 53,
        false => 52,
    }
}
