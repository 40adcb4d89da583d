//! The query of a target as parameters, read without copying.
//!
//! The router reads them; they are never written back. They are split like HTML forms: `&` between
//! them, the first `=` ends a name, `+` is a space (WHATWG URL,
//! `application/x-www-form-urlencoded`). `;` does not separate.

use super::escape::escaped_byte;

/// The parameters of `query` in order, each with name and value; a missing value is empty.
pub fn parameters(query: &str) -> impl Iterator<Item = (Decoded<'_>, Decoded<'_>)> {
    query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (Decoded::of(name), Decoded::of(value))
        })
}

/// The bytes of an encoded text. An invalid escape stands for itself.
#[derive(Clone, Debug)]
pub struct Decoded<'a> {
    rest: &'a [u8],
}

impl<'a> Decoded<'a> {
    fn of(text: &'a str) -> Self {
        Self::of_bytes(text.as_bytes())
    }

    /// The bytes that `text` stands for.
    pub fn of_bytes(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// Whether the bytes are `text`.
    pub fn is(self, text: &str) -> bool {
        self.eq(text.bytes())
    }

    /// Whether the bytes begin with `text`.
    pub fn begins_with(mut self, text: &str) -> bool {
        text.bytes().all(|byte| self.next() == Some(byte))
    }
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&first, after) = self.rest.split_first()?;
        if let Some(byte) = escaped_byte(self.rest) {
            self.rest = &self.rest[3..];
            return Some(byte);
        }
        self.rest = after;
        Some(if first == b'+' { b' ' } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Vec<(String, String)> {
        let text = |decoded: Decoded<'_>| {
            String::from_utf8_lossy(&decoded.collect::<Vec<u8>>()).into_owned()
        };
        parameters(query)
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn parameters_are_split_like_forms() {
        let cases: [(&str, &[(&str, &str)]); 6] = [
            ("", &[]),
            ("&&", &[]),
            ("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
            ("a&b=&=c", &[("a", ""), ("b", ""), ("", "c")]),
            ("a=b=c;d=e", &[("a", "b=c;d=e")]),
            ("a%26b=c%3dd+e%2B", &[("a&b", "c=d e+")]),
        ];
        for (query, expected) in cases {
            assert_eq!(read(query), owned(expected), "{query}");
        }
    }

    #[test]
    fn an_escape_that_is_none_stands_for_itself() {
        assert_eq!(
            read("a=%zz%2&%=%%41"),
            owned(&[("a", "%zz%2"), ("%", "%A")])
        );
    }

    #[test]
    fn decoded_bytes_are_compared_with_text() {
        let decoded = Decoded::of("a%62c");
        assert!(decoded.clone().is("abc"));
        assert!(!decoded.clone().is("ab"));
        assert!(!decoded.clone().is("abcd"));
        assert!(decoded.clone().begins_with("ab"));
        assert!(decoded.clone().begins_with(""));
        assert!(!decoded.begins_with("abcd"));
    }
}
