//! Files of keys and values for the converters `map` and `map_…`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

/// A file of keys and values, as it was when the configuration was loaded.
#[derive(Clone, Debug)]
pub struct Map {
    /// The path of the file.
    pub path: PathBuf,
    /// In the order of the file. Of equal keys the first counts.
    pub entries: Arc<Vec<(String, String)>>,
}

/// How the keys of a map are compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKeys {
    /// Equal.
    Whole,
    /// The value begins with the key; the longest key counts.
    Beginnings,
    /// The value ends with the key.
    Ends,
    /// The value contains the key.
    Parts,
    /// The value contains the key between `/` and `?`, or its ends.
    Directories,
    /// The value contains the key between `/`, `?`, `.` and `:`, or its ends.
    Domains,
    /// The key is a regular expression.
    Patterns,
    /// The same, and the value of the map may contain its groups.
    PatternsWithGroups,
    /// The key is an address or a network; the smallest network counts.
    Addresses,
    /// The key is a number or a range of numbers.
    Numbers,
}

/// The type of the values of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapValues {
    /// Texts.
    Texts,
    /// Numbers.
    Numbers,
    /// Addresses.
    Addresses,
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
            && (Arc::ptr_eq(&self.entries, &other.entries) || self.entries == other.entries)
    }
}

/// An address as a network of its own, or a network.
pub fn network(text: &str) -> Option<IpNet> {
    let addr = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| addr()).ok()
}

/// A number, or a range: `1:9`, `:9`, `1:`.
pub fn range(text: &str) -> Option<(i64, i64)> {
    let Some((first, last)) = text.split_once(':') else {
        let number = text.parse().ok()?;
        return Some((number, number));
    };
    let bound = |text: &str, open: i64| match text {
        "" => Some(open),
        text => text.parse().ok(),
    };
    let (first, last) = (bound(first, i64::MIN)?, bound(last, i64::MAX)?);
    (first <= last).then_some((first, last))
}
