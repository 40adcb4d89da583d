//! One frontend with several binds: without and with TLS, or each with its own TLS, and one set of
//! routes and rules for all.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::rig::{
    Authority, Client, Folder, Origin, Proxy, Setup, Speech, TlsClient, until, while_for,
};

/// A frontend `both` with an address without TLS and one with TLS; `tls` is that of the second one.
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
        clear_and(&self.open())
    }

    /// Two addresses with TLS; `first` and `second` are the keys of their `tls`.
    fn two(&self, first: &str, second: &str) -> Setup {
        let listen = format!(
            "[{{ address = \"127.0.0.1:0\", tls = {{ {first} }} }}, \
             {{ address = \"127.0.0.2:0\", tls = {{ {second} }} }}]"
        );
        self.setup(&listen, "")
    }

    /// The keys of TLS with a certificate and nothing else.
    fn open(&self) -> String {
        format!("certificates = {}", self.certificate)
    }

    /// The same, and clients must have a certificate.
    fn strict(&self) -> String {
        self.folder.replace("clients.pem", &self.authority.pem);
        let ca = self.folder.path("clients.pem").display().to_string();
        format!("{}, client_auth = {{ ca = \"{ca}\" }}", self.open())
    }

    fn speech(&self) -> Speech {
        Speech::trusting(&self.authority)
    }

    /// A client that sends a certificate if it is asked for one.
    fn alice(&self) -> Speech {
        Speech::showing(&self.authority, &self.authority.client(&["alice"], 7))
    }

    /// A client whose sessions are in tickets, and one of TLS 1.2, both without a certificate.
    fn strangers(&self) -> [Speech; 2] {
        [self.speech(), Speech::old(&self.authority)]
    }
}

/// Two addresses: one without TLS, and one with these keys in its TLS.
fn clear_and(tls: &str) -> String {
    format!("[\"127.0.0.1:0\", {{ address = \"127.0.0.2:0\", tls = {{ {tls} }} }}]")
}

