//! `[backend.NAME]`.

use crate::base::{Address, Name};
use crate::config::compile::cross::Written;
use crate::config::compile::defaults::Defaults;
use crate::config::compile::{
    Reading, health, name_of_key, named_section, rule, server, server_tls,
};
use crate::config::keys::{self, BACKEND};
use crate::config::raw::{Entry, Kind};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::expr::Known;
use crate::plan::{Backend, HeaderCase, Probe, Protocol, Server, Sni, Trust};

pub(super) fn backends(
    top: &Section<'_>,
    defaults: &Defaults,
    written: &mut Written,
    reading: Reading,
    report: &mut Report<'_>,
) -> Vec<Backend> {
    let Some(table) = top
        .setting("backend")
        .and_then(|_| top.named("backend", report))
    else {
        return Vec::new();
    };
    table
        .entries
        .iter()
        .filter_map(|entry| {
            written.defines(&entry.key, entry.key_span);
            backend(entry, defaults, written, reading, report)
        })
        .collect()
}

fn backend(
    entry: &Entry,
    defaults: &Defaults,
    written: &mut Written,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Backend> {
    let name = name_of_key(&entry.key, "backend", entry.key_span, report);
    let whole = defaults.backend(entry);
    let section = named_section(&BACKEND, "backend", &whole, report)?;
    of_section(&section, name, entry, written, reading, report)
}

/// Checks `[defaults.backend]`, whose entry in `[defaults]` is `entry`.
pub(super) fn check_defaults(section: &Section<'_>, entry: &Entry, report: &mut Report<'_>) {
    let mut written = Written::default();
    of_section(section, None, entry, &mut written, Reading::Partial, report);
}

/// The backend that `section` describes; `entry` is it as written, without defaults.
fn of_section(
    section: &Section<'_>,
    name: Option<Name>,
    entry: &Entry,
    written: &mut Written,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Backend> {
    let mut backend = Backend::new(name.clone().unwrap_or_else(keys::nameless));
    BACKEND.whole().read(section, &mut backend, report);
    backend.servers = server::servers(section, entry.key_span, reading, report);
    backend.health = health::health(section, report);
    backend.tls = server_tls::server_tls(section, &backend.servers, report);
    refuse_nameless_checks(section, &backend, report);
    refuse_port_of_unix(section, &backend.servers, report);
    refuse_idle_check_ports(section, &backend, report);
    let (rules, writes) = rule::rules(section, Known::Backend, report);
    backend.rules = rules;
    written.rules_write(&entry.key, writes);
    // Checks by HTTP speak what requests speak.
    let health = backend.health.as_ref();
    let is_for_checks = health.is_some_and(|health| health.probe != Probe::Tcp);
    let of_requests = [
        (
            "protocol",
            backend.protocol != Protocol::default() && !is_for_checks,
        ),
        ("header_case", backend.header_case != HeaderCase::default()),
    ];
    for (key, _) in of_requests.iter().filter(|(_, is_set)| *is_set) {
        // A default is for the other backends.
        let own = |key| match &entry.value.kind {
            Kind::Table(table) => table.get(key),
            _ => None,
        };
        if let Some(value) = own(key) {
            written.is_of_requests(&entry.key, key, value.span);
        }
    }
    // Without a name, mistakes in the keys are found all the same.
    name.map(|_| backend)
}

/// Reports another port for the checks of servers that have no ports.
fn refuse_port_of_unix(section: &Section<'_>, servers: &[Server], report: &mut Report<'_>) {
    let port = section
        .setting("health")
        .and_then(|health| match &health.value.kind {
            Kind::Table(table) => table.get("port"),
            _ => None,
        });
    let is_unix = |server: &&Server| matches!(server.address, Address::Unix(_));
    if let Some(port) = port
        && let Some(server) = servers.iter().find(is_unix)
    {
        report.error(
            port.span,
            format!("`{}` is a Unix socket, which has no ports", server.address),
            "leave `port` out, or put these servers into a backend of their own",
        );
    }
}

/// Reports ports for checks of single servers where they mean nothing.
fn refuse_idle_check_ports(section: &Section<'_>, backend: &Backend, report: &mut Report<'_>) {
    let items = section.list("servers").unwrap_or_default();
    for (server, item) in backend.servers.iter().zip(items) {
        let (Some(_), Kind::Table(table)) = (server.own.check_port, &item.value.kind) else {
            continue;
        };
        let Some(health) = table.get("health") else {
            continue;
        };
        if let Address::Unix(_) = server.address {
            let message = format!("`{}` is a Unix socket, which has no ports", server.address);
            report.error(health.span, message, "leave `health` out here");
        } else if backend.health.is_none() {
            let message = format!(
                "`{}` has no checks, so `health` of a server does nothing",
                section.title
            );
            report.error(
                health.span,
                message,
                "write `health = \"/path\"` or `health = \"tcp\"` in the backend, too",
            );
        }
    }
}

/// A check has no client whose host it could ask by; without a name, every server would be down.
fn refuse_nameless_checks(section: &Section<'_>, backend: &Backend, report: &mut Report<'_>) {
    let asks_by_host = backend.tls.as_ref().is_some_and(|tls| {
        let checks_name = matches!(tls.trust, Trust::System | Trust::Authorities(_));
        tls.sni == Sni::Host && tls.verify_name.is_none() && checks_name
    });
    let Some(Probe::Http(check)) = backend.health.as_ref().map(|health| &health.probe) else {
        return;
    };
    if asks_by_host
        && check.host.is_none()
        && let Some(setting) = section.setting("health")
    {
        report.error(
            setting.span(),
            "checks over TLS need a host name: by default `sni` is the request's host, and a check has none",
            "write `host = \"app.example.com\"` in `health`, or `sni = \"app.example.com\"` in `tls`",
        );
    }
}
