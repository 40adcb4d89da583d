//! `health` of a server, and whether the checks of servers can be made as the file says.

use std::net::IpAddr;

use crate::base::Address;
use crate::config::compile::address;
use crate::config::compile::server_tls::server_tls;
use crate::config::keys;
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{Backend, Own, OwnCheck, OwnSettings, Probe, Server, ServerTls, Sni, Trust};

const NAMELESS: &str = "checks over TLS need a host name: by default `sni` is the request's host, and a check has none";

/// What `health` of the server `section` says; `tls` is what `true` means there.
pub(super) fn own_check(
    section: &Section<'_>,
    tls: Option<&ServerTls>,
    report: &mut Report<'_>,
) -> OwnCheck {
    let Some(section) = section.section("health", &keys::SERVER_HEALTH, report) else {
        return OwnCheck::default();
    };
    let port = section.number("port", 1, i64::from(u16::MAX), report);
    OwnCheck {
        address: section
            .setting("address")
            .and_then(|setting| check_address(setting, report)),
        port: port.and_then(|port| u16::try_from(port).ok()),
        tls: server_tls(&section, tls, report),
    }
}

fn check_address(setting: Setting<'_>, report: &mut Report<'_>) -> Option<IpAddr> {
    let text = setting.text(report)?;
    let found = text.value.parse::<IpAddr>().ok();
    let found = found.filter(|ip| !ip.is_unspecified());
    if found.is_none() {
        let help = match address::to_connect(&text.value) {
            Ok(Address::Ip(addr)) if !text.is_secret => {
                format!(
                    "write `address = \"{}\", port = {}`",
                    addr.ip(),
                    addr.port()
                )
            }
            _ => "write the address that is checked, without a port: `address = \"10.0.0.1\"`"
                .to_owned(),
        };
        report.error(
            setting.span(),
            format!("{} is not an IP address", text.quoted()),
            help,
        );
    }
    found
}

/// Reports what cannot be in the checks of `server`, which `section` describes, a server of `plan`.
pub(super) fn refuse_impossible_own(
    section: &Section<'_>,
    server: &Server,
    backend: &Section<'_>,
    plan: &Backend,
    report: &mut Report<'_>,
) {
    let own = &server.own;
    let is_unix = matches!(server.address, Address::Unix(_));
    let port = own
        .check
        .port
        .or(plan.health.as_ref().and_then(|health| health.port));
    if let Some(setting) = section.setting("health")
        && own.check != OwnCheck::default()
    {
        let refusal = match &plan.health {
            None => Some((
                format!(
                    "`{}` has no checks, so `health` of a server does nothing",
                    backend.title
                ),
                "write `health = \"/path\"` or `health = \"tcp\"` in the backend, too",
            )),
            Some(_) if is_unix && own.check.address.is_none() && own.check.port.is_some() => {
                Some((
                    format!("`{}` is a Unix socket, which has no ports", server.address),
                    "leave `port` out here, or write `address`, too",
                ))
            }
            Some(_) if is_unix && own.check.address.is_some() && port.is_none() => Some((
                format!("`{}` is a Unix socket, which has no ports", server.address),
                "write the `port` that is checked, too",
            )),
            Some(health) if health.probe == Probe::Tcp && own.check.tls != Own::Inherited => {
                Some((
                    "`tls` has no effect in checks with `type = \"tcp\"`".to_owned(),
                    "leave `tls` out, or write `type = \"http\"` in the backend's `health`",
                ))
            }
            Some(_) => None,
        };
        if let Some((message, help)) = refusal {
            report.error(setting.span(), message, help);
        }
    }
    let key = match (&own.check.tls, &own.tls) {
        (Own::On(_), _) => "health",
        (Own::Inherited, Own::On(_)) if !has_own_tls(plan) => "tls",
        _ => return,
    };
    if is_nameless(plan, own)
        && let Some(setting) = section.setting(key)
    {
        report.error(
            setting.span(),
            NAMELESS,
            "write `host = \"app.example.com\"` in the backend's `health`, or `sni = \"app.example.com\"` in this `tls`",
        );
    }
}

/// Reports what cannot be in the checks of the servers of `backend` that have no settings of their own for
/// it.
pub(super) fn refuse_impossible(section: &Section<'_>, backend: &Backend, report: &mut Report<'_>) {
    let Some(health) = section.setting("health") else {
        return;
    };
    let port = match &health.value.kind {
        Kind::Table(table) => table.get("port"),
        _ => None,
    };
    let has_no_port = |server: &&Server| {
        matches!(server.address, Address::Unix(_)) && server.own.check.address.is_none()
    };
    if let Some(port) = port
        && let Some(server) = backend.servers.iter().find(has_no_port)
    {
        report.error(
            port.span,
            format!("`{}` is a Unix socket, which has no ports", server.address),
            "leave `port` out, or put these servers into a backend of their own",
        );
    }
    let is_as_backend = |server: &Server| {
        let is_over_own = server.own.tls != Own::Inherited && !has_own_tls(backend);
        server.own.check.tls == Own::Inherited && !is_over_own
    };
    let has_such = backend.servers.is_empty() || backend.servers.iter().any(is_as_backend);
    // A check has no client whose host it could ask by; without a name, every server would be down.
    if has_such && is_nameless(backend, &OwnSettings::default()) {
        report.error(
            health.span(),
            NAMELESS,
            "write `host = \"app.example.com\"` in `health`, or `sni = \"app.example.com\"` in `tls`",
        );
    }
}

/// Whether `health` of `backend` says something of TLS.
fn has_own_tls(backend: &Backend) -> bool {
    let health = backend.health.as_ref();
    health.is_some_and(|health| health.tls != Own::Inherited)
}

/// Whether checks of the server that has the settings `own` would have to ask by the host of a request.
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
