//! What people write from HAProxy, nginx, Traefik and Caddy that does not exist here, or is written
//! elsewhere or in another form.
//!
//! Keys with another name are in `keys`, table by table. Here are words that no table has, and
//! values of a wrong type, each with what to write. Words after an address are in `haproxy_lines`.

use crate::base::quote::beginning;
use crate::base::units::parse_duration;
use crate::config::raw::{Kind, Value};

/// Words of no table, and the answers to them; `-` and `_` are the same. An answer begins with the
/// words to search the documentation for.
const ABSENT: &str = r#"
    affinity cookie hash hash_type ip_hash persistence session_affinity stick stick_on sticky
    sticky_session sticky_sessions:
        stickiness does not exist yet: each request goes to the server whose turn it is, for every client
    stick_table table:
        write a `[table.NAME]` at the top of the file, and a rule with `track = { table = "NAME", key = "src" }`
    peers:
        tables are not shared with other machines: each counts for itself
    limit_req rate rate_limit rate_limits ratelimit throttle:
        write a rule: `rule = [{ rate_limit = { key = "src", rate = "100/10s" } }]`
    limit_conn limit_rate rate_limit_sessions in_flight_req inflightreq:
        such limits do not exist yet; `max_connections` of a frontend bounds its connections, and `max_connections` of a server bounds its requests in flight
    auth auth_basic basic_auth basicauth http_auth user_list userlist:
        write a rule: `rule = [{ auth = { realm = "…", users = { joe = "$6$…" } } }]`, with hashes by `openssl passwd -6`
    auth_jwt bearer jwt oauth oidc:
        write a rule: `rule = [{ jwt = { file = "keys.json", issuer = "https://…", audience = "…" } }]`
    auth_request digestauth forward_auth forwardauth:
        other services are not asked yet; a rule can ask for a password or a token: `rule = [{ auth = { … } }]`, `rule = [{ jwt = { … } }]`
    allow allowlist block blacklist deny denylist ip_allowlist ip_whitelist ipallowlist ipwhitelist
    satisfy source_range whitelist:
        write a rule: `rule = [{ when = 'src not in ["10.0.0.0/8"]', deny = 403 }]`; a route can require a client certificate: `client_certificate = "required"`
    add_prefix addprefix handle_path path_prefix_rewrite path_rewrite replace_path reqrep rewrite
    rewrite_target set_path set_uri strip_path_prefix strip_prefix stripprefix uri_strip_prefix:
        write a rule: `rule = [{ set_path = "/new%[path]" }]`
    add_header add_headers custom_request_headers custom_response_headers del_header header_down
    header_up http_after_response more_set_headers proxy_hide_header proxy_set_header remove_header
    replace_header request_headers response_headers set_header set_headers cors csp hsts expires:
        write a rule: `rule = [{ set_header = { x-name = "value" } }]`, with `on = "response"` for answers
    handle http_request http_response middleware middlewares plugin plugins policies policy rule
    rules tcp_request tcp_response:
        write `rule = [{ when = "…", deny = 403 }]` in a frontend, a route or a backend; a `[[frontend.NAME.route]]` chooses the backend
    use_server:
        write a rule of the backend: `rule = [{ when = "…", use_server = "name" }]`
    filter filters lua_load lua spoe wasm script:
        filters and scripts do not exist: Evenkeel runs no code of its users
    http_request_redirect redir redirect redirects redirect_regex redirect_scheme:
        write a rule: `rule = [{ when = "not ssl_fc", redirect = { scheme = "https" } }]`
    autoindex file_server index respond return root static static_response try_files:
        write a rule: `rule = [{ return = { status = 200, body = "…" } }]`; Evenkeel serves no files
    error_page error_pages errorfile errorfiles errorloc errors handle_errors http_error http_errors:
        write `error_page = [{ status = 503, file = "503.html" }]` in a frontend or a backend
    maintenance:
        write a rule: `rule = [{ when = "…", return = { status = 503, file = "maintenance.html" } }]`
    monitor_uri:
        write a rule: `rule = [{ monitor = "/healthz" }]`
    brotli compress encode gzip gzip_types zstd:
        write `compression = { algorithms = ["zstd", "br", "gzip"] }` in a frontend or a backend
    cache caching proxy_cache:
        a cache does not exist yet: every request goes to a server
    client_max_body_size max_body max_body_size max_request_body_bytes request_body:
        write a rule: `rule = [{ max_body = "1MiB" }]`
    buffer buffering buffers proxy_buffering proxy_request_buffering:
        bodies are passed on as they come: they are not buffered
    slow_start slowstart slow_start_config:
        slow start does not exist yet: a server that comes up gets its full share at once
    circuit_breaker error_limit fail_timeout max_fails observe on_error outlier_detection
    passive_health unhealthy_status:
        servers are not judged by their answers to clients yet, only by active checks: `health` of the backend
    agent_addr agent_check agent_inter agent_port:
        agent checks do not exist yet; `health` of the backend can check a page of the server
    on_marked_down on_marked_up shutdown_sessions:
        a server that goes down gets no new requests; those in flight run on until their own timeouts. This cannot be changed yet
    discovery dns dynamic_upstreams hostname init_addr resolve resolve_prefer resolver resolvers
    server_template:
        names of servers are not resolved yet: write IP addresses in `servers`
    bind_address interface proxy_bind source usesrc:
        the source address of server connections cannot be set yet: the system chooses it
    acme auto_https cert_resolver certresolver letsencrypt:
        Evenkeel gets no certificates by ACME yet; what certbot or lego renews is served within seconds: `tls = "/etc/letsencrypt/live/NAME/fullchain.pem"`
    alt_svc h3 http3 quic:
        HTTP/3 does not exist yet
    mirror mirrors shadow:
        mirroring does not exist yet: each request goes to one backend
    canary split split_clients traffic_split weighted:
        write `split = { stable = 95, canary = 5 }` in a `[[frontend.NAME.route]]`
    access_log error_log httplog log_format logger logging syslog:
        access logs are `[[log.access]]` with `to = "…"` and `format = "haproxy-http"`, for the whole process
    tracing opentelemetry otel otlp zipkin:
        tracing does not exist yet; `request_id` of a frontend names a request in every log
    unique_id_format unique_id_header:
        write `request_id = "x-request-id"` in the `[frontend.NAME]`; rules read the id as `unique-id`
    chroot daemon gid group master_worker nbproc pidfile uid user worker_rlimit_nofile ulimit_n:
        leave it out: user, limits and supervision are set by systemd (see packaging/evenkeel.service) or by the container
    stats_socket stats dashboard metrics prometheus status api:
        metrics and status are on the `[admin]` listener
    proxy_read_timeout read_timeout response_header_timeout timeout_server:
        write `timeout = { response = "…", body = "…" }` in the `[backend.NAME]`
    connect_timeout dial_timeout proxy_connect_timeout timeout_connect:
        write `timeout = { connect = "…" }` in the `[backend.NAME]`
    client_body_timeout proxy_send_timeout send_timeout timeout_client write_timeout:
        write `timeout = { body = "…" }` in the `[frontend.NAME]`
    client_header_timeout read_header_timeout timeout_http_request:
        write `timeout = { head = "…" }` in the `[frontend.NAME]`
    idle_timeout keepalive_timeout timeout_http_keep_alive:
        write `timeout = { keep_alive = "…" }` in the `[frontend.NAME]`, and `pool = { idle_timeout = "…" }` in the `[backend.NAME]`
    retry retry_on retry_policy proxy_next_upstream proxy_next_upstream_tries:
        write `retry = { on = ["connect", "empty", "503"], attempts = … }` in the `[backend.NAME]`
    redispatch option_redispatch:
        leave it out: each attempt goes to another server; `attempts` in the `[backend.NAME]` says how many there are
    forwardfor option_forwardfor x_forwarded_for xff:
        write `forwarding = { x_forwarded = true }` in the `[frontend.NAME]`; it is the default
    real_ip_header set_real_ip_from trusted_ips forwarded_headers:
        write `trusted_proxies` and `client_field` in the `[frontend.NAME]`
    entry_points entrypoints listener listeners:
        write `listen` in a `[frontend.NAME]`
    location locations routers server_name match:
        write each route as `[[frontend.NAME.route]]` with `host`, `path` and `backend`
    cluster clusters load_balancer loadbalancer proxy_pass reverse_proxy services upstreams:
        a group of servers is a `[backend.NAME]` with `servers = ["…"]`
    lb_policy lb_method strategy balancer:
        write `balance` in the `[backend.NAME]`
    enabled:
        leave it out; what can be switched off has the value "off" or `false`
