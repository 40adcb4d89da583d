//! A server that cannot be reached for a while.

use std::time::Duration;

use evenkeel::base::clock;

use crate::client::Outcome;
use crate::fixture::{Fixture, Stage};
use crate::trace::Trace;

/// Checks that notice an outage within 2 s: three intervals, and the timeout of the last check.
const CHECKED: &str = "\
    timeout = { connect = \"500ms\", response = \"1s\", body = \"1s\" }\n\
    health = { path = \"/healthz\", interval = \"500ms\", timeout = \"500ms\", fall = 2, rise = 2 }";

/// How long CHECKED may take, with the latency of the network.
const NOTICED_WITHIN: Duration = Duration::from_millis(2100);

const SHORT: Duration = Duration::from_millis(20);

type Act = fn(&Stage, usize);

/// One of three servers fails under load and recovers.
fn outage_and_return(seed: u64, goes: Act, comes: Act) {
    Fixture::new(seed, 3)
        .backend(CHECKED)
        .play(move |stage| async move {
            stage.ready().await;
            let acts = async {
                clock::sleep(Duration::from_millis(500)).await;
                let gone = turmoil::sim_elapsed().unwrap_or_default();
                goes(&stage, 2);
                let down = stage.until("app/s2 is down").await;
                assert!(down - gone < NOTICED_WITHIN, "{:?}", down - gone);
                clock::sleep(Duration::from_secs(2)).await;
                comes(&stage, 2);
                let up = stage.until("app/s2 is up, after 2 passed").await;
                clock::sleep(Duration::from_secs(1)).await;
                stage.trace.add("story", "over");
                (gone, down, up)
            };
            let is_over = |trace: &Trace| trace.first("over").is_some();
            let load = stage.load(4, "/", SHORT, is_over);
            let ((gone, down, up), outcomes) = tokio::join!(acts, load);
            assert_only_the_unnoticed_suffer(&outcomes, gone, down);
            let is_of_the_gone = |outcome: &&Outcome| outcome.server == "s2";
            let meanwhile = outcomes.iter().filter(|o| o.began > down && o.ended < up);
            assert_eq!(meanwhile.filter(is_of_the_gone).count(), 0);
            let before = outcomes.iter().filter(|o| o.ended < gone);
            assert!(before.filter(is_of_the_gone).count() > 5);
            let after = outcomes.iter().filter(|o| o.began > up);
            assert!(after.filter(is_of_the_gone).count() > 5);
        });
}

/// Requests that fail are those that the server may have seen before the checks could notice.
fn assert_only_the_unnoticed_suffer(outcomes: &[Outcome], gone: Duration, down: Duration) {
    for outcome in outcomes.iter().filter(|outcome| !outcome.is_served()) {
        assert_eq!(outcome.reason(), "server.response.timeout", "{outcome:?}");
        assert!(outcome.ended > gone && outcome.began < down, "{outcome:?}");
    }
}

#[test]
fn a_server_behind_a_cut_link_is_taken_out_and_comes_back() {
    outage_and_return(11, Stage::cut, Stage::mend);
}

#[test]
fn a_server_behind_a_stalled_link_is_taken_out_and_comes_back() {
    outage_and_return(12, Stage::stall, Stage::flow);
}

#[test]
fn without_any_server_the_answer_says_so_until_one_is_back() {
    Fixture::new(13, 2)
        .backend(CHECKED)
        .play(|stage| async move {
            stage.ready().await;
            stage.cut(1);
            stage.cut(2);
            stage.until("0 of 2 up").await;
            let mut client = stage.client("client");
            let outcome = client.get("/").await;
            assert_eq!(outcome.status, Some(503));
            assert_eq!(outcome.reason(), "backend.no_server");
            stage.mend(1);
            stage.until("app/s1 is up, after 2 passed").await;
            let outcome = client.get("/").await;
            assert!(outcome.is_served() && outcome.server == "s1", "{outcome:?}");
        });
}

#[test]
fn a_response_that_stops_in_the_middle_is_cut_for_the_client() {
    let keys = "timeout = { body = \"1s\" }";
    Fixture::new(14, 1).backend(keys).play(|stage| async move {
        let mut client = stage.client("client");
        let cut = async {
            clock::sleep(Duration::from_millis(350)).await;
            stage.cut(1);
            turmoil::sim_elapsed().unwrap_or_default()
        };
        let (outcome, cut) = tokio::join!(client.get("/stream/20/100"), cut);
        assert_eq!(outcome.status, Some(200));
        assert!(!outcome.is_whole, "it must not look complete");
        assert!(
            ["s1", "s1s1", "s1s1s1"].contains(&outcome.body.as_str()),
            "{outcome:?}"
        );
        let waited = outcome.ended - cut;
        assert!(waited > Duration::from_millis(850) && waited < Duration::from_millis(1100));
        let series = "evenkeel_replies_total{frontend=\"web\",reason=\"server.body.timeout\"}";
        assert_eq!(stage.metric(series).await, "1");
    });
}

#[test]
fn a_response_that_pauses_for_less_than_the_deadline_comes_whole() {
    let keys = "timeout = { body = \"1s\" }";
    Fixture::new(15, 1).backend(keys).play(|stage| async move {
        let mut client = stage.client("client");
        let pause = async {
            clock::sleep(Duration::from_millis(350)).await;
            stage.stall(1);
            clock::sleep(Duration::from_millis(800)).await;
            stage.flow(1);
        };
        let (outcome, ()) = tokio::join!(client.get("/stream/20/100"), pause);
        assert!(outcome.is_served(), "{outcome:?}");
        assert_eq!(outcome.body, "s1".repeat(20));
    });
}

#[test]
fn a_connect_that_takes_too_long_is_tried_elsewhere() {
    let keys = "timeout = { connect = \"500ms\" }";
    Fixture::new(16, 2).backend(keys).play(|stage| async move {
        stage.stall(1);
        let mut client = stage.client("client");
        for _ in 0..4 {
            let outcome = client.get("/").await;
            assert!(outcome.is_served() && outcome.server == "s2", "{outcome:?}");
            assert!(outcome.ended - outcome.began < Duration::from_millis(600));
        }
        let series = "evenkeel_attempt_faults_total{backend=\"app\",server=\"s1\",reason=\"server.connect.timeout\"}";
        // Every second request is its turn, and more when a turn is used up by trying.
        let faults: u32 = stage.metric(series).await.parse().unwrap_or(0);
        assert!((2..=4).contains(&faults), "{faults}");
    });
}

#[test]
fn a_server_that_cannot_be_reached_in_time_is_not_waited_for_longer_than_said() {
    let keys = "timeout = { connect = \"500ms\" }\nattempts = 3";
    Fixture::new(17, 2).backend(keys).play(|stage| async move {
        stage.stall(1);
        stage.stall(2);
        let outcome = stage.client("client").get("/").await;
        assert_eq!(outcome.status, Some(503));
        assert_eq!(outcome.reason(), "server.connect.timeout");
        let took = outcome.ended - outcome.began;
        assert!(took < Duration::from_millis(1100), "{took:?}");
    });
}
