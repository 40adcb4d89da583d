//! Names of fields as servers compare them.
//!
//! CGI, WSGI, Rack and PHP turn a field name into capitals with `_` for `-`, and some write `_` for
//! every character that is no letter and no digit. For them, `X_Forwarded_For` and
//! `X.Forwarded-For` are `X-Forwarded-For`. So names are compared here as if all these characters
//! were the same.
//!
//! `proxy::io` removes such fields of requests by it; `plan` has sets of names. RFC 3875 §4.1.18,
//! PEP 3333.

use http::header::{HeaderMap, HeaderName};

/// Whether `name`, which is in lower case, has only letters, digits and `-`.
pub fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// `name` with `-` for everything that is no letter and no digit.
pub fn plain_form(name: &str) -> String {
    let plain = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte.to_ascii_lowercase()),
        false => '-',
    };
    name.bytes().map(plain).collect()
}

/// A set of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldNames {
    /// Sorted, without duplicates.
    names: Vec<HeaderName>,
    /// Their plain forms, sorted, without duplicates.
    forms: Vec<String>,
}

impl FieldNames {
    /// Whether `name` is one of them.
    pub fn have(&self, name: &str) -> bool {
        let found = self.names.binary_search_by(|own| own.as_str().cmp(name));
        found.is_ok()
    }

    /// Whether a server may take `name` for one of them.
    pub fn have_like(&self, name: &str) -> bool {
        let form = plain_form(name);
        self.forms.binary_search(&form).is_ok()
    }

    /// Removes them from `headers`.
    pub fn remove_from(&self, headers: &mut HeaderMap) {
        for name in &self.names {
            headers.remove(name);
        }
    }

    /// In the order of the alphabet.
    pub fn iter(&self) -> impl Iterator<Item = &HeaderName> {
        self.names.iter()
    }
}

impl FromIterator<HeaderName> for FieldNames {
    fn from_iter<I: IntoIterator<Item = HeaderName>>(names: I) -> Self {
        let mut names: Vec<HeaderName> = names.into_iter().collect();
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        let mut forms: Vec<String> = names.iter().map(|name| plain_form(name.as_str())).collect();
        forms.sort_unstable();
        forms.dedup();
        Self { names, forms }
    }
}

/// Lengths and first letters of names: a fast test that excludes most names from a set, whatever
/// they have in place of `-`. Every name of every request is tested, and comparing its bytes costs
/// ten times as much.
#[derive(Clone, Debug)]
pub struct NameKinds {
    /// By length: a bit for each first letter.
    letters: [u32; LENGTHS],
}

/// Names of 32 bytes count as names of 0 bytes, and so on.
const LENGTHS: usize = 32;

impl NameKinds {
    /// The kinds of all names.
    pub const ALL: Self = Self {
        letters: [u32::MAX; LENGTHS],
    };

    /// The kinds of `names`.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut letters = [0; LENGTHS];
        for name in names {
            letters[name.len() % LENGTHS] |= letter(name);
        }
        Self { letters }
    }

    /// Whether a set with these kinds may have a name like `name`, which is in lower case.
    #[inline]
    pub fn have(&self, name: &str) -> bool {
        self.letters[name.len() % LENGTHS] & letter(name) != 0
    }
}

/// The bit of a name's first letter; one bit for all characters that are no letter.
#[inline]
fn letter(name: &str) -> u32 {
    let first = name.as_bytes().first().copied().unwrap_or_default();
    1 << first.wrapping_sub(b'a').min(26)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(names: &[&'static str]) -> FieldNames {
        names.iter().copied().map(HeaderName::from_static).collect()
    }

    #[test]
    fn a_name_is_plain_without_underscores_and_the_like() {
        for plain in ["host", "x-forwarded-for", "sec-ch-ua-1", "-", ""] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in [
            "x_forwarded_for",
            "a.b",
            "a!",
            "a~",
            "a`b",
            "$a",
            "a|",
            "a^",
        ] {
            assert!(!is_plain(other), "{other}");
        }
    }

    #[test]
    fn every_spelling_that_a_server_may_take_for_a_name_is_like_it() {
        let set = names(&["x-forwarded-for", "x_id"]);
        for like in [
            "x_forwarded_for",
            "x-forwarded_for",
            "x.forwarded!for",
            "x-id",
            "x_id",
        ] {
            assert!(set.have_like(like), "{like}");
        }
        for other in [
            "x-forwarded-fo",
            "xforwardedfor",
            "x-forwarded--for",
            "x-forwarded-for-",
        ] {
            assert!(!set.have_like(other), "{other}");
        }
    }

    #[test]
    fn only_its_own_names_are_removed() {
        let mut headers = HeaderMap::new();
        for name in ["x-real-ip", "x_real_ip", "accept"] {
            headers.insert(name, http::HeaderValue::from_static("1"));
        }
        names(&["x-real-ip"]).remove_from(&mut headers);
        assert!(!headers.contains_key("x-real-ip"));
        assert_eq!(headers.len(), 2);
    }

    proptest! {
        #[test]
        fn a_name_like_another_is_of_its_kind(name in "[a-z0-9_.-]{1,40}", with in "[_.!-]") {
            let other: String = name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { with.clone() })
                .collect();
            let parsed = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            let set: FieldNames = [parsed].into_iter().collect();
            prop_assert!(set.have(&name));
            prop_assert!(set.have_like(&other));
            prop_assert!(NameKinds::of([name.as_str()]).have(&other));
            prop_assert!(is_plain(&plain_form(&name)));
        }

        #[test]
        fn only_names_of_the_same_length_and_letter_are_of_a_kind(name in "[a-z][a-z-]{0,30}") {
            let kinds = NameKinds::of(["x-forwarded-for", "keep-alive"]);
            let expected = matches!((name.len(), &name[..1]), (15, "x") | (10, "k"));
            prop_assert_eq!(kinds.have(&name), expected);
            prop_assert!(NameKinds::ALL.have(&name));
        }
    }
}
