//! A plan as text, with every default filled in: what `check --show` prints.
//!
//! What is shown loads back to an equal plan, except for secrets: they are not shown.

mod rule;

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use http::HeaderValue;

use crate::base::FileMode;
use crate::base::units::show_duration;
use crate::config::variables;
use crate::plan::{
    Backend, Balance, ClientAuth, ClientCertificate, ClientField, FileAt, Frontend, HeaderCase,
    Health, HostPattern, Identity, Initial, Listen, LogFormat, LogLevel, LogTarget, Mode, Need,
    OddNames, PathPattern, Peers, Plan, Predicate, Probe, Protocol, ProxyProtocol, ProxyVersion,
    RequestIds, Route, Security, Server, ServerTls, Sni, Target, TcpRoute, Tls, TlsRules, Trust,
    UnixPeers, UnknownNames, ValuePattern,
};

/// `plan` as text with every default filled in.
///
/// It loads back to an equal plan, except for what came from secret files: that is not shown.
pub fn show(plan: &Plan) -> String {
    let mut page = Page::default();
    process(plan, &mut page);
    for each in &plan.frontends {
        frontend(each, &mut page);
    }
    for each in &plan.backends {
        backend(each, &mut page);
    }
    page.text
}

/// The text so far.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// `[path]`, after an empty line.
    fn table(&mut self, path: &str) {
        self.header(&format!("[{path}]"));
    }

    /// `[[path]]`, after an empty line.
    fn element(&mut self, path: &str) {
        self.header(&format!("[[{path}]]"));
    }

    fn header(&mut self, header: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(header);
    }

    fn set(&mut self, key: &str, value: impl std::fmt::Display) {
        self.line(&format!("{key} = {value}"));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn process(plan: &Plan, page: &mut Page) {
    page.table("process");
    page.set("workers", or_word(plan.process.workers, "auto"));
    page.set(
        "max_connections",
        or_word(plan.process.max_connections, "auto"),
    );

    page.table("log");
    page.set(
        "level",
        string(match plan.log.level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        }),
    );
    page.set(
        "format",
        string(match plan.log.format {
            LogFormat::Human => "human",
            LogFormat::Json => "json",
        }),
    );

    page.table("log.access");
    page.set(
        "to",
        match &plan.log.access.to {
            LogTarget::Off => string("off"),
            LogTarget::Stdout => string("stdout"),
            LogTarget::Stderr => string("stderr"),
            LogTarget::File(path) => string(&path.to_string_lossy()),
        },
    );

    page.table("reload");
    page.set("watch", plan.reload.watch);

    page.table("shutdown");
    page.set("grace", duration(plan.shutdown.grace));
    page.set("timeout", duration(plan.shutdown.timeout));
    page.set("tunnels", duration(plan.shutdown.tunnels));

    page.table("admin");
    page.set(
        "listen",
        match &plan.admin {
            None => string("off"),
            Some(admin) => list(
                admin
                    .listen
                    .iter()
                    .map(|listen| string(&listen.addr.to_string())),
            ),
        },
    );
    if let Some(mode) = plan.admin.as_ref().and_then(|admin| mode_of(&admin.listen)) {
        page.set("socket_mode", string(&mode.to_string()));
    }
    if let Some(admin) = &plan.admin {
        page.set("hosts", list(admin.hosts.iter().map(host)));
        let names = admin.ready_needs.iter();
        page.set("ready_needs", list(names.map(|name| string(name))));
    }
}

/// One address of `frontend`.
fn bind(listen: &Listen, frontend: &Frontend) -> String {
    let address = string(&listen.addr.to_string());
    match (&frontend.tls, listen.security) {
        (Some(_), Security::Clear) => format!("{{ address = {address}, tls = false }}"),
        (Some(_), Security::Tls) | (None, _) => address,
    }
}

/// The mode of the files that are listened on, if there are any: it is one for all.
fn mode_of(listen: &[Listen]) -> Option<FileMode> {
    let mut files = listen.iter().filter(|listen| listen.addr.path().is_some());
    files.next().map(|listen| listen.mode)
}

