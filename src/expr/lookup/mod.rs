//! Searches among many keys at once: the cost hardly depends on their number.
//!
//! Maps and long lists use them. Which key is found if several match is HAProxy's: of beginnings the
//! longest, of networks the smallest, else the first in the order of the file.

mod parts;
mod patterns;
mod prefixes;
mod segments;
mod sorted;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use ipnet::IpNet;

use crate::plan::expr::{MapKeys, Values, map_network, map_range};

use super::case::Case;
use super::scratch::{Scratch, Value};
use parts::Parts;
use patterns::Patterns;
use prefixes::{Prefixes, Suffixes};
use segments::Segments;
use words::Words;

/// Keys, each with an index, ready for searches.
#[derive(Debug)]
pub enum Lookup {
    /// Whole texts.
    Whole(HashMap<Box<[u8]>, u32, RandomState>),
    /// Beginnings of texts.
    Beginnings(Prefixes),
    /// Ends of texts.
    Ends(Suffixes),
    /// Parts of texts.
    Parts(Parts),
    /// Parts of texts between delimiters.
    Words(Box<Words>),
    /// Regular expressions.
    Patterns(Patterns),
    /// Networks.
    Addresses(Segments<u32>, Segments<u128>),
    /// Ranges of numbers.
    Numbers(Segments<i64>),
}

impl Lookup {
    /// `texts` have the form that `keys` asks for, as was checked at load; others never match.
    pub fn of<'t>(keys: MapKeys, texts: impl Iterator<Item = &'t str>) -> Self {
        let texts = (0..).zip(texts);
        match keys {
            MapKeys::Whole => {
                let mut all = HashMap::default();
                for (index, text) in texts {
                    all.entry(text.as_bytes().into()).or_insert(index);
                }
                Self::Whole(all)
            }
            MapKeys::Beginnings => Self::Beginnings(Prefixes::of(texts)),
            MapKeys::Ends => Self::Ends(Suffixes::of(texts)),
            MapKeys::Parts => Self::Parts(Parts::of(texts)),
            MapKeys::Directories => Self::Words(Box::new(Words::of(b"/?", texts))),
            MapKeys::Domains => Self::Words(Box::new(Words::of(b"/?.:", texts))),
            MapKeys::Patterns | MapKeys::PatternsWithGroups => Self::Patterns(Patterns::of(texts)),
            MapKeys::Addresses => addresses(texts),
            MapKeys::Numbers => Self::Numbers(Segments::of(
                texts.filter_map(|(index, text)| {
                    let (first, last) = map_range(text)?;
                    Some((first, last, 0, index))
                }),
                |last| last.checked_add(1),
            )),
        }
    }

    /// The values of a list.
    pub(super) fn of_list(values: &Values, case: Case) -> Self {
        match values {
            Values::Texts(texts) => Self::of_texts(MapKeys::Whole, texts, case),
            Values::Ranges(ranges) => {
                // Ranges that overlap need different indices, to end one by one.
                let ranges = (0..).zip(ranges);
                let ranges = ranges.map(|(index, (first, last))| (*first, *last, 0, index));
                Self::Numbers(Segments::of(ranges, |last| last.checked_add(1)))
            }
            // Networks of one length do not overlap: with one index, neighbours are one segment.
            Values::Networks(networks) => networks_of(networks.iter().map(|each| (0, *each))),
        }
    }

    /// Texts of a list, for values that are in lower case if case is ignored.
    pub(super) fn of_texts(keys: MapKeys, texts: &[String], case: Case) -> Self {
        match (keys, case) {
            (MapKeys::Patterns | MapKeys::PatternsWithGroups, case) => {
                let texts = texts.iter().map(String::as_str);
                Self::Patterns(Patterns::of_case((0..).zip(texts), case))
            }
            (keys, Case::Counts) => Self::of(keys, texts.iter().map(String::as_str)),
            (keys, Case::Ignored) => {
                let texts: Vec<String> =
                    texts.iter().map(|text| text.to_ascii_lowercase()).collect();
                Self::of(keys, texts.iter().map(String::as_str))
            }
        }
    }

    /// Whether its keys are texts.
    pub(super) fn has_texts(&self) -> bool {
        !matches!(self, Self::Addresses(..) | Self::Numbers(_))
    }

    /// The index of the key that `value` matches.
    pub fn find(&self, value: Value<'_>, scratch: &Scratch) -> Option<u32> {
        match (self, value) {
            (Self::Addresses(v4, _), Value::Ip(IpAddr::V4(addr))) => v4.find(addr.into()),
            (Self::Addresses(_, v6), Value::Ip(IpAddr::V6(addr))) => v6.find(addr.into()),
            (Self::Numbers(numbers), Value::Int(number)) => numbers.find(number),
            (_, value) => self.find_text(scratch.text(value)?),
        }
    }

    fn find_text(&self, text: &[u8]) -> Option<u32> {
        match self {
            Self::Whole(all) => all.get(text).copied(),
            Self::Beginnings(prefixes) => prefixes.longest(text),
            Self::Ends(suffixes) => suffixes.first(text),
            Self::Parts(parts) => parts.first(text),
            Self::Words(words) => words.first(text),
            Self::Patterns(patterns) => patterns.first(text),
            Self::Addresses(..) | Self::Numbers(_) => None,
        }
    }
}

fn addresses<'t>(texts: impl Iterator<Item = (u32, &'t str)>) -> Lookup {
    networks_of(texts.filter_map(|(index, text)| Some((index, map_network(text)?))))
}

/// Longer prefixes come before shorter ones.
fn networks_of(networks: impl Iterator<Item = (u32, IpNet)>) -> Lookup {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (index, network) in networks {
        match network {
            IpNet::V4(network) => v4.push((
                u32::from(network.network()),
                u32::from(network.broadcast()),
                128 - network.prefix_len(),
                index,
            )),
            IpNet::V6(network) => v6.push((
                u128::from(network.network()),
                u128::from(network.broadcast()),
                128 - network.prefix_len(),
                index,
            )),
        }
    }
    Lookup::Addresses(
        Segments::of(v4.into_iter(), |last: u32| last.checked_add(1)),
        Segments::of(v6.into_iter(), |last: u128| last.checked_add(1)),
    )
}
