//! The comments of a file of HAProxy, for `evenkeel convert`: each belongs to a line with words.

use crate::config::source::Span;

use super::lexer::{self, Environment};
use super::section::SECTIONS;

/// A line with words, and the comments that belong to it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) struct Commented {
    /// The words.
    pub(in crate::config) span: Span,
    /// The word behind the keyword: a value that stands for the whole line may begin here.
    pub(in crate::config) second: Option<Span>,
    pub(in crate::config) begins_section: bool,
    /// The comments above it and the one at its end, without `#`.
    pub(in crate::config) comments: Vec<String>,
}

/// The lines with words of `text`, which is all of `whole`, and the comments behind the last one.
pub(in crate::config) fn commented(
    text: &str,
    whole: Span,
    environment: Environment<'_>,
) -> (Vec<Commented>, Vec<String>) {
    let mut lines = Vec::new();
    let mut above = Vec::new();
    for (begin, line) in lexer::lines(text) {
        // What is no line is a mistake that is reported elsewhere.
        let Ok(words) = lexer::words(line, begin, whole, environment) else {
            continue;
        };
        match words {
            None => above.extend(comment(line)),
            Some(words) => {
                let behind = words.span.end_in(whole).saturating_sub(begin);
                above.extend(line.get(behind..).and_then(comment));
                lines.push(Commented {
                    begins_section: SECTIONS.contains(&words.keyword()),
                    span: words.span,
                    second: words.words.get(1).map(|word| word.span),
                    comments: std::mem::take(&mut above),
                });
            }
        }
    }
    (lines, above)
}

/// The comment that `line` is, without decoration.
fn comment(line: &str) -> Option<String> {
    let text = line.trim().strip_prefix('#')?;
    let text = text.trim_start_matches('#').trim_end_matches('#').trim();
    let is_rule = |c: char| matches!(c, '-' | '=' | '*' | '~' | '_');
    (!text.chars().all(is_rule)).then(|| text.to_owned())
}
