//! Which hop-related fields a head has: a bit set, filled in one pass over the head.
//!
//! `admit` and `hop` ask for a dozen fields that are hardly ever there, and each look-up hashes a
//! name. A pass over the head costs less than three look-ups.

use http::header::HeaderMap;

use crate::proxy::io::{FieldRules, NameKind};

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen(u16);

impl Seen {
    /// `Connection`.
    pub const CONNECTION: Self = Self(1);
    /// `Keep-Alive`.
    pub const KEEP_ALIVE: Self = Self(1 << 1);
    /// `Proxy-Connection`.
    pub const PROXY_CONNECTION: Self = Self(1 << 2);
    /// `TE`.
    pub const TE: Self = Self(1 << 3);
    /// `Transfer-Encoding`.
    pub const TRANSFER_ENCODING: Self = Self(1 << 4);
    /// `Upgrade`.
    pub const UPGRADE: Self = Self(1 << 5);
    /// `Expect`.
    pub const EXPECT: Self = Self(1 << 6);
    /// `Forwarded`.
    pub const FORWARDED: Self = Self(1 << 7);
    /// `X-Forwarded-For`, `-Host` or `-Proto`.
    pub const X_FORWARDED: Self = Self(1 << 8);
    /// `Content-Length`.
    pub const CONTENT_LENGTH: Self = Self(1 << 11);
    /// `HTTP2-Settings`.
    pub const HTTP2_SETTINGS: Self = Self(1 << 12);
    /// A field that only trusted proxies may send (`forwarding.trusted_only`).
    pub const TRUSTED_ONLY: Self = Self(1 << 9);
    /// A field whose name has characters other than letters, digits and `-`, and that must not be
    /// passed on.
    pub const ODD_NAME: Self = Self(1 << 10);

    /// The fields that apply to one hop only.
    pub const OF_HOP: Self = Self(
        Self::CONNECTION.0
            | Self::KEEP_ALIVE.0
            | Self::PROXY_CONNECTION.0
            | Self::TE.0
            | Self::TRANSFER_ENCODING.0
            | Self::UPGRADE.0
            | Self::HTTP2_SETTINGS.0,
    );

    /// The set of a head, without the classes of names that need rules.
    pub fn of(headers: &HeaderMap) -> Self {
        headers.keys().fold(Self::default(), |seen, name| {
            seen.with(Self::named(name.as_str()))
        })
    }

    /// The set of a request head. `rules` says which names are odd or for trusted proxies only.
    pub fn of_request(headers: &HeaderMap, rules: &FieldRules) -> Self {
        headers.keys().fold(Self::default(), |seen, name| {
            let name = name.as_str();
            let seen = match rules.kind_of(name) {
                NameKind::Ordinary => seen,
                NameKind::Odd => seen.with(Self::ODD_NAME),
                NameKind::TrustedOnly => seen.with(Self::TRUSTED_ONLY),
            };
            seen.with(Self::named(name))
        })
    }

    #[inline]
    fn named(name: &str) -> Self {
        match name {
            "connection" => Self::CONNECTION,
            "keep-alive" => Self::KEEP_ALIVE,
            "proxy-connection" => Self::PROXY_CONNECTION,
            "te" => Self::TE,
            "transfer-encoding" => Self::TRANSFER_ENCODING,
            "upgrade" => Self::UPGRADE,
            "content-length" => Self::CONTENT_LENGTH,
            "http2-settings" => Self::HTTP2_SETTINGS,
            "expect" => Self::EXPECT,
            "forwarded" => Self::FORWARDED,
            "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" => Self::X_FORWARDED,
            _ => Self::default(),
        }
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `field` was seen, or one of several.
    pub fn has(self, field: Self) -> bool {
        self.0 & field.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn each_field_is_seen_and_no_other() {
        let fields = [
            ("connection", Seen::CONNECTION),
            ("keep-alive", Seen::KEEP_ALIVE),
            ("proxy-connection", Seen::PROXY_CONNECTION),
            ("te", Seen::TE),
            ("transfer-encoding", Seen::TRANSFER_ENCODING),
            ("upgrade", Seen::UPGRADE),
            ("content-length", Seen::CONTENT_LENGTH),
            ("http2-settings", Seen::HTTP2_SETTINGS),
            ("expect", Seen::EXPECT),
            ("forwarded", Seen::FORWARDED),
            ("x-forwarded-host", Seen::X_FORWARDED),
            ("host", Seen::default()),
        ];
        for (name, field) in fields {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static("x"));
            assert_eq!(Seen::of(&headers), field, "{name}");
            let rules = FieldRules::default();
            assert_eq!(Seen::of_request(&headers, &rules), field, "{name}");
            for (other, field) in &fields[..fields.len() - 1] {
                let has = Seen::of(&headers).has(*field);
                assert_eq!(has, name == *other, "{other} of {name}");
            }
        }
    }

    #[test]
    fn the_kinds_of_a_requests_field_names_are_seen_too() {
        let rules = FieldRules::default();
        let seen = |name: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static("x"));
            Seen::of_request(&headers, &rules)
        };
        assert_eq!(seen("x-real-ip"), Seen::TRUSTED_ONLY);
        assert!(seen("x_real_ip").has(Seen::ODD_NAME));
        assert!(seen("x_forwarded_for").has(Seen::ODD_NAME));
        for ordinary in ["accept", "x-requested-with", "y_forwarded_for", "x_own"] {
            assert_eq!(seen(ordinary), Seen::default(), "{ordinary}");
        }
    }
}
