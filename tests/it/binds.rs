//! One frontend that listens in the clear and with TLS: one set of routes and rules for both.

use std::net::SocketAddr;

use crate::rig::{Authority, Client, Folder, Origin, Proxy, Setup, Speech};

/// A frontend `both` with a clear and a TLS address; `tls` is what the second one has.
struct Both {
    folder: Folder,
    authority: Authority,
    certificate: String,
    origin: Origin,
}

impl Both {
    fn new() -> Self {
        let (folder, authority) = (Folder::new(), Authority::new("Test CA"));
        folder.replace("a.pem", &authority.pair(&["a.test"]).whole());
        let certificate = format!("\"{}\"", folder.path("a.pem").display());
        Self {
            folder,
            authority,
            certificate,
            origin: Origin::named("a"),
        }
    }

    /// With `listen` and `lines` in the frontend.
    fn setup(&self, listen: &str, lines: &str) -> Setup {
        Setup::of(&[&self.origin]).rest(&format!(
            "[frontend.both]\nlisten = {listen}\nbackend = \"app\"\n{lines}"
        ))
    }

    /// The addresses, the second one with TLS.
    fn listen(&self) -> String {
        let certificate = &self.certificate;
        format!("[\"127.0.0.1:0\", {{ address = \"127.0.0.2:0\", tls = {certificate} }}]")
    }

    fn speech(&self) -> Speech {
        Speech::trusting(&self.authority)
    }
}

/// The clear address of `both`, and the one with TLS.
fn addresses(proxy: &Proxy) -> (SocketAddr, SocketAddr) {
    match proxy.addresses("both")[..] {
        [clear, tls] => (clear, tls),
        ref other => unreachable!("two addresses: {other:?}"),
    }
}

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";

#[test]
fn one_frontend_serves_in_the_clear_and_over_tls_at_two_addresses() {
    let both = Both::new();
    let proxy = both.setup(&both.listen(), "").start();
    let (clear, tls) = addresses(&proxy);
    assert_eq!(Client::connect(clear).ask(REQUEST).text(), "a");
    let request = both.origin.request_of("/");
    assert_eq!(request.field("x-forwarded-proto"), Some("http"));
    let mut client = both.speech().connect(tls, "a.test");
    assert_eq!(client.get("a.test", "/tls").text(), "a");
    let request = both.origin.request_of("/tls");
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    // Each address speaks what it says, and nothing else.
    assert!(both.speech().try_connect(clear, "a.test").is_err());
    let (answer, _) = Client::connect(tls).send(REQUEST).rest();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn clear_requests_are_redirected_to_tls_by_a_rule_of_the_same_frontend() {
    let both = Both::new();
    let rule = "rule = [{ when = 'not ssl_fc', redirect = { scheme = 'https' } }]";
    let proxy = both.setup(&both.listen(), rule).start();
    let (clear, tls) = addresses(&proxy);
    let moved = Client::connect(clear).ask(REQUEST);
    assert_eq!(
        (moved.status(), moved.field("location")),
        (302, Some("https://a.test/"))
    );
    let mut client = both.speech().connect(tls, "a.test");
    assert_eq!(client.get("a.test", "/").text(), "a");
}

#[test]
fn a_clear_address_asks_for_no_certificate_where_tls_beside_it_does() {
    let both = Both::new();
    both.folder.replace("ca.pem", &both.authority.pem);
    let ca = format!("\"{}\"", both.folder.path("ca.pem").display());
    let tls = |address: &str| {
        format!(
            "[\"{address}\", {{ address = \"127.0.0.2:0\", tls = {{ certificates = {}, \
             client_auth = {{ mode = 'required', ca = {ca} }} }} }}]",
            both.certificate
        )
    };
    let proxy = both.setup(&tls("127.0.0.1:0"), "").start();
    let (clear, _) = addresses(&proxy);
    let mut client = Client::connect(clear);
    assert_eq!(client.ask(REQUEST).status(), 200);
    // Checked again after a reload, and nothing has changed for it.
    proxy.apply(&both.setup(&tls("127.0.0.1:0"), "max_connections = 9"));
    assert_eq!(client.ask(REQUEST).status(), 200);
}

#[test]
fn a_reload_that_changes_the_tls_of_one_address_disturbs_no_connection_of_the_other() {
    let both = Both::new();
    let proxy = both.setup(&both.listen(), "").start();
    let (clear, tls) = addresses(&proxy);
    let mut client = Client::connect(clear);
    assert_eq!(client.ask(REQUEST).status(), 200);
    let renewed = both.authority.pair(&["b.test"]);
    both.folder.replace("b.pem", &renewed.whole());
    let other = both.listen().replace("a.pem", "b.pem");
    proxy.apply(&both.setup(&other, ""));
    assert_eq!(addresses(&proxy), (clear, tls), "no socket was opened anew");
    assert_eq!(client.ask(REQUEST).status(), 200, "on the same connection");
    let served = both.speech().connect(tls, "b.test").certificate();
    assert_eq!(renewed, served);
}

#[test]
fn a_reload_can_turn_tls_on_and_off_at_an_address() {
    let both = Both::new();
    let certificate = &both.certificate;
    let setup = |first: bool, second: bool| {
        let listen = format!(
            "[{{ address = \"127.0.0.1:0\", tls = {first} }}, {{ address = \"127.0.0.2:0\", tls = {second} }}]"
        );
        both.setup(&listen, &format!("tls = {certificate}"))
    };
    let proxy = setup(false, true).start();
    let (one, two) = addresses(&proxy);
    assert_eq!(Client::connect(one).ask(REQUEST).status(), 200);
    proxy.apply(&setup(true, false));
    assert_eq!(addresses(&proxy), (one, two));
    let mut client = both.speech().connect(one, "a.test");
    assert_eq!(client.get("a.test", "/").status(), 200);
    assert_eq!(Client::connect(two).ask(REQUEST).status(), 200);
}

#[test]
fn one_address_wants_a_proxy_header_and_another_none() {
    let both = Both::new();
    let listen = "[{ address = \"127.0.0.1:0\", proxy_protocol = \"required\" }, \"127.0.0.2:0\"]";
    let setup = both.setup(listen, "");
    let proxy = setup.start();
    let (balancer, direct) = addresses(&proxy);
    let mut client = Client::connect(balancer);
    let header = "PROXY TCP4 192.0.2.7 192.0.2.1 1000 80\r\n";
    assert_eq!(client.ask(format!("{header}{REQUEST}")).text(), "a");
    let request = both.origin.request_of("/");
    assert_eq!(request.field("x-forwarded-for"), Some("192.0.2.7"));
    let mut plain = Client::connect(direct);
    assert_eq!(plain.ask(REQUEST).text(), "a");
    // A header where none is wanted is no request.
    let answer = Client::connect(direct).ask(format!("{header}{REQUEST}"));
    assert_eq!(answer.status(), 400);
    // Without the header, a connection that has one is not whose it seemed to be.
    proxy.apply(&both.setup("[\"127.0.0.1:0\", \"127.0.0.2:0\"]", ""));
    assert_eq!(client.ask(REQUEST).status(), 421);
    assert_eq!(plain.ask(REQUEST).text(), "a");
}
