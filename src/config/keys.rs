//! Every key that the format knows, table by table, and the words that people bring from HAProxy, nginx,
//! Traefik and Caddy.
//!
//! `section` refuses every other key; `conf/full.toml` is held to these tables by a test, and so is the
//! claim that each key changes the plan. What no table has is in `haproxy_hints`.

use crate::config::haproxy_hints;

/// The keys of one kind of table.
pub(super) struct Keys {
    pub(super) known: &'static [&'static str],
    /// A word that is not known, and what to write instead.
    pub(super) hints: &'static [(&'static str, &'static str)],
}

impl Keys {
    /// What to write instead of `written`, when that is a word of HAProxy or nginx.
    pub(super) fn hint(&self, written: &str) -> Option<&'static str> {
        let folded = haproxy_hints::fold(written);
        // `set-header`: the word is the right one, spelled in another way.
        if self
            .known
            .iter()
            .any(|known| haproxy_hints::fold(known) == folded)
        {
            return None;
        }
        let mut known = self
            .hints
            .iter()
            .filter(|(word, _)| haproxy_hints::fold(word) == folded);
        let hint = known.next().map(|(_, hint)| *hint);
        hint.or_else(|| haproxy_hints::absent(written))
    }
}

pub(super) const TOP: Keys = Keys {
    known: &[
        "include", "process", "log", "reload", "shutdown", "admin", "defaults", "frontend",
        "backend",
    ],
    hints: &[
        (
            "global",
            "settings of the process are `[process]`, `[log]`, `[reload]`, `[shutdown]` and `[admin]`",
        ),
        (
            "listen",
            "addresses are written `listen = \"…\"` in a `[frontend.NAME]`, servers in a `[backend.NAME]`",
        ),
        (
            "server",
            "servers are written `servers = [\"…\"]` in a `[backend.NAME]`",
        ),
        (
            "servers",
            "servers are written `servers = [\"…\"]` in a `[backend.NAME]`",
        ),
        ("upstream", "a group of servers is a `[backend.NAME]`"),
        ("route", "routes are written `[[frontend.NAME.route]]`"),
        ("stats", "metrics and state are on the `[admin]` listener"),
        ("upstreams", "a group of servers is a `[backend.NAME]`"),
        ("frontends", "write `[frontend.NAME]`"),
        ("backends", "write `[backend.NAME]`"),
        (
            "http",
            "a website is a `[frontend.NAME]` with `listen` and routes, servers are a `[backend.NAME]`",
        ),
        ("events", "settings of the process are `[process]`"),
        ("workers", "write it in `[process]`"),
        (
            "timeout",
            "timeouts are keys of each frontend and backend; for all of them write `[defaults.frontend.timeout]` and `[defaults.backend.timeout]`",
        ),
        (
            "default",
            "values for all frontends and backends are `[defaults.frontend]` and `[defaults.backend]`",
        ),
        (
            "bind",
            "addresses are written `listen = \"…\"` in a `[frontend.NAME]`",
        ),
        (
            "tls",
            "`tls` is a key of a `[frontend.NAME]` or a `[backend.NAME]`",
        ),
    ],
};

pub(super) const PROCESS: Keys = Keys {
    known: &["workers", "max_connections"],
    hints: &[
        ("maxconn", "write `max_connections`"),
        ("nbthread", "write `workers`"),
        ("threads", "write `workers`"),
        ("worker_processes", "write `workers`"),
        ("worker_threads", "write `workers`"),
        ("cpus", "write `workers`"),
        (
            "worker_connections",
            "write `max_connections`: it counts the connections of all workers together",
        ),
        ("max_conns", "write `max_connections`"),
    ],
};

pub(super) const LOG: Keys = Keys {
    known: &["level", "format", "access"],
    hints: &[
        (
            "to",
            "`to` is a key of `[log.access]`; events go to standard error",
        ),
        (
            "file",
            "events go to standard error; the access log goes where `[log.access]` has `to`",
        ),
        (
            "path",
            "events go to standard error; the access log goes where `[log.access]` has `to`",
        ),
        (
            "output",
            "events go to standard error; the access log goes where `[log.access]` has `to`",
        ),
        (
            "target",
            "events go to standard error; the access log goes where `[log.access]` has `to`",
        ),
        ("access_log", "write `[log.access]` with `to = \"…\"`"),
    ],
};

pub(super) const LOG_ACCESS: Keys = Keys {
    known: &["to"],
    hints: &[
        ("file", "write `to = \"/path/to/file\"`"),
        ("path", "write `to = \"/path/to/file\"`"),
        ("output", "write `to`"),
        ("target", "write `to`"),
        ("enabled", "write `to = \"off\"` to switch it off"),
        (
            "format",
            "leave it out: the access log is JSON, one object a line",
        ),
    ],
};

pub(super) const RELOAD: Keys = Keys {
    known: &["watch"],
    hints: &[("enabled", "write `watch`"), ("auto", "write `watch`")],
};

pub(super) const SHUTDOWN: Keys = Keys {
    known: &["grace", "timeout", "tunnels"],
    hints: &[
        ("grace_period", "write `grace`"),
        ("hard_stop_after", "write `timeout`"),
        ("drain", "write `timeout`"),
        ("drain_timeout", "write `timeout`"),
        ("delay", "write `grace`"),
    ],
};

pub(super) const ADMIN: Keys = Keys {
    known: &["listen", "socket_mode", "hosts", "ready_needs"],
    hints: &[
        ("bind", "write `listen`"),
        ("address", "write `listen`"),
        ("host", "write `hosts`"),
        ("allowed_hosts", "write `hosts`"),
        ("port", "write `listen = \"127.0.0.1:9900\"`"),
        ("enabled", "write `listen = \"off\"` to switch it off"),
        (
            "user",
            "the admin listener does not ask for a password or token yet: write an address in `listen` that only administrators can reach",
        ),
        (
            "password",
            "the admin listener does not ask for a password or token yet: write an address in `listen` that only administrators can reach",
        ),
        (
            "token",
            "the admin listener does not ask for a password or token yet: write an address in `listen` that only administrators can reach",
        ),
        (
            "auth",
            "the admin listener does not ask for a password or token yet: write an address in `listen` that only administrators can reach",
        ),
        (
            "tls",
            "the admin listener does not speak TLS yet: write a loopback address or a Unix socket in `listen`",
        ),
    ],
};

