//! The normalisers of HAProxy's `normalize-uri`, on the path and the query of a target.
//!
//! `proxy::rules` applies those that a rule names. Unlike [`path`](super::path), which has the form in
//! which paths are compared, these change what the server gets. Each gives HAProxy's result, but for one
//! case: no decoded character completes an escape (`/%2%65` stays, where HAProxy makes `/%2e` of it).

use super::escape::{escape, escaped_byte};
use super::path::{is_unreserved, would_complete_an_escape};

/// What happens to `..` at the beginning of a path, which has no segment before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadingDots {
    /// They stay.
    Kept,
    /// They are removed.
    Removed,
}

/// What a `%` that begins no escape means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// It stands for itself.
    Any,
    /// The text is invalid.
    Valid,
}

/// The text has a `%` that begins no escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEscape;

/// `path` without its segments `.`.
pub fn strip_dot(path: &[u8]) -> Vec<u8> {
    let mut stripped = Vec::with_capacity(path.len());
    let mut segments = path.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        if segment == b"." {
            continue;
        }
        stripped.extend_from_slice(segment);
        if segments.peek().is_some() {
            stripped.push(b'/');
        }
    }
    stripped
}

/// `path` without its segments `..`, and without the segment before each of them. A segment may be
/// empty: `/a//../b` is `/a/b`.
pub fn strip_dotdot(path: &[u8], leading: LeadingDots) -> Vec<u8> {
    let Some(rest) = path.strip_prefix(b"/") else {
        return path.to_vec();
    };
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_folder = false;
    let mut segments = rest.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b".." if kept.last().is_some_and(|last| *last != b"..") => drop(kept.pop()),
            b".." if leading == LeadingDots::Removed => {}
            b"" if is_last => {}
            segment => kept.push(segment),
        }
        is_folder = is_last && matches!(segment, b"" | b"..");
    }
    let mut stripped = vec![b'/'];
    stripped.extend_from_slice(&kept.join(&b'/'));
    if is_folder && !kept.is_empty() {
        stripped.push(b'/');
    }
    stripped
}

/// `path` with one slash in place of several.
pub fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|next, previous| *next == b'/' && *previous == b'/');
    merged
}

/// `text` with the escapes of unreserved characters (RFC 3986 §2.3) decoded.
///
/// # Errors
///
/// An escape is invalid, and `escapes` asks for valid ones.
pub fn decode_unreserved(text: &[u8], escapes: Escapes) -> Result<Vec<u8>, InvalidEscape> {
    rewritten(text, escapes, |written, byte, into| {
        match is_unreserved(byte) && !would_complete_an_escape(into, byte) {
            true => into.push(byte),
            false => into.extend_from_slice(written),
        }
    })
}

/// `text` with capital digits in its escapes.
///
/// # Errors
///
/// An escape is invalid, and `escapes` asks for valid ones.
pub fn upper_case_escapes(text: &[u8], escapes: Escapes) -> Result<Vec<u8>, InvalidEscape> {
    rewritten(text, escapes, |_, byte, into| {
        into.extend(escape(byte).map(|character| character as u8));
    })
}

/// `text`, with each escape as `write` writes it; `write` gets the escape, and the byte that it stands
/// for.
fn rewritten(
    text: &[u8],
    escapes: Escapes,
    mut write: impl FnMut(&[u8], u8, &mut Vec<u8>),
) -> Result<Vec<u8>, InvalidEscape> {
    let mut into = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        if let Some(byte) = escaped_byte(rest) {
            write(&rest[..3], byte, &mut into);
            rest = &rest[3..];
            continue;
        }
        if *first == b'%' && escapes == Escapes::Valid {
            return Err(InvalidEscape);
        }
        into.push(*first);
        rest = after;
    }
    Ok(into)
}

