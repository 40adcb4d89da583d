//! The PROXY protocol, from the proxy before us.

use std::net::{IpAddr, Ipv4Addr};

use evenkeel::wire::proxy_protocol::{Checksum, Endpoints, Extras, Header, write_v1, write_v2};

use crate::rig::{Client, Ending, Origin, Proxy, Setup, curl};

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

/// A proxy that wants a header from everybody.
fn requiring(app: &Origin) -> Proxy {
    Setup::of(&[app])
        .frontend("proxy_protocol = \"required\"")
        .start()
}

/// Sends `bytes`, then a request; gives who the log says it was from.
#[track_caller]
fn client_after(bytes: &[u8]) -> String {
    let app = Origin::named("app");
    let proxy = requiring(&app);
    let mut client = proxy.client();
    client.send([bytes, REQUEST.as_bytes()].concat());
    assert_eq!(client.response().text(), "app");
    let line = proxy.line();
    let named = line.text("client").to_owned();
    // The servers are told the same, or it is our peer.
    let told = app.request().field("x-forwarded-for").map(str::to_owned);
    let ip = named
        .rsplit_once(':')
        .map(|(ip, _)| ip.trim_matches(['[', ']']).to_owned());
    assert_eq!(told, ip);
    if named == client.address().to_string() {
        "peer".to_owned()
    } else {
        named
    }
}

#[test]
fn the_client_is_whom_a_header_names() {
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
fn a_header_that_names_nobody_leaves_the_peer() {
    assert_eq!(client_after(&v1(&Endpoints::Unknown)), "peer");
    assert_eq!(client_after(&v2(Endpoints::Unknown)), "peer");
    assert_eq!(client_after(&v2(Endpoints::Own)), "peer");
}

#[test]
fn curl_speaks_it() {
    let app = Origin::named("app");
    let proxy = requiring(&app);
    let output = curl(&["--haproxy-protocol", &proxy.url("/")]);
    assert_eq!(output.stdout, b"app", "{output:?}");
    assert!(proxy.line().text("client").starts_with("127.0.0.1:"));
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
fn what_is_no_header_ends_the_connection_and_is_counted() {
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
fn a_look_whether_somebody_listens_is_no_failure() {
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
fn only_those_who_are_trusted_say_who_others_are() {
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

    // Anybody else is a client, whatever it says.
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
fn whom_a_header_names_may_be_a_trusted_proxy() {
    let app = Origin::named("app");
    let proxy = Setup::of(&[&app])
        .frontend("proxy_protocol = \"required\"\ntrusted_proxies = \"192.0.2.7\"")
        .start();
    let mut client = proxy.client();
    client.send(v2(client_at("192.0.2.7:4711")));
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\n\r\n");
    assert_eq!(client.response().text(), "app");
    assert_eq!(proxy.line().text("client"), "203.0.113.9:4711");
    let told = app.request();
    assert_eq!(
        told.field("x-forwarded-for"),
        Some("203.0.113.9, 192.0.2.7")
    );
}
