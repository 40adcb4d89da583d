//! `[frontend.NAME]`.

use std::net::IpAddr;

use http::HeaderName;
use ipnet::IpNet;

use crate::base::{ByteSize, Name};
use crate::config::compile::bind::{self, Bind};
use crate::config::compile::cross::Written;
use crate::config::compile::defaults::Defaults;
use crate::config::compile::http2::http2;
use crate::config::compile::{
    Reading, address, name_of, name_of_key, named_section, route, rule, tcp_route, tls,
};
use crate::config::diagnostic::Diagnostic;
use crate::config::keys;
use crate::config::raw::{Entry, Kind, Table, Text};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::suggest;
use crate::plan::expr::Known;
use crate::plan::{
    ClientAuth, ClientCertificate, ClientField, Forwarding, Frontend, FrontendLimits,
    FrontendTimeouts, HeaderCase, Mode, OddNames, Peers, ProxyProtocol, RequestIds, Route, Tls,
    UnixPeers,
};
use crate::wire::field_names::FieldNames;

/// hyper's smallest read buffer.
pub(super) const LEAST_HEAD: ByteSize = ByteSize(8 << 10);
/// More than any head has a right to, and what one client can make us hold.
pub(super) const MOST_HEAD: ByteSize = ByteSize(16 << 20);
/// Reading more to throw it away costs more than the answer is worth.
pub(super) const MOST_LINGER: ByteSize = ByteSize(1 << 40);
/// `http::HeaderMap` holds 24,576 fields, and hyper makes room for the limit at once.
pub(super) const MOST_FIELDS: i64 = 20_000;
/// `http::Uri` holds two bytes less than 64 KiB.
const MOST_TARGET: ByteSize = ByteSize(65_534);

const MODES: [(&str, Mode); 2] = [("http", Mode::Http), ("tcp", Mode::Tcp)];

const NO_FRONTEND: &str = "there is no frontend, so Evenkeel would listen on no address";

const CLIENT_FIELDS: [(&str, ClientField); 2] = [
    ("x-forwarded-for", ClientField::XForwardedFor),
    ("forwarded", ClientField::Forwarded),
];

const ODD_NAMES: [(&str, OddNames); 3] = [
    ("pass", OddNames::Pass),
    ("drop", OddNames::Drop),
    ("reject", OddNames::Reject),
];

pub(super) fn frontends(
    top: &Section<'_>,
    defaults: &Defaults,
    written: &mut Written,
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
        .filter_map(|entry| frontend(entry, table, defaults, written, reading, report))
        .collect()
}

fn frontend(
    entry: &Entry,
    frontends: &Table,
    defaults: &Defaults,
    written: &mut Written,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Frontend> {
    let name = name_of_key(&entry.key, "frontend", entry.key_span, report);
    let whole = defaults.frontend(entry);
    let mode = match &whole.value.kind {
        Kind::Table(table) => mode_of(table),
        _ => Mode::Http,
    };
    let keys = match mode {
        Mode::Http => &keys::FRONTEND,
        Mode::Tcp => &keys::TCP_FRONTEND,
    };
    let section = named_section(keys, "frontend", &whole, report)?;
    let place = Place { entry, frontends };
    of_section(&section, name, mode, place, written, reading, report)
}

/// Checks `[defaults.frontend]`, whose entry in `[defaults]` is `entry`.
pub(super) fn check_defaults(section: &Section<'_>, entry: &Entry, report: &mut Report<'_>) {
    let mut written = Written::default();
    let place = Place {
        entry,
        frontends: &Table::default(),
    };
    // Of both modes: this one has all the keys of the other.
    let (mode, reading) = (Mode::Http, Reading::Partial);
    of_section(section, None, mode, place, &mut written, reading, report);
}

/// Where a frontend is written.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// As it is written, without defaults.
    entry: &'a Entry,
    /// With all the others.
    frontends: &'a Table,
}

