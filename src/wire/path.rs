//! The normal form of a path, in which it is compared with routes.
//!
//! Two spellings of a path that RFC 3986 §6.2.2 calls equivalent must match the same route: escapes
//! of unreserved characters are decoded, other escapes have capital digits, dot segments are
//! resolved, also escaped ones. A byte that is not allowed in a URI (`{`, `ü`) becomes its escape.
//! `%2F` stays an escape and `//` stays two slashes, because servers differ about them. `readings`
//! has what servers make of them.
//!
//! Used for matching only; the target is forwarded as received.

use std::borrow::Cow;

use super::escape::{escape, escaped_byte, has_small_digits, is_of_uri};

/// `path` in the normal form. Allocates only if that differs.
///
/// The result begins with `/`, has no segment `.` or `..`, and normalises to itself. An invalid
/// escape (`%zz`) stays, and no decoded character ever completes one. A text that neither begins
/// with `/` nor is empty is no path (`*`) and stays as it is.
pub fn normalise(path: &str) -> Cow<'_, str> {
    if path.is_empty() {
        return Cow::Borrowed("/");
    }
    if !path.starts_with('/') || is_normal(path.as_bytes()) {
        return Cow::Borrowed(path);
    }
    let mut normal = String::with_capacity(path.len());
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let start = normal.len();
        normal.push('/');
        push_decoded(&mut normal, segment);
        let end_of_parent = match &normal[start..] {
            "/." => start,
            "/.." => normal[..start].rfind('/').unwrap_or(0),
            _ => continue,
        };
        normal.truncate(end_of_parent);
        if segments.peek().is_none() {
            // `/a/b/..` is the folder `/a/`, not the file `/a`.
            normal.push('/');
        }
    }
    if normal == path {
        // `%%32e`: this escape may not be decoded.
        return Cow::Borrowed(path);
    }
    Cow::Owned(normal)
}

/// `path` with capital digits in its escapes, and with escapes for bytes that are not allowed in a
/// URI: the spelling as received, except for differences that no server makes.
pub fn with_capital_escapes(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    let is_spelled = |index: usize| is_of_uri(bytes[index]) && !has_small_digits(&bytes[index..]);
    if (0..bytes.len()).all(is_spelled) {
        return Cow::Borrowed(path);
    }
    Cow::Owned(spelled(bytes))
}

/// The same for bytes that may not be UTF-8.
pub(super) fn spelled(path: &[u8]) -> String {
    let mut spelled = String::with_capacity(path.len() + 16);
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        if let Some(escaped) = escaped_byte(rest) {
            spelled.extend(escape(escaped));
            rest = &rest[3..];
            continue;
        }
        push(&mut spelled, *byte);
        rest = after;
    }
    spelled
}

/// One scan without a write: almost every path ends here.
fn is_normal(path: &[u8]) -> bool {
    let mut previous = b'/';
    for (index, &byte) in path.iter().enumerate() {
        match byte {
            b'%' if is_unsettled(&path[index..]) => return false,
            b'.' if previous == b'/' && begins_with_dot_segment(&path[index..]) => return false,
            _ if !is_of_uri(byte) => return false,
            _ => {}
        }
        previous = byte;
    }
    true
}

pub(super) fn begins_with_dot_segment(text: &[u8]) -> bool {
    matches!(
        text,
        b"." | b".." | [b'.', b'/', ..] | [b'.', b'.', b'/', ..]
    )
}

/// Whether `text` begins with an escape that has another form.
fn is_unsettled(text: &[u8]) -> bool {
    escaped_byte(text).is_some_and(is_unreserved) || has_small_digits(text)
}

fn push_decoded(normal: &mut String, segment: &str) {
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        let Some(byte) = escaped_byte(rest) else {
            push(normal, *first);
            rest = after;
            continue;
        };
        if is_unreserved(byte) && !would_complete_an_escape(normal.as_bytes(), byte) {
            normal.push(char::from(byte));
        } else {
            normal.extend(escape(byte));
        }
        rest = &rest[3..];
    }
}

/// Appends `byte`, escaped if it is not allowed in a URI.
fn push(text: &mut String, byte: u8) {
    if is_of_uri(byte) {
        text.push(char::from(byte));
    } else {
        text.extend(escape(byte));
    }
}

/// Whether `byte`, after a `%` that began no escape, would make it one: `%%32e` must not become
/// `%2e`, which is a dot for the next server that decodes.
pub(super) fn would_complete_an_escape(before: &[u8], byte: u8) -> bool {
    byte.is_ascii_hexdigit()
        && match before {
            // A kept escape ends in two digits, so a `%` this near is a stray one.
            [.., b'%'] => true,
            [.., b'%', digit] => digit.is_ascii_hexdigit(),
            _ => false,
        }
}

