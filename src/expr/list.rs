//! Lists for look-ups: the cost of a search does not depend on the length.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::plan::expr::Values;

use super::case::Case;
use super::scratch::{Scratch, Value};

/// A list, ready for look-ups.
#[derive(Debug)]
pub(super) enum List {
    Texts(HashSet<Box<[u8]>>),
    /// Sorted; none touches another.
    Ranges(Box<[(i64, i64)]>),
    Networks(Networks),
}

/// Addresses as ranges, sorted; none touches another.
#[derive(Debug)]
pub(super) struct Networks {
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl List {
    pub(super) fn compile(values: &Values, case: Case) -> Self {
        match values {
            Values::Texts(texts) => Self::Texts(texts.iter().map(|text| case.text(text)).collect()),
            Values::Ranges(ranges) => {
                Self::Ranges(merged(ranges.clone(), |last| last.checked_add(1)))
            }
            Values::Networks(networks) => Self::Networks(Networks::of(networks)),
        }
    }

    /// Whether it is a list of texts.
    pub(super) fn has_texts(&self) -> bool {
        matches!(self, Self::Texts(_))
    }

    pub(super) fn has(&self, value: Value<'_>, scratch: &Scratch) -> bool {
        match (self, value) {
            (Self::Texts(texts), value) => {
                scratch.text(value).is_some_and(|text| texts.contains(text))
            }
            (Self::Ranges(ranges), Value::Int(number)) => is_within(ranges, number),
            (Self::Networks(networks), Value::Ip(addr)) => networks.have(addr),
            _ => false,
        }
    }
}

impl Networks {
    pub(super) fn of(networks: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(network) => {
                    v4.push((network.network().into(), network.broadcast().into()));
                }
                IpNet::V6(network) => {
                    v6.push((network.network().into(), network.broadcast().into()));
                }
            }
        }
        Self {
            v4: merged(v4, |last: u32| last.checked_add(1)),
            v6: merged(v6, |last: u128| last.checked_add(1)),
        }
    }

    pub(super) fn have(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(addr) => is_within(&self.v4, u32::from(addr)),
            IpAddr::V6(addr) => is_within(&self.v6, u128::from(addr)),
        }
    }
}

/// The same ranges, sorted; ranges that touch are merged.
fn merged<T: Copy + Ord>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Box<[(T, T)]> {
    ranges.sort_unstable();
    let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if next(*end).is_none_or(|next| first <= next) => {
                *end = (*end).max(last);
            }
            _ => merged.push((first, last)),
        }
    }
    merged.into()
}

fn is_within<T: Copy + Ord>(ranges: &[(T, T)], value: T) -> bool {
    let index = ranges.partition_point(|(first, _)| *first <= value);
    index
        .checked_sub(1)
        .is_some_and(|index| value <= ranges[index].1)
}