/// The frontend that `section` describes.
fn of_section(
    section: &Section<'_>,
    name: Option<Name>,
    mode: Mode,
    place: Place<'_>,
    written: &mut Written,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<Frontend> {
    let entry = place.entry;
    check_mode(section, report);
    let binds = listen(section, mode, place, written, reading, report);
    let backend = section
        .setting("backend")
        .and_then(|backend| backend_name(backend, mode, written, report));
    let (forwarding, request_id) = (forwarding(section, report), request_id(section, report));
    let own = match mode {
        Mode::Http => rule::OwnFields::of(&forwarding, &request_id),
        Mode::Tcp => rule::OwnFields::default(),
    };
    written.writes_itself(&own);
    let rules = rule::rules(section, Known::Request, &own, report);
    let (routes, tcp_routes) = match mode {
        Mode::Http => {
            let routes = route::routes(section, &entry.key, &own, written, report);
            let tcp_routes = tcp_route::passthrough(section, &entry.key, written, report);
            (routes, tcp_routes)
        }
        Mode::Tcp => {
            let tcp_routes = tcp_route::tcp_routes(section, "route", &entry.key, written, report);
            (Vec::new(), tcp_routes)
        }
    };
    let needs_backend = mode == Mode::Tcp || !rule::answers_all(&rules);
    if needs_backend
        && section.lacks("backend")
        && section.lacks("route")
        && reading == Reading::Whole
    {
        report.error(
            entry.key_span,
            match mode {
                Mode::Http => format!("`{}` has no backend for its requests", section.title),
                Mode::Tcp => format!("`{}` has no backend for its connections", section.title),
            },
            "write `backend = \"…\"`, or a `[[frontend.NAME.route]]`, or both",
        );
    }
    let http2 = http2(section, report);
    let (listen, tls) = bind::with_tls(section, binds, &http2, report);
    check_client_certificates(section, tls.as_ref(), &routes, report);
    Some(Frontend {
        listen,
        mode,
        tls,
        rules,
        routes,
        tcp_routes,
        backend,
        max_connections: section
            .count_or("max_connections", "off", i64::MAX, report)
            .flatten()
            .map(i64::unsigned_abs),
        timeout: timeouts(section, mode, report),
        limits: limits(section, report),
        http2,
        half_close: section.boolean("half_close", report).unwrap_or(false),
        proxy_protocol: proxy_protocol(section, report),
        trusted_proxies: peers(section.list("trusted_proxies").unwrap_or_default(), report),
        client_field: section
            .choice("client_field", &CLIENT_FIELDS, &[], report)
            .unwrap_or_default(),
        forwarding,
        request_id,
        field_names: section
            .choice("field_names", &ODD_NAMES, &[], report)
            .unwrap_or_default(),
        header_case: header_case(section, report),
        upgrades: upgrades(section, report),
        // Last: without a name, mistakes in the keys are found all the same.
        name: name?,
    })
}

/// The mode that a frontend says it has: which keys it knows depends on it.
pub(super) fn mode_of(table: &Table) -> Mode {
    match table.get("mode").map(|mode| &mode.kind) {
        Some(Kind::String(text)) if text.value == "tcp" => Mode::Tcp,
        _ => Mode::Http,
    }
}

/// Whether it is a word that there is; which one was looked at before.
fn check_mode(section: &Section<'_>, report: &mut Report<'_>) {
    let Some(setting) = section.setting("mode") else {
        return;
    };
    if let Some(word) = ["https", "ssl", "tls"]
        .iter()
        .find(|word| setting.is_word(word))
    {
        report.error(
            setting.span(),
            format!("`mode` cannot be {word:?}"),
            "write `tls = \"/path/to/fullchain.pem\"` and leave `mode` out; to pass TLS on as it is, \
             write `mode = \"tcp\"`",
        );
        return;
    }
    setting.choice(&MODES, &[], report);
}

/// A route that requires a certificate which no handshake asks for would never match.
fn check_client_certificates(
    section: &Section<'_>,
    tls: Option<&Tls>,
    routes: &[Route],
    report: &mut Report<'_>,
) {
    let is_asked = |tls: &Tls| {
        tls.all_rules()
            .any(|rules| rules.client_auth != ClientAuth::Off)
    };
    // Also when `tls` is written and has a mistake.
    let is_unknown = tls.is_none() && bind::has_tls(section);
    if is_unknown || tls.is_some_and(is_asked) {
        return;
    }
    let wants = |route: &&Route| route.client_certificate == ClientCertificate::Required;
    if let Some(route) = routes.iter().find(wants) {
        let items = section.list("route").unwrap_or_default();
        let is_it = |item: &&Setting<'_>| report.position(item.span()) == route.at;
        let key = items
            .iter()
            .find(is_it)
            .and_then(|item| match &item.value.kind {
                Kind::Table(table) => table.entry("client_certificate"),
                _ => None,
            });
        report.error(
            key.map_or(section.span, |key| key.key_span),
            format!(
                "route `{}` requires a client certificate, and `{}` does not ask clients for one",
                route.name, section.title
            ),
            "write `tls = { certificates = …, client_auth = { mode = \"optional\", ca = … } }`",
        );
    }
}

fn listen<'a>(
    section: &Section<'a>,
    mode: Mode,
    Place { entry, frontends }: Place<'_>,
    written: &mut Written,
    reading: Reading,
    report: &mut Report<'_>,
) -> Vec<Bind<'a>> {
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
    bind::binds(section, setting, mode, written, report)
}

