//! Rules that choose a server (`use_server`), and the queue of that server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use evenkeel::base::Name;
use evenkeel::control::ServersChange;

use crate::rig::{Client, Gate, Line, OK, Origin, Proxy, Setup, until};

/// The rule chooses the server `chosen`, which takes one exchange at a time and nothing by balancing.
fn chosen(origin: &Origin, others: &[&Origin]) -> Setup {
    let own = format!(
        "{{ name = 'chosen', address = '{}', weight = 0, max_connections = 1 }}",
        origin.address()
    );
    let others = others.iter();
    let others = others.map(|origin| format!("'{}'", origin.address()));
    Setup::servers([own].into_iter().chain(others))
        .backend("rule = [{ when = 'req.hdr(x-chosen)', use_server = 'chosen' }]")
}

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
const GET_CHOSEN: &str = "GET / HTTP/1.1\r\nhost: test\r\nx-chosen: 1\r\n\r\n";

/// A client whose request waits at the chosen server.
fn waiting(proxy: &Proxy) -> Client {
    let queued = || proxy.status()["backends"]["app"]["servers"]["chosen"]["queued"].as_u64();
    let before = queued().expect("a number");
    let mut client = proxy.client();
    client.send(GET_CHOSEN);
    until("it waits", || (queued() == Some(before + 1)).then_some(()));
    client
}

/// A client whose request the chosen server `origin` has, and answers when its gate opens.
fn served(proxy: &Proxy, origin: &Origin) -> Client {
    let mut client = proxy.client();
    client.send(GET_CHOSEN);
    origin.wait_for_requests(1);
    client
}

#[test]
fn the_server_of_a_rule_gets_the_requests_that_match_and_no_others() {
    let (own, other) = (Origin::named("own"), Origin::named("other"));
    let proxy = chosen(&own, &[&other]).start();
    for _ in 0..3 {
        assert_eq!(proxy.ask(GET_CHOSEN).text(), "own");
        assert_eq!(proxy.get("/").text(), "other");
    }
}

#[test]
fn the_first_rule_whose_server_is_up_decides() {
    let (mut a, b) = (Origin::named("a"), Origin::named("b"));
    let servers = [("a", &a), ("b", &b)];
    let servers = servers.map(|(name, origin)| {
        let address = origin.address();
        format!("{{ name = '{name}', address = '{address}', weight = 0 }}")
    });
    let proxy = Setup::servers(servers)
        .backend(
            "health = { interval = '50ms', timeout = '20s' }\n\
             rule = [{ use_server = 'a' }, { use_server = 'b' }]",
        )
        .start();
    let is_up = |state: &str| {
        let servers = &proxy.status()["backends"]["app"]["servers"];
        (servers["a"]["state"] == state && servers["b"]["state"] == "up").then_some(())
    };
    until("both are up", || is_up("up"));
    assert_eq!(proxy.get("/").text(), "a");
    a.stop();
    until("one is down", || is_up("down"));
    assert_eq!(proxy.get("/").text(), "b");
    a.start();
    until("it is up again", || is_up("up"));
    assert_eq!(proxy.get("/").text(), "a");
}

#[test]
fn a_server_of_a_rule_that_cannot_be_connected_to_costs_no_request() {
    let (mut own, other) = (Origin::named("own"), Origin::named("other"));
    let proxy = chosen(&own, &[&other]).start();
    own.stop();
    assert_eq!(proxy.ask(GET_CHOSEN).text(), "other");
    assert_eq!(proxy.line().number("attempts"), 2);
}

#[test]
fn a_request_waits_for_the_server_of_its_rule_while_others_are_served() {
    let gate = Gate::default();
    let (own, other) = (Origin::behind(&gate), Origin::named("other"));
    let proxy = chosen(&own, &[&other]).start();
    let mut first = served(&proxy, &own);
    let mut second = waiting(&proxy);
    assert_eq!(proxy.get("/").text(), "other");
    let chosen = [("server", "chosen")];
    assert_eq!(proxy.metric("evenkeel_server_queue_length", &chosen), 1.0);
    assert_eq!(proxy.metric("evenkeel_backend_queue_length", &[]), 1.0);
    gate.open();
    assert_eq!(first.response().text(), "ok");
    assert_eq!(second.response().text(), "ok");
    let lines = proxy.wait_for_lines(3);
    // Workers write their lines in any order.
    let has_waited = |line: &Line| line.0["times_ms"]["queue"].as_f64() > Some(0.0);
    let waited: Vec<_> = lines.iter().filter(|line| has_waited(line)).collect();
    assert_eq!(waited.len(), 1, "{lines:?}");
    assert_eq!(waited[0].text("server"), "chosen");
    assert_eq!(proxy.metric("evenkeel_server_queue_length", &chosen), 0.0);
}

#[test]
fn requests_of_many_workers_take_turns_at_the_server_of_a_rule() {
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let own = Origin::scripted({
        let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most));
        move |visit| {
            while visit.request().is_some() {
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                at_once.fetch_sub(1, Ordering::SeqCst);
                visit.send(OK);
            }
        }
    });
    let other = Origin::named("other");
    let setup = chosen(&own, &[&other]).backend("timeout.queue = '60s'");
    let proxy = setup.workers(3).start();
    let address = proxy.address();
    let clients: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                for _ in 0..30 {
                    let request = if number < 6 { GET_CHOSEN } else { GET };
                    let response = client.ask(request);
                    assert_eq!(response.status(), 200, "{}", response.text());
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("each request is answered");
    }
    assert_eq!(most.load(Ordering::SeqCst), 1, "exchanges at a time");
    assert_eq!(own.requests().len(), 6 * 30);
    let status = &proxy.status()["backends"]["app"];
    assert_eq!(status["queued"], 0, "{status:#}");
    assert_eq!(status["servers"]["chosen"]["in_flight"], 0, "{status:#}");
}

