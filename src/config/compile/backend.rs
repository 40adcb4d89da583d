//! `[backend.NAME]`.

use crate::base::{Address, ByteSize, Name};
use crate::config::compile::cross::Written;
use crate::config::compile::defaults::Defaults;
use crate::config::compile::frontend::{LEAST_HEAD, MOST_FIELDS, MOST_HEAD, header_case};
use crate::config::compile::{
    Reading, health, name_of_key, named_section, rule, server, server_tls,
};
use crate::config::haproxy_hints::ABSENT_METHODS;
use crate::config::keys;
use crate::config::raw::{Entry, Kind};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::expr::Known;
use crate::plan::{
    Attempts, Backend, BackendHttp2, BackendLimits, BackendTimeouts, Balance, HeaderCase, Health,
    Pool, Probe, Protocol, ProxyVersion, Queue, SendProxy, Server, ServerTls, Sni, Trust,
};

const MOST_ATTEMPTS: i64 = 10;
/// What one backend may hold waiting: each of them is a client's exchange with its buffers.
const MOST_WAITING: i64 = 1_000_000;
/// More streams on one connection than servers allow.
const MOST_STREAMS: i64 = 1000;
/// A stream's window: what HTTP/2 begins with, and what one slow client may cost.
const LEAST_WINDOW: ByteSize = ByteSize(64 << 10);
const MOST_WINDOW: ByteSize = ByteSize(16 << 20);
/// More idle connections to one server than a worker has descriptors for.
const MOST_IDLE: i64 = 1_000_000;

pub(super) fn backends(
    top: &Section<'_>,
    defaults: &Defaults,
    written: &mut Written,
    reading: Reading,
    report: &mut Report<'_>,
) -> Vec<Backend> {
    let Some(table) = top
        .setting("backend")
        .and_then(|_| top.named("backend", report))
    else {
        return Vec::new();
    };
    table
        .entries
        .iter()
        .filter_map(|entry| {
            written.defines(&entry.key, entry.key_span);
            backend(entry, defaults, written, reading, report)
        })
        .collect()
}

