//! Fetches that look at a whole head, or at the credentials in one.

use http::{HeaderName, Version, header};

use crate::credentials::basic;
use crate::plan::expr::{Argument, Fetch};

use super::convert::hash;
use super::facts::{Facts, RequestFacts, Side};
use super::scratch::{Scratch, Value};
use super::target_fetch;

pub(super) fn names<'a>(
    arguments: &'a [Argument],
    side: Side,
    facts: &Facts<'a>,
    scratch: &mut Scratch,
) -> Value<'a> {
    let delimiter = match arguments.first() {
        Some(Argument::Text(text)) => text.as_bytes(),
        _ => b",",
    };
    let Some(headers) = facts.headers(side) else {
        return Value::Absent;
    };
    scratch.write(|bytes| {
        for (index, name) in headers.iter().map(|(name, _)| name).enumerate() {
            if index > 0 {
                bytes.extend_from_slice(delimiter);
            }
            bytes.extend_from_slice(name.as_str().as_bytes());
        }
    })
}

pub(super) fn fields<'a>(side: Side, facts: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
    let Some(headers) = facts.headers(side) else {
        return Value::Absent;
    };
    scratch.write(|bytes| {
        for (name, value) in headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                bytes.extend_from_slice(part);
            }
        }
        bytes.extend_from_slice(b"\r\n");
    })
}

pub(super) fn version<'a>(request: &RequestFacts<'a>) -> Value<'a> {
    Value::Text(match request.version {
        Version::HTTP_09 => b"0.9",
        Version::HTTP_10 => b"1.0",
        Version::HTTP_2 => b"2.0",
        Version::HTTP_3 => b"3.0",
        _ => b"1.1",
    })
}

pub(super) fn major_version<'a>(request: &RequestFacts<'a>) -> Value<'a> {
    Value::Int(match request.version {
        Version::HTTP_2 => 2,
        Version::HTTP_3 => 3,
        _ => 1,
    })
}

/// The first line of `Host`, if it is not empty.
fn host<'a>(facts: &Facts<'a>) -> Option<&'a [u8]> {
    let host = facts.lines(Side::Request, Some(&header::HOST)).next();
    host.filter(|host| !host.is_empty())
}

/// The path, or with it the query.
fn target<'a>(fetch: Fetch, facts: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
    match (&facts.request, fetch) {
        (Some(request), Fetch::Base | Fetch::Base32) => target_fetch::path(request),
        (Some(request), _) => target_fetch::path_and_query(request, scratch),
        (None, _) => Value::Absent,
    }
}

pub(super) fn base<'a>(fetch: Fetch, facts: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
    let target = target(fetch, facts, scratch);
    match host(facts) {
        Some(host) => scratch.joined([Value::Text(host), target]),
        None => target,
    }
}

pub(super) fn base_hash<'a>(fetch: Fetch, facts: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
    if facts.request.is_none() {
        return Value::Absent;
    }
    let target = target(fetch, facts, scratch);
    let base = scratch.joined([Value::Text(host(facts).unwrap_or_default()), target]);
    let base = scratch.text(base).unwrap_or_default();
    Value::Int(hash::mixed(hash::sdbm(base)).into())
}

/// The first line of the field with credentials.
fn authorization<'a>(facts: &Facts<'a>) -> Option<&'a [u8]> {
    let mut lines = facts.lines(Side::Request, Some(&header::AUTHORIZATION));
    lines.next()
}

pub(super) fn auth_type<'a>(facts: &Facts<'a>) -> Value<'a> {
    match authorization(facts).and_then(basic::scheme) {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case(b"basic") => Value::Text(b"Basic"),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case(b"bearer") => Value::Text(b"Bearer"),
        _ => Value::Absent,
    }
}

pub(super) fn basic<'a>(fetch: Fetch, facts: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
    let mut colon = None;
    let decoded = scratch.write(|bytes| {
        colon = authorization(facts).and_then(|line| basic::decode(line, bytes));
    });
    let (Some(colon), Some(text)) = (colon, scratch.text(decoded)) else {
        return Value::Absent;
    };
    let length = text.len();
    match fetch {
        Fetch::HttpAuthUser => scratch.part(decoded, 0, colon),
        _ => scratch.part(decoded, colon + 1, length),
    }
}

pub(super) fn bearer<'a>(name: Option<&HeaderName>, facts: &Facts<'a>) -> Value<'a> {
    let name = name.unwrap_or(&header::AUTHORIZATION);
    let line = facts.lines(Side::Request, Some(name)).next();
    match line.and_then(basic::scheme) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer") => Value::Text(token),
        _ => Value::Absent,
    }
}
