//! `redirect`: sends the client somewhere else.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};

use crate::exchange::Reason;
use crate::expr::Template;
use crate::plan::expr::Piece;
use crate::plan::{self, RedirectTo};
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::encode::location;
use crate::proxy::rules::{Flow, Scope};

use super::host::host_of;
use super::{Act, Done, facts, refusal};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Redirect {
    status: StatusCode,
    kind: RedirectKind,
    to: Template,
    /// Whether the written value begins with a host.
    may_name_host: bool,
}

#[derive(Clone, Copy, Debug)]
enum RedirectKind {
    Location,
    Prefix,
    Scheme,
}

impl Redirect {
    pub(super) fn compile(redirect: &plan::Redirect) -> Self {
        let (kind, to) = match &redirect.to {
            RedirectTo::Location(to) => (RedirectKind::Location, to),
            RedirectTo::Prefix(to) => (RedirectKind::Prefix, to),
            RedirectTo::Scheme(to) => (RedirectKind::Scheme, to),
        };
        Self {
            status: redirect.status,
            kind,
            to: Template::compile(to),
            may_name_host: matches!(
                to.pieces.first(),
                Some(Piece::Text(text)) if text.starts_with("//")
            ),
        }
    }
}

impl Act for Redirect {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let mut to = scope.text(&self.to, &facts(request, scope));
        if let RedirectKind::Scheme = self.kind {
            let Some(host) = host_of(request) else {
                return refusal(Reason::RequestHostMissing);
            };
            to.extend_from_slice(b"://");
            to.extend_from_slice(host);
        }
        if let RedirectKind::Scheme | RedirectKind::Prefix = self.kind {
            let target = request.uri().path_and_query().map(|target| target.as_str());
            // `*` is no path.
            let target = target.filter(|target| *target != "*");
            to.extend_from_slice(target.unwrap_or("/").as_bytes());
        }
        if !self.may_name_host {
            stay_on_host(&mut to);
        }
        let headers = HeaderMap::from_iter([(header::LOCATION, location(&to))]);
        let reason = Reason::RuleRedirected;
        let answer = LocalAnswer::own(reason, self.status, headers, Bytes::new());
        Ok(Flow::Answer(Box::new(answer)))
    }
}

/// `//name` at the beginning of a target is another host (RFC 3986 §4.2), and browsers read `\` as
/// `/`.
fn stay_on_host(to: &mut Vec<u8>) {
    if let [b'/' | b'\\', rest @ ..] = to.as_slice() {
        let extra = rest.iter().take_while(|byte| matches!(byte, b'/' | b'\\'));
        let extra = extra.count();
        to.drain(..=extra);
        to.insert(0, b'/');
    }
}
