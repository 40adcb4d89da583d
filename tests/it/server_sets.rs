//! Servers are added, removed and change their weight without a reload, under traffic.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use evenkeel::base::Name;
use evenkeel::control::{CannotChange, ServersChange};
use evenkeel::proxy::backend::Wanted;

use crate::rig::{Client, Gate, Origin, Proxy, RefusingAddress, Setup, until};

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

fn name_of(address: SocketAddr) -> Name {
    Name::new(&address.to_string()).expect("a name")
}

fn wanted(address: SocketAddr) -> Wanted {
    Wanted {
        name: name_of(address),
        address: address.into(),
        weight: 1,
        max_connections: None,
        backup: false,
        own: Default::default(),
    }
}

fn add(proxy: &Proxy, origin: &Origin) {
    let change = ServersChange::Add(wanted(origin.address()));
    assert_eq!(proxy.change_servers(change), Ok(()));
}

fn remove(proxy: &Proxy, origin: &Origin) {
    let change = ServersChange::Remove(name_of(origin.address()));
    assert_eq!(proxy.change_servers(change), Ok(()));
}

fn weigh(proxy: &Proxy, origin: &Origin, weight: u16) {
    let change = ServersChange::Weigh(name_of(origin.address()), weight);
    assert_eq!(proxy.change_servers(change), Ok(()));
}

/// The servers that answer `count` requests, each of a new client.
fn answers(proxy: &Proxy, count: usize) -> Vec<String> {
    (0..count).map(|_| proxy.get("/").text()).collect()
}

#[test]
fn a_set_that_changes_under_load_costs_no_request() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let proxy = Setup::of(&[&a]).workers(3).start();
    let address = proxy.address();
    let (is_over, served) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (is_over, served) = (Arc::clone(&is_over), Arc::clone(&served));
            thread::spawn(move || {
                let mut client = Client::connect(address);
                while !is_over.load(Ordering::Relaxed) {
                    let response = client.get("/");
                    assert_eq!(response.status(), 200, "{}", response.text());
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let some_more = || {
        let enough = served.load(Ordering::Relaxed) + 40;
        until("more requests", || {
            let is_down = clients.iter().any(thread::JoinHandle::is_finished);
            (is_down || served.load(Ordering::Relaxed) >= enough).then_some(())
        });
    };
    for _ in 0..10 {
        some_more();
        add(&proxy, &b);
        some_more();
        weigh(&proxy, &b, 3);
        some_more();
        remove(&proxy, &a);
        some_more();
        let change = ServersChange::Restore(name_of(a.address()));
        assert_eq!(proxy.change_servers(change), Ok(()));
        some_more();
        remove(&proxy, &b);
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("each answer is good");
    }
    assert_eq!(proxy.generation(), 1, "there was no reload");
    let servers = proxy.status()["backends"]["app"]["servers"].clone();
    let servers = servers.as_object().expect("an object");
    assert_eq!(servers.len(), 1, "{servers:?}");
    assert_eq!(servers[&a.address().to_string()]["in_flight"], 0);
}

#[test]
fn no_request_that_comes_after_the_change_goes_to_a_server_that_was_removed() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let proxy = Setup::of(&[&a, &b]).workers(3).start();
    for _ in 0..5 {
        remove(&proxy, &a);
        assert_eq!(answers(&proxy, 6), ["b"; 6]);
        let change = ServersChange::Restore(name_of(a.address()));
        assert_eq!(proxy.change_servers(change), Ok(()));
        let mut both = answers(&proxy, 2);
        both.sort();
        assert_eq!(both, ["a", "b"]);
    }
}

#[test]
fn a_server_that_is_removed_finishes_its_exchange_and_keeps_no_connection() {
    let gate = Gate::default();
    let (slow, b) = (Origin::behind(&gate), Origin::named("b"));
    let proxy = Setup::of(&[&slow]).workers(1).start();
    let mut client = proxy.client();
    client.send(GET);
    slow.wait_for_requests(1);
    add(&proxy, &b);
    remove(&proxy, &slow);
    assert_eq!(proxy.get("/").text(), "b");
    gate.open();
    let response = client.response();
    assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
    slow.wait_for_end_of(0);
    assert_eq!(client.get("/").text(), "b");
    let line = &proxy.wait_for_lines(3)[1];
    assert_eq!(line.text("server"), slow.address().to_string());
}

#[test]
fn warm_connections_to_a_server_that_is_removed_are_closed_though_no_request_comes() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let proxy = Setup::of(&[&a, &b]).workers(1).start();
    assert_eq!(answers(&proxy, 2), ["a", "b"]);
    until("both are kept", || {
        (a.open() == 1 && b.open() == 1).then_some(())
    });
    remove(&proxy, &a);
    until("the one to a is closed", || (a.open() == 0).then_some(()));
    assert_eq!(answers(&proxy, 2), ["b", "b"]);
    assert_eq!(b.connections(), 1, "the other one is used again");
}

