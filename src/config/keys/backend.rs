//! `[backend.NAME]`, and its servers.

use crate::config::haproxy_hints::ABSENT_METHODS;
use crate::config::page::{rows, string};
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{
    Backend, Balance, HeaderCase, OwnSendProxy, Pool, Protocol, ProxyVersion, Queue, SendProxy,
    Server,
};

use super::health::HEALTH;
use super::http2::BACKEND_HTTP2;
use super::kind::{Inner, Shape};
use super::limits::BACKEND_LIMITS;
use super::rule::{self, RULE};
use super::timeout::BACKEND_TIMEOUT;
use super::tls::BACKEND_TLS;
use super::words::{Word, Words};
use super::{Keys, key, nameless};

const MOST_ATTEMPTS: i64 = 10;
/// The most exchanges that can wait at one backend: each of them holds the buffers of a client.
const MOST_WAITING: i64 = 1_000_000;
/// More idle connections to one server than a worker has descriptors for.
const MOST_IDLE: i64 = 1_000_000;
const MOST_WEIGHT: i64 = 256;

const SEND_PROXY_SHAPE: Shape = Shape::AnyOf(&[
    Shape::Words(&["v1", "v2", "off"]),
    Shape::Table(&SEND_PROXY),
]);

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
            .means("Attempts of one exchange, the first included, each at another server.")
            .number(1, MOST_ATTEMPTS, |backend| &mut backend.attempts.0),
        key("header_case")
            .means("How field names are written to servers.")
            .word(HeaderCase::words, |backend| &mut backend.header_case),
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
                Shape::AnyOf(&[Shape::Switch, Shape::Table(&BACKEND_TLS)]),
                |backend| backend.tls.is_none().then(|| false.to_string()),
                |backend, path, page| {
                    if let Some(tls) = &backend.tls {
                        page.table(path);
                        BACKEND_TLS.whole().show(path, tls, page);
                    }
                },
            ),
        key("timeout")
            .means("Deadlines towards servers.")
            .table(&Inner(&BACKEND_TIMEOUT, |backend| &mut backend.timeout)),
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
        ca_file: write `tls = { ca = "…" }`
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
    default: Some(|| Backend::new(nameless())),
    ..Keys::EMPTY
};

pub(in crate::config) static SERVER: Keys<Server> = Keys {
    keys: &[
        key("name")
            .means("Its name in state, logs and metrics; else its address.")
            .also("id")
            .compiled(Shape::Text, |server| Some(string(&server.name))),
        key("address")
            .means("Where it listens.")
            .also("addr")
            .compiled(Shape::Text, |server| {
                Some(string(&server.address.to_string()))
            }),
        key("weight")
            .means("Its share of the requests, 0 to 256; 0: no new requests.")
            .number(0, MOST_WEIGHT, |server| &mut server.weight),
        key("max_connections")
            .means("Exchanges at a time; more wait in the queue.")
            .also("maxconn max_conns")
            .number_or("off", u32::MAX as i64, |server| &mut server.max_connections),
        key("backup")
            .means("Used only while no other server is up.")
            .switch(|server| &mut server.backup),
        key("send_proxy")
            .means("`send_proxy` for this server alone.")
            .own(
                SEND_PROXY_SHAPE,
                |section, setting, server, report| {
                    server.own.send_proxy = match send_proxy(section, setting, report) {
                        None => OwnSendProxy::Off,
                        Some(how) => OwnSendProxy::On(how),
                    };
                },
                |server| match &server.own.send_proxy {
                    OwnSendProxy::AsBackend => None,
                    OwnSendProxy::Off => Some(string("off")),
                    OwnSendProxy::On(how) => Some(SEND_PROXY.whole().inline(how)),
                },
            ),
        key("health")
            .means("What is other for checks of this server.")
            .own(
                Shape::Table(&SERVER_HEALTH),
                |section, _, server, report| {
                    if let Some(section) = section.section("health", &SERVER_HEALTH, report) {
                        SERVER_HEALTH.whole().read(&section, server, report);
                    }
                },
                |server| {
                    let has_own = server.own.check_port.is_some();
                    has_own.then(|| SERVER_HEALTH.whole().inline(server))
                },
            ),
    ],
    hints: r#"
        host port url ip: write `address = "IP:port"`
        check: write `health` in the backend: it holds for all its servers
        inter: write `interval` in the backend's `health`
        ssl tls verify sni ca_file crt: write `tls = true` in the `[backend.NAME]`, or `[backend.NAME.tls]` with its keys: it holds for all servers of the backend
        interval rise fall: write it in the backend's `health`
        disabled down drain: write `weight = 0`: the server takes no new traffic
        enabled: leave it out; a server with `weight = 0` takes no new traffic
        priority: write `backup = true` on the servers that are used last
        protocol timeout: write it in the backend: it holds for all its servers
        proto: write `protocol = "h2"` in the backend: it holds for all its servers
        send_proxy_v2: write `send_proxy = "v2"`
        maxqueue: write `queue = { max = … }` in the backend
        minconn: leave it out: `max_connections` is the only bound
    "#,
    ..Keys::EMPTY
};

/// `health` of a server.
static SERVER_HEALTH: Keys<Server> = Keys {
    keys: &[key("port").means("The port that is checked.").own(
        Shape::Number(1, 65_535),
        |_, setting, server, report| {
            let port = setting.number(1, i64::from(u16::MAX), report);
            server.own.check_port = port.and_then(|port| u16::try_from(port).ok());
        },
        |server| server.own.check_port.map(|port| port.to_string()),
    )],
    hints: r#"
        type path host headers status body interval fast_interval timeout rise fall initial: write it in the backend's `health`
        address: write `port`: the address is the server's
        tls ssl: leave it out: checks use the backend's `tls`
        enabled check: write `health` in the backend: it holds for all its servers
    "#,
    ..Keys::EMPTY
};

/// `send_proxy` as a table.
static SEND_PROXY: Keys<SendProxy> = Keys {
    keys: &[
        key("version")
            .means("The version of the header.")
            .word(ProxyVersion::words, |how| &mut how.version),
        key("authority")
            .means("Whether it has the host name that the client asks for.")
            .switch(|how| &mut how.authority),
        key("unique_id")
            .means("Whether it has the id of the first exchange.")
            .switch(|how| &mut how.unique_id),
        key("tls")
            .means("Whether it has the client's TLS: version, cipher, ALPN, common name.")
            .switch(|how| &mut how.tls),
    ],
    hints: "
        ssl: write `tls = true`
        cert_cn: write `tls = true`: it says the common name, too
        sni: write `authority = true`
    ",
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

/// `"v1"`, `"v2"`, `"off"`, or a table.
fn send_proxy(
    section: &Section<'_>,
    setting: Setting<'_>,
    report: &mut Report<'_>,
) -> Option<SendProxy> {
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
    let mut send_proxy = SendProxy {
        version: ProxyVersion::V2,
        authority: false,
        unique_id: false,
        tls: false,
    };
    if !matches!(setting.value.kind, Kind::Table(_)) {
        send_proxy.version = ProxyVersion::of(setting, report)?;
        return Some(send_proxy);
    }
    let section = section.section("send_proxy", &SEND_PROXY, report)?;
    SEND_PROXY.whole().read(&section, &mut send_proxy, report);
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
