//! Checks of servers that are impossible by the plan.

use crate::base::Address;
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{Backend, Health, Own, OwnCheck, OwnSettings, Plan, Probe, Server, Sni, Trust};

const NAMELESS: &str = "checks over TLS need a host name: by default `sni` is the request's host, and a check has none";

/// Reports impossible checks of servers: at a port of a Unix socket, or over TLS without a host
/// name.
pub(super) fn refuse_impossible(plan: &Plan, report: &mut Report<'_>) {
    for backend in &plan.backends {
        report.begins_at(&format!("[backend.{}]", backend.name), &backend.at);
        for server in &backend.servers {
            refuse_own(server, backend, report);
            refuse_own_nameless(server, backend, report);
        }
        if let Some(health) = &backend.health {
            refuse_of_backend(health, backend, report);
        }
    }
    report.ends();
}

/// Reports settings in `health` of `server` that have no meaning.
fn refuse_own(server: &Server, backend: &Backend, report: &mut Report<'_>) {
    let own = &server.own.check;
    let health = backend.health.as_ref();
    let is_unix = matches!(server.address, Address::Unix(_));
    let port = own.port.or(health.and_then(|health| health.port));
    if *own == OwnCheck::default() {
        return;
    }
    let no_ports = || format!("`{}` is a Unix socket, which has no ports", server.address);
    let (message, help) = match health {
        None => (
            format!(
                "`[backend.{}]` has no checks, so `health` of a server does nothing",
                backend.name
            ),
            "write `health = \"/path\"` or `health = \"tcp\"` in the backend, too",
        ),
        Some(_) if is_unix && own.address.is_none() && own.port.is_some() => {
            (no_ports(), "leave `port` out here, or write `address`, too")
        }
        Some(_) if is_unix && own.address.is_some() && port.is_none() => {
            (no_ports(), "write the `port` that is checked, too")
        }
        Some(health) if health.probe == Probe::Tcp && own.tls != Own::Inherited => (
            "`tls` has no effect in checks with `type = \"tcp\"`".to_owned(),
            "leave `tls` out, or write `type = \"http\"` in the backend's `health`",
        ),
        Some(_) => return,
    };
    report.add(Diagnostic::at(&own.at, message, help));
}

/// Reports a `tls` of `server` over which its checks would have no host name.
fn refuse_own_nameless(server: &Server, backend: &Backend, report: &mut Report<'_>) {
    let own = &server.own;
    let at = match (&own.check.tls, &own.tls) {
        (Own::On(_), _) => &own.check.at,
        (Own::Inherited, Own::On(tls)) if !has_own_tls(backend) => &tls.at,
        _ => return,
    };
    if is_nameless(backend, own) {
        let help = "write `host = \"app.example.com\"` in the backend's `health`, or \
                    `sni = \"app.example.com\"` in this `tls`";
        report.add(Diagnostic::at(at, NAMELESS, help));
    }
}

/// Reports impossible checks of the servers of `backend` without settings of their own.
fn refuse_of_backend(health: &Health, backend: &Backend, report: &mut Report<'_>) {
    let has_no_port = |server: &&Server| {
        matches!(server.address, Address::Unix(_)) && server.own.check.address.is_none()
    };
    if health.port.is_some()
        && let Some(server) = backend.servers.iter().find(has_no_port)
    {
        let message = format!("`{}` is a Unix socket, which has no ports", server.address);
        let help = "leave `port` out, or put these servers into a backend of their own";
        report.add(Diagnostic::at(&health.at, message, help));
    }
    let is_as_backend = |server: &Server| {
        let is_over_own = server.own.tls != Own::Inherited && !has_own_tls(backend);
        server.own.check.tls == Own::Inherited && !is_over_own
    };
    let has_such = backend.servers.is_empty() || backend.servers.iter().any(is_as_backend);
    // A check has no client whose host it could use as SNI; without a name, every server would be
    // down.
    if has_such && is_nameless(backend, &OwnSettings::default()) {
        let help = "write `host = \"app.example.com\"` in `health`, or `sni = \"app.example.com\"` in `tls`";
        report.add(Diagnostic::at(&health.at, NAMELESS, help));
    }
}

/// Whether `health` of `backend` has a `tls` of its own.
fn has_own_tls(backend: &Backend) -> bool {
    let health = backend.health.as_ref();
    health.is_some_and(|health| health.tls != Own::Inherited)
}

/// Whether checks of the server with the settings `own` would need the host of a request as SNI.
fn is_nameless(backend: &Backend, own: &OwnSettings) -> bool {
    let Some(Probe::Http(check)) = backend.health.as_ref().map(|health| &health.probe) else {
        return false;
    };
    let asks_by_host = backend.check_tls_of(own).is_some_and(|tls| {
        let checks_name = matches!(tls.trust, Trust::System | Trust::Authorities(_));
        tls.sni == Sni::Host && tls.verify_name.is_none() && checks_name
    });
    asks_by_host && check.host.is_none()
}