"#;

/// Methods of balancing that do not exist yet.
pub(super) const ABSENT_METHODS: &[&str] = &[
    "consistent-hash",
    "cookie",
    "first",
    "hash",
    "hdr",
    "header",
    "ip-hash",
    "ip_hash",
    "maglev",
    "p2c",
    "power-of-two",
    "random",
    "ring-hash",
    "sni",
    "source",
    "uri",
    "url_param",
];

/// The answer to `word` as a key that no table has, if it is a known word of another program.
pub(super) fn absent(word: &str) -> Option<&'static str> {
    let word = fold(word);
    let mut known = answers().filter(|(words, _)| words.contains(&word.as_str()));
    known.next().map(|(_, answer)| answer)
}

/// `hint` says what to write for a word that is on. For the word with `value`: if that means off,
/// the opposite.
pub(super) fn for_value(word: &str, hint: String, value: &Value) -> String {
    let is_off = match &value.kind {
        Kind::Boolean(value) => !value,
        Kind::String(text) if text.is_as_written() => switch(&text.value) == Some(false),
        _ => false,
    };
    if !is_off {
        return hint;
    }
    let leave_out = [
        "disabled",
        "down",
        "drain",
        "insecure",
        "insecure_skip_verify",
        "redirect_https",
        "skip_verify",
    ];
    if leave_out.contains(&fold(word).as_str()) {
        return "leave it out: it is off by default".to_owned();
    }
    let turned = [
        (" = true", " = false"),
        (" = false", " = true"),
        (
            "`proxy_protocol = \"required\"`",
            "`proxy_protocol = \"off\"`",
        ),
        ("`send_proxy = \"v2\"`", "`send_proxy = \"off\"`"),
        ("`protocol = \"h2\"`", "`protocol = \"h1\"`"),
        (
            "`upgrades = [\"websocket\"]`, which is the default",
            "`upgrades = []`",
        ),
        (
            "write `tls = \"/path/to/fullchain.pem\"`",
            "leave `tls` out",
        ),
        (
            "write `health` in the backend: it holds for all its servers",
            NOT_ONE,
        ),
    ];
    let turn = turned.into_iter().find(|(on, _)| hint.contains(on));
    match turn {
        Some((on, off)) => hint.replace(on, off),
        None => hint,
    }
}

