//! `listen` with tables: which addresses of a frontend have TLS, and what is said about mistakes.

use super::{errors, plan};
use crate::config::show;
use crate::plan::{Frontend, ProxyProtocol, Security};

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

#[track_caller]
fn securities(lines: &str) -> Vec<Security> {
    let binds = frontend(lines).binds;
    binds.iter().map(|one| one.security).collect()
}

#[test]
fn tls_is_spoken_where_it_is_written() {
    use Security::{Clear, Tls};
    for (lines, expected) in [
        ("listen = ['10.0.0.1:80', '10.0.0.1:81']", [Clear, Clear]),
        (
            "listen = ['10.0.0.1:80', '10.0.0.1:81']\ntls = '/a.pem'",
            [Tls, Tls],
        ),
        (
            "listen = ['10.0.0.1:80', { address = '10.0.0.1:81', tls = '/a.pem' }]",
            [Clear, Tls],
        ),
        (
            "listen = { address = ['10.0.0.1:80', '10.0.0.1:81'], tls = '/a.pem' }",
            [Tls, Tls],
        ),
        (
            "listen = [{ address = '10.0.0.1:80', tls = false }, '10.0.0.1:81']\ntls = '/a.pem'",
            [Clear, Tls],
        ),
        (
            "listen = [{ address = '10.0.0.1:80', tls = false }, { address = '10.0.0.1:81', tls = true }]\n\
             tls = '/a.pem'",
            [Clear, Tls],
        ),
        (":80", [Clear, Clear]),
    ] {
        let lines = match lines {
            ":80" => "listen = { address = ':80', tls = false }",
            lines => lines,
        };
        assert_eq!(securities(lines), expected, "{lines}");
    }
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
fn mistakes_in_listen_say_what_to_write() {
    for (lines, parts) in [
        (
            "listen = [{ address = ':80', tls = '/a.pem' }, { address = ':443', tls = '/b.pem' }]",
            ["`tls` of `[frontend.web]` is written twice", "tls = false"],
        ),
        (
            "listen = [':80', { address = ':443', tls = '/a.pem' }]\ntls = '/b.pem'",
            [
                "`tls` of `[frontend.web]` is written twice",
                "the first is here",
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
            "mode = 'tcp'\nlisten = { address = ':80', tls = '/a.pem' }",
            ["unknown key `tls`", "TLS passes as it is"],
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
fn an_address_may_say_itself_who_sends_proxy_headers() {
    let made = frontend(
        "listen = [{ address = '10.0.0.1:80', proxy_protocol = { from = '10.0.0.0/8' } }, '10.0.0.1:81',\n\
         { address = '10.0.0.1:82', proxy_protocol = 'off' }]\nproxy_protocol = 'required'",
    );
    let at = |index: usize| made.proxy_protocol_at(&made.binds[index].addr);
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
