//! Connections of clients and to servers: kept, parked, limited, released.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::rig::{Client, Gate, OK, Origin, Program, Proxy, RefusingAddress, Setup, Slow, until};

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

/// One worker: every client can use its pooled connections.
fn before(origin: &Origin) -> Proxy {
    with_pool(origin, "")
}

fn with_pool(origin: &Origin, settings: &str) -> Proxy {
    let setup = Setup::of(&[origin]).workers(1).backend(settings);
    setup.start()
}

// Server connections.

#[test]
fn a_server_connection_is_used_again_by_any_client() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    for _ in 0..5 {
        let mut client = proxy.client();
        client.get("/");
        client.get("/");
    }
    assert_eq!(origin.connections(), 1);
    proxy.wait_for_metric("evenkeel_server_connections_reused_total", &[], 9.0);
    proxy.wait_for_metric("evenkeel_server_connections_opened_total", &[], 1.0);
}

#[test]
fn a_connection_is_for_one_exchange_at_a_time() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let proxy = before(&origin);
    let mut clients: Vec<Client> = (0..3).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    origin.wait_for_requests(3);
    assert_eq!(origin.connections(), 3);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
}

#[test]
fn a_connection_that_the_server_will_close_is_not_kept() {
    let origin =
        Origin::answering("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    let proxy = before(&origin);
    let mut client = proxy.client();
    for _ in 0..3 {
        let response = client.get("/");
        assert_eq!(
            response.field("connection"),
            None,
            "that is for the other hop"
        );
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn close_is_understood_among_other_options_and_in_any_case() {
    for close in [
        "connection: Close",
        "connection: foo, close",
        "connection: foo\r\nconnection: close",
        "connection: keep-alive, close",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{close}\r\ncontent-length: 2\r\n\r\nok");
        let origin = Origin::answering(answer);
        let proxy = before(&origin);
        let mut client = proxy.client();
        for _ in 0..3 {
            assert_eq!(client.get("/").text(), "ok");
        }
        assert_eq!(origin.connections(), 3, "{close}");
    }
}

#[test]
fn a_connection_on_which_a_request_was_not_finished_carries_no_other() {
    // The server answers before it has the whole request, and reads the rest as another request.
    let origin = Origin::scripted(|visit| {
        while visit.head().is_some() {
            visit.send(OK);
        }
    });
    let proxy = before(&origin);
    let mut unfinished = proxy.client();
    let post = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nthe beginning";
    unfinished.send(post);
    assert_eq!(unfinished.head().status(), 200);
    for _ in 0..3 {
        assert_eq!(proxy.client().get("/").text(), "ok");
    }
    origin.wait_for_end_of(0);
    assert_eq!(origin.connections(), 2);
    assert!(
        !origin.received(0).contains("GET"),
        "{}",
        origin.received(0)
    );
}

#[test]
fn a_connection_that_the_server_has_closed_is_not_used() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let mut client = proxy.client();
    for _ in 0..10 {
        let post = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
        assert_eq!(client.ask(post).text(), "hi");
        origin.close_connections();
    }
    assert_eq!(proxy.metric("evenkeel_attempt_faults_total", &[]), 0.0);
}

#[test]
fn an_idle_connection_on_which_the_server_speaks_is_not_used() {
    let origin = Origin::scripted(|visit| {
        visit.request();
        visit.send(OK);
        visit.send("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n");
        visit.wait_for_end();
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    for number in 0..3 {
        assert_eq!(client.get("/").status(), 200);
        // Bytes that come while a request is on its way count as its answer: HTTP/1 has no other
        // sign.
        origin.wait_for_end_of(number);
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn stray_bytes_on_a_connection_that_has_been_idle_for_long_are_no_answer() {
    let gate = Gate::default();
    let has_said = Arc::new(AtomicBool::new(false));
    let origin = Origin::scripted({
        let (gate, has_said) = (gate.clone(), Arc::clone(&has_said));
        move |visit| {
            visit.request();
            visit.send(OK);
            if visit.number() == 0 {
                gate.pass();
                visit.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged");
                has_said.store(true, Ordering::SeqCst);
            }
            while visit.request().is_some() {
                visit.send(OK);
            }
        }
    });
    let proxy = Setup::of(&[&origin]).workers(1).start_paused();
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "ok");
    // Its state is released, and only the socket is kept.
    proxy.advance(Duration::from_millis(2500));
    assert_eq!(origin.open(), 1);
    gate.open();
    until("the stray bytes are at the proxy", || {
        (has_said.load(Ordering::SeqCst) && origin.has_delivered(0)).then_some(())
    });
    for _ in 0..2 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(origin.connections(), 2);
    // It would be noticed too after the request was sent; it is not even tried.
    assert_eq!(proxy.metric("evenkeel_attempt_faults_total", &[]), 0.0);
}

/// A server whose first connection swallows its second request; returns the result of that request,
/// and the number of connections.
#[track_caller]
fn swallowed(request: &str) -> (u16, usize) {
    let origin = Origin::scripted(|visit| {
        visit.serve("a");
        if visit.number() == 0 {
            visit.request();
        } else {
            while visit.serve("a") {}
        }
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    assert_eq!(client.get("/").status(), 200);
    let response = client.ask(request);
    if response.status() == 502 {
        assert_eq!(response.reason(), "server.response.empty");
    }
    (response.status(), origin.connections())
}

#[test]
fn a_request_that_a_stale_connection_swallowed_is_sent_once_more_if_that_does_no_harm() {
    for method in ["GET", "DELETE", "OPTIONS"] {
        let request = format!("{method} / HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(swallowed(&request), (200, 2), "{method}");
    }
    let put = "PUT / HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(swallowed(put), (200, 2));
}

#[test]
fn a_request_that_may_have_had_an_effect_is_not_sent_again() {
    let post = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(swallowed(post), (502, 1));
    let bodiless = "POST / HTTP/1.1\r\nhost: test\r\n\r\n";
    assert_eq!(swallowed(bodiless), (502, 1));
}

#[test]
fn a_request_whose_body_is_too_long_to_be_kept_is_not_sent_again() {
    let bytes = (16 << 10) + 1;
    let head = format!("PUT / HTTP/1.1\r\nhost: test\r\ncontent-length: {bytes}\r\n\r\n");
    assert_eq!(swallowed(&(head + &"x".repeat(bytes))), (502, 1));
}

#[test]
fn a_request_that_a_fresh_connection_swallowed_is_not_sent_again() {
    let swallow = || Origin::scripted(|visit| drop(visit.request()));
    let (one, two) = (swallow(), swallow());
    let proxy = Setup::of(&[&one, &two]).start();
    assert_eq!(proxy.get("/").reason(), "server.response.empty");
    assert_eq!(one.connections() + two.connections(), 1);
}

#[test]
fn the_second_try_of_a_swallowed_request_is_on_a_fresh_connection() {
    // Two connections are kept, and both swallow their second request.
    let gate = Gate::default();
    let opened = gate.clone();
    let origin = Origin::scripted(move |visit| {
        if visit.number() < 2 {
            visit.request();
            opened.pass();
            visit.send(OK);
            visit.request();
        } else {
            while visit.serve("fresh") {}
        }
    });
    let proxy = before(&origin);
    let mut clients = [proxy.client(), proxy.client()];
    for client in &mut clients {
        client.send(GET);
    }
    origin.wait_for_requests(2);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
    assert_eq!(clients[0].get("/").text(), "fresh");
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_connection_that_is_reset_under_a_kept_request_is_tried_again() {
    let origin = Origin::scripted(|visit| {
        visit.serve("a");
        if visit.number() == 0 {
            visit.request();
            visit.reset();
        } else {
            while visit.serve("a") {}
        }
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    client.get("/");
    assert_eq!(client.get("/").text(), "a");
    assert_eq!(origin.connections(), 2);
}

#[test]
fn an_idle_server_connection_is_let_go_of_in_time() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).backend("pool.idle_timeout = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.get("/");
    proxy.advance(Duration::from_millis(250));
    client.get("/");
    proxy.advance(Duration::from_millis(250));
    assert_eq!(origin.open(), 1);
    // It is checked once a second.
    proxy.advance(Duration::from_secs(2));
    origin.wait_for_end_of(0);
    client.get("/");
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_server_connection_carries_as_many_requests_as_it_may() {
    let origin = Origin::named("a");
    let proxy = with_pool(&origin, "pool.max_requests = 2");
    let mut client = proxy.client();
    for _ in 0..5 {
        client.get("/");
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_server_connection_grows_as_old_as_it_may() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).backend("pool.max_age = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.get("/");
    proxy.advance(Duration::from_millis(250));
    client.get("/");
    assert_eq!(origin.connections(), 1);
    proxy.advance(Duration::from_millis(100));
    client.get("/");
    assert_eq!(origin.connections(), 2);
}

#[test]
fn no_more_server_connections_are_kept_than_may_be() {
    let origin = Origin::named("a");
    let proxy = with_pool(&origin, "pool.max_idle = 0");
    let mut client = proxy.client();
    for _ in 0..3 {
        client.get("/");
    }
    assert_eq!(origin.connections(), 3);
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let proxy = with_pool(&origin, "pool.max_idle = 2");
    let mut clients: Vec<Client> = (0..4).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    origin.wait_for_requests(4);
    gate.open();
    for client in &mut clients {
        client.response();
    }
    until("two are left", || (origin.open() == 2).then_some(()));
}

// Other servers.

#[test]
fn another_server_is_tried_when_one_refuses_whatever_the_method() {
    let (refusing, origin) = (RefusingAddress::new(), Origin::named("a"));
    let proxy = Setup::at([refusing.address(), origin.address()]).start();
    let mut client = proxy.client();
    for _ in 0..4 {
        let post = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
        assert_eq!(client.ask(post).text(), "hi");
    }
    let lines = proxy.wait_for_lines(4);
    let tried_twice = lines.iter().filter(|line| line.number("attempts") == 2);
    for line in tried_twice.clone() {
        assert_eq!(line.0["failed"][0]["reason"], "server.connect.refused");
        assert_eq!(
            line.0["failed"][0]["server"],
            refusing.address().to_string()
        );
        assert_eq!(line.text("server"), origin.address().to_string());
        assert_eq!(line.verdict(), (200, "-"));
    }
    assert!(tried_twice.count() >= 2);
}

#[test]
fn no_more_servers_are_tried_than_may_be() {
    for (settings, expected) in [("", 3), ("attempts = 1", 1), ("attempts = 5", 5)] {
        let refusing: Vec<RefusingAddress> = (0..6).map(|_| RefusingAddress::new()).collect();
        let addresses = refusing.iter().map(RefusingAddress::address);
        let proxy = Setup::at(addresses).backend(settings).start();
        let response = proxy.get("/");
        assert_eq!(response.reason(), "server.connect.refused");
        let line = proxy.line();
        assert_eq!(line.number("attempts"), expected, "{settings}");
        let faults = proxy.metric("evenkeel_attempt_faults_total", &[]);
        assert_eq!(faults, expected as f64, "{settings}");
    }
}

#[test]
fn no_server_is_tried_twice() {
    let refusing = [RefusingAddress::new(), RefusingAddress::new()];
    let proxy = Setup::at(refusing.iter().map(RefusingAddress::address))
        .backend("attempts = 10")
        .start();
    assert_eq!(proxy.get("/").reason(), "server.connect.refused");
    assert_eq!(proxy.line().number("attempts"), 2);
}

// Limits of servers.

/// One server that takes `max` exchanges at a time and answers when the gate opens.
fn narrow(max: u32, gate: &Gate) -> (Origin, Proxy) {
    let origin = Origin::behind(gate);
    let address = origin.address();
    let server = format!("{{ address = \"{address}\", max_connections = {max} }}");
    let proxy = Setup::servers([server])
        .backend("timeout.queue = \"20s\"")
        .start();
    (origin, proxy)
}

fn wait_for_queue(proxy: &Proxy, length: usize) {
    let length = length as f64;
    proxy.wait_for_metric("evenkeel_backend_queue_length", &[], length);
}

#[test]
fn a_server_never_has_more_exchanges_than_it_may() {
    let most = Arc::new(AtomicUsize::new(0));
    let now = Arc::new(AtomicUsize::new(0));
    let (seen_most, seen_now) = (Arc::clone(&most), Arc::clone(&now));
    let origin = Origin::scripted(move |visit| {
        while visit.request().is_some() {
            let count = seen_now.fetch_add(1, Ordering::SeqCst) + 1;
            seen_most.fetch_max(count, Ordering::SeqCst);
            thread::yield_now();
            seen_now.fetch_sub(1, Ordering::SeqCst);
            visit.send(OK);
        }
    });
    let server = format!(
        "{{ address = \"{}\", max_connections = 3 }}",
        origin.address()
    );
    let proxy = Setup::servers([server])
        .backend("timeout.queue = \"20s\"")
        .start();
    let address = proxy.address();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                (0..20).all(|_| client.get("/").status() == 200)
            })
        })
        .collect();
    for client in clients {
        assert!(client.join().expect("no panic"));
    }
    assert!(most.load(Ordering::SeqCst) <= 3);
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 0.0);
    wait_for_queue(&proxy, 0);
}

#[test]
fn the_exchange_that_waits_longest_is_served_first() {
    let gate = Gate::default();
    let (origin, proxy) = narrow(1, &gate);
    let mut clients: Vec<Client> = (0..8).map(|_| proxy.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(format!("GET /{number} HTTP/1.1\r\nhost: test\r\n\r\n"));
        match number {
            0 => origin.wait_for_requests(1),
            _ => wait_for_queue(&proxy, number),
        }
    }
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
    let requests = origin.requests();
    let order: Vec<&str> = requests.iter().map(|request| request.target()).collect();
    assert_eq!(order, ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"]);
}

#[test]
fn an_exchange_that_leaves_the_queue_is_not_served() {
    let gate = Gate::default();
    let (origin, proxy) = narrow(1, &gate);
    let mut first = proxy.client();
    first.send(GET);
    origin.wait_for_requests(1);
    let mut impatient = proxy.client();
    impatient.send("GET /gone HTTP/1.1\r\nhost: test\r\n\r\n");
    wait_for_queue(&proxy, 1);
    impatient.half_close();
    wait_for_queue(&proxy, 0);
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
    gate.open();
    assert_eq!(first.response().text(), "ok");
    assert_eq!(proxy.get("/next").text(), "ok");
    assert!(
        origin
            .requests()
            .iter()
            .all(|request| request.target() != "/gone")
    );
}

#[test]
fn a_client_that_leaves_frees_its_slot_at_once() {
    let leave: [fn(Client); 2] = [drop, Client::reset];
    for leave in leave {
        let gate = Gate::default();
        let origin = Origin::scripted({
            let gate = gate.clone();
            move |visit| {
                if visit.number() == 0 {
                    visit.request();
                    // The answer of the first would never come.
                    visit.wait_for_end();
                    gate.open();
                } else {
                    while visit.serve("a") {}
                }
            }
        });
        let server = format!(
            "{{ address = \"{}\", max_connections = 1 }}",
            origin.address()
        );
        let proxy = Setup::servers([server])
            .backend("timeout.queue = \"20s\"")
            .start();
        let mut first = proxy.client();
        first.send(GET);
        origin.wait_for_requests(1);
        let mut second = proxy.client();
        second.send(GET);
        wait_for_queue(&proxy, 1);
        leave(first);
        assert_eq!(second.response().text(), "a");
        gate.pass();
        let lines = proxy.wait_for_lines(2);
        assert!(
            lines
                .iter()
                .any(|line| line.verdict() == (499, "client.left"))
        );
        proxy.wait_for_metric("evenkeel_server_in_flight", &[], 0.0);
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_the_answer_frees_its_slot() {
    let origin = Origin::scripted(|visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
        visit.wait_for_end();
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    assert_eq!(client.send(GET).head().status(), 200);
    client.reset();
    origin.wait_for_end_of(0);
    assert_eq!(proxy.line().verdict(), (200, "client.left"));
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 0.0);
}

#[test]
fn a_client_that_only_stops_sending_is_answered_if_that_is_allowed() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let proxy = Setup::of(&[&origin]).frontend("half_close = true").start();
    let mut client = proxy.client();
    client.send(GET).half_close();
    origin.wait_for_requests(1);
    client.is_quiet_for(Duration::from_millis(50));
    gate.open();
    assert_eq!(client.response().text(), "ok");
    client.is_closed();
    assert_eq!(proxy.line().verdict(), (200, "-"));
}

#[test]
fn what_follows_the_last_request_does_not_reset_its_answer() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    // So nothing is read while the server is waited for.
    let proxy = Setup::of(&[&origin]).frontend("half_close = true").start();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    origin.wait_for_requests(1);
    client.send("\r\n");
    gate.open();
    assert_eq!(client.response().text(), "ok");
    client.is_closed();
}

#[test]
fn a_client_that_leaves_behind_a_second_request_is_seen_to_leave() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let proxy = Setup::of(&[&origin]).start_paused();
    let mut client = proxy.client();
    client.send(GET.repeat(2));
    origin.wait_for_requests(1);
    client.reset();
    proxy.advance(Duration::from_millis(2500));
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
    gate.open();
}

/// A client that has sent all of its upload and closed its sending side, while the upload waits for
/// a server, after some checks of the client.
#[track_caller]
fn half_closed_after_an_upload(half_close: bool) -> (Proxy, Client, Gate, (Origin, Client)) {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let address = origin.address();
    let server = format!("{{ address = \"{address}\", max_connections = 1 }}");
    let setup = Setup::servers([server])
        .backend("timeout.queue = \"60s\"")
        .frontend(&format!("half_close = {half_close}"));
    let proxy = setup.start_paused();
    let mut first = proxy.client();
    first.send(GET);
    origin.wait_for_requests(1);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n");
    wait_for_queue(&proxy, 1);
    client.send([b'x'; 100_000]).half_close();
    // More than the time between two checks of a client whose upload waits.
    proxy.advance(Duration::from_millis(2500));
    (proxy, client, gate, (origin, first))
}

#[test]
fn a_client_that_has_sent_its_whole_upload_and_closed_its_half_is_answered_if_that_is_allowed() {
    let (proxy, mut client, gate, _busy) = half_closed_after_an_upload(true);
    gate.open();
    assert_eq!(client.response().text(), "ok");
    let lines = proxy.wait_for_lines(2);
    assert!(lines.iter().all(|line| line.verdict() == (200, "-")));
}

#[test]
fn a_client_that_has_closed_its_half_behind_its_upload_has_left_if_that_is_not_allowed() {
    let (proxy, _client, gate, _busy) = half_closed_after_an_upload(false);
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
    gate.open();
}

// Whose fault it is.

#[test]
fn a_fault_of_the_client_is_not_blamed_on_the_server_that_follows() {
    let origin = Origin::scripted(|visit| {
        visit.head();
        visit.wait_for_end();
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    until("the head at the server", || {
        origin.received(0).contains("\r\n\r\n").then_some(())
    });
    client.send("nonsense\r\n");
    assert_eq!(client.response().status(), 400);
    assert_eq!(proxy.line().verdict(), (400, "request.body.malformed"));
    assert_eq!(proxy.metric("evenkeel_attempt_faults_total", &[]), 0.0);
    let by_client = [("cause", "client")];
    let abandoned = proxy.metric("evenkeel_attempts_abandoned_total", &by_client);
    assert_eq!(abandoned, 1.0);
}

// Limits of clients.

#[test]
fn a_frontend_pauses_accepting_at_its_limit() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin])
        .workers(1)
        .frontend("max_connections = 2");
    paused(&setup.start(), "frontend_limit");
}

#[test]
fn the_process_pauses_accepting_at_its_limit() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin])
        .workers(1)
        .process("max_connections = 2");
    paused(&setup.start(), "process_limit");
}

/// Checks that the third client has to wait until another one has left.
#[track_caller]
fn paused(proxy: &Proxy, cause: &str) {
    let mut clients = [proxy.client(), proxy.client()];
    for client in &mut clients {
        assert_eq!(client.get("/").text(), "a");
    }
    let pauses = |count: f64| {
        let cause = [("frontend", "web"), ("cause", cause)];
        proxy.wait_for_metric("evenkeel_frontend_accept_pauses_total", &cause, count);
    };
    pauses(0.0);
    let mut third = proxy.client();
    third.send(GET);
    pauses(1.0);
    third.is_quiet_for(Duration::from_millis(100));
    let [first, mut second] = clients;
    drop(first);
    assert_eq!(third.response().text(), "a");
    assert_eq!(second.get("/").text(), "a", "an open connection stays");
    proxy.wait_for_metric("evenkeel_frontend_open_connections", &[], 2.0);
}

#[test]
fn a_limit_that_is_not_reached_costs_nothing() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin])
        .process("max_connections = 1000000000")
        .frontend("max_connections = 1000000000");
    let program = Program::start(&setup);
    assert_eq!(program.client().get("/").text(), "a");
    let memory = resident_bytes(&program);
    assert!(memory < 100e6, "{memory} bytes");
}

