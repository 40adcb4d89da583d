//! The paths that different servers may take one request path for.
//!
//! A proxy chooses a route by one reading of a path; the server behind it may have another: nginx
//! decodes `%2F` and merges slashes, Tomcat takes off `;parameters`, a browser's URL parser turns
//! `\` into `/`. Each of them may pass the request to another server, which reads the path in its
//! own way. The router asks for all readings, and refuses a path whose readings do not all lead to
//! the same route. Nothing here is forwarded.
//!
//! This is no list of servers. Each change that some server makes is a step; a reading is the
//! result of any steps in any order. So chains of servers are covered, and unknown servers that
//! make only known changes. `proxy/route/servers.rs` has models of real servers, and tests compare
//! them with the readings.
//!
//! Prior art: Orange Tsai, "Breaking Parser Logic" (2018), for what differs between servers.

use std::borrow::Cow;

use super::escape::{escaped_byte, is_of_uri};
use super::path::{begins_with_dot_segment, is_unreserved, spelled};

/// The most readings that are looked at. Ordinary paths have fewer than ten; a path with more than
/// this was built to have them.
const READINGS_MAX: usize = 64;

/// The most bytes of all readings together: bounds the cost of a long path.
const BYTES_MAX: usize = 128 << 10;

/// How often a path is decoded: once by a server, and once more by a server behind it, or by an
/// application that decodes again.
const DECODED_MAX: u8 = 2;

/// One change that servers make to a path. `None`: it changes nothing.
type Step = fn(&[u8]) -> Option<Vec<u8>>;

/// Steps that do not count as decoding.
const STEPS: [Step; 8] = [
    decode_unreserved,
    without_parameters,
    with_slashes_for_backslashes,
    merge_slashes,
    resolve_dots,
    without_authority,
    cut_at_nul,
    cut_at_query,
];

/// Steps that decode escapes. Each path passes at most `DECODED_MAX` of them.
const DECODERS: [Step; 2] = [decode, decode_leniently];

/// A path after some steps, and how often it was decoded.
struct Reading {
    text: Vec<u8>,
    decoded: u8,
}

/// Whether `path` is in its normal form and all servers read it alike. One scan; true for almost
/// every path.
pub fn has_only_one(path: &str) -> bool {
    let path = path.as_bytes();
    let mut previous = 0;
    for (index, &byte) in path.iter().enumerate() {
        match byte {
            b'/' if previous == b'/' => return false,
            b'.' if previous == b'/' && begins_with_dot_segment(&path[index..]) => return false,
            b'%' if !is_settled(&path[index..]) => return false,
            b';' | b'?' | b'#' => return false,
            _ if !is_of_uri(byte) => return false,
            _ => {}
        }
        previous = byte;
    }
    true
}

/// Whether `holds` is true of everything that servers may read in `path`, the path as received
/// included. Also false if there are more than `READINGS_MAX`.
///
/// `holds` gets the spelling of [`with_capital_escapes`](super::path::with_capital_escapes).
pub fn all(path: &str, mut holds: impl FnMut(&str) -> bool) -> bool {
    let mut readings = vec![Reading {
        text: path.as_bytes().to_vec(),
        decoded: 0,
    }];
    let mut bytes = 0;
    let mut next = 0;
    while let Some(Reading { text, decoded }) = readings.get(next) {
        if !holds(&spelled(text)) {
            return false;
        }
        let decoded = *decoded;
        let once = STEPS.iter().map(|step| (step, decoded));
        let decoders = if decoded < DECODED_MAX {
            &DECODERS[..]
        } else {
            &[]
        };
        let again = decoders.iter().map(|step| (step, decoded + 1));
        let made: Vec<Reading> = once
            .chain(again)
            .filter_map(|(step, decoded)| step(text).map(|text| Reading { text, decoded }))
            .collect();
        for reading in made {
            if readings.iter().any(|known| known.text == reading.text) {
                continue;
            }
            bytes += reading.text.len();
            if readings.len() == READINGS_MAX || bytes > BYTES_MAX {
                return false;
            }
            readings.push(reading);
        }
        next += 1;
    }
    true
}

/// `path` as a server takes it that ignores case, and dots and spaces at the end of a segment:
/// ASP.NET, Express, files on Windows. Allocates only if the result differs.
pub fn folded(path: &str) -> Cow<'_, str> {
    if is_folded(path.as_bytes()) {
        return Cow::Borrowed(path);
    }
    let mut folded = String::with_capacity(path.len());
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let mut name = segment;
        while let Some(shorter) = name.strip_suffix('.').or(name.strip_suffix("%20")) {
            name = shorter;
        }
        folded.push_str(name);
        // A segment of dots and spaces alone disappears.
        let is_gone = name.is_empty() && !segment.is_empty();
        if segments.peek().is_some() && !is_gone {
            folded.push('/');
        }
    }
    folded.make_ascii_lowercase();
    Cow::Owned(folded)
}

