//! A defect of the proxy's own ends one exchange and nothing else.

use std::time::Duration;

use evenkeel::base::{clock, tasks};
use http::Request;
use turmoil::net::TcpStream;

use crate::client::Client;
use crate::fixture::{Fixture, PROXY};
use crate::network::{DEFECT, DEFECTIVE};

/// A backend that cannot be connected to without a panic.
const ROUTES: &str = "[[frontend.web.route]]\npath = \"/defect\"\nbackend = \"defect\"\n\
                      [backend.defect]\nservers = [\"10.0.9.9:80\"]\n";

#[test]
fn an_exchange_that_panics_is_answered_and_counted_and_no_other_notices() {
    assert!(ROUTES.contains(&DEFECT.to_string()));
    let trace = Fixture::new(31, 1).rest(ROUTES).play(|stage| async move {
        let mut bystander = stage.client("bystander");
        let mut unlucky = stage.client("unlucky");
        let unlucky = async {
            clock::sleep(Duration::from_millis(200)).await;
            for _ in 0..2 {
                let outcome = unlucky.get("/defect").await;
                assert_eq!(outcome.status, Some(500));
                assert!(outcome.is_whole);
                assert_eq!(outcome.reason(), "proxy.panic");
            }
            assert!(unlucky.get("/after").await.is_served());
        };
        // It stays open while the others panic.
        let (slow, ()) = tokio::join!(bystander.get("/slow/1000"), unlucky);
        assert!(slow.is_served(), "{slow:?}");
        assert!(bystander.get("/").await.is_served());
        assert!(stage.client("new").get("/").await.is_served());

        assert_eq!(stage.metric("evenkeel_panics_total").await, "2");
        let replies = "evenkeel_replies_total{frontend=\"web\",reason=\"proxy.panic\"}";
        assert_eq!(stage.metric(replies).await, "2");
        let in_flight = "evenkeel_server_in_flight{backend=\"defect\",server=\"10.0.9.9:80\"}";
        assert_eq!(stage.metric(in_flight).await, "0", "no slot is lost");
    });
    let said = "panicked (a bug in evenkeel) and was aborted: no such luck";
    let logged = |entry: &crate::trace::Entry| entry.what.contains(said);
    let events = trace.entries().into_iter().filter(logged).count();
    assert_eq!(events, 2, "in:\n{trace}");
}

#[test]
fn a_connection_that_panics_ends_and_its_exchange_is_counted_and_no_other_notices() {
    let trace = Fixture::new(37, 1).play(|stage| async move {
        let mut bystander = stage.client("bystander");
        let mut unlucky = stage.client("unlucky");
        let (slow, outcome) = tokio::join!(bystander.get("/slow/1000"), unlucky.get(DEFECTIVE));
        assert!(slow.is_served(), "{slow:?}");
        assert_eq!(outcome.status, None);
        assert!(stage.client("new").get("/").await.is_served());

        assert_eq!(stage.metric("evenkeel_panics_total").await, "1");
        let replies = "evenkeel_replies_total{frontend=\"web\",reason=\"proxy.panic\"}";
        assert_eq!(stage.metric(replies).await, "1");
    });
    let said = "panicked (a bug in evenkeel) and was aborted: outside of its handler";
    let logged = |entry: &crate::trace::Entry| entry.what.contains(said);
    let events = trace.entries().into_iter().filter(logged).count();
    assert_eq!(events, 1, "in:\n{trace}");
}

#[test]
fn a_stream_that_panics_is_answered_500_and_its_neighbours_go_on() {
    let trace = Fixture::new(37, 1).rest(ROUTES).play(|stage| async move {
        let stream = TcpStream::connect((PROXY, 80)).await.expect("it listens");
        let shaken = h2::client::handshake(stream).await;
        let (sender, connection) = shaken.expect("it speaks HTTP/2");
        tasks::spawn_local(connection);
        let mut sender = sender.ready().await.expect("it takes requests");
        let mut ask = |target: &str| {
            let request = Request::get(format!("http://test{target}"));
            let request = request.body(()).expect("a request");
            sender.send_request(request, true).expect("it is sent").0
        };
        let slow = ask("/slow/1000");
        let unlucky = ask("/defect").await.expect("an answer");
        assert_eq!(unlucky.status(), 500);
        assert_eq!(slow.await.expect("an answer").status(), 200);
        assert_eq!(ask("/").await.expect("an answer").status(), 200);

        assert_eq!(stage.metric("evenkeel_panics_total").await, "1");
        let replies = "evenkeel_replies_total{frontend=\"web\",reason=\"proxy.panic\"}";
        assert_eq!(stage.metric(replies).await, "1");
    });
    let said = "panicked (a bug in evenkeel) and was aborted: no such luck";
    let logged = |entry: &crate::trace::Entry| entry.what.contains(said);
    let events = trace.entries().into_iter().filter(logged).count();
    assert_eq!(events, 1, "in:\n{trace}");
}

#[test]
fn an_admin_listener_that_panics_accepts_again() {
    let trace = Fixture::new(41, 1).play(|stage| async move {
        for count in ["1", "2"] {
            stage.break_next_accept();
            let unlucky = Client::of_admin(&stage.trace).get("/metrics").await;
            assert_eq!(unlucky.status, None);
            assert_eq!(stage.metric("evenkeel_panics_total").await, count);
        }
        assert!(stage.client("new").get("/").await.is_served());
    });
    let said = "the admin listener panicked (a bug in evenkeel) and accepts connections again";
    let logged = |entry: &crate::trace::Entry| entry.what.contains(said);
    let events = trace.entries().into_iter().filter(logged).count();
    assert_eq!(events, 2, "in:\n{trace}");
}