pub(super) const DEFAULTS: Keys = Keys {
    known: &["frontend", "backend"],
    hints: &[
        (
            "timeout",
            "write `[defaults.frontend.timeout]` for clients, `[defaults.backend.timeout]` for servers",
        ),
        (
            "limits",
            "write `[defaults.frontend.limits]` for requests, `[defaults.backend.limits]` for answers",
        ),
        (
            "http2",
            "write `[defaults.frontend.http2]` for clients, `[defaults.backend.http2]` for servers",
        ),
        (
            "header_case",
            "write it in `[defaults.frontend]` or `[defaults.backend]`",
        ),
        ("mode", IN_DEFAULT_FRONTEND),
        ("max_connections", IN_DEFAULT_FRONTEND),
        (
            "maxconn",
            "write `max_connections` in `[defaults.frontend]`",
        ),
        ("forwarding", IN_DEFAULT_FRONTEND),
        ("trusted_proxies", IN_DEFAULT_FRONTEND),
        ("balance", IN_DEFAULT_BACKEND),
        ("health", IN_DEFAULT_BACKEND),
        ("attempts", IN_DEFAULT_BACKEND),
        (
            "retries",
            "write `attempts` in `[defaults.backend]`: the first try counts too, so `retries 3` is `attempts = 4`",
        ),
        ("pool", IN_DEFAULT_BACKEND),
        ("queue", IN_DEFAULT_BACKEND),
        (
            "option",
            "write the keys of frontends in `[defaults.frontend]`, those of backends in `[defaults.backend]`",
        ),
        ("log", "the log is `[log]`, for the whole process"),
        (
            "server",
            "what holds for all servers is in `[defaults.backend]`; servers are written `servers = [\"…\"]` in a `[backend.NAME]`",
        ),
    ],
};

const IN_DEFAULT_FRONTEND: &str = "write it in `[defaults.frontend]`";
const IN_DEFAULT_BACKEND: &str = "write it in `[defaults.backend]`";

pub(super) const DEFAULT_FRONTEND: Keys = Keys {
    known: &[
        "mode",
        "max_connections",
        "timeout",
        "limits",
        "http2",
        "half_close",
        "proxy_protocol",
        "trusted_proxies",
        "client_field",
        "forwarding",
        "request_id",
        "field_names",
        "header_case",
        "upgrades",
    ],
    hints: &[
        ("listen", OF_EACH_FRONTEND),
        ("socket_mode", OF_EACH_FRONTEND),
        ("tls", OF_EACH_FRONTEND),
        ("backend", OF_EACH_FRONTEND),
        (
            "default_backend",
            "write `backend` in each `[frontend.NAME]`",
        ),
        ("passthrough", OF_EACH_FRONTEND),
        ("route", OF_EACH_FRONTEND),
        ("rule", OF_EACH_FRONTEND),
        ("maxconn", "write `max_connections`"),
        (
            "option",
            "`option forwardfor` is the default here; see `forwarding`",
        ),
        ("balance", IN_DEFAULT_BACKEND),
        ("health", IN_DEFAULT_BACKEND),
        ("attempts", IN_DEFAULT_BACKEND),
        (
            "retries",
            "write `attempts` in `[defaults.backend]`: the first try counts too, so `retries 3` is `attempts = 4`",
        ),
    ],
};

const OF_EACH_FRONTEND: &str =
    "write it in each `[frontend.NAME]`: it has no value for all of them";

pub(super) const DEFAULT_BACKEND: Keys = Keys {
    known: &[
        "balance",
        "protocol",
        "send_proxy",
        "timeout",
        "health",
        "attempts",
        "queue",
        "pool",
        "limits",
        "http2",
        "header_case",
    ],
    hints: &[
        ("servers", OF_EACH_BACKEND),
        ("server", "write `servers` in each `[backend.NAME]`"),
        ("tls", OF_EACH_BACKEND),
        ("rule", OF_EACH_BACKEND),
        (
            "retries",
            "write `attempts`: the first try counts too, so `retries 3` is `attempts = 4`",
        ),
        ("maxconn", "`max_connections` is a key of each server"),
        ("option", "`option httpchk` is `health = \"/path\"`"),
        ("mode", IN_DEFAULT_FRONTEND),
    ],
};

const OF_EACH_BACKEND: &str = "write it in each `[backend.NAME]`: it has no value for all of them";