/// What to write in a frontend without `listen`. Where it has nothing but routes, they were meant for
/// another one, as in a file that is included.
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

/// Reports a bad address; the content of a secret file is not shown.
pub(super) fn bad_address(
    setting: Setting<'_>,
    text: &Text,
    bad: address::BadAddress,
    report: &mut Report<'_>,
) {
    let is_port = text.value.bytes().all(|byte| byte.is_ascii_digit());
    let (message, help) = if text.is_as_written() {
        (format!("{:?} {}", text.value, bad.why), bad.help)
    } else if text.is_secret {
        (
            format!("{} is not an address", text.quoted()),
            "the file must contain an IP address and a port".to_owned(),
        )
    } else if is_port && text.one_reference().is_some() && setting.key == "listen" {
        let help = format!("write `\":{}\"` for all addresses", text.shown());
        (format!("{}, {}", text.quoted(), bad.why), help)
    } else {
        (
            format!("{}, {}", text.quoted(), bad.why),
            "with its variables replaced it must be an IP address and a port".to_owned(),
        )
    };
    report.add(Diagnostic::error(setting.span(), message).help(help));
}

/// The name of a backend, noted as used for what `mode` says.
pub(super) fn backend_name(
    setting: Setting<'_>,
    mode: Mode,
    written: &mut Written,
    report: &mut Report<'_>,
) -> Option<Name> {
    let text = setting.text(report)?;
    let name = name_of(text, "backend", setting.span(), report)?;
    written.uses(&name, &text.shown(), setting.span(), mode);
    Some(name)
}

fn timeouts(frontend: &Section<'_>, mode: Mode, report: &mut Report<'_>) -> FrontendTimeouts {
    let default = FrontendTimeouts::default();
    let keys = match mode {
        Mode::Http => &keys::FRONTEND_TIMEOUT,
        Mode::Tcp => &keys::TCP_TIMEOUT,
    };
    let Some(section) = frontend.section("timeout", keys, report) else {
        return default;
    };
    FrontendTimeouts {
        head: section.duration("head", report).unwrap_or(default.head),
        body: section.duration("body", report).unwrap_or(default.body),
        keep_alive: section
            .duration("keep_alive", report)
            .unwrap_or(default.keep_alive),
        linger: section.duration("linger", report).unwrap_or(default.linger),
        exchange: section
            .duration_or_off("exchange", report)
            .unwrap_or(default.exchange),
        handshake: section
            .duration("handshake", report)
            .unwrap_or(default.handshake),
        tunnel: section
            .duration_or_off("tunnel", report)
            .unwrap_or(default.tunnel),
    }
}

fn limits(frontend: &Section<'_>, report: &mut Report<'_>) -> FrontendLimits {
    let default = FrontendLimits::default();
    let Some(section) = frontend.section("limits", &keys::FRONTEND_LIMITS, report) else {
        return default;
    };
    FrontendLimits {
        head: section
            .size("head", LEAST_HEAD, MOST_HEAD, report)
            .unwrap_or(default.head),
        fields: section
            .number("fields", 1, MOST_FIELDS, report)
            .map_or(default.fields, |fields| fields as usize),
        target: section
            .size("target", ByteSize(1), MOST_TARGET, report)
            .unwrap_or(default.target),
        linger: section
            .size("linger", ByteSize(0), MOST_LINGER, report)
            .unwrap_or(default.linger),
    }
}

