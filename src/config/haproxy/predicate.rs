//! The conditions of `.if` (configuration manual §2.4).
//!
//! ```text
//! or    = and *( "||" and )
//! and   = term *( "&&" term )
//! term  = "!" term / "(" or ")" / integer / "true" / "false" / name "(" arguments ")"
//! ```

use crate::config::source::Span;

use super::lexer::{self, Environment};

/// What can be written, for a message.
pub(super) const KNOWN: &str = "known are `defined(NAME)`, `streq(a,b)`, `strneq(a,b)`, `strstr(a,b)`, `feature(NAME)`, \
     `version_atleast(3.0)`, `version_before(3.0)`, `enabled(OPTION)`, `!`, `&&`, `||` and parentheses";

/// The version of HAProxy that files may ask for: its newest that is known here.
pub const VERSION: (u32, u32) = (3, 5);

/// What `feature()` answers with true: what a file that asks for it then uses exists here.
pub const FEATURES: &[&str] = &[
    "OPENSSL",
    "PCRE",
    "PCRE2",
    "ZLIB",
    "SLZ",
    "THREAD",
    "PROMEX",
    "EPOLL",
    "LINUX_TPROXY",
    "NS",
    "TFO",
];

/// Whether `text` holds; an empty one does not.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn holds(text: &str, environment: Environment<'_>) -> Result<bool, String> {
    let mut parser = Parser {
        rest: text,
        environment,
    };
    parser.skip();
    if parser.rest.is_empty() {
        return Ok(false);
    }
    let holds = parser.or(0)?;
    match parser.rest {
        "" => Ok(holds),
        rest => Err(format!("`{rest}` does not belong here")),
    }
}

/// The same for a text of the command line, which is a line of a file: quotes and variables count.
///
/// # Errors
///
/// What is wrong with it.
pub(in crate::config) fn line_holds(
    text: &str,
    environment: Environment<'_>,
) -> Result<bool, String> {
    let words = lexer::words(text, 0, Span::default(), environment)
        .map_err(|mistake| mistake.message().to_owned())?;
    let words = words.map_or(Vec::new(), |line| line.words);
    let words: Vec<&str> = words.iter().map(|word| &*word.text).collect();
    holds(&words.join(" "), environment)
}

/// The most parentheses within each other.
const DEEPEST: usize = 32;

struct Parser<'t> {
    rest: &'t str,
    environment: Environment<'t>,
}

impl<'t> Parser<'t> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                self.skip();
                true
            }
            None => false,
        }
    }

    fn or(&mut self, depth: usize) -> Result<bool, String> {
        let mut holds = self.and(depth)?;
        while self.takes("||") {
            holds |= self.and(depth)?;
        }
        Ok(holds)
    }

    fn and(&mut self, depth: usize) -> Result<bool, String> {
        let mut holds = self.term(depth)?;
        while self.takes("&&") {
            holds &= self.term(depth)?;
        }
        Ok(holds)
    }

    fn term(&mut self, depth: usize) -> Result<bool, String> {
        if depth > DEEPEST {
            return Err("this condition is too deep".to_owned());
        }
        if self.takes("!") {
            return Ok(!self.term(depth + 1)?);
        }
        if self.takes("(") {
            let holds = self.or(depth + 1)?;
            return match self.takes(")") {
                true => Ok(holds),
                false => Err("a `)` is missing".to_owned()),
            };
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let end = self
            .rest
            .find(|c: char| !is_name(c))
            .unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        self.rest = &self.rest[end..];
        if !self.rest.starts_with('(') {
            self.skip();
            return match (name, name.parse::<i64>()) {
                ("true", _) => Ok(true),
                ("false", _) => Ok(false),
                (_, Ok(number)) => Ok(number != 0),
                _ => Err(format!("`{name}` is no condition of `.if`")),
            };
        }
        let Some(end) = self.rest.find(')') else {
            return Err("a `)` is missing".to_owned());
        };
        let arguments: Vec<&str> = self.rest[1..end].split(',').collect();
        self.rest = &self.rest[end + 1..];
        self.skip();
        self.call(name, &arguments)
    }

    fn call(&self, name: &str, arguments: &[&str]) -> Result<bool, String> {
        match (name, arguments) {
            ("defined", [name]) => Ok((self.environment)(name).is_some()),
            ("feature", [name]) => Ok(FEATURES.contains(name)),
            ("streq", [one, other]) => Ok(one == other),
            ("strneq", [one, other]) => Ok(one != other),
            ("strstr", [text, part]) => Ok(text.contains(part)),
            ("version_atleast", [version]) => Ok(version_of(version)? <= VERSION),
            ("version_before", [version]) => Ok(version_of(version)? > VERSION),
            ("openssl_version_atleast" | "ssllib_name_startswith" | "enabled", [_]) => Ok(false),
            ("openssl_version_before", [_]) => Ok(true),
            ("awslc_api_atleast" | "awslc_api_before", [_]) => Ok(false),
            _ => Err(format!(
                "`{name}` with {} arguments is no condition of `.if`",
                arguments.len()
            )),
        }
    }
}

fn version_of(text: &str) -> Result<(u32, u32), String> {
    let mut parts = text.split(['.', '-']);
    let mut number = || parts.next().map_or(Some(0), |part| part.parse().ok());
    match (number(), number()) {
        (Some(major), Some(minor)) => Ok((major, minor)),
        _ => Err(format!("`{text}` is not a version")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_of_if_are_evaluated_as_in_the_manual() {
        let environment = |name: &str| (name == "SET").then(|| "x".into());
        for (text, expected) in [
            ("", false),
            ("1", true),
            ("0", false),
            ("true && !false", true),
            ("defined(SET)", true),
            ("!defined(UNSET) && defined(SET)", true),
            ("false || (true && streq(a,a))", true),
            ("streq(a,b)", false),
            ("version_atleast(2.4)", true),
            ("version_atleast(2.4-dev19)", true),
            ("version_before(99.0)", true),
            ("version_atleast(99)", false),
            ("feature(OPENSSL) && !feature(QUIC)", true),
        ] {
            assert_eq!(holds(text, &environment), Ok(expected), "{text}");
        }
        for text in [
            "nonsense",
            "(true",
            "true true",
            "streq(a)",
            "version_atleast(x)",
        ] {
            assert!(holds(text, &environment).is_err(), "{text}");
        }
    }
}