const NOT_ONE: &str =
    "one server cannot be left out of checks: put it into a backend without `health`";

/// The entries of [`ABSENT`].
fn answers() -> impl Iterator<Item = (Vec<&'static str>, &'static str)> {
    let mut words = Vec::new();
    ABSENT.lines().filter_map(move |line| {
        if let Some(answer) = line.strip_prefix("        ") {
            return Some((std::mem::take(&mut words), answer));
        }
        words.extend(line.trim_end_matches(':').split_whitespace());
        None
    })
}

/// `word` in the spelling for comparisons: HAProxy has `-` where TOML has `_`.
pub(super) fn fold(word: &str) -> String {
    word.to_ascii_lowercase().replace('-', "_")
}

/// The switch that a word or a number means.
pub(super) fn switch(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" | "enabled" => Some(true),
        "false" | "off" | "no" | "0" | "disabled" => Some(false),
        _ => None,
    }
}

/// What to write instead of `value`, where `key` in the table `title` wants a table of its own keys.
pub(super) fn short_form(title: &str, key: &str, value: &Value) -> Option<String> {
    let is_frontend = title.contains("[frontend.");
    let (text, switch) = match &value.kind {
        Kind::String(text) if text.is_as_written() => {
            (Some(format!("{:?}", text.value)), switch(&text.value))
        }
        Kind::Integer(number) => (Some(number.to_string()), None),
        Kind::Boolean(value) => (None, Some(*value)),
        _ => (None, None),
    };
    let text = || text.clone().unwrap_or_else(|| "…".to_owned());
    let help = match (key, switch) {
        ("retry", Some(false)) => "write `attempts = 1`".to_owned(),
        ("retry", _) => match &value.kind {
            Kind::Integer(number) => {
                format!("write `attempts = {number}` or `retry = {{ attempts = {number} }}`")
            }
            Kind::Array(items) => format!("write `retry = {{ on = [{}] }}`", shown(items)),
            Kind::String(_) => format!("write `retry = {{ on = [{}] }}`", text()),
            _ => return None,
        },
        ("health", Some(false)) if title.contains(".servers.") => NOT_ONE.to_owned(),
        ("health", Some(true)) if title.contains(".servers.") => {
            "leave it out: the backend's `health` holds for all its servers".to_owned()
        }
        ("health", None) if title.contains(".servers.") => match &value.kind {
            Kind::Integer(number) => format!("write `health = {{ port = {number} }}`"),
            _ => "what is checked is in the backend's `health`; here are only `address`, `port` and `tls`"
                .to_owned(),
        },
        ("http2", Some(true)) if is_frontend => {
            "leave `http2` out: HTTP/2 is on by default".to_owned()
        }
        ("http2", Some(false)) if is_frontend => "write `http2 = { enabled = false }`".to_owned(),
        ("http2", Some(true)) => "write `protocol = \"h2\"`".to_owned(),
        ("http2", Some(false)) => "write `protocol = \"h1\"`".to_owned(),
        ("timeout", _) if is_frontend => format!(
            "write which timeout: `timeout = {{ body = {} }}`; there are `head`, `body`, `keep_alive`, \
             `exchange`, `handshake` and `tunnel`",
            text()
        ),
        ("timeout", _) => format!(
            "write which timeout: `timeout = {{ response = {} }}`; there are `connect`, `response`, \
             `body` and `queue`",
            text()
        ),
        ("limits", Some(_)) => "leave `limits` out: heads always have limits".to_owned(),
        ("limits", None) => format!("write which limit: `limits = {{ head = {} }}`", text()),
        ("forwarding", Some(value)) => format!("write `forwarding = {{ x_forwarded = {value} }}`"),
        ("queue", Some(false)) => "write `queue = { max = 0 }`".to_owned(),
        ("queue", Some(true)) => "leave `queue` out: it is on by default".to_owned(),
        ("queue", None) if is_duration(value) => {
            format!("write `timeout = {{ queue = {} }}`", text())
        }
        ("queue", None) => format!("write `queue = {{ max = {} }}`", number(value)),
        ("pool", Some(false)) => "write `pool = { max_idle = 0 }`".to_owned(),
        ("pool", Some(true)) => "leave `pool` out: it is on by default".to_owned(),
        ("pool", None) if is_duration(value) => {
            format!("write `pool = {{ idle_timeout = {} }}`", text())
        }
        ("pool", None) => format!("write `pool = {{ max_idle = {} }}`", number(value)),
        ("return", _) => match &value.kind {
            Kind::String(text) if text.is_as_written() => format!(
                "write `return = {{ status = 200, body = {:?} }}`",
                &*beginning(&text.value)
            ),
            _ => format!("write `return = {{ status = {} }}`", number(value)),
        },
        ("redirect", _) => match &value.kind {
            Kind::String(text) if text.value == "https" => {
                "write `redirect = { scheme = \"https\" }`".to_owned()
            }
            Kind::String(text) if text.is_as_written() => format!(
                "write `redirect = {{ location = {:?} }}`",
                &*beginning(&text.value)
            ),
            _ => return None,
        },
        ("admin", Some(false)) => "write `admin = { listen = \"off\" }`".to_owned(),
        ("admin", Some(true)) => "leave `admin` out: it is on by default".to_owned(),
        ("admin", None) => format!("write `admin = {{ listen = {} }}`", text()),
        ("access", Some(false)) => "write `access = { to = \"off\" }`".to_owned(),
        ("access", Some(true)) => "leave `access` out: the access log is on by default".to_owned(),
        ("access", None) => format!("write `access = {{ to = {} }}`", text()),
        ("log", _) => format!("write `log = {{ level = {} }}`", text()),
        ("reload", Some(value)) => format!("write `reload = {{ watch = {value} }}`"),
        ("shutdown", _) => format!("write `shutdown = {{ timeout = {} }}`", text()),
        ("process", _) => format!("write `process = {{ workers = {} }}`", text()),
        ("client_auth", Some(true)) => {
            "write `client_auth = { mode = \"required\", ca = \"/path/to/ca.pem\" }`".to_owned()
        }
        ("client_auth", Some(false)) => "write `client_auth = \"off\"`".to_owned(),
        ("client_certificate", _) => {
            "write which fields: `client_certificate = { subject = \"x-client-subject\" }`"
                .to_owned()
        }
        _ => return None,
    };
    Some(help)
}

