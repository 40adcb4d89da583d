//! Connections that change to another protocol: WebSocket by `Upgrade` and by extended CONNECT, and
//! every other protocol that `upgrades` allows. HTTP/2 servers are in `tunnels_h2`.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::rig::{
    Browser, Client, Ending, Gate, H2Tunnel, HI, HI_BACK, Origin, Program, Proxy, Setup,
    connect_by_h2, echoing, until, whole_visit,
};

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: ";

/// Requests an upgrade to another protocol.
fn ask(protocol: &str) -> String {
    format!("{ASK}{protocol}\r\n\r\n")
}

/// A server that accepts an upgrade to `x` and then runs the script.
fn agreeing(script: impl Fn(&mut crate::rig::Visit) + Send + Sync + 'static) -> Origin {
    Origin::scripted(move |visit| {
        if visit.request().is_some() {
            visit.send(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            );
            script(visit);
        }
    })
}

/// A proxy before `origin` that allows `x`, and a connection that has become a tunnel.
fn tunnel_to(origin: &Origin, with: impl Fn(Setup) -> Setup) -> (Proxy, Client) {
    let setup = Setup::of(&[origin]).frontend("upgrades = [\"x\", \"websocket\"]");
    let proxy = with(setup).start();
    let mut client = proxy.client();
    let answer = client.ask(ask("x"));
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.field("upgrade"), Some("x"));
    assert_eq!(answer.field("connection"), Some("upgrade"));
    (proxy, client)
}

const OPEN: &str = "evenkeel_frontend_open_tunnels";

#[test]
fn a_length_does_not_go_with_the_wish() {
    let origin = agreeing(|visit| {
        visit.wait_for_end();
    });
    let setup = Setup::of(&[&origin]).frontend("upgrades = [\"x\"]");
    let proxy = setup.start();
    let answer = proxy.ask(format!("{ASK}x\r\ncontent-length: 0\r\n\r\n"));
    assert_eq!(answer.status(), 101);
    assert_eq!(origin.request().field("content-length"), None);
}

#[test]
fn a_tunnel_counts_for_its_route_when_it_ends_also_after_a_reload() {
    let origin = agreeing(|visit| {
        visit.wait_for_end();
    });
    let setup = || {
        Setup::of(&[&origin])
            .frontend("upgrades = [\"x\"]")
            .route("name = \"chat\"\npath = \"/chat\"\nbackend = \"app\"")
    };
    let proxy = setup().start();
    let mut client = proxy.client();
    assert_eq!(client.ask(ask("x")).status(), 101);
    proxy.apply(&setup().backend("attempts = 1"));
    drop(client);
    let chat = [("frontend", "web"), ("route", "chat")];
    proxy.wait_for_metric("evenkeel_route_requests_total", &chat, 1.0);
}

// WebSocket.

#[test]
fn a_websocket_is_carried_both_ways_and_logged_when_it_ends() {
    let origin = echoing();
    let proxy = Setup::of(&[&origin]).start();
    whole_visit(&proxy, origin.address());
    let seconds = "evenkeel_frontend_request_duration_seconds_count";
    assert_eq!(proxy.metric(seconds, &[("frontend", "web")]), 0.0);
}

#[test]
fn a_client_of_http_2_has_a_websocket_to_a_server_of_http_1() {
    let origin = echoing();
    let proxy = Setup::of(&[&origin]).start();
    let mut tunnel = H2Tunnel::open(proxy.address());
    tunnel.say(&HI[..3]);
    tunnel.say(&HI[3..]);
    assert_eq!(tunnel.hear(4), HI_BACK);
    // A close frame, and its echo.
    tunnel.say(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8][..]);
    assert_eq!(tunnel.hear(4), [0x88, 2, 3, 0xe8]);
    tunnel.hears_the_end();
    tunnel.send.send_data(Bytes::new(), true).expect("open");
    let line = proxy.line();
    assert_eq!(line.verdict(), (200, "-"));
    assert_eq!(line.text("method"), "CONNECT");
    assert_eq!(line.number("bytes_in"), 16);
    assert_eq!(line.number("bytes_out"), 8);
}

