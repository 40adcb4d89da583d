//! The parts of a request that are kept for its line in the log.
//!
//! Copies, cut at a bound: a field may be as large as a head may be, and the copy lives as long as
//! the exchange, which may be a tunnel for hours. A view of the buffer that the head was read into
//! would keep all of it. The copies share one allocation, and none is made when no log is written.

use http::Version;

/// The most bytes of a method that are kept. Those of HTTP and WebDAV have up to 17.
const METHOD_BYTES_MAX: usize = 32;
/// The most bytes of a target that are kept. Real targets are hardly ever longer.
const TARGET_BYTES_MAX: usize = 8 << 10;
/// The most bytes of a host that are kept. A DNS name has up to 253, a port five.
const HOST_BYTES_MAX: usize = 260;
/// The most bytes of `User-Agent` that are kept.
const USER_AGENT_BYTES_MAX: usize = 512;
/// The most bytes of `Referer` that are kept.
const REFERER_BYTES_MAX: usize = 1 << 10;

/// The parts of a request for the log.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// All texts, one after another.
    bytes: Box<[u8]>,
    /// By [`LoggedField`]; `None`: the request does not have the field.
    lengths: [Option<Length>; FIELDS],
    version: Option<Version>,
}

/// A text of a request, for [`LoggedRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedField {
    /// As sent.
    Method,
    /// Path and query, or `*`, or for CONNECT a host with a port.
    Target,
    /// The host of the request, with its port if there is one: from the target, or else from
    /// `Host`.
    Host,
    /// `User-Agent`.
    UserAgent,
    /// `Referer`.
    Referer,
}

/// The texts of a request at full length; `None`: it does not have the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestTexts<'a> {
    /// See [`LoggedField`].
    pub method: Option<&'a [u8]>,
    /// See [`LoggedField`].
    pub target: Option<&'a [u8]>,
    /// See [`LoggedField`].
    pub host: Option<&'a [u8]>,
    /// See [`LoggedField`].
    pub user_agent: Option<&'a [u8]>,
    /// See [`LoggedField`].
    pub referer: Option<&'a [u8]>,
    /// Of HTTP; `None`: not known.
    pub version: Option<Version>,
}

/// A text as it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedText<'a> {
    /// The kept bytes.
    pub bytes: &'a [u8],
    /// Its full length.
    pub whole_bytes: usize,
}

const FIELDS: usize = 5;

#[derive(Clone, Copy, Debug)]
struct Length {
    kept: usize,
    whole: usize,
}

impl LoggedRequest {
    /// Copies of `texts`.
    pub fn of(texts: &RequestTexts<'_>) -> Self {
        // In the order of `LoggedField`.
        let bounded: [_; FIELDS] = [
            (texts.method, METHOD_BYTES_MAX),
            (texts.target, TARGET_BYTES_MAX),
            (texts.host, HOST_BYTES_MAX),
            (texts.user_agent, USER_AGENT_BYTES_MAX),
            (texts.referer, REFERER_BYTES_MAX),
        ];
        let lengths = bounded.map(|(text, most)| {
            text.map(|text| Length {
                kept: kept(text, most),
                whole: text.len(),
            })
        });
        let length = lengths.iter().flatten().map(|length| length.kept).sum();
        let mut bytes = Vec::with_capacity(length);
        for ((text, _), length) in bounded.iter().zip(&lengths) {
            if let (Some(text), Some(length)) = (text, length) {
                bytes.extend_from_slice(&text[..length.kept]);
            }
        }
        Self {
            bytes: bytes.into_boxed_slice(),
            lengths,
            version: texts.version,
        }
    }

    /// The same for a target that was read only in part; `whole_bytes` were seen.
    #[must_use]
    pub fn with_target_of(mut self, whole_bytes: usize) -> Self {
        if let Some(length) = &mut self.lengths[LoggedField::Target as usize] {
            length.whole = length.whole.max(whole_bytes);
        }
        self
    }

    /// Of HTTP; `None`: not known.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The kept text of `field`; `None`: the request does not have it.
    pub fn text(&self, field: LoggedField) -> Option<LoggedText<'_>> {
        let index = field as usize;
        let length = self.lengths[index]?;
        let before = self.lengths[..index].iter().flatten();
        let start: usize = before.map(|length| length.kept).sum();
        Some(LoggedText {
            bytes: &self.bytes[start..start + length.kept],
            whole_bytes: length.whole,
        })
    }
}

/// How many bytes of `text` are kept: at most `most`, and no part of a character.
fn kept(text: &[u8], most: usize) -> usize {
    if text.len() <= most {
        return text.len();
    }
    let is_start = |index: &usize| text[*index] & 0xc0 != 0x80;
    // A character has at most four bytes; a longer sequence is none.
    (most.saturating_sub(3)..=most)
        .rev()
        .find(is_start)
        .unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [LoggedField; FIELDS] = [
        LoggedField::Method,
        LoggedField::Target,
        LoggedField::Host,
        LoggedField::UserAgent,
        LoggedField::Referer,
    ];

    fn text(request: &LoggedRequest, field: LoggedField) -> Option<(&[u8], usize)> {
        let text = request.text(field)?;
        Some((text.bytes, text.whole_bytes))
    }

    #[test]
    fn each_text_is_found_again() {
        let texts = RequestTexts {
            method: Some(b"GET"),
            target: Some(b"/a?b"),
            host: None,
            user_agent: Some(b""),
            referer: Some(b"http://x/"),
            version: Some(Version::HTTP_2),
        };
        let request = LoggedRequest::of(&texts);
        let found = ALL.map(|field| text(&request, field));
        let expected: [Option<(&[u8], usize)>; FIELDS] = [
            Some((b"GET", 3)),
            Some((b"/a?b", 4)),
            None,
            Some((b"", 0)),
            Some((b"http://x/", 9)),
        ];
        assert_eq!(found, expected);
        assert_eq!(request.version(), Some(Version::HTTP_2));
        assert_eq!(
            request.bytes.len(),
            16,
            "one allocation, no more than needed"
        );
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_its_length_is_known() {
        let long = vec![b'x'; 60_000];
        let texts = RequestTexts {
            method: Some(&long),
            target: Some(&long),
            host: Some(&long),
            user_agent: Some(&long),
            referer: Some(&long),
            version: None,
        };
        let request = LoggedRequest::of(&texts);
        for (field, most) in ALL.into_iter().zip([
            METHOD_BYTES_MAX,
            TARGET_BYTES_MAX,
            HOST_BYTES_MAX,
            USER_AGENT_BYTES_MAX,
            REFERER_BYTES_MAX,
        ]) {
            let kept = request.text(field).expect("it has it");
            assert_eq!(
                (kept.bytes.len(), kept.whole_bytes),
                (most, 60_000),
                "{field:?}"
            );
        }
        let at_the_limit = RequestTexts {
            target: Some(&long[..TARGET_BYTES_MAX]),
            ..RequestTexts::default()
        };
        let request = LoggedRequest::of(&at_the_limit);
        let whole = (&long[..TARGET_BYTES_MAX], TARGET_BYTES_MAX);
        assert_eq!(text(&request, LoggedField::Target), Some(whole));
    }

    #[test]
    fn no_character_is_cut_in_two() {
        for (text, most, expected) in [
            ("aé".as_bytes(), 2, 1),
            ("aéb".as_bytes(), 3, 3),
            ("a😀".as_bytes(), 4, 1),
            ("a😀b".as_bytes(), 5, 5),
            (&[0x80; 9][..], 4, 4),
        ] {
            assert_eq!(kept(text, most), expected, "{text:?}");
        }
    }
}
