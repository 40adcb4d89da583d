//! Frontends whose parts do not fit together: TLS, HTTP/2, routes and the backend.

use crate::base::FoldSet;
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::{Frontend, Mode, Plan, Rule, Target, Tls};

/// The name of HTTP/2 in ALPN.
const H2: &str = "h2";

/// Reports each frontend that has no backend for a part of its requests or connections, and nothing in
/// place of one.
pub(super) fn refuse_leading_nowhere(plan: &Plan, report: &mut Report<'_>) {
    for frontend in &plan.frontends {
        let (carried, leads_somewhere) = match frontend.mode {
            Mode::Http => {
                let answers = frontend.rules.iter().any(Rule::answers_all_requests);
                ("requests", answers || !frontend.routes.is_empty())
            }
            Mode::Tcp => ("connections", !frontend.tcp_routes.is_empty()),
        };
        // Its `backend` or its routes may be the part with the error.
        if leads_somewhere || frontend.backend.is_some() || report.has_errors_in(&frontend.at) {
            continue;
        }
        let name = &frontend.name;
        let message = format!("`[frontend.{name}]` has no backend for its {carried}");
        let help = "write `backend = \"…\"`, or a `[[frontend.NAME.route]]`, or both";
        report.add(Diagnostic::at(&frontend.at, message, help));
    }
}

/// Reports `passthrough` in frontends that terminate no TLS, and where it would take every connection.
pub(super) fn refuse_passthrough(plan: &Plan, report: &mut Report<'_>) {
    for frontend in &plan.frontends {
        // Its `tls` or the conditions may be the part with the error.
        if frontend.mode == Mode::Tcp || report.has_errors_in(&frontend.at) {
            continue;
        }
        let mut tcp_routes = frontend.tcp_routes.iter();
        if let Some(first) = frontend.tcp_routes.first()
            && frontend.tls.is_empty()
        {
            let message = format!(
                "`passthrough` needs `tls` in the same frontend, and `[frontend.{}]` has none",
                frontend.name
            );
            let help = "write `tls = …`; where all connections pass on as they are, write `mode = \"tcp\"`";
            report.add(Diagnostic::at(&first.at, message, help));
        }
        if let Some(taker) = tcp_routes.find(|tcp_route| !tcp_route.has_conditions()) {
            let message = "a route of `passthrough` without `sni`, `alpn` and `when` would match every connection";
            let help = "write which names it matches: `sni = [\"db.example.com\"]`";
            report.add(Diagnostic::at(&taker.at, message, help));
        }
    }
}

/// Reports TLS that offers HTTP/2 in a frontend where it is disabled.
pub(super) fn refuse_disabled_h2(plan: &Plan, report: &mut Report<'_>) {
    let frontends = plan.frontends.iter();
    for frontend in frontends.filter(|frontend| !frontend.http2.enabled) {
        // A name without an `alpn` of its own has that of all names.
        let mut reported = FoldSet::default();
        let rules = frontend.tls.iter().flat_map(Tls::all_rules);
        for rules in rules.filter(|rules| rules.alpn.iter().any(|name| name == H2)) {
            let at = &rules.alpn_at;
            if reported.insert((&at.file, at.line, at.column)) {
                let message =
                    "`alpn` offers \"h2\", and this frontend has `http2 = { enabled = false }`";
                let help = "leave \"h2\" out, or remove `enabled = false`";
                report.add(Diagnostic::at(at, message, help));
            }
        }
    }
}

/// Reports each split of `frontend` none of whose backends gets a request.
pub(super) fn refuse_empty_splits(frontend: &Frontend, report: &mut Report<'_>) {
    for route in &frontend.routes {
        let Target::Split(parts) = &route.target else {
            continue;
        };
        if parts.iter().any(|(_, weight)| *weight > 0) {
            continue;
        }
        let at = parts.first().map_or(&route.at, |(first, _)| &first.at);
        let message = "no backend of this `split` has a weight above 0";
        let help = "write the share of each: `split = { stable = 95, canary = 5 }`";
        report.add(Diagnostic::at(at, message, help));
    }
}