#[test]
fn a_server_of_http_1_is_asked_for_what_a_client_of_http_2_wants() {
    let origin = Origin::answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    let proxy = Setup::of(&[&origin]).start();
    let (_runtime, response, _send) = connect_by_h2(proxy.address(), "websocket");
    assert_eq!(response.status(), 403);
    let request = origin.request();
    assert_eq!(request.start, "GET /chat?a=b HTTP/1.1");
    assert_eq!(request.field("host"), Some("test"));
    assert_eq!(request.field("upgrade"), Some("websocket"));
    assert_eq!(request.field("connection"), Some("upgrade"));
    assert_eq!(request.field("sec-websocket-version"), Some("13"));
    let key = request.field("sec-websocket-key").expect("a key");
    assert_eq!(key.len(), generate_key().len());
    assert_eq!(request.field("transfer-encoding"), None);
    assert_eq!(proxy.line().verdict(), (403, "-"));
}

#[test]
fn a_server_that_does_not_answer_the_key_is_not_believed() {
    let origin = Origin::scripted(|visit| {
        visit.request();
        visit.send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        visit.wait_for_end();
    });
    let proxy = Setup::of(&[&origin]).start();
    let (_runtime, response, _send) = connect_by_h2(proxy.address(), "websocket");
    assert_eq!(response.status(), 502);
    let line = proxy.line();
    assert_eq!(line.verdict(), (502, "server.response.malformed"));
}

#[test]
fn connect_is_refused_without_a_protocol_and_with_another_one() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let (_runtime, response, _send) = connect_by_h2(proxy.address(), "h2c");
    assert_eq!(response.status(), 501);
    let verdict = (501, "request.protocol.refused");
    assert_eq!(proxy.line().verdict(), verdict);
    let refused = proxy.ask("CONNECT test:80 HTTP/1.1\r\nhost: test:80\r\n\r\n");
    assert_eq!(refused.status(), 405);
    assert!(origin.has_seen_nothing());
}

// Accepted and refused upgrades.

#[test]
fn early_bytes_of_either_side_arrive() {
    let origin = Origin::scripted(|visit| {
        visit.request();
        visit.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nearly server");
        let heard = visit.bytes(12).expect("it comes");
        visit.send(heard);
    });
    let setup = Setup::of(&[&origin]).frontend("upgrades = \"x\"");
    let proxy = setup.start();
    let mut client = proxy.client();
    client.send(format!("{}early client", ask("x")));
    assert_eq!(client.head().status(), 101);
    assert_eq!(client.bytes(24), b"early serverearly client");
    client.is_closed();
    client.half_close();
    let line = proxy.line();
    assert_eq!(line.verdict(), (101, "-"));
    assert_eq!(
        (line.number("bytes_in"), line.number("bytes_out")),
        (12, 24)
    );
}

#[test]
fn another_answer_is_an_ordinary_one_and_ends_the_connection_to_the_server() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).workers(1).start();
    let mut client = proxy.client();
    assert_eq!(client.ask(ask("websocket")).text(), "a");
    origin.wait_for_end_of(0);
    assert_eq!(client.get("/").text(), "a");
    assert_eq!(origin.connections(), 2);
    assert_eq!(origin.requests()[1].field("upgrade"), None);
}

#[test]
fn an_ordinary_success_is_no_tunnel_to_a_client_of_http2() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let (_runtime, response, _send) = connect_by_h2(proxy.address(), "websocket");
    assert_eq!(response.status(), 501);
    assert_eq!(proxy.line().verdict(), (501, "upgrade.unsupported"));
    assert_eq!(origin.request().field("upgrade"), Some("websocket"));
}

#[test]
fn bytes_after_a_refusal_are_http_whatever_they_look_like() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    client.send(format!("{}\x00smuggled", ask("websocket")));
    assert_eq!(client.response().text(), "a");
    assert_eq!(client.response().status(), 400);
    client.half_close().is_closed();
    assert!(!origin.received(0).contains("smuggled"));
}

#[test]
fn a_protocol_that_is_not_let_through_is_not_asked_for() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    assert_eq!(proxy.ask(ask("h2c")).text(), "a");
    assert_eq!(proxy.ask(ask("h2c, WebSocket")).text(), "a");
    let request = "GET / HTTP/1.1\r\nhost: test\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(proxy.ask(request).text(), "a");
    let requests = origin.requests();
    let asked: Vec<_> = requests.iter().map(|one| one.field("upgrade")).collect();
    assert_eq!(asked, [None, Some("websocket"), None]);
    let connection = requests[2].field("connection");
    assert_eq!(connection, None);
}

