//! `[frontend.NAME]`.

use http::HeaderName;

use crate::base::Position;
use crate::config::page::{Page, peers as shown_peers, string, strings};
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{ClientField, Frontend, HeaderCase, Mode, OddNames, RequestIds};

use super::bind::{self, BIND, socket_mode};
use super::compression::COMPRESSION;
use super::connection_rule::{self, CONNECTION_RULE, CONTENT_RULE};
use super::error_page::{self, ERROR_PAGE_SHAPE};
use super::forwarding::{FORWARDING, request_id};
use super::http2::FRONTEND_HTTP2;
use super::kind::{Inner, Shape};
use super::limits::FRONTEND_LIMITS;
use super::peers::{self, PROXY_SHAPE, peers};
use super::route::{ROUTE, TCP_ROUTE};
use super::rule::{self, RULE};
use super::timeout::FRONTEND_TIMEOUT;
use super::tls::{FRONTEND_TLS, TLS_HINTS};
use super::words::Words;
use super::{Keys, NO_FIELDS, NO_REQUESTS, Part, key, nameless};

const NO_RULES: &str =
    "in TCP mode there are no requests; write a `[[frontend.NAME.connection_rule]]`";

const OF_EACH: &str = "write it in each `[frontend.NAME]`: it has no value for all of them";

