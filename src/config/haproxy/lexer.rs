//! Lines of an `haproxy.cfg` as words: quotes, escapes, comments, and variables of the environment.
//!
//! As HAProxy's `parse_line` reads them (configuration manual §2.2, §2.3): a backslash escapes a space, `#`,
//! quotes, `$` and itself, `\n \r \t \xHH` are bytes, any other backslash is a backslash; nothing is special
//! in single quotes; variables count in double quotes, and without quotes in addresses alone, which is
//! why [`Word::unquoted`] is kept. A backslash before the line's end joins it with the next line.

use std::ffi::OsString;

use crate::config::diagnostic::Diagnostic;
use crate::config::source::Span;

/// Looks up a variable of the environment.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A word of a line.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// Without quotes and escapes, with variables replaced.
    pub(super) text: String,
    pub(super) span: Span,
    /// Whether it was written without any quote: an address may then have variables.
    pub(super) unquoted: bool,
}

/// A line with at least one word.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) words: Vec<Word>,
    pub(super) span: Span,
}

impl Line {
    /// The first word.
    pub(super) fn keyword(&self) -> &str {
        &self.words[0].text
    }
}

/// Where a line begins and ends in the text, its continuations included.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= text.len() {
            return None;
        }
        let begin = at;
        loop {
            let end = text[at..].find('\n').map(|end| at + end);
            at = end.map_or(text.len(), |end| end + 1);
            let line = &text[begin..end.unwrap_or(text.len())];
            let escapes = line.bytes().rev().take_while(|&byte| byte == b'\\').count();
            if escapes % 2 == 0 || at >= text.len() {
                return Some((begin, line));
            }
        }
    })
}

/// The words of `line`, which begins at byte `begin` of the file `whole`; none: an empty line or a comment.
///
/// # Errors
///
/// A quote without its end, or a variable without one.
pub(super) fn words(
    line: &str,
    begin: usize,
    whole: Span,
    environment: Environment<'_>,
) -> Result<Option<Line>, Diagnostic> {
    let mut lexer = Lexer {
        line,
        at: 0,
        begin,
        whole,
        environment,
    };
    let mut words = Vec::new();
    while let Some(mut more) = lexer.word()? {
        words.append(&mut more);
    }
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        return Ok(None);
    };
    let span = Span::from_to(first.span, last.span);
    Ok(Some(Line { words, span }))
}

