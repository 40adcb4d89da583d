//! The end of a proxy that is in use.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel::base::clock;
use evenkeel::control::Command;

use crate::client::Outcome;
use crate::fixture::Fixture;
use crate::trace::Trace;

const SHORT: Duration = Duration::from_millis(10);

fn has_ended(trace: &Trace) -> bool {
    trace.first("has ended").is_some()
}

/// The targets that the servers saw.
fn seen_by_servers(trace: &Trace) -> BTreeSet<String> {
    let entries = trace.entries().into_iter();
    entries
        .filter(|entry| entry.actor.starts_with('s') && entry.what.starts_with('/'))
        .map(|entry| entry.what)
        .collect()
}

/// The targets that were answered whole.
fn served(trace: &Trace) -> BTreeSet<String> {
    let entries = trace.entries().into_iter();
    entries
        .filter(|entry| entry.actor.starts_with("client") && entry.what.contains(" 200 "))
        .filter_map(|entry| entry.what.split(' ').next().map(str::to_owned))
        .collect()
}

#[test]
fn a_drain_under_load_loses_no_exchange_that_began() {
    let keys = "timeout = \"10s\"";
    let trace = Fixture::new(21, 2).shutdown(keys).play(|stage| async move {
        let drain = async {
            clock::sleep(Duration::from_secs(1)).await;
            stage.command(Command::Drain("the story".to_owned()));
            stage.until("has ended and broken 0").await
        };
        let load = stage.load(6, "/slow/120", SHORT, has_ended);
        let streams = stage.load(2, "/stream/8/100", SHORT, has_ended);
        let (ended, fast, slow) = tokio::join!(drain, load, streams);
        // At the latest after one whole stream, and not after ten seconds.
        assert!(ended < Duration::from_secs(3), "{ended:?}");
        for outcomes in [fast, slow] {
            assert!(outcomes.iter().filter(|o| o.is_served()).count() > 3);
            assert_only_refused(&outcomes);
        }
        assert!(stage.client("late").get("/").await.status.is_none());
    });
    let lost: Vec<String> = seen_by_servers(&trace)
        .difference(&served(&trace))
        .cloned()
        .collect();
    assert_eq!(lost, [""; 0], "began and did not come whole, in:\n{trace}");
}

/// A request was either answered whole or refused by a proxy that has stopped; none was cut.
fn assert_only_refused(outcomes: &[Outcome]) {
    for outcome in outcomes.iter().filter(|outcome| !outcome.is_served()) {
        assert_eq!(outcome.status, None, "{outcome:?}");
    }
}

#[test]
fn exchanges_longer_than_the_timeout_are_cut_and_counted() {
    let keys = "timeout = \"1s\"";
    Fixture::new(22, 1).shutdown(keys).play(|stage| async move {
        let drain = async {
            clock::sleep(Duration::from_millis(500)).await;
            stage.command(Command::Drain("the story".to_owned()));
            stage.until("has ended and broken 1").await
        };
        let mut client = stage.client("client");
        let (ended, outcome) = tokio::join!(drain, client.get("/stream/50/100"));
        assert!(ended > Duration::from_millis(1450) && ended < Duration::from_millis(1700));
        assert!(
            outcome.status == Some(200) && !outcome.is_whole,
            "{outcome:?}"
        );
    });
}

#[test]
fn readiness_fails_first_and_requests_are_served_until_the_grace_is_over() {
    let keys = "grace = \"1s\"";
    Fixture::new(23, 1).shutdown(keys).play(|stage| async move {
        let mut client = stage.client("client");
        assert!(client.get("/").await.is_served());
        stage.command(Command::Drain("the story".to_owned()));
        clock::sleep(Duration::from_millis(500)).await;
        let ready = crate::client::Client::of_admin(&stage.trace)
            .get("/ready")
            .await;
        assert_eq!(ready.status, Some(503));
        assert!(client.get("/").await.is_served());
        assert!(stage.client("new").get("/").await.is_served());
        let ended = stage.until("has ended and broken 0").await;
        assert!(ended > Duration::from_secs(1), "{ended:?}");
    });
}
