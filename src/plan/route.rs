//! A route: conditions on a request, and the target.

use http::{HeaderName, Method};

use crate::base::{Name, Position};
use crate::plan::expr::{Condition, Template};
use crate::plan::{BackendReference, Rule};

/// `[[frontend.NAME.route]]`.
///
/// It matches if each kind of its conditions holds: one of the hosts, of the paths and of the
/// methods, and all header and query predicates.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// As written, else its number in the frontend's order, from 1. Unique in its frontend.
    pub name: Name,
    /// Empty: any host.
    pub hosts: Vec<HostPattern>,
    /// Empty: any path.
    pub paths: Vec<PathPattern>,
    /// Empty: any method.
    pub methods: Vec<Method>,
    /// All must hold.
    pub headers: Vec<Predicate<HeaderName>>,
    /// All must hold; names and values are compared percent-decoded.
    pub queries: Vec<Predicate<String>>,
    /// A further condition; `None`: none.
    pub when: Option<Condition>,
    /// Whether a matching request without a client certificate is refused.
    pub client_certificate: ClientCertificate,
    /// Rules for exchanges of this route.
    pub rules: Vec<Rule>,
    /// The target of matching requests.
    pub target: Target,
    /// Where it is written.
    pub at: Position,
    /// The position of its name, or else of the route.
    pub named_at: Position,
}

/// The target of a route.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// `backend = "app"`
    Backend(BackendReference),
    /// `split = { stable = 95, canary = 5 }`: by weight, for each request anew. Sorted by name.
    Split(Vec<(BackendReference, u32)>),
    /// `backend = "%[…]"`: the backend with this name if it is among these, or the frontend's own.
    Named(Template, Among),
    /// None: a rule without a condition answers each request.
    Answered,
}

/// `among` of a route: the backends that a template may name.
#[derive(Clone, Debug, PartialEq)]
pub enum Among {
    /// Every backend.
    All,
    /// These. Sorted by name.
    These(Vec<BackendReference>),
}

impl Target {
    /// The backends that it may lead to, but for all of [`Among::All`].
    pub fn backends(&self) -> impl Iterator<Item = &BackendReference> {
        let (one, parts, among): (_, &[_], &[_]) = match self {
            Self::Backend(backend) => (Some(backend), &[], &[]),
            Self::Split(parts) => (None, parts, &[]),
            Self::Named(_, Among::These(among)) => (None, &[], among),
            Self::Named(_, Among::All) | Self::Answered => (None, &[], &[]),
        };
        let parts = parts.iter().map(|(backend, _)| backend);
        one.into_iter().chain(parts).chain(among)
    }
}

/// Whether a route requires a client certificate. This is no condition: a request that matches
/// without one is refused, and no other route is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Not required.
    #[default]
    Any,
    /// Required, and verified.
    Required,
}

/// A host pattern of a route, in lower case, without port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `example.com`
    Exact(String),
    /// `*.example.com`, here without `*.`: any number of labels before it, at least one.
    Wildcard(String),
}

/// A path pattern of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// `/healthz`
    Exact(String),
    /// `/v1/*`, here `/v1`: that path and everything below it, by whole segments. `/*` and `*`
    /// become the empty string: every path.
    Prefix(String),
}

/// A condition on a named value.
///
/// Not a [`Condition`]: of two predicates `check` can tell that one implies the other, by which it finds
/// routes that never match. Names and values of query parameters are compared percent-decoded, and those
/// that `url_param` yields are not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate<N> {
    /// The name of the header field or query parameter.
    pub name: N,
    /// The pattern that one of its values must match.
    pub value: ValuePattern,
}

/// A pattern for a value; case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValuePattern {
    /// `*`: any value.
    Present,
    /// `text`
    Exact(String),
    /// `text*`
    Prefix(String),
}
