//! Keys: the bytes by which an entry is found.

use std::net::IpAddr;

use crate::expr::{Scratch, Value};
use crate::plan::KeyType;

/// The longest key that needs no allocation.
const SHORT: usize = 64;

/// A key, as many bytes as the keys of its table have.
pub(super) enum Key {
    Short([u8; SHORT], usize),
    Long(Box<[u8]>),
}

/// The bytes of a key of the type `of`.
pub(super) fn bytes_of(of: KeyType) -> usize {
    match of {
        KeyType::Ip => 16,
        KeyType::Ipv4 | KeyType::Integer => 4,
        KeyType::String(most) | KeyType::Binary(most) => usize::from(most),
    }
}

impl Key {
    /// The key of the type `of` for `value`, which has been cast; `None`: it has none.
    pub(super) fn of(of: KeyType, value: Value<'_>, scratch: &Scratch) -> Option<Self> {
        match (of, value) {
            // An IPv4 address and its form as an IPv6 address are the same key.
            (KeyType::Ip, Value::Ip(IpAddr::V4(addr))) => {
                Some(Self::from(&addr.to_ipv6_mapped().octets(), 16))
            }
            (KeyType::Ip, Value::Ip(IpAddr::V6(addr))) => Some(Self::from(&addr.octets(), 16)),
            (KeyType::Ipv4, Value::Ip(IpAddr::V4(addr))) => Some(Self::from(&addr.octets(), 4)),
            // The lowest 32 bits, as in HAProxy.
            (KeyType::Integer, Value::Int(number)) => {
                Some(Self::from(&(number as u32).to_be_bytes(), 4))
            }
            (KeyType::String(most), value) => {
                let text = scratch.text(value)?;
                // As in HAProxy: a text ends at a NUL.
                let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
                Some(Self::from(text, most.into()))
            }
            (KeyType::Binary(most), value) => Some(Self::from(scratch.text(value)?, most.into())),
            _ => None,
        }
    }

    /// The beginning of `bytes`, filled up with zeros to `length`.
    pub(super) fn from(bytes: &[u8], length: usize) -> Self {
        let bytes = &bytes[..bytes.len().min(length)];
        if length <= SHORT {
            let mut key = [0; SHORT];
            key[..bytes.len()].copy_from_slice(bytes);
            return Self::Short(key, length);
        }
        let mut key = vec![0; length];
        key[..bytes.len()].copy_from_slice(bytes);
        Self::Long(key.into())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(key, length) => &key[..*length],
            Self::Long(key) => key,
        }
    }
}
