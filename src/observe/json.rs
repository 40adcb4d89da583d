//! JSON strings, for log lines (RFC 8259 §7).
//!
//! Logs are read in terminals too, and their texts come from foreign requests: only visible ASCII
//! is written, so that no byte of a request can move a cursor or begin a line.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    append(text, out);
    out.push(b'"');
}

fn append(text: &[u8], out: &mut Vec<u8>) {
    if is_all_plain(text) {
        out.extend_from_slice(text);
    } else {
        escaped(text, out);
    }
}

/// Whether no byte needs an escape. Nearly always so: without a branch for each byte the compiler
/// looks at many of them at once.
pub(super) fn is_all_plain(text: &[u8]) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
    text.iter()
        .fold(true, |so_far, &byte| so_far & is_plain(byte))
}

fn escaped(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                ' '..='~' => out.push(character as u8),
                other => units(other, out),
            }
        }
        if !chunk.invalid().is_empty() {
            units(char::REPLACEMENT_CHARACTER, out);
        }
    }
}

/// `\u` with four digits; two of them for a character beyond the basic plane.
fn units(character: char, out: &mut Vec<u8>) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            out.push(HEX[usize::from(*unit >> shift & 0xf)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &[u8]) -> String {
        let mut out = Vec::new();
        string(text, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn characters_that_end_a_string_or_move_a_cursor_are_escaped() {
        assert_eq!(written(b"/a?b=c"), "\"/a?b=c\"");
        assert_eq!(written(b"a\"b"), r#""a\"b""#);
        assert_eq!(written(b"a\\b"), r#""a\\b""#);
        assert_eq!(written(b"\"\\\n\r\t"), r#""\"\\\n\r\t""#);
        assert_eq!(written(b"\x1b[2J\x7f\0"), r#""\u001b[2J\u007f\u0000""#);
        assert_eq!(
            written("\u{9b}é😀".as_bytes()),
            r#""\u009b\u00e9\ud83d\ude00""#
        );
        assert_eq!(written(b"a\xffb"), r#""a\ufffdb""#);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_back_as_they_were(bytes: Vec<u8>) {
            let text = written(&bytes);
            prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let read: String = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
        }
    }
}
