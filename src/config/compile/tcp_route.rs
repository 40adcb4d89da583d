//! Routes of TCP connections: `[[frontend.NAME.route]]` in TCP mode, and `passthrough` of a
//! frontend that terminates TLS for all other names.

use crate::config::compile::expression;
use crate::config::compile::name::{backend_name, route_name};
use crate::config::compile::pattern::{Refusal, host_pattern, patterns, unless_any};
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::TcpRoute;
use crate::plan::expr::Known;

/// The most bytes of an ALPN protocol name (RFC 7301 §3.1).
const LONGEST_PROTOCOL_BYTES: usize = 255;

/// Compiles the routes under `key` of one frontend, in file order. `known` is known of a connection.
pub(super) fn tcp_routes(
    frontend: &Section<'_>,
    key: &'static str,
    frontend_name: &str,
    known: Known,
    report: &mut Report<'_>,
) -> Vec<TcpRoute> {
    let Some(setting) = frontend.setting(key) else {
        return Vec::new();
    };
    let mut tcp_routes = Vec::new();
    for (index, item) in setting.list().into_iter().enumerate() {
        let title = format!("[[frontend.{frontend_name}.{key}]]");
        let Some(section) = Section::open(&keys::TCP_ROUTE, title, item, report) else {
            continue;
        };
        tcp_routes.extend(tcp_route(&section, index + 1, known, report));
    }
    tcp_routes
}

fn tcp_route(
    section: &Section<'_>,
    number: usize,
    known: Known,
    report: &mut Report<'_>,
) -> Option<TcpRoute> {
    let name = route_name(section, number, report);
    let sni = patterns(section, "sni", host_pattern, report);
    let alpn = patterns(section, "alpn", protocol, report);
    let when = section
        .setting("when")
        .and_then(|setting| expression::condition(setting, known, report));
    let backend = match section.setting("backend") {
        Some(setting) => backend_name(setting, report),
        None if !section.lacks("backend") => None,
        None => {
            report.error(
                section.span,
                "this route has no `backend`",
                "write the backend for the connections that it matches: `backend = \"…\"`",
            );
            None
        }
    };
    let (name, named_at) = name?;
    Some(TcpRoute {
        name,
        named_at,
        sni: unless_any(sni),
        alpn,
        when,
        backend: backend?,
        at: report.position(section.span),
    })
}

fn protocol(text: &str) -> Result<String, Refusal> {
    if text.is_empty() || text.len() > LONGEST_PROTOCOL_BYTES {
        return Err((
            "is not a protocol name of ALPN".to_owned(),
            "write a name such as \"h2\", \"http/1.1\" or \"postgresql\"".to_owned(),
        ));
    }
    Ok(text.to_owned())
}