/// The memory that the program reports for itself.
#[track_caller]
fn resident_bytes(program: &Program) -> f64 {
    let metrics = program.admin("GET", "/metrics").text();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    let value = line.expect("it is there").parse();
    value.expect("a number")
}

/// What a client sends behind its request waits in the sockets: the proxy holds no more of it than
/// one read takes, however long the answer is.
#[test]
fn a_client_that_asks_ahead_is_read_no_further_while_it_is_answered() {
    const CHUNK: &str = "1\r\nx\r\n";
    let (go_on, goes_on) = channel::<()>();
    let goes_on = Mutex::new(goes_on);
    let origin = Origin::scripted(move |visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let goes_on = goes_on.lock().expect("one visit");
        while goes_on.recv().is_ok() {
            visit.send(CHUNK);
        }
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    client.narrow_sending();
    assert_eq!(client.send(GET).head().status(), 200);
    client.send_until_stuck();
    // Each chunk wakes the connection, which would read some of it each time.
    for _ in 0..500 {
        go_on.send(()).expect("the origin waits");
        assert_eq!(client.bytes(CHUNK.len()), CHUNK.as_bytes());
    }
    Slow::WhenItHolds(1).wait(proxy.address(), client.address());
}

// Parking.

#[test]
fn a_parked_connection_continues_as_if_it_had_not_been_parked() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "a");
    for pause in [1100, 1300] {
        client.is_quiet_for(Duration::from_millis(pause));
        let post = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
        assert_eq!(client.ask(post).text(), "hi");
    }
    client.is_quiet_for(Duration::from_millis(1100));
    for piece in GET.chars() {
        client.send(piece.to_string());
    }
    assert_eq!(client.response().text(), "a");
}