/// `Upgrade` offers that clients send with every request: Java's HttpClient, Apache HttpClient,
/// curl.
const OFFERS: [&str; 2] = [
    "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAA\r\n",
    "connection: upgrade\r\nupgrade: TLS/1.2\r\n",
];

#[test]
fn a_post_that_offered_another_protocol_was_refused() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    for offer in OFFERS {
        for (body, text) in [
            ("content-length: 2\r\n\r\nhi", "hi"),
            (
                "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
                "hi",
            ),
            ("content-length: 0\r\n\r\n", ""),
            ("\r\n", ""),
        ] {
            let request = format!("POST /echo HTTP/1.1\r\nhost: test\r\n{offer}{body}");
            let answer = client.ask(&request);
            assert_eq!(
                (answer.status(), answer.text().as_str()),
                (200, text),
                "{request}"
            );
        }
    }
    for request in origin.requests() {
        for gone in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(request.field(gone), None, "{}", request.head);
        }
    }
}

#[test]
fn http2_settings_go_no_further_even_if_connection_does_not_name_them() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    proxy.ask("GET / HTTP/1.1\r\nhost: test\r\nhttp2-settings: AAMAAABk\r\n\r\n");
    assert_eq!(origin.request().field("http2-settings"), None);
}

#[test]
fn a_request_of_another_method_went_out_as_get_when_it_offered_a_websocket() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    let starts = [
        "POST /x HTTP/1.1",
        "DELETE /x HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "HEAD /x HTTP/1.1",
    ];
    let offer = "host: test\r\nconnection: keep-alive, upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n";
    for start in starts {
        client.send(format!("{start}\r\n{offer}\r\n"));
        let answer = match start.starts_with("HEAD") {
            true => client.response_to_head(),
            false => client.response(),
        };
        assert_eq!(answer.status(), 200, "{start}");
    }
    let old = proxy.ask(format!("GET /old HTTP/1.0\r\n{offer}\r\n"));
    assert_eq!(old.status(), 200);
    let requests = origin.requests();
    let passed_on: Vec<&str> = requests.iter().map(|one| one.start.as_str()).collect();
    assert_eq!(passed_on[..4], starts);
    assert_eq!(passed_on[4], "GET /old HTTP/1.1");
    for request in &requests {
        assert_eq!(request.field("upgrade"), None, "{}", request.head);
        assert_eq!(request.field("connection"), None, "{}", request.head);
    }
}

#[test]
fn another_protocol_keeps_the_method_that_it_was_asked_for_with() {
    let origin = agreeing(|visit| {
        visit.wait_for_end();
    });
    let proxy = Setup::of(&[&origin]).frontend("upgrades = [\"x\"]").start();
    let answer = proxy.ask(ask("x").replacen("GET", "POST", 1));
    assert_eq!(answer.status(), 101);
    assert_eq!(origin.request().method(), "POST");
}

#[test]
fn a_server_that_switches_to_another_protocol_is_not_followed() {
    for answer in ["upgrade: y", "x: y", "upgrade: x, y"] {
        let head = format!("HTTP/1.1 101 Switching Protocols\r\n{answer}\r\n\r\n");
        let origin = Origin::answering(head);
        let setup = Setup::of(&[&origin]).frontend("upgrades = [\"x\", \"y\"]");
        let proxy = setup.start();
        assert_eq!(proxy.ask(ask("x")).status(), 502, "{answer}");
        let verdict = (502, "server.response.malformed");
        assert_eq!(proxy.line().verdict(), verdict);
    }
}

// The end.

#[test]
fn a_peer_that_has_sent_all_still_receives() {
    let origin = agreeing(|visit| {
        visit.wait_for_end();
        visit.send("after the end");
    });
    let (proxy, mut client) = tunnel_to(&origin, |setup| setup);
    client.send("all").half_close();
    assert_eq!(client.bytes(13), b"after the end");
    client.is_closed();
    assert!(origin.received(0).ends_with("\r\n\r\nall"));
    assert_eq!(proxy.line().verdict(), (101, "-"));
}

