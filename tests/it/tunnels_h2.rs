//! WebSocket and other tunnels towards HTTP/2 servers: a stream that is opened by extended CONNECT
//! (RFC 8441).

use std::sync::mpsc;

use http::{Method, Version};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::rig::{
    Asked, Authority, Browser, Client, END_STREAM, Ending, FLOOD_BYTES, Folder, Frames, Gate, Good,
    H2Tunnel, HI, HI_BACK, Handshakes, Line, Offer, Origin, Proxy, Reply, Setup, connect_by_h2,
    kind, setting, whole_visit,
};

/// The settings of a server that offers extended CONNECT.
const OFFERS: &[(u16, u32)] = &[(setting::CONNECT, 1)];

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

const OPEN: &str = "evenkeel_frontend_open_tunnels";

/// The example of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A server that accepts a WebSocket from every client.
fn echoing() -> Good {
    Good::connecting(None, |_| Reply::of("ok"))
}

/// The proxy before a server of HTTP/2.
fn before(origin: &Good) -> Proxy {
    setup(origin.address()).start()
}

fn setup(address: std::net::SocketAddr) -> Setup {
    Setup::at([address])
        .workers(1)
        .frontend("upgrades = [\"websocket\", \"x\"]")
        .backend("protocol = \"h2\"")
}

/// Asks for a WebSocket in HTTP/1.
fn ask_with(fields: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\n{fields}\r\n"
    )
}

/// Asks for an unknown protocol.
const ASK_X: &str = "GET /x HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";

/// An HTTP/2 server whose first connection is controlled by `script`, and whose others answer every
/// request with `other`.
fn scripted(script: impl Fn(&mut Frames) + Send + Sync + 'static) -> Origin {
    scripted_with(OFFERS, script)
}

/// The same, with other settings.
fn scripted_with(
    settings: &'static [(u16, u32)],
    script: impl Fn(&mut Frames) + Send + Sync + 'static,
) -> Origin {
    Origin::scripted(move |visit| {
        let number = visit.number();
        let Some(mut frames) = Frames::begin(visit, settings) else {
            return;
        };
        if number == 0 {
            script(&mut frames);
        }
        while let Some(stream) = frames.request() {
            frames.answer(stream, b"other");
        }
    })
}

/// A client whose connection has become a tunnel of `x`.
fn tunnel(proxy: &Proxy) -> Client {
    let mut client = proxy.client();
    let answer = client.ask(ASK_X);
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.field("upgrade"), Some("x"));
    assert_eq!(answer.field("connection"), Some("upgrade"));
    client
}

fn protocol_of(asked: &Asked) -> Option<&str> {
    let protocol = asked.extensions().get::<h2::ext::Protocol>();
    protocol.map(h2::ext::Protocol::as_str)
}

// Asking.

#[test]
fn a_client_of_http_1_has_a_websocket_to_a_server_of_http_2() {
    let origin = echoing();
    let proxy = before(&origin);
    whole_visit(&proxy, origin.address());
}

#[test]
fn a_client_of_http_2_has_a_websocket_to_a_server_of_http_2() {
    let origin = echoing();
    let proxy = before(&origin);
    let mut tunnel = H2Tunnel::open(proxy.address());
    tunnel.say(&HI[..3]);
    tunnel.say(&HI[3..]);
    assert_eq!(tunnel.hear(4), HI_BACK);
    // A close frame, and its echo.
    tunnel.say(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8][..]);
    assert_eq!(tunnel.hear(4), [0x88, 2, 3, 0xe8]);
    tunnel.hears_the_end();
    tunnel.say_last();
    let line = proxy.line();
    assert_eq!(line.verdict(), (200, "-"));
    assert_eq!(line.text("method"), "CONNECT");
    assert_eq!((line.number("bytes_in"), line.number("bytes_out")), (16, 8));
}