#[test]
fn a_parked_connection_takes_a_request_of_any_size() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let mut client = proxy.client();
    client.get("/");
    for size in [500, 1_000, 2_100, 5_000, 60_000] {
        proxy.wait_for_metric("evenkeel_frontend_parked_connections", &[], 1.0);
        let field = "f".repeat(size);
        let body: Vec<u8> = (0..size).map(|at| b'a' + (at % 26) as u8).collect();
        let head = format!(
            "POST /echo HTTP/1.1\r\nhost: test\r\nx-field: {field}\r\ncontent-length: {size}\r\n\r\n"
        );
        let answer = client.ask([head.as_bytes(), &body].concat());
        assert!(answer.body == body, "{size}");
        let request = origin.requests().pop().expect("a request");
        assert_eq!(request.field("x-field"), Some(&*field));
    }
}

#[test]
fn parked_connections_are_counted() {
    let gate = Gate::default();
    let origin = Origin::scripted({
        let gate = gate.clone();
        move |visit| {
            while let Some(request) = visit.request() {
                if request.target() == "/held" {
                    gate.pass();
                }
                visit.send(OK);
            }
        }
    });
    let proxy = before(&origin);
    let parked = |count| proxy.wait_for_metric("evenkeel_frontend_parked_connections", &[], count);
    let (mut first, mut second) = (proxy.client(), proxy.client());
    first.get("/");
    second.get("/");
    parked(2.0);
    first.send("GET /held HTTP/1.1\r\nhost: test\r\n\r\n");
    parked(1.0);
    gate.open();
    assert_eq!(first.response().text(), "ok");
    parked(2.0);
    drop(second);
    parked(1.0);
}