fn proxy_protocol(frontend: &Section<'_>, report: &mut Report<'_>) -> ProxyProtocol {
    let Some(setting) = frontend.setting("proxy_protocol") else {
        return ProxyProtocol::Off;
    };
    let words = [
        ("off", ProxyProtocol::Off),
        ("required", ProxyProtocol::Required),
    ];
    if let Some((_, meant)) = words.iter().find(|(word, _)| setting.is_word(word)) {
        return meant.clone();
    }
    if !matches!(setting.value.kind, Kind::Table(_)) {
        let help = match &setting.value.kind {
            Kind::Boolean(true) => {
                "write `proxy_protocol = \"required\"`: every peer must send a header"
            }
            Kind::Boolean(false) => "write `proxy_protocol = \"off\"`",
            _ => {
                "write \"required\" if every peer sends a header, `{ from = [\"10.0.0.0/8\"] }` if only \
                 these peers do"
            }
        };
        setting.wrong_with("\"off\", \"required\" or a table", help, report);
        return ProxyProtocol::Off;
    }
    let Some(section) = frontend.section("proxy_protocol", &keys::PROXY_PROTOCOL, report) else {
        return ProxyProtocol::Off;
    };
    let items = section.list("from").unwrap_or_default();
    if items.is_empty() && (section.setting("from").is_some() || section.lacks("from")) {
        report.error(
            section.span,
            format!(
                "`{}` names no peer that sends a PROXY header",
                section.title
            ),
            "write `from = [\"10.0.0.0/8\"]`, or `proxy_protocol = \"off\"`",
        );
    }
    ProxyProtocol::From(peers(items, report))
}

/// Addresses, networks, and `"unix"` for every peer on a Unix socket.
fn peers(items: Vec<Setting<'_>>, report: &mut Report<'_>) -> Peers {
    let mut networks = Vec::new();
    let mut unix = UnixPeers::Excluded;
    for item in items {
        if item.is_word("unix") {
            unix = UnixPeers::Included;
            continue;
        }
        let Some(text) = item.text(report) else {
            continue;
        };
        let written = text.value.as_str();
        let network = written
            .parse::<IpNet>()
            .or_else(|_| written.parse::<IpAddr>().map(IpNet::from));
        let Ok(network) = network else {
            report.error(
                item.span(),
                format!("{} is not an IP address or a network", text.quoted()),
                match written {
                    "*" | "all" | "any" => {
                        "write the networks of your own proxies: what any client may claim is not worth trusting"
                    }
                    _ => "write an address (`\"192.0.2.1\"`), a network (`\"10.0.0.0/8\"`), or `\"unix\"`",
                },
            );
            continue;
        };
        if network.trunc() != network {
            let help = match text.is_as_written() {
                true => format!(
                    "write `\"{}\"`, or one address without `/`",
                    network.trunc()
                ),
                false => "write the network's own address before the `/`".to_owned(),
            };
            report.error(
                item.span(),
                format!(
                    "{} has bits set after its first {}",
                    text.quoted(),
                    network.prefix_len()
                ),
                help,
            );
            continue;
        }
        networks.push(network);
    }
    Peers { networks, unix }
}

fn forwarding(frontend: &Section<'_>, report: &mut Report<'_>) -> Forwarding {
    let default = Forwarding::default();
    let Some(section) = frontend.section("forwarding", &keys::FORWARDING, report) else {
        return default;
    };
    Forwarding {
        x_forwarded: section
            .boolean("x_forwarded", report)
            .unwrap_or(default.x_forwarded),
        forwarded: section
            .boolean("forwarded", report)
            .unwrap_or(default.forwarded),
        via: section.boolean("via", report).unwrap_or(default.via),
        trusted_only: trusted_only(&section, report).unwrap_or(default.trusted_only),
        client_certificate: tls::client_fields(&section, report),
    }
}

