//! Chance: the same seed yields the same trace, and with any seed nothing is left over.

use std::time::Duration;

use evenkeel::base::clock;
use evenkeel::base::rng::Rng;

use crate::fixture::{Fixture, Stage};
use crate::trace::{Entry, Trace};

const SERVERS: usize = 3;

/// The number of storms, each about a second of real time, unless `STORMS` is another number.
const STORMS: u64 = 8;

/// The seed of the first one, unless `STORM` is another number.
const FIRST: u64 = 100;

const BACKEND: &str = "\
    timeout = { connect = \"300ms\", response = \"500ms\", body = \"500ms\" }\n\
    health = { path = \"/healthz\", interval = \"300ms\", timeout = \"300ms\", fall = 2, rise = 1 }";

/// Five seconds of load while links break and recover at random, then a calm.
fn storm(seed: u64) -> Trace {
    Fixture::new(seed, SERVERS)
        .backend(BACKEND)
        .play(move |stage| async move {
            stage.ready().await;
            let weather = async {
                let rng = Rng::seeded(seed);
                let end = clock::now() + Duration::from_secs(5);
                while clock::now() < end {
                    clock::sleep(Duration::from_millis(rng.below(400))).await;
                    let server = 1 + rng.below(SERVERS as u64) as usize;
                    let acts = [Stage::cut, Stage::mend, Stage::stall, Stage::flow];
                    acts[rng.below(4) as usize](&stage, server);
                }
                for server in 1..=SERVERS {
                    // A cut link has nothing to deliver, and a stalled one delivers all.
                    stage.flow(server);
                    stage.mend(server);
                }
                stage.trace.add("story", "calm");
                clock::sleep(Duration::from_secs(2)).await;
                stage.trace.add("story", "over");
            };
            let is_over = |trace: &Trace| trace.first("over").is_some();
            let pause = Duration::from_millis(30);
            let (short, streams, slow) = (
                stage.load(3, "/", pause, is_over),
                stage.load(2, "/stream/5/40", pause, is_over),
                stage.load(2, "/slow/200", pause, is_over),
            );
            let ((), short, streams, slow) = tokio::join!(weather, short, streams, slow);
            let calm = stage.trace.first("calm").unwrap_or_default() + Duration::from_secs(1);
            for outcome in [short, streams, slow].iter().flatten() {
                assert!(
                    outcome.status.is_some(),
                    "everyone is answered: {outcome:?}"
                );
                assert!(outcome.began < calm || outcome.is_served(), "{outcome:?}");
            }
            assert_nothing_is_left_over(&stage).await;
        })
}

/// Without requests, no slot, no place in a queue and no connection is held.
async fn assert_nothing_is_left_over(stage: &Stage) {
    // Clients have left; the proxy notices as their last bytes arrive.
    clock::sleep(Duration::from_secs(1)).await;
    let status = stage.status().await;
    assert_eq!(status["connections"], 0, "{status:#}");
    let backend = &status["backends"]["app"];
    assert_eq!(backend["queued"], 0, "{status:#}");
    for number in 1..=SERVERS {
        let server = &backend["servers"][crate::fixture::name_of(number)];
        assert_eq!(server["in_flight"], 0, "{status:#}");
        assert_eq!(server["state"], "up", "{status:#}");
    }
}

#[test]
fn the_same_seed_yields_the_same_trace() {
    let (first, second) = (storm(31).entries(), storm(31).entries());
    if let Some((a, b)) = first.iter().zip(&second).find(|(a, b)| a != b) {
        assert_eq!(
            a,
            b,
            "the first difference of {} and {}",
            first.len(),
            second.len()
        );
    }
    assert_eq!(first.len(), second.len());
    // A trace that is always the same would prove nothing.
    assert!(first.len() > 500, "{}", first.len());
    assert_ne!(what(&first), what(&storm(32).entries()));
}

fn number(variable: &str, default: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn what(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.what.as_str()).collect()
}

#[test]
fn after_any_storm_nothing_is_left_over() {
    let first = number("STORM", FIRST);
    for seed in first..first + number("STORMS", STORMS) {
        println!("STORM={seed}");
        storm(seed);
    }
}
