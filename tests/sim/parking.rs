//! A client connection on which nothing happens gives hyper's state and buffers back.

use std::time::Duration;

use evenkeel::base::clock;

use crate::scene::Scene;

/// After the last response, at the latest.
const PARKED_WITHIN: Duration = Duration::from_secs(4);

#[test]
fn an_idle_connection_is_parked_soon_after_its_last_response() {
    let trace = Scene::new(41, 1).play(|stage| async move {
        let mut client = stage.client("client");
        let first = client.get("/1").await;
        assert!(first.is_served());
        let parked = stage.until("is parked").await;
        assert!(parked - first.ended <= PARKED_WITHIN, "{parked:?}");
        // The parked connection is the one that serves the next request.
        let second = client.get("/2").await;
        assert!(second.is_served());
        stage.until("is woken").await;
        clock::sleep(PARKED_WITHIN).await;
    });
    let network: Vec<String> = trace
        .entries()
        .into_iter()
        .filter(|entry| entry.who == "network")
        .map(|entry| entry.what)
        .collect();
    let words = ["parked", "woken", "parked"];
    let expected = words.map(|word| format!("a client connection is {word}"));
    assert_eq!(network, expected, "in:\n{trace}");
}

#[test]
fn a_connection_that_is_in_use_is_not_parked() {
    let trace = Scene::new(42, 1).play(|stage| async move {
        let mut client = stage.client("client");
        for _ in 0..10 {
            assert!(client.get("/").await.is_served());
            clock::sleep(Duration::from_millis(500)).await;
        }
        assert!(client.get("/slow/5000").await.is_served());
        assert!(client.get("/stream/50/100").await.is_served());
    });
    assert_eq!(trace.first("is parked"), None, "in:\n{trace}");
}
