//! `[backend.NAME]`.

use crate::base::Position;
use crate::config::haproxy_hints::ABSENT_METHODS;
use crate::config::page::{rows, string};
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{Backend, Balance, HeaderCase, Pool, Protocol, Queue};

use super::compression::COMPRESSION;
use super::error_page::{self, ERROR_PAGE_SHAPE};
use super::health::HEALTH;
use super::http2::BACKEND_HTTP2;
use super::kind::{Inner, Shape};
use super::limits::BACKEND_LIMITS;
use super::retry::{MOST_ATTEMPTS, RETRY};
use super::rule::{self, RULE};
use super::send_proxy::{SEND_PROXY, SEND_PROXY_SHAPE, send_proxy};
use super::server::SERVER;
use super::timeout::BACKEND_TIMEOUT;
use super::tls::{SERVER_TLS, SERVER_TLS_SHAPE};
use super::words::{Word, Words};
use super::{Keys, key, nameless};

/// The most exchanges that can wait for one backend: each holds the buffers of a client.
const MOST_WAITING: i64 = 1_000_000;
/// More idle connections to one server than a worker has descriptors for.
const MOST_IDLE: i64 = 1_000_000;

const OF_EACH: &str = "write it in each `[backend.NAME]`: it has no value for all of them";

pub(in crate::config) static BACKEND: Keys<Backend> = Keys {
    keys: &[
        key("balance")
            .means("\"round-robin\" (in turn, by weight), or \"least-connections\".")
            .also("algorithm")
            .own(
                Shape::Words(&["round-robin", "least-connections"]),
                balance,
                |backend| Some(string(backend.balance.word())),
            ),
        key("send_proxy")
            .means("Send a PROXY header: \"v1\", \"v2\", \"off\" or a table.")
            .own(
                SEND_PROXY_SHAPE,
                |section, setting, backend, report| {
                    backend.send_proxy = send_proxy(section, setting, report);
                },
                |backend| {
                    Some(match &backend.send_proxy {
                        None => string("off"),
                        Some(how) => SEND_PROXY.whole().inline(how),
                    })
                },
            ),
        key("protocol")
            .means("The protocol of the servers: \"h1\", \"h2\", or \"auto\".")
            .word(Protocol::words, |backend| &mut backend.protocol),
        key("rule")
            .means("Rules for what goes to this backend.")
            .not_in_defaults(OF_EACH)
            .compiled(Shape::List(&Shape::Table(&RULE)), |backend| {
                rule::shown(&backend.rules)
            }),
        key("attempts")
            .means("Short for `retry = { attempts = … }`.")
            .not_shown(Shape::Number(1, MOST_ATTEMPTS)),
        key("header_case")
            .means("How field names are written to servers.")
            .word(HeaderCase::words, |backend| &mut backend.header_case),
        key("compression")
            .means(
                "Its responses are compressed for clients that accept it; else as in the frontend.",
            )
            .table(&Inner(&COMPRESSION, |backend| &mut backend.compression)),
        key("error_page")
            .means("What clients get in place of the usual text of Evenkeel's own answers; before the frontend's.")
            .also("error_pages errorfile errorfiles errorloc handle_errors http_error http_errors")
            .compiled(ERROR_PAGE_SHAPE, |backend| {
                error_page::shown(&backend.error_pages)
            }),
        key("servers")
            .means("The servers: addresses, or tables with more keys.")
            .not_in_defaults(OF_EACH)
            .compiled(
                Shape::List(&Shape::AnyOf(&[Shape::Text, Shape::Table(&SERVER)])),
                |backend| {
                    let servers = backend.servers.iter();
                    Some(rows(
                        "  ",
                        servers.map(|server| SERVER.whole().inline(server)),
                    ))
                },
            ),
        key("tls")
            .means("true: TLS to the servers; or a table.")
            .not_in_defaults(OF_EACH)
            .compiled_either(
                SERVER_TLS_SHAPE,
                |backend| backend.tls.is_none().then(|| false.to_string()),
                |backend, path, page| {
                    if let Some(tls) = &backend.tls {
                        page.table(path);
                        SERVER_TLS.whole().show(path, tls, page);
                    }
                },
            ),
        key("timeout")
            .means("Deadlines towards servers.")
            .table(&Inner(&BACKEND_TIMEOUT, |backend| &mut backend.timeout)),
        key("retry")
            .means("How often an exchange is tried, and what another server is tried after.")
            .compiled_tables(Shape::Table(&RETRY), |backend, path, page| {
                page.table(path);
                RETRY.whole().show(path, &backend.retry, page);
            }),
        key("queue")
            .means("Exchanges that wait for a slot.")
            .table(&Inner(&QUEUE, |backend| &mut backend.queue)),
        key("pool")
            .means("Server connections that are kept for reuse.")
            .table(&Inner(&POOL, |backend| &mut backend.pool)),
        key("limits")
            .means("Bounds of response heads.")
            .table(&Inner(&BACKEND_LIMITS, |backend| &mut backend.limits)),
        key("http2")
            .means("HTTP/2 connections to servers.")
            .table(&Inner(&BACKEND_HTTP2, |backend| &mut backend.http2)),
        key("health")
            .means("Active checks: a path, \"tcp\", \"off\", or a table.")
            .compiled_either(
                Shape::AnyOf(&[Shape::Text, Shape::Table(&HEALTH)]),
                |backend| backend.health.is_none().then(|| string("off")),
                |backend, path, page| {
                    if let Some(health) = &backend.health {
                        page.table(path);
                        HEALTH.whole().show(path, health, page);
                    }
                },
            ),
    ],
    hints: r#"
        server nodes endpoints members targets upstream addresses url urls: write `servers = ["…"]`
        send_proxy_v2: write `send_proxy = "v2"`
        check: write `health = "/path"` or `health = "tcp"`: it holds for all servers of the backend
        httpchk health_uri health_path: write `health = "/path"`
        option: `option httpchk` is `health = "/path"`
        retries: write `attempts`: the first try counts too, so `retries 3` is `attempts = 4`
        retry_on retry_policy: write `retry = { on = ["connect", "empty", "503"] }`
        redispatch: leave it out: each attempt goes to another server
        maxconn max_connections max_conns: `max_connections` is a key of each server
        maxqueue: write `queue = { max = … }`
        proto: write `protocol = "h2"`: it holds for all servers of the backend
        h2 grpc: write `protocol = "h2"`
        ssl: write `tls = true`
        sni: write it in `tls = { sni = … }`
        verify: write it in `tls = { verify = … }`
        mode: `mode` is a key of the `[frontend.NAME]`: a backend takes what comes
        interval rise fall: write it in `health`
        inter: write `interval` in `health`
        health_check healthcheck health_checks: write `health = "/path"` or `health = "tcp"`
        keepalive: write `pool = { max_idle = … }`
        http_reuse: leave it out: server connections are reused; `pool = { max_idle = 0 }` switches that off
        host_header: write a rule: `rule = [{ set_header = { host = "…" } }]`
        pass_host_header: leave it out: servers get the client's `Host`
        weight: `weight` is a key of each server: `{ address = "…", weight = … }`
        backup: `backup` is a key of each server: `{ address = "…", backup = true }`
        ca: write it in `tls = { ca = … }`
        ca_file proxy_ssl_trusted_certificate: write `tls = { ca = "…" }`
        proxy_ssl_verify ssl_verify: write `tls = { ca = "…" }`: certificates are verified unless `verify = "none"`
        proxy_ssl: write `tls = true`
        proxy_ssl_name proxy_ssl_server_name: write `tls = { sni = "…" }`
        proxy_ssl_certificate crt: write `tls = { certificate = "…", key = "…" }`
        check_port: write `health = { port = … }`
        check_ssl: write `health = { tls = true }`; by default a check is over TLS if requests are
        no_check_ssl: write `health = { tls = false }`
        http_check: write `health = { path = "/path", host = "…", status = "200-399" }`
        tcp_check: write `health = "tcp"`
        proxy_protocol: write `send_proxy = "v1"` or `"v2"`
        http1: write `protocol = "h1"`
        listen: `listen` is a key of a `[frontend.NAME]`
        route: routes are written `[[frontend.NAME.route]]`
        read_timeout: write `timeout = { response = "…", body = "…" }`
        http_send_name_header: naming the server in a field does not exist yet
    "#,
    default_hints: r#"
        server: write `servers` in each `[backend.NAME]`
        retries: write `attempts`: the first try counts too, so `retries 3` is `attempts = 4`
        maxconn: `max_connections` is a key of each server
        option: `option httpchk` is `health = "/path"`
        mode: write it in `[defaults.frontend]`
    "#,
    default: Some(|| Backend::new(nameless(), Position::built_in())),
    ..Keys::EMPTY
};