#[test]
fn a_wait_for_the_server_of_a_rule_ends_with_the_timeout_of_the_queue() {
    let gate = Gate::default();
    let (own, other) = (Origin::behind(&gate), Origin::named("other"));
    let setup = chosen(&own, &[&other]).backend("timeout.queue = '300ms'");
    let proxy = setup.start_paused();
    let mut first = served(&proxy, &own);
    let mut second = waiting(&proxy);
    proxy.advance(Duration::from_millis(400));
    let response = second.response();
    assert_eq!(response.status(), 503);
    assert_eq!(response.reason(), "queue.timeout");
    assert_eq!(proxy.line().number("attempts"), 0);
    gate.open();
    assert_eq!(first.response().text(), "ok");
}

#[test]
fn one_more_than_the_queue_of_a_server_holds_is_answered_503_and_others_are_not() {
    let gate = Gate::default();
    let (own, other) = (Origin::behind(&gate), Origin::named("other"));
    let proxy = chosen(&own, &[&other])
        .backend("queue.max = 1")
        .start_paused();
    let mut first = served(&proxy, &own);
    let mut second = waiting(&proxy);
    // The clock stands still, so it does not wait.
    let response = proxy.ask(GET_CHOSEN);
    assert_eq!(response.status(), 503);
    assert_eq!(response.reason(), "queue.full");
    assert_eq!(proxy.get("/").text(), "other");
    gate.open();
    assert_eq!(first.response().text(), "ok");
    assert_eq!(second.response().text(), "ok");
}

#[test]
fn a_client_that_leaves_gives_up_its_position_at_the_server() {
    let gate = Gate::default();
    let (own, other) = (Origin::behind(&gate), Origin::named("other"));
    let setup = chosen(&own, &[&other]).backend("timeout.queue = '60s'");
    let proxy = setup.start();
    let mut first = served(&proxy, &own);
    waiting(&proxy).reset();
    proxy.wait_for_metric("evenkeel_backend_queue_length", &[], 0.0);
    let mut third = waiting(&proxy);
    gate.open();
    assert_eq!(first.response().text(), "ok");
    assert_eq!(third.response().text(), "ok");
    assert_eq!(own.requests().len(), 2, "the second one was never sent");
}

#[test]
fn a_request_that_waits_at_a_server_that_is_removed_goes_to_another() {
    let gate = Gate::default();
    let (own, other) = (Origin::behind(&gate), Origin::named("other"));
    let setup = chosen(&own, &[&other]).backend("timeout.queue = '60s'");
    let proxy = setup.workers(3).start();
    let mut first = served(&proxy, &own);
    let mut waiting: Vec<Client> = (0..4).map(|_| waiting(&proxy)).collect();
    let change = ServersChange::Remove(Name::new("chosen").expect("a name"));
    assert_eq!(proxy.change_servers(change), Ok(()));
    for client in &mut waiting {
        assert_eq!(client.response().text(), "other");
    }
    assert_eq!(proxy.ask(GET_CHOSEN).text(), "other");
    gate.open();
    assert_eq!(first.response().text(), "ok");
}

#[test]
fn a_request_that_waits_at_a_server_that_goes_down_goes_to_another() {
    let gate = Gate::default();
    let is_ill = Arc::new(AtomicBool::new(false));
    let own = Origin::scripted({
        let (gate, is_ill) = (gate.clone(), Arc::clone(&is_ill));
        move |visit| {
            while let Some(request) = visit.request() {
                let is_check = request.target() == "/healthz";
                if !is_check {
                    gate.pass();
                }
                visit.send(match is_check && is_ill.load(Ordering::SeqCst) {
                    true => &b"HTTP/1.1 500 Ill\r\ncontent-length: 0\r\n\r\n"[..],
                    false => OK,
                });
            }
        }
    });
    let other = Origin::named("other");
    let proxy = chosen(&own, &[&other])
        .backend(
            "timeout.queue = '60s'\n\
             health = { path = '/healthz', interval = '50ms', timeout = '20s' }",
        )
        .start();
    let state = |state: &str| {
        let servers = proxy.status()["backends"]["app"]["servers"].clone();
        let servers = servers.as_object().expect("an object").clone();
        let other = &servers[&other.address().to_string()];
        (servers["chosen"]["state"] == state && other["state"] == "up").then_some(())
    };
    until("both are up", || state("up"));
    let mut first = proxy.client();
    first.send(GET_CHOSEN);
    until("it is served", || {
        let requests = own.requests();
        let mut targets = requests.iter().map(|request| request.target());
        targets.any(|target| target == "/").then_some(())
    });
    let mut second = waiting(&proxy);
    is_ill.store(true, Ordering::SeqCst);
    assert_eq!(second.response().text(), "other");
    gate.open();
    assert_eq!(first.response().text(), "ok");
}

#[test]
fn requests_that_wait_at_a_server_are_served_over_reloads() {
    let gate = Gate::default();
    let (own, other) = (Origin::behind(&gate), Origin::named("other"));
    let setup = chosen(&own, &[&other]).backend("timeout.queue = '60s'");
    let proxy = setup.start();
    let mut first = served(&proxy, &own);
    let mut second = waiting(&proxy);
    proxy.apply(&setup.clone().backend("attempts = 2"));
    let mut third = waiting(&proxy);
    assert_eq!(proxy.metric("evenkeel_server_queue_length", &[]), 2.0);
    gate.open();
    for client in [&mut first, &mut second, &mut third] {
        assert_eq!(client.response().text(), "ok");
    }
    proxy.wait_for_metric("evenkeel_server_in_flight", &[("server", "chosen")], 0.0);
}
