//! Encodes texts of rules for a head: characters that are not allowed are percent-encoded, so that
//! no value of a client can add a field, a query or a second target.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Uri};

use crate::wire::escape::{escape, is_of_uri};

/// `text` as the value of a field; `None` if it has a byte that no field may have (RFC 9110 §5.5).
pub(super) fn field_value(mut text: Vec<u8>) -> Option<HeaderValue> {
    let start = text.len() - text.trim_ascii_start().len();
    text.drain(..start);
    text.truncate(text.trim_ascii_end().len());
    HeaderValue::from_maybe_shared(Bytes::from(text)).ok()
}

/// `text` as a `Location`: visible ASCII stays, except `\\`, which browsers read as `/`.
pub(super) fn location(text: &[u8]) -> HeaderValue {
    let encoded = encoded(text, |byte| byte.is_ascii_graphic() && byte != b'\\');
    // It is ASCII.
    HeaderValue::from_maybe_shared(Bytes::from(encoded)).unwrap_or(HeaderValue::from_static("/"))
}

/// `target` with `path` in place of its path.
pub(super) fn with_path(target: &Uri, path: &[u8]) -> Option<Uri> {
    let is_plain = |byte: u8| is_of_uri(byte) && !b"?#".contains(&byte);
    let mut text = match path {
        [b'/', ..] => encoded(path, is_plain),
        path => [b"/".as_slice(), &encoded(path, is_plain)].concat(),
    };
    if let Some(query) = target.query() {
        text.push(b'?');
        text.extend_from_slice(query.as_bytes());
    }
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(Bytes::from(text)).ok()?);
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