/// RFC 3986 §2.3.
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equivalent_spellings_have_one_form() {
        let cases = [
            ("", "/"),
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/%61%2D%7e", "/a-~"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%20b", "/a%20b"),
            ("/.", "/"),
            ("/..", "/"),
            ("/./", "/"),
            ("/../", "/"),
            ("/../../a", "/a"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/b/../", "/a/"),
            ("/a/./b/../../c", "/c"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2e", "/a/"),
            ("/a//../b", "/a/b"),
            ("/a/..//b", "//b"),
            ("//", "//"),
            ("/...", "/..."),
            ("/.a", "/.a"),
            ("/a.", "/a."),
            ("/.well-known/x", "/.well-known/x"),
            ("/..;/a", "/..;/a"),
            ("/ü/%c3%bc", "/%C3%BC/%C3%BC"),
            ("/{\"a\"|<b>}", "/%7B%22a%22%7C%3Cb%3E%7D"),
            ("/a\\b^`", "/a%5Cb%5E%60"),
        ];
        for (path, normal) in cases {
            assert_eq!(normalise(path), normal, "{path}");
        }
    }

    #[test]
    fn an_escape_is_decoded_once() {
        let cases = [
            ("/%252e%252e/a", "/%252e%252e/a"),
            ("/%zz%2", "/%zz%2"),
            ("/%", "/%"),
            ("/%%32e", "/%%32e"),
            ("/%2%65", "/%2%65"),
            ("/%%61%32", "/%%612"),
            ("/%%7e", "/%~"),
        ];
        for (path, normal) in cases {
            assert_eq!(normalise(path), normal, "{path}");
        }
    }

    #[test]
    fn a_text_that_is_no_path_stays() {
        for text in ["*", "a/../b", "%2e"] {
            assert_eq!(normalise(text), text);
        }
    }

    #[test]
    fn a_path_in_its_form_is_borrowed() {
        for path in ["/", "/a/b.c/%2F%20", "/.well-known", "/%zz", "/%%32e", "*"] {
            assert!(matches!(normalise(path), Cow::Borrowed(_)), "{path}");
        }
    }

    #[test]
    fn capitals_are_all_that_changes() {
        let cases = [
            ("/%7e%7euser/../%2f", "/%7E%7Euser/../%2F"),
            ("/%zz%aa%", "/%zz%AA%"),
            ("/%%aaü", "/%%AA%C3%BC"),
            ("/{x}|\\", "/%7Bx%7D%7C%5C"),
            ("/a/b", "/a/b"),
        ];
        for (path, spelled) in cases {
            assert_eq!(with_capital_escapes(path), spelled, "{path}");
        }
        assert!(matches!(with_capital_escapes("/%2F%zz"), Cow::Borrowed(_)));
    }

    /// Paths made of the parts that normalisation changes.
    fn paths() -> impl Strategy<Value = String> {
        let parts = prop::sample::select(vec![
            "/", "/", ".", "..", "%2e", "%2E", "%2f", "%", "%%", "%3", "2", "e", "E", "%32", "%65",
            "%61", "%7e", "%25", "a", "ü", ";",
        ]);
        prop::collection::vec(parts, 0..12).prop_map(|parts| format!("/{}", parts.concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_form_is_its_own_form(path in paths()) {
            let normal = normalise(&path);
            prop_assert_eq!(&normalise(&normal), &normal);
            prop_assert!(matches!(normalise(&normal), Cow::Borrowed(_)));
        }

        #[test]
        fn no_dot_segment_is_left(path in paths()) {
            let normal = normalise(&path);
            prop_assert!(normal.starts_with('/'));
            for segment in normal.split('/') {
                let decoded = segment.replace("%2e", ".").replace("%2E", ".");
                prop_assert!(!matches!(decoded.as_str(), "." | ".."), "{} -> {}", path, normal);
            }
        }

        #[test]
        fn the_spelling_of_escapes_changes_no_form(path in paths()) {
            let spelled = with_capital_escapes(&path).into_owned();
            prop_assert_eq!(&with_capital_escapes(&spelled), &spelled);
            prop_assert_eq!(normalise(&spelled), normalise(&path));
        }

        #[test]
        fn any_text_has_a_form(path: String) {
            let normal = normalise(&path).into_owned();
            prop_assert_eq!(&normalise(&normal), &normal);
        }
    }
}
