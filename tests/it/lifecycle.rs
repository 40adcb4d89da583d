//! Start and stop: signals, drains, exit codes, sockets and files of the process.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::rig::framed::{Framed, ask};
use crate::rig::{Client, Ending, Gate, Origin, Program, Setup, until, while_for};

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

fn ready(program: &Program) -> (u16, String) {
    let answer = program.admin("GET", "/ready");
    (answer.status(), answer.text())
}

fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

#[test]
fn it_logs_its_addresses_and_is_ready() {
    let origin = Origin::named("a");
    let program = Program::start(&Setup::of(&[&origin]));
    assert_eq!(program.client().get("/").text(), "a");
    assert_eq!(ready(&program), (200, "ready\n".to_owned()));
    assert_eq!(program.admin("GET", "/live").status(), 200);
}

#[test]
fn signals_end_it_in_good_order() {
    for signal in [Signal::TERM, Signal::INT, Signal::USR1] {
        let origin = Origin::named("a");
        let mut program = Program::start(&Setup::of(&[&origin]));
        let mut idle = program.client();
        idle.get("/");
        let mut parked = program.client();
        parked.get("/");
        parked.is_quiet_for(Duration::from_millis(1200));
        program.signal(signal);
        idle.is_closed();
        parked.is_closed();
        assert_eq!(program.exit_code(), 0);
        program.wait_for("process.draining");
        program.wait_for("process.stopped");
        assert_eq!(
            program.log().lines().count(),
            2,
            "nothing of the log is lost"
        );
    }
}

#[test]
fn an_exchange_in_flight_is_finished_before_the_end() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let mut program = Program::start(&Setup::of(&[&origin]));
    let address = program.address();
    let mut client = program.client();
    client.send(GET);
    origin.wait_for_requests(1);
    program.signal(Signal::TERM);
    until("connections are refused", || {
        is_refused(address).then_some(())
    });
    assert!(program.runs());
    gate.open();
    let response = client.response();
    assert_eq!(response.text(), "ok");
    assert_eq!(response.field("connection"), Some("close"));
    client.is_closed();
    assert_eq!(program.exit_code(), 0);
    assert!(
        program.log().contains("\"status\":200,\"reason\":null"),
        "{}",
        program.log()
    );
}

#[test]
fn readiness_fails_before_listeners_close() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).rest("[shutdown]\ngrace = \"3s\"");
    let mut program = Program::start(&setup);
    let mut client = program.client();
    client.get("/");
    let began = Instant::now();
    program.signal(Signal::TERM);
    until("it is not ready", || {
        (ready(&program).0 == 503).then_some(())
    });
    assert_eq!(ready(&program).1, "draining\n");
    assert_eq!(program.admin("GET", "/live").status(), 200);
    // A client that still connects is served as before.
    assert_eq!(program.client().get("/").text(), "a");
    assert_eq!(client.get("/").field("connection"), None);
    assert_eq!(program.exit_code(), 0);
    assert!(
        began.elapsed() >= Duration::from_millis(2900),
        "{:?}",
        began.elapsed()
    );
}

/// A program with an exchange that does not end.
fn stuck(settings: &str) -> (Origin, Program, Client) {
    let origin = Origin::silent();
    let program = Program::start(&Setup::of(&[&origin]).rest(settings));
    let mut client = program.client();
    client.send(GET);
    origin.wait_for_requests(1);
    (origin, program, client)
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_origin, mut program, mut client) = stuck("");
        program.signal(signal);
        program.wait_for("process.draining");
        while_for(Duration::from_millis(200), "it waits", || program.runs());
        program.signal(signal);
        assert_eq!(program.exit_code(), 0);
        client.rest();
        assert!(
            program.log().contains("\"reason\":\"proxy.stopped\""),
            "{}",
            program.log()
        );
    }
}

#[test]
fn exchanges_that_do_not_end_in_time_are_cut_and_counted() {
    let (_origin, mut program, mut client) = stuck("[shutdown]\ntimeout = \"400ms\"");
    let began = Instant::now();
    program.signal(Signal::TERM);
    assert_eq!(program.exit_code(), 0);
    assert!(
        began.elapsed() >= Duration::from_millis(380),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(program.wait_for("process.exchanges_cut")["exchanges"], 1);
    client.rest();
    let log = program.log();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("\"reason\":\"proxy.stopped\""), "{log}");
}

