//! Names of backends, servers and frontends whose present state expressions read.

use crate::base::{FoldMap, Name};
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::config::suggest;
use crate::plan::expr::Argument;
use crate::plan::{Backend, FrontendReference, Plan, ServerReference};

use super::expressions::each_expr;

/// Only so many unknown names are reported, because each is compared with all. More of them have one
/// cause.
const MOST_REPORTED: usize = 20;

/// Reports names that lead nowhere. Names of backends alone are checked with those of routes.
pub(super) fn refuse_unknown(plan: &Plan, report: &mut Report<'_>) {
    let backends = plan.backends.iter();
    let backends: FoldMap<&Name, &Backend> = backends.map(|one| (&one.name, one)).collect();
    let mut found = Vec::new();
    each_expr(plan, &mut |expr| {
        for argument in &expr.arguments {
            found.extend(match argument {
                Argument::Server(server) => backends
                    .get(&server.backend.name)
                    .filter(|backend| !report.has_errors_in(&backend.at))
                    .and_then(|backend| unknown_server(backend, server, report)),
                Argument::Frontend(frontend) => unknown_frontend(plan, frontend, report),
                _ => None,
            });
        }
    });
    for diagnostic in found.into_iter().take(MOST_REPORTED) {
        report.add(diagnostic);
    }
}

fn unknown_server(
    backend: &Backend,
    ServerReference {
        backend: named,
        name,
    }: &ServerReference,
    report: &Report<'_>,
) -> Option<Diagnostic> {
    let mut names = backend.servers.iter().map(|server| &server.name);
    if names.any(|known| known == name) {
        return None;
    }
    let names = backend.servers.iter().map(|server| server.name.as_str());
    let help = match suggest::nearest(name, names) {
        Some(near) => format!("did you mean `{}/{near}`?", backend.name),
        None => "a server's name is its `name`, else its address as written".to_owned(),
    };
    let shown = report.shown_at(&named.at, name);
    let message = format!("`[backend.{}]` has no server `{shown}`", backend.name);
    Some(Diagnostic::at(&named.at, message, help))
}

fn unknown_frontend(
    plan: &Plan,
    FrontendReference { name, at }: &FrontendReference,
    report: &Report<'_>,
) -> Option<Diagnostic> {
    let mut all = plan.frontends.iter();
    if all.any(|frontend| frontend.name == *name) {
        return None;
    }
    let names = || plan.frontends.iter().map(|frontend| frontend.name.as_str());
    let shown = report.shown_at(at, name);
    let message = format!(
        "frontend `{shown}` is not defined; defined are {}",
        suggest::list(names())
    );
    let help = match suggest::nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write the NAME of a `[frontend.NAME]`".to_owned(),
    };
    Some(Diagnostic::at(at, message, help))
}
