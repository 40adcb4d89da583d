//! `[admin]`.

use crate::base::{Address, ListenAddress};
use crate::config::compile::bind::{admin_binds, refuse_idle_mode};
use crate::config::compile::name::name_of;
use crate::config::compile::pattern::host_pattern;
use crate::config::diagnostic::Diagnostic;
use crate::config::keys;
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::source::Span;
use crate::plan::{Admin, BackendReference, Bind, HostPattern};

pub(super) fn admin(top: &Section<'_>, report: &mut Report<'_>) -> Option<Admin> {
    let default = Admin::default();
    let Some(section) = top.section("admin", &keys::ADMIN, report) else {
        return Some(default);
    };
    let binds = match section.setting("listen") {
        Some(listen) if listen.is_word("off") => {
            refuse_without_listener(&section, report);
            return None;
        }
        Some(listen) if matches!(listen.value.kind, Kind::Boolean(_)) => {
            let help = match listen.value.kind {
                Kind::Boolean(true) => "leave `listen` out: the admin listener is on by default",
                _ => "write `listen = \"off\"`",
            };
            listen.wrong_with("an address, or \"off\"", help, report);
            return None;
        }
        Some(listen) => {
            let binds = admin_binds(&section, listen, report);
            warn_when_open_to_all(&binds, listen.span(), report);
            binds
        }
        None => {
            refuse_idle_mode(&section, &[], report);
            default.binds
        }
    };
    Some(Admin {
        binds,
        hosts: admin_hosts(&section, report),
        ready_needs: ready_needs(&section, report),
    })
}

/// Reports keys of the admin listener where it is off.
fn refuse_without_listener(section: &Section<'_>, report: &mut Report<'_>) {
    for key in ["hosts", "ready_needs"] {
        if let Some(setting) = section.setting(key) {
            report.error(
                setting.span(),
                format!("the admin listener is off, so `{key}` does nothing"),
                format!("leave `{key}` out, or write an address as `listen`"),
            );
        }
    }
}

/// Not `"*"`: the check exists to refuse names that the operator did not choose.
fn admin_hosts(section: &Section<'_>, report: &mut Report<'_>) -> Vec<HostPattern> {
    let mut hosts = Vec::new();
    for item in section.list("hosts").unwrap_or_default() {
        let Some(text) = item.text(report) else {
            continue;
        };
        match host_pattern(&text.value) {
            Ok(Some(pattern)) => hosts.push(pattern),
            Ok(None) => report.error(
                item.span(),
                "`hosts = \"*\"` would let any web page read metrics and status through DNS rebinding",
                "write the names by which this listener is asked: `\"lb1.internal\"`, `\"*.internal\"`",
            ),
            // The message of a host pattern speaks of routes.
            Err((_, help)) => report.error(
                item.span(),
                format!("{:?} is not a name that `Host` can be compared with", text.shown()),
                help,
            ),
        }
    }
    hosts
}

/// Backends that `/ready` asks about. `check::backends` verifies that they exist.
fn ready_needs(section: &Section<'_>, report: &mut Report<'_>) -> Vec<BackendReference> {
    let mut needs = Vec::new();
    for item in section.list("ready_needs").unwrap_or_default() {
        let Some(text) = item.text(report) else {
            continue;
        };
        let Some(name) = name_of(text, "backend", item.span(), report) else {
            continue;
        };
        let at = report.position(item.span());
        needs.push(BackendReference { name, at });
    }
    needs
}

/// A wildcard is seldom meant for the admin listener; a single address is written on purpose.
fn warn_when_open_to_all(binds: &[Bind], span: Span, report: &mut Report<'_>) {
    let open_port = |bind: &Bind| match &bind.addr {
        ListenAddress::At(Address::Ip(addr)) if addr.ip().is_unspecified() => Some(addr.port()),
        _ => None,
    };
    let Some(port) = binds.iter().find_map(open_port) else {
        return;
    };
    let message = format!(
        "every machine that can reach port {port} of this host can read metrics and status and reload \
         the configuration"
    );
    let help = format!(
        "the admin listener asks for no password: write `\"127.0.0.1:{port}\"`, or an address that only \
         administrators can reach"
    );
    report.add(Diagnostic::warning(span, message).help(help));
}
