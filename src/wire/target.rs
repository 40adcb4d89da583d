//! Escapes characters that clients send in a target, although a URI must not contain them.
//!
//! Browsers escape them, many other clients do not (JSON in a query, `$filter=Price>10` of OData),
//! and HAProxy and nginx forward them. The characters that our libraries do not accept in a target are
//! escaped, in path and query alike; the others (`{`, `}`, `|`, `\`, `^`, `[`, `]`) stay as received.

use super::escape::escape;

/// `target` with escapes for `"`, `<`, `>`, `` ` `` and all bytes that are not ASCII; `None`: it has none
/// of them, and nothing is copied.
pub(crate) fn escaped(target: &[u8]) -> Option<Vec<u8>> {
    let first = target.iter().position(|&byte| must_be_escaped(byte))?;
    let mut escaped = target[..first].to_vec();
    for &byte in &target[first..] {
        if must_be_escaped(byte) {
            escaped.extend(escape(byte).map(|character| character as u8));
        } else {
            escaped.push(byte);
        }
    }
    Some(escaped)
}

fn must_be_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'`' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_characters_that_cannot_be_carried_are_escaped() {
        let target = "/a\"b?c=<é>`";
        let expected = Some(b"/a%22b?c=%3C%C3%A9%3E%60".to_vec());
        assert_eq!(escaped(target.as_bytes()), expected);
        assert_eq!(escaped(b"/\xff").as_deref(), Some(&b"/%FF"[..]));
        let plain: Vec<u8> = (b'!'..=b'~')
            .filter(|&byte| !must_be_escaped(byte))
            .collect();
        assert_eq!(plain.len(), 94 - 4);
        assert_eq!(escaped(&plain), None);
    }
}
