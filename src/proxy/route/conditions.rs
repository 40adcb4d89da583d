//! The conditions of a route besides host and path: methods, header fields, query parameters,
//! `when`.

use http::{HeaderName, Method};

use super::paths::PathKind;
use super::{Request, Search};
use crate::expr::{Condition, Facts, RequestFacts};
use crate::plan::expr::Fetch;
use crate::plan::{self, ClientCertificate, Predicate, Route, ValuePattern};
use crate::wire::query;

/// The conditions of one route on a request whose host and path match.
#[derive(Debug)]
pub(super) struct Conditions {
    /// Empty: any.
    methods: Box<[Method]>,
    headers: Box<[Predicate<HeaderName>]>,
    queries: Box<[Predicate<String>]>,
    when: Option<Condition>,
    /// The same for [`PathKind::Folded`]; `None` if it would be equal.
    folded: Option<Condition>,
    client_certificate: ClientCertificate,
}

impl Conditions {
    pub(super) fn of(route: &Route) -> Self {
        Self {
            methods: route.methods.as_slice().into(),
            headers: route.headers.as_slice().into(),
            queries: route.queries.as_slice().into(),
            when: route.when.as_ref().map(Condition::compile),
            folded: None,
            client_certificate: route.client_certificate,
        }
    }

    /// Prepares for [`PathKind::Folded`]: `route` is the one that this was compiled from.
    pub(super) fn fold(&mut self, route: &Route) {
        let reads_path = |when: &&plan::expr::Condition| when.reads(Fetch::reads_path);
        let when = route.when.as_ref().filter(reads_path);
        self.folded = when.map(Condition::compile_folded);
    }

    /// Whether the route requires a client certificate.
    pub(super) fn require_certificate(&self) -> bool {
        self.client_certificate == ClientCertificate::Required
    }

    /// Whether the request of `search`, with the path of `search`, meets all conditions; the
    /// cheapest ones are tested first.
    pub(super) fn hold(&self, search: &Search<'_>) -> bool {
        let request = search.request;
        let when = match search.kind {
            PathKind::Folded => self.folded.as_ref().or(self.when.as_ref()),
            PathKind::Own | PathKind::Reading => self.when.as_ref(),
        };
        (self.methods.is_empty() || self.methods.contains(request.method))
            && self.headers.iter().all(|wanted| has_field(request, wanted))
            && self
                .queries
                .iter()
                .all(|wanted| has_parameter(request, wanted))
            && when.is_none_or(|when| holds(when, search))
    }
}

fn holds(when: &Condition, search: &Search<'_>) -> bool {
    let request = search.request;
    let Some(evaluation) = request.evaluation else {
        return false;
    };
    let facts = Facts {
        id: evaluation.id,
        connection: evaluation.connection,
        request: Some(RequestFacts {
            method: request.method,
            version: evaluation.version,
            target: evaluation.target,
            path: search.path,
            also: search.also,
            headers: request.headers,
            body: evaluation.body,
        }),
        backend: None,
        response: None,
        variables: evaluation.variables,
        tracked: None,
    };
    when.holds(&facts, &mut evaluation.scratch.borrow_mut())
}

fn has_field(request: &Request<'_>, wanted: &Predicate<HeaderName>) -> bool {
    let mut lines = request.headers.get_all(&wanted.name).iter();
    lines.any(|line| match &wanted.value {
        ValuePattern::Present => true,
        ValuePattern::Exact(text) => line.as_bytes() == text.as_bytes(),
        ValuePattern::Prefix(text) => line.as_bytes().starts_with(text.as_bytes()),
    })
}

fn has_parameter(request: &Request<'_>, wanted: &Predicate<String>) -> bool {
    let mut parameters = query::parameters(request.query.unwrap_or_default());
    parameters.any(|(name, value)| {
        name.is(&wanted.name)
            && match &wanted.value {
                ValuePattern::Present => true,
                ValuePattern::Exact(text) => value.is(text),
                ValuePattern::Prefix(text) => value.begins_with(text),
            }
    })
}