#[test]
fn a_parked_connection_notices_that_its_client_has_gone() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let mut client = proxy.client();
    client.get("/");
    client.is_quiet_for(Duration::from_millis(1100));
    drop(client);
    proxy.wait_for_metric("evenkeel_frontend_open_connections", &[], 0.0);
    assert_eq!(proxy.end().len(), 1);
}

#[test]
fn no_request_is_lost_in_the_moment_of_parking() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let address = proxy.address();
    let clients: Vec<_> = (0..40_u64)
        .map(|number| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                assert_eq!(client.get("/first").text(), "a");
                // Spread around the moment, from well before it to well after it.
                client.is_quiet_for(Duration::from_micros(988_000 + number * 700));
                if number.is_multiple_of(2) {
                    assert_eq!(client.get("/second").text(), "a");
                } else {
                    client.send("GET /second HTTP/1.1\r\nho");
                    client.send("st: test\r\n\r\n");
                    assert_eq!(client.response().text(), "a");
                }
                // One half of the head before the moment, the other after it.
                client.is_quiet_for(Duration::from_micros(988_000 + number * 700));
                client.send("GET /third HTTP/1.1\r\n");
                client.is_quiet_for(Duration::from_millis(10 + number));
                assert_eq!(client.ask("host: test\r\n\r\n").text(), "a");
                // Two at once, and the second is read ahead.
                client.is_quiet_for(Duration::from_micros(988_000 + number * 700));
                client.send(GET.repeat(2) + "GET /last HTTP/1.1\r\n");
                assert_eq!(client.response().text(), "a");
                assert_eq!(client.response().text(), "a");
                client.is_quiet_for(Duration::from_micros(988_000 + number * 700));
                assert_eq!(client.ask("host: test\r\n\r\n").text(), "a");
            })
        })
        .collect();
    for client in clients {
        client.join().expect("no request is lost");
    }
    assert_eq!(origin.requests().len(), 40 * 6);
    let lines = proxy.end();
    assert_eq!(lines.len(), 40 * 6);
    assert!(lines.iter().all(|line| line.verdict() == (200, "-")));
}

