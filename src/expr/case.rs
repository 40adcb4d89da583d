//! Whether case matters where a condition compares the path.

use regex::bytes::Regex;

use crate::plan::expr::Pattern;

/// Whether upper and lower case differ where a condition compares the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Counts,
    Ignored,
}

impl Case {
    /// The text to compare a value with.
    pub(super) fn text(self, text: &str) -> Box<[u8]> {
        match self {
            Self::Counts => text.as_bytes().into(),
            Self::Ignored => text.to_ascii_lowercase().as_bytes().into(),
        }
    }

    /// The regular expression to search a value with.
    pub(super) fn regex(self, pattern: &Pattern) -> Regex {
        match self {
            Self::Counts => pattern.regex().clone(),
            Self::Ignored => pattern.ignoring_case(),
        }
    }
}