pub(super) const FRONTEND: Keys = Keys {
    known: &[
        "listen",
        "socket_mode",
        "mode",
        "tls",
        "backend",
        "max_connections",
        "timeout",
        "limits",
        "http2",
        "half_close",
        "proxy_protocol",
        "trusted_proxies",
        "client_field",
        "forwarding",
        "request_id",
        "field_names",
        "header_case",
        "upgrades",
        "passthrough",
        "route",
        "rule",
    ],
    hints: &[
        ("bind", "write `listen`"),
        ("address", "write `listen`"),
        ("ssl", "write `tls = \"/path/to/fullchain.pem\"`"),
        ("crt", "write `tls = \"/path/to/fullchain.pem\"`"),
        (
            "default_backend",
            "write `backend`: it is used when no route matches",
        ),
        (
            "use_backend",
            "write a `[[frontend.NAME.route]]` with its `backend`",
        ),
        (
            "accept_proxy",
            "write `proxy_protocol = \"required\"`, or `{ from = [\"10.0.0.0/8\"] }`",
        ),
        ("maxconn", "write `max_connections`"),
        ("routes", "write each route as `[[frontend.NAME.route]]`"),
        (
            "acl",
            "conditions are keys of a `[[frontend.NAME.route]]`: `host`, `path`, `method`, `header`, `query`",
        ),
        (
            "servers",
            "servers are written in a `[backend.NAME]`, which `backend` names",
        ),
        (
            "sni",
            "write `mode = \"tcp\"` to pass connections on by the name that TLS asks for",
        ),
        (
            "websocket",
            "write `upgrades = [\"websocket\"]`, which is the default",
        ),
        (
            "upgrade",
            "write `upgrades = [\"websocket\"]`, which is the default",
        ),
        (
            "option",
            "`option forwardfor` is the default here; see `forwarding`",
        ),
        ("port", "write `listen = \":80\"`"),
        (
            "host",
            "write a `[[frontend.NAME.route]]` with `host` and `backend`",
        ),
        (
            "path",
            "write a `[[frontend.NAME.route]]` with `path` and `backend`",
        ),
        (
            "crt_list",
            "write `tls = { certificates = \"/path/to/directory\" }`",
        ),
        ("certificate", "write `tls = \"/path/to/fullchain.pem\"`"),
        ("certificates", "write `tls = { certificates = […] }`"),
        ("https", "write `tls = \"/path/to/fullchain.pem\"`"),
        (
            "redirect_https",
            "write `rule = [{ when = \"not ssl_fc\", redirect = { scheme = \"https\" } }]`",
        ),
        ("rules", "write each rule as `[[frontend.NAME.rule]]`"),
        ("http-request", "write a `[[frontend.NAME.rule]]`"),
        (
            "http-response",
            "write a `[[frontend.NAME.rule]]` with `on = \"response\"`",
        ),
        ("keep_alive", "write `timeout = { keep_alive = \"…\" }`"),
        ("keepalive", "write `timeout = { keep_alive = \"…\" }`"),
        (
            "log",
            "the access log is `[log.access]`, for the whole process",
        ),
        (
            "server",
            "servers are written in a `[backend.NAME]`, which `backend` names",
        ),
        ("balance", "`balance` is a key of the `[backend.NAME]`"),
        ("health", "`health` is a key of the `[backend.NAME]`"),
        (
            "grpc",
            "leave it out: gRPC passes; its backend needs `protocol = \"h2\"`",
        ),
        ("http1", "leave it out: HTTP/1.1 is always spoken"),
        (
            "h2",
            "leave it out: HTTP/2 is on by default; `http2 = { enabled = false }` switches it off",
        ),
        ("real_ip", "write `trusted_proxies`"),
        (
            "ssl_certificate",
            "write `tls = \"/path/to/fullchain.pem\"`",
        ),
        (
            "http-restrict-req-hdr-names",
            "write `field_names`: \"pass\", \"drop\" or \"reject\"",
        ),
        (
            "underscores_in_headers",
            "write `field_names`: \"pass\", \"drop\" or \"reject\"",
        ),
    ],
};

/// An item of `listen`.
pub(super) const BIND: Keys = Keys {
    known: &["address", "tls"],
    hints: &[
        ("addr", "write `address`"),
        ("listen", "write `address`"),
        ("bind", "write `address`"),
        ("port", "write `address = \":443\"`"),
        ("ssl", "write `tls = \"/path/to/fullchain.pem\"`"),
        ("crt", "write `tls = \"/path/to/fullchain.pem\"`"),
        ("certificates", "write `tls = { certificates = […] }`"),
        ("proxy_protocol", OF_ALL_ADDRESSES),
        (
            "accept_proxy",
            "write `proxy_protocol` in the frontend: it is for all its addresses",
        ),
        ("socket_mode", OF_ALL_ADDRESSES),
        ("mode", OF_ALL_ADDRESSES),
        ("http2", OF_ALL_ADDRESSES),
        ("alpn", "write `tls = { alpn = […] }`"),
    ],
};

const OF_ALL_ADDRESSES: &str = "write it in the frontend: it is for all its addresses";

/// The same in TCP mode.
pub(super) const TCP_BIND: Keys = Keys {
    known: &["address"],
    hints: &[
        (
            "tls",
            "leave it out: in TCP mode TLS passes as it is, and the servers end it",
        ),
        ("proxy_protocol", OF_ALL_ADDRESSES),
        ("socket_mode", OF_ALL_ADDRESSES),
    ],
};

pub(super) const FRONTEND_TLS: Keys = Keys {
    known: &[
        "certificates",
        "default",
        "strict_sni",
        "min_version",
        "alpn",
        "max_handshakes",
        "client_auth",
        "names",
    ],
    hints: &[
        ("crt", "write `certificates`"),
        ("certificate", "write `certificates`"),
        ("cert", "write `certificates`"),
        (
            "key",
            "write `certificates = { certificate = \"…\", key = \"…\" }`",
        ),
        ("strict-sni", "write `strict_sni`"),
        ("ssl-min-ver", "write `min_version`"),
        ("ciphers", "leave it out: every suite here is a good one"),
        (
            "ca-file",
            "write `client_auth = { mode = \"required\", ca = \"…\" }`",
        ),
        (
            "ca",
            "write `client_auth = { mode = \"required\", ca = \"…\" }`",
        ),
        (
            "verify",
            "write `client_auth = { mode = \"required\", ca = \"…\" }`",
        ),
        (
            "timeout",
            "write `timeout = { handshake = \"…\" }` in the frontend",
        ),
        ("maxsslconn", "write `max_connections` in the frontend"),
        ("protocols", "write `min_version`"),
        ("ssl_protocols", "write `min_version`"),
        ("versions", "write `min_version`"),
        (
            "max_version",
            "leave it out: TLS 1.3 is the newest version and always on",
        ),
        (
            "ssl_max_ver",
            "leave it out: TLS 1.3 is the newest version and always on",
        ),
        (
            "cipher_suites",
            "leave it out: all cipher suites here are safe",
        ),
        (
            "ciphersuites",
            "leave it out: all cipher suites here are safe",
        ),
        (
            "ssl_ciphers",
            "leave it out: all cipher suites here are safe",
        ),
        ("curves", "leave it out: all key exchanges here are safe"),
        ("ecdhe", "leave it out: all key exchanges here are safe"),
        (
            "dhparam",
            "leave it out: there is no DHE, only ECDHE and X25519MLKEM768",
        ),
        ("session_tickets", "leave it out: sessions are resumed"),
        ("session_cache", "leave it out: sessions are resumed"),
        ("ocsp", "OCSP stapling does not exist yet"),
        (
            "crl",
            "write `client_auth = { mode = \"required\", ca = \"…\", crl = \"…\" }`",
        ),
        ("sni_strict", "write `strict_sni`"),
        (
            "default_certificate",
            "write `default = \"NAME\"`: a name that one of the certificates has",
        ),
    ],
};

