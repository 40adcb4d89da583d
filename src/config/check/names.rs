//! Names that are not unique among things of one kind.

use crate::base::{FoldMap, Name, Position};
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{Action, Plan};

use super::rules;

/// A name, and its position.
type Named<'p> = (&'p Name, &'p Position);

/// Reports each frontend, backend, table and rate limit, each route of one frontend and each server of one backend
/// with the name of an earlier one.
pub(super) fn refuse_same(plan: &Plan, report: &mut Report<'_>) {
    let same = |kind: &str| {
        let kind = kind.to_owned();
        move |name: &Name| format!("two {kind} have the name `{name}`")
    };
    let help = "live state and metrics belong to the name: give one of them another";
    let frontends = plan.frontends.iter().map(|one| (&one.name, &one.at));
    refuse(frontends, same("frontends"), help, report);
    let backends = plan.backends.iter().map(|one| (&one.name, &one.at));
    refuse(backends, same("backends"), help, report);
    let tables = plan.tables.iter().map(|one| (&one.name, &one.at));
    refuse(tables, same("tables"), help, report);
    let limits = rules::all(plan).flatten();
    let limits = limits.filter_map(|rule| match &rule.action {
        Action::RateLimit(limit) => Some((&limit.name, &limit.at)),
        _ => None,
    });
    refuse(limits, same("rate limits"), help, report);
    for frontend in &plan.frontends {
        let kind = format!("routes of `[frontend.{}]`", frontend.name);
        let help =
            "give one of them another `name`; a route without a name has its number as its name";
        let routes = frontend.routes.iter().map(|one| (&one.name, &one.named_at));
        refuse(routes, same(&kind), help, report);
        let routes = frontend.tcp_routes.iter();
        let routes = routes.map(|one| (&one.name, &one.named_at));
        refuse(routes, same(&kind), help, report);
    }
    for backend in &plan.backends {
        let kind = format!("servers of `[backend.{}]`", backend.name);
        let help = "a server's name is its `name`, else its address: write \
                    `{ name = \"…\", address = \"…\" }`";
        let servers = backend.servers.iter().map(|one| (&one.name, &one.named_at));
        refuse(servers, same(&kind), help, report);
    }
}

/// Reports each of `all` with the name of an earlier one.
fn refuse<'p>(
    all: impl Iterator<Item = Named<'p>>,
    message: impl Fn(&Name) -> String,
    help: &str,
    report: &mut Report<'_>,
) {
    let mut first_at = FoldMap::default();
    for (name, at) in all {
        let Some(first) = first_at.get(name) else {
            first_at.insert(name, at);
            continue;
        };
        let diagnostic = Diagnostic::at(at, message(name), help);
        report.add_related(diagnostic, first, "the first is here");
    }
}
