//! The servers of a backend: `"10.0.0.1:80"` or `{ name = …, address = …, weight = … }`.

use std::net::SocketAddr;

use crate::base::Address;
use crate::config::check::Reading;
use crate::config::compile::name::name_of;
use crate::config::compile::{address, server_health, server_tls};
use crate::config::diagnostic::Diagnostic;
use crate::config::haproxy_lines::WrittenAs;
use crate::config::keys;
use crate::config::raw::{Kind, Text};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::plan::{Backend, Own, Server, ServerTls, Trust};

/// Compiles the servers of `plan`, whose TLS and checks are compiled already; `key_span` is the
/// position of its name.
pub(super) fn servers(
    backend: &Section<'_>,
    plan: &Backend,
    key_span: Span,
    reading: Reading,
    report: &mut Report<'_>,
) -> Vec<Server> {
    let Some(setting) = backend.setting("servers") else {
        if reading == Reading::Whole && backend.lacks("servers") {
            report.error(
                key_span,
                format!("`{}` has no `servers`", backend.title),
                "write `servers = [\"10.0.0.1:80\"]`",
            );
        }
        return Vec::new();
    };
    let items = setting.list();
    // No room is left over: there may be tens of thousands of backends with one server each.
    let mut servers = Vec::with_capacity(items.len());
    servers.extend(
        items
            .iter()
            .filter_map(|item| server(backend, plan, *item, report)),
    );
    servers
}

fn server(
    backend: &Section<'_>,
    plan: &Backend,
    item: Setting<'_>,
    report: &mut Report<'_>,
) -> Option<Server> {
    match &item.value.kind {
        Kind::String(_) => {
            let (address, text) = address_of(item, report)?;
            let name = name_of(text, "server", item.span(), report)?;
            Some(Server::new(name, address, report.position(item.span())))
        }
        Kind::Table(_) => {
            let title = format!("[{}.servers]]", backend.title.trim_end_matches(']'));
            let header = title.clone();
            let section = backend.inner(&keys::SERVER, title, &header, item, report)?;
            server_of_table(&section, plan, report)
        }
        _ => {
            let help = match &item.value.kind {
                Kind::Integer(port) => format!("write `\"127.0.0.1:{port}\"`"),
                _ => "write `\"10.0.0.1:80\"` or `{ address = \"10.0.0.1:80\", weight = 1 }`"
                    .to_owned(),
            };
            item.wrong_with("an address or a table with `address`", help, report);
            None
        }
    }
}

fn server_of_table(
    section: &Section<'_>,
    plan: &Backend,
    report: &mut Report<'_>,
) -> Option<Server> {
    // First: without an address the keys are checked all the same.
    let nowhere = Address::Ip(SocketAddr::from(([0, 0, 0, 0], 0)));
    let mut server = Server::new(keys::nameless(), nowhere, report.position(section.span));
    keys::SERVER.whole().read(section, &mut server, report);
    let of_backend = plan.tls.as_ref();
    server.own.tls = own_tls(section, of_backend, report);
    let of_exchanges = plan.tls_of(&server.own).or(of_backend);
    server.own.check = server_health::own_check(section, of_exchanges, report);
    let address = match section.setting("address") {
        Some(setting) => address_of(setting, report).map(|found| (found, setting)),
        None if !section.lacks("address") => None,
        None => {
            report.error(
                section.span,
                "this server has no `address`",
                "write `address = \"10.0.0.1:80\"`",
            );
            None
        }
    };
    let name = section.setting("name").map(|setting| {
        setting
            .text(report)
            .and_then(|text| name_of(text, "server", setting.span(), report))
    });
    let ((address, written), at) = address?;
    let name = match name {
        Some(name) => name,
        // Not every path can be a name.
        None => name_of(written, "server", at.span(), report),
    };
    server.name = name?;
    server.address = address;
    server.at = report.position(at.span());
    let named_at = section.setting("name").unwrap_or(at);
    server.named_at = report.position(named_at.span());
    Some(server)
}

/// `tls` of a server, whose backend has `of_backend`.
fn own_tls(
    section: &Section<'_>,
    of_backend: Option<&ServerTls>,
    report: &mut Report<'_>,
) -> Own<ServerTls> {
    let is_on = section.setting("tls").and_then(|tls| tls.as_switch()) == Some(true);
    match is_on && of_backend.is_some() {
        // Not a copy: when the backend's TLS changes, the server stays the same.
        true => Own::Inherited,
        false => {
            let own = server_tls::server_tls(section, of_backend, report);
            if let Own::On(own) = &own {
                warn_of_lost_trust(section, own, of_backend, report);
            }
            own
        }
    }
}

/// Warns of a server's `tls` without a CA, where the `tls` of the backend has one.
fn warn_of_lost_trust(
    section: &Section<'_>,
    own: &ServerTls,
    of_backend: Option<&ServerTls>,
    report: &mut Report<'_>,
) {
    let key = match of_backend.map(|tls| &tls.trust) {
        Some(Trust::Authorities(_)) => "ca",
        Some(Trust::Fingerprints(_)) => "fingerprint",
        _ => return,
    };
    if own.trust == Trust::System
        && let Some(setting) = section.setting("tls")
    {
        report.add(
            Diagnostic::warning(
                setting.span(),
                format!(
                    "this `tls` replaces the backend's, so the backend's `{key}` does not hold here: \
                     the system's CAs are trusted"
                ),
            )
            .help(format!("write `{key}` here, too")),
        );
    }
}

/// The address, and its text, which is the name of a server without another name.
fn address_of<'a>(setting: Setting<'a>, report: &mut Report<'_>) -> Option<(Address, &'a Text)> {
    let text = setting.text(report)?;
    match address::to_connect(&text.value) {
        Ok(address) => Some((address, text)),
        Err(bad) => {
            let written_as = match setting.key {
                "address" => WrittenAs::Table,
                _ => WrittenAs::Item,
            };
            bad.report(setting, text, written_as, report);
            None
        }
    }
}