pub(super) const CERTIFICATE: Keys = Keys {
    known: &["certificate", "key"],
    hints: &[
        ("crt", "write `certificate`"),
        ("path", "write `certificate`"),
    ],
};

pub(super) const CLIENT_AUTH: Keys = Keys {
    known: &["mode", "ca", "crl"],
    hints: &[
        ("verify", "write `mode`"),
        ("ca-file", "write `ca`"),
        ("crl-file", "write `crl`"),
        ("cafile", "write `ca`"),
        ("authorities", "write `ca`"),
        ("trusted_ca", "write `ca`"),
    ],
};

pub(super) const TLS_NAME: Keys = Keys {
    known: &["min_version", "alpn", "client_auth"],
    hints: &[(
        "certificates",
        "all certificates stand in `tls` itself: each is found by the names that it has",
    )],
};

pub(super) const CLIENT_FIELDS: Keys = Keys {
    known: &["subject", "sans", "serial", "fingerprint"],
    hints: &[
        ("dn", "write `subject`"),
        ("san", "write `sans`"),
        ("sha256", "write `fingerprint`"),
        ("cn", "write `subject`: it contains the common name"),
    ],
};

pub(super) const FRONTEND_TIMEOUT: Keys = Keys {
    known: &[
        "head",
        "body",
        "keep_alive",
        "linger",
        "exchange",
        "handshake",
        "tunnel",
    ],
    hints: &[
        (
            "client",
            "write `body` (between two pieces of a request body) and `keep_alive` (between two requests)",
        ),
        ("http-request", "write `head`"),
        ("request", "write `head`"),
        ("http-keep-alive", "write `keep_alive`"),
        ("idle", "write `keep_alive`"),
        ("lingering_time", "write `linger`"),
        ("lingering_timeout", "write `linger`"),
        ("websocket", "write `tunnel`"),
        (
            "client-fin",
            "write `tunnel`: it holds while one side has said all, too",
        ),
        (
            "server",
            "deadlines towards servers are `timeout` of a `[backend.NAME]`: `response` and `body`",
        ),
        (
            "connect",
            "deadlines towards servers are `timeout` of a `[backend.NAME]`",
        ),
        (
            "response",
            "deadlines towards servers are `timeout` of a `[backend.NAME]`",
        ),
        (
            "queue",
            "deadlines towards servers are `timeout` of a `[backend.NAME]`",
        ),
        (
            "read",
            "write `head` (a request head) and `body` (between two pieces of a request body)",
        ),
        (
            "write",
            "write `body`: it also ends a client that takes nothing of an answer",
        ),
        ("header", "write `head`"),
        ("headers", "write `head`"),
        ("tls", "write `handshake`"),
        ("ssl", "write `handshake`"),
        ("total", "write `exchange`"),
        ("check", "write `timeout` in the backend's `health`"),
    ],
};

/// The same in TCP mode.
pub(super) const TCP_FRONTEND: Keys = Keys {
    known: &[
        "listen",
        "socket_mode",
        "mode",
        "backend",
        "max_connections",
        "timeout",
        "proxy_protocol",
        "route",
    ],
    hints: &[
        ("rule", NO_REQUESTS),
        ("rules", NO_REQUESTS),
        (
            "tls",
            "leave it out: in TCP mode TLS passes as it is, and the servers end it",
        ),
        ("bind", "write `listen`"),
        ("default_backend", "write `backend`"),
        ("maxconn", "write `max_connections`"),
        (
            "sni",
            "write it in a `[[frontend.NAME.route]]` with its `backend`",
        ),
        ("limits", NO_REQUESTS),
        ("http2", NO_REQUESTS),
        ("upgrades", NO_REQUESTS),
        ("forwarding", NO_FIELDS),
        ("trusted_proxies", NO_FIELDS),
        ("client_field", NO_FIELDS),
        ("request_id", NO_FIELDS),
        ("field_names", NO_FIELDS),
        ("header_case", NO_FIELDS),
        (
            "half_close",
            "leave it out: in TCP mode one side may always go on when the other has said all",
        ),
    ],
};

const NO_REQUESTS: &str = "leave it out: in TCP mode there are no requests, only bytes";
const NO_FIELDS: &str =
    "leave it out: in TCP mode there are no fields that could be read or written";

pub(super) const TCP_TIMEOUT: Keys = Keys {
    known: &["handshake", "tunnel"],
    hints: &[
        ("client", "write `tunnel`: for both directions together"),
        ("server", "write `tunnel`: for both directions together"),
        ("idle", "write `tunnel`"),
        (
            "head",
            "write `handshake`: for what a client of TLS says first",
        ),
        ("body", "write `tunnel`: for both directions together"),
        ("keep_alive", "write `tunnel`: for both directions together"),
        ("linger", NO_REQUESTS),
        ("exchange", "leave it out: a connection may last"),
        ("inspect-delay", "write `handshake`"),
        (
            "connect",
            "deadlines towards servers are `timeout` of a `[backend.NAME]`",
        ),
    ],
};

pub(super) const TCP_ROUTE: Keys = Keys {
    known: &["name", "sni", "alpn", "backend"],
    hints: &[
        (
            "host",
            "write `sni`: the name that a client of TLS asks for",
        ),
        ("req.ssl_sni", "write `sni`"),
        ("use_backend", "write `backend`"),
        ("path", NO_REQUESTS),
        ("method", NO_REQUESTS),
        ("header", NO_FIELDS),
        ("query", NO_REQUESTS),
        (
            "hostname",
            "write `sni`: the name that a client of TLS asks for",
        ),
        ("src", "conditions on the client's address do not exist yet"),
        (
            "client_ip",
            "conditions on the client's address do not exist yet",
        ),
        (
            "port",
            "write a frontend of its own for each port: its routes are its own",
        ),
    ],
};

