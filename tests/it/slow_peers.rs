//! Peers that read slowly and steadily, over sockets that do not show it: the kernel reports room
//! when a third of its buffer is free, which takes such a peer many times its timeout.
//!
//! The clock of these proxies moves only as a peer reads: a busy machine changes nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use h2::client::Builder;

use crate::rig::{
    Authority, Client, Clock, Folder, Good, Http2, Origin, Pace, Proxy, Reply, Setup, Slow, Speech,
    Takes, narrow, throttled_link, until,
};

/// More than all sockets on the way hold.
const MUCH: usize = 12 << 20;

/// The most that one socket takes at once.
const SOME: usize = 1 << 20;

/// So much that it is not read within the slow phase.
const LITTLE: usize = 480 << 10;

/// Bytes that are read, or on their way, before a peer is slow.
const AHEAD: usize = 160 << 10;

/// Bytes that are read at a time.
const PIECE: usize = 4 << 10;

/// The timeout for the peer in all of these tests.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Several times that.
const SLOW_PHASE: Duration = Duration::from_millis(3_500);

fn answering(length: usize) -> Origin {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    Origin::answering(head + &"x".repeat(length))
}

/// A proxy whose clock its slow peer moves.
struct Slowed {
    proxy: Proxy,
    pace: Pace,
}

impl Slowed {
    #[track_caller]
    fn start(setup: &Setup) -> Self {
        let clock = Clock::new();
        Self {
            proxy: setup.start_with_clock(&clock),
            pace: Pace::by(&clock),
        }
    }

    /// An address for a client that reads its answers slowly.
    fn slow_client(&self, slow: Slow) -> SocketAddr {
        let proxy = self.proxy.address();
        throttled_link(proxy, Takes::Answers, slow, SLOW_PHASE, &self.pace)
    }

    /// An HTTP/2 client with a window of this size that reads slowly.
    fn slow_client_with_room(&self, room: usize, slow: Slow) -> Http2 {
        let mut builder = Builder::new();
        builder
            .initial_window_size(room as u32)
            .initial_connection_window_size(room as u32);
        Http2::connect_with(self.slow_client(slow), &builder)
    }

    /// Checks that everything came, although the kernel alone would not have reported it.
    #[track_caller]
    fn all_came_in_silence(&self) {
        assert_eq!(self.proxy.line().verdict(), (200, "-"));
        self.pace.kernel_was_silent_for(TIMEOUT);
    }
}

#[test]
fn a_client_of_http1_gets_everything() {
    let origin = answering(MUCH);
    let slowed = Slowed::start(&Setup::of(&[&origin]).frontend("timeout.body = \"1s\""));
    let mut client = Client::connect(slowed.slow_client(Slow::WhenFull));
    assert_eq!(client.get("/").body.len(), MUCH);
    slowed.all_came_in_silence();
}

#[test]
fn a_client_that_stops_after_a_while_is_cut() {
    let origin = answering(MUCH);
    let slowed = Slowed::start(&Setup::of(&[&origin]).frontend("timeout.body = \"1s\""));
    let proxy = &slowed.proxy;
    // It reads no more than it reports.
    let mut client = narrow(proxy.address());
    let request = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    client.write_all(request.as_bytes()).expect("taken");
    let near = client.local_addr().expect("connected");
    Slow::WhenFull.wait(near, proxy.address());
    // Twice its timeout.
    for _ in 0..40 {
        client.read_exact(&mut [0; PIECE]).expect("so many bytes");
        slowed.pace.turn(near, proxy.address());
    }
    assert!(proxy.lines().is_empty());
    slowed.pace.kernel_was_silent_for(TIMEOUT);
    proxy.advance(2 * TIMEOUT);
    assert_eq!(proxy.line().verdict(), (200, "client.stalled"));
    let mut rest = Vec::new();
    let ending = client.read_to_end(&mut rest).map_err(|error| error.kind());
    assert!(rest.len() < MUCH);
    let reset = Err(ErrorKind::ConnectionReset);
    assert_eq!(ending, reset, "it must not look whole");
}

#[test]
fn a_client_of_http1_under_tls_gets_everything() {
    let origin = answering(MUCH);
    let authority = Authority::new("Test CA");
    let folder = Folder::new();
    folder.replace("a.pem", &authority.pair(&["a.test"]).whole());
    let path = folder.path("a.pem").display().to_string();
    let setup = Setup::of(&[&origin]).frontend(&format!(
        "timeout.body = \"1s\"\ntls.certificates = [\"{path}\"]"
    ));
    let slowed = Slowed::start(&setup);
    let speech = Speech::trusting(&authority);
    let mut client = speech.connect(slowed.slow_client(Slow::WhenFull), "a.test");
    assert_eq!(client.get("a.test", "/").body.len(), MUCH);
    slowed.all_came_in_silence();
}