fn backend(
    entry: &Entry,
    defaults: &Defaults,
    written: &mut Written,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Backend> {
    let name = name_of_key(&entry.key, "backend", entry.key_span, report);
    let whole = defaults.backend(entry);
    let section = named_section(&keys::BACKEND, "backend", &whole, report)?;
    of_section(&section, name, entry, written, reading, report)
}

/// Checks `[defaults.backend]`, whose entry in `[defaults]` is `entry`.
pub(super) fn check_defaults(section: &Section<'_>, entry: &Entry, report: &mut Report<'_>) {
    let mut written = Written::default();
    of_section(section, None, entry, &mut written, Reading::Partial, report);
}

/// The backend that `section` describes; `entry` is it as written, without defaults.
fn of_section(
    section: &Section<'_>,
    name: Option<Name>,
    entry: &Entry,
    written: &mut Written,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Backend> {
    let servers = server::servers(section, entry.key_span, reading, report);
    let health = health::health(section, report);
    let tls = server_tls::server_tls(section, &servers, report);
    refuse_nameless_checks(section, tls.as_ref(), health.as_ref(), report);
    refuse_port_of_unix(section, &servers, report);
    let own = rule::OwnFields::default();
    let rules = rule::rules(section, Known::Backend, &own, report);
    if let Some(setting) = section.setting("rule") {
        for name in rules.iter().flat_map(rule::written_fields) {
            written.rule_writes(&entry.key, name.clone(), setting.span());
        }
    }
    let (protocol, header_case) = (protocol(section, report), header_case(section, report));
    // Checks by HTTP speak what requests speak.
    let is_for_checks = matches!(&health, Some(health) if health.probe != Probe::Tcp);
    let of_requests = [
        (
            "protocol",
            protocol != Protocol::default() && !is_for_checks,
        ),
        ("header_case", header_case != HeaderCase::default()),
    ];
    for (key, _) in of_requests.iter().filter(|(_, is_set)| *is_set) {
        // A default is for the other backends.
        let own = |key| match &entry.value.kind {
            Kind::Table(table) => table.get(key),
            _ => None,
        };
        if let Some(value) = own(key) {
            written.is_of_requests(&entry.key, key, value.span);
        }
    }
    Some(Backend {
        balance: balance(section, report),
        tls,
        servers,
        protocol,
        send_proxy: send_proxy(section, report),
        timeout: timeouts(section, report),
        health,
        rules,
        attempts: section
            .number("attempts", 1, MOST_ATTEMPTS, report)
            .map_or(Attempts::default(), |attempts| Attempts(attempts as u32)),
        queue: queue(section, report),
        pool: pool(section, report),
        limits: limits(section, report),
        http2: http2(section, report),
        header_case,
        // Last: without a name, mistakes in the keys are found all the same.
        name: name?,
    })
}

/// Reports another port for the checks of servers that have no ports.
fn refuse_port_of_unix(section: &Section<'_>, servers: &[Server], report: &mut Report<'_>) {
    let port = section
        .setting("health")
        .and_then(|health| match &health.value.kind {
            Kind::Table(table) => table.get("port"),
            _ => None,
        });
    let is_unix = |server: &&Server| matches!(server.address, Address::Unix(_));
    if let Some(port) = port
        && let Some(server) = servers.iter().find(is_unix)
    {
        report.error(
            port.span,
            format!("`{}` is a Unix socket, which has no ports", server.address),
            "leave `port` out, or put these servers into a backend of their own",
        );
    }
}

/// A check has no client whose host it could ask by; without a name, every server would be down.
fn refuse_nameless_checks(
    section: &Section<'_>,
    tls: Option<&ServerTls>,
    health: Option<&Health>,
    report: &mut Report<'_>,
) {
    let asks_by_host = tls.is_some_and(|tls| {
        let checks_name = matches!(tls.trust, Trust::System | Trust::Authorities(_));
        tls.sni == Sni::Host && tls.verify_name.is_none() && checks_name
    });
    let Some(Probe::Http(check)) = health.map(|health| &health.probe) else {
        return;
    };
    if asks_by_host
        && check.host.is_none()
        && let Some(setting) = section.setting("health")
    {
        report.error(
            setting.span(),
            "checks over TLS need a host name: by default `sni` is the request's host, and a check has none",
            "write `host = \"app.example.com\"` in `health`, or `sni = \"app.example.com\"` in `tls`",
        );
    }
}

fn balance(section: &Section<'_>, report: &mut Report<'_>) -> Balance {
    let choices = [
        ("round-robin", Balance::RoundRobin),
        ("least-connections", Balance::LeastConnections),
    ];
    let hints = [
        ("rr", "round-robin"),
        ("static-rr", "round-robin"),
        ("leastconn", "least-connections"),
        ("least_conn", "least-connections"),
        ("least-conn", "least-connections"),
        ("least-request", "least-connections"),
    ];
    let absent = section.setting("balance").filter(|setting| {
        let is_absent = |method: &&&str| setting.is_word(method);
        ABSENT_METHODS.iter().find(is_absent).is_some()
            || matches!(setting.value.kind, Kind::Table(_))
    });
    if let Some(setting) = absent {
        report.error(
            setting.span(),
            "this method of balancing does not exist yet",
            "write `balance = \"round-robin\"` or `balance = \"least-connections\"`",
        );
        return Balance::default();
    }
    section
        .choice("balance", &choices, &hints, report)
        .unwrap_or_default()
}

const PROXY_VERSIONS: [(&str, ProxyVersion); 2] =
    [("v1", ProxyVersion::V1), ("v2", ProxyVersion::V2)];

const PROXY_HABITS: [(&str, &str); 4] = [("on", "v2"), ("true", "v2"), ("1", "v1"), ("2", "v2")];

/// `"v1"`, `"v2"`, `"off"`, or a table.
fn send_proxy(backend: &Section<'_>, report: &mut Report<'_>) -> Option<SendProxy> {
    let setting = backend.setting("send_proxy")?;
    if setting.is_word("off") {
        return None;
    }
    if let Kind::Boolean(false) = setting.value.kind {
        setting.wrong_with(
            "\"v1\", \"v2\", \"off\" or a table",
            "write `send_proxy = \"off\"`",
            report,
        );
        return None;
    }
    if !matches!(setting.value.kind, Kind::Table(_)) {
        let version = setting.choice(&PROXY_VERSIONS, &PROXY_HABITS, report)?;
        return Some(SendProxy {
            version,
            authority: false,
            unique_id: false,
            tls: false,
        });
    }
    let section = backend.section("send_proxy", &keys::SEND_PROXY, report)?;
    let version = section.choice("version", &PROXY_VERSIONS, &PROXY_HABITS, report);
    let send_proxy = SendProxy {
        version: version.unwrap_or(ProxyVersion::V2),
        authority: section.boolean("authority", report).unwrap_or(false),
        unique_id: section.boolean("unique_id", report).unwrap_or(false),
        tls: section.boolean("tls", report).unwrap_or(false),
    };
    for (key, is_set) in [
        ("authority", send_proxy.authority),
        ("unique_id", send_proxy.unique_id),
        ("tls", send_proxy.tls),
    ] {
        if is_set
            && send_proxy.version == ProxyVersion::V1
            && let Some(setting) = section.setting(key)
        {
            report.error(
                setting.span(),
                format!("version 1 of the PROXY protocol cannot carry `{key}`"),
                format!("write `version = \"v2\"`, or leave `{key}` out"),
            );
        }
    }
    Some(send_proxy)
}

fn protocol(section: &Section<'_>, report: &mut Report<'_>) -> Protocol {
    let choices = [
        ("auto", Protocol::Auto),
        ("h1", Protocol::Http1),
        ("h2", Protocol::Http2),
    ];
    let hints = [
        ("http/1.1", "h1"),
        ("http1", "h1"),
        ("http/2", "h2"),
        ("http2", "h2"),
        ("h2c", "h2"),
        ("grpc", "h2"),
    ];
    section
        .choice("protocol", &choices, &hints, report)
        .unwrap_or_default()
}

fn timeouts(backend: &Section<'_>, report: &mut Report<'_>) -> BackendTimeouts {
    let default = BackendTimeouts::default();
    let Some(section) = backend.section("timeout", &keys::BACKEND_TIMEOUT, report) else {
        return default;
    };
    BackendTimeouts {
        connect: section
            .duration("connect", report)
            .unwrap_or(default.connect),
        response: section
            .duration("response", report)
            .unwrap_or(default.response),
        body: section.duration("body", report).unwrap_or(default.body),
        queue: section.duration("queue", report).unwrap_or(default.queue),
    }
}

fn queue(backend: &Section<'_>, report: &mut Report<'_>) -> Queue {
    let default = Queue::default();
    let Some(section) = backend.section("queue", &keys::QUEUE, report) else {
        return default;
    };
    Queue {
        max: section
            .number("max", 0, MOST_WAITING, report)
            .map_or(default.max, |max| max as usize),
    }
}

fn pool(backend: &Section<'_>, report: &mut Report<'_>) -> Pool {
    let default = Pool::default();
    let Some(section) = backend.section("pool", &keys::POOL, report) else {
        return default;
    };
    Pool {
        max_idle: section
            .number("max_idle", 0, MOST_IDLE, report)
            .map_or(default.max_idle, |max| max as usize),
        idle_timeout: section
            .duration("idle_timeout", report)
            .unwrap_or(default.idle_timeout),
        max_age: section
            .duration_or_off("max_age", report)
            .unwrap_or(default.max_age),
        max_requests: section
            .count_or("max_requests", "off", i64::MAX, report)
            .map_or(default.max_requests, |max| max.map(i64::unsigned_abs)),
    }
}

fn limits(backend: &Section<'_>, report: &mut Report<'_>) -> BackendLimits {
    let default = BackendLimits::default();
    let Some(section) = backend.section("limits", &keys::BACKEND_LIMITS, report) else {
        return default;
    };
    BackendLimits {
        head: section
            .size("head", LEAST_HEAD, MOST_HEAD, report)
            .unwrap_or(default.head),
        fields: section
            .number("fields", 1, MOST_FIELDS, report)
            .map_or(default.fields, |fields| fields as usize),
    }
}

fn http2(backend: &Section<'_>, report: &mut Report<'_>) -> BackendHttp2 {
    let default = BackendHttp2::default();
    let Some(section) = backend.section("http2", &keys::BACKEND_HTTP2, report) else {
        return default;
    };
    BackendHttp2 {
        max_streams: section
            .number("max_streams", 1, MOST_STREAMS, report)
            .map_or(default.max_streams, |max| max as u32),
        stream_window: section
            .size("stream_window", LEAST_WINDOW, MOST_WINDOW, report)
            .unwrap_or(default.stream_window),
        ping_interval: section
            .duration_or_off("ping_interval", report)
            .unwrap_or(default.ping_interval),
        ping_timeout: section
            .duration("ping_timeout", report)
            .unwrap_or(default.ping_timeout),
    }
}