#[test]
fn an_exchange_that_waits_for_a_slot_gets_one_at_a_server_that_is_added() {
    let gate = Gate::default();
    let (slow, b) = (Origin::behind(&gate), Origin::named("b"));
    let address = slow.address();
    let server = format!("{{ address = \"{address}\", max_connections = 1 }}");
    let proxy = Setup::servers([server]).start();
    let mut first = proxy.client();
    first.send(GET);
    slow.wait_for_requests(1);
    let mut second = proxy.client();
    second.send(GET);
    until("it waits", || {
        (proxy.status()["backends"]["app"]["queued"] == 1).then_some(())
    });
    add(&proxy, &b);
    assert_eq!(second.response().text(), "b");
    gate.open();
    assert_eq!(first.response().text(), "ok");
}

#[test]
fn checks_follow_the_set() {
    let refusing = RefusingAddress::new();
    let a = Origin::named("a");
    let proxy = Setup::of(&[&a])
        .backend("health = { interval = \"50ms\", timeout = \"20s\" }")
        .start();
    proxy.wait_for_state(a.address(), "up");
    let change = ServersChange::Add(wanted(refusing.address()));
    assert_eq!(proxy.change_servers(change), Ok(()));
    proxy.wait_for_state(refusing.address(), "down");
    assert_eq!(answers(&proxy, 4), ["a"; 4]);
    let since = proxy.server(a.address())["since"].clone();
    let b = Origin::named("b");
    let change = ServersChange::Found(vec![wanted(b.address())]);
    assert_eq!(proxy.change_servers(change), Ok(()));
    proxy.wait_for_state(b.address(), "up");
    assert_eq!(
        proxy.server(a.address())["since"],
        since,
        "a stays as it is"
    );
    let change = ServersChange::Found(Vec::new());
    assert_eq!(proxy.change_servers(change), Ok(()));
    assert!(proxy.server(b.address()).is_null());
    until("the checks of b have ended", || {
        (b.open() == 0).then_some(())
    });
    let so_far = b.connections();
    let of_a = a.connections();
    until("some checks of a", || {
        (a.connections() >= of_a + 5).then_some(())
    });
    assert_eq!(b.connections(), so_far);
}

#[test]
fn a_server_that_a_reload_adds_is_checked_and_takes_traffic() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let checked = "health = { interval = \"50ms\", timeout = \"20s\" }";
    let proxy = Setup::of(&[&a]).backend(checked).start();
    proxy.wait_for_state(a.address(), "up");
    proxy.apply(&Setup::of(&[&a, &b]).backend(checked));
    proxy.wait_for_state(b.address(), "up");
    let mut names = answers(&proxy, 2);
    names.sort();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_change_holds_across_reloads_and_goes_with_its_backend() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let setup = Setup::of(&[&a]);
    let proxy = setup.start();
    add(&proxy, &b);
    weigh(&proxy, &a, 0);
    assert_eq!(answers(&proxy, 4), ["b"; 4]);
    proxy.apply(&setup.clone().backend("attempts = 1"));
    assert_eq!(answers(&proxy, 4), ["b"; 4]);
    let other = Setup::of(&[]).also("other", &b);
    let text = other.text(&proxy.folder().path("access.log"));
    let text = text.replace("[backend.app]\nservers = []\n", "");
    let text = text.replace("backend = \"app\"", "backend = \"other\"");
    proxy.folder().write("evenkeel.toml", &text);
    let answer = proxy.reload();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let change = ServersChange::Weigh(name_of(a.address()), 1);
    assert_eq!(proxy.change_servers(change), Err(CannotChange::NoBackend));
    proxy.apply(&setup);
    assert_eq!(answers(&proxy, 4), ["a"; 4]);
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let proxy = Setup::of(&[&a]).start();
    let change = ServersChange::Remove(name_of(b.address()));
    assert_eq!(proxy.change_servers(change), Err(CannotChange::NoServer));
    let change = ServersChange::Add(wanted(a.address()));
    assert_eq!(proxy.change_servers(change), Err(CannotChange::Exists));
    assert_eq!(answers(&proxy, 2), ["a", "a"]);
}