fn frontend(frontend: &Frontend, page: &mut Page) {
    let path = format!("frontend.{}", key(&frontend.name));
    page.table(&path);
    page.set(
        "listen",
        list(frontend.listen.iter().map(|listen| bind(listen, frontend))),
    );
    if let Some(mode) = mode_of(&frontend.listen) {
        page.set("socket_mode", string(&mode.to_string()));
    }
    page.set(
        "mode",
        string(match frontend.mode {
            Mode::Http => "http",
            Mode::Tcp => "tcp",
        }),
    );
    if let Some(backend) = &frontend.backend {
        page.set("backend", string(backend));
    }
    page.set("max_connections", or_word(frontend.max_connections, "off"));
    page.set(
        "proxy_protocol",
        match &frontend.proxy_protocol {
            ProxyProtocol::Off => string("off"),
            ProxyProtocol::Required => string("required"),
            ProxyProtocol::From(from) => format!("{{ from = {} }}", peers(from)),
        },
    );
    match frontend.mode {
        Mode::Http => of_requests(frontend, &path, page),
        Mode::Tcp => of_connections(frontend, &path, page),
    }
}

/// What only TCP mode has.
fn of_connections(frontend: &Frontend, path: &str, page: &mut Page) {
    page.table(&format!("{path}.timeout"));
    page.set("handshake", duration(frontend.timeout.handshake));
    page.set("tunnel", duration_or_off(frontend.timeout.tunnel));

    for each in &frontend.tcp_routes {
        page.element(&format!("{path}.route"));
        tcp_route(each, page);
    }
}

fn tcp_route(tcp_route: &TcpRoute, page: &mut Page) {
    page.set("name", string(&tcp_route.name));
    if !tcp_route.sni.is_empty() {
        page.set("sni", list(tcp_route.sni.iter().map(host)));
    }
    if !tcp_route.alpn.is_empty() {
        page.set("alpn", list(tcp_route.alpn.iter().map(|name| string(name))));
    }
    page.set("backend", string(&tcp_route.backend));
}

/// What TCP mode does not have.
fn of_requests(frontend: &Frontend, path: &str, page: &mut Page) {
    page.set("half_close", frontend.half_close);
    page.set("trusted_proxies", peers(&frontend.trusted_proxies));
    page.set(
        "client_field",
        string(match frontend.client_field {
            ClientField::XForwardedFor => "x-forwarded-for",
            ClientField::Forwarded => "forwarded",
        }),
    );
    page.set(
        "request_id",
        match &frontend.request_id {
            RequestIds::Off => string("off"),
            RequestIds::Field(name) => string(name.as_str()),
        },
    );
    page.set(
        "field_names",
        string(match frontend.field_names {
            OddNames::Pass => "pass",
            OddNames::Drop => "drop",
            OddNames::Reject => "reject",
        }),
    );
    page.set("header_case", header_case(frontend.header_case));
    page.set(
        "upgrades",
        list(frontend.upgrades.iter().map(|token| string(token))),
    );
    rule::rules(&frontend.rules, page);

    page.table(&format!("{path}.timeout"));
    page.set("head", duration(frontend.timeout.head));
    page.set("body", duration(frontend.timeout.body));
    page.set("keep_alive", duration(frontend.timeout.keep_alive));
    page.set("linger", duration(frontend.timeout.linger));
    page.set("exchange", duration_or_off(frontend.timeout.exchange));
    page.set("handshake", duration(frontend.timeout.handshake));
    page.set("tunnel", duration_or_off(frontend.timeout.tunnel));

    page.table(&format!("{path}.limits"));
    page.set("head", string(&frontend.limits.head.to_string()));
    page.set("fields", frontend.limits.fields);
    page.set("target", string(&frontend.limits.target.to_string()));
    page.set("linger", string(&frontend.limits.linger.to_string()));

    page.table(&format!("{path}.http2"));
    page.set("enabled", frontend.http2.enabled);
    page.set("max_streams", frontend.http2.max_streams);
    page.set(
        "stream_window",
        string(&frontend.http2.stream_window.to_string()),
    );
    page.set(
        "connection_window",
        string(&frontend.http2.connection_window.to_string()),
    );
    page.set("open_heads", string(&frontend.http2.open_heads.to_string()));
    page.set("resets_per_second", frontend.http2.resets_per_second);
    page.set(
        "idle_frames_per_second",
        frontend.http2.idle_frames_per_second,
    );

    page.table(&format!("{path}.forwarding"));
    page.set("x_forwarded", frontend.forwarding.x_forwarded);
    page.set("forwarded", frontend.forwarding.forwarded);
    page.set("via", frontend.forwarding.via);
    page.set(
        "trusted_only",
        list(
            frontend
                .forwarding
                .trusted_only
                .iter()
                .map(|name| string(name.as_str())),
        ),
    );
    let fields = &frontend.forwarding.client_certificate;
    if fields.iter().next().is_some() {
        page.table(&format!("{path}.forwarding.client_certificate"));
        for (key, field) in [
            ("subject", &fields.subject),
            ("sans", &fields.sans),
            ("serial", &fields.serial),
            ("fingerprint", &fields.fingerprint),
        ] {
            if let Some(field) = field {
                page.set(key, string(field.as_str()));
            }
        }
    }

    if let Some(tls) = &frontend.tls {
        self::tls(tls, &format!("{path}.tls"), page);
    }

    for each in &frontend.tcp_routes {
        page.element(&format!("{path}.passthrough"));
        tcp_route(each, page);
    }
    for each in &frontend.routes {
        page.element(&format!("{path}.route"));
        route(each, page);
    }
}