/// Names of fields that only trusted proxies may send.
fn trusted_only(forwarding: &Section<'_>, report: &mut Report<'_>) -> Option<FieldNames> {
    let items = forwarding.list("trusted_only")?;
    let mut names: Vec<HeaderName> = Vec::new();
    for item in items {
        let Some(text) = item.text(report) else {
            continue;
        };
        match HeaderName::from_bytes(text.value.as_bytes()) {
            Ok(name) if is_of_the_protocol(&name) => report.error(
                item.span(),
                format!("HTTP itself uses the field {:?}", text.shown()),
                "leave it out: requests of all clients have it",
            ),
            Ok(name) if NEVER_BELIEVED.contains(&name.as_str()) => report.error(
                item.span(),
                format!(
                    "{:?} is always replaced for clients that are not trusted",
                    text.shown()
                ),
                "leave it out: `x_forwarded` and `forwarded` say what servers get instead",
            ),
            Ok(name) if names.contains(&name) => report.error(
                item.span(),
                format!("{:?} is in the list twice", text.shown()),
                "keep one of the two",
            ),
            Ok(name) => names.push(name),
            Err(_) => report.error(
                item.span(),
                format!("{:?} is not a valid field name", text.shown()),
                "write the name of a request field, such as \"x-real-ip\"",
            ),
        }
    }
    Some(names.into_iter().collect())
}

/// Fields that `forwarding` replaces or takes off by other keys.
const NEVER_BELIEVED: [&str; 4] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

fn request_id(section: &Section<'_>, report: &mut Report<'_>) -> RequestIds {
    let default = RequestIds::default();
    let Some(setting) = section.setting("request_id") else {
        return default;
    };
    if setting.is_word("off") {
        return RequestIds::Off;
    }
    if let Kind::Boolean(is_on) = setting.value.kind {
        let help = match is_on {
            true => "leave `request_id` out: requests get `x-request-id` by default",
            false => "write `request_id = \"off\"`",
        };
        setting.wrong_with("the name of a field, or \"off\"", help, report);
        return default;
    }
    let Some(text) = setting.text(report) else {
        return default;
    };
    match HeaderName::from_bytes(text.value.as_bytes()) {
        Ok(name) if !is_of_the_protocol(&name) => RequestIds::Field(name),
        Ok(_) => {
            report.error(
                setting.span(),
                format!("HTTP itself uses the field {:?}", text.shown()),
                "write a field for ids, such as \"x-request-id\", or \"off\"",
            );
            default
        }
        Err(_) => {
            report.error(
                setting.span(),
                format!("{:?} is not a valid field name", text.shown()),
                "write a field for ids, such as \"x-request-id\", or \"off\"",
            );
            default
        }
    }
}

fn upgrades(section: &Section<'_>, report: &mut Report<'_>) -> Vec<String> {
    let Some(items) = section.list("upgrades") else {
        return Frontend::default_upgrades();
    };
    let mut upgrades: Vec<String> = Vec::new();
    for item in items {
        let is_none = ["off", "none", "no"].iter().any(|word| item.is_word(word));
        if let (Kind::Boolean(false), _) | (_, true) = (&item.value.kind, is_none) {
            item.wrong_with(
                "a list of protocols",
                "write `upgrades = []` for none",
                report,
            );
            continue;
        }
        let Some(text) = item.text(report) else {
            continue;
        };
        let token = text.value.to_ascii_lowercase();
        let (name, version) = token.split_once('/').unwrap_or((&token, "1"));
        if !is_token(name) || !is_token(version) {
            report.error(
                item.span(),
                format!("{:?} is not the name of a protocol", text.shown()),
                "write what clients send in the `Upgrade` field, such as `\"websocket\"`",
            );
        } else if name == "h2c" || name == "tls" {
            report.error(
                item.span(),
                format!("clients could bypass all routes and limits by an upgrade to `{name}`"),
                "leave it out: Evenkeel does not look into a tunnel",
            );
        } else if upgrades.contains(&token) {
            report.error(
                item.span(),
                format!("{:?} is in the list twice", text.shown()),
                "keep one of the two",
            );
        } else {
            upgrades.push(token);
        }
    }
    upgrades
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    HeaderName::from_bytes(text.as_bytes()).is_ok()
}

/// Whether HTTP itself reads the field on the way, so that no value of ours may stand in it.
pub(super) fn is_of_the_protocol(name: &HeaderName) -> bool {
    const FIELDS: [&str; 14] = [
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "authorization",
        "cookie",
    ];
    FIELDS.contains(&name.as_str())
}

pub(super) fn header_case(section: &Section<'_>, report: &mut Report<'_>) -> HeaderCase {
    let cases = [
        ("lower", HeaderCase::Lower),
        ("title", HeaderCase::Title),
        ("preserve", HeaderCase::Preserve),
    ];
    section
        .choice("header_case", &cases, &[], report)
        .unwrap_or_default()
}