#[test]
fn a_websocket_to_a_removed_http_2_server_continues() {
    let (origin, other) = (echoing(), echoing());
    let proxy = before(&origin);
    let mut browser = Browser::open(proxy.address());
    browser.echoed("hello");
    proxy.apply(&setup(other.address()));
    assert_eq!(proxy.get("/").text(), "ok");
    browser.echoed("still here");
}

#[test]
fn the_server_gets_the_clients_request() {
    let origin = echoing();
    let proxy = before(&origin);
    let _tunnel = H2Tunnel::open(proxy.address());
    let mut client = proxy.client();
    // No body, and none announced: else the server would take the next bytes for it.
    let fields = format!("sec-websocket-key: {KEY}\r\nx: y\r\ncontent-length: 0\r\n");
    client.ask(ask_with(&fields));
    let requests = origin.requests();
    assert_eq!(requests.len(), 2);
    let targets: Vec<_> = requests
        .iter()
        .map(|asked| asked.uri().to_string())
        .collect();
    assert_eq!(targets, ["http://test/chat?a=b", "http://test/chat"]);
    for asked in requests.iter() {
        assert_eq!(asked.method(), Method::CONNECT);
        assert_eq!(protocol_of(asked), Some("websocket"));
        assert_eq!(asked.headers()["sec-websocket-version"], "13");
        for gone in [
            "sec-websocket-key",
            "upgrade",
            "connection",
            "host",
            "content-length",
        ] {
            assert!(!asked.headers().contains_key(gone), "{gone}");
        }
    }
    assert_eq!(requests[1].headers()["x"], "y");
}

#[test]
fn the_clients_key_is_answered_and_what_is_agreed_on_passes_both_ways() {
    let origin = Good::connecting(None, |asked| {
        let mut reply = Reply::of("");
        let headers = reply.response.headers_mut();
        for name in ["sec-websocket-protocol", "sec-websocket-extensions"] {
            headers.insert(name, asked.headers()[name].clone());
        }
        // It has seen no key.
        let answer = http::HeaderValue::from_static("nonsense");
        headers.insert("sec-websocket-accept", answer);
        *reply.response.status_mut() = http::StatusCode::ACCEPTED;
        reply
    });
    let proxy = before(&origin);
    let fields = format!(
        "sec-websocket-key: {KEY}\r\nsec-websocket-protocol: chat\r\n\
         sec-websocket-extensions: permessage-deflate\r\n"
    );
    let answer = proxy.ask(ask_with(&fields));
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.values("sec-websocket-accept"), [ACCEPT]);
    assert_eq!(answer.field("upgrade"), Some("websocket"));
    assert_eq!(answer.field("connection"), Some("upgrade"));
    assert_eq!(answer.field("sec-websocket-protocol"), Some("chat"));
    let extensions = answer.field("sec-websocket-extensions");
    assert_eq!(extensions, Some("permessage-deflate"));
}

#[test]
fn a_key_that_cannot_be_answered_is_refused_by_us() {
    let origin = echoing();
    let proxy = before(&origin);
    let two = format!("sec-websocket-key: {KEY}\r\nsec-websocket-key: {KEY}\r\n");
    for (number, fields) in ["", "sec-websocket-key: short\r\n", &two]
        .iter()
        .enumerate()
    {
        assert_eq!(proxy.ask(ask_with(fields)).status(), 400, "{fields}");
        let lines = proxy.wait_for_lines(number + 1);
        assert_eq!(lines[number].verdict(), (400, "request.upgrade.key"));
    }
    assert!(origin.requests().is_empty());
    // Protocols without a key need none.
    let _tunnel = tunnel(&proxy);
}

