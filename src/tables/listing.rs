//! All entries of a table, for people and programs that look at it from outside.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::base::clock::Instant;
use crate::plan::{Data, KeyType, Reading, Stored};

use super::table::{Entry, Table, locked};

/// One entry as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its bytes, in the order of which entries are listed.
    key: Box<[u8]>,
    /// Where it is in the table, as long as it stays.
    pub place: u64,
    /// How many exchanges track it.
    pub trackers: u64,
    /// Milliseconds until it expires; `None`: never.
    pub expires: Option<u64>,
    /// For each of the table's data its elements; the events in the period, for rates.
    pub data: Vec<(Stored, Vec<u64>)>,
}

impl Table {
    /// The type of its keys.
    pub fn key_type(&self) -> KeyType {
        self.key
    }

    /// The entries whose time is not over, in the order of their keys. One part of the table is
    /// locked at a time, so those of different parts may be of different moments.
    pub fn list(&self, store: &[Stored], now: Instant) -> Vec<Listed> {
        let terms = self.terms(now);
        let mut all = Vec::new();
        for (part, shard) in self.shards().iter().enumerate() {
            let shard = &mut *locked(shard);
            let mut next = shard.first();
            while let Some(index) = next {
                next = shard.after(index);
                if shard.is_over(index, terms) {
                    continue;
                }
                let key = shard.key(index).into();
                let expires = shard.left(index, terms);
                let mut entry = Entry {
                    shard,
                    index,
                    terms,
                };
                let trackers = (*entry.trackers()).into();
                let data = store.iter().map(|stored| {
                    let elements = 0..usize::from(stored.count);
                    let read = |element| entry.read(Reading::Data(stored.data), element);
                    (*stored, elements.filter_map(read).collect())
                });
                let data = data.collect();
                all.push(Listed {
                    key,
                    place: (part as u64) << 32 | u64::from(index),
                    trackers,
                    expires,
                    data,
                });
            }
        }
        all.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        all
    }

    /// The key of `listed`, as text.
    pub fn shown_key(&self, listed: &Listed) -> String {
        let bytes = &*listed.key;
        match (self.key, bytes) {
            (KeyType::Ip, bytes) => {
                let octets: [u8; 16] = bytes.try_into().unwrap_or_default();
                Ipv6Addr::from(octets).to_string()
            }
            (KeyType::Ipv4, bytes) => {
                let octets: [u8; 4] = bytes.try_into().unwrap_or_default();
                Ipv4Addr::from(octets).to_string()
            }
            (KeyType::Integer, bytes) => {
                let octets: [u8; 4] = bytes.try_into().unwrap_or_default();
                u32::from_be_bytes(octets).to_string()
            }
            (KeyType::String(_), bytes) => {
                let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                String::from_utf8_lossy(text).into_owned()
            }
            (KeyType::Binary(_), bytes) => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
        }
    }
}

impl Listed {
    /// The first element of `data`; `None`: the table does not keep it.
    pub fn first(&self, data: Data) -> Option<u64> {
        let mut all = self.data.iter();
        let (_, elements) = all.find(|(stored, _)| stored.data == data)?;
        elements.first().copied()
    }
}
