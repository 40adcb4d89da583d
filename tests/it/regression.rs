//! Bugs that were found, named after what the user saw.

use crate::rig::{Origin, Setup};

#[test]
fn a_compressed_response_arrived_without_a_word_that_it_is_compressed() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\n\x1f\u{8}abc\r\n0\r\n\r\n",
    );
    let response = Setup::of(&[&origin]).start().get("/");
    assert_eq!(response.reason(), "server.response.malformed");
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
