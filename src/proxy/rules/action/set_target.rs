//! `set_path`, `set_pathq`, `set_query`, `set_uri`: write a part of the target.

use http::{HeaderValue, Method, Request, Uri};

use crate::exchange::Reason;
use crate::expr::Template;
use crate::plan::{TargetPart, expr};
use crate::proxy::rules::encode::{self, Invalid, with_path_and_query};
use crate::proxy::rules::{Flow, Scope};

use super::host::set_host;
use super::{Act, Done, facts, refusal};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetTarget {
    part: TargetPart,
    value: Template,
}

impl SetTarget {
    pub(super) fn compile(part: TargetPart, value: &expr::Template) -> Self {
        Self {
            part,
            value: Template::compile(value),
        }
    }
}

impl Act for SetTarget {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let value = scope.text(&self.value, &facts(request, scope));
        write(request, self.part, &value)
    }
}

/// Writes `value` as the `part` of the target of `request`.
pub(super) fn write<B>(request: &mut Request<B>, part: TargetPart, value: &[u8]) -> Done {
    let target = match part {
        TargetPart::Path => with_query(encode::path(value)?, request.uri()),
        TargetPart::PathAndQuery => encode::path_and_query(value)?,
        TargetPart::Query => query_of(request.uri(), value)?,
        TargetPart::Uri => return write_uri(request, value),
    };
    replace(request, target)
}

/// Replaces the path and the query; if they are too long, the request is not sent with the old ones.
pub(super) fn replace<B>(request: &mut Request<B>, path_and_query: Vec<u8>) -> Done {
    let Some(target) = with_path_and_query(request.uri(), path_and_query) else {
        return refusal(Reason::RequestTargetTooLong);
    };
    *request.uri_mut() = target;
    Ok(Flow::Continue)
}

fn with_query(mut path: Vec<u8>, target: &Uri) -> Vec<u8> {
    if let Some(query) = target.query() {
        path.push(b'?');
        path.extend_from_slice(query.as_bytes());
    }
    path
}

/// The path of `target` with another query. As in HAProxy, a `?` is never removed, and none is added
/// for an empty value.
fn query_of(target: &Uri, query: &[u8]) -> Result<Vec<u8>, Invalid> {
    let path = target.path();
    let query = encode::query(query)?;
    if path == "*" {
        return Err(Invalid("a query of the target `*`"));
    }
    let mut new = path.as_bytes().to_vec();
    if target.query().is_some() || !query.is_empty() {
        new.push(b'?');
        new.extend_from_slice(&query);
    }
    Ok(new)
}

fn write_uri<B>(request: &mut Request<B>, uri: &[u8]) -> Done {
    let schemes: [&[u8]; 2] = [b"http://", b"https://"];
    let rest = schemes.iter().find_map(|scheme| uri.strip_prefix(*scheme));
    match (rest, uri) {
        (Some(rest), _) => {
            let end = rest.iter().position(|byte| b"/?".contains(byte));
            let (host, target) = rest.split_at(end.unwrap_or(rest.len()));
            let target = encode::path_and_query(target)?;
            let host = HeaderValue::from_bytes(host)
                .map_err(|_| Invalid("a host with a control character"))?;
            match set_host(request, host)? {
                Flow::Continue => replace(request, target),
                stop => Ok(stop),
            }
        }
        (None, b"*") if *request.method() == Method::OPTIONS => replace(request, b"*".to_vec()),
        (None, [b'/', ..]) => replace(request, encode::path_and_query(uri)?),
        (None, _) => Err(Invalid("a URI without a path")),
    }
}
