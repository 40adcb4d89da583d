//! The words of a line, one after another.

use crate::config::source::Span;

use super::lexer::{Line, Word};
use super::verdict::Verdicts;

/// The words that are left of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Args<'l> {
    words: &'l [Word],
    line: &'l Line,
}

impl<'l> Args<'l> {
    /// The words of `line` after its first `skipped`.
    pub(super) fn after(line: &'l Line, skipped: usize) -> Self {
        Self {
            words: line.words.get(skipped..).unwrap_or_default(),
            line,
        }
    }

    /// Some words of `line`.
    pub(super) fn of(words: &'l [Word], line: &'l Line) -> Self {
        Self { words, line }
    }

    pub(super) fn line(&self) -> &'l Line {
        self.line
    }

    pub(super) fn rest(&self) -> &'l [Word] {
        self.words
    }

    pub(super) fn peek(&self) -> Option<&'l str> {
        self.words.first().map(|word| &*word.text)
    }

    /// Takes the next word if it is `word`.
    pub(super) fn takes(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Some(word);
        if is_next {
            self.words = &self.words[1..];
        }
        is_next
    }

    /// The next word, or a message that `what` is missing.
    pub(super) fn need(&mut self, what: &str, verdicts: &mut Verdicts) -> Option<&'l Word> {
        let word = self.next();
        if word.is_none() {
            let keyword = self.line.keyword();
            verdicts.wrong(
                self.line.span,
                format!("`{keyword}` has no {what} here"),
                "",
            );
        }
        word
    }

    /// Reports what is left.
    pub(super) fn end(self, verdicts: &mut Verdicts) {
        if let [first, ..] = self.words {
            verdicts.wrong(
                first.span,
                format!("`{}` does not belong here", first.text),
                "",
            );
        }
    }

    /// The range of the words that are left, or of the line if there are none.
    pub(super) fn span(&self) -> Span {
        match self.words {
            [first, .., last] => Span::from_to(first.span, last.span),
            [only] => only.span,
            [] => self.line.span,
        }
    }

    /// The words up to `if` or `unless`, and those from there on.
    pub(super) fn until_condition(self) -> (Self, Self) {
        let is_condition = |word: &Word| matches!(&*word.text, "if" | "unless") && word.unquoted;
        let at = self.words.iter().position(is_condition);
        let (before, after) = self.words.split_at(at.unwrap_or(self.words.len()));
        (Self::of(before, self.line), Self::of(after, self.line))
    }
}

impl<'l> Iterator for Args<'l> {
    type Item = &'l Word;

    fn next(&mut self) -> Option<&'l Word> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }
}