fn tls(tls: &Tls, path: &str, page: &mut Page) {
    page.table(path);
    page.set(
        "certificates",
        list(tls.certificates.iter().map(|certificates| {
            let path = file(&certificates.path);
            match &certificates.key {
                None => path,
                Some(key) => format!("{{ certificate = {path}, key = {} }}", file(key)),
            }
        })),
    );
    if let Some(default) = &tls.default {
        page.set("default", string(&default.name));
    }
    page.set("strict_sni", tls.unknown_names == UnknownNames::Refused);
    page.set("max_handshakes", tls.max_handshakes);
    tls_rules(&tls.rules, page);
    for own in &tls.names {
        let name = match &own.name {
            HostPattern::Exact(name) => name.clone(),
            HostPattern::Wildcard(name) => format!("*.{name}"),
        };
        page.table(&format!("{path}.names.{}", key(&name)));
        tls_rules(&own.rules, page);
    }
}

fn tls_rules(rules: &TlsRules, page: &mut Page) {
    page.set("min_version", string(rules.min_version.code()));
    page.set("alpn", list(rules.alpn.iter().map(|name| string(name))));
    page.set(
        "client_auth",
        match &rules.client_auth {
            ClientAuth::Off => string("off"),
            ClientAuth::On(certificates) => {
                let mode = match certificates.need {
                    Need::Optional => "optional",
                    Need::Required => "required",
                };
                let files = |files: &[FileAt]| list(files.iter().map(|named| file(&named.path)));
                format!(
                    "{{ mode = {}, ca = {}, crl = {} }}",
                    string(mode),
                    files(&certificates.ca),
                    files(&certificates.crl)
                )
            }
        },
    );
}

fn file(path: &Path) -> String {
    string(&path.to_string_lossy())
}

fn peers(peers: &Peers) -> String {
    let networks = peers.networks.iter();
    let unix = (peers.unix == UnixPeers::Included).then(|| string("unix"));
    list(
        networks
            .map(|network| string(&network.to_string()))
            .chain(unix),
    )
}

/// Conditions that a route does not have are left out: there is no word for them.
fn route(route: &Route, page: &mut Page) {
    page.set("name", string(&route.name));
    if !route.hosts.is_empty() {
        page.set("host", list(route.hosts.iter().map(host)));
    }
    if !route.paths.is_empty() {
        page.set("path", list(route.paths.iter().map(path)));
    }
    if !route.methods.is_empty() {
        page.set(
            "method",
            list(route.methods.iter().map(|method| string(method.as_str()))),
        );
    }
    if !route.headers.is_empty() {
        page.set("header", predicates(&route.headers));
    }
    if !route.queries.is_empty() {
        page.set("query", predicates(&route.queries));
    }
    if let Some(when) = &route.when {
        page.set("when", string(&when.to_string()));
    }
    page.set(
        "client_certificate",
        string(match route.client_certificate {
            ClientCertificate::Any => "any",
            ClientCertificate::Required => "required",
        }),
    );
    rule::rules(&route.rules, page);
    match &route.target {
        Target::Backend(name) => page.set("backend", string(name)),
        Target::Named(template) => page.set("backend", string(&template.to_string())),
        Target::Split(parts) => {
            let parts = parts.iter();
            let parts = parts.map(|(name, weight)| format!("{} = {weight}", key(name)));
            let parts = parts.collect::<Vec<_>>().join(", ");
            page.set("split", format!("{{ {parts} }}"));
        }
        Target::Answered => {}
    }
}

