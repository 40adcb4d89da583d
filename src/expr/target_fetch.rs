//! Fetches of a request's target.

use super::facts::RequestFacts;
use super::scratch::{Scratch, Value};

pub(super) fn path<'a>(request: &RequestFacts<'a>) -> Value<'a> {
    // `*` is no path.
    match request.path.starts_with('/') {
        true => Value::Text(request.path.as_bytes()),
        false => Value::Absent,
    }
}

pub(super) fn path_and_query<'a>(request: &RequestFacts<'a>, scratch: &mut Scratch) -> Value<'a> {
    let path = path(request);
    let (Some(query), Value::Text(path)) = (request.target.query(), path) else {
        return path;
    };
    scratch.write(|bytes| {
        bytes.extend_from_slice(path);
        bytes.push(b'?');
        bytes.extend_from_slice(query.as_bytes());
    })
}

pub(super) fn url<'a>(request: &RequestFacts<'a>, scratch: &mut Scratch) -> Value<'a> {
    let (Some(scheme), Some(authority)) = (request.target.scheme_str(), request.target.authority())
    else {
        return match path_and_query(request, scratch) {
            Value::Absent => Value::Text(request.path.as_bytes()),
            url => url,
        };
    };
    scratch.write(|bytes| {
        bytes.extend_from_slice(scheme.as_bytes());
        bytes.extend_from_slice(b"://");
        bytes.extend_from_slice(authority.as_str().as_bytes());
        bytes.extend_from_slice(request.path.as_bytes());
        if let Some(query) = request.target.query() {
            bytes.push(b'?');
            bytes.extend_from_slice(query.as_bytes());
        }
    })
}
