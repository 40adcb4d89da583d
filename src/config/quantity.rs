//! Quantities with a unit: their words for messages, and what a number without a unit most likely means.

use std::time::Duration;

use crate::base::ByteSize;
use crate::base::units::show_duration;

/// The words for one kind of quantity.
pub(super) struct QuantityWords {
    pub(super) noun: &'static str,
    pub(super) units: &'static str,
    pub(super) example: &'static str,
    /// The quantity that a bare number at a key most likely means, and a note about it.
    pub(super) with_unit: fn(key: &str, number: &str) -> Option<(String, String)>,
}

pub(super) const DURATION_WORDS: QuantityWords = QuantityWords {
    noun: "duration",
    units: "`us`, `ms`, `s`, `m`, `h` and `d`",
    example: "5s",
    with_unit: duration_of,
};

pub(super) const SIZE_WORDS: QuantityWords = QuantityWords {
    noun: "size",
    units: "`B`, `kB`, `KiB`, `MB`, `MiB`, `GB` and `GiB`",
    example: "64KiB",
    with_unit: |_, number| {
        let bytes = number.parse().ok()?;
        Some((ByteSize(bytes).to_string(), String::new()))
    },
};

/// Bare numbers from HAProxy are milliseconds, from nginx and most others seconds.
///
/// A number that would be too short in milliseconds is taken for seconds: `interval = 2000` comes from
/// HAProxy, `interval = 5` does not. Settings of minutes and hours have their own bound.
fn duration_of(key: &str, number: &str) -> Option<(String, String)> {
    let is_long = matches!(key, "tunnel" | "tunnels" | "exchange" | "max_age");
    let least_ms = if is_long { 10_000 } else { 100 };
    if let Ok(number) = number.parse::<u64>() {
        let (seconds, ms) = (Duration::from_secs(number), Duration::from_millis(number));
        let hint = format!(", or `\"{number}ms\"` if milliseconds are meant, as in HAProxy");
        return Some(match number {
            0 => ("0s".to_owned(), String::new()),
            number if number < least_ms => (show_duration(seconds), hint),
            _ => (show_duration(ms), String::new()),
        });
    }
    let seconds = number.parse::<f64>().ok()?;
    let is_plain = (0.001..1e6).contains(&seconds);
    is_plain.then(|| (format!("{}ms", (seconds * 1000.0).round()), String::new()))
}
