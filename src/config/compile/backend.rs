//! `[backend.NAME]`.

use crate::base::Name;
use crate::config::check::Reading;
use crate::config::compile::defaults::Defaults;
use crate::config::compile::name::name_of_key;
use crate::config::compile::{error_page, health, named_section, retry, rule, server, server_tls};
use crate::config::keys::{self, BACKEND};
use crate::config::raw::{Entry, Kind, Value};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::expr::Known;
use crate::plan::{Backend, HeaderCase, Probe, Protocol, RetryOn};

pub(super) fn backends(
    top: &Section<'_>,
    defaults: &Defaults,
    reading: Reading,
    report: &mut Report<'_>,
) -> Vec<Backend> {
    let Some(table) = top
        .setting("backend")
        .and_then(|_| top.named("backend", report))
    else {
        return Vec::new();
    };
    let entries = table.entries.iter();
    // A plan of a backend is large: growing step by step would copy tens of megabytes.
    let mut backends = Vec::with_capacity(entries.len());
    backends.extend(entries.filter_map(|entry| backend(entry, defaults, reading, report)));
    backends
}

fn backend(
    entry: &Entry,
    defaults: &Defaults,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Backend> {
    let name = name_of_key(&entry.key, "backend", entry.key_span, report);
    let whole = defaults.backend(entry);
    let section = named_section(&BACKEND, "backend", &whole, report)?;
    of_section(&section, name, entry, reading, report)
}

/// Checks `[defaults.backend]`, whose entry in `[defaults]` is `entry`.
pub(super) fn check_defaults(section: &Section<'_>, entry: &Entry, report: &mut Report<'_>) {
    of_section(section, None, entry, Reading::Partial, report);
}

/// Compiles the backend of `section`; `entry` is it as written, without defaults.
fn of_section(
    section: &Section<'_>,
    name: Option<Name>,
    entry: &Entry,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Backend> {
    let mut backend = Backend::new(
        name.clone().unwrap_or_else(keys::nameless),
        report.position(entry.key_span),
    );
    BACKEND.whole().read(section, &mut backend, report);
    backend.retry = retry::retry(section, entry, report);
    let tls = server_tls::server_tls(section, None, report);
    backend.tls = tls.on().cloned();
    backend.health = health::health(section, backend.tls.as_ref(), report);
    backend.servers = server::servers(section, &backend, entry.key_span, reading, report);
    let rules = rule::rules(section, Known::Backend, report);
    backend.rules = rules;
    backend.error_pages = error_page::error_pages(section, report);
    // HTTP checks use the protocol of requests.
    let health = backend.health.as_ref();
    let is_for_checks = health.is_some_and(|health| health.probe != Probe::Tcp);
    let has_statuses = backend
        .retry
        .on
        .iter()
        .any(|on| matches!(on, RetryOn::Status(_)));
    let of_requests = [
        (
            "protocol",
            backend.protocol != Protocol::default() && !is_for_checks,
            "leave it out: in TCP mode client and server choose the protocol themselves",
        ),
        (
            "header_case",
            backend.header_case != HeaderCase::default(),
            "leave it out: in TCP mode client and server choose the protocol themselves",
        ),
        (
            "rule",
            !backend.rules.is_empty(),
            "leave it out: in TCP mode there are no requests, only bytes",
        ),
        (
            "error_page",
            !backend.error_pages.is_empty(),
            "leave it out: in TCP mode there are no answers, only bytes",
        ),
        (
            "retry.on",
            has_statuses,
            "leave the statuses out: in TCP mode there are no answers, only bytes",
        ),
    ];
    for (key, is_set, help) in of_requests {
        // A key of `[defaults]` may be meant for other backends.
        if is_set && let Some(value) = written(&entry.value, key) {
            report.is_of_requests(&backend.name, key, value.span, help);
        }
    }
    // Without a name the keys are checked all the same.
    name.map(|_| backend)
}

/// The value of `key` in the table `value`; `retry.on` is `on` in the table `retry`.
fn written<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.')
        .try_fold(value, |value, key| match &value.kind {
            Kind::Table(table) => table.get(key),
            _ => None,
        })
}