pub(super) const FRONTEND_LIMITS: Keys = Keys {
    known: &["head", "fields", "target", "linger"],
    hints: &[
        (
            "headers",
            "write `fields` for their number, `head` for their size",
        ),
        ("uri", "write `target`"),
        (
            "body",
            "bodies are passed on as they come: their size has no limit",
        ),
        (
            "max_body",
            "bodies are passed on as they come: their size has no limit",
        ),
        (
            "body_size",
            "bodies are passed on as they come: their size has no limit",
        ),
        ("header_size", "write `head`"),
        ("max_header_bytes", "write `head`"),
        (
            "header",
            "write `head` for the size, `fields` for the number",
        ),
        ("url", "write `target`"),
        ("connections", "write `max_connections` in the frontend"),
    ],
};

pub(super) const FRONTEND_HTTP2: Keys = Keys {
    known: &[
        "enabled",
        "max_streams",
        "stream_window",
        "connection_window",
        "open_heads",
        "resets_per_second",
        "idle_frames_per_second",
    ],
    hints: &[
        ("max_concurrent_streams", "write `max_streams`"),
        ("window", "write `stream_window` and `connection_window`"),
        ("glitches", "write `idle_frames_per_second`"),
        ("resets", "write `resets_per_second`"),
        (
            "header_list",
            "a head is bounded by `head` and `fields` of `limits`, in every version of HTTP",
        ),
        ("max_resets", "write `resets_per_second`"),
        (
            "initial_window_size",
            "write `stream_window` and `connection_window`",
        ),
    ],
};

pub(super) const PROXY_PROTOCOL: Keys = Keys {
    known: &["from"],
    hints: &[
        (
            "required",
            "write `proxy_protocol = \"required\"` for every peer",
        ),
        ("trusted", "write `from`"),
    ],
};

pub(super) const FORWARDING: Keys = Keys {
    known: &[
        "x_forwarded",
        "forwarded",
        "via",
        "trusted_only",
        "client_certificate",
    ],
    hints: &[
        (
            "x_forwarded_for",
            "write `x_forwarded`: it sends `-For`, `-Proto` and `-Host`",
        ),
        ("forwardfor", "write `x_forwarded`"),
        (
            "x_real_ip",
            "`X-Real-IP` is not sent yet; servers can read `X-Forwarded-For`",
        ),
    ],
};

pub(super) const ROUTE: Keys = Keys {
    known: &[
        "name",
        "host",
        "path",
        "path_regex",
        "method",
        "header",
        "query",
        "when",
        "client_certificate",
        "rule",
        "backend",
        "split",
    ],
    hints: &[
        ("rules", "write `rule = [{ … }]`"),
        ("hosts", "write `host`; it takes a list"),
        ("paths", "write `path`; it takes a list"),
        ("methods", "write `method`; it takes a list"),
        ("headers", "write `header = { name = \"value\" }`"),
        ("hdr", "write `header = { name = \"value\" }`"),
        ("path_beg", "write `path = \"/start/*\"`"),
        ("prefix", "write `path = \"/start/*\"`"),
        ("url_param", "write `query = { name = \"value\" }`"),
        ("use_backend", "write `backend`"),
        ("default_backend", "write `backend`"),
        (
            "sni",
            "`sni` is for routes in TCP mode (`mode = \"tcp\"`) and for `passthrough`; in HTTP write `host`",
        ),
        (
            "alpn",
            "`alpn` is for routes in TCP mode (`mode = \"tcp\"`) and for `passthrough`",
        ),
        ("domain", "write `host`"),
        ("domains", "write `host`; it takes a list"),
        ("hostname", "write `host`"),
        ("server_name", "write `host`"),
        ("hdr_dom", "write `host = \"*.example.com\"`"),
        ("path_prefix", "write `path = \"/start/*\"`"),
        ("path_reg", "write `path_regex = '^/item/[0-9]+$'`"),
        ("path_regexp", "write `path_regex = '^/item/[0-9]+$'`"),
        ("regex", "write `path_regex = '^/item/[0-9]+$'`"),
        ("regexp", "write `path_regex = '^/item/[0-9]+$'`"),
        ("path_end", "write `when = 'path ends_with \".php\"'`"),
        ("uri", "write `path`"),
        ("url", "write `path`"),
        ("verb", "write `method`"),
        ("params", "write `query = { name = \"value\" }`"),
        ("args", "write `query = { name = \"value\" }`"),
        ("cookie", "write `when = 'req.cook(name) == \"value\"'`"),
        ("src", "write `when = 'src in [\"10.0.0.0/8\"]'`"),
        ("client_ip", "write `when = 'src in [\"10.0.0.0/8\"]'`"),
        ("remote_ip", "write `when = 'src in [\"10.0.0.0/8\"]'`"),
        ("remote_addr", "write `when = 'src in [\"10.0.0.0/8\"]'`"),
        ("source", "write `when = 'src in [\"10.0.0.0/8\"]'`"),
        (
            "scheme",
            "write a frontend of its own for each port: its routes are its own",
        ),
        (
            "port",
            "write a frontend of its own for each port: its routes are its own",
        ),
        (
            "if",
            "conditions are the keys `host`, `path`, `method`, `header` and `query`, and any other is `when = \"…\"`",
        ),
        (
            "match",
            "conditions are the keys `host`, `path`, `method`, `header` and `query`, and any other is `when = \"…\"`",
        ),
        (
            "acl",
            "conditions are the keys `host`, `path`, `method`, `header` and `query`, and any other is `when = \"…\"`",
        ),
        (
            "priority",
            "leave it out: the first route that matches wins",
        ),
        ("order", "leave it out: the first route that matches wins"),
        ("service", "write `backend`"),
        ("weight", "write `split = { stable = 95, canary = 5 }`"),
        ("backends", "write `split = { stable = 95, canary = 5 }`"),
        ("upstream", "write `backend`"),
        ("to", "write `backend`"),
        ("proxy_pass", "write `backend`"),
        (
            "servers",
            "servers are written in a `[backend.NAME]`, which `backend` names",
        ),
        (
            "timeout",
            "timeouts are keys of the frontend and of the backend: write `timeout` there",
        ),
        ("mtls", "write `client_certificate = \"required\"`"),
    ],
};

