//! An admin listener that other machines can reach.

use crate::base::{Address, ListenAddress};
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{Bind, Plan};

/// Warns of an admin listener on all addresses of the host. A wildcard is seldom meant; a single address is
/// written on purpose.
pub(super) fn warn_when_open_to_all(plan: &Plan, report: &mut Report<'_>) {
    let open_port = |bind: &Bind| match &bind.addr {
        ListenAddress::At(Address::Ip(addr)) if addr.ip().is_unspecified() => Some(addr.port()),
        _ => None,
    };
    let mut binds = plan.admin.iter().flat_map(|admin| &admin.binds);
    let Some((at, port)) = binds.find_map(|bind| Some((&bind.at, open_port(bind)?))) else {
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
    report.add(Diagnostic::warning_at(at, message, help));
}
