//! Names of servers that cannot be used as SNI, and backends none of whose servers gets requests.

use std::collections::HashSet;

use rustls::pki_types::ServerName;

use crate::base::Position;
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{Plan, Probe, ServerTls, Sni};

/// Reports TLS settings that send the name of a server as SNI, for exchanges or checks, where that
/// name is no host name.
pub(super) fn refuse_nameless(plan: &Plan, report: &mut Report<'_>) {
    let asks_by_name = |tls: &&ServerTls| tls.sni == Sni::Server;
    for backend in &plan.backends {
        let health = backend.health.as_ref();
        let has_checks = health.is_some_and(|health| health.probe != Probe::Tcp);
        // One server for each position is enough: often all of them have addresses as names.
        let mut reported = HashSet::new();
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

/// Warns of each backend that has no server for its requests, or only backup servers.
pub(super) fn warn_of_none_that_serves(plan: &Plan, report: &mut Report<'_>) {
    for backend in &plan.backends {
        // A server may be missing because of the error.
        if report.has_errors_in(&backend.at) {
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