pub(super) const RULE: Keys = Keys {
    known: &[
        "on",
        "when",
        "deny",
        "return",
        "redirect",
        "set_header",
        "add_header",
        "del_header",
        "set_path",
        "set_var",
        "pause",
    ],
    hints: &[
        ("if", "write `when`"),
        ("unless", "write `when = \"not (…)\"`"),
        ("condition", "write `when`"),
        ("block", "write `deny = 403`"),
        ("reject", "write `deny = 403`"),
        (
            "status",
            "write `deny = 403`, or `return = { status = 200 }`",
        ),
        ("respond", "write `return = { status = 200, body = \"…\" }`"),
        ("answer", "write `return = { status = 200, body = \"…\" }`"),
        ("location", "write `redirect = { location = \"…\" }`"),
        ("rewrite", "write `set_path = \"…\"`"),
        ("path", "write `set_path = \"…\"`"),
        ("replace-path", "write `set_path = \"%[path,regsub(…)]\"`"),
        ("header", "write `set_header = { x-name = \"value\" }`"),
        ("headers", "write `set_header = { x-name = \"value\" }`"),
        ("remove_header", "write `del_header = \"x-name\"`"),
        (
            "set_request_header",
            "write `set_header = { x-name = \"value\" }`",
        ),
        (
            "set_response_header",
            "write `on = \"response\"` and `set_header = { x-name = \"value\" }`",
        ),
        ("delay", "write `pause = \"100ms\"`"),
        (
            "set-var-fmt",
            "write `set_var = { \"txn.name\" = \"src\" }`",
        ),
    ],
};

pub(super) const RETURN: Keys = Keys {
    known: &["status", "content_type", "headers", "body"],
    hints: &[
        ("content-type", "write `content_type`"),
        ("hdr", "write `headers = { x-name = \"value\" }`"),
        ("header", "write `headers = { x-name = \"value\" }`"),
        ("string", "write `body`"),
        ("lf-string", "write `body`"),
        ("text", "write `body`"),
    ],
};

pub(super) const REDIRECT: Keys = Keys {
    known: &["status", "location", "prefix", "scheme"],
    hints: &[
        ("code", "write `status`"),
        ("to", "write `location`"),
        ("url", "write `location`"),
    ],
};

pub(super) const BACKEND: Keys = Keys {
    known: &[
        "balance",
        "servers",
        "protocol",
        "tls",
        "send_proxy",
        "timeout",
        "health",
        "rule",
        "attempts",
        "queue",
        "pool",
        "limits",
        "http2",
        "header_case",
    ],
    hints: &[
        ("server", "write `servers = [\"…\"]`"),
        ("send-proxy", "write `send_proxy = \"v1\"`"),
        ("send-proxy-v2", "write `send_proxy = \"v2\"`"),
        (
            "check",
            "write `health = \"/path\"` or `health = \"tcp\"`: it holds for all servers of the backend",
        ),
        ("httpchk", "write `health = \"/path\"`"),
        ("option", "`option httpchk` is `health = \"/path\"`"),
        (
            "retries",
            "write `attempts`: the first try counts too, so `retries 3` is `attempts = 4`",
        ),
        ("maxconn", "`max_connections` is a key of each server"),
        (
            "max_connections",
            "`max_connections` is a key of each server",
        ),
        ("maxqueue", "write `queue = { max = … }`"),
        ("algorithm", "write `balance`"),
        (
            "proto",
            "write `protocol = \"h2\"`: it holds for all servers of the backend",
        ),
        ("h2", "write `protocol = \"h2\"`"),
        ("ssl", "write `tls = true`"),
        ("sni", "write it in `tls = { sni = … }`"),
        ("verify", "write it in `tls = { verify = … }`"),
        (
            "mode",
            "`mode` is a key of the `[frontend.NAME]`: a backend takes what comes",
        ),
        ("interval", "write it in `health`"),
        ("inter", "write `interval` in `health`"),
        ("rise", "write it in `health`"),
        ("fall", "write it in `health`"),
        ("nodes", "write `servers = [\"…\"]`"),
        ("endpoints", "write `servers = [\"…\"]`"),
        ("members", "write `servers = [\"…\"]`"),
        ("targets", "write `servers = [\"…\"]`"),
        ("upstream", "write `servers = [\"…\"]`"),
        ("addresses", "write `servers = [\"…\"]`"),
        ("url", "write `servers = [\"…\"]`"),
        ("urls", "write `servers = [\"…\"]`"),
        (
            "health_check",
            "write `health = \"/path\"` or `health = \"tcp\"`",
        ),
        (
            "healthcheck",
            "write `health = \"/path\"` or `health = \"tcp\"`",
        ),
        (
            "health_checks",
            "write `health = \"/path\"` or `health = \"tcp\"`",
        ),
        ("health_uri", "write `health = \"/path\"`"),
        ("health_path", "write `health = \"/path\"`"),
        ("keepalive", "write `pool = { max_idle = … }`"),
        (
            "http_reuse",
            "leave it out: server connections are reused; `pool = { max_idle = 0 }` switches that off",
        ),
        (
            "host_header",
            "the `Host` of a request cannot be changed yet: servers get the client's",
        ),
        (
            "pass_host_header",
            "leave it out: servers get the client's `Host`",
        ),
        ("max_conns", "`max_connections` is a key of each server"),
        (
            "weight",
            "`weight` is a key of each server: `{ address = \"…\", weight = … }`",
        ),
        (
            "backup",
            "`backup` is a key of each server: `{ address = \"…\", backup = true }`",
        ),
        ("ca", "write it in `tls = { ca = … }`"),
        ("ca_file", "write `tls = { ca = \"…\" }`"),
        ("http1", "write `protocol = \"h1\"`"),
        ("grpc", "write `protocol = \"h2\"`"),
        ("listen", "`listen` is a key of a `[frontend.NAME]`"),
        ("route", "routes are written `[[frontend.NAME.route]]`"),
        (
            "read_timeout",
            "write `timeout = { response = \"…\", body = \"…\" }`",
        ),
        (
            "http_send_name_header",
            "naming the server in a field does not exist yet",
        ),
    ],
};

