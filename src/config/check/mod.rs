//! Checks of a whole plan: each of its values is valid by itself.
//!
//! The checks read the plan and its positions, not a text, so they hold for any format. Errors:
//! names that lead nowhere, names that are not unique, addresses bound twice, impossible checks of
//! servers, fields that are overwritten, rules that cannot run where they are, parts of a frontend
//! that do not fit together. Warnings: routes and rules that never run, conditions that never hold,
//! variables that no rule sets, error pages and backends that nothing uses.
//!
//! Whether a value is written in a table or comes from `[defaults]` is not in the plan. Where a
//! mistake depends on it (`retry.on` without attempts, a protocol in a backend for TCP mode), the
//! reader of the format finds it.

mod admin;
mod backends;
mod binds;
mod certificates;
mod condition;
mod constants;
mod error_pages;
mod expressions;
mod frontends;
mod health;
mod names;
mod own_fields;
mod routes;
mod rules;
mod servers;
mod state;
mod tables;
mod wildcards;

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
    rules::refuse(plan, report);
    rules::refuse_servers_without_backend(plan, report);
    rules::refuse_backends_without_frontend(plan, report);
    error_pages::refuse(plan, report);
    own_fields::refuse(plan, report);
    frontends::refuse_passthrough(plan, report);
    frontends::refuse_disabled_h2(plan, report);
    for frontend in &plan.frontends {
        frontends::refuse_empty_splits(frontend, report);
    }
    servers::refuse_nameless(plan, report);
    health::refuse_impossible(plan, report);
    if reading == Reading::Whole {
        backends::refuse_unknown(plan, report);
        frontends::refuse_leading_nowhere(plan, report);
        servers::refuse_unknown(plan, report);
        tables::refuse_unknown(plan, report);
        state::refuse_unknown(plan, report);
    }
    tables::refuse_misfits(plan, report);
    // The meaning of a `tls` or `listen` with a mistake is not known.
    if report.errors() == 0 {
        binds::refuse_differing(plan, report);
        certificates::refuse_unasked(plan, report);
    }
    if report.errors() > 0 {
        return;
    }
    admin::warn_when_open_to_all(plan, report);
    own_fields::warn(plan, report);
    expressions::warn_of_conditions(plan, report);
    for frontend in &plan.frontends {
        routes::warn(&frontend.routes, report);
        routes::warn_of_tcp_routes(&frontend.tcp_routes, report);
    }
    rules::warn_of_idle(plan, report);
    error_pages::warn_of_unused(plan, report);
    if reading == Reading::Whole {
        backends::warn_of_unused(plan, report);
        servers::warn_of_none_that_serves(plan, report);
        report.warn_of_keys_of_requests(&backends::in_tcp_mode_alone(plan));
        expressions::warn_of_unread_bodies(plan, report);
        expressions::warn_of_unset_variables(plan, report);
        tables::warn_of_untracked(plan, report);
        tables::warn_of_unused(plan, report);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::address::UnixName;
    use crate::base::{Address, Name, Position};
    use crate::config::expression::written::condition;
    use crate::config::source::Sources;
    use crate::plan::expr::Piece;
    use crate::plan::{
        Action, BackendReference, Bind, ClientCertificate, Health, Mode, On, Route, Rule, Target,
        TcpRoute, Tls, TlsRules,
    };

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
                when: None,
                backend,
                at: Position::built_in(),
                named_at: Position::built_in(),
            };
            plan.frontends[0].mode = Mode::Tcp;
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

    /// What the checks say of a rule of a frontend that `change` makes another of.
    fn changed(rule: &str, change: impl FnOnce(&mut Rule)) -> Vec<String> {
        let text = format!(
            "[frontend.web]\nlisten = ':80'\nbackend = 'app'\nrule = [{{ when = 'ssl_fc', {rule} }}]\n\
             [backend.app]\nservers = ['10.0.0.1:80']"
        );
        let loaded = crate::config::load_text("evenkeel.toml", &text);
        let mut rules = loaded.expect("it is valid").plan.frontends.remove(0).rules;
        change(&mut rules[0]);
        found(|plan| plan.frontends[0].rules = rules)
    }

    #[test]
    fn rules_of_any_format_are_checked_by_their_values_alone() {
        let unset = changed("pause = '1s'", |rule| {
            rule.when = Some(condition("var(txn.a)"));
        });
        assert_eq!(unset, ["no rule sets the variable `txn.a`"]);
        let never = changed("deny = 403", |rule| {
            rule.when = Some(condition("method == 'get'"));
        });
        assert_eq!(never, ["`method == \"get\"` never holds"]);
        let part = changed("redirect = { scheme = 'https' }", |rule| {
            rule.on = On::Response
        });
        assert_eq!(part, ["`redirect` cannot run with `on = \"response\"`"]);
        let field = changed("set_header = { x-a = '1' }", |rule| {
            if let Action::SetHeader(fields) = &mut rule.action {
                fields[0].name = http::header::CONNECTION;
            }
        });
        assert_eq!(
            field,
            ["`connection` belongs to the connection, and Evenkeel writes it"]
        );
        let path = changed("set_path = '/a'", |rule| {
            if let Action::SetTarget(_, path) = &mut rule.action {
                path.pieces[0] = Piece::Text("a".to_owned());
            }
        });
        assert_eq!(path, ["a path begins with `/`"]);
        let body = changed("return = { body = 'a' }", |rule| {
            if let Action::Return(answer) = &mut rule.action {
                answer.status = http::StatusCode::NO_CONTENT;
            }
        });
        assert_eq!(body, ["an answer with the status 204 has no body"]);
    }

    #[test]
    fn parts_of_a_plan_of_any_format_have_to_fit_together() {
        let nowhere = found(|plan| plan.frontends[0].backend = None);
        assert_eq!(
            nowhere,
            ["`[frontend.web]` has no backend for its requests"]
        );
        let idle = found(|plan| plan.backends[0].servers[0].weight = 0);
        assert_eq!(
            idle,
            ["`[backend.app]` has only servers of weight 0: every request gets 503"]
        );
        let split = found(|plan| {
            let app = plan.frontends[0].backend.clone().expect("a backend");
            plan.frontends[0]
                .routes
                .push(route_to(Target::Split(vec![(app, 0)])));
        });
        assert_eq!(split, ["no backend of this `split` has a weight above 0"]);
        let every = found(|plan| {
            let app = plan.frontends[0].backend.clone().expect("a backend");
            plan.frontends[0].tcp_routes.push(TcpRoute {
                name: Name::new("1").expect("a name"),
                sni: Vec::new(),
                alpn: Vec::new(),
                when: None,
                backend: app,
                at: Position::built_in(),
                named_at: Position::built_in(),
            });
        });
        assert_eq!(
            every,
            [
                "`passthrough` needs `tls` in the same frontend, and `[frontend.web]` has none",
                "a route of `passthrough` without `sni`, `alpn` and `when` would match every connection"
            ]
        );
        let h2 = found(|plan| {
            plan.frontends[0].http2.enabled = false;
            plan.frontends[0]
                .tls
                .push(Tls::new(Vec::new(), TlsRules::default()));
        });
        assert_eq!(
            h2,
            ["`alpn` offers \"h2\", and this frontend has `http2 = { enabled = false }`"]
        );
        let open = found(|plan| {
            plan.admin = Some(crate::plan::Admin {
                binds: plan.frontends.remove(0).binds,
                ..crate::plan::Admin::default()
            });
        });
        assert_eq!(open.len(), 1, "{open:?}");
        assert!(open[0].starts_with("every machine that can reach port 80 "));
        let commands = found(|plan| {
            let binds = plan.frontends.remove(0).binds;
            plan.command_sockets.push(crate::plan::CommandSocket {
                binds,
                ..crate::plan::CommandSocket::default()
            });
        });
        assert_eq!(commands.len(), 1, "{commands:?}");
        assert!(
            commands[0].ends_with("give commands of the level `operator`"),
            "{commands:?}"
        );
    }

    fn route_to(target: Target) -> Route {
        Route {
            name: Name::new("1").expect("a name"),
            hosts: Vec::new(),
            paths: Vec::new(),
            methods: Vec::new(),
            headers: Vec::new(),
            queries: Vec::new(),
            when: None,
            client_certificate: ClientCertificate::Any,
            rules: Vec::new(),
            target,
            at: Position::built_in(),
            named_at: Position::built_in(),
        }
    }
}
