//! `Content-Length`: one number, however often and with however many zeros it was written.
//!
//! `http::admit` uses it for requests, `forward` for answers. A peer after us must read the same
//! length as we do: a list, a sign, or a leading zero can be read in several ways.
//!
//! RFC 9110 §8.6.

use std::fmt;

use http::header::{self, HeaderMap, HeaderValue};

/// The longest length: longer ones do not fit into the signed 64-bit number that most servers use.
/// nginx refuses them as well.
const MOST: u64 = i64::MAX as u64;

/// The field is no length: empty, signed, not decimal, too large, or several that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoLength;

/// Whether equal lengths are allowed in one line, separated by commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// In an answer: RFC 9110 §8.6 allows a recipient to join them.
    Allowed,
    /// In a request: it is refused, not repaired.
    Refused,
}

/// Replaces all lengths in `headers` by a single one in canonical form. Returns it; `None`: there
/// is none.
///
/// # Errors
///
/// [`NoLength`]; the fields are then as they were.
pub fn settle(headers: &mut HeaderMap, lists: Lists) -> Result<Option<u64>, NoLength> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let length = length_of(first, lists)?;
    let mut is_canonical = is_canonical(first);
    for value in values {
        if length_of(value, lists)? != length {
            return Err(NoLength);
        }
        is_canonical = false;
    }
    if !is_canonical {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(Some(length))
}

fn length_of(value: &HeaderValue, lists: Lists) -> Result<u64, NoLength> {
    if lists == Lists::Refused {
        return number(value.as_bytes());
    }
    let mut parts = value.as_bytes().split(|&byte| byte == b',');
    let first = number(parts.next().unwrap_or_default().trim_ascii())?;
    let is_same = |part: &[u8]| number(part.trim_ascii()) == Ok(first);
    parts.all(is_same).then_some(first).ok_or(NoLength)
}

/// Not by `str::parse`, which takes `+5`.
fn number(digits: &[u8]) -> Result<u64, NoLength> {
    let append = |number: u64, &byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        let number = number.checked_mul(10)?.checked_add(digit)?;
        (number <= MOST).then_some(number)
    };
    match digits {
        [] => Err(NoLength),
        _ => digits.iter().try_fold(0, append).ok_or(NoLength),
    }
}

/// Whether the number is in canonical form.
fn is_canonical(value: &HeaderValue) -> bool {
    match value.as_bytes() {
        [b'0', _, ..] => false,
        bytes => bytes.iter().all(u8::is_ascii_digit),
    }
}

impl fmt::Display for NoLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("content-length is not one decimal number")
    }
}

impl std::error::Error for NoLength {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settled(values: &[&str], lists: Lists) -> Result<Vec<String>, NoLength> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_str(value).expect("a value");
            headers.append(header::CONTENT_LENGTH, value);
        }
        settle(&mut headers, lists)?;
        let left = headers.get_all(header::CONTENT_LENGTH);
        Ok(left
            .iter()
            .map(|value| value.to_str().expect("text").to_owned())
            .collect())
    }

    #[test]
    fn a_length_has_one_form() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&[], &[]),
            (&["0"], &["0"]),
            (&["5"], &["5"]),
            (&["05"], &["5"]),
            (&["000"], &["0"]),
            (&["5", "5"], &["5"]),
            (&["5", "005"], &["5"]),
            (&["00000000000000000000000000005"], &["5"]),
        ];
        for (values, left) in cases {
            let left: Vec<String> = left.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(
                settled(values, Lists::Refused),
                Ok(left.clone()),
                "{values:?}"
            );
            assert_eq!(settled(values, Lists::Allowed), Ok(left), "{values:?}");
        }
    }

    #[test]
    fn the_longest_length_is_one() {
        for lists in [Lists::Refused, Lists::Allowed] {
            let longest = settled(&["9223372036854775807"], lists);
            assert_eq!(longest, Ok(vec!["9223372036854775807".to_owned()]));
        }
    }

    #[test]
    fn an_invalid_length_is_refused() {
        let cases: [&[&str]; 15] = [
            &[""],
            &["+5"],
            &["-5"],
            &["0x5"],
            &["5 5"],
            &["5."],
            &["9223372036854775808"],
            &["09223372036854775808"],
            &["18446744073709551615"],
            &["18446744073709551616"],
            &["5", "6"],
            &["5", ""],
            &["", "5"],
            &["5,6"],
            &["5,"],
        ];
        for values in cases {
            for lists in [Lists::Refused, Lists::Allowed] {
                assert_eq!(
                    settled(values, lists),
                    Err(NoLength),
                    "{values:?} {lists:?}"
                );
            }
        }
    }

    #[test]
    fn equal_lengths_in_one_line_are_one_in_an_answer_alone() {
        let one = Ok(vec!["5".to_owned()]);
        assert_eq!(settled(&["5, 5"], Lists::Allowed), one);
        assert_eq!(settled(&["5,05", "5"], Lists::Allowed), one);
        assert_eq!(settled(&["5, 5"], Lists::Refused), Err(NoLength));
    }

    proptest! {
        #[test]
        fn every_number_is_its_own_form(number in 0..=MOST, zeros in 0_usize..4) {
            let written = format!("{}{number}", "0".repeat(zeros));
            prop_assert_eq!(settled(&[&written], Lists::Refused), Ok(vec![number.to_string()]));
        }

        #[test]
        fn any_value_is_settled_or_refused(value in "[0-9, +x-]{0,12}") {
            for lists in [Lists::Refused, Lists::Allowed] {
                if let Ok(left) = settled(&[&value], lists) {
                    prop_assert_eq!(left.len(), 1);
                    prop_assert!(left[0].parse::<u64>().is_ok());
                }
            }
        }
    }
}