/// The addresses of `both`; where only one has TLS, it is the second.
fn addresses(proxy: &Proxy) -> (SocketAddr, SocketAddr) {
    match proxy.addresses("both")[..] {
        [first, second] => (first, second),
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
    // Each address accepts only its own protocol.
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
    let listen = clear_and(&both.strict());
    let proxy = both.setup(&listen, "").start();
    let (clear, _) = addresses(&proxy);
    let mut client = Client::connect(clear);
    assert_eq!(client.ask(REQUEST).status(), 200);
    // Checked again after a reload, and nothing has changed for it.
    proxy.apply(&both.setup(&listen, "max_connections = 9"));
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
fn one_address_requires_a_proxy_header_and_another_does_not() {
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
    // A header where none is allowed is no request.
    let answer = Client::connect(direct).ask(format!("{header}{REQUEST}"));
    assert_eq!(answer.status(), 400);
    // Without the header, the client's address on a connection with one is outdated.
    proxy.apply(&both.setup("[\"127.0.0.1:0\", \"127.0.0.2:0\"]", ""));
    assert_eq!(client.ask(REQUEST).status(), 421);
    assert_eq!(plain.ask(REQUEST).text(), "a");
}

#[test]
fn each_address_has_its_own_certificate_versions_and_client_certificates() {
    let both = Both::new();
    let other = both.authority.pair(&["a.test"]);
    both.folder.replace("b.pem", &other.whole());
    let second = both.strict().replace("a.pem", "b.pem");
    let setup = both.two(&both.open(), &format!("{second}, min_version = '1.3'"));
    let proxy = setup.start();
    let (open, strict) = addresses(&proxy);
    for speech in both.strangers() {
        let mut client = speech.connect(open, "a.test");
        assert_eq!(client.get("a.test", "/").status(), 200);
        assert!(other != client.certificate());
        speech.refusal(strict, "a.test");
    }
    let failures = |reason| [("frontend", "both"), ("reason", reason)];
    let name = "evenkeel_tls_handshake_failures_total";
    proxy.wait_for_metric(name, &failures("version"), 1.0);
    proxy.wait_for_metric(name, &failures("no_client_certificate"), 1.0);
    let mut alice = both.alice().connect(strict, "a.test");
    assert_eq!(other, alice.certificate());
    assert_eq!(alice.get("a.test", "/").status(), 200);
}

/// Whether a session of an earlier visit was resumed.
#[track_caller]
fn visit(speech: &Speech, address: SocketAddr) -> bool {
    let mut client = speech.connect(address, "a.test");
    // Tickets come with the first bytes.
    assert_eq!(client.get("a.test", "/").status(), 200);
    client.is_resumed()
}

#[test]
fn a_session_without_a_certificate_is_not_resumed_at_an_address_that_requires_one() {
    let both = Both::new();
    let strict = both.strict();
    let optional = strict.replace("client_auth = {", "client_auth = { mode = 'optional',");
    for asking in [&both.open(), &optional] {
        let proxy = both.two(asking, &strict).start();
        let (open, strict) = addresses(&proxy);
        for speech in both.strangers() {
            assert!(!visit(&speech, open));
            assert!(visit(&speech, open));
            speech.refusal(strict, "a.test");
        }
    }
}

#[test]
fn a_session_with_a_certificate_is_resumed_where_it_was_sent() {
    let both = Both::new();
    let proxy = both.two(&both.open(), &both.strict()).start();
    let (open, strict) = addresses(&proxy);
    let alice = both.alice();
    assert!(!visit(&alice, open));
    assert!(!visit(&alice, strict), "it shakes hands in full");
    assert!(visit(&alice, strict), "its own goes on");
    assert!(!visit(&alice, open), "nor does that go on here");
}

#[test]
fn a_session_is_resumed_at_another_address_with_the_same_policy() {
    let both = Both::new();
    let setup = |second: &str| both.two(&both.open(), second);
    let newer = format!("{}, min_version = '1.3'", both.open());
    let proxy = setup(&newer).start();
    let (one, two) = addresses(&proxy);
    let speech = both.speech();
    assert!(!visit(&speech, one));
    assert!(visit(&speech, two));
    // One address begins to require certificates, and the other is not affected.
    proxy.apply(&setup(&both.strict()));
    assert!(visit(&speech, one));
    speech.refusal(two, "a.test");
}

#[test]
fn a_reload_of_the_tls_of_one_address_leaves_sockets_and_connections_of_both() {
    let both = Both::new();
    let proxy = both.two(&both.open(), &both.open()).start();
    let before = addresses(&proxy);
    let mut clients = [before.0, before.1].map(|address| both.speech().connect(address, "a.test"));
    let statuses = |clients: &mut [TlsClient; 2]| {
        clients
            .each_mut()
            .map(|client| client.get("a.test", "/").status())
    };
    assert_eq!(statuses(&mut clients), [200, 200]);
    let renewed = both.authority.pair(&["a.test"]);
    both.folder.replace("b.pem", &renewed.whole());
    let other = both.open().replace("a.pem", "b.pem");
    proxy.apply(&both.two(&both.open(), &other));
    assert_eq!(addresses(&proxy), before);
    assert_eq!(statuses(&mut clients), [200, 200]);
    let served = |address| both.speech().connect(address, "a.test").certificate();
    assert_eq!(renewed, served(before.1));
    assert!(renewed != served(before.0));
    // The requirement of one holds for its connections alone.
    proxy.apply(&both.two(&both.open(), &both.strict()));
    assert_eq!(addresses(&proxy), before);
    assert_eq!(statuses(&mut clients), [200, 421]);
    clients[1].is_closed();
}

#[test]
fn clients_of_an_address_wait_for_no_handshake_at_another() {
    let both = Both::new();
    let setup = |second: &str| {
        let one = format!("{}, max_handshakes = 1", both.open());
        both.two(&one, second).workers(1)
    };
    let proxy = setup(&both.open()).start();
    let (one, other) = addresses(&proxy);
    // Sends a ClientHello, and then nothing: it has the only place until it closes.
    let mut held = TcpStream::connect(one).expect("it listens");
    held.write_all(&both.speech().hello("a.test"))
        .expect("it takes it");
    held.read_exact(&mut [0; 1])
        .expect("our side of the handshake");
    let mut client = both.speech().connect(other, "a.test");
    assert_eq!(client.get("a.test", "/").status(), 200);
    // A reload of the other address does not forget handshakes in progress.
    proxy.apply(&setup(&both.strict()));
    let speech = both.speech();
    let waiting = std::thread::spawn(move || visit(&speech, one));
    let span = Duration::from_millis(300);
    while_for(span, "one handshake at a time", || !waiting.is_finished());
    drop(held);
    assert!(!waiting.join().expect("its turn came"));
}

#[test]
fn a_host_is_held_against_the_rules_of_the_address_that_the_connection_came_in_by() {
    let both = Both::new();
    let named = format!("{}, names.'b.test'.min_version = '1.3'", both.open());
    let proxy = both.two(&named, &both.open()).start();
    let (with_rules, without) = addresses(&proxy);
    let mut client = both.speech().connect(with_rules, "a.test");
    let answer = client.get("b.test", "/");
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (421, "request.host.misdirected")
    );
    let mut client = both.speech().connect(without, "a.test");
    assert_eq!(client.get("b.test", "/").status(), 200);
}

#[test]
fn a_route_requires_a_certificate_that_only_one_address_asks_for() {
    let both = Both::new();
    let listen = clear_and(&both.strict());
    let route = "route = [{ client_certificate = 'required', backend = 'app' }]";
    let proxy = both.setup(&listen, route).start();
    let (clear, strict) = addresses(&proxy);
    let answer = Client::connect(clear).ask(REQUEST);
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (403, "route.certificate")
    );
    let mut alice = both.alice().connect(strict, "a.test");
    assert_eq!(alice.get("a.test", "/").status(), 200);
}

