//! Bugs that were found, named after what the user saw.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::rig::{Client, Origin, Program, Setup, until};

#[test]
fn a_compressed_response_arrived_without_a_word_that_it_is_compressed() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\n\x1f\u{8}abc\r\n0\r\n\r\n",
    );
    let response = Setup::of(&[&origin]).start().get("/");
    assert_eq!(response.reason(), "server.response.malformed");
}

#[test]
fn an_answer_to_head_with_two_lengths_reached_the_client() {
    let origin =
        Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    client.send("HEAD / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    let (answer, _) = client.rest();
    assert!(answer.starts_with(b"HTTP/1.1 502 "), "{answer:?}");
}

#[test]
fn an_answer_that_switched_protocols_was_not_counted_as_a_fault_of_the_server() {
    let origin = Origin::answering(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    );
    let proxy = Setup::of(&[&origin]).start();
    assert_eq!(proxy.get("/").status(), 502);
    let reason = [("reason", "server.response.malformed")];
    proxy.wait_for_metric("evenkeel_attempt_faults_total", &reason, 1.0);
}

#[test]
fn a_request_that_broke_off_in_its_head_left_no_trace() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: te").half_close();
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
}

#[test]
fn a_server_that_was_added_under_overload_got_nothing_to_do() {
    let busy = || {
        Origin::scripted(|visit| {
            while visit.request().is_some() {
                visit.is_quiet_for(Duration::from_millis(5));
                visit.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            }
        })
    };
    let (a, b) = (busy(), busy());
    let limited = |origin: &Origin| {
        let address = origin.address();
        format!("{{ address = \"{address}\", max_connections = 1 }}")
    };
    let patient = "timeout.queue = \"20s\"";
    let proxy = Setup::servers([limited(&a)]).backend(patient).start();
    let is_over = Arc::new(AtomicBool::new(false));
    let address = proxy.address();
    let clients: Vec<_> = (0..12)
        .map(|_| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                let mut client = Client::connect(address);
                while !is_over.load(Ordering::SeqCst) {
                    assert_eq!(client.get("/").status(), 200);
                }
            })
        })
        .collect();
    until("a queue", || {
        (proxy.metric("evenkeel_backend_queue_length", &[]) > 5.0).then_some(())
    });
    proxy.apply(&Setup::servers([limited(&a), limited(&b)]).backend(patient));
    b.wait_for_requests(20);
    is_over.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().expect("no request fails");
    }
}

#[test]
fn a_request_failed_because_the_server_of_an_idle_connection_had_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let goes = listener.local_addr().expect("bound");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        // No client can connect any more; the connection that is open stays for one more request.
        drop(listener);
        let mut room = [0; 4096];
        assert!(stream.read(&mut room).expect("a request") > 0);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).expect("an answer");
        assert!(stream.read(&mut room).expect("another request") > 0);
    });
    let stays = Origin::named("stays");
    let servers = [format!("\"{goes}\""), format!("\"{}\"", stays.address())];
    let proxy = Setup::servers(servers).workers(1).start();
    let mut client = proxy.client();
    for _ in 0..4 {
        assert_eq!(client.get("/").status(), 200);
    }
    server.join().expect("it saw both requests");
}

#[test]
fn a_signal_that_came_at_the_very_start_killed_it() {
    let origin = Origin::named("a");
    for _ in 0..20 {
        let mut program = Program::spawn_and_signal(Signal::HUP, &Setup::of(&[&origin]));
        program.wait_for("reload.unchanged");
        assert!(program.runs());
    }
}

#[test]
fn a_client_that_left_while_its_upload_waited_held_the_servers_slot() {
    let origin = Origin::scripted(|visit| {
        visit.head();
        // Reads nothing of the body, and is still there.
        thread::park_timeout(Duration::from_secs(10));
    });
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100000000\r\n\r\n");
    client.send_until_stuck();
    // A FIN would come after the bytes that are not read; only a reset overtakes them.
    client.reset();
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
}

#[test]
fn a_chunked_upload_arrived_empty_at_an_old_server() {
    let origin = Origin::scripted(|visit| {
        while visit.request().is_some() {
            visit.send("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let proxy = Setup::of(&[&origin]).workers(1).start();
    let mut client = proxy.client();
    assert_eq!(client.get("/").status(), 200);
    client.ask(
        "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    assert!(
        origin.received(1).contains("hello"),
        "on a connection of its own"
    );
}

#[test]
fn a_response_with_trailers_was_logged_as_a_client_that_left() {
    let origin = Origin::scripted(|visit| {
        while visit.request().is_some() {
            visit.send(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                 2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n",
            );
        }
    });
    let proxy = Setup::of(&[&origin]).workers(1).start();
    let mut client = proxy.client();
    client.get("/");
    client.get("/");
    for line in proxy.wait_for_lines(2) {
        assert_eq!(line.verdict(), (200, "-"));
    }
    assert_eq!(origin.connections(), 1, "it is used again");
}
