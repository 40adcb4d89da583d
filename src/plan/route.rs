//! A route: what a request must look like, and the backend it goes to then.

use http::{HeaderName, Method};

use crate::base::{Name, Position};
use crate::plan::expr::{Condition, Template};
use crate::plan::{BackendReference, Rule};

/// `[[frontend.NAME.route]]`.
///
/// It matches when each kind of condition that it has holds; of hosts, paths and methods one has
/// to match, of header and query predicates all.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// As written, else `NUMBER` in the frontend's order from 1. Unique in its frontend.
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
    /// What else must be true; `None`: nothing.
    pub when: Option<Condition>,
    /// Whether a matching request is refused whose client showed no certificate.
    pub client_certificate: ClientCertificate,
    /// What is done to exchanges that it matches.
    pub rules: Vec<Rule>,
    /// Where matching requests go.
    pub target: Target,
    /// Where it is written.
    pub at: Position,
}

/// Where requests of a route go.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// `backend = "app"`
    Backend(BackendReference),
    /// `split = { stable = 95, canary = 5 }`: by weight, each request by itself. By name.
    Split(Vec<(BackendReference, u32)>),
    /// `backend = "%[…]"`: the backend with this name; the frontend's own backend when none has it.
    Named(Template),
    /// Nowhere: a rule without a condition answers each request.
    Answered,
}

impl Target {
    /// The backends that it names. Those that [`Target::Named`] leads to are not known before a request.
    pub fn backends(&self) -> impl Iterator<Item = &BackendReference> {
        let (one, parts): (_, &[_]) = match self {
            Self::Backend(backend) => (Some(backend), &[]),
            Self::Split(parts) => (None, parts),
            Self::Named(_) | Self::Answered => (None, &[]),
        };
        one.into_iter()
            .chain(parts.iter().map(|(backend, _)| backend))
    }
}

/// What a route wants of the client's certificate. No condition: a request that matches and does
/// not have it is refused, and no other route is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Nothing.
    #[default]
    Any,
    /// That there is one, and it was verified.
    Required,
}

/// A host as a route names it, in lower case, without port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `example.com`
    Exact(String),
    /// `*.example.com`, here without `*.`: any number of labels before it, at least one.
    Wildcard(String),
}

/// A path as a route names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// `/healthz`
    Exact(String),
    /// `/v1/*`, here `/v1`: that path and everything below it, by whole segments. `/*` and `*` are
    /// the empty string: every path.
    Prefix(String),
}

/// A condition on a named value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate<N> {
    /// Of the header field or the query parameter.
    pub name: N,
    /// What one of its values must look like.
    pub value: ValuePattern,
}

/// What a value must look like; case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValuePattern {
    /// `*`: it is there, whatever it says.
    Present,
    /// `text`
    Exact(String),
    /// `text*`
    Prefix(String),
}