pub(in crate::config) static FRONTEND: Keys<Frontend> = Keys {
    keys: &[
        key("listen")
            .means("Addresses to listen on; \":80\" is IPv4 and IPv6.")
            .also("bind address")
            .not_in_defaults(OF_EACH)
            .compiled_either(
                Shape::List(&Shape::AnyOf(&[Shape::Text, Shape::Table(&BIND)])),
                bind::short,
                bind::long,
            ),
        key("socket_mode")
            .means("The permissions of the file of a Unix socket: who may connect.")
            .not_in_defaults(OF_EACH)
            .compiled(Shape::Text, |frontend| socket_mode(&frontend.binds)),
        key("mode")
            .means("\"http\", or \"tcp\" to pass connections on as they are.")
            .own(Shape::Words(&["http", "tcp"]), mode, |frontend| {
                let words = Mode::WORDS.iter();
                let mut words = words.filter(|(_, mode)| *mode == frontend.mode);
                words.next().map(|(word, _)| string(word))
            }),
        key("backend")
            .means("The backend when no route matches; without it such a request is answered 404.")
            .not_in_defaults(OF_EACH)
            .compiled(Shape::Text, |frontend| {
                frontend.backend.as_ref().map(|backend| string(&backend.name))
            }),
        key("max_connections")
            .means("Client connections at a time; at the limit, accepting pauses.")
            .also("maxconn")
            .number_or("off", i64::MAX, |frontend| &mut frontend.max_connections),
        key("max_connections_per_ip")
            .means("Connections of one client's address at a time; more are closed.")
            .also("limit_conn maxconn_per_ip max_connections_per_client")
            .number_or("off", u32::MAX as i64, |frontend| {
                &mut frontend.max_connections_per_ip
            }),
        key("proxy_protocol")
            .means("Peers that must send a PROXY header: \"off\", \"required\" or a list.")
            .compiled(PROXY_SHAPE, |frontend| {
                bind::proxy_protocol_of_all(frontend).map(peers::shown)
            }),
        key("half_close")
            .means("true: a request continues when the client closes its sending side.")
            .not_in_tcp("leave it out: in TCP mode one side may always send on after the other has closed its sending side")
            .switch(|frontend| &mut frontend.half_close),
        key("trusted_proxies")
            .means("Peers whose X-Forwarded-* and Forwarded fields are used.")
            .also("real_ip")
            .not_in_tcp(NO_FIELDS)
            .own(
                Shape::List(&Shape::Text),
                |_, setting, frontend, report| {
                    frontend.trusted_proxies = peers(setting.list(), report);
                },
                |frontend| Some(shown_peers(&frontend.trusted_proxies)),
            ),
        key("client_field")
            .means("The field in which trusted proxies send the client's address.")
            .not_in_tcp(NO_FIELDS)
            .word(ClientField::words, |frontend| &mut frontend.client_field),
        key("request_id")
            .means("The field with the request's id, taken or made; \"off\": no id is sent.")
            .not_in_tcp(NO_FIELDS)
            .own(Shape::Text, request_id, |frontend| {
                Some(match &frontend.request_id {
                    RequestIds::Off => string("off"),
                    RequestIds::Field(name) => string(name.as_str()),
                })
            }),
        key("field_names")
            .means("What becomes of fields whose names have unusual characters.")
            .not_in_tcp(NO_FIELDS)
            .word(OddNames::words, |frontend| &mut frontend.field_names),
        key("header_case")
            .means("How field names are written to clients.")
            .not_in_tcp(NO_FIELDS)
            .word(HeaderCase::words, |frontend| &mut frontend.header_case),
        key("upgrades")
            .means("Protocols that a client may upgrade to if the server agrees.")
            .not_in_tcp(NO_REQUESTS)
            .own(Shape::List(&Shape::Text), upgrades, |frontend| {
                Some(strings(&frontend.upgrades))
            }),
        key("compression")
            .means("Responses are compressed for clients that accept it.")
            .not_in_tcp(NO_REQUESTS)
            .table(&Inner(&COMPRESSION, |frontend| &mut frontend.compression)),
        key("connection_rule")
            .means("What is done to its connections, before TLS, in the order of the file.")
            .also("tcp_request tcp_request_connection tcp_request_session connection_rules")
            .not_in_defaults(OF_EACH)
            .compiled(
                Shape::List(&Shape::Table(&CONNECTION_RULE)),
                |frontend| connection_rule::shown(&CONNECTION_RULE, &frontend.connection_rules),
            ),
        key("rule")
            .means("What is done to its exchanges, in the order of the file.")
            .not_in_defaults(OF_EACH)
            .not_in_tcp(NO_RULES)
            .compiled(Shape::List(&Shape::Table(&RULE)), |frontend| {
                rule::shown(&frontend.rules)
            }),
        key("content_rule")
            .means("What is done to connections by their first bytes, in the order of the file.")
            .also("tcp_request_content content_rules")
            .not_in_defaults(OF_EACH)
            .compiled(
                Shape::List(&Shape::Table(&CONTENT_RULE)),
                |frontend| connection_rule::shown(&CONTENT_RULE, &frontend.content_rules),
            ),
        key("inspect_delay")
            .means("How long rules for content wait for bytes; \"0s\": they look at what is there.")
            .also("tcp_request_inspect_delay")
            .duration_from_0(|frontend| &mut frontend.inspect_delay),
        key("timeout")
            .means("Deadlines towards clients.")
            .table(&Inner(&FRONTEND_TIMEOUT, |frontend| &mut frontend.timeout)),
        key("limits")
            .means("Bounds of request heads.")
            .not_in_tcp(NO_REQUESTS)
            .table(&Inner(&FRONTEND_LIMITS, |frontend| &mut frontend.limits)),
        key("requires_host")
            .means("false: a request of HTTP/1.1 or HTTP/2 without a host passes, too.")
            .not_in_tcp(NO_REQUESTS)
            .switch(|frontend| &mut frontend.requires_host),
        key("http2")
            .means("HTTP/2 with clients.")
            .not_in_tcp(NO_REQUESTS)
            .table(&Inner(&FRONTEND_HTTP2, |frontend| &mut frontend.http2)),
        key("forwarding")
            .means("Fields about clients in requests to servers.")
            .not_in_tcp(NO_FIELDS)
            .table(&Inner(&FORWARDING, |frontend| &mut frontend.forwarding)),
        key("tls")
            .means("TLS: files or directories of certificates, or a table.")
            .not_in_defaults(OF_EACH)
            .compiled_tables(
                Shape::AnyOf(&[Shape::List(&Shape::Text), Shape::Table(&FRONTEND_TLS)]),
                |frontend, path, page| {
                    if let Some(tls) = bind::tls_of_all(frontend) {
                        page.table(path);
                        FRONTEND_TLS.whole().show(path, tls, page);
                    }
                },
            ),
        key("error_page")
            .means("What clients get in place of the usual text of Evenkeel's own answers.")
            .also("error_pages errorfile errorfiles errorloc handle_errors http_error http_errors")
            .not_in_tcp(NO_REQUESTS)
            .compiled(ERROR_PAGE_SHAPE, |frontend| {
                error_page::shown(&frontend.error_pages)
            }),
        key("passthrough")
            .means("Names whose TLS connections are passed on as they are.")
            .not_in_defaults(OF_EACH)
            .not_in_tcp("write a `[[frontend.NAME.route]]`: in TCP mode all connections pass as they are")
            .compiled_tables(
                Shape::List(&Shape::Table(&TCP_ROUTE)),
                |frontend, path, page| {
                    if frontend.mode == Mode::Http {
                        tcp_routes(frontend, path, page);
                    }
                },
            ),
        key("route")
            .means("Where requests go: the first route that matches wins.")
            .not_in_defaults(OF_EACH)
            .compiled_tables(
                Shape::List(&Shape::AnyOf(&[
                    Shape::Table(&ROUTE),
                    Shape::Table(&TCP_ROUTE),
                ])),
                |frontend, path, page| match frontend.mode {
                    Mode::Http => {
                        for route in &frontend.routes {
                            page.element(path);
                            ROUTE.whole().show(path, route, page);
                        }
                    }
                    Mode::Tcp => tcp_routes(frontend, path, page),
                },
            ),
    ],
    hints: r#"
        ssl crt certificate https ssl_certificate: write `tls = "/path/to/fullchain.pem"`
        default_backend: write `backend`: it is used when no route matches
        use_backend: write a `[[frontend.NAME.route]]` with its `backend`
        accept_proxy: write `proxy_protocol = "required"`, or `{ from = ["10.0.0.0/8"] }`
        routes: write each route as `[[frontend.NAME.route]]`
        acl: conditions are keys of a `[[frontend.NAME.route]]`: `host`, `path`, `method`, `header`, `query`
        servers server: servers are written in a `[backend.NAME]`, which `backend` names
        sni: write `mode = "tcp"` to pass connections on by the name that TLS asks for
        websocket upgrade: write `upgrades = ["websocket"]`, which is the default
        option: `option forwardfor` is the default here; see `forwarding`
        port: write `listen = ":80"`
        host: write a `[[frontend.NAME.route]]` with `host` and `backend`
        path: write a `[[frontend.NAME.route]]` with `path` and `backend`
        redirect_https: write `rule = [{ when = "not ssl_fc", redirect = { scheme = "https" } }]`
        rules: write each rule as `[[frontend.NAME.rule]]`
        http_request: write a `[[frontend.NAME.rule]]`
        http_response: write a `[[frontend.NAME.rule]]` with `on = "response"`
        keep_alive keepalive: write `timeout = { keep_alive = "…" }`
        log: access logs are `[[log.access]]`, for the whole process
        balance: `balance` is a key of the `[backend.NAME]`
        health: `health` is a key of the `[backend.NAME]`
        grpc: leave it out: gRPC passes; its backend needs `protocol = "h2"`
        http1: leave it out: HTTP/1.1 is always spoken
        h2: leave it out: HTTP/2 is on by default; `http2 = { enabled = false }` switches it off
        http_restrict_req_hdr_names underscores_in_headers: write `field_names`: "pass", "drop" or "reject"
    "#,
    more_hints: TLS_HINTS,
    tcp_hints: "
        default_backend: write `backend`
        rules deny reject block: write a `[[frontend.NAME.connection_rule]]` with `reject = true` and `when`
        sni: write it in a `[[frontend.NAME.route]]` with its `backend`
    ",
    default_hints: "
        default_backend: write `backend` in each `[frontend.NAME]`
        option: `option forwardfor` is the default here; see `forwarding`
        balance health attempts: write it in `[defaults.backend]`
        retries: write `attempts` in `[defaults.backend]`: the first try counts too, so `retries 3` is `attempts = 4`
    ",
    default: Some(|| Frontend::new(nameless(), Position::built_in())),
    ..Keys::EMPTY
};