#[test]
fn a_tunnel_in_which_nothing_passes_is_closed() {
    let origin = agreeing(|visit| {
        visit.wait_for_end();
    });
    let setup = Setup::of(&[&origin]).frontend("upgrades = [\"x\"]\ntimeout.tunnel = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    assert_eq!(client.ask(ask("x")).status(), 101);
    client.send("a few words");
    until("they arrive", || {
        origin.received(0).ends_with("a few words").then_some(())
    });
    client.hears_in_time(&proxy);
    client.is_closed();
    drop(client);
    origin.wait_for_end_of(0);
    let line = proxy.line();
    assert_eq!(line.verdict(), (101, "tunnel.idle"));
    assert_eq!(line.number("bytes_in"), 11);
}

#[test]
fn a_server_that_breaks_is_named_and_the_client_is_broken_too() {
    let gate = Gate::default();
    let pass = gate.clone();
    let origin = agreeing(move |visit| {
        pass.pass();
        visit.reset();
    });
    let (proxy, mut client) = tunnel_to(&origin, |setup| setup);
    gate.open();
    assert_eq!(client.rest(), (Vec::new(), Ending::Reset));
    assert_eq!(proxy.line().verdict(), (101, "server.left"));
    let faults = "evenkeel_attempt_faults_total";
    assert_eq!(proxy.metric(faults, &[("reason", "server.left")]), 1.0);
}

#[test]
fn a_client_that_breaks_is_named_and_the_server_is_broken_too() {
    let origin = agreeing(|visit| visit.wait_for_end());
    let (proxy, client) = tunnel_to(&origin, |setup| setup);
    client.reset();
    assert_eq!(proxy.line().verdict(), (101, "client.left"));
    origin.wait_for_end_of(0);
}

#[test]
fn a_stream_that_is_reset_ends_its_tunnel_alone() {
    let origin = echoing();
    let proxy = Setup::of(&[&origin]).start();
    let mut tunnel = H2Tunnel::open(proxy.address());
    tunnel.send.send_reset(h2::Reason::CANCEL);
    assert_eq!(proxy.line().verdict(), (200, "client.left"));
    origin.wait_for_end_of(0);
}

// Reload and drain.

#[test]
fn a_reload_of_other_things_leaves_a_tunnel_alone() {
    let (origin, other) = (echoing(), Origin::named("b"));
    let setup = Setup::of(&[&origin]);
    let proxy = setup.start();
    let mut browser = Browser::open(proxy.address());
    let mut tunnel = H2Tunnel::open(proxy.address());
    let also = setup.clone().also("b", &other);
    proxy.apply(&also);
    let address = other.address();
    let servers = format!("\"{}\", \"{address}\"", origin.address());
    proxy.apply(&Setup::servers([servers]).frontend("half_close = true"));
    browser.echoed("still here");
    tunnel.say(&HI[..]);
    assert_eq!(tunnel.hear(4), HI_BACK);
    assert_eq!(proxy.server(origin.address())["in_flight"], 2);
}

#[test]
fn a_tunnel_to_a_removed_server_continues() {
    let (origin, other) = (echoing(), Origin::named("b"));
    let proxy = Setup::of(&[&origin]).start();
    let mut browser = Browser::open(proxy.address());
    let mut tunnel = H2Tunnel::open(proxy.address());
    proxy.apply(&Setup::of(&[&other]));
    assert_eq!(proxy.get("/").text(), "b");
    for _ in 0..2 {
        browser.echoed("still here");
        tunnel.say(&HI[..]);
        assert_eq!(tunnel.hear(4), HI_BACK);
        // Another one, in which its backend is removed, too.
        proxy.apply(&Setup::of(&[&other]).without_default().rest(
            "[[frontend.web.route]]\nbackend = \"b\"\n[backend.b]\nservers = \"127.0.0.1:9\"",
        ));
    }
    assert_eq!(proxy.metric(OPEN, &[]), 2.0);
}

#[test]
fn a_tunnel_of_a_removed_frontend_ends_after_its_time_with_a_close_frame() {
    let origin = echoing();
    let setup = Setup::of(&[&origin]).top("shutdown = { tunnels = \"0s\" }");
    let address = origin.address();
    let second = "[frontend.second]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"";
    let proxy = setup.clone().rest(second).start();
    let mut stays = Browser::open(proxy.address());
    let mut goes = Browser::open(proxy.addresses("second")[0]);
    goes.echoed("hello");
    proxy.apply(&setup);
    assert_eq!(goes.close_code(), CloseCode::Away);
    goes.leave();
    let line = proxy.line();
    assert_eq!(line.verdict(), (101, "tunnel.drained"));
    stays.echoed("still here");
    assert_eq!(proxy.server(address)["in_flight"], 1);
}

#[test]
fn on_a_drain_peers_get_a_close_frame_between_two_frames() {
    let origin = echoing();
    let setup = Setup::of(&[&origin]).top("shutdown = { tunnels = \"200ms\", timeout = \"20s\" }");
    let mut proxy = setup.start_paused();
    let mut browser = Browser::open(proxy.address());
    let mut tunnel = H2Tunnel::open(proxy.address());
    proxy.drain();
    browser.echoed("there is time");
    proxy.advance(Duration::from_millis(250));
    assert_eq!(browser.close_code(), CloseCode::Away);
    browser.leave();
    assert_eq!(tunnel.hear(4), [0x88, 2, 3, 0xe9]);
    tunnel.hears_the_end();
    drop(tunnel);
    proxy.wait_for_end();
    for line in proxy.end() {
        assert_eq!(line.text("reason"), "tunnel.drained");
    }
}

#[test]
fn at_the_shutdown_timeout_tunnels_are_closed_with_a_close_frame_for_http_1() {
    let origin = echoing();
    let times = "shutdown = { tunnels = \"300ms\", timeout = \"300ms\" }";
    let mut proxy = Setup::of(&[&origin]).top(times).start();
    let mut browser = Browser::open(proxy.address());
    proxy.drain();
    assert_eq!(browser.close_code(), CloseCode::Away);
    proxy.wait_for_end();
}

// Many.

#[test]
fn two_hundred_idle_tunnels_hold_a_slot_each_and_no_exchange_up() {
    let origin = echoing();
    let proxy = Setup::of(&[&origin]).start();
    let mut browsers: Vec<Browser> = (0..200).map(|_| Browser::open(proxy.address())).collect();
    proxy.wait_for_metric(OPEN, &[("frontend", "web")], 200.0);
    assert_eq!(proxy.server(origin.address())["in_flight"], 200);
    for browser in &mut browsers {
        browser.echoed("hello");
    }
    for browser in browsers {
        browser.leave();
    }
    proxy.wait_for_metric(OPEN, &[("frontend", "web")], 0.0);
    assert_eq!(proxy.wait_for_lines(200).len(), 200);
    let slots = until("all slots are free", || {
        let slots = proxy.server(origin.address())["in_flight"].as_u64();
        slots.filter(|&slots| slots == 0)
    });
    assert_eq!(slots, 0);
}

// Memory.

/// A configuration that takes more than a megabyte, and another one for each `weight`.
fn large(origin: &Origin, weight: usize) -> Setup {
    let backends: String = (0..500)
        .map(|number| {
            let servers = (1..=10).map(|server| format!("\"127.0.0.1:{server}\""));
            let servers = servers.collect::<Vec<_>>().join(", ");
            format!(
                "[backend.b{number}]\nservers = [{servers}, \
                 {{ address = \"127.0.0.1:11\", weight = {weight} }}]\n"
            )
        })
        .collect();
    Setup::of(&[origin]).rest(&backends)
}

/// Reloads `large` configurations `with` something, opens a connection under each, and returns them
/// once their configurations are dropped.
fn opened_over_reloads<T>(
    origin: &Origin,
    with: impl Fn(Setup) -> Setup,
    open: impl Fn(SocketAddr) -> T,
) -> (Program, Vec<T>) {
    let program = Program::start(&with(large(origin, 1)));
    let mut opened = vec![open(program.address())];
    let before = program.memory();
    for weight in 2..=20 {
        program.write(&with(large(origin, weight)));
        assert_eq!(program.admin("POST", "/reload").status(), 200);
        opened.push(open(program.address()));
    }
    // Freed memory is returned after a second or two.
    until("the old configurations are gone", || {
        (program.memory() < before + (10 << 20)).then_some(())
    });
    (program, opened)
}

#[test]
fn open_tunnels_do_not_keep_the_configurations_that_they_began_under() {
    let origin = echoing();
    let (_program, mut tunnels) = opened_over_reloads(
        &origin,
        |setup| setup,
        |address| (Browser::open(address), H2Tunnel::open(address)),
    );
    for (tunnel, _) in &mut tunnels {
        tunnel.echoed("still there");
    }
}

#[test]
fn open_connections_in_tcp_mode_do_not_either() {
    let origin = echoing();
    let (_program, mut tunnels) = opened_over_reloads(
        &origin,
        |setup| setup.frontend("mode = \"tcp\""),
        Browser::open,
    );
    for tunnel in &mut tunnels {
        tunnel.echoed("still there");
    }
}