pub(super) const SEND_PROXY: Keys = Keys {
    known: &["version", "authority", "unique_id", "tls"],
    hints: &[
        ("unique-id", "write `unique_id = true`"),
        ("ssl", "write `tls = true`"),
        (
            "cert-cn",
            "write `tls = true`: it says the common name, too",
        ),
        ("sni", "write `authority = true`"),
    ],
};

pub(super) const BACKEND_TIMEOUT: Keys = Keys {
    known: &["connect", "response", "body", "queue"],
    hints: &[
        (
            "server",
            "write `response` (until the response head) and `body` (between two pieces of the body)",
        ),
        (
            "client",
            "deadlines towards clients are `timeout` of a `[frontend.NAME]`",
        ),
        (
            "read",
            "write `response` (until the response head) and `body` (between two pieces of the body)",
        ),
        ("check", "write `timeout` in `health`"),
        (
            "tunnel",
            "`tunnel` is a key of `timeout` in the `[frontend.NAME]`",
        ),
        ("keep_alive", "write `pool = { idle_timeout = \"…\" }`"),
        ("response_header", "write `response`"),
        ("header", "write `response`"),
        (
            "write",
            "leave it out: a server that takes nothing of a request body is ended by `response`",
        ),
        ("idle", "write `pool = { idle_timeout = \"…\" }`"),
        (
            "handshake",
            "write `connect`: it includes the TLS handshake",
        ),
        (
            "total",
            "write `timeout = { exchange = \"…\" }` in the `[frontend.NAME]`",
        ),
    ],
};

pub(super) const BACKEND_LIMITS: Keys = Keys {
    known: &["head", "fields"],
    hints: &[
        (
            "headers",
            "write `fields` for their number, `head` for their size",
        ),
        (
            "body",
            "bodies are passed on as they come: their size has no limit",
        ),
        (
            "body_size",
            "bodies are passed on as they come: their size has no limit",
        ),
        ("header_size", "write `head`"),
        (
            "target",
            "`target` is a key of `limits` in the `[frontend.NAME]`",
        ),
    ],
};

pub(super) const BACKEND_TLS: Keys = Keys {
    known: &[
        "ca",
        "verify",
        "verify_name",
        "fingerprint",
        "sni",
        "certificate",
        "key",
    ],
    hints: &[
        (
            "fingerprints",
            "write `fingerprint`, with a list if there are several",
        ),
        ("pin", "write `fingerprint = \"sha256:…\"`"),
        ("ca_file", "write `ca`"),
        (
            "crt",
            "write `certificate`, and `key` if it is in another file",
        ),
        ("verifyhost", "write `verify_name`"),
        ("server_name", "write `sni`"),
        (
            "insecure_skip_verify",
            "write `verify = \"none\"`; with `ca` it is not needed",
        ),
        (
            "alpn",
            "write `protocol` in the backend: it says what is offered",
        ),
        (
            "certificates",
            "write `certificate`: the one that is shown to servers which ask for one",
        ),
        ("cacert", "write `ca`"),
        ("root_ca", "write `ca`"),
        ("insecure", "write `verify = \"none\"`"),
        ("skip_verify", "write `verify = \"none\"`"),
        (
            "cert",
            "write `certificate`, and `key` if it is in another file",
        ),
        ("min_version", "leave it out: TLS 1.2 and 1.3 are spoken"),
        ("ciphers", "leave it out: all cipher suites here are safe"),
        (
            "crl",
            "lists of revoked server certificates are not read yet",
        ),
    ],
};

pub(super) const BACKEND_HTTP2: Keys = Keys {
    known: &[
        "max_streams",
        "stream_window",
        "ping_interval",
        "ping_timeout",
    ],
    hints: &[
        ("max_concurrent_streams", "write `max_streams`"),
        (
            "connection_window",
            "leave it out: it is `max_streams` times `stream_window`, so that no stream waits for another",
        ),
        ("window", "write `stream_window`"),
        ("keep_alive", "write `ping_interval` and `ping_timeout`"),
        ("idle-ping", "write `ping_interval`"),
    ],
};

pub(super) const QUEUE: Keys = Keys {
    known: &["max"],
    hints: &[
        (
            "timeout",
            "write `timeout = { queue = \"…\" }` in the backend",
        ),
        ("length", "write `max`"),
        ("size", "write `max`"),
    ],
};

pub(super) const POOL: Keys = Keys {
    known: &["max_idle", "idle_timeout", "max_age", "max_requests"],
    hints: &[
        ("pool-max-conn", "write `max_idle`"),
        ("pool-purge-delay", "write `idle_timeout`"),
        (
            "max_connections",
            "`max_connections` is a key of each server; `max_idle` bounds what is kept for reuse",
        ),
        ("size", "write `max_idle`"),
        ("max_idle_conns", "write `max_idle`"),
        ("ttl", "write `max_age`"),
        ("idle", "write `idle_timeout`"),
    ],
};

