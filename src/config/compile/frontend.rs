//! `[frontend.NAME]`.

use crate::base::Name;
use crate::config::check::Reading;
use crate::config::compile::bind::{self, Item};
use crate::config::compile::defaults::{Defaults, mode_of};
use crate::config::compile::name::{backend_name, name_of_key};
use crate::config::compile::tls::Protocols;
use crate::config::compile::{connection_rule, error_page, named_section, route, rule, tcp_route};
use crate::config::keys::{self, FRONTEND, Part};
use crate::config::raw::{Entry, Kind, Table};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::suggest;
use crate::plan::expr::Known;
use crate::plan::{Frontend, Mode, ProxyProtocol};

const NO_FRONTEND: &str = "there is no frontend, so Evenkeel would listen on no address";

pub(super) fn frontends(
    top: &Section<'_>,
    defaults: &Defaults,
    reading: Reading,
    report: &mut Report<'_>,
) -> Vec<Frontend> {
    let Some(setting) = top.setting("frontend") else {
        if reading == Reading::Whole {
            report.error(
                top.span.part(0, 0),
                NO_FRONTEND,
                "write a `[frontend.NAME]` with `listen = \"…\"` and `backend = \"…\"`",
            );
        }
        return Vec::new();
    };
    let Some(table) = top.named("frontend", report) else {
        return Vec::new();
    };
    if table.entries.is_empty() && reading == Reading::Whole {
        report.error(
            setting.span(),
            NO_FRONTEND,
            "write a `[frontend.NAME]` with `listen = \"…\"` and `backend = \"…\"`",
        );
    }
    table
        .entries
        .iter()
        .filter_map(|entry| frontend(entry, table, defaults, reading, report))
        .collect()
}

fn frontend(
    entry: &Entry,
    frontends: &Table,
    defaults: &Defaults,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Frontend> {
    let name = name_of_key(&entry.key, "frontend", entry.key_span, report);
    let whole = defaults.frontend(entry);
    let mode = match &whole.value.kind {
        Kind::Table(table) => mode_of(table),
        _ => Mode::Http,
    };
    let keys = FRONTEND.part(Part::of(mode));
    let section = named_section(&keys, "frontend", &whole, report)?;
    let declaration = Declaration { entry, frontends };
    of_section(&section, name, mode, declaration, reading, report)
}

/// Checks `[defaults.frontend]`, whose entry in `[defaults]` is `entry`.
pub(super) fn check_defaults(section: &Section<'_>, entry: &Entry, report: &mut Report<'_>) {
    let declaration = Declaration {
        entry,
        frontends: &Table::default(),
    };
    // Of both modes: HTTP mode has all the keys of TCP mode.
    let (mode, reading) = (Mode::Http, Reading::Partial);
    of_section(section, None, mode, declaration, reading, report);
}

/// A frontend as written in the file.
#[derive(Clone, Copy)]
struct Declaration<'a> {
    /// As it is written, without defaults.
    entry: &'a Entry,
    /// The table of all frontends.
    frontends: &'a Table,
}

/// Compiles the frontend of `section`.
fn of_section(
    section: &Section<'_>,
    name: Option<Name>,
    mode: Mode,
    declaration: Declaration<'_>,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Frontend> {
    let entry = declaration.entry;
    let mut frontend = Frontend::new(
        name.clone().unwrap_or_else(keys::nameless),
        report.position(entry.key_span),
    );
    let keys = FRONTEND.part(Part::of(mode));
    keys.read(section, &mut frontend, report);
    let header = bind::proxy_protocol(section, report).unwrap_or_default();
    let items = listen(section, mode, declaration, &header, reading, report);
    frontend.backend = section
        .setting("backend")
        .and_then(|backend| backend_name(backend, report));
    frontend.connection_rules = connection_rule::rules(section, report);
    frontend.content_rules = connection_rule::content_rules(section, mode, report);
    frontend.rules = rule::rules(section, Known::Request, report);
    frontend.error_pages = error_page::error_pages(section, report);
    match mode {
        Mode::Http => {
            frontend.routes = route::routes(section, &entry.key, report);
            let key = "passthrough";
            frontend.tcp_routes =
                tcp_route::tcp_routes(section, key, &entry.key, Known::Connection, report);
        }
        Mode::Tcp => {
            let known = connection_rule::known_of_content(section, mode);
            frontend.tcp_routes =
                tcp_route::tcp_routes(section, "route", &entry.key, known, report);
        }
    }
    let protocols = match mode {
        Mode::Http => Protocols::Http(&frontend.http2),
        Mode::Tcp => Protocols::OfServers,
    };
    let bind::Compiled { binds, tls } = bind::with_tls(section, items, protocols, report);
    (frontend.binds, frontend.tls) = (binds, tls);
    // Without a name the keys are checked all the same.
    name.map(|_| frontend)
}

fn listen<'a>(
    section: &Section<'a>,
    mode: Mode,
    Declaration { entry, frontends }: Declaration<'_>,
    header: &ProxyProtocol,
    reading: Reading,
    report: &mut Report<'_>,
) -> Vec<Item<'a>> {
    let Some(setting) = section.setting("listen") else {
        if reading == Reading::Whole && section.lacks("listen") {
            report.error(
                entry.key_span,
                format!("`{}` has no `listen`", section.title),
                listen_help(entry, frontends),
            );
        }
        return Vec::new();
    };
    bind::items(section, setting, mode, header, report)
}

/// What to write in a frontend without `listen`. If it has only routes, they were meant for another
/// frontend, as in an included file.
fn listen_help(entry: &Entry, frontends: &Table) -> String {
    let has_routes_alone = match &entry.value.kind {
        Kind::Table(table) => table.entries.iter().all(|entry| entry.key == "route"),
        _ => false,
    };
    let others = frontends.entries.iter().map(|other| other.key.as_str());
    let near = suggest::nearest(&entry.key, others.filter(|other| *other != entry.key));
    match near.filter(|_| has_routes_alone) {
        Some(near) => format!("did you mean `[[frontend.{near}.route]]`?"),
        None => "write `listen = \"0.0.0.0:80\"`, or `\":80\"` for IPv4 and IPv6".to_owned(),
    }
}
