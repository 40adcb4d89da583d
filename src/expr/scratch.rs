//! Values, and the buffer in which they are computed.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use crate::base::rng::Rng;
use crate::plan::expr::Type;

/// A value while an expression is evaluated.
///
/// A text that an expression made itself is in the [`Scratch`]: [`Scratch::text`] returns its
/// bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Absent,
    /// True or false.
    Bool(bool),
    /// A number.
    Int(i64),
    /// An address; never an IPv4 address in the form of an IPv6 address.
    Ip(IpAddr),
    /// Bytes of the exchange, or of the configuration.
    Text(&'a [u8]),
    /// Bytes of the scratch, from the first index to the second.
    Scratch(u32, u32),
}

/// The buffer for the values of one evaluation. One for each worker; bounded.
#[derive(Debug)]
pub struct Scratch {
    bytes: Vec<u8>,
    /// For texts that are made from a text in `bytes`.
    spare: Vec<u8>,
    /// Chance for `rand` and `uuid`.
    rng: Rng,
}

/// The most bytes of all values of one evaluation: many times the largest head, so that only a
/// replacement that makes a text much longer reaches it. Then the value is absent, as in HAProxy
/// when its buffer has no room.
pub(super) const MOST_BYTES: usize = 4 << 20;

/// The most bytes that are kept for the next evaluation.
const KEPT_BYTES: usize = 64 << 10;

impl Default for Scratch {
    fn default() -> Self {
        Self::with_chance(Rng::from_entropy())
    }
}

impl Scratch {
    /// An empty scratch. Expressions that ask for chance take it from `rng`.
    pub fn with_chance(rng: Rng) -> Self {
        Self {
            bytes: Vec::new(),
            spare: Vec::new(),
            rng,
        }
    }

    /// Chance for this evaluation.
    pub(super) fn rng(&self) -> &Rng {
        &self.rng
    }