fn host(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => string(name),
        HostPattern::Wildcard(name) => string(&format!("*.{name}")),
    }
}

fn path(path: &PathPattern) -> String {
    match path {
        PathPattern::Exact(path) => string(path),
        PathPattern::Prefix(path) => string(&format!("{path}/*")),
    }
}

fn predicates<N: AsRef<str>>(predicates: &[Predicate<N>]) -> String {
    let predicates = predicates.iter().map(|predicate| {
        let value = match &predicate.value {
            ValuePattern::Present => string("*"),
            ValuePattern::Exact(text) => string(text),
            ValuePattern::Prefix(text) => string(&format!("{text}*")),
        };
        format!("{} = {value}", key(predicate.name.as_ref()))
    });
    format!("{{ {} }}", predicates.collect::<Vec<_>>().join(", "))
}

fn backend(backend: &Backend, page: &mut Page) {
    let path = format!("backend.{}", key(&backend.name));
    page.table(&path);
    page.set(
        "balance",
        string(match backend.balance {
            Balance::RoundRobin => "round-robin",
            Balance::LeastConnections => "least-connections",
        }),
    );
    match &backend.send_proxy {
        None => page.set("send_proxy", string("off")),
        Some(how) => page.set(
            "send_proxy",
            format!(
                "{{ version = {}, authority = {}, unique_id = {}, tls = {} }}",
                string(match how.version {
                    ProxyVersion::V1 => "v1",
                    ProxyVersion::V2 => "v2",
                }),
                how.authority,
                how.unique_id,
                how.tls,
            ),
        ),
    }
    page.set(
        "protocol",
        string(match backend.protocol {
            Protocol::Auto => "auto",
            Protocol::Http1 => "h1",
            Protocol::Http2 => "h2",
        }),
    );
    rule::rules(&backend.rules, page);
    page.set("attempts", backend.attempts.0);
    page.set("header_case", header_case(backend.header_case));
    servers(&backend.servers, page);
    if backend.tls.is_none() {
        page.set("tls", false);
    }
    if backend.health.is_none() {
        page.set("health", string("off"));
    }

    if let Some(tls) = &backend.tls {
        page.table(&format!("{path}.tls"));
        server_tls(tls, page);
    }

    page.table(&format!("{path}.timeout"));
    page.set("connect", duration(backend.timeout.connect));
    page.set("response", duration(backend.timeout.response));
    page.set("body", duration(backend.timeout.body));
    page.set("queue", duration(backend.timeout.queue));

    page.table(&format!("{path}.queue"));
    page.set("max", backend.queue.max);

    page.table(&format!("{path}.pool"));
    page.set("max_idle", backend.pool.max_idle);
    page.set("idle_timeout", duration(backend.pool.idle_timeout));
    page.set("max_age", duration_or_off(backend.pool.max_age));
    page.set("max_requests", or_word(backend.pool.max_requests, "off"));

    page.table(&format!("{path}.limits"));
    page.set("head", string(&backend.limits.head.to_string()));
    page.set("fields", backend.limits.fields);

    page.table(&format!("{path}.http2"));
    page.set("max_streams", backend.http2.max_streams);
    page.set(
        "stream_window",
        string(&backend.http2.stream_window.to_string()),
    );
    page.set(
        "ping_interval",
        duration_or_off(backend.http2.ping_interval),
    );
    page.set("ping_timeout", duration(backend.http2.ping_timeout));

    if let Some(check) = &backend.health {
        page.table(&format!("{path}.health"));
        health(check, &path, page);
    }
}

