//! `server` and `default-server` lines (manual §5.2).

use crate::config::raw::Value;
use crate::config::source::Span;

use super::address::listen_address;
use super::args::Args;
use super::global::Global;
use super::lexer::{self, Environment, Word};
use super::verdict::Verdicts;
use super::write::{self, Keys};
use super::{files, quantity};

/// What one server says about its backend, too.
#[derive(Default)]
pub(super) struct Server {
    pub(super) keys: Keys,
    pub(super) span: Option<Span>,
    /// `check`; else it counts as up.
    pub(super) is_checked: bool,
    /// `inter`, `fastinter`, `rise`, `fall`: of the backend here.
    pub(super) check: Keys,
    pub(super) own_check: Keys,
    /// `proto` or `alpn`: of the backend here.
    pub(super) protocol: Option<(Span, &'static str)>,
    /// `cookie`, which needs `cookie` of the backend.
    pub(super) cookie: Option<Span>,
    max_queue: Option<Value>,
    tls: Tls,
}

#[derive(Default)]
struct Tls {
    is_on: bool,
    of_checks: Option<(Span, bool)>,
    keys: Keys,
    verifies: Option<bool>,
    has_sni: bool,
    check_sni: Option<Value>,
}

/// Words without an effect that clients or servers could see, and whether a value follows.
pub(super) const TUNING: &[(&str, bool)] = &[
    ("check-reuse-pool", false),
    ("enabled", false),
    ("guid", true),
    ("id", true),
    ("init-addr", true),
    ("log-bufsize", true),
    ("max-reuse", true),
    ("no-backup", false),
    ("no-check", false),
    ("no-check-sni-auto", false),
    ("no-sni-auto", false),
    ("no-check-send-proxy", false),
    ("no-send-proxy", false),
    ("no-send-proxy-v2", false),
    ("no-ssl", false),
    ("no-sslv3", false),
    ("no-tlsv10", false),
    ("no-tlsv11", false),
    ("no-tls-tickets", false),
    ("no-tfo", false),
    ("no-verifyhost", false),
    ("pool-conn-name", true),
    ("pool-low-conn", true),
    ("pool-purge-delay", true),
    ("ssl-reuse", false),
    ("no-ssl-reuse", false),
    ("stick", false),
    ("tcp-ut", true),
    ("tfo", false),
    ("curves", true),
    ("sigalgs", true),
    ("client-sigalgs", true),
];

/// Words that change what happens in a way that Evenkeel does not have yet, and whether a value follows.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("agent-check", "agent checks do not exist yet"),
    ("crl-file", "leave it out"),
    (
        "minconn",
        "write `maxconn` alone: the limit is not changed by the load",
    ),
    ("namespace", "run Evenkeel in the namespace"),
    ("redir", "write an `http-request redirect` rule"),
    ("resolvers", "write addresses: names are not resolved yet"),
    ("resolve-net", "write addresses: names are not resolved yet"),
    (
        "resolve-opts",
        "write addresses: names are not resolved yet",
    ),
    (
        "resolve-prefer",
        "write addresses: names are not resolved yet",
    ),
    (
        "slowstart",
        "leave it out: a server that comes up gets its full share at once",
    ),
    ("socks4", "leave it out"),
    ("source", "leave it out"),
    ("track", "write `check` with its own interval"),
    ("usesrc", "leave it out"),
    ("ssl-max-ver", "leave it out"),
    ("force-tlsv12", "leave it out"),
];

