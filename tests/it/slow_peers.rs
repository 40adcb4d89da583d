//! Peers that take slowly and steadily what they are sent, over sockets that do not show it: the kernel
//! says that there is room when a third of its buffer is free, which takes such a peer many times the
//! time that it has.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use h2::client::Builder;

use crate::rig::{
    Authority, Client, Folder, Good, Http2, Message, Origin, Pace, Proxy, Reply, Setup, Speech,
    Takes, narrow, sluice, steadily, while_for,
};

/// More than all sockets on the way hold.
const MUCH: usize = 12 << 20;

/// What one socket takes at once.
const SOME: usize = 1 << 20;

/// As much as is not taken within the slow phase.
const LITTLE: usize = 480 << 10;

/// What is read at a time.
const PIECE: usize = 4 << 10;

/// The time that a peer has in all of these tests.
const PATIENCE: Duration = Duration::from_secs(1);

/// Several times that.
const SLOW_PHASE: Duration = Duration::from_millis(3_500);

fn answering(length: usize) -> Origin {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    Origin::answering(head + &"x".repeat(length))
}

/// Where a client connects that takes its answers slowly.
fn slow_client_of(proxy: &Proxy, pace: &Pace) -> SocketAddr {
    sluice(proxy.address(), Takes::Answers, SLOW_PHASE, pace)
}

#[test]
fn a_client_of_http1_gets_everything() {
    steadily(PATIENCE, |pace| {
        let origin = answering(MUCH);
        let setup = Setup::of(&[&origin]).frontend("timeout.body = \"1s\"");
        let proxy = setup.start();
        let mut client = Client::connect(slow_client_of(&proxy, pace));
        assert_eq!(client.get("/").body.len(), MUCH);
        assert_eq!(proxy.line().verdict(), (200, "-"));
    });
}

#[test]
fn a_client_that_stops_after_a_while_is_cut() {
    steadily(PATIENCE, |pace| {
        let origin = answering(MUCH);
        let setup = Setup::of(&[&origin]).frontend("timeout.body = \"1s\"");
        let proxy = setup.start();
        // It reads no more than it says it does.
        let mut client = narrow(proxy.address());
        let request = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
        client.write_all(request.as_bytes()).expect("taken");
        let near = client.local_addr().expect("connected");
        // Twice its time.
        for _ in 0..40 {
            client.read_exact(&mut [0; PIECE]).expect("so many bytes");
            pace.turn(PIECE, near, proxy.address());
            while_for(PATIENCE / 20, "it is slow", || true);
        }
        assert!(proxy.lines().is_empty());
        assert_eq!(proxy.line().verdict(), (200, "client.stalled"));
        let mut rest = Vec::new();
        let ending = client.read_to_end(&mut rest).map_err(|error| error.kind());
        assert!(rest.len() < MUCH);
        let reset = Err(ErrorKind::ConnectionReset);
        assert_eq!(ending, reset, "it must not look whole");
    });
}

#[test]
fn a_client_of_http1_under_tls_gets_everything() {
    steadily(PATIENCE, |pace| {
        let origin = answering(MUCH);
        let authority = Authority::new("Test CA");
        let folder = Folder::new();
        folder.replace("a.pem", &authority.pair(&["a.test"]).whole());
        let path = folder.path("a.pem").display().to_string();
        let setup = Setup::of(&[&origin]).frontend(&format!(
            "timeout.body = \"1s\"\ntls.certificates = [\"{path}\"]"
        ));
        let proxy = setup.start();
        let speech = Speech::trusting(&authority);
        let mut client = speech.connect(slow_client_of(&proxy, pace), "a.test");
        assert_eq!(client.get("a.test", "/").body.len(), MUCH);
        assert_eq!(proxy.line().verdict(), (200, "-"));
    });
}

/// A client of HTTP/2 that makes room for so much, and takes it slowly.
fn slow_client_with_room(proxy: &Proxy, room: usize, pace: &Pace) -> Http2 {
    let mut builder = Builder::new();
    builder
        .initial_window_size(room as u32)
        .initial_connection_window_size(room as u32);
    Http2::connect_with(slow_client_of(proxy, pace), &builder)
}

