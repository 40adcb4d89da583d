//! Rust's words, without its comments, strings and numbers: as much of a lexer as the rules need.

/// A word or a sign, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// From 1.
    pub(crate) line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or a keyword.
    Word(String),
    /// `::`.
    Colons,
    /// Any other sign, one character each.
    Sign(char),
    /// A string, a character or a number.
    Literal,
}

impl Token {
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(crate) fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }
}

/// The tokens of `text`.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        rest: text,
        line: 1,
        tokens: Vec::new(),
    };
    while let Some(first) = lexer.rest.chars().next() {
        lexer.step(first);
    }
    lexer.tokens
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn step(&mut self, first: char) {
        if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else if self.rest.starts_with("//") {
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.skip(block_comment(self.rest));
        } else if let Some(length) = string(self.rest) {
            self.push(Kind::Literal, length);
        } else if first == '\'' {
            self.quote();
        } else if first.is_ascii_digit() {
            self.push(Kind::Literal, number(self.rest));
        } else if is_of_word(first) {
            let raw = if self.rest.starts_with("r#") { 2 } else { 0 };
            let length = raw + length_while(&self.rest[raw..], is_of_word);
            let word = self.rest[raw..length].to_owned();
            self.push(Kind::Word(word), length);
        } else if self.rest.starts_with("::") {
            self.push(Kind::Colons, 2);
        } else {
            self.push(Kind::Sign(first), first.len_utf8());
        }
    }

    /// A character, or a lifetime, which is skipped.
    fn quote(&mut self) {
        let after = &self.rest[1..];
        let name = length_while(after, is_of_word);
        let is_lifetime = name > 0 && !after[name..].starts_with('\'');
        if is_lifetime {
            return self.skip(1 + name);
        }
        self.push(Kind::Literal, quoted(self.rest, '\''));
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let line = self.line;
        self.tokens.push(Token { kind, line });
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at(length);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }
}

fn is_of_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn length_while(text: &str, is_in: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_in(c)).unwrap_or(text.len())
}

/// The length of a comment, with nested ones.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of the string of any kind that `text` begins with.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(['"', '#']) || rest.starts_with('\''))
    })?;
    let rest = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = length_while(rest, |c| c == '#');
        if !rest[hashes..].starts_with('"') {
            // A raw identifier.
            return None;
        }
        let end = format!("\"{}", "#".repeat(hashes));
        let body = prefix.len() + hashes + 1;
        let length = text[body..]
            .find(&end)
            .map(|found| body + found + end.len());
        return Some(length.unwrap_or(text.len()));
    }
    let is_byte = prefix == "b" && rest.starts_with('\'');
    match rest.chars().next() {
        Some('"') => Some(prefix.len() + quoted(rest, '"')),
        Some('\'') if is_byte => Some(prefix.len() + quoted(rest, '\'')),
        _ => None,
    }
}

/// The length of a quoted text, with both `quote`s.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of a number. The dots of a range and of a method are not part of it.
fn number(text: &str) -> usize {
    let whole = length_while(text, is_of_word);
    let after = &text[whole..];
    let has_fraction =
        after.starts_with('.') && after[1..].starts_with(|c: char| c.is_ascii_digit());
    if has_fraction {
        whole + 1 + length_while(&after[1..], is_of_word)
    } else {
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let tokens = tokens(text);
        let words = tokens.iter().filter_map(|token| token.word());
        words.map(str::to_owned).collect()
    }

    #[test]
    fn comments_and_strings_are_no_words() {
        assert_eq!(
            words("a // b\n/* c /* d */ e */ f \"g \\\" h\" i"),
            ["a", "f", "i"]
        );
        assert_eq!(
            words("r#\"a \" b\"# c br\"d\" b\"e\" c\"f\" g b'h' i"),
            ["c", "g", "i"]
        );
    }

    #[test]
    fn characters_and_lifetimes_are_distinguished() {
        assert_eq!(words("'a' b 'c d '\\'' e '\"' f"), ["b", "d", "e", "f"]);
    }

    #[test]
    fn raw_identifiers_are_words_and_numbers_are_not() {
        assert_eq!(
            words("r#type 0..x 1.5e3 2u8.max(y)"),
            ["type", "x", "max", "y"]
        );
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let found = tokens("a\n\"x\n\ny\" /*\n*/ b");
        assert_eq!(found.last().map(|token| token.line), Some(5));
    }
}
