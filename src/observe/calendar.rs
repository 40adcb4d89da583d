//! The wall clock, in UTC, as RFC 3339 writes it, `2026-03-01T12:34:56.789Z`, and as the logs of
//! HAProxy and Apache do: `01/Mar/2026:12:34:56.789`.
//!
//! For log lines. A worker keeps one [`Calendar`]: within a second only the milliseconds change, so
//! that an exchange does not pay for a date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Writes times, and keeps the text of the last second.
#[derive(Debug)]
pub(super) struct Calendar {
    /// Since 1970.
    second: u64,
    /// `YYYY-MM-DDTHH:MM:SS.` of `second`.
    text: [u8; 20],
    /// `DD/Mon/YYYY:HH:MM:SS` of `second`.
    clf: [u8; 20],
}

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// `time` in UTC with milliseconds (RFC 3339). Allocates: for rare calls.
pub fn rfc3339(time: SystemTime) -> String {
    let mut text = Vec::with_capacity(24);
    Calendar::new().write(time, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// `time` in UTC as HAProxy's logs have it: `01/Dec/2026:14:07:49.314`. Allocates: for rare calls.
pub fn haproxy_date(time: SystemTime) -> String {
    let mut text = Vec::with_capacity(24);
    let mut calendar = Calendar::new();
    calendar.write_clf(time, &mut text);
    text.push(b'.');
    three_digits(calendar.turn_to(time).subsec_millis(), &mut text);
    String::from_utf8(text).unwrap_or_default()
}

impl Calendar {
    pub(super) fn new() -> Self {
        Self {
            second: 0,
            text: *b"1970-01-01T00:00:00.",
            clf: *b"01/Jan/1970:00:00:00",
        }
    }

    /// Appends `time` as RFC 3339 has it. Times before 1970 are written as 1970: a clock that wrong
    /// is not worth an error.
    pub(super) fn write(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        let millis = self.turn_to(time).subsec_millis();
        out.extend_from_slice(&self.text);
        three_digits(millis, out);
        out.push(b'Z');
    }

    /// Appends `time` as logs of Apache have it, to the second and without a time zone.
    pub(super) fn write_clf(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        self.turn_to(time);
        out.extend_from_slice(&self.clf);
    }

    /// Appends `time` as syslog has it (RFC 3164 §4.1.2): `Mar  1 12:34:56`.
    pub(super) fn write_bsd(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        self.turn_to(time);
        let text = &self.clf;
        out.extend_from_slice(&text[3..6]);
        out.push(b' ');
        out.push(if text[0] == b'0' { b' ' } else { text[0] });
        out.push(text[1]);
        out.push(b' ');
        out.extend_from_slice(&text[12..]);
    }

    /// Keeps the texts of `time`, and returns it as the time since 1970.
    fn turn_to(&mut self, time: SystemTime) -> Duration {
        let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        if since_1970.as_secs() != self.second {
            self.second = since_1970.as_secs();
            self.text = date_and_time(self.second);
            self.clf = clf(&self.text);
        }
        since_1970
    }
}

/// `millis`, below 1,000, with three digits.
pub(super) fn three_digits(millis: u32, out: &mut Vec<u8>) {
    let digit = |divisor: u32| b'0' + (millis / divisor % 10) as u8;
    out.extend_from_slice(&[digit(100), digit(10), digit(1)]);
}

/// `DD/Mon/YYYY:HH:MM:SS` of `YYYY-MM-DDTHH:MM:SS.`
fn clf(text: &[u8; 20]) -> [u8; 20] {
    let mut clf = *b"00/Jan/0000:00:00:00";
    let month = usize::from((text[5] - b'0') * 10 + (text[6] - b'0')) - 1;
    clf[..2].copy_from_slice(&text[8..10]);
    clf[3..6].copy_from_slice(&MONTHS[month * 3..month * 3 + 3]);
    clf[7..11].copy_from_slice(&text[..4]);
    clf[12..].copy_from_slice(&text[11..19]);
    clf
}

fn date_and_time(second: u64) -> [u8; 20] {
    let (year, month, day) = date(second / 86_400);
    let of_day = second % 86_400;
    let mut text = *b"0000-00-00T00:00:00.";
    let mut put = |start: usize, value: u64, digits: usize| {
        let mut rest = value;
        for byte in text[start..start + digits].iter_mut().rev() {
            *byte = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    };
    put(0, year, 4);
    put(5, month, 2);
    put(8, day, 2);
    put(11, of_day / 3_600, 2);
    put(14, of_day / 60 % 60, 2);
    put(17, of_day % 60, 2);
    text
}

/// Year, month and day of a day since 1970-01-01.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`, for days that
/// are not before 1970. Its years begin in March, so that the leap day is the last one.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(calendar: &mut Calendar, millis: u64) -> String {
        let mut out = Vec::new();
        calendar.write(UNIX_EPOCH + Duration::from_millis(millis), &mut out);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let mut calendar = Calendar::new();
        for (second, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_740_700_800, "2025-02-28T00:00:00.000Z"),
            (1_740_787_200, "2025-03-01T00:00:00.000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(written(&mut calendar, second * 1_000), expected);
        }
    }

    #[test]
    fn a_date_of_apache_has_the_name_of_its_month() {
        let mut calendar = Calendar::new();
        for (second, expected) in [
            (0, "01/Jan/1970:00:00:00"),
            (951_782_400, "29/Feb/2000:00:00:00"),
            (1_798_761_599, "31/Dec/2026:23:59:59"),
        ] {
            let mut out = Vec::new();
            calendar.write_clf(UNIX_EPOCH + Duration::from_secs(second), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn a_remembered_second_is_not_kept_too_long() {
        let mut calendar = Calendar::new();
        assert_eq!(written(&mut calendar, 1_000), "1970-01-01T00:00:01.000Z");
        assert_eq!(written(&mut calendar, 1_999), "1970-01-01T00:00:01.999Z");
        assert_eq!(written(&mut calendar, 2_007), "1970-01-01T00:00:02.007Z");
        assert_eq!(written(&mut calendar, 1_080), "1970-01-01T00:00:01.080Z");
    }
}
