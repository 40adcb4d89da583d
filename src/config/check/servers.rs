//! Names of servers that rules choose, names that cannot be used as SNI, and backends none of whose servers gets requests.

use rustls::pki_types::ServerName;

use crate::base::{FoldSet, Name, Position};
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::config::suggest;
use crate::plan::{Action, Backend, Plan, Probe, ServerTls, Sni};

/// Only so many unknown names of a backend are reported, because each is compared with all names. More
/// unknown names than that have one cause.
const MOST_COMPARED: usize = 20;

/// Reports TLS settings that send the name of a server as SNI, for exchanges or checks, where that
/// name is no host name.
pub(super) fn refuse_nameless(plan: &Plan, report: &mut Report<'_>) {
    let asks_by_name = |tls: &&ServerTls| tls.sni == Sni::Server;
    for backend in &plan.backends {
        let health = backend.health.as_ref();
        let has_checks = health.is_some_and(|health| health.probe != Probe::Tcp);
        // One server for each position is enough: often all of them have addresses as names.
        let mut reported = FoldSet::default();
        for server in &backend.servers {
            if ServerName::try_from(server.name.as_str()).is_ok() {
                continue;
            }
            let of_exchanges = backend.tls_of(&server.own);
            let of_checks = backend.check_tls_of(&server.own).filter(|_| has_checks);
            for tls in of_exchanges.into_iter().chain(of_checks) {
                let Position { file, line, column } = &tls.at;
                if !asks_by_name(&tls) || !reported.insert((file, line, column)) {
                    continue;
                }
                let message = format!(
                    "`sni = \"server\"` sends a server's `name`, and `{}` is not a host name",
                    server.name
                );
                let help =
                    "give the server a host name: `{ name = \"a.example\", address = \"…\" }`";
                report.add(Diagnostic::at(&tls.at, message, help));
            }
        }
    }
}

/// Reports each rule that chooses a server which its backend does not have.
pub(super) fn refuse_unknown(plan: &Plan, report: &mut Report<'_>) {
    for backend in &plan.backends {
        // A server may be missing because of the error.
        if report.has_errors_in(&backend.at) {
            continue;
        }
        let defined: FoldSet<&Name> = backend.servers.iter().map(|server| &server.name).collect();
        let names = || defined.iter().map(|name| name.as_str());
        let unknown = used_by_rules(backend).filter(|(name, _)| !defined.contains(name));
        for (name, at) in unknown.take(MOST_COMPARED) {
            let shown = report.shown_at(at, name);
            let message = format!("`[backend.{}]` has no server `{shown}`", backend.name);
            let help = match suggest::nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a server's name is its `name`, else its address as written".to_owned(),
            };
            report.add(Diagnostic::at(at, message, help));
        }
    }
}

/// The servers that rules of `backend` choose, and where they are written.
fn used_by_rules(backend: &Backend) -> impl Iterator<Item = (&Name, &Position)> {
    backend.rules.iter().filter_map(|rule| match &rule.action {
        Action::UseServer(name) => Some((name, &rule.action_at)),
        _ => None,
    })
}

/// Warns of each backend that has no server for its requests, or only backup servers.
pub(super) fn warn_of_none_that_serves(plan: &Plan, report: &mut Report<'_>) {
    for backend in &plan.backends {
        // A server may be missing because of the error.
        if report.has_errors_in(&backend.at) {
            continue;
        }
        // A rule chooses a server whatever its weight is.
        if used_by_rules(backend).next().is_some() {
            continue;
        }
        let servers = &backend.servers;
        let (what, help) = if servers.is_empty() {
            (
                "has no servers: every request gets 503",
                "write `servers = [\"10.0.0.1:80\"]`",
            )
        } else if servers.iter().all(|server| server.weight == 0) {
            (
                "has only servers of weight 0: every request gets 503",
                "a server of weight 0 gets no new requests: give one server a weight of at least 1",
            )
        } else if servers.iter().all(|server| server.backup) {
            (
                "has only backup servers",
                "backup servers are used while no other server is up: leave `backup` out if all servers have it",
            )
        } else {
            continue;
        };
        let message = format!("`[backend.{}]` {what}", backend.name);
        report.add(Diagnostic::warning_at(&backend.at, message, help));
    }
}
