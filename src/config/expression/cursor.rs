//! The text of an expression, a reading position in it, and the tokens that a parser reads there.

use std::ops::Range;

use crate::base::Position;
use crate::base::quote::beginning;

use super::Mistake;

/// The text, and how far it has been read.
#[derive(Clone)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    /// Where the text is written.
    written_at: &'t Position,
    /// In bytes, on a character boundary.
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str, written_at: &'t Position) -> Self {
        Self {
            text,
            written_at,
            at: 0,
        }
    }

    /// Where the text is written.
    pub(super) fn written_at(&self) -> &'t Position {
        self.written_at
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The text that has not been read yet.
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Moves on by `bytes`, to a character boundary.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    pub(super) fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Moves past `symbol` if it comes next; returns whether it did.
    pub(super) fn take(&mut self, symbol: &str) -> bool {
        let is_there = self.rest().starts_with(symbol);
        if is_there {
            self.at += symbol.len();
        }
        is_there
    }

    /// The next word: letters, digits, `_`, `.` and `-`; empty if no word comes next.
    pub(super) fn word(&self) -> &'t str {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        &rest[..end]
    }

    /// The text without quotes that comes next, and its range: up to a space, or to a parenthesis that closes.
    pub(super) fn bare(&self) -> (&'t str, Range<usize>) {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_whitespace() || c == ')')
            .unwrap_or(rest.len());
        (&rest[..end], self.at..self.at + end)
    }

    /// Moves past `keyword` if it is the next word; returns whether it is.
    pub(super) fn take_word(&mut self, keyword: &str) -> bool {
        let is_there = self.word() == keyword;
        if is_there {
            self.at += keyword.len();
        }
        is_there
    }

    /// The range of the next word, else of the next character, for a message; empty at the end of the text.
    pub(super) fn next_part(&self) -> Range<usize> {
        let rest = self.rest();
        let word = self.word();
        let length = match word.is_empty() {
            true => rest.chars().next().map_or(0, char::len_utf8),
            false => word.len(),
        };
        self.at..self.at + length
    }

    /// A string in double or single quotes, and its range including the quotes; `None`: no string
    /// comes next. A backslash is dropped before the quote character and before a backslash. Any
    /// other backslash stays, because regular expressions need it.
    ///
    /// # Errors
    ///
    /// The closing quote is missing.
    pub(super) fn string(&mut self) -> Result<Option<(String, Range<usize>)>, Mistake> {
        let start = self.at;
        let Some(quote @ ('"' | '\'')) = self.peek() else {
            return Ok(None);
        };
        let mut value = String::new();
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((index, c)) = characters.next() {
            if c == quote {
                self.at = start + index + 1;
                return Ok(Some((value, start..self.at)));
            }
            let escaped = match (c, characters.peek()) {
                ('\\', Some(&(_, next))) if next == quote || next == '\\' => Some(next),
                _ => None,
            };
            value.push(escaped.unwrap_or(c));
            if escaped.is_some() {
                characters.next();
            }
        }
        Err(Mistake::new(
            start..self.text.len(),
            "the closing quote is missing",
            format!("write `{quote}` where it ends"),
        ))
    }

    /// A whole number and its range; `None`: no number comes next.
    ///
    /// # Errors
    ///
    /// The number does not fit into an `i64`, or a letter, `_` or `.` follows it without a space.
    pub(super) fn integer(&mut self) -> Result<Option<(i64, Range<usize>)>, Mistake> {
        let rest = self.rest();
        let unsigned = rest.strip_prefix('-').unwrap_or(rest);
        if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(None);
        }
        let sign = rest.len() - unsigned.len();
        let digits = unsigned
            .find(|c: char| !c.is_ascii_alphanumeric() && !"_.".contains(c))
            .unwrap_or(unsigned.len());
        let part = self.at..self.at + sign + digits;
        let written = &rest[..sign + digits];
        let Ok(number) = written.parse() else {
            let help = match written.contains('.') {
                true => format!(
                    "write addresses in quotes: `\"{}\"`",
                    beginning(self.bare().0)
                ),
                false => "write digits alone, or a text in quotes".to_owned(),
            };
            return Err(Mistake::new(
                part,
                format!("`{}` is not a whole number of 64 bits", beginning(written)),
                help,
            ));
        };
        self.at = part.end;
        Ok(Some((number, part)))
    }
}
