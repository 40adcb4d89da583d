//! Servers that are added, removed and change their weight at random, under load and without a
//! reload.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel::base::rng::Rng;
use evenkeel::base::{Name, clock};
use evenkeel::control::{Command, ServersChange};
use evenkeel::proxy::backend::Wanted;
use tokio::sync::oneshot;

use crate::client::Outcome;
use crate::fixture::{Fixture, Stage, name_of, socket_of};
use crate::trace::{Entry, Trace};

const SERVERS: usize = 4;

const CHECKED: &str = "health = { path = \"/healthz\", interval = \"300ms\", timeout = \"300ms\" }";

const SHORT: Duration = Duration::from_millis(15);

/// When each server was usable: from the moment at which a change was requested, or until it was
/// answered.
#[derive(Default)]
struct Usable(BTreeMap<String, Vec<(Duration, Duration)>>);

impl Usable {
    fn begins(&mut self, server: usize, asked: Duration) {
        let spans = self.0.entry(name_of(server)).or_default();
        if spans.last().is_none_or(|(_, until)| *until < Duration::MAX) {
            spans.push((asked, Duration::MAX));
        }
    }

    fn ends(&mut self, server: usize, answered: Duration) {
        let last = self
            .0
            .get_mut(&name_of(server))
            .and_then(|spans| spans.last_mut());
        if let Some((_, until)) = last {
            *until = (*until).min(answered);
        }
    }

    fn was(&self, server: &str, from: Duration, to: Duration) -> bool {
        let mut spans = self.0.get(server).into_iter().flatten();
        spans.any(|(began, ended)| *began <= to && from <= *ended)
    }
}

fn name(server: usize) -> Name {
    Name::new(&name_of(server)).expect("a name")
}

fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

async fn change(stage: &Stage, change: ServersChange) {
    stage.trace.add("story", format_args!("{change:?}"));
    let (answer, asked) = oneshot::channel();
    stage.command(Command::ChangeServers("app".to_owned(), change, answer));
    assert_eq!(asked.await.ok(), Some(Ok(())));
}

fn chance(seed: u64) -> Trace {
    Fixture::new(seed, SERVERS)
        .backend(CHECKED)
        .play(move |stage| async move {
            stage.ready().await;
            let changes = async {
                let rng = Rng::seeded(seed);
                let mut usable = Usable::default();
                // The weight of each present server.
                let mut weights: BTreeMap<usize, u64> = (1..=SERVERS).map(|n| (n, 1)).collect();
                (1..=SERVERS).for_each(|server| usable.begins(server, Duration::ZERO));
                let end = clock::now() + Duration::from_secs(8);
                while clock::now() < end {
                    clock::sleep(Duration::from_millis(rng.below(60))).await;
                    // The first one stays, so that every request can be served.
                    let server = 2 + rng.below(SERVERS as u64 - 1) as usize;
                    let weight = rng.below(4);
                    let asked = now();
                    let next = match weights.get(&server) {
                        None => ServersChange::Add(Wanted {
                            name: name(server),
                            address: socket_of(server).into(),
                            weight: weight as u16,
                            max_connections: None,
                            backup: false,
                            own: Default::default(),
                        }),
                        Some(_) if rng.below(2) == 0 => ServersChange::Remove(name(server)),
                        Some(_) => ServersChange::Weigh(name(server), weight as u16),
                    };
                    let is_removed = matches!(next, ServersChange::Remove(_));
                    change(&stage, next).await;
                    match is_removed {
                        true => weights.remove(&server),
                        false => weights.insert(server, weight),
                    };
                    match weights.get(&server) {
                        Some(1..) => usable.begins(server, asked),
                        _ => usable.ends(server, now()),
                    }
                }
                stage.trace.add("story", "over");
                (usable, weights)
            };
            let is_over = |trace: &Trace| trace.first("over").is_some();
            let (quick, slow) = (
                stage.load(4, "/", SHORT, is_over),
                stage.load(2, "/slow/100", SHORT, is_over),
            );
            let ((usable, weights), quick, slow) = tokio::join!(changes, quick, slow);
            for outcome in quick.iter().chain(&slow) {
                assert!(outcome.is_served(), "{outcome:?}");
                let was_usable = usable.was(&outcome.server, outcome.began, outcome.ended);
                assert!(was_usable, "{outcome:?}");
            }
            let status = stage.status().await;
            let servers = status["backends"]["app"]["servers"].as_object();
            let servers = servers.expect("an object");
            assert_eq!(servers.len(), weights.len(), "{status:#}");
            for (server, weight) in weights {
                let server = &servers[&name_of(server)];
                assert_eq!(server["weight"], weight, "{status:#}");
                assert_eq!(server["in_flight"], 0, "{status:#}");
            }
            assert_eq!(status["backends"]["app"]["queued"], 0, "{status:#}");
        })
}

