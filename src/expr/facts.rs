//! The facts of an exchange, as expressions see them.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};

use crate::base::Peer;
use crate::exchange::{ClientTls, ProxyFields, Reason, RequestId};
use crate::plan::expr::{Scope, Variable};

use super::content::Content;
use super::scratch::{Scratch, Value};
use super::state::State;
use super::tables::{Tables, Tracked};
use super::variables::Variables;

/// The facts of an exchange at one moment; `None`: not known yet.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The exchange.
    pub id: &'a RequestId,
    /// The client's connection.
    pub connection: ConnectionFacts<'a>,
    /// The head of the request.
    pub request: Option<RequestFacts<'a>>,
    /// The name of the backend.
    pub backend: Option<&'a str>,
    /// The head of the response.
    pub response: Option<ResponseFacts<'a>>,
    /// The variables of the exchange; `None`: no rule can have set one.
    pub variables: Option<&'a Variables>,
    /// The entries of tables that the exchange tracks; `None`: no rule can have tracked one.
    pub tracked: Option<&'a dyn Tracked>,
}

/// The facts of a client's connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionFacts<'a> {
    /// The client's address: that of the peer, or the one that a trusted proxy has sent.
    pub client: Peer,
    /// The address that it connected to; `None`: it is not an IP address.
    pub local: Option<SocketAddr>,
    /// The result of the TLS handshake; `None`: the connection has no TLS.
    pub tls: Option<&'a ClientTls>,
    /// The name of the frontend.
    pub frontend: &'a str,
    /// The variables of the connection; `None`: no rule can have set one.
    pub variables: Option<&'a Variables>,
    /// The tables of the configuration; `None`: there are none.
    pub tables: Option<&'a dyn Tables>,
    /// The present state of frontends, backends and servers; `None`: it is not known here.
    pub state: Option<&'a dyn State>,
    /// The fields of its PROXY header; `None`: it has none.
    pub proxy_fields: Option<&'a ProxyFields>,
    /// Its first bytes; `None`: they are a request, or nothing was read.
    pub content: Option<&'a Content<'a>>,
    /// Whether an address is one of this machine.
    pub is_local: fn(IpAddr) -> bool,
}

/// The facts of a request's head.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// As received.
    pub method: &'a Method,
    /// The version of HTTP.
    pub version: Version,
    /// The target as received.
    pub target: &'a Uri,
    /// The path in the spelling that conditions compare: as received, or another one.
    pub path: &'a str,
    /// Other spellings of `path` that some servers treat as the same. Read only by conditions that
    /// are compiled with [`Condition::compile_folded`](super::Condition::compile_folded).
    pub also: &'a [&'a str],
    /// As received.
    pub headers: &'a HeaderMap,
    /// What was read of its body; `None`: no rule has waited for it.
    pub body: Option<BodyFacts<'a>>,
}

/// What was read of a body.
#[derive(Clone, Copy, Debug)]
pub struct BodyFacts<'a> {
    /// Its beginning.
    pub bytes: &'a [u8],
    /// The length that the client has announced, or else that of what has come.
    pub size: u64,
}

/// The facts of a response's head.
#[derive(Clone, Copy, Debug)]
pub struct ResponseFacts<'a> {
    /// As the server sent it.
    pub status: u16,
    /// As the server sent them.
    pub headers: &'a HeaderMap,
    /// The name of the server; `None`: the response is ours.
    pub server: Option<&'a str>,
    /// Why the response is ours, or why the exchange failed.
    pub reason: Option<Reason>,
}

/// Which head a field is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

impl<'a> Facts<'a> {
    /// The variables among which `variable` is kept.
    pub fn holder_of(&self, variable: &Variable) -> Option<&'a Variables> {
        match variable.scope {
            Scope::Session => self.connection.variables,
            Scope::Transaction | Scope::Request | Scope::Response => self.variables,
        }
    }

    /// The value of a variable; absent if it is not set.
    pub(super) fn variable(&self, variable: &Variable, scratch: &mut Scratch) -> Value<'a> {
        let holder = self.holder_of(variable);
        holder.map_or(Value::Absent, |holder| holder.get(variable, scratch))
    }

    pub(super) fn headers(&self, side: Side) -> Option<&'a HeaderMap> {
        match side {
            Side::Request => self.request.map(|request| request.headers),
            Side::Response => self.response.map(|response| response.headers),
        }
    }

    /// The authority of the target, if the request has no `Host` field.
    fn target_host(&self) -> Option<&'a str> {
        let request = self.request?;
        let authority = request.target.authority()?;
        let has_field = request.headers.contains_key(header::HOST);
        (!has_field).then_some(authority.as_str())
    }

    /// The lines of the field `name`, in order; with `None`, those of all fields. An HTTP/2 request
    /// has its host in the target instead of a `Host` field (RFC 9113 §8.3.1); the target's host is
    /// then the line of `Host`.
    pub(super) fn lines(
        &self,
        side: Side,
        name: Option<&HeaderName>,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let headers = self.headers(side);
        let (named, all) = match (headers, name) {
            (Some(headers), Some(name)) => (Some(headers.get_all(name).into_iter()), None),
            (Some(headers), None) => (None, Some(headers.values())),
            (None, _) => (None, None),
        };
        let named = named.into_iter().flatten();
        let all = all.into_iter().flatten();
        let host = match name {
            Some(name) if *name == header::HOST && side == Side::Request => self.target_host(),
            _ => None,
        };
        let fields = named.chain(all).map(HeaderValue::as_bytes);
        fields.chain(host.map(str::as_bytes))
    }
}
