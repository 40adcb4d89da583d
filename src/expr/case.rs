//! Whether the case of letters counts where a condition compares the path.

use regex::bytes::Regex;

use crate::plan::expr::Pattern;

/// Whether upper and lower case differ where a condition compares the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Counts,
    Ignored,
}

impl Case {
    /// The text that a value is compared with.
    pub(super) fn text(self, text: &str) -> Box<[u8]> {
        match self {
            Self::Counts => text.as_bytes().into(),
            Self::Ignored => text.to_ascii_lowercase().as_bytes().into(),
        }
    }

    /// The expression that a value is searched with.
    pub(super) fn regex(self, pattern: &Pattern) -> Regex {
        match self {
            Self::Counts => pattern.regex().clone(),
            Self::Ignored => pattern.ignoring_case(),
        }
    }
}
