//! `listen` with tables: the TLS and PROXY settings of each address, and the messages about
//! mistakes.

use super::{errors, plan};
use crate::base::TlsVersion;
use crate::config::show;
use crate::plan::{ClientAuth, Frontend, ProxyProtocol};

const BACKEND: &str = "\n[backend.app]\nservers = '10.0.0.1:80'\n";

fn text(lines: &str) -> String {
    format!("[frontend.web]\nbackend = 'app'\n{lines}\n{BACKEND}")
}

#[track_caller]
fn frontend(lines: &str) -> Frontend {
    let made = plan(&text(lines));
    assert_eq!(plan(&show(&made)), made, "{lines}");
    made.frontends.into_iter().next().expect("a frontend")
}

/// For each address, the index of its TLS in the frontend.
#[track_caller]
fn tls_of_each(lines: &str) -> Vec<Option<usize>> {
    let binds = frontend(lines).binds;
    binds.iter().map(|bind| bind.tls).collect()
}

#[test]
fn tls_is_spoken_where_it_is_written() {
    for (lines, expected) in [
        ("listen = ['10.0.0.1:80', '10.0.0.1:81']", [None, None]),
        (
            "listen = ['10.0.0.1:80', '10.0.0.1:81']\ntls = '/a.pem'",
            [Some(0), Some(0)],
        ),
        (
            "listen = ['10.0.0.1:80', { address = '10.0.0.1:81', tls = '/a.pem' }]",
            [None, Some(0)],
        ),
        (
            "listen = { address = ['10.0.0.1:80', '10.0.0.1:81'], tls = '/a.pem' }",
            [Some(0), Some(0)],
        ),
        (
            "listen = [{ address = '10.0.0.1:80', tls = false }, '10.0.0.1:81']\ntls = '/a.pem'",
            [None, Some(0)],
        ),
        (
            "listen = [{ address = '10.0.0.1:80', tls = false }, { address = '10.0.0.1:81', tls = true }]\n\
             tls = '/a.pem'",
            [None, Some(0)],
        ),
        ("listen = { address = ':80', tls = false }", [None, None]),
        (
            "listen = [{ address = '10.0.0.1:80', tls = '/a.pem' }, { address = '10.0.0.1:81', tls = '/b.pem' }]",
            [Some(0), Some(1)],
        ),
        (
            "listen = ['10.0.0.1:80', { address = '10.0.0.1:81', tls = '/b.pem' }]\ntls = '/a.pem'",
            [Some(0), Some(1)],
        ),
    ] {
        assert_eq!(tls_of_each(lines), expected, "{lines}");
    }
}

#[test]
fn addresses_with_equal_tls_share_it() {
    for lines in [
        "listen = [{ address = '10.0.0.1:80', tls = '/a.pem' }, { address = '10.0.0.1:81', tls = { certificates = ['/a.pem'] } }]",
        "listen = ['10.0.0.1:80', { address = '10.0.0.1:81', tls = '/a.pem' }]\n\
         tls = { certificates = '/a.pem', min_version = '1.2' }",
    ] {
        assert_eq!(tls_of_each(lines), [Some(0), Some(0)], "{lines}");
    }
}

#[test]
fn each_address_may_have_its_own_certificates_versions_and_client_certificates() {
    let made = frontend(
        "listen = [\n\
         ':80',\n\
         { address = '10.0.0.1:443', tls = { certificates = '/a.pem', names.'a.test'.alpn = [] } },\n\
         { address = '10.0.0.1:444', proxy_protocol = 'required', tls = { certificates = '/b.pem', \
         min_version = '1.3', client_auth = { ca = '/ca.pem' } } },\n\
         ]",
    );
    let [open, strict] = &*made.tls else {
        unreachable!("two: {:?}", made.tls);
    };
    assert_eq!(made.tls_of(1), None, "`:80` is two addresses");
    assert_eq!((made.tls_of(2), made.tls_of(3)), (Some(open), Some(strict)));
    assert_eq!(
        (open.rules.min_version, strict.rules.min_version),
        (TlsVersion::V1_2, TlsVersion::V1_3)
    );
    assert_eq!((open.names.len(), strict.names.len()), (1, 0));
    assert_eq!(open.rules.client_auth, ClientAuth::Off);
    assert!(matches!(strict.rules.client_auth, ClientAuth::On(_)));
}

#[test]
fn tls_at_an_address_takes_all_that_tls_of_a_frontend_takes() {
    let at_address = frontend(
        "listen = ['10.0.0.1:80', { address = '10.0.0.1:443', tls = { certificates = '/a.pem', min_version = '1.3' } }]",
    );
    let of_frontend = frontend(
        "listen = [{ address = '10.0.0.1:80', tls = false }, '10.0.0.1:443']\n\
         tls = { certificates = '/a.pem', min_version = '1.3' }",
    );
    assert_eq!(at_address, of_frontend);
}

