//! Listeners for administrators that other machines can reach.

use crate::base::{Address, ListenAddress};
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{Bind, Plan};

/// Warns of an admin listener, and of a socket for commands, on all addresses of the host. A wildcard is seldom
/// meant; a single address is written on purpose.
pub(super) fn warn_when_open_to_all(plan: &Plan, report: &mut Report<'_>) {
    let binds = plan.admin.iter().flat_map(|admin| &admin.binds);
    if let Some((bind, port)) = first_open(binds) {
        let message = format!(
            "every machine that can reach port {port} of this host can read metrics and status and reload \
             the configuration"
        );
        let help = format!(
            "the admin listener asks for no password: write `\"127.0.0.1:{port}\"`, or an address that only \
             administrators can reach"
        );
        report.add(Diagnostic::warning_at(&bind.at, message, help));
    }
    for socket in &plan.command_sockets {
        if let Some((bind, port)) = first_open(socket.binds.iter()) {
            let level = socket.level.word();
            let message = format!(
                "every machine that can reach port {port} of this host can give commands of the level `{level}`"
            );
            let help = "the socket asks for no password: write a path, or an address that only administrators can reach";
            report.add(Diagnostic::warning_at(&bind.at, message, help));
        }
    }
}

/// The first of `binds` on all addresses of the host, with its port.
fn first_open<'b>(mut binds: impl Iterator<Item = &'b Bind>) -> Option<(&'b Bind, u16)> {
    binds.find_map(|bind| match &bind.addr {
        ListenAddress::At(Address::Ip(addr)) if addr.ip().is_unspecified() => {
            Some((bind, addr.port()))
        }
        _ => None,
    })
}
