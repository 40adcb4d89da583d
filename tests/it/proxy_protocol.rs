//! The PROXY protocol, from a proxy before us and towards servers.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;

use evenkeel::wire::proxy_protocol::{
    Checksum, ClientFlags, Endpoints, Extras, Header, Verified, parse, write_v1, write_v2,
};

use crate::rig::{Authority, Client, Ending, Folder, Origin, Proxy, Setup, Speech, get_by_unix};

const FAILURES: &str = "evenkeel_frontend_proxy_protocol_failures_total";
const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn client_at(source: &str) -> Endpoints<'static> {
    Endpoints::Ip {
        source: source.parse().expect("an address"),
        destination: "198.51.100.1:443".parse().expect("an address"),
    }
}

fn v1(endpoints: &Endpoints<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_v1(endpoints, &mut bytes);
    bytes
}

fn v2(endpoints: Endpoints<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let extras = Extras {
        authority: Some("a.example"),
        unique_id: Some(b"id"),
        ..Extras::default()
    };
    write_v2(&Header { endpoints, extras }, Checksum::Written, &mut bytes);
    bytes
}

/// A proxy that requires a header from every peer.
fn requiring(app: &Origin) -> Proxy {
    Setup::of(&[app])
        .frontend("proxy_protocol = \"required\"")
        .start()
}

/// Sends `bytes`, then a request; returns the client in the log.
#[track_caller]
fn client_after(bytes: &[u8]) -> String {
    let app = Origin::named("app");
    let proxy = requiring(&app);
    let mut client = proxy.client();
    client.send([bytes, REQUEST.as_bytes()].concat());
    assert_eq!(client.response().text(), "app");
    let line = proxy.line();
    let named = line.text("client").to_owned();
    // The servers get the same address, or it is our peer.
    let forwarded = app.request().field("x-forwarded-for").map(str::to_owned);
    let ip = named
        .rsplit_once(':')
        .map(|(ip, _)| ip.trim_matches(['[', ']']).to_owned());
    assert_eq!(forwarded, ip);
    if named == client.address().to_string() {
        "peer".to_owned()
    } else {
        named
    }
}

#[test]
fn the_client_is_the_one_in_the_header() {
    for source in ["192.0.2.7:4711", "[2001:db8::7]:4711"] {
        assert_eq!(client_after(&v1(&client_at(source))), source);
        assert_eq!(client_after(&v2(client_at(source))), source);
    }
    let unix = Endpoints::Unix {
        source: b"",
        destination: b"/run/other.sock",
    };
    assert_eq!(client_after(&v2(unix)), "unix");
}

#[test]
fn a_header_without_a_client_leaves_the_peer() {
    assert_eq!(client_after(&v1(&Endpoints::Unknown)), "peer");
    assert_eq!(client_after(&v2(Endpoints::Unknown)), "peer");
    assert_eq!(client_after(&v2(Endpoints::Own)), "peer");
}

#[test]
fn a_header_may_come_in_pieces_and_with_the_request() {
    let app = Origin::named("app");
    let proxy = requiring(&app);
    for header in [v1(&client_at("192.0.2.7:1")), v2(client_at("192.0.2.7:1"))] {
        let mut client = proxy.client();
        for byte in header {
            client.send([byte]);
        }
        client.send(&REQUEST[..5]).send(&REQUEST[5..]);
        assert_eq!(client.response().text(), "app");
        // Of the connection, not of each request.
        assert_eq!(client.get("/again").text(), "app");
    }
    let lines = proxy.wait_for_lines(4);
    assert!(
        lines
            .iter()
            .all(|line| line.text("client") == "192.0.2.7:1")
    );
}