#[test]
fn passthrough_and_client_certificates_find_the_tls_of_an_address() {
    let lines = "listen = [':80', { address = ':443', tls = '/a.pem' }]\n\
                 passthrough = [{ sni = 'db.test', backend = 'app' }]";
    assert_eq!(frontend(lines).tcp_routes.len(), 1);
    let lines = "listen = [':80', { address = ':443', tls = '/a.pem' }]\n\
                 route = [{ client_certificate = 'required', backend = 'app' }]";
    let said = errors(&text(lines));
    assert!(said.contains("does not ask clients for one"), "{said}");
}

#[test]
fn addresses_in_a_row_that_are_alike_are_shown_in_one_table() {
    let made = plan(&text(
        "listen = [':80', { address = ':443', tls = '/a.pem' }, { address = '10.0.0.1:444', tls = '/b.pem' }]",
    ));
    let shown = show(&made);
    let tables: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("address = ") || line.starts_with("tls = false"))
        .collect();
    assert_eq!(
        tables[..4],
        [
            "address = [\"0.0.0.0:80\", \"[::]:80\"]",
            "tls = false",
            "address = [\"0.0.0.0:443\", \"[::]:443\"]",
            "address = \"10.0.0.1:444\"",
        ]
    );
}

#[test]
fn a_route_may_require_a_certificate_that_some_addresses_ask_for() {
    let asking =
        "tls = { certificates = '/a.pem', client_auth = { mode = 'optional', ca = '/ca.pem' } }";
    let lines = format!(
        "listen = [':80', {{ address = ':443', tls = '/a.pem' }}, {{ address = ':444', {asking} }}]\n\
         route = [{{ client_certificate = 'required', backend = 'app' }}]"
    );
    assert_eq!(frontend(&lines).tls.len(), 2);
    // A mistake in the `tls` that would ask for certificates is the only error.
    let said = errors(&text(&lines.replace("ca = '/ca.pem'", "ca = ''")));
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
}

#[test]
fn mistakes_in_listen_have_help() {
    for (lines, parts) in [
        (
            "listen = [{ address = ':80', tls = '/a.pem' }, { address = ':443', tls = false }]\ntls = '/b.pem'",
            [
                "`tls` does nothing: every address of `[frontend.web]` writes its own `tls`",
                "leave it out",
            ],
        ),
        (
            "listen = [':80', { address = ':443', tls = { min_version = '1.3' } }]\ntls = '/b.pem'",
            [
                "`[frontend.web.listen.tls]` has no `certificates`",
                "write `certificates",
            ],
        ),
        (
            "listen = [{ address = '127.0.0.1:0', tls = '/a.pem' }, { address = '127.0.0.1:0', tls = '/b.pem' }]",
            [
                "one address with port 0 is here with different `tls`",
                "two different addresses",
            ],
        ),
        (
            "listen = { address = ':80', tls = false }\ntls = '/a.pem'",
            ["`tls` does nothing", "leave it out"],
        ),
        (
            "listen = { address = ':80', tls = true }",
            [
                "a path or a table with `certificates`",
                "tls = \"/path/to/fullchain.pem\"",
            ],
        ),
        (
            "listen = { tls = '/a.pem' }",
            ["this has no `address`", "address = "],
        ),
        (
            "listen = { address = ':80', socket_mode = '660' }",
            ["unknown key `socket_mode`", "it is for all its addresses"],
        ),
        (
            "listen = ['127.0.0.1:0', { address = '127.0.0.1:0', tls = '/a.pem' }]",
            ["one address with port 0", "two different addresses"],
        ),
        (
            "listen = { address = 80 }",
            ["`address` must be an address and a port", "write `\":80\"`"],
        ),
    ] {
        let said = errors(&text(lines));
        for part in parts {
            assert!(said.contains(part), "{lines}\n{said}");
        }
        assert_eq!(said.matches("error: ").count(), 1, "{lines}\n{said}");
    }
}

#[test]
fn an_address_may_have_its_own_senders_of_proxy_headers() {
    let made = frontend(
        "listen = [{ address = '10.0.0.1:80', proxy_protocol = { from = '10.0.0.0/8' } }, '10.0.0.1:81',\n\
         { address = '10.0.0.1:82', proxy_protocol = 'off' }]\nproxy_protocol = 'required'",
    );
    let at = |index: usize| &made.binds[index].proxy_protocol;
    assert!(matches!(at(0), ProxyProtocol::From(_)));
    assert_eq!(at(1), &ProxyProtocol::Required);
    assert_eq!(at(2), &ProxyProtocol::Off);
    let said = errors(&text(
        "listen = ['127.0.0.1:0', { address = '127.0.0.1:0', proxy_protocol = 'required' }]",
    ));
    assert!(
        said.contains("is here with different `proxy_protocol`"),
        "{said}"
    );
    let said = errors(&text("listen = { address = ':80', proxy_protocol = true }"));
    assert!(
        said.contains("write `proxy_protocol = \"required\"`"),
        "{said}"
    );
}