/// `value` as a number, for a suggestion.
fn number(value: &Value) -> String {
    let number = match &value.kind {
        Kind::Integer(number) => Some(*number),
        Kind::String(text) if text.is_as_written() => text.value.trim().parse().ok(),
        _ => None,
    };
    let number = number.filter(|number| *number >= 0);
    number.map_or_else(|| "…".to_owned(), |number: i64| number.to_string())
}

fn is_duration(value: &Value) -> bool {
    match &value.kind {
        Kind::String(text) => text.is_as_written() && parse_duration(&text.value).is_ok(),
        _ => false,
    }
}

/// The items of a list as they are written.
fn shown(items: &[Value]) -> String {
    let items = items.iter().map(|item| match &item.kind {
        Kind::String(text) if text.is_as_written() => format!("{:?}", text.value),
        Kind::Integer(number) => format!("\"{number}\""),
        _ => "…".to_owned(),
    });
    items.collect::<Vec<String>>().join(", ")
}

/// The table for a condition, or for the fields of a check, that is written as text:
/// `header = "x-tenant: blue"`.
pub(super) fn conditions(key: &str, value: &Value) -> Option<String> {
    let items = match &value.kind {
        Kind::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let pairs: Vec<String> = items
        .iter()
        .filter_map(|item| match &item.kind {
            Kind::String(text) if text.is_as_written() => pair(&text.value),
            _ => None,
        })
        .collect();
    if pairs.is_empty() || pairs.len() < items.len() {
        return None;
    }
    Some(format!("write `{key} = {{ {} }}`", pairs.join(", ")))
}

/// `x-tenant: blue`, `x-tenant=blue` or `x-tenant` as TOML.
fn pair(text: &str) -> Option<String> {
    let (name, value) = text.split_once([':', '=']).unwrap_or((text, "*"));
    let (name, value) = (name.trim(), value.trim());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(is_plain) {
        return None;
    }
    Some(format!("{name} = {value:?}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn absent_words_are_no_keys_and_are_answered_in_both_spellings() {
        let mut seen = HashSet::new();
        assert!(answers().count() > 30);
        for (words, said) in answers() {
            assert!(!words.is_empty(), "{said}");
            for word in words {
                assert_eq!(fold(word), word);
                assert!(seen.insert(word), "{word} is answered twice");
                assert_eq!(absent(&word.replace('_', "-")), Some(said), "{word}");
                assert_eq!(absent(word), Some(said), "{word}");
            }
        }
        assert_eq!(absent("colour"), None);
    }
}