    /// Clears the buffer for the next evaluation. Older values have no bytes any more.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spare.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.spare.shrink_to(KEPT_BYTES);
    }

    /// The number of bytes written; see [`Scratch::rewind`].
    pub(super) fn mark(&self) -> usize {
        self.bytes.len()
    }

    /// Removes all bytes that were written since `mark`.
    pub(super) fn rewind(&mut self, mark: usize) {
        self.bytes.truncate(mark);
    }

    /// The bytes of a text; `None` for anything else.
    pub fn text<'v, 'a: 'v>(&'v self, value: Value<'a>) -> Option<&'v [u8]> {
        match value {
            Value::Text(bytes) => Some(bytes),
            Value::Scratch(start, end) => self.bytes.get(start as usize..end as usize),
            _ => None,
        }
    }

    /// The text that `write` appends.
    pub(super) fn write<'a>(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Value<'a> {
        let start = self.bytes.len();
        write(&mut self.bytes);
        if self.bytes.len() > MOST_BYTES {
            self.bytes.truncate(start);
            return Value::Absent;
        }
        Value::Scratch(start as u32, self.bytes.len() as u32)
    }

    /// The text that `write` makes of another one; absent if `write` reports that it does not fit.
    pub(super) fn rewrite<'a>(
        &mut self,
        value: Value<'a>,
        write: impl FnOnce(&[u8], &mut Vec<u8>) -> bool,
    ) -> Value<'a> {
        let mut made = std::mem::take(&mut self.spare);
        made.clear();
        let Some(text) = self.text(value) else {
            self.spare = made;
            return Value::Absent;
        };
        if !write(text, &mut made) {
            made.clear();
            made.shrink_to(KEPT_BYTES);
            self.spare = made;
            return Value::Absent;
        }
        // Nothing else reads the text that it was made of.
        if let Value::Scratch(start, end) = value
            && end as usize == self.bytes.len()
        {
            self.bytes.truncate(start as usize);
        }
        let value = self.write(|bytes| bytes.extend_from_slice(&made));
        self.spare = made;
        value
    }

    /// The part of a text from `start` to `end`, without copying it.
    pub(super) fn part<'a>(&self, value: Value<'a>, start: usize, end: usize) -> Value<'a> {
        match value {
            Value::Text(bytes) => bytes.get(start..end).map_or(Value::Absent, Value::Text),
            Value::Scratch(from, to) => {
                let (start, end) = (from + start as u32, from + end as u32);
                match start <= end && end <= to {
                    true => Value::Scratch(start, end),
                    false => Value::Absent,
                }
            }
            _ => Value::Absent,
        }
    }

    /// The same value as a text.
    pub(super) fn text_of<'a>(&mut self, value: Value<'a>) -> Value<'a> {
        match value {
            Value::Bool(true) => Value::Text(b"1"),
            Value::Bool(false) => Value::Text(b"0"),
            Value::Int(number) => self.write(|bytes| {
                bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }),
            // Writing to a vector does not fail.
            Value::Ip(addr) => self.write(|bytes| drop(write!(bytes, "{addr}"))),
            text => text,
        }
    }

    /// The same value as a number: the number at the beginning of a text, or 0 if it begins with
    /// none, as for HAProxy; an empty text has no number.
    pub(super) fn int_of<'a>(&self, value: Value<'a>) -> Value<'a> {
        match value {
            Value::Bool(value) => Value::Int(value.into()),
            Value::Ip(IpAddr::V4(addr)) => Value::Int(u32::from(addr).into()),
            Value::Ip(IpAddr::V6(_)) => Value::Absent,
            Value::Text(_) | Value::Scratch(..) => match self.text(value) {
                None | Some([]) => Value::Absent,
                Some(text) => Value::Int(leading_number(text)),
            },
            other => other,
        }
    }

    /// The same value as an address.
    pub(super) fn ip_of<'a>(&self, value: Value<'a>) -> Value<'a> {
        match value {
            Value::Text(_) | Value::Scratch(..) => {
                let addr = self.text(value).and_then(address);
                addr.map_or(Value::Absent, Value::Ip)
            }
            // As HAProxy: the last 32 bits.
            Value::Int(number) => Value::Ip(Ipv4Addr::from(number as u32).into()),
            other => other,
        }
    }

    /// The same value as true or false: whether its number is not 0.
    fn bool_of<'a>(&self, value: Value<'a>) -> Value<'a> {
        match self.int_of(value) {
            Value::Int(number) => Value::Bool(number != 0),
            _ => Value::Absent,
        }
    }

    /// The same value as bytes: those of a number (64 bits) or an address, the highest first.
    fn bytes_of<'a>(&mut self, value: Value<'a>) -> Value<'a> {
        match value {
            Value::Int(number) => self.write(|bytes| bytes.extend(number.to_be_bytes())),
            Value::Ip(IpAddr::V4(addr)) => self.write(|bytes| bytes.extend(addr.octets())),
            Value::Ip(IpAddr::V6(addr)) => self.write(|bytes| bytes.extend(addr.octets())),
            Value::Bool(_) => self.text_of(value),
            text => text,
        }
    }

    /// The bytes before the first NUL.
    fn before_nul<'a>(&self, value: Value<'a>) -> Value<'a> {
        match self.text(value).and_then(|text| memchr::memchr(0, text)) {
            Some(end) => self.part(value, 0, end),
            None => value,
        }
    }

    /// The same value, cast from one type to another.
    pub fn cast<'a>(&mut self, value: Value<'a>, from: Type, to: Type) -> Value<'a> {
        match to {
            Type::Text if from == Type::Bytes => self.before_nul(value),
            Type::Text => self.text_of(value),
            Type::Int => self.int_of(value),
            Type::Ip => self.ip_of(value),
            Type::Bool => self.bool_of(value),
            Type::Bytes => self.bytes_of(value),
            Type::Any => value,
        }
    }

    /// The texts of `values`, one after the other.
    pub(super) fn joined<'a, const N: usize>(&mut self, values: [Value<'a>; N]) -> Value<'a> {
        let mut made = std::mem::take(&mut self.spare);
        made.clear();
        for value in values {
            made.extend_from_slice(self.text(value).unwrap_or_default());
        }
        let value = self.write(|bytes| bytes.extend_from_slice(&made));
        self.spare = made;
        value
    }
}

/// The address that `text` is; a port after an IPv4 address is left out.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Some(addr.to_canonical());
    }
    let addr: SocketAddrV4 = text.parse().ok()?;
    Some((*addr.ip()).into())
}

/// The number at the beginning of `text`, bounded to 64 bits; 0 if it begins with none.
pub(super) fn leading_number(text: &[u8]) -> i64 {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let mut number = 0i64;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        let digit = i64::from(digit - b'0');
        let next = number.checked_mul(10);
        number = match is_negative {
            true => next
                .and_then(|next| next.checked_sub(digit))
                .unwrap_or(i64::MIN),
            false => next
                .and_then(|next| next.checked_add(digit))
                .unwrap_or(i64::MAX),
        };
    }
    number
}
