//! Addresses that two listeners would bind.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use crate::base::{FoldMap, FoldSet, ListenAddress, Position};
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::config::source::Span;
use crate::plan::{Bind, Plan};

/// One address of a frontend or of the admin listener.
struct Listener<'a> {
    addr: &'a ListenAddress,
    /// The table that it belongs to.
    owner: String,
    /// The position of the address; a default has none.
    at: &'a Position,
    /// The same as a range of the text, if there is one.
    span: Option<Span>,
}

/// Reports each address that is bound twice.
pub(super) fn refuse_bound_twice(plan: &Plan, report: &mut Report<'_>) {
    let admin = plan
        .admin
        .iter()
        .map(|admin| (&admin.binds, "[admin]".to_owned()));
    let sockets = plan.command_sockets.iter();
    let sockets = sockets.map(|one| (&one.binds, "[[admin.haproxy_socket]]".to_owned()));
    let frontends = plan.frontends.iter();
    let frontends = frontends.map(|one| (&one.binds, format!("[frontend.{}]", one.name)));
    let mut listeners = Vec::new();
    for (binds, owner) in admin.chain(sockets).chain(frontends) {
        listeners.extend(binds.iter().map(|bind| Listener {
            addr: &bind.addr,
            owner: owner.clone(),
            at: &bind.at,
            span: report.span_at(&bind.at),
        }));
    }
    ports_bound_twice(&listeners, report);
    names_bound_twice(&listeners, report);
}

/// An address and the wildcard of its IP version take the same port. IPv4 and IPv6 do not conflict,
/// because IPv6 listeners take IPv6 only. Port 0 is another port each time.
fn ports_bound_twice(listeners: &[Listener<'_>], report: &mut Report<'_>) {
    let mut by_port: BTreeMap<(u16, bool), Vec<&Listener<'_>>> = BTreeMap::new();
    for listener in listeners {
        if let Some(addr) = listener.addr.ip().filter(|addr| addr.port() != 0) {
            let key = (addr.port(), addr.is_ipv4());
            by_port.entry(key).or_default().push(listener);
        }
    }
    let mut reported = FoldSet::default();
    for ((port, _), mut group) in by_port {
        // An address that is written comes last, because the message must point at it.
        group.sort_by_key(|listener| (listener.at.is_built_in(), listener.span));
        // With its scope, if it has one: the same address on two interfaces is two addresses.
        let mut by_addr: FoldMap<SocketAddr, &Listener<'_>> = FoldMap::default();
        let mut wildcard: Option<&Listener<'_>> = None;
        let mut any: Option<&Listener<'_>> = None;
        for listener in group {
            let Some(addr) = listener.addr.ip() else {
                continue;
            };
            let earlier = match addr.ip().is_unspecified() {
                true => any,
                false => by_addr.get(&addr).copied().or(wildcard),
            };
            // `"*:80"` is two addresses, which conflict with the other listener at the same two
            // positions.
            if let Some(earlier) = earlier
                && reported.insert((spot(earlier), spot(listener)))
            {
                refuse(&format!("port {port}"), earlier, listener, report);
            }
            if addr.ip().is_unspecified() {
                wildcard.get_or_insert(listener);
            }
            by_addr.entry(addr).or_insert(listener);
            any.get_or_insert(listener);
        }
    }
}

/// Unix sockets, descriptors and addresses with a zone, which are the same when they are written the
/// same.
fn names_bound_twice(listeners: &[Listener<'_>], report: &mut Report<'_>) {
    let mut first_of: FoldMap<&ListenAddress, &Listener<'_>> = FoldMap::default();
    for listener in listeners {
        let addr = listener.addr;
        if addr.ip().is_some() || addr.is_any_port() {
            continue;
        }
        match first_of.get(addr) {
            None => {
                first_of.insert(addr, listener);
            }
            Some(earlier) => refuse(&format!("`{addr}`"), earlier, listener, report),
        }
    }
}

/// Reports binds at the same address with port 0 that have different settings. Each gets a port of
/// its own, but a bind is found by its written address.
pub(super) fn refuse_differing(plan: &Plan, report: &mut Report<'_>) {
    for frontend in &plan.frontends {
        let mut first_at = FoldMap::default();
        for bind in frontend.binds.iter().filter(|bind| bind.addr.is_any_port()) {
            let same: &Bind = first_at.entry(&bind.addr).or_insert(bind);
            let what = if bind.tls.is_some() != same.tls.is_some() {
                "with TLS and without"
            } else if bind.tls != same.tls {
                "with different `tls`"
            } else if bind.proxy_protocol != same.proxy_protocol {
                "with different `proxy_protocol`"
            } else {
                continue;
            };
            let message = format!("one address with port 0 is here {what}");
            let help = "write port 0 at two different addresses, or fixed ports";
            let diagnostic = Diagnostic::at(&bind.at, message, help);
            report.add_related(diagnostic, &same.at, "the first is here");
        }
    }
}

/// Tells positions apart, which all compare equal.
fn spot<'a>(listener: &Listener<'a>) -> (&'a Path, u32, u32) {
    let Position { file, line, column } = listener.at;
    (file, *line, *column)
}

/// Reports that `what` of `later` is bound by `earlier`, too. A default is never the earlier one.
fn refuse(what: &str, earlier: &Listener<'_>, later: &Listener<'_>, report: &mut Report<'_>) {
    if later.at.is_built_in() {
        let message = format!(
            "{what} of `{}` is also bound by `{}`, whose default is {}",
            earlier.owner, later.owner, later.addr
        );
        let help = "write another port here, or `listen` in `[admin]`: an address, or \"off\"";
        report.add(Diagnostic::at(earlier.at, message, help));
        return;
    }
    let help = match later.addr.ip() {
        Some(_) => {
            "write each address and port once; `0.0.0.0` and `[::]` take the port on every address"
        }
        None => "write each address once",
    };
    let message = match earlier.owner == later.owner {
        true => format!("{what} of `{}` is bound twice", later.owner),
        false => format!(
            "{what} of `{}` is also bound by `{}`",
            later.owner, earlier.owner
        ),
    };
    let diagnostic = Diagnostic::at(later.at, message, help);
    report.add_related(diagnostic, earlier.at, "bound here first");
}