struct Lexer<'a> {
    line: &'a str,
    at: usize,
    begin: usize,
    whole: Span,
    environment: Environment<'a>,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn span(&self, from: usize) -> Span {
        self.whole.part(self.begin + from, self.begin + self.at)
    }

    /// The next word. It is several if a variable with `[*]` has several.
    fn word(&mut self) -> Result<Option<Vec<Word>>, Diagnostic> {
        loop {
            match self.peek() {
                Some(byte) if byte.is_ascii_whitespace() => self.at += 1,
                // A continuation.
                Some(b'\\') if self.line[self.at..].starts_with("\\\n") => self.at += 2,
                Some(b'\\') if self.line[self.at..].starts_with("\\\r\n") => self.at += 3,
                None | Some(b'#') => return Ok(None),
                Some(_) => break,
            }
        }
        let from = self.at;
        let mut texts = vec![Vec::new()];
        let mut unquoted = true;
        while let Some(byte) = self.peek() {
            let text = texts.last_mut().expect("there is one from the start");
            match byte {
                _ if byte.is_ascii_whitespace() => break,
                b'#' => break,
                b'\\' if self.line[self.at..].starts_with("\\\n") => break,
                b'\\' if self.line[self.at..].starts_with("\\\r\n") => break,
                b'\\' => self.escape(text),
                b'\'' => {
                    unquoted = false;
                    let quote = self.at;
                    self.at += 1;
                    let Some(end) = self.line[self.at..].find('\'') else {
                        return Err(self.endless(quote, "'"));
                    };
                    text.extend_from_slice(&self.line.as_bytes()[self.at..self.at + end]);
                    self.at += end + 1;
                }
                b'"' => {
                    unquoted = false;
                    self.double_quoted(&mut texts)?;
                }
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        let span = self.span(from);
        let words = texts.into_iter().map(|text| Word {
            // A file is UTF-8; only `\xHH` can end that.
            text: String::from_utf8_lossy(&text).into_owned(),
            span,
            unquoted,
        });
        Ok(Some(words.collect()))
    }

    fn double_quoted(&mut self, texts: &mut Vec<Vec<u8>>) -> Result<(), Diagnostic> {
        let quote = self.at;
        self.at += 1;
        loop {
            let text = texts.last_mut().expect("there is one from the start");
            match self.peek() {
                None => return Err(self.endless(quote, "\"")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape(text),
                Some(b'$') => {
                    let rest = &self.line[self.at..];
                    let Some(variable) = Variable::at(rest) else {
                        let from = self.at;
                        self.at = self.line.len();
                        return Err(Diagnostic::error(
                            self.span(from),
                            "this is not the name of a variable",
                        )
                        .help("write `\"$NAME\"`, `\"${NAME}\"` or `\"${NAME-default}\"`; a plain `$` is `\\$`"));
                    };
                    self.at += variable.bytes;
                    let value = variable.value(self.environment);
                    if !variable.is_list {
                        text.extend_from_slice(value.as_bytes());
                        continue;
                    }
                    for (index, part) in value.split_ascii_whitespace().enumerate() {
                        if index > 0 {
                            texts.push(Vec::new());
                        }
                        let text = texts.last_mut().expect("there is one from the start");
                        text.extend_from_slice(part.as_bytes());
                    }
                }
                Some(byte) => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// A backslash, and what it escapes.
    fn escape(&mut self, text: &mut Vec<u8>) {
        let rest = &self.line.as_bytes()[self.at + 1..];
        let (byte, bytes) = match rest {
            [byte @ (b' ' | b'#' | b'\\' | b'"' | b'\'' | b'$'), ..] => (*byte, 2),
            [b'n', ..] => (b'\n', 2),
            [b'r', ..] => (b'\r', 2),
            [b't', ..] => (b'\t', 2),
            [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
                (digit(*high) << 4 | digit(*low), 4)
            }
            _ => (b'\\', 1),
        };
        text.push(byte);
        self.at += bytes;
    }

    fn endless(&mut self, quote: usize, which: &str) -> Diagnostic {
        self.at = self.line.len();
        Diagnostic::error(
            self.span(quote),
            format!("this quote has no end: {which} is missing"),
        )
        .help(format!(
            "end it, or write `\\{which}` for the character itself"
        ))
    }
}

/// A reference to a variable.
struct Variable<'t> {
    name: &'t str,
    default: Option<&'t str>,
    is_list: bool,
    /// Of the reference, with its `$`.
    bytes: usize,
}

impl<'t> Variable<'t> {
    /// The reference that `text` begins with, at its `$`.
    fn at(text: &'t str) -> Option<Self> {
        let name_of = |text: &'t str| {
            let end = text
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
                .unwrap_or(text.len());
            &text[..end]
        };
        let Some(inside) = text.strip_prefix("${") else {
            let name = name_of(text.strip_prefix('$')?);
            return (!name.is_empty()).then_some(Self {
                name,
                default: None,
                is_list: false,
                bytes: 1 + name.len(),
            });
        };
        let name = name_of(inside);
        let rest = &inside[name.len()..];
        let (is_list, rest) = match rest.strip_prefix("[*]") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let end = rest.find('}')?;
        let default = match &rest[..end] {
            "" => None,
            default => Some(default.strip_prefix('-')?),
        };
        let list = if is_list { "[*]".len() } else { 0 };
        (!name.is_empty()).then_some(Self {
            name,
            default,
            is_list,
            bytes: "${".len() + name.len() + list + end + "}".len(),
        })
    }

    fn value(&self, environment: Environment<'_>) -> String {
        match environment(self.name) {
            Some(value) => value.to_string_lossy().into_owned(),
            None => self.default.unwrap_or_default().to_owned(),
        }
    }
}

/// An address with its variables replaced: HAProxy does so in addresses without quotes too.
pub(super) fn address(word: &Word, environment: Environment<'_>) -> String {
    if !word.unquoted {
        return word.text.clone();
    }
    let mut replaced = String::new();
    let mut rest = word.text.as_str();
    while let Some(at) = rest.find('$') {
        replaced.push_str(&rest[..at]);
        rest = &rest[at..];
        match Variable::at(rest) {
            Some(variable) => {
                replaced.push_str(&variable.value(environment));
                rest = &rest[variable.bytes..];
            }
            None => {
                replaced.push('$');
                rest = &rest[1..];
            }
        }
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Sources;

    /// The words of each line, separated by `|`.
    #[track_caller]
    fn split(text: &str) -> Vec<String> {
        let whole = Sources::default().add("haproxy.cfg".as_ref(), text.to_owned());
        let environment = |name: &str| match name {
            "PORT" => Some("80".into()),
            "LIST" => Some("a b  c".into()),
            _ => None,
        };
        lines(text)
            .filter_map(|(begin, line)| {
                let line = words(line, begin, whole, &environment).expect("no mistake")?;
                let texts = line.words.into_iter().map(|word| word.text);
                Some(texts.collect::<Vec<_>>().join("|"))
            })
            .collect()
    }

    #[test]
    fn words_are_separated_by_spaces_that_are_not_escaped() {
        assert_eq!(split("  a\\ b \t c # d\n\n#e\nf#g"), ["a b|c", "f"]);
    }

    #[test]
    fn single_quotes_keep_everything_and_double_quotes_have_variables() {
        assert_eq!(
            split(r#"a '$PORT \n "b"' "$PORT:${PORT}:${NONE-d}:${NONE}" \$PORT "c'd""#),
            [r#"a|$PORT \n "b"|80:80:d:|$PORT|c'd"#]
        );
    }

    #[test]
    fn a_word_can_be_quoted_in_part() {
        assert_eq!(split(r#"a"b c"'d e'f"#), ["ab cd ef"]);
    }

    #[test]
    fn a_list_in_a_variable_is_several_words() {
        assert_eq!(split(r#"x-"${LIST[*]}"-y"#), ["x-a|b|c-y"]);
    }

    #[test]
    fn escapes_that_are_none_are_kept_for_regular_expressions() {
        assert_eq!(split(r"\.php$ \d+ a\\b \x41 \#"), [r"\.php$|\d+|a\b|A|#"]);
    }

    #[test]
    fn a_backslash_at_the_end_joins_two_lines() {
        assert_eq!(split("a b \\\n  c\nd"), ["a|b|c", "d"]);
        assert_eq!(split("a\\\\\nb"), ["a\\", "b"]);
    }

    #[test]
    fn variables_count_in_addresses_without_quotes() {
        let text = "127.0.0.1:$PORT";
        let whole = Sources::default().add("haproxy.cfg".as_ref(), text.to_owned());
        let environment = |_: &str| Some("80".into());
        let line = words(text, 0, whole, &environment).expect("no mistake");
        let line = line.expect("a word");
        assert_eq!(line.words[0].text, "127.0.0.1:$PORT");
        assert_eq!(address(&line.words[0], &environment), "127.0.0.1:80");
    }

    #[test]
    fn a_quote_without_its_end_is_a_mistake_at_the_quote() {
        let text = "a \"b c";
        let whole = Sources::default().add("haproxy.cfg".as_ref(), text.to_owned());
        let mistake = words(text, 0, whole, &|_| None).expect_err("no end");
        assert_eq!(mistake.message(), "this quote has no end: \" is missing");
        assert_eq!(mistake.span(), Some(whole.part(2, 6)));
    }
}