impl Server {
    /// Reads the words of `default-server` lines and of a `server` line, in this order.
    pub(super) fn read(
        name: &Word,
        address: &Word,
        defaults: &[Args<'_>],
        own: Option<Args<'_>>,
        global: &Global<'_>,
        environment: Environment<'_>,
        verdicts: &mut Verdicts,
    ) -> Option<Self> {
        let mut server = Self {
            span: Some(name.span),
            ..Self::default()
        };
        server
            .keys
            .set("name", write::text(name.span, name.text.clone()));
        let written = lexer::address(address, environment);
        let written = server_address(&written, address, verdicts)?;
        server
            .keys
            .set("address", write::text(address.span, written));
        for args in defaults.iter().copied().chain(own) {
            server.words(args, global, verdicts)?;
        }
        if global.verifies_no_server && server.tls.verifies.is_none() {
            server.tls.verifies = Some(false);
            server
                .tls
                .keys
                .set("verify", write::text(name.span, "none"));
        }
        server.end(verdicts);
        Some(server)
    }

    fn words(
        &mut self,
        mut args: Args<'_>,
        global: &Global<'_>,
        verdicts: &mut Verdicts,
    ) -> Option<()> {
        while let Some(word) = args.next() {
            let span = word.span;
            match &*word.text {
                "check" => self.is_checked = true,
                "no-check" => self.is_checked = false,
                key @ ("inter" | "fastinter" | "downinter") => {
                    let time = args.need("time", verdicts)?;
                    let Some(written) = quantity::time(time, verdicts) else {
                        continue;
                    };
                    match key {
                        "inter" => self.check.set("interval", write::text(time.span, written)),
                        "fastinter" => self
                            .check
                            .set("fast_interval", write::text(time.span, written)),
                        _ => verdicts.approximated(
                            span,
                            "a server that is down is checked as often as one that is up",
                        ),
                    }
                }
                key @ ("rise" | "fall") => {
                    let number = args.need("number", verdicts)?;
                    let count = quantity::count(number, verdicts)?;
                    self.check.set(key, write::number(number.span, count));
                }
                "port" => {
                    let port = args.need("port", verdicts)?;
                    let number = quantity::count(port, verdicts)?;
                    self.own_check.set("port", write::number(port.span, number));
                }
                "addr" => {
                    let address = args.need("address", verdicts)?;
                    self.own_check
                        .set("address", write::text(address.span, address.text.clone()));
                }
                "check-ssl" => self.tls.of_checks = Some((span, true)),
                "no-check-ssl" => self.tls.of_checks = Some((span, false)),
                "weight" => {
                    let weight = args.need("number", verdicts)?;
                    let number = quantity::count(weight, verdicts)?;
                    self.keys.set("weight", write::number(weight.span, number));
                }
                "disabled" => {
                    self.keys.set("weight", write::number(span, 0));
                    verdicts.approximated(
                        span,
                        "the server has weight 0: it gets no new requests, and is checked",
                    );
                }
                "backup" => self.keys.set("backup", write::switch(span, true)),
                "maxconn" => {
                    let most = args.need("number", verdicts)?;
                    let number = quantity::count(most, verdicts)?;
                    if number > 0 {
                        self.keys
                            .set("max_connections", write::number(most.span, number));
                    }
                }
                "maxqueue" => {
                    let most = args.need("number", verdicts)?;
                    let number = quantity::count(most, verdicts)?;
                    if number > 0 {
                        verdicts.approximated(
                            span,
                            "the queue belongs to the backend, and has this limit there",
                        );
                        self.max_queue = Some(write::number(most.span, number));
                    }
                }
                "pool-max-conn" => {
                    args.need("number", verdicts)?;
                    verdicts.approximated(
                        span,
                        "each worker keeps at most 128 idle connections to a server",
                    );
                }
                "cookie" => self.cookie = Some(args.need("value", verdicts)?.span),
                "send-proxy" => self.keys.set("send_proxy", write::text(span, "v1")),
                "send-proxy-v2" => self.keys.set("send_proxy", write::text(span, "v2")),
                "send-proxy-v2-ssl" | "send-proxy-v2-ssl-cn" => {
                    let mut keys = Keys::default();
                    keys.set("version", write::text(span, "v2"));
                    keys.set("tls", write::switch(span, true));
                    self.keys.set("send_proxy", keys.at(span));
                }
                "proxy-v2-options" => {
                    let options = args.need("list", verdicts)?;
                    let mut keys = Keys::default();
                    keys.set("version", write::text(span, "v2"));
                    for option in options.text.split(',') {
                        match option {
                            "authority" => keys.set("authority", write::switch(options.span, true)),
                            "unique-id" => keys.set("unique_id", write::switch(options.span, true)),
                            "ssl" | "cert-cn" | "ssl-cipher" | "cert-sig" | "cert-key" => {
                                keys.set("tls", write::switch(options.span, true));
                            }
                            _ => verdicts.refused(options.span, option, "leave it out of the list"),
                        }
                    }
                    self.keys.set("send_proxy", keys.at(span));
                }
                "check-send-proxy" => verdicts.without_effect(
                    span,
                    "checks of a server begin with a PROXY header if requests do",
                ),
                "proto" | "check-proto" | "alpn" | "check-alpn" | "ws" => {
                    let protocol = args.need("protocol", verdicts)?;
                    if matches!(&*word.text, "proto" | "alpn") {
                        let name = match protocol.text.starts_with("h2") {
                            true => "h2",
                            false => "h1",
                        };
                        self.protocol = Some((protocol.span, name));
                    } else {
                        verdicts.approximated(
                            span,
                            "checks and WebSockets speak the protocol of requests",
                        );
                    }
                }
                "ssl" => self.tls.is_on = true,
                "no-ssl" => self.tls.is_on = false,
                "verify" => {
                    let how = args.need("value", verdicts)?;
                    self.tls.verifies = Some(how.text != "none");
                    match &*how.text {
                        "none" => self.tls.keys.set("verify", write::text(how.span, "none")),
                        // In place of what `default-server` says.
                        _ => self.tls.keys.remove("verify"),
                    }
                }
                "ca-file" => {
                    let file = args.need("file", verdicts)?;
                    let base = global.ca_base;
                    if file.text != "@system-ca" {
                        self.tls.keys.set(
                            "ca",
                            write::text(file.span, files::absolute(&file.text, base)),
                        );
                    }
                }
                "crt" => {
                    let file = args.need("file", verdicts)?;
                    let base = global.crt_base;
                    self.tls.keys.set(
                        "certificate",
                        write::text(file.span, files::absolute(&file.text, base)),
                    );
                }
                "verifyhost" => {
                    let name = args.need("name", verdicts)?;
                    self.tls
                        .keys
                        .set("verify_name", write::text(name.span, name.text.clone()));
                }
                "sni" => {
                    let name = args.need("expression", verdicts)?;
                    self.tls.has_sni = true;
                    let written = match name.text.split_once('(') {
                        Some(("str", rest)) => rest.trim_end_matches(')').to_owned(),
                        Some((_, rest)) if rest.starts_with("host)") => "host".to_owned(),
                        _ if name.text == "ssl_fc_sni" => {
                            verdicts.approximated(
                                name.span,
                                "the name is the request's host, which a client's SNI equals",
                            );
                            "host".to_owned()
                        }
                        _ => {
                            verdicts.refused(
                                name.span,
                                &name.text,
                                "write `sni req.hdr(host)` or `sni str(name)`",
                            );
                            return None;
                        }
                    };
                    self.tls.keys.set("sni", write::text(name.span, written));
                }
                "check-sni" => {
                    let name = args.need("name", verdicts)?;
                    self.tls.check_sni = Some(write::text(name.span, name.text.clone()));
                }
                "ciphers" | "ciphersuites" | "ssl-min-ver" => {
                    args.need("value", verdicts)?;
                    verdicts.approximated(
                        span,
                        "TLS to servers has the versions and cipher suites of rustls: 1.2 and 1.3",
                    );
                }
                "observe" | "on-error" | "on-marked-down" | "on-marked-up" | "error-limit" => {
                    args.need("value", verdicts)?;
                    verdicts.approximated(span, "checks alone decide about a server; open connections to one that is down are kept");
                }
                "agent-port" | "agent-addr" | "agent-inter" | "agent-send" => {
                    args.need("value", verdicts)?;
                }
                known if TUNING.iter().any(|(name, _)| *name == known) => {
                    if TUNING.iter().any(|(name, value)| *name == known && *value) {
                        args.need("value", verdicts)?;
                    }
                    verdicts.without_effect(span, "tuning, which Evenkeel does by itself");
                }
                known if REFUSED.iter().any(|(name, _)| *name == known) => {
                    let instead = REFUSED.iter().find(|(name, _)| *name == known);
                    let instead = instead.map_or("", |(_, instead)| instead);
                    verdicts.refused(span, known, instead);
                    return None;
                }
                _ => {
                    let known = TUNING.iter().map(|(name, _)| *name);
                    let known = known
                        .chain(REFUSED.iter().map(|(name, _)| *name))
                        .chain(OWN.iter().copied());
                    verdicts.unknown("word of a `server` line", word, known);
                    return None;
                }
            }
        }
        Some(())
    }

    /// Puts the parts together.
    fn end(&mut self, verdicts: &mut Verdicts) {
        let span = self.span.expect("it is set when the server is read");
        let tls = std::mem::take(&mut self.tls);
        let mut keys = tls.keys;
        if keys.has("verify") {
            // They have no effect there, as in HAProxy.
            keys.remove("ca");
            keys.remove("verify_name");
        }
        if tls.is_on {
            if tls.verifies.is_none() && !keys.has("ca") {
                verdicts.approximated(
                    span,
                    "without `verify` and `ca-file` the certificate is verified against the system's CAs",
                );
            }
            if !tls.has_sni {
                let needs_name = !keys.has("verify") && !keys.has("verify_name");
                let sni = if needs_name { "host" } else { "off" };
                if needs_name {
                    verdicts.approximated(
                        span,
                        "the handshake names the request's host, and the certificate must have this name",
                    );
                }
                keys.set("sni", write::text(span, sni));
            }
            self.keys.set("tls", keys.clone().at(span));
        }
        let is_on = tls.of_checks.map_or(tls.is_on, |(_, is_on)| is_on);
        match tls.of_checks {
            Some((span, false)) if tls.is_on => {
                self.own_check.set("tls", write::switch(span, false));
            }
            _ if is_on && (!tls.is_on || tls.check_sni.is_some()) => {
                // A check names no server unless it is told to: there is no request whose host it could be.
                let sni = tls.check_sni.unwrap_or_else(|| write::text(span, "off"));
                let mut keys = keys.clone();
                keys.set("sni", sni);
                self.own_check.set("tls", keys.at(span));
            }
            _ => {}
        }
        if self.is_checked && !self.own_check.is_empty() {
            let own = std::mem::take(&mut self.own_check);
            self.keys.set("health", own.at(span));
        }
    }

    /// The most requests that wait, of the backend here.
    pub(super) fn max_queue(&self) -> Option<&Value> {
        self.max_queue.as_ref()
    }
}

/// The words that [`Server::words`] reads by name, for "did you mean".
pub(super) const OWN: &[&str] = &[
    "addr",
    "alpn",
    "backup",
    "ca-file",
    "check",
    "check-alpn",
    "check-proto",
    "check-send-proxy",
    "check-sni",
    "check-ssl",
    "ciphers",
    "ciphersuites",
    "cookie",
    "crt",
    "disabled",
    "downinter",
    "error-limit",
    "fall",
    "fastinter",
    "inter",
    "maxconn",
    "maxqueue",
    "no-check-ssl",
    "observe",
    "on-error",
    "on-marked-down",
    "on-marked-up",
    "pool-max-conn",
    "port",
    "proto",
    "proxy-v2-options",
    "rise",
    "send-proxy",
    "send-proxy-v2",
    "send-proxy-v2-ssl",
    "send-proxy-v2-ssl-cn",
    "sni",
    "ssl",
    "ssl-min-ver",
    "verify",
    "verifyhost",
    "weight",
    "ws",
];

/// The address of a server; `None`: Evenkeel cannot connect to such an address, which is said.
fn server_address(text: &str, word: &Word, verdicts: &mut Verdicts) -> Option<String> {
    let written = listen_address(text);
    if written.starts_with('/') || written.starts_with('@') {
        return Some(written);
    }
    let (host, port) = match written.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => {
            verdicts.refused(
                word.span,
                "a server without a port",
                "write the port: it is not the one that the client connected to",
            );
            return None;
        }
    };
    if port.starts_with(['+', '-']) || port.is_empty() {
        verdicts.refused(
            word.span,
            "a port that depends on the client's",
            "write the port",
        );
        return None;
    }
    let host_address = host.trim_start_matches('[').trim_end_matches(']');
    if host_address.parse::<std::net::IpAddr>().is_ok() || host_address.contains('%') {
        return Some(written);
    }
    // Once, at the start, as HAProxy does without `resolvers`.
    use std::net::ToSocketAddrs;
    let resolved = written.to_socket_addrs().ok();
    let resolved = resolved.and_then(|mut all| {
        let addresses: Vec<_> = all.by_ref().collect();
        let v4 = addresses.iter().find(|address| address.is_ipv4());
        v4.or(addresses.first()).copied()
    });
    match resolved {
        Some(address) => Some(address.to_string()),
        None => {
            verdicts.wrong(
                word.span,
                format!("could not resolve address `{host}`"),
                "names are resolved once, when the file is read",
            );
            None
        }
    }
}
