//! Names that the user gave: of frontends, backends, servers and routes.
//!
//! A name is an identity: live state belongs to it, and logs, metrics and the admin API write it
//! exactly as the file does.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A name as written in the configuration: 1 to 128 visible ASCII characters without `"`, `\` and `%[`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// # Errors
    ///
    /// [`InvalidName`] when `text` is empty, longer than 128 characters, or has a character that
    /// would need an escape in a log line or a metric label.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        // `backend = "%[…]"` is an expression.
        let is_expression = text.contains("%[");
        if text.is_empty() || text.len() > 128 || !text.bytes().all(is_plain) || is_expression {
            return Err(InvalidName);
        }
        Ok(Self(text.into()))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// A text that cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName;

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a name has 1 to 128 visible ASCII characters, without quotes, backslashes and `%[`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_log_line_can_carry() {
        assert!(Name::new("app").is_ok());
        assert!(Name::new("10.0.0.1:80").is_ok());
        for bad in ["", "a b", "a\"b", "ü", "a\n", "a\\b", &"x".repeat(129)] {
            assert_eq!(Name::new(bad), Err(InvalidName), "{bad:?}");
        }
        assert!(Name::new(&"x".repeat(128)).is_ok());
    }
}