/// `query` with its parameters in the order of their names. Those of one name keep their order.
pub fn sort_by_name(query: &[u8]) -> Vec<u8> {
    // As in HAProxy, `&` at the end ends no parameter.
    let query = query.strip_suffix(b"&").unwrap_or(query);
    let mut parameters: Vec<&[u8]> = query.split(|byte| *byte == b'&').collect();
    parameters.sort_by_key(|parameter| {
        let name = parameter.split(|byte| *byte == b'=').next();
        name.unwrap_or_default()
    });
    parameters.join(&b'&')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn results(rewrite: impl Fn(&[u8]) -> Vec<u8>, cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            let found = rewrite(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), *expected, "{text}");
        }
    }

    // The results of HAProxy 2.6.
    #[test]
    fn paths_lose_their_dots_as_in_haproxy() {
        results(
            strip_dot,
            &[
                ("/./a", "/a"),
                ("/a/.", "/a/"),
                ("/.", "/"),
                ("/a/././b", "/a/b"),
                ("/.a/b./...", "/.a/b./..."),
                ("//./", "//"),
            ],
        );
        let kept = [
            ("/a/../b", "/b"),
            ("/foo/..", "/"),
            ("/foo/bar/..", "/foo/"),
            ("/..", "/../"),
            ("/../a/../b", "/../b"),
            ("/bar/../..", "/../"),
            ("/foo//../", "/foo/"),
            ("/foo//..", "/foo/"),
            ("//..", "/"),
            ("//../a", "/a"),
            ("/a//../../b", "/b"),
            ("/a/b/../../../c", "/../c"),
            ("/a/..//b", "//b"),
            ("/a/../../..", "/../../"),
            ("/...", "/..."),
            ("/a/", "/a/"),
            ("/", "/"),
            ("*", "*"),
        ];
        results(|path| strip_dotdot(path, LeadingDots::Kept), &kept);
        let removed = [
            ("/..", "/"),
            ("/../..", "/"),
            ("/../a/../b", "/b"),
            ("/bar/../../", "/"),
            ("/a/b/../../../c", "/c"),
            ("/a/..//b", "//b"),
        ];
        results(|path| strip_dotdot(path, LeadingDots::Removed), &removed);
        results(merge_slashes, &[("//a///b//", "/a/b/"), ("/a/b", "/a/b")]);
    }

    #[test]
    fn escapes_are_rewritten_as_in_haproxy() {
        let decode = |text: &[u8]| decode_unreserved(text, Escapes::Any).expect("any");
        results(
            decode,
            &[
                ("/%61%2d%7E", "/a-~"),
                ("/%2f%2F", "/%2f%2F"),
                ("/%zz%", "/%zz%"),
                ("/a?b=%61%2f", "/a?b=a%2f"),
                ("/%25%36%31", "/%2561"),
                // HAProxy makes an escape of these: the next server would read a dot.
                ("/%2%65", "/%2%65"),
                ("/%%61", "/%%61"),
            ],
        );
        let upper = |text: &[u8]| upper_case_escapes(text, Escapes::Any).expect("any");
        results(upper, &[("/%61%2d?%c3", "/%61%2D?%C3"), ("/%zz", "/%zz")]);
        for text in ["/%zz", "/%", "/%4", "/%%61"] {
            let text = text.as_bytes();
            assert_eq!(decode_unreserved(text, Escapes::Valid), Err(InvalidEscape));
            assert_eq!(upper_case_escapes(text, Escapes::Valid), Err(InvalidEscape));
        }
    }

    #[test]
    fn parameters_are_sorted_as_in_haproxy() {
        let cases = [
            ("c=3&a=1&b=2", "a=1&b=2&c=3"),
            ("aaa=3&a=1&aa=2", "a=1&aa=2&aaa=3"),
            ("a=3&b=4&a=1&b=5&a=2", "a=3&a=1&a=2&b=4&b=5"),
            ("b&a=1&a", "a=1&a&b"),
            ("b=1&&a=2", "&a=2&b=1"),
            ("a=1?&A=2&%61=3", "%61=3&A=2&a=1?"),
            ("b=1&a=2&", "a=2&b=1"),
            ("", ""),
        ];
        results(sort_by_name, &cases);
    }

    proptest! {
        #[test]
        fn no_segment_of_dots_is_left(path in "/[a./]{0,12}") {
            let stripped = strip_dot(path.as_bytes());
            prop_assert!(!stripped.split(|byte| *byte == b'/').any(|segment| segment == b"."));
            let stripped = strip_dotdot(path.as_bytes(), LeadingDots::Removed);
            prop_assert!(stripped.starts_with(b"/"));
            prop_assert!(!stripped.split(|byte| *byte == b'/').any(|segment| segment == b".."));
        }
    }
}