impl Part {
    /// The part of the keys that frontends in `mode` have.
    pub(in crate::config) fn of(mode: Mode) -> Self {
        match mode {
            Mode::Http => Self::Whole,
            Mode::Tcp => Self::Tcp,
        }
    }
}

fn tcp_routes(frontend: &Frontend, path: &str, page: &mut Page) {
    for route in &frontend.tcp_routes {
        page.element(path);
        TCP_ROUTE.whole().show(path, route, page);
    }
}

fn mode(_: &Section<'_>, setting: Setting<'_>, frontend: &mut Frontend, report: &mut Report<'_>) {
    let words = ["https", "ssl", "tls"];
    if let Some(word) = words.iter().find(|word| setting.is_word(word)) {
        report.error(
            setting.span(),
            format!("`mode` cannot be {word:?}"),
            "write `tls = \"/path/to/fullchain.pem\"` and leave `mode` out; to pass TLS on as it is, \
             write `mode = \"tcp\"`",
        );
    } else if let Some(mode) = Mode::of(setting, report) {
        frontend.mode = mode;
    }
}

fn upgrades(
    _: &Section<'_>,
    setting: Setting<'_>,
    frontend: &mut Frontend,
    report: &mut Report<'_>,
) {
    let mut upgrades: Vec<String> = Vec::new();
    for item in setting.list() {
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
    frontend.upgrades = upgrades;
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    HeaderName::from_bytes(text.as_bytes()).is_ok()
}
