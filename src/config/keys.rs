//! Every key that the format knows, table by table, and the words that people bring from HAProxy.
//!
//! `section` refuses what does not stand here; `conf/full.toml` is held to these tables by a test,
//! and so is the claim that each key changes the plan.

use crate::config::habits;

/// The keys of one kind of table.
pub(super) struct Keys {
    pub(super) known: &'static [&'static str],
    /// A word that is not known, and what to write instead.
    pub(super) hints: &'static [(&'static str, &'static str)],
}

impl Keys {
    /// What to write instead of `written`, when that is a word we expect from people's habits.
    pub(super) fn hint(&self, written: &str) -> Option<&'static str> {
        self.hints
            .iter()
            .find(|(word, _)| *word == written)
            .map(|(_, hint)| *hint)
            .or_else(|| habits::absent(written))
    }
}

pub(super) const TOP: Keys = Keys {
    known: &[
        "include", "process", "log", "reload", "shutdown", "admin", "frontend", "backend",
    ],
    hints: &[
        (
            "global",
            "settings of the process are `[process]`, `[log]`, `[reload]`, `[shutdown]` and `[admin]`",
        ),
        (
            "defaults",
            "every key has a default; write the others in each `[frontend.NAME]` and `[backend.NAME]`",
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
    ],
};

pub(super) const PROCESS: Keys = Keys {
    known: &["workers", "max_connections"],
    hints: &[
        ("maxconn", "write `max_connections`"),
        ("nbthread", "write `workers`"),
        ("threads", "write `workers`"),
    ],
};

pub(super) const LOG: Keys = Keys {
    known: &["level", "format", "access"],
    hints: &[(
        "to",
        "`to` is a key of `[log.access]`; events go to standard error",
    )],
};

pub(super) const LOG_ACCESS: Keys = Keys {
    known: &["to"],
    hints: &[
        ("file", "write `to = \"/path/to/file\"`"),
        ("path", "write `to = \"/path/to/file\"`"),
    ],
};

pub(super) const RELOAD: Keys = Keys {
    known: &["watch"],
    hints: &[],
};

pub(super) const SHUTDOWN: Keys = Keys {
    known: &["grace", "timeout", "tunnels"],
    hints: &[
        ("grace_period", "write `grace`"),
        ("hard_stop_after", "write `timeout`"),
        ("hard-stop-after", "write `timeout`"),
    ],
};

pub(super) const ADMIN: Keys = Keys {
    known: &["listen", "socket_mode"],
    hints: &[("bind", "write `listen`"), ("address", "write `listen`")],
};

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
        "header_case",
        "upgrades",
        "passthrough",
        "route",
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
        (
            "accept-proxy",
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
        ("ca_file", "write `ca`"),
        ("crl-file", "write `crl`"),
        ("crl_file", "write `crl`"),
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
    ],
};

pub(super) const FRONTEND_TIMEOUT: Keys = Keys {
    known: &[
        "head",
        "body",
        "keep_alive",
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
        ("http_request", "write `head`"),
        ("request", "write `head`"),
        ("http-keep-alive", "write `keep_alive`"),
        ("http_keep_alive", "write `keep_alive`"),
        ("idle", "write `keep_alive`"),
        ("websocket", "write `tunnel`"),
        (
            "client-fin",
            "write `tunnel`: it holds while one side has said all, too",
        ),
        (
            "client_fin",
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
    ],
};

pub(super) const FRONTEND_LIMITS: Keys = Keys {
    known: &["head", "fields", "target"],
    hints: &[
        (
            "headers",
            "write `fields` for their number, `head` for their size",
        ),
        ("uri", "write `target`"),
    ],
};

pub(super) const FRONTEND_HTTP2: Keys = Keys {
    known: &[
        "enabled",
        "max_streams",
        "stream_window",
        "connection_window",
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
    known: &["x_forwarded", "forwarded", "via", "client_certificate"],
    hints: &[
        (
            "x_forwarded_for",
            "write `x_forwarded`: it stands for `-For`, `-Proto` and `-Host`",
        ),
        ("forwardfor", "write `x_forwarded`"),
    ],
};

pub(super) const ROUTE: Keys = Keys {
    known: &[
        "name",
        "host",
        "path",
        "method",
        "header",
        "query",
        "client_certificate",
        "backend",
    ],
    hints: &[
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
    ],
};

pub(super) const BACKEND_LIMITS: Keys = Keys {
    known: &["head", "fields"],
    hints: &[(
        "headers",
        "write `fields` for their number, `head` for their size",
    )],
};

pub(super) const BACKEND_TLS: Keys = Keys {
    known: &["ca", "verify", "verify_name", "sni", "certificate", "key"],
    hints: &[
        ("ca_file", "write `ca`"),
        ("ca-file", "write `ca`"),
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
        ("idle_ping", "write `ping_interval`"),
    ],
};

pub(super) const QUEUE: Keys = Keys {
    known: &["max"],
    hints: &[(
        "timeout",
        "write `timeout = { queue = \"…\" }` in the backend",
    )],
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
        ("ca_file", TLS_OF_BACKEND),
        ("crt", TLS_OF_BACKEND),
        ("interval", "write it in the backend's `health`"),
        ("rise", "write it in the backend's `health`"),
        ("fall", "write it in the backend's `health`"),
        (
            "disabled",
            "write `weight = 0`: the server takes no new traffic",
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
    ("frontend.NAME", &FRONTEND),
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
