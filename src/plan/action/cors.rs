//! `cors`: which pages of other origins may read answers (Fetch standard, §3.2).

use std::fmt;
use std::time::Duration;

use http::{HeaderName, Method};

use crate::base::Position;

/// `cors = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cors {
    /// The origins of pages that may read answers.
    pub origins: Origins,
    /// The methods that a preflight allows. GET, HEAD and POST need none.
    pub methods: Vec<Method>,
    /// The request fields that a preflight allows.
    pub headers: AllowedFields,
    /// The response fields that pages may read, besides the usual ones.
    pub expose: Vec<HeaderName>,
    /// Whether requests may carry cookies and other credentials.
    pub credentials: bool,
    /// How long a browser may keep the answer to a preflight.
    pub max_age: Duration,
    /// Where it is written. The name of the rule while it runs.
    pub at: Position,
}

/// Origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Every one: `"*"`.
    Any,
    /// Those that match one of these.
    Listed(Vec<Origin>),
}

/// Origins with one scheme and port, and with one host or all hosts below a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Up to and with `://`, in lower case.
    scheme: String,
    /// Whether any names may be in front of `host`.
    is_wildcard: bool,
    /// With the port, if it is written, in lower case; after `*`, it begins with a dot.
    host: String,
}

/// Fields of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedFields {
    /// What a preflight asks for: `"*"`.
    Any,
    /// These.
    Listed(Vec<HeaderName>),
}

impl Origin {
    /// The pattern `text`: `https://a.example.com`, `https://*.example.com` or `http://localhost:3000`.
    /// `None`: it is not an origin (RFC 6454 §6.2).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (scheme, host) = text.split_once("://")?;
        let is_of_scheme =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let (is_wildcard, host) = match host.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, host),
        };
        let name = host.strip_prefix('.').filter(|_| is_wildcard);
        let name = match is_wildcard {
            true => name?,
            false => host,
        };
        let is_of_host = |byte: u8| byte.is_ascii_graphic() && !b"/?#@*,\\".contains(&byte);
        let is_right = !scheme.is_empty()
            && scheme.bytes().all(is_of_scheme)
            && !name.is_empty()
            && !name.starts_with(['.', ':'])
            && name.bytes().all(is_of_host);
        is_right.then(|| Self {
            scheme: format!("{scheme}://"),
            is_wildcard,
            host: host.to_owned(),
        })
    }

    /// Whether `origin`, the value of the field, is one of these. Browsers write it in lower case.
    pub fn matches(&self, origin: &[u8]) -> bool {
        let Some(host) = origin.strip_prefix(self.scheme.as_bytes()) else {
            return false;
        };
        match self.is_wildcard {
            true => host
                .strip_suffix(self.host.as_bytes())
                .is_some_and(|names| !names.is_empty()),
            false => host == self.host.as_bytes(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        if self.is_wildcard {
            f.write_str("*")?;
        }
        f.write_str(&self.host)
    }
}

impl Origins {
    /// Whether `origin`, the value of the field, is one of these.
    pub fn contain(&self, origin: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(listed) => listed.iter().any(|pattern| pattern.matches(origin)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_matches_whole_names_with_its_scheme_and_port() {
        let matches = |pattern: &str, origin: &str| {
            let pattern = Origin::parse(pattern).expect(pattern);
            pattern.matches(origin.as_bytes())
        };
        assert!(matches("https://a.example", "https://a.example"));
        assert!(matches("HTTPS://A.example", "https://a.example"));
        assert!(matches("http://localhost:3000", "http://localhost:3000"));
        assert!(matches("https://*.a.example", "https://b.a.example"));
        assert!(matches("https://*.a.example", "https://c.b.a.example"));
        assert!(matches("http://[::1]:80", "http://[::1]:80"));
        for (pattern, origin) in [
            ("https://a.example", "http://a.example"),
            ("https://a.example", "https://a.example:8443"),
            ("https://a.example", "https://a.example.evil.example"),
            ("https://*.a.example", "https://a.example"),
            ("https://*.a.example", "https://.a.example"),
            ("https://*.a.example", "https://eviла.example"),
            ("https://*.a.example", "https://evila.example"),
            ("https://*.a.example", "https://b.a.example:1"),
            ("https://a.example", "null"),
        ] {
            assert!(!matches(pattern, origin), "{pattern} {origin}");
        }
    }

    #[test]
    fn what_is_not_an_origin_is_refused() {
        for text in [
            "a.example",
            "https://",
            "://a",
            "https://a.example/",
            "https://a.example/path",
            "https://*",
            "https://*a.example",
            "https://a.*.example",
            "https://user@a.example",
            "https://*.",
            "https://:80",
            "ht tp://a",
            "https://a b",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
