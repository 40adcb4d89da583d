//! The value of `Date`, formatted once a second for all connections of a worker.

use std::cell::Cell;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// The length of a date (RFC 9110 §5.6.7).
const BYTES: usize = 29;

/// Keeps the date that was formatted last.
#[derive(Debug, Default)]
pub struct DateCache {
    /// Since 1970.
    second: Cell<Option<u64>>,
    text: Cell<[u8; BYTES]>,
}

impl DateCache {
    /// The date at `wall`.
    pub fn at(&self, wall: SystemTime) -> [u8; BYTES] {
        let second = wall.duration_since(UNIX_EPOCH).ok();
        let second = second.map(|since| since.as_secs());
        if self.second.get() != second || second.is_none() {
            let mut text = [b' '; BYTES];
            // The buffer has room for all dates up to the year 9999.
            let _ = write!(&mut text[..], "{}", HttpDate::from(wall));
            self.text.set(text);
            self.second.set(second);
        }
        self.text.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Duration;

    #[test]
    fn each_second_has_its_date() {
        let dates = DateCache::default();
        let at = |millis| {
            let wall = UNIX_EPOCH + Duration::from_millis(millis);
            String::from_utf8(dates.at(wall).to_vec()).expect("text")
        };
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(999), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(1_000), "Thu, 01 Jan 1970 00:00:01 GMT");
        assert_eq!(at(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
