//! Converters of `Forwarded` (RFC 7239): whether a value is valid, one of its parameters, and the name and
//! the port of a node in it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};

use super::Convert;

/// Whether a text is a valid value of the field.
#[derive(Debug)]
pub(super) struct IsValid;

/// The name of a parameter.
#[derive(Debug)]
pub(super) struct Parameter(pub(super) Box<str>);

/// The parameters of an element: names and values.
type Parameters<'e> = Vec<(&'e [u8], Cow<'e, [u8]>)>;

/// A part of a node.
#[derive(Debug)]
pub(super) enum NodePart {
    Name,
    Port,
}

impl Convert for IsValid {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        scratch.text(value).map_or(Value::Absent, |text| {
            let mut elements = elements(text).peekable();
            let is_empty = elements.peek().is_none();
            Value::Bool(!is_empty && elements.all(|element| parameters(element).is_some()))
        })
    }
}

impl Convert for NodePart {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let Some(node) = scratch.text(value).and_then(Node::parse) else {
            return Value::Absent;
        };
        let other = match (self, node) {
            (
                Self::Name,
                Node {
                    name: Name::Ip(ip), ..
                },
            ) => return Value::Ip(ip),
            (
                Self::Name,
                Node {
                    name: Name::Other(range),
                    ..
                },
            ) => range,
            (Self::Port, Node { port: None, .. }) => return Value::Absent,
            (
                Self::Port,
                Node {
                    port: Some(Port::Number(port)),
                    ..
                },
            ) => {
                return Value::Int(port.into());
            }
            (
                Self::Port,
                Node {
                    port: Some(Port::Other(range)),
                    ..
                },
            ) => range,
        };
        scratch.part(value, other.start, other.end)
    }
}

impl Parameter {
    /// Writes its value in the first element, without quotes. `false`: there is none, or the element is not
    /// valid.
    pub(super) fn write(&self, value: &[u8], into: &mut Vec<u8>) -> bool {
        let found = elements(value).next().and_then(parameters);
        let found = found.and_then(|parameters| {
            let mut all = parameters.into_iter();
            all.find(|(known, _)| known.eq_ignore_ascii_case(self.0.as_bytes()))
        });
        let Some((_, value)) = found else {
            return false;
        };
        into.extend_from_slice(&value);
        true
    }
}

/// The elements of a list; empty ones are none (RFC 9110 §5.6.1.2).
fn elements(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(text, b',')
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// The parts of `text` between `separator`s outside of quotes.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |&byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
        byte == separator && !is_quoted
    })
}

/// The names and values of an element; `None`: it is not valid.
fn parameters(element: &[u8]) -> Option<Parameters<'_>> {
    let mut found = Parameters::new();
    for part in split(element, b';').map(<[u8]>::trim_ascii) {
        if part.is_empty() {
            continue;
        }
        let equals = part.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (&part[..equals], word(&part[equals + 1..])?);
        let is_known = |(known, _): &(&[u8], _)| known.eq_ignore_ascii_case(name);
        // Each at most once (§4).
        if !is_token(name) || found.iter().any(is_known) || !is_right(name, &value) {
            return None;
        }
        found.push((name, value));
    }
    Some(found)
}

/// The text of a token or of a quoted string (RFC 9110 §5.6).
fn word(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(inner) = text.strip_prefix(b"\"") else {
        return is_token(text).then_some(Cow::Borrowed(text));
    };
    let inner = inner.strip_suffix(b"\"")?;
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => plain.push(*bytes.next()?),
            b'"' => return None,
            byte if byte.is_ascii_control() && byte != b'\t' => return None,
            byte => plain.push(byte),
        }
    }
    Some(Cow::Owned(plain))
}

fn is_token(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_part)
}

/// Whether the parameter `name` can have `value` (§5).
fn is_right(name: &[u8], value: &[u8]) -> bool {
    match name.to_ascii_lowercase().as_slice() {
        b"for" | b"by" => Node::parse(value).is_some(),
        b"proto" => http::uri::Scheme::try_from(value).is_ok(),
        b"host" => http::uri::Authority::try_from(value).is_ok() && !value.contains(&b'@'),
        _ => true,
    }
}

/// A node (§6), whose texts are ranges of it.
struct Node {
    name: Name,
    port: Option<Port>,
}

enum Name {
    Ip(IpAddr),
    /// `unknown`, or a name that begins with `_`.
    Other(Range<usize>),
}

enum Port {
    Number(u16),
    /// A name that begins with `_`.
    Other(Range<usize>),
}

impl Node {
    fn parse(text: &[u8]) -> Option<Self> {
        let end = match text.strip_prefix(b"[") {
            Some(inner) => inner.iter().position(|&byte| byte == b']')? + 2,
            None => text
                .iter()
                .position(|&byte| byte == b':')
                .unwrap_or(text.len()),
        };
        let (name, after) = text.split_at_checked(end)?;
        let name = match name {
            [b'[', inner @ .., b']'] => {
                let addr: Ipv6Addr = str::from_utf8(inner).ok()?.parse().ok()?;
                Name::Ip(addr.into())
            }
            name if name.eq_ignore_ascii_case(b"unknown") || is_obfuscated(name) => {
                Name::Other(0..end)
            }
            name => {
                let addr: Ipv4Addr = str::from_utf8(name).ok()?.parse().ok()?;
                Name::Ip(addr.into())
            }
        };
        let port = match after {
            [] => None,
            [b':', port @ ..] if is_obfuscated(port) => Some(Port::Other(end + 1..text.len())),
            [b':', port @ ..] if port.iter().all(u8::is_ascii_digit) => {
                Some(Port::Number(str::from_utf8(port).ok()?.parse().ok()?))
            }
            _ => return None,
        };
        Some(Self { name, port })
    }
}

fn is_obfuscated(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    matches!(text, [b'_', rest @ ..] if !rest.is_empty() && rest.iter().all(is_part))
}