#[test]
fn an_invalid_header_ends_the_connection_and_is_counted() {
    let app = Origin::named("app");
    let proxy = requiring(&app);
    let mut broken = v2(client_at("192.0.2.7:1"));
    broken[20] ^= 1;
    for (bytes, cause) in [
        (REQUEST.as_bytes(), "signature"),
        (b"PROXY TCP4 1.2.3.4\r\n", "line"),
        (
            &[b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat(),
            "line_too_long",
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x11", "command"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x41\0\0", "family"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "too_long"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0", "addresses"),
        (&broken, "checksum"),
    ] {
        let mut client = proxy.client();
        // It may be closed before all is sent.
        let _ = client.try_send(bytes);
        assert!(client.rest().0.is_empty());
        let labels = [("frontend", "web"), ("cause", cause)];
        proxy.wait_for_metric(FAILURES, &labels, 1.0);
    }
    assert_eq!(proxy.metric(FAILURES, &[]), 8.0);
    assert!(app.has_seen_nothing());
}

#[test]
fn a_header_that_does_not_come_is_not_waited_for_for_ever() {
    let app = Origin::named("app");
    let proxy = Setup::of(&[&app])
        .frontend("proxy_protocol = \"required\"\ntimeout = { head = \"200ms\" }")
        .start();
    let mut silent = proxy.client();
    let mut slow = proxy.client();
    slow.send("PROXY TCP4");
    assert_eq!(silent.rest(), (Vec::new(), Ending::Closed));
    slow.rest();
    proxy.wait_for_metric(FAILURES, &[("cause", "timeout")], 2.0);
}

#[test]
fn a_tcp_check_of_the_listener_is_no_failure() {
    let app = Origin::named("app");
    let proxy = requiring(&app);
    drop(proxy.client());
    let mut broken_off = proxy.client();
    broken_off.send("PROXY ");
    drop(broken_off);
    proxy.wait_for_metric(FAILURES, &[("cause", "left")], 1.0);
    assert_eq!(proxy.metric(FAILURES, &[]), 1.0);
}

#[test]
fn only_trusted_peers_name_clients() {
    let app = Origin::named("app");
    let proxy = Setup::of(&[&app])
        .frontend("proxy_protocol = { from = [\"127.0.0.2\"] }")
        .start();
    let trusted = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let header = v1(&client_at("192.0.2.7:4711"));

    let mut client = Client::connect_from(trusted, proxy.address());
    client.send([&header[..], REQUEST.as_bytes()].concat());
    assert_eq!(client.response().text(), "app");
    assert_eq!(proxy.wait_for_lines(1)[0].text("client"), "192.0.2.7:4711");
    // They have to.
    let mut without = Client::connect_from(trusted, proxy.address());
    let _ = without.try_send(REQUEST);
    without.rest();
    proxy.wait_for_metric(FAILURES, &[("cause", "signature")], 1.0);

    // Every other peer is a client, whatever it sends.
    assert_eq!(proxy.get("/").text(), "app");
    let mut liar = proxy.client();
    liar.send([&header[..], REQUEST.as_bytes()].concat());
    assert_eq!(liar.response().status(), 400);
    let lines = proxy.wait_for_lines(3);
    assert!(
        lines[1..]
            .iter()
            .all(|line| line.text("client").starts_with("127.0.0.1:"))
    );
}

#[test]
fn the_client_of_a_header_may_be_a_trusted_proxy() {
    let app = Origin::named("app");
    let proxy = Setup::of(&[&app])
        .frontend("proxy_protocol = \"required\"\ntrusted_proxies = \"192.0.2.7\"")
        .start();
    let mut client = proxy.client();
    client.send(v2(client_at("192.0.2.7:4711")));
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\n\r\n");
    assert_eq!(client.response().text(), "app");
    assert_eq!(proxy.line().text("client"), "203.0.113.9:4711");
    let forwarded = app.request();
    assert_eq!(
        forwarded.field("x-forwarded-for"),
        Some("203.0.113.9, 192.0.2.7")
    );
}

// Towards servers.

/// A server that requires a header on each connection; any target will do, also `/who`.
fn server_wanting_a_header() -> Origin {
    Origin::scripted(|visit| {
        let mut header = Vec::new();
        loop {
            match parse(&header) {
                Ok(Some(_)) => break,
                Ok(None) => {}
                Err(fault) => unreachable!("{fault}"),
            }
            let Some(byte) = visit.bytes(1) else { return };
            header.extend(byte);
        }
        while visit.serve("app") {}
    })
}

/// The header that connection `number` brought, read by `look`.
#[track_caller]
fn header_of<T>(app: &Origin, number: usize, look: impl Fn(&Header<'_>) -> T) -> T {
    let received = app.received_bytes(number);
    let (header, _) = parse(&received).expect("well-formed").expect("complete");
    look(&header)
}

#[test]
fn servers_get_the_address_of_the_client() {
    for (how, has_more) in [
        ("\"v1\"", false),
        ("\"v2\"", false),
        (
            "{ version = \"v2\", authority = true, unique_id = true }",
            true,
        ),
    ] {
        let app = server_wanting_a_header();
        let proxy = Setup::of(&[&app])
            .backend(&format!("send_proxy = {how}"))
            .start();
        let mut client = proxy.client();
        let ask = "GET / HTTP/1.1\r\nhost: A.example:80\r\nx-request-id: one\r\n\r\n";
        assert_eq!(client.ask(ask).text(), "app");
        header_of(&app, 0, |header| {
            let expected = Endpoints::Ip {
                source: client.address(),
                destination: proxy.address(),
            };
            assert_eq!(header.endpoints, expected, "{how}");
            let more = has_more.then_some(("a.example", &b"one"[..]));
            let said = header.extras.authority.zip(header.extras.unique_id);
            assert_eq!(said, more, "{how}");
        });
    }
}

#[test]
fn servers_get_the_facts_of_the_clients_handshake() {
    let app = server_wanting_a_header();
    let authority = Authority::new("an authority");
    let folder = Folder::new();
    let pair = folder.write("a.pem", &authority.pair(&["a.test"]).whole());
    let ca = folder.write("ca.pem", &authority.pem);
    let proxy = Setup::of(&[&app])
        .frontend(&format!(
            "tls = {{ certificates = '{}', client_auth = {{ mode = 'optional', ca = '{}' }} }}",
            pair.display(),
            ca.display()
        ))
        .backend("send_proxy = { version = \"v2\", authority = true, tls = true }")
        .start();
    let alice = authority.client(&["alice"], 7);
    let shown = ClientFlags::CERTIFICATE_IN_SESSION;
    for (number, speech, name) in [
        (0, Speech::trusting(&authority), None),
        (1, Speech::showing(&authority, &alice), Some("alice")),
    ] {
        let mut client = speech.connect(proxy.address(), "a.test");
        // Another host than the name that the handshake asked for.
        assert_eq!(client.get("b.test", "/").text(), "app");
        header_of(&app, number, |header| {
            assert_eq!(header.extras.authority, Some("a.test"));
            let tls = header.extras.tls.as_ref().expect("it speaks TLS");
            let flags = match name {
                Some(_) => ClientFlags::TLS.with(shown),
                None => ClientFlags::TLS,
            };
            assert_eq!(tls.client, flags);
            assert_eq!(tls.verified == Verified::YES, name.is_some());
            assert_eq!(tls.common_name, name);
            assert_eq!(tls.version, Some("TLSv1.3"));
            assert!(tls.cipher.is_some_and(|cipher| cipher.starts_with("TLS_")));
        });
    }
}

#[test]
fn a_connection_that_names_a_client_is_that_clients_own() {
    let app = server_wanting_a_header();
    let proxy = Setup::of(&[&app])
        .workers(1)
        .backend("send_proxy = \"v2\"")
        .start();
    let mut one = proxy.client();
    let mut other = proxy.client();
    for _ in 0..3 {
        assert_eq!(one.get("/").text(), "app");
        assert_eq!(other.get("/").text(), "app");
    }
    assert_eq!(app.connections(), 2);
    for (number, client) in [(0, &one), (1, &other)] {
        header_of(&app, number, |header| {
            let Endpoints::Ip { source, .. } = header.endpoints else {
                unreachable!("{header:?}");
            };
            assert_eq!(source, client.address());
        });
    }
    // They are closed with the client's connection.
    drop(one);
    app.wait_for_end_of(0);
}

#[test]
fn a_clients_own_connection_that_rests_too_long_is_closed() {
    let app = server_wanting_a_header();
    let proxy = Setup::of(&[&app])
        .backend("send_proxy = \"v1\"\npool = { idle_timeout = \"10ms\" }")
        .start();
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "app");
    app.wait_for_end_of(0);
    // The client is still there, and gets another.
    assert_eq!(client.get("/").text(), "app");
    assert_eq!(app.connections(), 2);
}

#[test]
fn a_clients_own_connection_that_is_opened_in_another_way_now_is_closed() {
    let app = server_wanting_a_header();
    let setup = Setup::of(&[&app]).workers(1).backend("send_proxy = \"v1\"");
    let proxy = setup.start();
    let (mut one, mut other) = (proxy.client(), proxy.client());
    assert_eq!(one.get("/").text(), "app");
    assert_eq!(other.get("/").text(), "app");
    proxy.apply(&setup.clone().backend("attempts = 2"));
    // Other connections are kept.
    assert_eq!(one.get("/").text(), "app");
    assert_eq!(app.connections(), 2);
    proxy.apply(&setup.clone().backend("limits = { fields = 10 }"));
    assert_eq!(one.get("/").text(), "app");
    assert_eq!(app.connections(), 3);
    for number in [0, 1] {
        app.wait_for_end_of(number);
    }
    assert_eq!(other.get("/").text(), "app");
}

#[test]
fn clients_behind_a_trusted_proxy_are_kept_apart() {
    let app = server_wanting_a_header();
    let proxy = Setup::of(&[&app])
        .frontend("trusted_proxies = \"127.0.0.1\"")
        .backend("send_proxy = \"v1\"")
        .start();
    let mut client = proxy.client();
    for ip in ["192.0.2.7", "192.0.2.8", "192.0.2.7"] {
        let ask = format!("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {ip}\r\n\r\n");
        assert_eq!(client.ask(ask).text(), "app");
    }
    assert_eq!(app.connections(), 2);
    for (number, ip) in [(0, "192.0.2.7"), (1, "192.0.2.8")] {
        let received = app.received(number);
        assert!(
            received.starts_with(&format!("PROXY TCP4 {ip} 127.0.0.1 ")),
            "{received}"
        );
    }
}

#[test]
fn one_server_may_get_a_header_and_another_none() {
    let (wanting, plain) = (server_wanting_a_header(), Origin::named("plain"));
    for (of_backend, of_wanting, of_plain) in [
        ("off", "{ version = \"v2\" }", ""),
        ("v1", "\"v2\"", ", send_proxy = \"off\""),
    ] {
        let before = wanting.connections();
        let servers = [
            format!(
                "{{ address = \"{}\", send_proxy = {of_wanting} }}",
                wanting.address()
            ),
            format!("{{ address = \"{}\"{of_plain} }}", plain.address()),
        ];
        let proxy = Setup::servers(servers)
            .workers(1)
            .backend(&format!("send_proxy = \"{of_backend}\""))
            .start();
        let mut client = proxy.client();
        let mut answers: Vec<String> = (0..4).map(|_| client.get("/").text()).collect();
        answers.sort();
        assert_eq!(answers, ["app", "app", "plain", "plain"]);
        header_of(&wanting, before, |header| {
            assert!(matches!(header.endpoints, Endpoints::Ip { .. }));
        });
    }
}

#[test]
fn a_reload_that_changes_a_servers_header_opens_new_connections() {
    let app = server_wanting_a_header();
    let with = |how: &str| {
        let address = app.address();
        let server = format!("{{ address = \"{address}\", send_proxy = \"{how}\" }}");
        Setup::servers([server]).workers(1)
    };
    let proxy = with("v1").start();
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "app");
    proxy.apply(&with("v2"));
    assert_eq!(client.get("/").text(), "app");
    assert_eq!(app.connections(), 2);
    assert!(app.received_bytes(0).starts_with(b"PROXY TCP4 "));
    let received = app.received_bytes(1);
    assert!(received.starts_with(b"\r\n\r\n\0\r\nQUIT\n"), "version 2");
}

#[test]
fn health_checks_speak_for_themselves() {
    for (how, expected) in [("v1", Endpoints::Unknown), ("v2", Endpoints::Own)] {
        let app = server_wanting_a_header();
        let proxy = Setup::of(&[&app])
            .backend(&format!("send_proxy = \"{how}\"\nhealth = \"/healthz\""))
            .start();
        proxy.wait_for_state(app.address(), "up");
        header_of(&app, 0, |header| assert_eq!(header.endpoints, expected));
        assert!(app.requests()[0].target().starts_with("/healthz"));
    }
}

#[test]
fn a_client_of_a_unix_socket_has_no_address() {
    let app = server_wanting_a_header();
    let folder = Folder::new();
    let path = folder.path("web.sock");
    let listen = path.display();
    let _proxy = Setup::of(&[&app])
        .backend("send_proxy = \"v2\"")
        .rest(&format!(
            "[frontend.unix]\nlisten = \"{listen}\"\nbackend = \"app\""
        ))
        .start();
    let stream = UnixStream::connect(&path).expect("it listens");
    assert_eq!(get_by_unix(stream, "/", "").text(), "app");
    header_of(&app, 0, |header| {
        assert_eq!(header.endpoints, Endpoints::Unknown)
    });
}

#[test]
fn two_of_us_in_a_row_know_the_same_client() {
    let app = Origin::named("app");
    let inner = Setup::of(&[&app])
        .frontend("proxy_protocol = { from = [\"127.0.0.1\"] }")
        .start();
    let outer = Setup::at([inner.address()])
        .backend("send_proxy = { version = \"v2\", unique_id = true }")
        .frontend("proxy_protocol = \"required\"")
        .start();
    let mut client = outer.client();
    client.send([v1(&client_at("192.0.2.7:4711")), REQUEST.into()].concat());
    assert_eq!(client.response().text(), "app");
    assert_eq!(inner.line().text("client"), "192.0.2.7:4711");
    assert_eq!(outer.line().text("client"), "192.0.2.7:4711");
}

#[test]
fn an_open_connection_ends_when_its_header_is_not_believed_any_more_or_is_missing() {
    let app = Origin::named("app");
    let plain = Setup::of(&[&app]);
    let from = |networks: &str| {
        plain
            .clone()
            .frontend(&format!("proxy_protocol = {{ from = [{networks}] }}"))
    };
    let proxy = from("\"127.0.0.0/8\"").start();
    let mut named = proxy.client();
    named.send(v1(&client_at("192.0.2.7:4711")));
    assert_eq!(named.get("/").status(), 200);
    // Another form of the same setting for this peer.
    proxy.apply(&from("\"127.0.0.1\", \"10.0.0.0/8\""));
    assert_eq!(named.get("/").status(), 200);
    proxy.apply(&from("\"10.0.0.0/8\""));
    let outdated = (421, "request.address.outdated");
    let answer = named.get("/");
    assert_eq!((answer.status(), &*answer.reason()), outdated);
    named.is_closed();
    let mut unnamed = proxy.client();
    assert_eq!(unnamed.get("/").status(), 200);
    proxy.apply(&plain.clone().frontend("proxy_protocol = \"required\""));
    let answer = unnamed.get("/");
    assert_eq!((answer.status(), &*answer.reason()), outdated);
    unnamed.is_closed();
}

#[test]
fn trust_in_a_peer_changes_with_the_next_request() {
    let app = Origin::named("app");
    let plain = Setup::of(&[&app]);
    let proxy = plain.start();
    let mut client = proxy.client();
    let mut forwarded = |target: &str| {
        let fields = "host: a\r\nx-forwarded-for: 192.0.2.7";
        client.ask(format!("GET {target} HTTP/1.1\r\n{fields}\r\n\r\n"));
        let field = "x-forwarded-for";
        app.request_of(target).field(field).map(str::to_owned)
    };
    assert_eq!(forwarded("/untrusted").as_deref(), Some("127.0.0.1"));
    let trusting = plain.frontend("trusted_proxies = [\"127.0.0.1\"]");
    proxy.apply(&trusting);
    assert_eq!(
        forwarded("/trusted").as_deref(),
        Some("192.0.2.7, 127.0.0.1")
    );
}

#[test]
fn rules_read_the_fields_of_a_header() {
    let app = Origin::named("app");
    let reads = "%[fc_pp_authority]/%[fc_pp_unique_id]/%[fc_pp_tlv(AUTHORITY)]/%[fc_pp_tlv(0xEA)]/%[src_is_local]";
    let proxy = Setup::of(&[&app])
        .frontend(&format!(
            "proxy_protocol = {{ from = ['127.0.0.2'] }}\n\
             connection_rule = [{{ when = 'fc_pp_authority == \"no.example\"', reject = true }}]\n\
             rule = [{{ set_header = {{ x-seen = '{reads}' }} }}]"
        ))
        .start();
    let proxied = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let mut client = Client::connect_from(proxied, proxy.address());
    client.send([&v2(client_at("192.0.2.7:1"))[..], REQUEST.as_bytes()].concat());
    assert_eq!(client.response().text(), "app");
    // Of the connection, not of its first request.
    assert_eq!(client.get("/").text(), "app");
    assert_eq!(proxy.client().get("/").text(), "app");
    let requests = app.requests();
    let seen: Vec<_> = requests.iter().map(|one| one.field("x-seen")).collect();
    let with_header = Some("a.example/id/a.example//0");
    assert_eq!(seen, [with_header, with_header, Some("////1")]);
    let extras = Extras {
        authority: Some("no.example"),
        ..Extras::default()
    };
    let mut bytes = Vec::new();
    let endpoints = client_at("192.0.2.7:1");
    write_v2(&Header { endpoints, extras }, Checksum::Written, &mut bytes);
    let mut client = Client::connect_from(proxied, proxy.address());
    client.send(bytes);
    assert_eq!(client.rest(), (Vec::new(), Ending::Reset));
}