#[test]
fn another_answer_is_an_ordinary_one_and_the_connection_continues() {
    let origin = Good::connecting(None, |asked| {
        let mut reply = Reply::of("no");
        if asked.method() == Method::CONNECT {
            *reply.response.status_mut() = http::StatusCode::FORBIDDEN;
        }
        reply
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    let answer = client.ask(ask_with(&format!("sec-websocket-key: {KEY}\r\n")));
    assert_eq!((answer.status(), answer.text().as_str()), (403, "no"));
    assert_eq!(answer.field("upgrade"), None);
    let (_runtime, response, _send) = connect_by_h2(proxy.address(), "websocket");
    assert_eq!(response.status(), 403);
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(origin.connections(), 1);
    let lines = proxy.wait_for_lines(3);
    let verdicts: Vec<_> = lines.iter().map(Line::verdict).collect();
    assert_eq!(verdicts.iter().filter(|one| **one == (403, "-")).count(), 2);
}

#[test]
fn the_next_bytes_of_a_refused_client_are_http() {
    let origin = scripted(|frames| {
        let stream = frames.request().expect("a CONNECT");
        // `:status: 404`, as HPACK writes it; END_HEADERS and END_STREAM.
        frames.send(kind::HEADERS, 5, stream, &[0x8d]);
        // Its end and the next request, in either order, and nothing else.
        let mut next: Vec<_> = (0..2).filter_map(|_| frames.next()).collect();
        next.sort_by_key(|frame| frame.stream);
        let kinds: Vec<_> = next.iter().map(|frame| frame.kind).collect();
        assert_eq!(kinds, [kind::DATA, kind::HEADERS]);
        assert_eq!((next[0].stream, next[0].flags), (stream, END_STREAM));
        assert!(next[0].payload.is_empty());
        frames.answer(next[1].stream, b"other");
    });
    let proxy = setup(origin.address()).start();
    let mut client = proxy.client();
    client.send(format!("{ASK_X}GET / HTTP/1.1\r\nhost: test\r\n\r\n"));
    assert_eq!(client.response().status(), 404);
    assert_eq!(client.response().text(), "other");
    assert_eq!(origin.connections(), 1);
}

// Offering, and not.

#[test]
fn a_server_that_does_not_offer_it_is_not_asked_and_serves_all_else() {
    let origin = Good::answering(|_| Reply::of("ok"));
    let proxy = before(&origin);
    let refused = Browser::try_open(proxy.address()).err();
    assert!(
        matches!(&refused, Some(tungstenite::Error::Http(response)) if response.status() == 501),
        "{refused:?}"
    );
    let (_runtime, response, _send) = connect_by_h2(proxy.address(), "websocket");
    assert_eq!(response.status(), 501);
    assert_eq!(proxy.get("/").text(), "ok");
    let lines = proxy.wait_for_lines(3);
    assert_eq!(lines[0].verdict(), (501, "upgrade.unsupported"));
    assert_eq!(lines[1].verdict(), (501, "upgrade.unsupported"));
    let replies = "evenkeel_replies_total";
    assert_eq!(
        proxy.metric(replies, &[("reason", "upgrade.unsupported")]),
        2.0
    );
    assert_eq!(proxy.server(origin.address())["in_flight"], 0);
    // No stream of it was used, and no other connection was opened.
    assert_eq!(origin.requests().len(), 1);
    assert_eq!(origin.connections(), 1);
    let opened = "evenkeel_server_connections_opened_total";
    assert_eq!(proxy.metric(opened, &[]), 1.0);
}

#[test]
fn a_server_that_never_sends_its_settings_is_not_waited_for_for_ever() {
    let origin = Origin::scripted(|visit| {
        if let Some(mut frames) = Frames::preface(visit) {
            frames.next();
        }
    });
    let proxy = setup(origin.address())
        .backend("timeout = { connect = \"300ms\" }")
        .start();
    assert_eq!(proxy.ask(ASK_X).status(), 503);
    let verdict = (503, "server.connect.timeout");
    assert_eq!(proxy.line().verdict(), verdict);
}

#[test]
fn a_server_that_closes_before_its_settings_is_named() {
    let origin = Origin::scripted(|visit| {
        Frames::preface(visit);
    });
    let proxy = setup(origin.address()).start();
    assert_eq!(proxy.ask(ASK_X).status(), 503);
    let verdict = (503, "server.connect.failed");
    assert_eq!(proxy.line().verdict(), verdict);
}

/// A server with TLS that prefers HTTP/2, and the proxy before it.
fn under_tls(connects: impl Fn(Handshakes) -> Good, backend: &str) -> (Good, Proxy, Folder) {
    let authority = Authority::new("an authority");
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let pair = authority.pair(&["a.test"]);
    let origin = connects(Handshakes::showing(&pair, Offer::Both));
    let tls = format!("tls = {{ ca = '{}', sni = 'a.test' }}\n", ca.display());
    let proxy = Setup::at([origin.address()])
        .workers(1)
        .backend(&(tls + backend))
        .start();
    (origin, proxy, folder)
}

#[test]
fn under_tls_a_server_that_offers_it_is_asked_in_what_it_has_chosen() {
    for backend in ["", "protocol = \"h2\""] {
        let connects = |handshakes| Good::connecting(Some(handshakes), |_| Reply::of("ok"));
        let (origin, proxy, _folder) = under_tls(connects, backend);
        let mut browser = Browser::open(proxy.address());
        browser.echoed("hello");
        let mut tunnel = H2Tunnel::open(proxy.address());
        tunnel.say(&HI[..]);
        assert_eq!(tunnel.hear(4), HI_BACK);
        assert_eq!(proxy.get("/").text(), "ok");
        assert_eq!(origin.connections(), 1, "{backend}");
        let asked = &origin.requests()[0];
        assert_eq!(asked.method(), Method::CONNECT);
        assert_eq!(asked.uri().scheme_str(), Some("https"));
    }
}

/// A server with both versions of HTTP and neither extended CONNECT nor `Upgrade`.
fn declining(handshakes: Handshakes) -> Good {
    Good::secured(handshakes, |asked| {
        let mut reply = Reply::of("no");
        if asked.headers().contains_key("upgrade") {
            *reply.response.status_mut() = http::StatusCode::FORBIDDEN;
        }
        reply
    })
}

#[test]
fn under_tls_a_server_that_does_not_offer_it_is_asked_in_http_1() {
    let (origin, proxy, _folder) = under_tls(declining, "");
    assert_eq!(proxy.get("/").status(), 200);
    assert!(Browser::try_open(proxy.address()).is_err());
    assert_eq!(proxy.get("/").status(), 200);
    let requests = origin.requests();
    let versions: Vec<_> = requests.iter().map(|asked| asked.version()).collect();
    assert_eq!(
        versions,
        [Version::HTTP_2, Version::HTTP_11, Version::HTTP_2]
    );
    assert_eq!(requests[1].headers()["upgrade"], "websocket");
    assert_eq!(origin.connections(), 2);
    drop(requests);
    let line = &proxy.wait_for_lines(2)[1];
    assert_eq!(line.verdict(), (403, "-"));
    let opened = "evenkeel_server_connections_opened_total";
    assert_eq!(proxy.metric(opened, &[]), 2.0);
}

#[test]
fn no_connection_is_opened_only_to_hear_no_again() {
    // Each is used once.
    let (origin, proxy, _folder) = under_tls(declining, "pool = { max_requests = 1 }");
    assert!(Browser::try_open(proxy.address()).is_err());
    // One that refused, and one for the WebSocket.
    assert_eq!(origin.connections(), 2);
    assert_eq!(proxy.get("/").status(), 200);
    assert_eq!(origin.connections(), 2, "the one that said no is used");
    assert!(Browser::try_open(proxy.address()).is_err());
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_tunnel_that_the_server_refused_to_look_at_is_asked_for_again() {
    let origin = scripted(|frames| {
        let first = frames.request().expect("a CONNECT");
        frames.reset(first, REFUSED_STREAM);
        let second = frames.request().expect("another");
        frames.head(second);
        frames.data(second, b"hello");
        frames.wait_for(kind::RESET);
    });
    let proxy = setup(origin.address()).start();
    let mut client = tunnel(&proxy);
    assert_eq!(client.bytes(5), b"hello");
    assert_eq!(origin.connections(), 1);
}

// The stream of a connection that others use.

#[test]
fn tunnels_and_requests_share_a_connection() {
    let origin = echoing();
    let proxy = before(&origin);
    let mut browsers: Vec<Browser> = (0..20).map(|_| Browser::open(proxy.address())).collect();
    for browser in &mut browsers {
        browser.echoed("hello");
    }
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(origin.connections(), 1);
    assert_eq!(proxy.server(origin.address())["in_flight"], 20);
    for browser in browsers {
        browser.leave();
    }
    proxy.wait_for_metric(OPEN, &[("frontend", "web")], 0.0);
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn an_open_tunnel_takes_one_of_the_streams_that_there_may_be() {
    let origin = echoing();
    let proxy = setup(origin.address())
        .backend("http2 = { max_streams = 2 }")
        .start();
    let mut browsers: Vec<Browser> = (0..3).map(|_| Browser::open(proxy.address())).collect();
    assert_eq!(origin.connections(), 2);
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(origin.connections(), 2);
    for browser in &mut browsers {
        browser.echoed("hello");
    }
}

#[test]
fn a_client_that_takes_nothing_holds_up_no_other() {
    let origin = echoing();
    let proxy = before(&origin);
    let mut slow = Client::connect_narrow(proxy.address());
    let ask = ASK_X.replace("/x", "/flood");
    assert_eq!(slow.ask(ask).status(), 101);
    let mut by_h2 = H2Tunnel::open_at(proxy.address(), "/flood");
    let mut browser = Browser::open(proxy.address());
    for _ in 0..20 {
        browser.echoed(&"more than a window ".repeat(20_000));
    }
    assert_eq!(origin.connections(), 1);
    assert_eq!(slow.bytes(FLOOD_BYTES).len(), FLOOD_BYTES);
    assert_eq!(by_h2.hear(FLOOD_BYTES).len(), FLOOD_BYTES);
    slow.is_closed();
}

#[test]
fn a_server_that_takes_nothing_holds_up_its_own_client_alone() {
    const ROOM: usize = 1000;
    let settings = &[(setting::CONNECT, 1), (setting::WINDOW, ROOM as u32)];
    let is_full = Gate::default();
    let full = is_full.clone();
    let origin = scripted_with(settings, move |frames| {
        let first = frames.request().expect("a CONNECT");
        frames.head(first);
        let mut taken = 0;
        while taken < ROOM {
            let piece = frames.wait_for(kind::DATA).expect("a piece");
            taken += piece.payload.len();
        }
        full.open();
        let second = frames.request().expect("another");
        frames.head(second);
        let said = frames.wait_for(kind::DATA).expect("a word");
        // The first stream has had no data since.
        assert_eq!(said.stream, second);
        frames.data(second, &said.payload);
        frames.reset(first, INTERNAL_ERROR);
        frames.wait_for(kind::RESET);
    });
    let proxy = setup(origin.address()).start();
    let mut stuck = tunnel(&proxy);
    stuck.narrow_sending();
    stuck.send_until_stuck();
    is_full.pass();
    let mut other = tunnel(&proxy);
    other.send("hello");
    assert_eq!(other.bytes(5), b"hello");
    assert_eq!(stuck.rest().1, Ending::Reset);
    let line = proxy.line();
    assert_eq!(line.verdict(), (101, "server.left"));
    assert_eq!(line.number("bytes_in"), ROOM as u64);
}

#[test]
fn a_peer_that_has_sent_all_still_receives() {
    let origin = scripted(|frames| {
        let stream = frames.request().expect("a CONNECT");
        frames.head(stream);
        let mut heard = Vec::new();
        loop {
            let piece = frames.wait_for(kind::DATA).expect("a piece");
            heard.extend_from_slice(&piece.payload);
            if piece.flags & END_STREAM != 0 {
                break;
            }
        }
        assert_eq!(heard, b"all");
        frames.data(stream, b"after ");
        frames.last(stream, b"the end");
    });
    let proxy = setup(origin.address()).start();
    let mut client = tunnel(&proxy);
    client.send("all").half_close();
    assert_eq!(client.bytes(13), b"after the end");
    client.is_closed();
    let line = proxy.line();
    assert_eq!(line.verdict(), (101, "-"));
    assert_eq!((line.number("bytes_in"), line.number("bytes_out")), (3, 13));
    // The connection is as good as before.
    assert_eq!(proxy.get("/").text(), "other");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_server_that_has_sent_all_and_reads_no_more_has_not_broken_the_tunnel() {
    let origin = scripted(|frames| {
        let stream = frames.request().expect("a CONNECT");
        frames.head(stream);
        frames.last(stream, b"the end");
        frames.reset(stream, NO_ERROR);
    });
    let proxy = setup(origin.address()).start();
    let mut client = tunnel(&proxy);
    assert_eq!(client.rest(), (b"the end".to_vec(), Ending::Closed));
    client.send("unread bytes");
    drop(client);
    assert_eq!(proxy.line().verdict(), (101, "-"));
}

#[test]
fn a_server_that_resets_the_stream_is_named_and_the_client_is_broken_too() {
    let gate = Gate::default();
    let pass = gate.clone();
    let origin = scripted(move |frames| {
        let first = frames.request().expect("a CONNECT");
        frames.head(first);
        let second = frames.request().expect("another");
        frames.head(second);
        let third = frames.request().expect("a third");
        frames.head(third);
        frames.data(first, b"half a word");
        pass.pass();
        frames.reset(first, INTERNAL_ERROR);
        frames.reset(second, INTERNAL_ERROR);
        // The other stream continues.
        let said = frames.wait_for(kind::DATA).expect("a word");
        assert_eq!(said.stream, third);
        frames.last(third, &said.payload);
    });
    let proxy = setup(origin.address()).start();
    let mut first = tunnel(&proxy);
    let mut second = H2Tunnel::open(proxy.address());
    let mut third = tunnel(&proxy);
    assert_eq!(first.bytes(11), b"half a word");
    gate.open();
    assert_eq!(first.rest(), (Vec::new(), Ending::Reset));
    assert_eq!(second.reset_with(), Some(h2::Reason::CANCEL));
    let lines = proxy.wait_for_lines(2);
    let mut verdicts: Vec<_> = lines.iter().map(Line::verdict).collect();
    verdicts.sort_unstable();
    assert_eq!(verdicts, [(101, "server.left"), (200, "server.left")]);
    let faults = "evenkeel_attempt_faults_total";
    assert_eq!(proxy.metric(faults, &[("reason", "server.left")]), 2.0);
    third.send("still here");
    assert_eq!(third.bytes(10), b"still here");
}

#[test]
fn a_client_that_leaves_resets_its_stream_alone() {
    let origin = scripted(|frames| {
        for _ in 0..2 {
            let stream = frames.request().expect("a CONNECT");
            frames.head(stream);
            let reset = frames.wait_for(kind::RESET).expect("its end");
            assert_eq!(reset.stream, stream);
            assert_eq!(reset.payload, CANCEL.to_be_bytes());
        }
    });
    let proxy = setup(origin.address()).start();
    tunnel(&proxy).reset();
    assert_eq!(proxy.line().verdict(), (101, "client.left"));
    let mut by_h2 = H2Tunnel::open(proxy.address());
    by_h2.send.send_reset(h2::Reason::CANCEL);
    let lines = proxy.wait_for_lines(2);
    assert_eq!(lines[1].verdict(), (200, "client.left"));
    assert_eq!(proxy.get("/").text(), "other");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_client_that_leaves_before_the_answer_resets_its_stream() {
    let is_asked = Gate::default();
    let asked = is_asked.clone();
    let origin = scripted(move |frames| {
        let stream = frames.request().expect("a CONNECT");
        asked.open();
        let reset = frames.wait_for(kind::RESET).expect("its end");
        assert_eq!(reset.stream, stream);
    });
    let proxy = setup(origin.address()).start();
    let mut client = proxy.client();
    client.send(ASK_X);
    is_asked.pass();
    client.reset();
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
    assert_eq!(proxy.get("/").text(), "other");
    assert_eq!(origin.connections(), 1);
}

// Connections that retire.

#[test]
fn a_goaway_of_the_server_keeps_an_open_tunnel() {
    let origin = scripted(|frames| {
        let stream = frames.request().expect("a CONNECT");
        frames.head(stream);
        frames.goaway(stream);
        frames.data(stream, b"first");
        let said = frames.wait_for(kind::DATA).expect("a word");
        frames.data(stream, &said.payload);
        let end = frames.wait_for(kind::DATA).expect("the end");
        assert_eq!(end.flags, END_STREAM);
        frames.last(stream, b"last");
    });
    let proxy = setup(origin.address()).start();
    let mut client = tunnel(&proxy);
    assert_eq!(client.bytes(5), b"first");
    assert_eq!(proxy.get("/").text(), "other");
    assert_eq!(origin.connections(), 2);
    client.send("still here");
    assert_eq!(client.bytes(10), b"still here");
    client.half_close();
    assert_eq!(client.bytes(4), b"last");
    client.is_closed();
    let lines = proxy.wait_for_lines(2);
    assert_eq!(lines[1].verdict(), (101, "-"));
    origin.wait_for_end_of(0);
}

#[test]
fn a_connection_that_is_too_old_keeps_its_open_tunnel() {
    let origin = echoing();
    let proxy = setup(origin.address())
        .backend("pool = { max_requests = 1 }")
        .start();
    let mut browser = Browser::open(proxy.address());
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(origin.connections(), 3);
    browser.echoed("still here");
    browser.leave();
    origin.wait_for_open(1);
}

#[test]
fn a_connection_that_only_a_tunnel_is_left_on_is_still_looked_after() {
    let is_asked = Gate::default();
    let pinged = is_asked.clone();
    let origin = scripted(move |frames| {
        let stream = frames.request().expect("a CONNECT");
        frames.head(stream);
        frames.goaway(stream);
        frames.data(stream, b"first");
        if frames.wait_for(kind::PING).is_some() {
            pinged.open();
        }
        // And no answer.
        while frames.next().is_some() {}
    });
    let proxy = setup(origin.address())
        .backend("http2 = { ping_interval = \"1s\", ping_timeout = \"1s\" }")
        .start();
    let mut client = tunnel(&proxy);
    assert_eq!(client.bytes(5), b"first");
    assert_eq!(proxy.get("/").text(), "other");
    is_asked.pass();
    assert_eq!(client.rest(), (Vec::new(), Ending::Reset));
    let lines = proxy.wait_for_lines(2);
    assert_eq!(lines[1].verdict(), (101, "server.left"));
}

// The end.

#[test]
fn a_tunnel_in_which_nothing_passes_is_closed() {
    let origin = scripted(|frames| {
        let stream = frames.request().expect("a CONNECT");
        frames.head(stream);
        let mut ends = 0;
        while ends == 0 {
            let piece = frames.wait_for(kind::DATA).expect("the end");
            ends += piece.flags & END_STREAM;
        }
        frames.last(stream, b"");
    });
    let proxy = setup(origin.address())
        .frontend("timeout = { tunnel = \"300ms\" }")
        .start_paused();
    let mut client = tunnel(&proxy);
    client.send("a few words");
    client.hears_in_time(&proxy);
    client.is_closed();
    drop(client);
    let line = proxy.line();
    assert_eq!(line.verdict(), (101, "tunnel.idle"));
    assert_eq!(line.number("bytes_in"), 11);
    assert_eq!(proxy.get("/").text(), "other");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn on_a_drain_all_peers_get_a_close_frame_between_two_frames() {
    let (sender, codes) = mpsc::channel();
    let origin = scripted(move |frames| {
        for _ in 0..2 {
            let stream = frames.request().expect("a CONNECT");
            frames.head(stream);
        }
        let mut ends = 0;
        while ends < 2 {
            let piece = frames.wait_for(kind::DATA).expect("close_notify");
            if let [0x88, 0x82, mask @ .., high, low] = &piece.payload[..] {
                let code = [high ^ mask[0], low ^ mask[1]];
                sender
                    .send(u16::from_be_bytes(code))
                    .expect("the test waits");
            } else {
                assert!(piece.payload.is_empty(), "{piece:?}");
            }
            if piece.flags & END_STREAM != 0 {
                ends += 1;
                frames.last(piece.stream, b"");
            }
        }
    });
    let times = "shutdown = { tunnels = \"200ms\", timeout = \"20s\" }";
    let mut proxy = setup(origin.address()).top(times).start();
    let mut browser = Browser::open(proxy.address());
    let mut by_h2 = H2Tunnel::open(proxy.address());
    proxy.drain();
    assert_eq!(browser.close_code(), CloseCode::Away);
    browser.leave();
    assert_eq!(by_h2.hear(4), [0x88, 2, 3, 0xe9]);
    by_h2.hears_the_end();
    drop(by_h2);
    proxy.wait_for_end();
    let lines = proxy.end();
    assert_eq!(lines.len(), 2);
    assert_eq!(codes.try_iter().collect::<Vec<_>>(), [1001, 1001]);
    for line in lines {
        assert_eq!(line.text("reason"), "tunnel.drained");
    }
    origin.wait_for_end_of(0);
}

#[test]
fn a_reload_of_other_things_leaves_a_tunnel_alone() {
    let (origin, other) = (echoing(), Origin::named("b"));
    let setup = setup(origin.address());
    let proxy = setup.clone().start();
    let mut browser = Browser::open(proxy.address());
    let mut tunnel = H2Tunnel::open(proxy.address());
    proxy.apply(&setup.clone().also("b", &other));
    // Other settings: what is opened from now on is another connection.
    proxy.apply(&setup.backend("http2 = { max_streams = 7 }"));
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(origin.connections(), 2);
    browser.echoed("still here");
    tunnel.say(&HI[..]);
    assert_eq!(tunnel.hear(4), HI_BACK);
    assert_eq!(proxy.server(origin.address())["in_flight"], 2);
    browser.leave();
    drop(tunnel);
    origin.wait_for_open(1);
}

// In a row.

#[test]
fn through_two_proxies_and_tls_every_pairing_passes() {
    let origin = crate::rig::echoing();
    let folder = Folder::new();
    let authority = Authority::new("Test CA");
    let pair = folder.write("a.pem", &authority.pair(&["a.test"]).whole());
    let inner = Setup::of(&[&origin])
        .frontend(&format!("tls = {{ certificates = '{}' }}", pair.display()))
        .start();
    for (protocol, spoken) in [("auto", "HTTP/2"), ("h2", "HTTP/2"), ("h1", "HTTP/1.1")] {
        let tls = "tls = { verify = \"none\", sni = \"a.test\" }";
        let outer = Setup::at([inner.address()])
            .backend(&format!("protocol = \"{protocol}\"\n{tls}"))
            .start();
        let before = inner.lines().len();
        let mut browser = Browser::open(outer.address());
        browser.echoed("hello");
        browser.leave();
        let mut tunnel = H2Tunnel::open(outer.address());
        tunnel.say(&HI[..]);
        assert_eq!(tunnel.hear(4), HI_BACK);
        tunnel.say(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8][..]);
        assert_eq!(tunnel.hear(4), [0x88, 2, 3, 0xe8]);
        tunnel.hears_the_end();
        tunnel.say_last();
        for line in outer.wait_for_lines(2) {
            assert_eq!(line.text("reason"), "-", "{protocol}");
        }
        for line in &inner.wait_for_lines(before + 2)[before..] {
            assert_eq!((line.text("version"), line.text("reason")), (spoken, "-"));
        }
    }
}
