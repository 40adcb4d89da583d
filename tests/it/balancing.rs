//! How many requests each server gets.

use std::collections::BTreeMap;
use std::thread;

use crate::rig::{Client, Gate, Origin, Proxy, Setup, until};

const NAMES: [&str; 3] = ["a", "b", "c"];

fn three() -> [Origin; 3] {
    NAMES.map(Origin::named)
}

/// Servers as in the file, each with these settings.
fn with(origins: &[Origin], settings: &[&str]) -> Setup {
    let servers = origins.iter().zip(settings).map(|(origin, settings)| {
        let address = origin.address();
        format!("{{ address = \"{address}\", {settings} }}")
    });
    Setup::servers(servers)
}

/// The servers that answer `count` requests, one after the other.
fn sequence(proxy: &Proxy, count: usize) -> Vec<String> {
    let mut client = proxy.client();
    (0..count).map(|_| client.get("/").text()).collect()
}

/// The number of answers of each server.
fn tally(answers: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        *tally.entry(answer).or_default() += 1;
    }
    tally
}

/// The same for requests that many clients send at once.
fn crowd(proxy: &Proxy, clients: usize, requests: usize) -> BTreeMap<String, usize> {
    let address = proxy.address();
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                let answers = (0..requests).map(|_| client.get("/").text());
                answers.collect::<Vec<String>>()
            })
        })
        .collect();
    let answers = threads.into_iter().map(|thread| thread.join());
    tally(answers.flat_map(|answers| answers.expect("no panic")))
}

fn counts(counts: [usize; 3]) -> BTreeMap<String, usize> {
    let named = NAMES.iter().zip(counts);
    named
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| ((*name).to_owned(), count))
        .collect()
}

#[test]
fn round_robin_takes_turns() {
    let origins = three();
    let proxy = Setup::of(&origins.each_ref()).start();
    let answers = sequence(&proxy, 9);
    assert_eq!(answers[..3], answers[3..6]);
    assert_eq!(answers[..3], answers[6..]);
    assert_eq!(tally(answers), counts([3, 3, 3]));
}

#[test]
fn round_robin_is_exact_across_workers_and_connections() {
    for workers in [2, 5] {
        let origins = three();
        let proxy = Setup::of(&origins.each_ref()).workers(workers).start();
        assert_eq!(crowd(&proxy, 15, 20), counts([100, 100, 100]), "{workers}");
        let mut single = (0..30).map(|_| proxy.get("/").text());
        assert_eq!(tally(single.by_ref()), counts([10, 10, 10]), "{workers}");
    }
}

#[test]
fn weights_are_shares_and_interleave() {
    let origins = three();
    let proxy = with(&origins, &["weight = 4", "weight = 2", "weight = 1"]).start();
    let answers = sequence(&proxy, 70);
    let longest = answers.chunk_by(|a, b| a == b).map(<[String]>::len).max();
    assert!(longest <= Some(2), "{answers:?}");
    assert_eq!(tally(answers), counts([40, 20, 10]));
    assert_eq!(crowd(&proxy, 14, 10), counts([80, 40, 20]));
}

#[test]
fn a_weight_of_zero_takes_no_new_traffic() {
    let origins = three();
    let proxy = with(&origins, &["weight = 1", "weight = 0", "weight = 1"]).start();
    assert_eq!(tally(sequence(&proxy, 20)), counts([10, 0, 10]));
    assert_eq!(origins[1].connections(), 0);
}

#[test]
fn a_server_that_refuses_passes_its_turns_on() {
    let mut origins = three();
    origins[1].stop();
    let proxy = Setup::of(&origins.each_ref()).start();
    let tally = tally(sequence(&proxy, 30));
    assert_eq!(tally.values().sum::<usize>(), 30);
    assert_eq!(tally.get("b"), None);
    let faults = [("reason", "server.connect.refused")];
    assert!(proxy.metric("evenkeel_attempt_faults_total", &faults) >= 10.0);
}

#[test]
fn least_connections_avoids_the_busy() {
    let gate = Gate::default();
    let origins = [
        Origin::behind(&gate),
        Origin::named("b"),
        Origin::named("c"),
    ];
    let setup = Setup::of(&origins.each_ref()).backend("balance = \"least-connections\"");
    let proxy = setup.start();
    // Until a client is stuck at the first server.
    let mut stuck = until("a request at the first", || {
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
        let is_stuck = || !origins[0].requests().is_empty();
        let mut passed = origins[1].requests().len() + origins[2].requests().len();
        while passed == 0 && !is_stuck() {
            passed = origins[1].requests().len() + origins[2].requests().len();
        }
        is_stuck().then_some(client)
    });
    assert_eq!(tally(sequence(&proxy, 20)), counts([0, 10, 10]));
    gate.open();
    assert_eq!(stuck.response().text(), "ok");
}

#[test]
fn least_connections_is_by_weight_across_workers() {
    let gate = Gate::default();
    let origins = [Origin::behind(&gate), Origin::behind(&gate)];
    let setup =
        with(&origins, &["weight = 2", "weight = 1"]).backend("balance = \"least-connections\"");
    let proxy = setup.start();
    let mut clients: Vec<Client> = Vec::new();
    for count in 1..=12 {
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
        clients.push(client);
        until("the request at a server", || {
            let arrived = origins[0].requests().len() + origins[1].requests().len();
            (arrived == count).then_some(())
        });
    }
    assert_eq!(
        (origins[0].requests().len(), origins[1].requests().len()),
        (8, 4)
    );
    gate.open();
    for mut client in clients {
        assert_eq!(client.response().text(), "ok");
    }
}

#[test]
fn least_connections_takes_turns_among_equals() {
    let origins = three();
    let setup = Setup::of(&origins.each_ref()).backend("balance = \"least-connections\"");
    assert_eq!(tally(sequence(&setup.start(), 30)), counts([10, 10, 10]));
}

#[test]
fn a_backup_is_used_only_while_no_other_server_can_be() {
    let mut origins = three();
    let setup = with(&origins, &["weight = 1", "weight = 1", "backup = true"]).backend(
        "health = { type = \"tcp\", interval = \"50ms\", timeout = \"20s\", rise = 1, fall = 1 }",
    );
    let proxy = setup.start();
    for origin in &origins {
        proxy.wait_for_state(origin.address(), "up");
    }
    assert_eq!(tally(sequence(&proxy, 10)), counts([5, 5, 0]));
    origins[0].stop();
    proxy.wait_for_state(origins[0].address(), "down");
    assert_eq!(tally(sequence(&proxy, 10)), counts([0, 10, 0]));
    origins[1].stop();
    proxy.wait_for_state(origins[1].address(), "down");
    assert_eq!(tally(sequence(&proxy, 10)), counts([0, 0, 10]));
    origins[0].start();
    proxy.wait_for_state(origins[0].address(), "up");
    assert_eq!(tally(sequence(&proxy, 10)), counts([10, 0, 0]));
}