/// `path` without its last slash. `None`: it has none, or is `/`.
pub fn without_last_slash(path: &str) -> Option<&str> {
    path.strip_suffix('/').filter(|shorter| !shorter.is_empty())
}

/// Whether `is_met` holds for the [`folded`] path, with or without its last slash.
///
/// `is_met` gets a path, and other spellings that such a server takes for the same.
pub fn any_folded(path: &str, mut is_met: impl FnMut(&str, &[&str]) -> bool) -> bool {
    let folded = folded(path);
    if is_met(&folded, &[path]) {
        return true;
    }
    match without_last_slash(&folded) {
        Some(shorter) => is_met(shorter, &[path, &folded]),
        None if folded.ends_with('/') || !folded.starts_with('/') => false,
        None => is_met(&folded, &[path, &format!("{folded}/")]),
    }
}

/// May return false for a folded path; never returns true for another.
fn is_folded(path: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in path {
        if byte.is_ascii_uppercase() || byte == b'%' || (previous, byte) == (b'.', b'/') {
            return false;
        }
        previous = byte;
    }
    previous != b'.'
}

/// Whether all servers read the escape at the beginning of `text` alike: it stands for a byte that
/// must be escaped in a URI, or it is no escape.
fn is_settled(text: &[u8]) -> bool {
    let Some(byte) = escaped_byte(text) else {
        return !matches!(text, [b'%', b'u' | b'U', ..]);
    };
    let is_capital = !text[1..3].iter().any(u8::is_ascii_lowercase);
    is_capital && !is_of_uri(byte) && byte != b'\\' && byte != 0 && !may_be_overlong(text, byte)
}

/// Whether the escapes at the beginning of `text` may be overlong UTF-8 (RFC 3629 §3). `lead` is
/// the first byte.
fn may_be_overlong(text: &[u8], lead: u8) -> bool {
    let second = escaped_byte(&text[3..]);
    match lead {
        0xc0 | 0xc1 => true,
        0xe0 => !matches!(second, Some(0xa0..=0xbf)),
        0xf0 => !matches!(second, Some(0x90..=0xbf)),
        _ => false,
    }
}

/// Replaces each part of `path` that `decoded` recognizes: it returns a byte and the length of the
/// text that the byte replaces. `None`: there is no such part.
fn replaced(path: &[u8], decoded: impl Fn(&[u8]) -> Option<(u8, usize)>) -> Option<Vec<u8>> {
    let first = (0..path.len()).find(|&index| decoded(&path[index..]).is_some())?;
    let mut text = path[..first].to_vec();
    let mut rest = &path[first..];
    while let [byte, after @ ..] = rest {
        match decoded(rest) {
            Some((byte, length)) => {
                text.push(byte);
                rest = &rest[length..];
            }
            None => {
                text.push(*byte);
                rest = after;
            }
        }
    }
    Some(text)
}

fn decode_unreserved(path: &[u8]) -> Option<Vec<u8>> {
    replaced(path, |text| {
        let byte = escaped_byte(text).filter(|&byte| is_unreserved(byte))?;
        Some((byte, 3))
    })
}

fn decode(path: &[u8]) -> Option<Vec<u8>> {
    replaced(path, |text| Some((escaped_byte(text)?, 3)))
}

/// Also decodes what RFC 3986 does not define: `%u002f` of old browsers, and overlong UTF-8
/// (`%c0%af`), which RFC 3629 §3 forbids.
fn decode_leniently(path: &[u8]) -> Option<Vec<u8>> {
    let decoded = replaced(path, |text| match text {
        [b'%', b'u' | b'U', b'0', b'0', digits @ ..] => {
            let [high, low, ..] = *digits else {
                return None;
            };
            let byte = escaped_byte(&[b'%', high, low])?;
            byte.is_ascii().then_some((byte, 6))
        }
        _ => Some((escaped_byte(text)?, 3)),
    });
    let decoded = decoded.as_deref().unwrap_or(path);
    let shortened = replaced(decoded, |text| {
        let (high, low, length) = match *text {
            [high @ (0xc0 | 0xc1), low, ..] => (high, low, 2),
            [0xe0, high @ (0x80 | 0x81), low, ..] => (high, low, 3),
            [0xf0, 0x80, high @ (0x80 | 0x81), low, ..] => (high, low, 4),
            _ => return None,
        };
        let is_tail = low & 0xc0 == 0x80;
        is_tail.then_some(((high & 1) << 6 | low & 0x3f, length))
    });
    let made = shortened.unwrap_or_else(|| decoded.to_vec());
    (made != path).then_some(made)
}