#[test]
fn idle_connections_give_their_memory_back() {
    const COUNT: usize = 600;
    let origin = Origin::named("a");
    let program = Program::start(&Setup::of(&[&origin]).workers(1));
    // What is allocated once is allocated by now.
    let mut first = program.client();
    assert_eq!(first.get("/").text(), "a");
    let at_start = resident_bytes(&program);
    let mut clients: Vec<Client> = (0..COUNT).map(|_| program.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").text(), "a");
    }
    // A connection on which exchanges run has buffers and a state of its own.
    until("parked connections occupy less than 10 kB each", || {
        let each = (resident_bytes(&program) - at_start) / COUNT as f64;
        (each < 10_000.0).then_some(())
    });
    for client in clients.iter_mut().take(10) {
        assert_eq!(client.get("/").text(), "a");
    }
}

#[test]
fn a_part_of_a_head_occupies_little_more_than_what_came() {
    const COUNT: usize = 400;
    let origin = Origin::named("a");
    let program = Program::start(&Setup::of(&[&origin]).workers(1));
    let address = program.address();
    let mut first = Client::connect(address);
    assert_eq!(first.get("/").text(), "a");
    let at_start = resident_bytes(&program);
    let part = format!("GET / HTTP/1.1\r\nhost: test\r\nx: {}", "y".repeat(100));
    let mut clients: Vec<Client> = (0..COUNT).map(|_| Client::connect(address)).collect();
    for client in &mut clients {
        client.send(&part);
    }
    // All earlier ones have been read, on the only worker.
    let open = COUNT as f64 + 1.0;
    until("all are open", || {
        let metrics = program.admin("GET", "/metrics").text();
        let wanted = format!("evenkeel_frontend_open_connections{{frontend=\"web\"}} {open}");
        metrics.contains(&wanted).then_some(())
    });
    assert_eq!(first.get("/").text(), "a");
    let each = (resident_bytes(&program) - at_start) / COUNT as f64;
    // The state of a connection on which exchanges run is not there.
    assert!(each < 12_000.0, "{each} bytes each");
    for client in clients.iter_mut().take(10) {
        client.send("\r\n\r\n");
        assert_eq!(client.response().text(), "a");
    }
}
