//! Names of backends: unknown names, and backends that are never used.

use crate::base::{FoldSet, Name};
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::config::suggest;
use crate::plan::expr::Argument;
use crate::plan::{
    Action, Among, BackendReference, ConnectionAction, Frontend, Mode, Plan, Target,
};

use super::expressions::each_expr;

/// Only so many unknown names get a "did you mean", because each is compared with all names. More
/// unknown names than that have one cause.
const MOST_COMPARED: usize = 20;

/// Reports each unknown name of a backend.
pub(super) fn refuse_unknown(plan: &Plan, report: &mut Report<'_>) {
    let defined: FoldSet<&Name> = plan.backends.iter().map(|backend| &backend.name).collect();
    let names = || plan.backends.iter().map(|backend| backend.name.as_str());
    let all = suggest::list(names());
    let used = plan.frontends.iter().flat_map(uses_of);
    let needed = plan.admin.iter().flat_map(|admin| &admin.ready_needs);
    let mut read = Vec::new();
    each_expr(plan, &mut |expr| {
        for argument in &expr.arguments {
            read.extend(match argument {
                Argument::Backend(backend) => Some(backend.clone()),
                Argument::Server(server) => Some(server.backend.clone()),
                _ => None,
            });
        }
    });
    let unknown = used
        .chain(needed)
        .chain(asked(plan))
        .chain(&read)
        .filter(|reference| !defined.contains(&reference.name));
    for (count, BackendReference { name, at }) in unknown.enumerate() {
        let shown = report.shown_at(at, name);
        let message = match plan.backends.is_empty() {
            true => format!("backend `{shown}` is not defined; no backend is"),
            false => format!("backend `{shown}` is not defined; defined are {all}"),
        };
        let near = match count < MOST_COMPARED {
            true => suggest::nearest(name, names()),
            false => None,
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write a `[backend.{shown}]` with its `servers`"),
        };
        report.add(Diagnostic::at(at, message, help));
    }
}

/// Warns of each backend that no frontend and no route uses.
pub(super) fn warn_of_unused(plan: &Plan, report: &mut Report<'_>) {
    let mut targets = plan.frontends.iter().flat_map(targets_of);
    // The request may name any backend.
    if targets.any(|target| matches!(target, Target::Named(_, Among::All))) {
        return;
    }
    let used = used_by(plan, |_| true);
    for backend in &plan.backends {
        if !used.contains(&backend.name) {
            let message = format!(
                "no frontend and no route uses the backend `{}`",
                backend.name
            );
            let help = "name it as the `backend` of a frontend or a route, or remove it";
            report.add(Diagnostic::warning_at(&backend.at, message, help));
        }
    }
}

/// The backends that get bytes of TCP connections, and no requests.
pub(super) fn in_tcp_mode_alone(plan: &Plan) -> FoldSet<&Name> {
    let mut found: FoldSet<&Name> = used_by(plan, |mode| mode == Mode::Tcp);
    let of_requests = used_by(plan, |mode| mode == Mode::Http);
    found.retain(|name| !of_requests.contains(name));
    found
}

/// The backends that get exchanges in the modes `is_wanted`.
fn used_by(plan: &Plan, is_wanted: impl Fn(Mode) -> bool) -> FoldSet<&Name> {
    let uses = plan.frontends.iter().flat_map(|frontend| {
        let passed_on = frontend
            .tcp_routes
            .iter()
            .map(|route| &route.backend)
            .chain(uses_of_content(frontend))
            .map(|backend| (backend, Mode::Tcp));
        let uses = uses_of_routes(frontend).map(|reference| (reference, frontend.mode));
        uses.chain(passed_on)
    });
    let uses = uses.chain(asked(plan).map(|backend| (backend, Mode::Http)));
    let wanted = uses.filter(|(_, mode)| is_wanted(*mode));
    wanted.map(|(reference, _)| &reference.name).collect()
}

/// The targets of routes and rules.
fn targets_of(frontend: &Frontend) -> impl Iterator<Item = &Target> {
    let of_rules = frontend.rules.iter().filter_map(|rule| match &rule.action {
        Action::UseBackend(target) => Some(&**target),
        _ => None,
    });
    let of_routes = frontend.routes.iter().map(|route| &route.target);
    of_routes.chain(of_rules)
}

/// The backends of `backend`, of the routes for requests, and of rules.
fn uses_of_routes(frontend: &Frontend) -> impl Iterator<Item = &BackendReference> {
    let others = targets_of(frontend).flat_map(Target::backends);
    frontend.backend.iter().chain(others)
}

fn uses_of(frontend: &Frontend) -> impl Iterator<Item = &BackendReference> {
    let passed_on = frontend.tcp_routes.iter().map(|route| &route.backend);
    let passed_on = passed_on.chain(uses_of_content(frontend));
    uses_of_routes(frontend).chain(passed_on)
}

/// The backends that rules ask about requests.
fn asked(plan: &Plan) -> impl Iterator<Item = &BackendReference> + use<'_> {
    plan.rules().filter_map(|rule| match &rule.action {
        Action::ForwardAuth(auth) => Some(&auth.backend),
        _ => None,
    })
}

/// The backends of rules for content.
fn uses_of_content(frontend: &Frontend) -> impl Iterator<Item = &BackendReference> {
    let rules = frontend.content_rules.iter();
    rules.filter_map(|rule| match &rule.action {
        ConnectionAction::UseBackend(backend) => Some(backend),
        _ => None,
    })
}