#[test]
fn a_request_of_http2_that_does_not_end_in_time_is_cut_and_counted() {
    let origin = Origin::silent();
    let setup = Setup::of(&[&origin]).rest("[shutdown]\ntimeout = \"100ms\"");
    let mut program = Program::start(&setup);
    let mut client = Framed::connect(program.address());
    client.send(ask(1));
    origin.wait_for_requests(1);
    program.signal(Signal::TERM);
    assert_eq!(program.exit_code(), 0);
    assert_eq!(program.wait_for("process.exchanges_cut")["exchanges"], 1);
    let log = program.log();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("\"reason\":\"proxy.stopped\""), "{log}");
}

#[test]
fn an_answer_that_is_cut_at_the_end_does_not_look_whole() {
    let origin = Origin::scripted(|visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\n\r\nhalf");
        visit.wait_for_end();
    });
    let setup = Setup::of(&[&origin]).rest("[shutdown]\ntimeout = \"100ms\"");
    let mut program = Program::start(&setup);
    let mut client = program.client();
    client.send("GET / HTTP/1.0\r\n\r\n").head();
    client.bytes(4);
    program.signal(Signal::TERM);
    let (_, ending) = client.rest();
    assert_eq!(program.exit_code(), 0);
    let log = program.log();
    assert_eq!(ending, Ending::Reset, "a FIN would end the body: {log}");
}

#[test]
fn connections_without_an_exchange_do_not_hold_up_the_end() {
    let origin = Origin::named("a");
    let mut program = Program::start(&Setup::of(&[&origin]));
    let mut clients: Vec<Client> = (0..20).map(|_| program.client()).collect();
    for client in clients.iter_mut().skip(10) {
        client.get("/");
    }
    let began = Instant::now();
    program.signal(Signal::TERM);
    for client in clients.iter_mut().skip(10) {
        client.is_closed();
    }
    // The others never sent a request; they may have been about to.
    for client in clients.iter_mut().take(10) {
        let response = client.get("/");
        assert_eq!(
            (response.text().as_str(), response.field("connection")),
            ("a", Some("close"))
        );
    }
    assert_eq!(program.exit_code(), 0);
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "the drain has 30 s"
    );
}

#[test]
fn an_idle_connection_is_closed_at_once_on_a_drain() {
    let origin = Origin::named("a");
    // The clock stands still: no timeout closes it.
    let proxy = Setup::of(&[&origin]).start_paused();
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "a");
    proxy.drain();
    client.is_closed();
}

#[test]
fn a_request_behind_an_answer_that_says_close_is_not_served() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let proxy = Setup::of(&[&origin]).start();
    let address = proxy.address();
    let mut client = proxy.client();
    client.send(GET.repeat(2));
    origin.wait_for_requests(1);
    proxy.drain();
    until("connections are refused", || {
        is_refused(address).then_some(())
    });
    gate.open();
    assert_eq!(client.response().field("connection"), Some("close"));
    client.half_close().is_closed();
    assert_eq!(origin.requests().len(), 1);
}

// Addresses.

/// The configuration of a program that listens at `address`.
fn listening_at(origin: &Origin, address: SocketAddr) -> Setup {
    let more = format!("[frontend.more]\nlisten = \"{address}\"\nbackend = \"app\"");
    Setup::of(&[origin]).rest(&more)
}

#[test]
fn an_address_that_is_taken_is_named() {
    let (origin, other) = (Origin::named("a"), Origin::named("b"));
    let mut program = Program::spawn(&listening_at(&origin, other.address()));
    assert_eq!(program.exit_code(), 3);
    let address = other.address().to_string();
    let said = until("why", || {
        let events = program.events();
        events
            .iter()
            .map(ToString::to_string)
            .find(|event| event.contains(&address))
    });
    assert!(said.contains("evenkeel.toml:"), "{said}");
    assert!(said.contains("another process listens on it"), "{said}");
}

