//! `servers` of a backend, and `health` of a server.

use crate::config::page::string;
use crate::plan::{Own, OwnCheck, Server};

use super::kind::Shape;
use super::send_proxy::{SEND_PROXY, SEND_PROXY_SHAPE, send_proxy};
use super::tls::{SERVER_TLS_SHAPE, own_tls};
use super::{Keys, key};

const MOST_WEIGHT: i64 = 256;

pub(in crate::config) static SERVER: Keys<Server> = Keys {
    keys: &[
        key("name")
            .means("Its name in state, logs and metrics; else its address.")
            .also("id")
            .compiled(Shape::Text, |server| Some(string(&server.name))),
        key("address")
            .means("Where it listens.")
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
        key("tls")
            .means("`tls` for this server alone; true: as the backend, if that has TLS.")
            .compiled(SERVER_TLS_SHAPE, |server| own_tls(&server.own.tls)),
        key("send_proxy")
            .means("`send_proxy` for this server alone.")
            .own(
                SEND_PROXY_SHAPE,
                |section, setting, server, report| {
                    server.own.send_proxy = match send_proxy(section, setting, report) {
                        None => Own::Off,
                        Some(how) => Own::On(how.into()),
                    };
                },
                |server| match &server.own.send_proxy {
                    Own::Inherited => None,
                    Own::Off => Some(string("off")),
                    Own::On(how) => Some(SEND_PROXY.whole().inline(how)),
                },
            ),
        key("health")
            .means("What is other for checks of this server.")
            .compiled(Shape::Table(&SERVER_HEALTH), |server| {
                let own = &server.own.check;
                (*own != OwnCheck::default()).then(|| SERVER_HEALTH.whole().inline(own))
            }),
    ],
    hints: r#"
        host url ip: write `address = "IP:port"`
        port: write it in `address`, or `health = { port = … }` for another port in checks
        addr: write `address`, or `health = { address = "…" }` for another address in checks
        check: write `health` in the backend: it holds for all its servers
        inter: write `interval` in the backend's `health`
        ssl: write `tls = true`
        no_ssl: write `tls = false`
        verify sni ca_file crt verifyhost: write it in `tls = { … }`
        check_port: write `health = { port = … }`
        check_addr: write `health = { address = "…" }`
        proxy_protocol: write `send_proxy = "v1"` or `"v2"`
        check_ssl: write `health = { tls = true }`; by default a check is over TLS if requests are
        no_check_ssl: write `health = { tls = false }`
        check_sni: write `health = { tls = { sni = "…" } }`
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
pub(in crate::config) static SERVER_HEALTH: Keys<OwnCheck> = Keys {
    keys: &[
        key("address")
            .means("The IP address that is checked, if it is not the server's.")
            .also("addr")
            .compiled(Shape::Text, |own| {
                own.address.map(|ip| string(&ip.to_string()))
            }),
        key("port")
            .means("The port that is checked.")
            .compiled(Shape::Number(1, 65_535), |own| {
                own.port.map(|port| port.to_string())
            }),
        key("tls")
            .means("Whether checks are over TLS, if that is not as requests are; or a table.")
            .compiled(SERVER_TLS_SHAPE, |own| own_tls(&own.tls)),
    ],
    hints: r#"
        type path host headers status body interval fast_interval timeout rise fall initial: write it in the backend's `health`
        ssl check_ssl: write `tls = true`
        check_port: write `port`
        no_check_ssl: write `tls = false`
        sni check_sni verify ca_file: write it in `tls = { … }`
        enabled check: write `health` in the backend: it holds for all its servers
    "#,
    default: Some(OwnCheck::default),
    ..Keys::EMPTY
};