/// A rule chooses the server 2, which takes one request at a time, for all slow requests: most of
/// them wait for it.
const CHOSEN: &str = "\
    timeout = { queue = \"30s\" }\n\
    health = { path = \"/healthz\", interval = \"300ms\", timeout = \"300ms\" }\n\
    rule = [{ when = 'path starts_with \"/slow/\"', use_server = \"s2\" }]";

/// The server 2 is removed, added and weighed at random while requests wait for it.
fn chance_of_the_chosen(seed: u64) -> Trace {
    Fixture::new(seed, SERVERS)
        .backend(CHOSEN)
        .play(move |stage| async move {
            const SERVER: usize = 2;
            stage.ready().await;
            change(&stage, ServersChange::Remove(name(SERVER))).await;
            let add = |weight| {
                ServersChange::Add(Wanted {
                    name: name(SERVER),
                    address: socket_of(SERVER).into(),
                    weight,
                    max_connections: Some(1),
                    backup: false,
                    own: Default::default(),
                })
            };
            let changes = async {
                let rng = Rng::seeded(seed);
                let end = clock::now() + Duration::from_secs(8);
                while clock::now() < end {
                    let weight = rng.below(2) as u16;
                    change(&stage, add(weight)).await;
                    clock::sleep(Duration::from_millis(rng.below(1_500))).await;
                    let weight = rng.below(2) as u16;
                    change(&stage, ServersChange::Weigh(name(SERVER), weight)).await;
                    clock::sleep(Duration::from_millis(rng.below(500))).await;
                    change(&stage, ServersChange::Remove(name(SERVER))).await;
                    clock::sleep(Duration::from_millis(rng.below(100))).await;
                }
                stage.trace.add("story", "over");
            };
            let is_over = |trace: &Trace| trace.first("over").is_some();
            let (quick, slow) = (
                stage.load(2, "/", SHORT, is_over),
                stage.load(4, "/slow/50", SHORT, is_over),
            );
            let ((), quick, slow) = tokio::join!(changes, quick, slow);
            for outcome in quick.iter().chain(&slow) {
                assert!(outcome.is_served(), "{outcome:?}");
            }
            let of_chosen = |outcomes: &[Outcome]| {
                let outcomes = outcomes.iter();
                outcomes.filter(|one| one.server == name_of(SERVER)).count()
            };
            assert!(
                of_chosen(&slow) > 20,
                "{} of {}",
                of_chosen(&slow),
                slow.len()
            );
            let status = stage.status().await;
            let backend = &status["backends"]["app"];
            assert_eq!(backend["queued"], 0, "{status:#}");
            let servers = backend["servers"].as_object().expect("an object");
            for server in servers.values() {
                assert_eq!(server["in_flight"], 0, "{status:#}");
                assert_eq!(server["queued"], 0, "{status:#}");
            }
        })
}

#[test]
fn requests_that_wait_for_a_server_that_comes_and_goes_are_all_served() {
    for seed in 300..303 {
        println!("seed {seed}");
        chance_of_the_chosen(seed);
    }
}

#[test]
fn servers_that_come_and_go_at_random_cost_no_request() {
    for seed in 200..203 {
        println!("seed {seed}");
        let trace = chance(seed);
        let is_change = |entry: &&Entry| entry.actor == "story";
        assert!(trace.entries().iter().filter(is_change).count() > 150);
    }
}
