//! `[defaults.frontend]` and `[defaults.backend]`: values for each frontend and backend that does not
//! write its own.
//!
//! Tables are joined key by key; any other value is replaced as a whole. The defaults are also
//! compiled by themselves, so that a mistake in them is reported even if no frontend or backend
//! uses the value. Then each frontend and backend is compiled as if it had written them.
//!
//! All files of a configuration are one table, so it does not matter in which file the defaults are.

use std::borrow::Cow;

use crate::config::keys::{BACKEND, DEFAULTS, FRONTEND, FRONTEND_TIMEOUT, Part};
use crate::config::raw::{Entry, Kind, Table};
use crate::config::report::Report;
use crate::config::section::{KeyList, Section};
use crate::config::source::Span;
use crate::plan::Mode;

/// Reports what is wrong in the defaults of one kind: its section, and its entry in `[defaults]`.
type Check = fn(&Section<'_>, &Entry, &mut Report<'_>);

/// The values of `[defaults]` for frontends and backends.
#[derive(Default)]
pub(super) struct Defaults {
    frontend: Table,
    /// The part of the frontend's defaults that TCP mode has.
    tcp_frontend: Table,
    backend: Table,
}

impl Defaults {
    /// The defaults in `top`, each checked as a frontend or a backend.
    pub(super) fn of(
        top: &Section<'_>,
        check_frontend: Check,
        check_backend: Check,
        report: &mut Report<'_>,
    ) -> Self {
        let Some(section) = top.section("defaults", &DEFAULTS, report) else {
            return Self::default();
        };
        let frontend = of_kind(
            "frontend",
            &FRONTEND.part(Part::Defaults),
            check_frontend,
            &section,
            report,
        );
        let backend = of_kind(
            "backend",
            &BACKEND.part(Part::Defaults),
            check_backend,
            &section,
            report,
        );
        let mut spans = Vec::new();
        collect_spans(&frontend, &mut spans);
        collect_spans(&backend, &mut spans);
        report.defaults_are_at(spans);
        Self {
            tcp_frontend: of_tcp_mode(&frontend),
            frontend,
            backend,
        }
    }

    /// The frontend `entry`, completed by the defaults.
    pub(super) fn frontend<'a>(&self, entry: &'a Entry) -> Cow<'a, Entry> {
        let is_written = |table: &Table| table.get("mode").is_some();
        let mode = match &entry.value.kind {
            Kind::Table(table) if is_written(table) => mode_of(table),
            _ => mode_of(&self.frontend),
        };
        match mode {
            Mode::Http => with(&self.frontend, entry),
            Mode::Tcp => with(&self.tcp_frontend, entry),
        }
    }

    /// The backend `entry`, completed by the defaults.
    pub(super) fn backend<'a>(&self, entry: &'a Entry) -> Cow<'a, Entry> {
        with(&self.backend, entry)
    }
}

/// The mode in `table`: the known keys depend on it.
pub(super) fn mode_of(table: &Table) -> Mode {
    match table.get("mode").map(|mode| &mode.kind) {
        Some(Kind::String(text)) if text.value == "tcp" => Mode::Tcp,
        _ => Mode::Http,
    }
}

/// The defaults of one kind, checked by `check`, without unknown keys.
fn of_kind(
    kind: &'static str,
    keys: &dyn KeyList,
    check: Check,
    defaults: &Section<'_>,
    report: &mut Report<'_>,
) -> Table {
    let Some(section) = defaults.section(kind, keys, report) else {
        return Table::default();
    };
    let Some(entry) = defaults.entry(kind) else {
        return Table::default();
    };
    check(&section, entry, report);
    let Kind::Table(table) = &entry.value.kind else {
        return Table::default();
    };
    only(keys, table)
}

/// The keys of `table` that TCP mode has.
fn of_tcp_mode(table: &Table) -> Table {
    let mut table = only(&FRONTEND.part(Part::Tcp), table);
    for entry in &mut table.entries {
        if let ("timeout", Kind::Table(timeout)) = (entry.key.as_str(), &mut entry.value.kind) {
            *timeout = only(&FRONTEND_TIMEOUT.part(Part::Tcp), timeout);
        }
    }
    table
}

fn only(keys: &dyn KeyList, table: &Table) -> Table {
    let names = keys.names();
    let is_known = |entry: &&Entry| names.contains(&entry.key.as_str());
    Table::of(table.entries.iter().filter(is_known).cloned().collect())
}

/// `entry`, completed by `defaults`.
fn with<'a>(defaults: &Table, entry: &'a Entry) -> Cow<'a, Entry> {
    if defaults.entries.is_empty() {
        return Cow::Borrowed(entry);
    }
    let mut entry = entry.clone();
    if let Kind::Table(table) = &mut entry.value.kind {
        fill(table, defaults);
    }
    Cow::Owned(entry)
}

fn fill(table: &mut Table, defaults: &Table) {
    for default in &defaults.entries {
        let Some((own, default)) = table.add(default.clone()) else {
            continue;
        };
        if let (Kind::Table(own), Kind::Table(default)) = (&mut own.value.kind, &default.value.kind)
        {
            fill(own, default);
        }
    }
}

/// The ranges of the keys and values of `table`.
fn collect_spans(table: &Table, spans: &mut Vec<Span>) {
    for entry in &table.entries {
        spans.extend([entry.key_span, entry.value.span]);
        if let Kind::Table(table) = &entry.value.kind {
            collect_spans(table, spans);
        }
    }
}