/// Makes sure that a client of HTTP/2 that makes room for so much gets everything.
#[track_caller]
fn everything_by_http2(room: usize) {
    steadily(PATIENCE, |pace| {
        let origin = answering(MUCH);
        let setup = Setup::of(&[&origin]).frontend("timeout.body = \"1s\"");
        let proxy = setup.start();
        let mut client = slow_client_with_room(&proxy, room, pace);
        assert_eq!(client.get("/").body.len(), MUCH);
        assert_eq!(proxy.line().verdict(), (200, "-"));
    });
}

#[test]
fn a_client_of_http2_gets_everything() {
    everything_by_http2(2 * MUCH);
}

#[test]
fn a_client_of_http2_with_less_room_than_a_socket_gets_everything() {
    // It is the stream that waits, and not the socket.
    everything_by_http2(SOME);
}

#[test]
fn a_client_of_http2_is_not_idle_before_it_has_everything() {
    steadily(PATIENCE, |pace| {
        let origin = answering(LITTLE);
        let timeouts = "timeout = { body = \"1s\", keep_alive = \"300ms\" }";
        let proxy = Setup::of(&[&origin]).frontend(timeouts).start();
        // It says in the middle of the answer that it has room again: to a closed socket that is a fault.
        let mut client = slow_client_with_room(&proxy, LITTLE, pace);
        assert_eq!(client.get("/").body.len(), LITTLE);
        assert_eq!(proxy.line().verdict(), (200, "-"));
        client.ended().expect("in good order");
    });
}

#[test]
fn a_tunnel_is_not_idle_while_one_end_takes() {
    steadily(PATIENCE, |pace| {
        let origin = Origin::scripted(|visit| {
            visit.send(vec![b'x'; MUCH]);
        });
        let setup = Setup::of(&[&origin]).frontend("mode = \"tcp\"\ntimeout.tunnel = \"1s\"");
        let proxy = setup.start();
        let mut client = Client::connect(slow_client_of(&proxy, pace));
        assert_eq!(client.bytes(MUCH).len(), MUCH);
        client.half_close().is_closed();
        assert_eq!(proxy.line().text("reason"), "-");
    });
}

#[test]
fn a_tunnel_of_which_an_end_takes_nothing_is_idle() {
    let origin = Origin::scripted(|visit| {
        visit.send(vec![b'x'; MUCH]);
        visit.wait_for_end();
    });
    let setup = Setup::of(&[&origin]).frontend("mode = \"tcp\"\ntimeout.tunnel = \"300ms\"");
    let proxy = setup.start();
    let mut client = Client::connect_narrow(proxy.address());
    assert_eq!(proxy.line().text("reason"), "tunnel.idle");
    let (read, _) = client.rest();
    assert!(read.len() < MUCH);
}

/// The answer to a large request.
#[track_caller]
fn upload(proxy: &Proxy) -> Message {
    let head = format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {MUCH}\r\n\r\n");
    proxy.ask([head.as_bytes(), &vec![b'x'; MUCH]].concat())
}

#[test]
fn a_server_of_http1_has_its_time_from_the_end_of_the_upload_on() {
    steadily(PATIENCE, |pace| {
        let origin = Origin::named("a");
        let slow_server = sluice(origin.address(), Takes::Requests, SLOW_PHASE, pace);
        let proxy = Setup::at([slow_server])
            .backend("timeout.response = \"1s\"")
            .start();
        assert_eq!(upload(&proxy).text(), "a");
        assert_eq!(origin.request().body.len(), MUCH);
        assert_eq!(proxy.line().verdict(), (200, "-"));
    });
}

/// Makes sure that a server of HTTP/2 that makes room for so much gets everything, and then has its time.
#[track_caller]
fn upload_by_http2(room: usize) {
    steadily(PATIENCE, |pace| {
        let origin = Good::with_room(room, |_| Reply::of("a"));
        let slow_server = sluice(origin.address(), Takes::Requests, SLOW_PHASE, pace);
        let settings = "protocol = \"h2\"\ntimeout.response = \"1s\"";
        let proxy = Setup::at([slow_server]).backend(settings).start();
        assert_eq!(upload(&proxy).text(), "a");
        assert_eq!(origin.request().body().len(), MUCH);
        assert_eq!(proxy.line().verdict(), (200, "-"));
    });
}

#[test]
fn a_server_of_http2_has_its_time_from_the_end_of_the_upload_on() {
    upload_by_http2(2 * MUCH);
}

#[test]
fn a_server_of_http2_with_less_room_than_a_socket_has_its_time_too() {
    upload_by_http2(SOME);
}