pub(super) const SERVER: Keys = Keys {
    known: &["name", "address", "weight", "max_connections", "backup"],
    hints: &[
        ("maxconn", "write `max_connections`"),
        ("addr", "write `address`"),
        ("host", "write `address = \"IP:port\"`"),
        ("port", "write `address = \"IP:port\"`"),
        ("url", "write `address = \"IP:port\"`"),
        (
            "check",
            "write `health` in the backend: it holds for all its servers",
        ),
        (
            "health",
            "write `health` in the backend: it holds for all its servers",
        ),
        ("inter", "write `interval` in the backend's `health`"),
        ("ssl", TLS_OF_BACKEND),
        ("tls", TLS_OF_BACKEND),
        ("verify", TLS_OF_BACKEND),
        ("sni", TLS_OF_BACKEND),
        ("ca-file", TLS_OF_BACKEND),
        ("crt", TLS_OF_BACKEND),
        ("interval", "write it in the backend's `health`"),
        ("rise", "write it in the backend's `health`"),
        ("fall", "write it in the backend's `health`"),
        (
            "disabled",
            "write `weight = 0`: the server takes no new traffic",
        ),
        ("ip", "write `address = \"IP:port\"`"),
        ("id", "write `name`"),
        ("max_conns", "write `max_connections`"),
        (
            "down",
            "write `weight = 0`: the server takes no new traffic",
        ),
        (
            "enabled",
            "leave it out; a server with `weight = 0` takes no new traffic",
        ),
        (
            "drain",
            "write `weight = 0`: the server takes no new traffic",
        ),
        (
            "priority",
            "write `backup = true` on the servers that are used last",
        ),
        (
            "protocol",
            "write it in the backend: it holds for all its servers",
        ),
        (
            "proto",
            "write `protocol = \"h2\"` in the backend: it holds for all its servers",
        ),
        (
            "send_proxy",
            "write `send_proxy` in the backend: it holds for all its servers",
        ),
        (
            "send_proxy_v2",
            "write `send_proxy` in the backend: it holds for all its servers",
        ),
        (
            "timeout",
            "write it in the backend: it holds for all its servers",
        ),
        ("maxqueue", "write `queue = { max = … }` in the backend"),
        (
            "minconn",
            "leave it out: `max_connections` is the only bound",
        ),
    ],
};

const TLS_OF_BACKEND: &str = "write `tls = true` in the `[backend.NAME]`, or `[backend.NAME.tls]` with its keys: \
     it holds for all servers of the backend";

pub(super) const HEALTH: Keys = Keys {
    known: &[
        "type",
        "path",
        "host",
        "headers",
        "status",
        "body",
        "interval",
        "fast_interval",
        "timeout",
        "rise",
        "fall",
        "port",
        "initial",
    ],
    hints: &[
        ("inter", "write `interval`"),
        ("fastinter", "write `fast_interval`"),
        (
            "downinter",
            "leave it out: servers that are down are checked every `interval`",
        ),
        ("uri", "write `path`"),
        ("header", "write `headers`"),
        ("expect", "write `status` or `body`"),
        ("method", "leave it out: a check is a GET"),
        ("url", "write `path`"),
        ("endpoint", "write `path`"),
        ("period", "write `interval`"),
        ("frequency", "write `interval`"),
        ("every", "write `interval`"),
        ("unhealthy_threshold", "write `fall`"),
        ("failure_threshold", "write `fall`"),
        ("retries", "write `fall`"),
        ("healthy_threshold", "write `rise`"),
        ("success_threshold", "write `rise`"),
        ("expected_status", "write `status`"),
        ("expect_status", "write `status`"),
        ("status_code", "write `status`"),
        ("status_codes", "write `status`"),
        ("rstatus", "write `status = \"200-399\"`"),
        ("expected_body", "write `body`"),
        ("expect_string", "write `body`"),
        (
            "rstring",
            "regular expressions do not exist yet; `body` is a text that the answer must contain",
        ),
        ("string", "write `body`"),
        ("hostname", "write `host`"),
        ("tls", "leave it out: checks use the backend's `tls`"),
        ("ssl", "leave it out: checks use the backend's `tls`"),
        ("scheme", "leave it out: checks use the backend's `tls`"),
        ("protocol", "write `type`: \"http\" or \"tcp\""),
        (
            "start_period",
            "leave it out: a server takes traffic after its first passed check",
        ),
        (
            "initial_delay",
            "leave it out: a server takes traffic after its first passed check",
        ),
        ("enabled", "write `health = \"off\"` to switch checks off"),
        ("check", "write `health = \"/path\"` or `health = \"tcp\"`"),
    ],
};

/// Every table of keys with its path, `NAME` being what the user chooses.
#[cfg(test)]
pub(super) const ALL: &[(&str, &Keys)] = &[
    ("", &TOP),
    ("process", &PROCESS),
    ("log", &LOG),
    ("log.access", &LOG_ACCESS),
    ("reload", &RELOAD),
    ("shutdown", &SHUTDOWN),
    ("admin", &ADMIN),
    ("defaults", &DEFAULTS),
    ("defaults.frontend", &DEFAULT_FRONTEND),
    ("defaults.backend", &DEFAULT_BACKEND),
    ("frontend.NAME", &FRONTEND),
    ("frontend.NAME.listen", &BIND),
    ("frontend.TCP.listen", &TCP_BIND),
    ("frontend.NAME.tls", &FRONTEND_TLS),
    ("frontend.NAME.tls.certificates", &CERTIFICATE),
    ("frontend.NAME.tls.client_auth", &CLIENT_AUTH),
    ("frontend.NAME.tls.names.NAME", &TLS_NAME),
    ("frontend.NAME.timeout", &FRONTEND_TIMEOUT),
    ("frontend.NAME.limits", &FRONTEND_LIMITS),
    ("frontend.NAME.http2", &FRONTEND_HTTP2),
    ("frontend.NAME.proxy_protocol", &PROXY_PROTOCOL),
    ("frontend.NAME.forwarding", &FORWARDING),
    (
        "frontend.NAME.forwarding.client_certificate",
        &CLIENT_FIELDS,
    ),
    ("frontend.NAME.rule", &RULE),
    ("frontend.NAME.rule.return", &RETURN),
    ("frontend.NAME.rule.redirect", &REDIRECT),
    ("frontend.NAME.route", &ROUTE),
    ("frontend.NAME.passthrough", &TCP_ROUTE),
    ("frontend.TCP", &TCP_FRONTEND),
    ("frontend.TCP.timeout", &TCP_TIMEOUT),
    ("frontend.TCP.route", &TCP_ROUTE),
    ("backend.NAME", &BACKEND),
    ("backend.NAME.send_proxy", &SEND_PROXY),
    ("backend.NAME.timeout", &BACKEND_TIMEOUT),
    ("backend.NAME.limits", &BACKEND_LIMITS),
    ("backend.NAME.tls", &BACKEND_TLS),
    ("backend.NAME.http2", &BACKEND_HTTP2),
    ("backend.NAME.queue", &QUEUE),
    ("backend.NAME.pool", &POOL),
    ("backend.NAME.servers", &SERVER),
    ("backend.NAME.health", &HEALTH),
];
