//! Encodes texts of rules for a head: characters that are not allowed are percent-encoded, so that
//! no value of a client can add a field, a query or a second target.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Uri};

use crate::wire::escape::{escape, is_of_uri};

/// A rule wrote what no request may have; the text says what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid(pub(super) &'static str);

/// `text` as the value of a field.
///
/// # Errors
///
/// It has a byte that no field may have (RFC 9110 §5.5).
pub(super) fn field_value(mut text: Vec<u8>) -> Result<HeaderValue, Invalid> {
    let start = text.len() - text.trim_ascii_start().len();
    text.drain(..start);
    text.truncate(text.trim_ascii_end().len());
    HeaderValue::from_maybe_shared(Bytes::from(text))
        .map_err(|_| Invalid("a field with a control character"))
}

/// `text` as a `Location`: visible ASCII stays, except `\\`, which browsers read as `/`.
pub(super) fn location(text: &[u8]) -> HeaderValue {
    let encoded = encoded(text, |byte| byte.is_ascii_graphic() && byte != b'\\');
    // It is ASCII.
    HeaderValue::from_maybe_shared(Bytes::from(encoded)).unwrap_or(HeaderValue::from_static("/"))
}

/// `text` as a path: it begins with `/`, and a `?` in it begins no query.
///
/// # Errors
///
/// It has a control character.
pub(super) fn path(text: &[u8]) -> Result<Vec<u8>, Invalid> {
    let encoded = encoded_target(text, |byte| !b"?#".contains(&byte))?;
    Ok(with_slash(encoded))
}

/// `text` as a path and a query.
///
/// # Errors
///
/// It has a control character.
pub(super) fn path_and_query(text: &[u8]) -> Result<Vec<u8>, Invalid> {
    let encoded = encoded_target(text, |byte| byte != b'#')?;
    Ok(with_slash(encoded))
}

/// `text` as a query.
///
/// # Errors
///
/// It has a control character.
pub(super) fn query(text: &[u8]) -> Result<Vec<u8>, Invalid> {
    encoded_target(text, |byte| byte != b'#')
}

fn encoded_target(text: &[u8], is_allowed: impl Fn(u8) -> bool) -> Result<Vec<u8>, Invalid> {
    // Encoded it would be harmless, but what writes it was hardly meant to.
    if text.iter().any(u8::is_ascii_control) {
        return Err(Invalid("a target with a control character"));
    }
    Ok(encoded(text, |byte| is_of_uri(byte) && is_allowed(byte)))
}

fn with_slash(mut path: Vec<u8>) -> Vec<u8> {
    if !path.starts_with(b"/") {
        path.insert(0, b'/');
    }
    path
}

/// `target` with `path_and_query`, which is encoded, in place of its own; `None`: it is too long.
pub(super) fn with_path_and_query(target: &Uri, path_and_query: Vec<u8>) -> Option<Uri> {
    let mut parts = target.clone().into_parts();
    let text = Bytes::from(path_and_query);
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(text).ok()?);
    Uri::from_parts(parts).ok()
}

/// `target` with `host` in place of its authority, if it has one; `None`: `host` is invalid.
pub(super) fn with_host(target: &Uri, host: &HeaderValue) -> Option<Uri> {
    let host: Authority = host.as_bytes().try_into().ok()?;
    if target.authority().is_none() {
        return Some(target.clone());
    }
    let mut parts = target.clone().into_parts();
    parts.authority = Some(host);
    Uri::from_parts(parts).ok()
}

fn encoded(text: &[u8], is_plain: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(text.len());
    for &byte in text {
        match is_plain(byte) {
            true => encoded.push(byte),
            false => encoded.extend(escape(byte).map(|character| character as u8)),
        }
    }
    encoded
}
