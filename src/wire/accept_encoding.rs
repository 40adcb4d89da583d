//! `Accept-Encoding`: how much a client wants a content coding (RFC 9110 §12.5.3).

use http::HeaderValue;

/// The weight that a client gives a coding: 0 (refused) to 1000.
pub type Weight = u16;

/// The weight of each of `codings` in the field lines `values`, and that of `identity`, if one is
/// written.
///
/// A coding that is not listed has the weight of `*`, and without `*` it is refused. An item that
/// cannot be parsed is ignored. Of a coding that is listed twice, the first item counts.
pub fn weights<'a, const N: usize>(
    values: impl Iterator<Item = &'a HeaderValue>,
    codings: [&str; N],
) -> ([Weight; N], Option<Weight>) {
    let mut found = [None; N];
    let (mut identity, mut any) = (None, None);
    for item in values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')) {
        let Some((name, weight)) = parse(item) else {
            continue;
        };
        let name = match name.eq_ignore_ascii_case(b"x-gzip") {
            true => b"gzip",
            false => name,
        };
        let slot = if name == b"*" {
            &mut any
        } else if name.eq_ignore_ascii_case(b"identity") {
            &mut identity
        } else if let Some(index) = codings
            .iter()
            .position(|coding| name.eq_ignore_ascii_case(coding.as_bytes()))
        {
            &mut found[index]
        } else {
            continue;
        };
        slot.get_or_insert(weight);
    }
    let others = any.unwrap_or(0);
    (found.map(|weight| weight.unwrap_or(others)), identity)
}

/// The name and the weight of one item.
fn parse(item: &[u8]) -> Option<(&[u8], Weight)> {
    let mut parts = item.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let mut weight = 1000;
    for part in parts {
        let value = match part {
            [b'q' | b'Q', rest @ ..] => rest.trim_ascii_start().strip_prefix(b"=")?,
            _ => return None,
        };
        weight = parse_weight(value.trim_ascii_start())?;
    }
    Some((name, weight))
}

/// RFC 9110 §12.4.2: 0 or 1, with up to three digits after the point.
pub(super) fn parse_weight(text: &[u8]) -> Option<Weight> {
    let (&whole, rest) = text.split_first()?;
    let digits = match rest {
        [] => &[][..],
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut weight = match whole {
        b'0' => 0,
        b'1' => 1,
        _ => return None,
    };
    for index in 0..3 {
        let digit = digits.get(index).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        weight = weight * 10 + Weight::from(digit - b'0');
    }
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&'static str]) -> ([Weight; 2], Option<Weight>) {
        let values: Vec<_> = lines
            .iter()
            .map(|line| HeaderValue::from_static(line))
            .collect();
        weights(values.iter(), ["gzip", "br"])
    }

    #[test]
    fn each_coding_has_the_weight_that_the_client_gives_it() {
        let cases: [(&[&'static str], [Weight; 2]); 18] = [
            (&[], [0, 0]),
            (&[""], [0, 0]),
            (&["gzip"], [1000, 0]),
            (&["GZIP, Br"], [1000, 1000]),
            (&["x-gzip"], [1000, 0]),
            (&["gzip;q=0.5 , br ; q = 0.123"], [500, 123]),
            (&["gzip;Q=1.000"], [1000, 0]),
            (&["gzip;q=0"], [0, 0]),
            (&["*"], [1000, 1000]),
            (&["gzip;q=0, *;q=0.2"], [0, 200]),
            (&["*;q=0, br"], [0, 1000]),
            (&["deflate", "br;q=0.1"], [0, 100]),
            (&["gzip;q=0, gzip"], [0, 0]),
            // What is not a weight is not taken for one.
            (&["gzip;q=2"], [0, 0]),
            (&["gzip;q=1.001"], [0, 0]),
            (&["gzip;q=0.1234"], [0, 0]),
            (&["gzip;q=.5, br;q=x"], [0, 0]),
            (&["gzip;level=3"], [0, 0]),
        ];
        for (lines, expected) in cases {
            assert_eq!(of(lines).0, expected, "{lines:?}");
        }
    }

    #[test]
    fn identity_has_a_weight_only_if_it_is_written() {
        assert_eq!(of(&["gzip"]).1, None);
        assert_eq!(of(&["*;q=0"]).1, None);
        assert_eq!(of(&["identity, gzip;q=0.5"]).1, Some(1000));
    }
}