/// `ca` is the system's, `verify_name` the one that is asked for, and nothing is shown to servers,
/// where they are left out.
fn server_tls(tls: &ServerTls, page: &mut Page) {
    let path = |file: &FileAt| string(&file.path.to_string_lossy());
    let verify = match tls.trust {
        Trust::Anyone => "none",
        Trust::System | Trust::Authorities(_) | Trust::Fingerprints(_) => "full",
    };
    page.set("verify", string(verify));
    if let Trust::Fingerprints(fingerprints) = &tls.trust {
        let shown = fingerprints.iter();
        page.set(
            "fingerprint",
            list(shown.map(|fingerprint| string(&fingerprint.to_string()))),
        );
    }
    if let Trust::Authorities(files) = &tls.trust {
        page.set("ca", list(files.iter().map(path)));
    }
    page.set(
        "sni",
        string(match &tls.sni {
            Sni::Host => "host",
            Sni::Server => "server",
            Sni::Off => "off",
            Sni::Fixed(name) => name,
        }),
    );
    if let Some(name) = &tls.verify_name {
        page.set("verify_name", string(name));
    }
    if let Some(Identity { certificate, key }) = &tls.identity {
        page.set("certificate", path(certificate));
        if let Some(key) = key {
            page.set("key", path(key));
        }
    }
}

fn servers(servers: &[Server], page: &mut Page) {
    if servers.is_empty() {
        return page.set("servers", "[]");
    }
    page.line("servers = [");
    for server in servers {
        page.line(&format!(
            "  {{ name = {}, address = {}, weight = {}, max_connections = {}, backup = {} }},",
            string(&server.name),
            string(&server.address.to_string()),
            server.weight,
            or_word(server.max_connections, "off"),
            server.backup,
        ));
    }
    page.line("]");
}

/// `port` and `host` are the server's own, and `body` is not looked at, where they are left out.
fn health(health: &Health, backend: &str, page: &mut Page) {
    page.set("interval", duration(health.interval));
    page.set("fast_interval", duration(health.fast_interval));
    page.set("timeout", duration(health.timeout));
    page.set("rise", health.rise);
    page.set("fall", health.fall);
    if let Some(port) = health.port {
        page.set("port", port);
    }
    page.set(
        "initial",
        string(match health.initial {
            Initial::Checked => "checked",
            Initial::Up => "up",
        }),
    );
    let check = match &health.probe {
        Probe::Tcp => return page.set("type", string("tcp")),
        Probe::Http(check) => check,
    };
    page.set("type", string("http"));
    page.set("path", string(&check.path));
    if let Some(host) = &check.host {
        page.set("host", header_value(host));
    }
    page.set(
        "status",
        list(
            check
                .status
                .0
                .iter()
                .map(|range| match range.start() == range.end() {
                    true => range.start().to_string(),
                    false => string(&format!("{}-{}", range.start(), range.end())),
                }),
        ),
    );
    if let Some(body) = &check.body {
        page.set("body", string(body));
    }
    if !check.headers.is_empty() {
        page.table(&format!("{backend}.health.headers"));
        for (name, value) in &check.headers {
            page.set(&key(name.as_str()), header_value(value));
        }
    }
}

fn header_case(case: HeaderCase) -> String {
    string(match case {
        HeaderCase::Lower => "lower",
        HeaderCase::Title => "title",
        HeaderCase::Preserve => "preserve",
    })
}

fn header_value(value: &HeaderValue) -> String {
    if value.is_sensitive() {
        return format!("{} # from a secret file, not shown", string("***"));
    }
    string(&String::from_utf8_lossy(value.as_bytes()))
}

fn duration(duration: Duration) -> String {
    string(&show_duration(duration))
}

fn duration_or_off(duration: Option<Duration>) -> String {
    duration.map_or_else(|| string("off"), self::duration)
}

fn or_word<T: std::fmt::Display>(value: Option<T>, word: &str) -> String {
    value.map_or_else(|| string(word), |value| value.to_string())
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// A key, in quotes where it needs them. Variables are not replaced in keys.
fn key(text: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !text.is_empty() && text.bytes().all(is_bare) {
        return text.to_owned();
    }
    quoted(text)
}

/// A string that reads back as `text`, variables included.
fn string(text: &str) -> String {
    quoted(&variables::escape(text))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => {
                write!(quoted, "\\U{:08X}", u32::from(c))
                    .expect("a string takes all that is written");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