#[test]
fn a_client_of_http2_gets_everything() {
    let origin = answering(MUCH);
    let slowed = Slowed::start(&Setup::of(&[&origin]).frontend("timeout.body = \"1s\""));
    let mut client = slowed.slow_client_with_room(2 * MUCH, Slow::WhenFull);
    assert_eq!(client.get("/").body.len(), MUCH);
    slowed.all_came_in_silence();
}

#[test]
fn a_client_of_http2_with_less_room_than_a_socket_gets_everything() {
    // The stream waits, not the socket.
    let origin = answering(MUCH);
    let slowed = Slowed::start(&Setup::of(&[&origin]).frontend("timeout.body = \"1s\""));
    let slow = Slow::WhenItHolds(SOME - AHEAD);
    let mut client = slowed.slow_client_with_room(SOME, slow);
    assert_eq!(client.get("/").body.len(), MUCH);
    assert_eq!(slowed.proxy.line().verdict(), (200, "-"));
}

#[test]
fn a_client_of_http2_is_not_idle_before_it_has_everything() {
    let origin = answering(LITTLE);
    let timeouts = "timeout = { body = \"1s\", keep_alive = \"300ms\" }";
    let slowed = Slowed::start(&Setup::of(&[&origin]).frontend(timeouts));
    // It opens its window in the middle of the answer: for a closed socket that is an error.
    let slow = Slow::WhenItHolds(LITTLE - AHEAD);
    let mut client = slowed.slow_client_with_room(LITTLE, slow);
    assert_eq!(client.get("/").body.len(), LITTLE);
    assert_eq!(slowed.proxy.line().verdict(), (200, "-"));
    until("its end", || {
        slowed.proxy.advance(TIMEOUT);
        client.has_ended().then_some(())
    });
    client.ended().expect("in good order");
}

#[test]
fn a_tunnel_is_not_idle_while_one_end_takes() {
    let origin = Origin::scripted(|visit| {
        visit.send(vec![b'x'; MUCH]);
    });
    let setup = Setup::of(&[&origin]).frontend("mode = \"tcp\"\ntimeout.tunnel = \"1s\"");
    let slowed = Slowed::start(&setup);
    let mut client = Client::connect(slowed.slow_client(Slow::WhenFull));
    assert_eq!(client.bytes(MUCH).len(), MUCH);
    client.half_close().is_closed();
    assert_eq!(slowed.proxy.line().text("reason"), "-");
    slowed.pace.kernel_was_silent_for(TIMEOUT);
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

/// Checks that the server, which is reached at `slow_server`, gets a large request whole, and then
/// has its full timeout to answer it.
#[track_caller]
fn is_answered(slow_server: SocketAddr, clock: &Clock, settings: &str) {
    let settings = format!("timeout.response = \"1s\"\n{settings}");
    let setup = Setup::at([slow_server]).backend(&settings);
    let proxy = setup.start_with_clock(clock);
    let head = format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {MUCH}\r\n\r\n");
    let answer = proxy.ask([head.as_bytes(), &vec![b'x'; MUCH]].concat());
    assert_eq!(answer.text(), "a");
    assert_eq!(proxy.line().verdict(), (200, "-"));
}

#[test]
fn a_server_of_http1_has_its_time_from_the_end_of_the_upload_on() {
    let origin = Origin::named("a");
    let clock = Clock::new();
    let pace = Pace::by(&clock);
    let takes = Takes::Requests;
    let slow_server = throttled_link(origin.address(), takes, Slow::WhenFull, SLOW_PHASE, &pace);
    is_answered(slow_server, &clock, "");
    assert_eq!(origin.request().body.len(), MUCH);
    pace.kernel_was_silent_for(TIMEOUT);
}

/// Checks that an HTTP/2 server with a window of this size gets everything, and then has its full
/// timeout.
#[track_caller]
fn upload_by_http2(room: usize, slow: Slow) -> Pace {
    let origin = Good::with_room(room, |_| Reply::of("a"));
    let clock = Clock::new();
    let pace = Pace::by(&clock);
    let takes = Takes::Requests;
    let slow_server = throttled_link(origin.address(), takes, slow, SLOW_PHASE, &pace);
    is_answered(slow_server, &clock, "protocol = \"h2\"");
    assert_eq!(origin.request().body().len(), MUCH);
    pace
}

#[test]
fn a_server_of_http2_has_its_time_from_the_end_of_the_upload_on() {
    upload_by_http2(2 * MUCH, Slow::WhenFull).kernel_was_silent_for(TIMEOUT);
}

#[test]
fn a_server_of_http2_with_less_room_than_a_socket_has_its_time_too() {
    upload_by_http2(SOME, Slow::WhenItHolds(SOME - AHEAD));
}