#[test]
fn a_rule_of_a_route_does_not_answer_a_client_without_the_certificate_that_the_route_requires() {
    let both = Both::new();
    let listen = clear_and(&both.strict());
    let route = "route = [{ client_certificate = 'required', rule = [{ deny = 418 }] }]";
    let proxy = both.setup(&listen, route).start();
    let (clear, strict) = addresses(&proxy);
    let answer = Client::connect(clear).ask(REQUEST);
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (403, "route.certificate")
    );
    let mut alice = both.alice().connect(strict, "a.test");
    assert_eq!(alice.get("a.test", "/").status(), 418);
}

#[test]
fn a_connection_of_a_removed_address_continues_if_another_would_let_it_in() {
    let both = Both::new();
    let (open, strict) = (both.open(), both.strict());
    let kept = |tls: &str| {
        let listen = format!("{{ address = \"127.0.0.2:0\", tls = {{ {tls} }} }}");
        both.setup(&listen, "")
    };
    let proxy = both.two(&open, &strict).start();
    let (first, _) = addresses(&proxy);
    let mut client = both.speech().connect(first, "a.test");
    assert_eq!(client.get("a.test", "/").status(), 200);
    proxy.apply(&kept(&open));
    assert_eq!(client.get("a.test", "/").status(), 200);
    proxy.apply(&kept(&strict));
    let answer = client.get("a.test", "/");
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (421, "request.tls.outdated")
    );
    client.is_closed();
}

#[test]
fn any_other_address_may_let_in_a_connection_whose_address_was_removed() {
    let both = Both::new();
    let (open, strict) = (both.open(), both.strict());
    let proxy = both.two(&open, &strict).start();
    let (first, _) = addresses(&proxy);
    let mut client = both.speech().connect(first, "a.test");
    assert_eq!(client.get("a.test", "/").status(), 200);
    let listen = format!(
        "[{{ address = \"127.0.0.2:0\", tls = {{ {strict} }} }}, \
         {{ address = \"127.0.0.3:0\", tls = {{ {open} }} }}]"
    );
    proxy.apply(&both.setup(&listen, ""));
    assert_eq!(client.get("a.test", "/").status(), 200);
}

#[test]
fn a_host_is_held_against_the_rules_that_are_left_when_the_address_was_removed() {
    let both = Both::new();
    let named = format!("{}, names.'b.test'.min_version = '1.3'", both.open());
    let proxy = both.two(&both.open(), &named).start();
    let (first, _) = addresses(&proxy);
    let mut client = both.speech().connect(first, "a.test");
    assert_eq!(client.get("b.test", "/").status(), 200);
    let listen = format!("{{ address = \"127.0.0.2:0\", tls = {{ {named} }} }}");
    proxy.apply(&both.setup(&listen, ""));
    let answer = client.get("b.test", "/");
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (421, "request.host.misdirected")
    );
}

#[test]
fn a_client_whose_address_is_removed_while_it_connects_is_not_answered_without_tls() {
    let both = Both::new();
    let listen = format!(
        "[\"127.0.0.1:0\", {{ address = \"127.0.0.2:0\", proxy_protocol = 'required', tls = {} }}]",
        both.certificate
    );
    // With a paused clock: handshakes from before the reload are not forgotten.
    let proxy = both.setup(&listen, "").start_paused();
    let (_, tls) = addresses(&proxy);
    let connect = || TcpStream::connect(tls).expect("it listens");
    let (mut stream, mut clear) = (connect(), Client::connect(tls));
    until("both are accepted", || {
        (proxy.status()["frontends"]["both"]["connections"] == 2).then_some(())
    });
    proxy.apply(&both.setup("\"127.0.0.1:0\"", ""));
    let header = "PROXY TCP4 192.0.2.7 192.0.2.1 1000 80\r\n";
    let (answer, _) = clear.send(format!("{header}{REQUEST}")).rest();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    stream.write_all(header.as_bytes()).expect("it is open");
    let client = both.speech().over(stream, "a.test");
    client.expect("it shakes hands as before");
}
