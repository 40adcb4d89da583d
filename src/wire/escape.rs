//! Percent-encoding (RFC 3986 §2.1), for the parsers of this room and for targets that rules write.

/// The byte that the escape at the beginning of `text` stands for; `None`: no escape begins there.
pub(super) fn escaped_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = *text else {
        return None;
    };
    Some(hex_digit(high)? << 4 | hex_digit(low)?)
}

/// Whether `text` begins with an escape that has a small letter in it.
pub(super) fn has_small_digits(text: &[u8]) -> bool {
    escaped_byte(text).is_some() && text[1..3].iter().any(u8::is_ascii_lowercase)
}

/// Whether `byte` is allowed unescaped in a URI (RFC 3986 §2). A byte that is not allowed means the
/// same as its escape.
pub(crate) fn is_of_uri(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

/// The escape of `byte`, with capital digits.
pub(crate) fn escape(byte: u8) -> [char; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 0xf)]);
    ['%', digit(byte >> 4), digit(byte)]
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_stands_for_its_byte() {
        for byte in 0..=255 {
            let text: String = escape(byte).into_iter().collect();
            assert_eq!(escaped_byte(text.as_bytes()), Some(byte));
            assert!(!has_small_digits(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn only_two_hexadecimal_digits_make_an_escape() {
        assert_eq!(escaped_byte(b"%2fx"), Some(b'/'));
        assert_eq!(escaped_byte(b"%fF"), Some(0xff));
        for text in ["", "%", "%2", "%2g", "%g2", "2f", "%+2", "x%2f"] {
            assert_eq!(escaped_byte(text.as_bytes()), None, "{text}");
        }
    }
}
