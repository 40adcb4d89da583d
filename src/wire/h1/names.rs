//! How field names are written: in lower case, in title case, or as the peer wrote them.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};

/// How field names are written.
#[derive(Clone, Copy, Debug, Default)]
pub enum NameCase<'a> {
    /// `content-length`
    #[default]
    Lower,
    /// `Content-Length`
    Title,
    /// As they were received; a name that was not received is written in lower case.
    Preserve(Option<&'a OriginalNames>),
}

/// Whether a parser keeps the field names as received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepNames {
    /// Yes, as an extension of the message: [`OriginalNames`].
    Yes,
    /// No.
    #[default]
    No,
}

/// The names of a head as they were received. An extension of a message.
#[derive(Clone, Debug, Default)]
pub struct OriginalNames(HeaderMap<Bytes>);

impl OriginalNames {
    /// With room for this many fields.
    pub(super) fn with_capacity(fields: usize) -> Self {
        Self(HeaderMap::with_capacity(fields))
    }

    /// Notes that the next field `name` was written as `original`. Too many are not noted.
    pub(super) fn note(&mut self, name: &HeaderName, original: Bytes) {
        let _ = self.0.try_append(name, original);
    }

    /// The spelling of the field with this `index` among those called `name`.
    fn get(&self, name: &HeaderName, index: usize) -> Option<&Bytes> {
        self.0.get_all(name).iter().nth(index)
    }
}

/// The names that most heads have, by their length in bytes.
static COMMON_NAMES: [&[HeaderName]; 18] = [
    &[],
    &[],
    &[header::TE],
    &[header::AGE, header::VIA],
    &[header::HOST, header::DATE, header::VARY, header::ETAG],
    &[],
    &[
        header::ACCEPT,
        header::SERVER,
        header::COOKIE,
        header::ORIGIN,
    ],
    &[header::REFERER, header::EXPIRES, header::UPGRADE],
    &[header::LOCATION],
    &[],
    &[header::USER_AGENT, header::CONNECTION, header::SET_COOKIE],
    &[],
    &[header::CONTENT_TYPE],
    &[
        header::CACHE_CONTROL,
        header::AUTHORIZATION,
        header::LAST_MODIFIED,
    ],
    &[header::CONTENT_LENGTH],
    &[header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE],
    &[header::CONTENT_ENCODING],
    &[header::TRANSFER_ENCODING, header::IF_MODIFIED_SINCE],
];

/// The name `bytes`, if it is one that most heads have. It costs a third of
/// [`HeaderName::from_bytes`], which copies each name to bring it to lower case.
#[inline]
pub(super) fn common_name(bytes: &[u8]) -> Option<HeaderName> {
    let names = COMMON_NAMES.get(bytes.len())?;
    let is_it = |name: &&HeaderName| name.as_str().as_bytes().eq_ignore_ascii_case(bytes);
    names.iter().find(is_it).cloned()
}

/// Writes the names of one head.
pub(super) struct NameWriter<'a> {
    case: NameCase<'a>,
    /// How many fields with the last name were written before. A map iterates over equal names one
    /// after another.
    index: usize,
}

impl<'a> NameWriter<'a> {
    pub(super) fn new(case: NameCase<'a>) -> Self {
        Self { case, index: 0 }
    }

    /// Appends `name`, a colon and a space. `is_same`: the name equals the previous one.
    #[inline]
    pub(super) fn write(&mut self, name: &HeaderName, is_same: bool, out: &mut Vec<u8>) {
        match self.case {
            NameCase::Lower => out.extend_from_slice(name.as_str().as_bytes()),
            NameCase::Title => write_title(name, out),
            NameCase::Preserve(originals) => {
                self.index = if is_same { self.index + 1 } else { 0 };
                let original = originals.and_then(|names| names.get(name, self.index));
                match original {
                    Some(original) => out.extend_from_slice(original),
                    None => out.extend_from_slice(name.as_str().as_bytes()),
                }
            }
        }
        out.extend_from_slice(b": ");
    }
}

fn write_title(name: &HeaderName, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(name.as_str().as_bytes());
    let mut is_first = true;
    for byte in &mut out[begin..] {
        if is_first {
            byte.make_ascii_uppercase();
        }
        is_first = *byte == b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_name_is_the_one_that_the_library_finds() {
        for (length, names) in COMMON_NAMES.iter().enumerate() {
            for name in *names {
                let text = name.as_str();
                assert_eq!(text.len(), length, "{text} would never be found");
                for text in [text.to_owned(), text.to_ascii_uppercase()] {
                    assert_eq!(common_name(text.as_bytes()).as_ref(), Some(name));
                    let shorter = &text.as_bytes()[1..];
                    assert_ne!(common_name(shorter).as_ref(), Some(name));
                }
            }
        }
        for other in ["", "hosts", "h\0st", "x-forwarded-for", "content_type"] {
            assert_eq!(common_name(other.as_bytes()), None);
        }
    }

    fn written(names: &[&'static str], case: NameCase<'_>) -> String {
        let mut writer = NameWriter::new(case);
        let mut out = Vec::new();
        let mut last = None;
        for name in names {
            let name = HeaderName::from_static(name);
            writer.write(&name, last.as_ref() == Some(&name), &mut out);
            last = Some(name);
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn names_are_written_as_configured() {
        let names = ["host", "x-b", "x-b", "x-b", "etag"];
        let mut originals = OriginalNames::with_capacity(3);
        for original in ["HOST", "X-b", "x-B"] {
            let name = HeaderName::from_bytes(original.as_bytes()).expect("a name");
            originals.note(&name, Bytes::from_static(original.as_bytes()));
        }
        let cases = [
            (NameCase::Lower, "host: x-b: x-b: x-b: etag: "),
            (NameCase::Title, "Host: X-B: X-B: X-B: Etag: "),
            (NameCase::Preserve(None), "host: x-b: x-b: x-b: etag: "),
            (
                NameCase::Preserve(Some(&originals)),
                "HOST: X-b: x-B: x-b: etag: ",
            ),
        ];
        for (case, expected) in cases {
            assert_eq!(written(&names, case), expected);
        }
    }
}
