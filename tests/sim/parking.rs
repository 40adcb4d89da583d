//! A client connection on which nothing happens gives hyper's state and buffers back.

use std::time::Duration;

use evenkeel::base::clock;

use crate::scene::Scene;
use crate::trace::Trace;

/// After the last response, at the latest.
const PARKED_WITHIN: Duration = Duration::from_secs(4);

/// What became of client connections since `from`.
fn since(from: Duration, trace: &Trace) -> Vec<String> {
    let entries = trace.entries().into_iter();
    entries
        .filter(|entry| entry.who == "network" && entry.at >= from)
        .map(|entry| entry.what)
        .collect()
}

#[test]
fn an_idle_connection_is_parked_soon_after_its_last_response() {
    Scene::new(41, 1).play(|stage| async move {
        let mut client = stage.client("client");
        let first = client.get("/1").await;
        assert!(first.is_served());
        clock::sleep(PARKED_WITHIN).await;
        let parked = "a client connection is parked";
        assert_eq!(since(first.ended, &stage.trace), [parked]);

        // It is that connection which serves the next request, and it is parked again.
        let second = client.get("/2").await;
        assert!(second.is_served());
        clock::sleep(PARKED_WITHIN).await;
        let woken = "a client connection is woken";
        assert_eq!(since(second.began, &stage.trace), [woken, parked]);
    });
}

#[test]
fn a_connection_that_is_in_use_is_not_parked() {
    Scene::new(42, 1).play(|stage| async move {
        let mut client = stage.client("client");
        let first = client.get("/").await;
        for _ in 0..10 {
            clock::sleep(Duration::from_millis(500)).await;
            assert!(client.get("/").await.is_served());
        }
        assert!(client.get("/slow/5000").await.is_served());
        assert!(client.get("/stream/50/100").await.is_served());
        assert_eq!(since(first.ended, &stage.trace), [""; 0]);
    });
}