/// Removes from each segment what follows a `;` (RFC 3986 §3.3), as servlet containers do.
fn without_parameters(path: &[u8]) -> Option<Vec<u8>> {
    if !path.contains(&b';') {
        return None;
    }
    let segments = path.split(|&byte| byte == b'/');
    let names = segments.map(|segment| segment.split(|&byte| byte == b';').next().unwrap_or(&[]));
    Some(names.collect::<Vec<_>>().join(&b'/'))
}

/// Turns `\` into `/`, as the URL parser of browsers and Node (WHATWG URL) and servers on Windows
/// do.
fn with_slashes_for_backslashes(path: &[u8]) -> Option<Vec<u8>> {
    replaced(path, |text| text.starts_with(b"\\").then_some((b'/', 1)))
}

fn merge_slashes(path: &[u8]) -> Option<Vec<u8>> {
    if !path.windows(2).any(|pair| pair == b"//") {
        return None;
    }
    let mut merged = path.to_vec();
    merged.dedup_by(|next, before| *next == b'/' && *before == b'/');
    Some(merged)
}

/// Resolves dot segments (RFC 3986 §5.2.4), also those with `%2e`.
fn resolve_dots(path: &[u8]) -> Option<Vec<u8>> {
    let is_dot = |segment: &[u8]| matches!(segment.to_ascii_lowercase().as_slice(), b"." | b"%2e");
    let is_parent = |segment: &[u8]| {
        matches!(
            segment.to_ascii_lowercase().as_slice(),
            b".." | b".%2e" | b"%2e." | b"%2e%2e"
        )
    };
    let segments = || path[1.min(path.len())..].split(|&byte| byte == b'/');
    // The longest of them has six bytes.
    let may_be_dots =
        |segment: &&[u8]| segment.len() <= 6 && (is_dot(segment) || is_parent(segment));
    if !segments().any(|segment| may_be_dots(&segment)) {
        return None;
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_folder = false;
    for segment in segments() {
        is_folder = may_be_dots(&segment);
        if !is_folder {
            kept.push(segment);
        } else if is_parent(segment) {
            kept.pop();
        }
    }
    if is_folder {
        kept.push(&[]);
    }
    Some([b"/", kept.join(&b'/').as_slice()].concat())
}

/// `//name/a` is a reference to the host `name` (RFC 3986 §4.2). A server that resolves the target
/// against its own address reads it so.
fn without_authority(path: &[u8]) -> Option<Vec<u8>> {
    if !path.starts_with(b"//") {
        return None;
    }
    let is_slash = |&byte: &u8| byte == b'/';
    let name = path.iter().position(|byte| !is_slash(byte));
    let after = name.and_then(|name| {
        let end = path[name..].iter().position(is_slash)?;
        path.get(name + end + 1..)
    });
    Some([b"/", after.unwrap_or_default()].concat())
}

/// Cuts at NUL, as a server does that keeps paths in C strings.
fn cut_at_nul(path: &[u8]) -> Option<Vec<u8>> {
    cut_at(path, |byte| byte == 0)
}

/// Cuts at a `?` or `#` that was an escape, as an application does that gets the decoded path.
fn cut_at_query(path: &[u8]) -> Option<Vec<u8>> {
    cut_at(path, |byte| matches!(byte, b'?' | b'#'))
}

fn cut_at(path: &[u8], is_end: impl Fn(u8) -> bool) -> Option<Vec<u8>> {
    let end = path.iter().position(|&byte| is_end(byte))?;
    Some(path[..end].to_vec())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::path::{normalise, with_capital_escapes};

    fn readings(path: &str) -> Option<BTreeSet<String>> {
        let mut seen = BTreeSet::new();
        let are_all = all(path, |reading| {
            seen.insert(reading.to_owned());
            true
        });
        are_all.then_some(seen)
    }

    #[test]
    fn each_thing_that_servers_do_makes_a_reading() {
        let cases: [(&str, &[&str]); 21] = [
            ("/a", &["/a"]),
            ("/a//b", &["/a//b", "/a/b"]),
            ("//a/b", &["//a/b", "/a/b", "/b"]),
            ("//a", &["//a", "/a", "/"]),
            ("/a%2fb", &["/a%2Fb", "/a/b"]),
            ("/a%252Fb", &["/a%252Fb", "/a%2Fb", "/a/b"]),
            ("/a%25252Fb", &["/a%25252Fb", "/a%252Fb", "/a%2Fb"]),
            ("/a\\b", &["/a%5Cb", "/a/b"]),
            ("/a%5cb", &["/a%5Cb", "/a/b"]),
            ("/a;b/c;d", &["/a;b/c;d", "/a/c"]),
            ("/a%3Bb", &["/a%3Bb", "/a;b", "/a"]),
            ("/a/..;/b", &["/a/..;/b", "/a/../b", "/b"]),
            ("/a/../b", &["/a/../b", "/b"]),
            ("/a/%2e%2E/b", &["/a/%2E%2E/b", "/a/../b", "/b"]),
            ("/%61", &["/%61", "/a"]),
            ("/%24", &["/%24", "/$"]),
            ("/a%00b", &["/a%00b", "/a"]),
            ("/a%3Fb", &["/a%3Fb", "/a?b", "/a"]),
            ("/%c0%afa", &["/%C0%AFa", "//a", "/a", "/"]),
            ("/%u002fa", &["/%u002fa", "//a", "/a", "/"]),
            ("/{%C3%BC}\u{fc}", &["/%7B%C3%BC%7D%C3%BC"]),
        ];
        for (path, expected) in cases {
            let expected = expected.iter().map(|&reading| reading.to_owned()).collect();
            assert_eq!(readings(path), Some(expected), "{path}");
        }
    }

    #[test]
    fn paths_with_one_reading_are_found_in_one_scan() {
        for path in [
            "/",
            "*",
            "/a/b.c",
            "/.well-known",
            "/%20%C3%BC%E2%82%AC%F0%9F%98%80",
            "/100%",
            "/a..b",
        ] {
            assert!(has_only_one(path), "{path}");
        }
        for path in [
            "//", "/;", "/\\", "/.", "/%2F", "/%c3%bc", "/%00", "/%C0%AF", "/%u002f", "/{", "/%25",
        ] {
            assert!(!has_only_one(path), "{path}");
        }
    }

    #[test]
    fn readings_are_bounded() {
        let tricks = "/a;b\\c//%252e%2e/./%5c%3b%2f%00%3f%41";
        let mut visited = 0;
        let mut bytes = 0;
        let path = tricks.repeat(400);
        let are_all = all(&path, |reading| {
            visited += 1;
            bytes += reading.len();
            true
        });
        assert!(!are_all);
        assert!(
            visited <= READINGS_MAX && bytes <= 2 * (BYTES_MAX + path.len()),
            "{visited} {bytes}"
        );
    }

    #[test]
    fn a_path_whose_readings_take_too_many_bytes_is_refused() {
        // Its one other reading is as long as `bytes`.
        let path = |bytes: usize| format!("/{};", "a".repeat(bytes - 1));
        assert_eq!(readings(&path(BYTES_MAX)).map(|read| read.len()), Some(2));
        assert_eq!(readings(&path(BYTES_MAX + 1)), None);
    }

    #[test]
    fn capitals_and_the_ends_of_names_are_folded() {
        let cases = [
            ("/a/b", "/a/b"),
            ("/A/b", "/a/b"),
            ("/a./b", "/a/b"),
            ("/a%20/b.%20.", "/a/b"),
            ("/a/", "/a/"),
            ("/", "/"),
            ("/%20/a", "/a"),
            ("/a/%20", "/a/"),
            ("/%C3%9C", "/%c3%9c"),
        ];
        for (path, expected) in cases {
            assert_eq!(folded(path), expected, "{path}");
            assert_eq!(folded(&folded(path)), expected, "{path}");
        }
        assert!(matches!(folded("/a/b.c/"), Cow::Borrowed(_)));
    }

    /// Paths made of the parts that the steps change.
    fn paths() -> impl Strategy<Value = String> {
        let parts = prop::sample::select(vec![
            "/", "//", ".", "..", "%2e", "%2F", "%", "%25", "3", "2", "F", "%61", "a", "\u{fc}",
            ";", "\\", "%5C", "%00", "%20", "%C3", "%C0", "%AF", "%u002f", "{",
        ]);
        prop::collection::vec(parts, 0..8).prop_map(|parts| format!("/{}", parts.concat()))
    }

    /// Whether a `%` in `path` does not begin an escape.
    fn has_lone_percent(path: &str) -> bool {
        let mut after = path.split('%').skip(1).map(str::as_bytes);
        after.any(
            |text| !matches!(text, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()),
        )
    }

    proptest! {
        #[test]
        fn the_scan_agrees_with_the_readings(path in paths()) {
            let only = [path.clone()].into();
            if has_only_one(&path) {
                prop_assert_eq!(readings(&path), Some(only));
                prop_assert_eq!(&normalise(&path), &path);
            }
        }

        #[test]
        fn the_normal_form_and_the_path_as_received_are_among_them(path in paths()) {
            if let Some(readings) = readings(&path) {
                prop_assert!(readings.contains(&*with_capital_escapes(&path)));
                // After decoding, a `%` that began no escape may begin one together with what
                // follows: `%3%61` becomes `%3a`.
                if !has_lone_percent(&path) {
                    prop_assert!(readings.contains(&*normalise(&path)), "{:?}", readings);
                }
            }
        }

        #[test]
        fn any_text_is_read(path: String) {
            all(&format!("/{path}"), |reading| reading.starts_with('/'));
            folded(&path);
        }
    }
}
