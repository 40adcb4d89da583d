//! Checks of a whole plan: each of its values is valid by itself.
//!
//! The checks read the plan and its positions, not a text, so they hold for any format. Errors:
//! names that lead nowhere, names that are not unique, addresses bound twice, impossible checks of
//! servers, fields that are overwritten. Warnings: routes and rules that never run, conditions that
//! never hold, backends that nothing uses.

mod backends;
mod binds;
mod certificates;
mod condition;
mod health;
mod names;
mod own_fields;
mod routes;
mod rules;
mod servers;

pub(super) use condition::{Impossible, impossible};

use crate::config::report::Report;
use crate::plan::Plan;

/// Whether all files of the configuration could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// All of it was read.
    Whole,
    /// Some could not be read, so a missing name proves nothing.
    Partial,
}

/// Reports everything that is wrong with `plan`. If the report has errors, parts of the plan may be
/// missing. Then no warning is given, because the error may be its cause.
pub(super) fn plan(plan: &Plan, reading: Reading, report: &mut Report<'_>) {
    report.ends();
    names::refuse_same(plan, report);
    binds::refuse_bound_twice(plan, report);
    own_fields::refuse(plan, report);
    servers::refuse_nameless(plan, report);
    health::refuse_impossible(plan, report);
    if reading == Reading::Whole {
        backends::refuse_unknown(plan, report);
    }
    // The meaning of a `tls` or `listen` with a mistake is not known.
    if report.errors() == 0 {
        binds::refuse_differing(plan, report);
        certificates::refuse_unasked(plan, report);
    }
    if report.errors() > 0 {
        return;
    }
    own_fields::warn(plan, report);
    for frontend in &plan.frontends {
        routes::warn(&frontend.routes, report);
        routes::warn_of_tcp_routes(&frontend.tcp_routes, report);
    }
    rules::warn_of_idle(plan, report);
    if reading == Reading::Whole {
        backends::warn_of_unused(plan, report);
        report.warn_of_keys_of_requests(&backends::in_tcp_mode_alone(plan));
        report.warn_of_unset_variables();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::address::UnixName;
    use crate::base::{Address, Name, Position};
    use crate::config::source::Sources;
    use crate::plan::{BackendReference, Bind, Health, TcpRoute};

    /// The messages of the checks for a valid plan after `change`; without any text.
    fn found(change: impl FnOnce(&mut Plan)) -> Vec<String> {
        let text = "[admin]\nlisten = 'off'\n[frontend.web]\nlisten = ':80'\nbackend = 'app'\n\
                    [frontend.more]\nlisten = ':81'\nbackend = 'app'\n\
                    [backend.app]\nservers = ['10.0.0.1:80']";
        let loaded = crate::config::load_text("evenkeel.toml", text);
        let mut plan = loaded.expect("it is valid").plan;
        change(&mut plan);
        let sources = Sources::default();
        let mut report = Report::new(&sources);
        super::plan(&plan, Reading::Whole, &mut report);
        let found = report.into_found();
        found.iter().map(|one| one.message().to_owned()).collect()
    }

    #[test]
    fn a_plan_of_any_format_is_checked_by_its_values_alone() {
        assert_eq!(found(|_| {}), [""; 0]);
        let name = Name::new("ap").expect("a name");
        let unknown = found(|plan| {
            plan.frontends[0].backend = Some(BackendReference::built_in(name));
        });
        assert_eq!(unknown, ["backend `ap` is not defined; defined are `app`"]);
        let unused = found(|plan| {
            let backend = plan.backends[0].clone();
            let name = Name::new("spare").expect("a name");
            plan.backends.push(crate::plan::Backend { name, ..backend });
        });
        assert_eq!(
            unused,
            ["no frontend and no route uses the backend `spare`"]
        );
        let twice = found(|plan| {
            let at = Position {
                file: Path::new("haproxy.cfg").into(),
                ..Position::built_in()
            };
            let first = &plan.frontends[0].binds[0];
            let again = Bind {
                at,
                ..first.clone()
            };
            plan.frontends[1].binds.push(again);
        });
        assert_eq!(
            twice,
            ["port 80 of `[frontend.more]` is also bound by `[frontend.web]`"]
        );
    }

    #[test]
    fn a_second_use_of_a_name_is_refused_in_any_format() {
        let name = || Name::new("same").expect("a name");
        let frontends = found(|plan| plan.frontends[1].name = plan.frontends[0].name.clone());
        assert_eq!(frontends, ["two frontends have the name `web`"]);
        let backends = found(|plan| plan.backends.push(plan.backends[0].clone()));
        assert_eq!(backends, ["two backends have the name `app`"]);
        let servers = found(|plan| {
            let servers = &mut plan.backends[0].servers;
            servers.push(servers[0].clone());
        });
        assert_eq!(
            servers,
            ["two servers of `[backend.app]` have the name `10.0.0.1:80`"]
        );
        let routes = found(|plan| {
            let backend = BackendReference::built_in(plan.backends[0].name.clone());
            let route = TcpRoute {
                name: name(),
                sni: Vec::new(),
                alpn: Vec::new(),
                backend,
                at: Position::built_in(),
                named_at: Position::built_in(),
            };
            plan.frontends[0].tcp_routes = vec![route.clone(), route];
        });
        assert_eq!(
            routes,
            ["two routes of `[frontend.web]` have the name `same`"]
        );
    }

    #[test]
    fn impossible_checks_are_refused_in_any_format() {
        let unix = found(|plan| {
            let backend = &mut plan.backends[0];
            backend.servers[0].address = Address::Unix(UnixName::Path("/run/app.sock".into()));
            backend.health = Some(Health {
                port: Some(81),
                ..Health::default()
            });
        });
        let message = "`/run/app.sock` is a Unix socket, which has no ports";
        assert_eq!(unix, [message]);
        let without = found(|plan| plan.backends[0].servers[0].own.check.port = Some(81));
        let message = "`[backend.app]` has no checks, so `health` of a server does nothing";
        assert_eq!(without, [message]);
    }
}