#[test]
fn all_addresses_that_are_taken_are_named_at_once_the_admin_listeners_too() {
    let (origin, web, admin) = (Origin::named("a"), Origin::named("b"), Origin::named("c"));
    let setup = listening_at(&origin, web.address()).admin(admin.address());
    let mut program = Program::spawn(&setup);
    assert_eq!(program.exit_code(), 3);
    for address in [web.address(), admin.address()] {
        let message = format!("cannot listen on {address}: ");
        until(&message, || {
            let events = program.events();
            let mut events = events.iter().map(ToString::to_string);
            events.find(|event| event.contains(&message))
        });
    }
}

#[test]
fn two_programs_on_one_port_do_not_both_run() {
    let origin = Origin::named("a");
    let first = Program::start(&Setup::of(&[&origin]));
    let mut second = Program::spawn(&listening_at(&origin, first.address()));
    assert_eq!(second.exit_code(), 3);
    for _ in 0..20 {
        assert_eq!(first.client().get("/").text(), "a");
    }
}

#[test]
fn an_address_can_be_had_again_after_the_end() {
    let origin = Origin::named("a");
    let mut first = Program::start(&Setup::of(&[&origin]));
    let address = first.address();
    let mut client = first.client();
    client.get("/");
    first.signal(Signal::TERM);
    assert_eq!(first.exit_code(), 0);
    let _second = Program::start(&listening_at(&origin, address));
    assert_eq!(Client::connect(address).get("/").text(), "a");
}

// Files.

#[test]
fn the_access_log_is_opened_anew_on_a_signal() {
    let origin = Origin::named("a");
    let program = Program::start(&Setup::of(&[&origin]));
    program.client().get("/one");
    until("a line", || {
        program.log().contains("\"/one\"").then_some(())
    });
    let log = program.folder().path("access.log");
    let old = program.folder().path("access.log.1");
    fs::rename(&log, &old).expect("our own");
    program.signal(Signal::HUP);
    program.wait_for("reload.unchanged");
    program.client().get("/two");
    until("a line in the new file", || {
        program.log().contains("\"/two\"").then_some(())
    });
    let old = fs::read_to_string(old).expect("it is there");
    assert!(
        old.contains("\"/one\"") && !old.contains("\"/two\""),
        "{old}"
    );
}

#[test]
fn the_access_log_is_opened_anew_when_its_file_is_another() {
    let origin = Origin::named("a");
    let program = Program::start(&Setup::of(&[&origin]));
    program.client().get("/one");
    until("a line", || {
        program.log().contains("\"/one\"").then_some(())
    });
    let log = program.folder().path("access.log");
    fs::rename(&log, program.folder().path("access.log.1")).expect("our own");
    let mut client = program.client();
    until("a line in a new file", || {
        client.get("/two");
        program.log().contains("\"/two\"").then_some(())
    });
}

#[test]
fn the_open_file_limit_is_raised_as_far_as_it_may_be() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]);
    let program = Program::spawn_after("ulimit -S -n 300; ulimit -H -n 2000", &setup);
    program.wait_for("process.started");
    let metrics = program.admin("GET", "/metrics").text();
    assert!(metrics.contains("\nprocess_max_fds 2000\n"), "{metrics}");
}

#[test]
fn without_descriptors_accepting_rests_and_does_not_spin() {
    let origin = Origin::named("a");
    let program = Program::start(&Setup::of(&[&origin]).workers(1));
    let address = program.address();
    // A connection to the admin listener that is there already needs no descriptor.
    let mut admin = Client::connect(program.admin_address());
    let metrics = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    admin.ask(metrics);
    program.limit_files(20);
    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(address)).collect();
    program.wait_for("process.out_of_descriptors");
    let before = program.cpu_time();
    clients[0].is_quiet_for(Duration::from_secs(1));
    let spent = program.cpu_time() - before;
    assert!(
        spent < Duration::from_millis(500),
        "{spent:?} of one second"
    );
    let text = admin.ask(metrics).text();
    let paused = text.lines().any(|line| {
        let is_pause = line.starts_with("evenkeel_frontend_accept_pauses_total{");
        is_pause && line.contains("cause=\"descriptors\"") && !line.ends_with(" 0")
    });
    assert!(paused, "{text}");
    // Room again: the waiting clients are served.
    clients.drain(..90);
    for client in &mut clients {
        assert_eq!(client.get("/").text(), "a");
    }
}
