//! Quantities with a unit, as people write them: `"250ms"`, `"64KiB"`.
//!
//! A bare number is an error that says so: HAProxy's `5` means milliseconds, nginx's means seconds,
//! and each of them has caused outages. Only whole numbers; units may be chained for durations
//! (`"1m30s"`).

use std::fmt;
use std::time::Duration;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnitError {
    /// Digits without a unit.
    NoUnit,
    /// No digits where digits must be.
    NoNumber,
    /// A unit that is none of ours.
    UnknownUnit(String),
    /// The number does not fit into 64 bits.
    TooLarge,
}

const DURATION_UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

/// Parses a duration, to the microsecond.
///
/// # Errors
///
/// [`UnitError`], in the order in which a reader would notice the mistakes.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut total: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(UnitError::NoNumber);
    }
    while !rest.is_empty() {
        let (value, unit, after) = number_and_unit(rest)?;
        let factor = factor_of(&DURATION_UNITS, unit)?;
        let micros = value.checked_mul(factor).ok_or(UnitError::TooLarge)?;
        total = total.checked_add(micros).ok_or(UnitError::TooLarge)?;
        rest = after;
    }
    Ok(Duration::from_micros(total))
}

/// Parses a size.
///
/// # Errors
///
/// [`UnitError`], in the order in which a reader would notice the mistakes.
pub(crate) fn parse_size(text: &str) -> Result<ByteSize, UnitError> {
    let (value, unit, after) = number_and_unit(text.trim())?;
    if !after.is_empty() {
        return Err(UnitError::UnknownUnit(format!("{unit}{after}")));
    }
    let factor = factor_of(&SIZE_UNITS, unit)?;
    value
        .checked_mul(factor)
        .map(ByteSize)
        .ok_or(UnitError::TooLarge)
}

/// `duration` as [`parse_duration`] reads it, with the largest unit that leaves no fraction.
pub(crate) fn show_duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    let fitting = DURATION_UNITS
        .iter()
        .rev()
        .find(|(_, factor)| micros != 0 && micros.is_multiple_of(u128::from(*factor)));
    match fitting {
        Some((unit, factor)) => format!("{}{unit}", micros / u128::from(*factor)),
        None => "0s".to_owned(),
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = SIZE_UNITS
            .iter()
            .filter(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor))
            .max_by_key(|(_, factor)| *factor);
        match fitting {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "0B"),
        }
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUnit => f.write_str("has no unit"),
            Self::NoNumber => f.write_str("does not begin with a number"),
            Self::UnknownUnit(unit) => write!(f, "has the unknown unit `{unit}`"),
            Self::TooLarge => f.write_str("is too large"),
        }
    }
}

fn number_and_unit(text: &str) -> Result<(u64, &str, &str), UnitError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(UnitError::NoNumber);
    }
    let value = text[..digits].parse().map_err(|_| UnitError::TooLarge)?;
    let rest = text[digits..].trim_start();
    let letters = rest
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(rest.len());
    if rest.is_empty() {
        return Err(UnitError::NoUnit);
    }
    Ok((value, rest[..letters].trim_end(), &rest[letters..]))
}

fn factor_of(units: &[(&str, u64)], unit: &str) -> Result<u64, UnitError> {
    units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor)
        .ok_or_else(|| UnitError::UnknownUnit(unit.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        let cases = [
            ("250ms", Duration::from_millis(250)),
            ("1m30s", Duration::from_secs(90)),
            ("2 h", Duration::from_secs(7200)),
            ("0s", Duration::ZERO),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_refused_as_such() {
        assert_eq!(parse_duration("5"), Err(UnitError::NoUnit));
        assert_eq!(parse_size("5"), Err(UnitError::NoUnit));
    }

    #[test]
    fn an_invalid_quantity_has_its_error() {
        assert_eq!(parse_duration(""), Err(UnitError::NoNumber));
        assert_eq!(parse_duration("s"), Err(UnitError::NoNumber));
        assert_eq!(
            parse_duration("15min"),
            Err(UnitError::UnknownUnit("min".to_owned()))
        );
        assert_eq!(
            parse_duration("99999999999999999999s"),
            Err(UnitError::TooLarge)
        );
        assert_eq!(
            parse_size("5KiB3"),
            Err(UnitError::UnknownUnit("KiB3".to_owned()))
        );
    }

    #[test]
    fn a_shown_quantity_parses_to_itself() {
        for text in ["250ms", "90s", "1d", "7us", "0s"] {
            let duration = parse_duration(text).expect("a duration");
            assert_eq!(show_duration(duration), text);
        }
        for text in ["64KiB", "10MB", "1GiB", "0B", "7B"] {
            let size = parse_size(text).expect("a size");
            assert_eq!(size.to_string(), text);
        }
    }
}
