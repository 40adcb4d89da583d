//! `[admin]`.

use crate::config::compile::bind::{admin_binds, refuse_idle_mode};
use crate::config::compile::command_socket::command_sockets;
use crate::config::compile::name::name_of;
use crate::config::compile::pattern::host_pattern;
use crate::config::keys;
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::{Admin, BackendReference, CommandSocket, HostPattern};

/// The admin listener, if there is one, and the sockets for HAProxy's commands.
pub(super) fn admin(
    top: &Section<'_>,
    report: &mut Report<'_>,
) -> (Option<Admin>, Vec<CommandSocket>) {
    let Some(section) = top.section("admin", &keys::ADMIN, report) else {
        return (Some(Admin::default()), Vec::new());
    };
    let sockets = command_sockets(&section, report);
    (listener(&section, report), sockets)
}

fn listener(section: &Section<'_>, report: &mut Report<'_>) -> Option<Admin> {
    let default = Admin::default();
    let binds = match section.setting("listen") {
        Some(listen) if listen.is_word("off") => {
            refuse_without_listener(section, report);
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
        Some(listen) => admin_binds(section, listen, report),
        None => {
            refuse_idle_mode(section, &[], report);
            default.binds
        }
    };
    Some(Admin {
        binds,
        hosts: admin_hosts(section, report),
        ready_needs: ready_needs(section, report),
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
