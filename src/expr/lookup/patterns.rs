//! Regular expressions: which is the first that matches.

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};

use crate::expr::case::Case;
use crate::plan::expr::Pattern;

/// Regular expressions in their order.
#[derive(Debug)]
pub struct Patterns {
    each: Box<[(u32, Regex)]>,
    /// All in one, which one pass over a text is enough for; `None`: that takes too much memory.
    together: Option<RegexSet>,
}

/// The most memory of all in one.
const MOST_BYTES: usize = 64 << 20;

impl Patterns {
    pub(super) fn of<'t>(texts: impl Iterator<Item = (u32, &'t str)>) -> Self {
        Self::of_case(texts, Case::Counts)
    }

    pub(super) fn of_case<'t>(texts: impl Iterator<Item = (u32, &'t str)>, case: Case) -> Self {
        let each = texts.filter_map(|(index, text)| {
            let pattern = Pattern::new(text).ok()?;
            Some((index, case.regex(&pattern)))
        });
        let each: Box<[(u32, Regex)]> = each.collect();
        let together = RegexSetBuilder::new(each.iter().map(|(_, regex)| regex.as_str()))
            .unicode(false)
            .case_insensitive(case == Case::Ignored)
            .size_limit(MOST_BYTES)
            .build();
        Self {
            each,
            together: together.ok(),
        }
    }

    pub(super) fn first(&self, text: &[u8]) -> Option<u32> {
        self.find(text).map(|(index, _)| *index)
    }

    /// The first one that matches, and its index.
    pub(in crate::expr) fn find(&self, text: &[u8]) -> Option<&(u32, Regex)> {
        match &self.together {
            Some(together) => self.each.get(together.matches(text).iter().next()?),
            None => self.each.iter().find(|(_, regex)| regex.is_match(text)),
        }
    }
}