static QUEUE: Keys<Queue> = Keys {
    keys: &[key("max")
        .means("Exchanges that can wait for a slot; one more is answered 503.")
        .also("length size")
        .number(0, MOST_WAITING, |queue| &mut queue.max)],
    hints: "timeout: write `timeout = { queue = \"…\" }` in the backend",
    default: Some(Queue::default),
    ..Keys::EMPTY
};

static POOL: Keys<Pool> = Keys {
    keys: &[
        key("max_idle")
            .means("Idle connections to one server that each worker keeps.")
            .also("pool_max_conn size max_idle_conns")
            .number(0, MOST_IDLE, |pool| &mut pool.max_idle),
        key("idle_timeout")
            .means("How long an idle connection is kept.")
            .also("pool_purge_delay idle")
            .duration(|pool| &mut pool.idle_timeout),
        key("max_age")
            .means("An older connection is not used again.")
            .also("ttl")
            .duration_or_off(|pool| &mut pool.max_age),
        key("max_requests")
            .means("Requests on one connection.")
            .number_or("off", i64::MAX, |pool| &mut pool.max_requests),
    ],
    hints: "max_connections: `max_connections` is a key of each server; `max_idle` bounds what is kept for reuse",
    default: Some(Pool::default),
    ..Keys::EMPTY
};

fn balance(_: &Section<'_>, setting: Setting<'_>, backend: &mut Backend, report: &mut Report<'_>) {
    let is_absent = ABSENT_METHODS.iter().any(|method| setting.is_word(method))
        || matches!(setting.value.kind, Kind::Table(_));
    if is_absent {
        report.error(
            setting.span(),
            "this method of balancing does not exist yet",
            "write `balance = \"round-robin\"` or `balance = \"least-connections\"`",
        );
    } else if let Some(balance) = Balance::of(setting, report) {
        backend.balance = balance;
    }
}
