//! The compression of responses.

use std::sync::{Arc, LazyLock};

use crate::base::ByteSize;

/// `compression` of a frontend or a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// In the order of preference, each at most once; empty: off.
    pub algorithms: Vec<Coding>,
    /// The types of content that are compressed.
    pub types: Arc<[TypePattern]>,
    /// A shorter body is not compressed, if its length is known.
    pub min_size: ByteSize,
    /// Whether servers get no `Accept-Encoding`, so that they do not compress.
    pub offload: bool,
    /// 1 to 9.
    pub gzip_level: u32,
    /// 0 to 9.
    pub br_level: u32,
    /// 1 to 9.
    pub zstd_level: u32,
}

/// A content coding (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Br => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Types of content: `text/html`, `text/*`, `application/*+json` or `*/*`. In lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypePattern(String);

impl TypePattern {
    /// `None`: not a pattern.
    pub fn new(text: &str) -> Option<Self> {
        let (main, sub) = text.split_once('/')?;
        let is_token = |part: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
            !part.is_empty() && part.bytes().all(is_plain)
        };
        let is_sub = match sub.strip_prefix('*') {
            Some("") => true,
            Some(suffix) => suffix.strip_prefix('+').is_some_and(is_token),
            None => is_token(sub),
        };
        let is_valid = if main == "*" {
            sub == "*"
        } else {
            is_token(main) && is_sub
        };
        is_valid.then(|| Self(text.to_ascii_lowercase()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether content of the type `main/sub`, without parameters, has this type.
    pub fn matches(&self, content_type: &[u8]) -> bool {
        let pattern = self.0.as_bytes();
        if pattern == b"*/*" {
            return true;
        }
        match self.0.split_once('*') {
            None => content_type.eq_ignore_ascii_case(pattern),
            Some((start, end)) => {
                content_type.len() > start.len() + end.len()
                    && content_type[..start.len()].eq_ignore_ascii_case(start.as_bytes())
                    && content_type[content_type.len() - end.len()..]
                        .eq_ignore_ascii_case(end.as_bytes())
            }
        }
    }
}

/// `types` where the configuration says nothing. Shared: made anew for each backend, it was a tenth
/// of the cost of reading tens of thousands of them.
static DEFAULT_TYPES: LazyLock<Arc<[TypePattern]>> = LazyLock::new(|| {
    const TYPES: [&str; 8] = [
        "text/*",
        "application/json",
        "application/*+json",
        "application/javascript",
        "application/xml",
        "application/*+xml",
        "application/wasm",
        "image/svg+xml",
    ];
    TYPES.into_iter().filter_map(TypePattern::new).collect()
});

impl Default for Compression {
    fn default() -> Self {
        Self {
            algorithms: Vec::new(),
            types: Arc::clone(&DEFAULT_TYPES),
            min_size: ByteSize(1 << 10),
            offload: false,
            gzip_level: 4,
            br_level: 4,
            zstd_level: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_matches_its_patterns_and_no_others() {
        let cases = [
            ("text/*", "text/html", true),
            ("text/*", "Text/HTML", true),
            ("text/*", "texts/html", false),
            ("text/html", "text/html", true),
            ("text/html", "text/htm", false),
            ("application/*+json", "application/hal+json", true),
            ("application/*+json", "application/json", false),
            ("application/*+json", "application/+json", false),
            ("*/*", "anything/at-all", true),
        ];
        for (pattern, content_type, expected) in cases {
            let pattern = TypePattern::new(pattern).expect("a pattern");
            let matches = pattern.matches(content_type.as_bytes());
            assert_eq!(matches, expected, "{pattern:?} {content_type}");
        }
        for wrong in [
            "text",
            "*/json",
            "text/",
            "/x",
            "text/h*",
            "text/*json",
            "text/a b",
            "a/b/c",
        ] {
            assert_eq!(TypePattern::new(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_default_type_is_a_pattern() {
        assert_eq!(Compression::default().types.len(), 8);
    }
}
