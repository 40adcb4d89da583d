//! Converters that hash: cryptographic ones, and those that spread keys over servers.

use aws_lc_rs::{digest, hmac};
use twox_hash::{XxHash3_64, XxHash32, XxHash64};

use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};
use crate::plan::expr::{Argument, Key, Variable};

use super::Convert;
use super::arguments::Arguments;
use super::text::text_of;

/// The algorithm with this name, which the table of converters allows.
pub(super) fn algorithm(name: &str) -> &'static digest::Algorithm {
    match name {
        "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "sha224" | "224" => &digest::SHA224,
        "sha384" | "384" => &digest::SHA384,
        "sha512" | "512" => &digest::SHA512,
        _ => &digest::SHA256,
    }
}

pub(super) fn digest(
    algorithm: &&'static digest::Algorithm,
    bytes: &[u8],
    into: &mut Vec<u8>,
) -> bool {
    into.extend_from_slice(digest::digest(algorithm, bytes).as_ref());
    true
}

/// A message authentication code.
#[derive(Debug)]
pub(super) struct Hmac {
    algorithm: hmac::Algorithm,
    key: HmacKey,
}

#[derive(Debug)]
enum HmacKey {
    Is(Key),
    /// In base64.
    In(Variable),
    /// The type checker allows no such key.
    None,
}

impl Hmac {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        Self {
            algorithm: match arguments.text(0) {
                "sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                "sha224" => hmac::HMAC_SHA224,
                "sha384" => hmac::HMAC_SHA384,
                "sha512" => hmac::HMAC_SHA512,
                _ => hmac::HMAC_SHA256,
            },
            key: match arguments.get(1) {
                Some(Argument::Key(key)) => HmacKey::Is(key.clone()),
                Some(Argument::Variable(variable)) => HmacKey::In(variable.clone()),
                _ => HmacKey::None,
            },
        }
    }
}

impl Convert for Hmac {
    fn apply<'a>(
        &'a self,
        value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        let sign = |key: &[u8], bytes: &[u8], into: &mut Vec<u8>| {
            let key = hmac::Key::new(self.algorithm, key);
            into.extend_from_slice(hmac::sign(&key, bytes).as_ref());
        };
        let key = match &self.key {
            HmacKey::Is(key) => {
                return scratch.rewrite(value, |bytes, into| {
                    sign(key.bytes(), bytes, into);
                    true
                });
            }
            HmacKey::In(variable) => text_of(Some(variable), facts, scratch),
            HmacKey::None => Value::Absent,
        };
        let key = scratch
            .text(key)
            .and_then(|text| Key::new(str::from_utf8(text).ok()?));
        let Some(key) = key else {
            return Value::Absent;
        };
        scratch.rewrite(value, |bytes, into| {
            sign(key.bytes(), bytes, into);
            true
        })
    }
}

/// A hash of 32 bits, and whether its bits are mixed again.
#[derive(Debug)]
pub(super) struct Hash {
    pub(super) of: fn(&[u8]) -> u32,
    pub(super) avalanche: bool,
}

impl Hash {
    pub(super) fn value(&self, bytes: &[u8]) -> Option<i64> {
        let hash = (self.of)(bytes);
        let hash = match self.avalanche {
            true => mixed(hash),
            false => hash,
        };
        Some(hash.into())
    }
}

/// HAProxy's `full_hash`: Bob Jenkins' "4-byte integer hashing", and a multiplication.
pub(in crate::expr) fn mixed(hash: u32) -> u32 {
    let add = u32::wrapping_add;
    let hash = add(add(hash, 0x7ed5_5d16), hash << 12);
    let hash = hash ^ 0xc761_c23c ^ (hash >> 19);
    let hash = add(add(hash, 0x1656_67b1), hash << 5);
    let hash = add(hash, 0xd3a2_646c) ^ (hash << 9);
    let hash = add(add(hash, 0xfd70_46c5), hash << 3);
    let hash = hash ^ 0xb55a_4f09 ^ (hash >> 16);
    hash.wrapping_mul(0xc000_0001)
}

pub(super) fn crc32(bytes: &[u8]) -> u32 {
    crc(&IEEE, bytes)
}

pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    crc(&CASTAGNOLI, bytes)
}

/// Of a key of some bytes: one byte at a time is enough.
fn crc(table: &[u32; 256], bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        crc >> 8 ^ table[usize::from(crc as u8 ^ byte)]
    })
}

static IEEE: [u32; 256] = table(0xedb8_8320);
static CASTAGNOLI: [u32; 256] = table(0x82f6_3b78);

const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = match crc & 1 {
                1 => crc >> 1 ^ polynomial,
                _ => crc >> 1,
            };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

pub(super) fn djb2(bytes: &[u8]) -> u32 {
    bytes.iter().fold(5381, |hash: u32, byte| {
        hash.wrapping_mul(33).wrapping_add((*byte).into())
    })
}

pub(in crate::expr) fn sdbm(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |hash: u32, byte| {
        hash.wrapping_mul(65599).wrapping_add((*byte).into())
    })
}

/// HAProxy's own: two halves, rotated by amounts that depend on what came before.
pub(super) fn wt6(bytes: &[u8]) -> u32 {
    let (mut high, mut low) = (0xa53c_965a_u32, 0x5ca6_953a_u32);
    let (mut first, mut second) = (6, 18);
    for byte in bytes.iter().map(|byte| u32::from(*byte)) {
        high = !(high ^ byte);
        low = !low.wrapping_add(byte);
        (high, low) = (low.rotate_left(first), high.rotate_left(second));
        let mix = (high >> 16 ^ low) & 0xffff;
        (first, second) = (mix & 31, mix >> 11);
    }
    high ^ low
}

pub(super) fn xxh32(seed: &u32, bytes: &[u8]) -> Option<i64> {
    Some(XxHash32::oneshot(*seed, bytes).into())
}

pub(super) fn xxh64(seed: &u64, bytes: &[u8]) -> Option<i64> {
    Some(XxHash64::oneshot(*seed, bytes) as i64)
}

pub(super) fn xxh3(seed: &u64, bytes: &[u8]) -> Option<i64> {
    Some(XxHash3_64::oneshot_with_seed(*seed, bytes) as i64)
}
