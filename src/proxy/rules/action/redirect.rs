//! `redirect`: sends the client somewhere else.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};

use crate::exchange::Reason;
use crate::expr::Template;
use crate::plan::expr::Piece;
use crate::plan::{self, RedirectCookie, RedirectTo};
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
    query: Query,
    append_slash: bool,
    /// Whether an empty value redirects nobody.
    ignores_empty: bool,
    /// The value of `Set-Cookie`.
    cookie: Option<HeaderValue>,
}

/// What happens to the query of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Query {
    /// It stays, with the path.
    WithPath,
    Dropped,
    /// It follows a location.
    Added,
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
            query: match (redirect.drop_query, redirect.keep_query) {
                (true, _) => Query::Dropped,
                (false, true) => Query::Added,
                (false, false) => Query::WithPath,
            },
            append_slash: redirect.append_slash,
            ignores_empty: redirect.ignore_empty,
            cookie: redirect.cookie.as_ref().and_then(cookie),
        }
    }

    /// Appends the path and the query of the request to a scheme or a prefix.
    fn append_target(&self, target: &Uri, to: &mut Vec<u8>) {
        // `*` is no path.
        let path = Some(target.path()).filter(|path| *path != "*");
        to.extend_from_slice(path.unwrap_or("/").as_bytes());
        if self.append_slash && !to.ends_with(b"/") {
            to.push(b'/');
        }
        if let (Query::WithPath, Some(query)) = (self.query, target.query()) {
            to.push(b'?');
            to.extend_from_slice(query.as_bytes());
        }
    }
}

/// As HAProxy writes it.
fn cookie(cookie: &RedirectCookie) -> Option<HeaderValue> {
    let text = match cookie {
        RedirectCookie::Set(cookie) => format!("{cookie}; path=/;"),
        RedirectCookie::Clear(name) => format!("{name}; path=/; Max-Age=0;"),
    };
    // The configuration allows no other characters.
    HeaderValue::try_from(text).ok()
}

impl Act for Redirect {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let mut to = scope.text(&self.to, &facts(request, scope));
        if self.ignores_empty && to.is_empty() {
            return Ok(Flow::Continue);
        }
        if let RedirectKind::Scheme = self.kind {
            let Some(host) = host_of(request) else {
                return refusal(Reason::RequestHostMissing);
            };
            to.extend_from_slice(b"://");
            to.extend_from_slice(host);
        }
        if let RedirectKind::Scheme | RedirectKind::Prefix = self.kind {
            self.append_target(request.uri(), &mut to);
        }
        if let (Query::Added, Some(query)) = (self.query, request.uri().query())
            && !query.is_empty()
        {
            to.push(if to.contains(&b'?') { b'&' } else { b'?' });
            to.extend_from_slice(query.as_bytes());
        }
        if !self.may_name_host {
            stay_on_host(&mut to);
        }
        let mut headers = HeaderMap::from_iter([(header::LOCATION, location(&to))]);
        // As HAProxy: one that is not for good is asked for again.
        if matches!(self.status.as_u16(), 302 | 303 | 307) {
            let no_cache = HeaderValue::from_static("no-cache");
            headers.insert(header::CACHE_CONTROL, no_cache);
        }
        if let Some(cookie) = &self.cookie {
            headers.insert(header::SET_COOKIE, cookie.clone());
        }
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
