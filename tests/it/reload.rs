//! The configuration changes while traffic flows: the changes, and what stays.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::rig::{
    Authority, Client, Folder, Gate, Message, OK, Origin, Program, Proxy, RefusingAddress, Setup,
    Speech, until, while_for,
};

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

fn two() -> (Origin, Origin) {
    (Origin::named("a"), Origin::named("b"))
}

fn json(answer: &Message) -> Value {
    serde_json::from_str(&answer.text()).expect("JSON")
}

fn reloads(proxy: &Proxy, result: &str) -> f64 {
    proxy.metric("evenkeel_config_reloads_total", &[("result", result)])
}

/// Waits until the server of that name answers.
#[track_caller]
fn wait_for_name(proxy: &Proxy, name: &str) {
    until(&format!("an answer of {name}"), || {
        (proxy.get("/").text() == name).then_some(())
    });
}

// How a change is noticed.

#[test]
fn a_file_that_is_replaced_takes_effect() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a]).watched().start();
    assert_eq!(proxy.get("/").text(), "a");
    proxy.replace(&Setup::of(&[&b]).watched());
    wait_for_name(&proxy, "b");
    assert_eq!(proxy.generation(), 2);
    proxy.replace(&Setup::of(&[&a]).watched());
    wait_for_name(&proxy, "a");
    assert_eq!(proxy.generation(), 3);
}

#[test]
fn a_file_that_is_written_in_place_takes_effect() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a]).watched().start();
    for (origin, name) in [(&b, "b"), (&a, "a")] {
        proxy.write(&Setup::of(&[origin]).watched());
        wait_for_name(&proxy, name);
    }
}

#[test]
fn a_link_that_is_replaced_as_kubernetes_does_takes_effect() {
    let (a, b) = two();
    let folder = Folder::new();
    let log = folder.path("access.log");
    let mounted = folder.path("mounted");
    let swap = |version: &str, setup: &Setup| {
        fs::create_dir_all(mounted.join(version)).expect("a folder of our own");
        let file = mounted.join(version).join("evenkeel.toml");
        fs::write(file, setup.text(&log)).expect("a folder of our own");
        symlink(version, mounted.join("..data_tmp")).expect("a folder of our own");
        fs::rename(mounted.join("..data_tmp"), mounted.join("..data"))
            .expect("a folder of our own");
    };
    swap("..one", &Setup::of(&[&a]).watched());
    let file = mounted.join("evenkeel.toml");
    symlink("..data/evenkeel.toml", &file).expect("a folder of our own");
    let proxy = Proxy::start(folder, file);
    assert_eq!(proxy.get("/").text(), "a");
    swap("..two", &Setup::of(&[&b]).watched());
    wait_for_name(&proxy, "b");
    fs::remove_dir_all(mounted.join("..one")).expect("a folder of our own");
    swap("..three", &Setup::of(&[&a]).watched());
    wait_for_name(&proxy, "a");
}

#[test]
fn a_change_behind_a_link_takes_effect() {
    let (a, b) = two();
    let folder = Folder::new();
    let log = folder.path("access.log");
    let elsewhere = folder.path("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder of our own");
    let real = elsewhere.join("real.toml");
    fs::write(&real, Setup::of(&[&a]).watched().text(&log)).expect("a folder of our own");
    let link = folder.path("evenkeel.toml");
    symlink(&real, &link).expect("a folder of our own");
    let proxy = Proxy::start(folder, link);
    assert_eq!(proxy.get("/").text(), "a");
    fs::write(&real, Setup::of(&[&b]).watched().text(&log)).expect("a folder of our own");
    wait_for_name(&proxy, "b");
}

#[test]
fn a_new_file_that_an_include_matches_takes_effect() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a])
        .watched()
        .top("include = [\"*.inc.toml\"]")
        .start();
    let more = format!(
        "[frontend.more]\nlisten = \"127.0.0.1:0\"\nbackend = \"b\"\n\
         [backend.b]\nservers = [\"{}\"]\n",
        b.address()
    );
    proxy.folder().write("more.inc.toml", &more);
    let more = until("the included frontend", || {
        proxy.addresses("more").first().copied()
    });
    assert_eq!(Client::connect(more).get("/").text(), "b");
    fs::remove_file(proxy.folder().path("more.inc.toml")).expect("it is there");
    until("its end", || {
        proxy.addresses("more").is_empty().then_some(())
    });
}

#[test]
fn other_files_and_equal_ones_are_no_change() {
    let (a, _) = two();
    let setup = Setup::of(&[&a]).watched();
    let proxy = setup.start();
    proxy.folder().write("evenkeel.toml.swp", "nonsense");
    proxy.folder().write("other.toml", "nonsense");
    proxy.replace(&setup);
    while_for(Duration::from_millis(700), "nothing is read anew", || {
        proxy.generation() == 1
            && proxy
                .series("evenkeel_config_reloads_total", &[])
                .iter()
                .all(|(_, count)| *count == 0.0)
    });
}

#[test]
fn without_a_watcher_a_change_waits_for_a_reload() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a]).start();
    proxy.replace(&Setup::of(&[&b]));
    while_for(Duration::from_millis(500), "nothing happens", || {
        proxy.generation() == 1
    });
    assert_eq!(proxy.reload().status(), 200);
    assert_eq!(proxy.get("/").text(), "b");
}

#[test]
fn a_signal_starts_a_reload() {
    let (a, b) = two();
    let program = Program::start(&Setup::of(&[&a]));
    for (number, (signal, origin, name)) in [(Signal::HUP, &b, "b"), (Signal::USR2, &a, "a")]
        .into_iter()
        .enumerate()
    {
        program.write(&Setup::of(&[origin]));
        program.signal(signal);
        program.wait_for_another("reload.applied", number + 1);
        assert_eq!(program.client().get("/").text(), name);
    }
}

// What is answered.

#[test]
fn a_reload_reports_its_changes() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a]).start();
    proxy.write(&Setup::of(&[&a, &b]).route("path = \"/x\"\nbackend = \"app\""));
    let answer = proxy.reload();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    let answer = json(&answer);
    assert_eq!(answer["generation"], 2);
    let changes = answer["changes"].to_string();
    assert!(changes.contains("frontend web changed"), "{changes}");
    let added = format!("server {} added", b.address());
    assert!(changes.contains(&added), "{changes}");
    assert_eq!(reloads(&proxy, "applied"), 1.0);
    assert_eq!(proxy.metric("evenkeel_config_generation", &[]), 2.0);
}

#[test]
fn a_reload_lists_the_warnings_of_a_check() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a]).start();
    assert_eq!(json(&proxy.reload())["warnings"], serde_json::json!([]));
    proxy.write(&Setup::of(&[&a]).also("spare", &b));
    let answer = json(&proxy.reload());
    let warnings = answer["warnings"].as_array().expect("a list");
    assert_eq!(warnings.len(), 1, "{answer}");
    assert_eq!(warnings[0]["severity"], "warning");
    assert_eq!(
        warnings[0]["message"],
        "no frontend and no route uses the backend `spare`"
    );
}

#[test]
fn a_reload_of_an_equal_file_changes_nothing_that_can_be_seen() {
    let (a, b) = two();
    let setup = Setup::of(&[&a, &b]).workers(1);
    let proxy = setup.start();
    let mut client = proxy.client();
    let before = client.get("/").text();
    client.get("/");
    let counters = |proxy: &Proxy| {
        proxy
            .series("evenkeel_server_requests_total", &[])
            .into_iter()
            .chain(proxy.series("evenkeel_frontend_requests_total", &[]))
            .collect::<Vec<_>>()
    };
    proxy.wait_for_metric("evenkeel_frontend_requests_total", &[], 2.0);
    let counted = counters(&proxy);
    let status = proxy.status();
    // Equal in meaning: written in another way.
    proxy.write(&setup.clone().top("# a comment"));
    for _ in 0..3 {
        let answer = proxy.reload();
        assert_eq!(answer.status(), 200);
        assert_eq!(json(&answer)["changes"], serde_json::json!([]));
        assert_eq!(json(&answer)["generation"], 1);
    }
    assert_eq!(reloads(&proxy, "unchanged"), 3.0);
    assert_eq!(reloads(&proxy, "applied"), 0.0);
    assert_eq!(counters(&proxy), counted);
    assert_eq!(proxy.status(), status);
    let response = client.get("/");
    assert_eq!(response.text(), before, "the next turn is whose it was");
    assert_eq!(response.field("connection"), None);
    assert_eq!(
        (a.connections(), b.connections()),
        (1, 1),
        "warm connections are kept"
    );
}

#[test]
fn a_bad_file_changes_nothing_and_is_reported_everywhere() {
    let (a, _) = two();
    let setup = Setup::of(&[&a]);
    let proxy = setup.start();
    let mut client = proxy.client();
    client.get("/");
    proxy.write(&setup.clone().frontend("bakend = \"app\""));
    let answer = proxy.reload();
    assert_eq!(answer.status(), 422);
    let text = json(&answer)["text"].to_string();
    assert!(text.contains("unknown key `bakend`"), "{text}");
    assert!(text.contains("did you mean `backend`?"), "{text}");
    assert_eq!(json(&answer)["generation"], 1);
    assert_eq!(json(&answer)["diagnostics"][0]["severity"], "error");
    assert_eq!(reloads(&proxy, "failed"), 1.0);
    assert_eq!(proxy.metric("evenkeel_config_generation", &[]), 1.0);
    let failure = proxy.status()["last_reload_failure"].to_string();
    assert!(failure.contains("bakend"), "{failure}");
    assert_eq!(client.get("/").text(), "a");
    proxy.write(&setup);
    assert_eq!(proxy.reload().status(), 200);
    assert!(proxy.status()["last_reload_failure"].is_null());
}

#[test]
fn a_file_that_is_gone_changes_nothing() {
    let (a, _) = two();
    let proxy = Setup::of(&[&a]).start();
    fs::remove_file(proxy.folder().path("evenkeel.toml")).expect("it is there");
    assert_eq!(proxy.reload().status(), 422);
    assert_eq!(proxy.get("/").text(), "a");
    assert_eq!(proxy.generation(), 1);
}

#[test]
fn an_address_that_is_taken_changes_nothing() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a]).start();
    let taken = b.address();
    let more = format!("[frontend.more]\nlisten = \"{taken}\"\nbackend = \"app\"");
    proxy.write(&Setup::of(&[&b]).rest(&more));
    let answer = proxy.reload();
    assert_eq!(answer.status(), 422);
    let text = json(&answer)["text"].to_string();
    assert!(text.contains(&taken.to_string()), "{text}");
    assert_eq!(proxy.generation(), 1);
    assert_eq!(proxy.get("/").text(), "a");
    assert!(proxy.addresses("more").is_empty());
}

#[test]
fn only_a_post_reloads() {
    let (a, _) = two();
    let proxy = Setup::of(&[&a]).start();
    let answer = proxy.admin("GET", "/reload");
    assert_eq!(
        (answer.status(), answer.field("allow")),
        (405, Some("POST"))
    );
    assert!(
        proxy
            .series("evenkeel_config_reloads_total", &[])
            .iter()
            .all(|(_, count)| *count == 0.0)
    );
}

#[test]
fn reloads_at_the_same_time_are_done_one_after_the_other() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a]).start();
    proxy.write(&Setup::of(&[&b]));
    let admin = proxy.admin_address();
    let callers: Vec<_> = (0..12)
        .map(|_| {
            thread::spawn(move || {
                let request = "POST /reload HTTP/1.1\r\nhost: localhost\r\n\r\n";
                let answer = Client::connect(admin).ask(request);
                assert_eq!(answer.status(), 200);
                json(&answer)
            })
        })
        .collect();
    let answers: Vec<Value> = callers
        .into_iter()
        .map(|caller| caller.join().expect("no panic"))
        .collect();
    assert!(answers.iter().all(|answer| answer["generation"] == 2));
    let is_change = |answer: &&Value| answer["changes"] != serde_json::json!([]);
    assert_eq!(
        answers.iter().filter(is_change).count(),
        1,
        "only one of them did it"
    );
    assert_eq!(reloads(&proxy, "applied"), 1.0);
    assert_eq!(reloads(&proxy, "unchanged"), 11.0);
}

// Listeners.

const MORE: &str = "[frontend.more]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"";

#[test]
fn a_frontend_can_be_added_and_removed() {
    let (a, _) = two();
    let setup = Setup::of(&[&a]);
    let proxy = setup.start();
    proxy.apply(&setup.clone().rest(MORE));
    let more = *proxy.addresses("more").first().expect("it listens");
    let mut client = Client::connect(more);
    assert_eq!(client.get("/").text(), "a");
    let of_more = [("frontend", "more")];
    proxy.wait_for_metric("evenkeel_frontend_requests_total", &of_more, 1.0);
    proxy.apply(&setup);
    client.is_closed();
    until("connections are refused", || {
        TcpStream::connect(more).is_err().then_some(())
    });
    assert!(proxy.addresses("more").is_empty());
    assert!(
        !proxy.metrics().contains("frontend=\"more\""),
        "its series go away"
    );
    assert_eq!(proxy.get("/").text(), "a");
}

#[test]
fn an_exchange_on_a_removed_frontend_is_finished() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let setup = Setup::of(&[&origin]);
    let proxy = setup.clone().rest(MORE).start();
    let more = *proxy.addresses("more").first().expect("it listens");
    let mut client = Client::connect(more);
    client.send(GET);
    origin.wait_for_requests(1);
    proxy.apply(&setup);
    gate.open();
    let response = client.response();
    assert_eq!(response.text(), "ok");
    assert_eq!(response.field("connection"), Some("close"));
    client.is_closed();
    let line = proxy.line();
    assert_eq!(
        (line.text("frontend"), line.verdict()),
        ("more", (200, "-"))
    );
}

#[test]
fn a_client_that_was_waiting_to_be_accepted_is_answered() {
    let (a, _) = two();
    let setup = Setup::of(&[&a]);
    let proxy = setup.clone().rest(MORE).start();
    let more = *proxy.addresses("more").first().expect("it listens");
    for _ in 0..5 {
        let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(more)).collect();
        proxy.apply(&setup);
        for client in &mut clients {
            // An established connection must be served.
            let response = client.get("/");
            assert_eq!(response.field("connection"), Some("close"));
            client.is_closed();
        }
        proxy.apply(
            &setup
                .clone()
                .rest(&MORE.replace("127.0.0.1:0", &more.to_string())),
        );
    }
}

#[test]
fn a_connection_on_a_frontend_that_stays_never_notices() {
    let (a, b) = two();
    let setup = Setup::of(&[&a]);
    let proxy = setup.start();
    let mut client = proxy.client();
    let own = client.address();
    for round in 0..10 {
        let origin = if round % 2 == 0 { &b } else { &a };
        proxy.apply(&Setup::of(&[origin]).frontend(&format!("timeout.head = \"{}s\"", 20 + round)));
        let response = client.get("/");
        assert_eq!(response.text(), if round % 2 == 0 { "b" } else { "a" });
        assert_eq!(response.field("connection"), None);
    }
    let line = proxy.wait_for_lines(10).pop().expect("ten");
    assert_eq!(line.text("client"), own.to_string());
    assert_eq!(line.number("generation"), 11);
    assert_eq!(proxy.addresses("web"), [proxy.address()]);
}

#[test]
fn a_parked_connection_serves_under_the_new_configuration() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a]).start();
    let mut client = proxy.client();
    client.get("/");
    client.is_quiet_for(Duration::from_millis(1200));
    proxy.apply(&Setup::of(&[&b]));
    assert_eq!(client.get("/").text(), "b");
}

#[test]
fn an_exchange_keeps_the_configuration_it_began_with() {
    let gate = Gate::default();
    let (slow, b) = (Origin::behind(&gate), Origin::named("b"));
    let proxy = Setup::of(&[&slow]).start();
    let mut client = proxy.client();
    client.send(GET);
    slow.wait_for_requests(1);
    proxy.apply(&Setup::of(&[&b]));
    gate.open();
    assert_eq!(client.response().text(), "ok");
    let line = proxy.line();
    assert_eq!(line.number("generation"), 1);
    assert_eq!(line.text("server"), slow.address().to_string());
    assert_eq!(client.get("/").text(), "b");
}

#[test]
fn the_admin_listener_can_move() {
    let (a, _) = two();
    let proxy = Setup::of(&[&a]).start();
    let text = fs::read_to_string(proxy.folder().path("evenkeel.toml")).expect("it is there");
    let text = text.replace(
        "[admin]\nlisten = \"127.0.0.1:0\"",
        "[admin]\nlisten = \"off\"",
    );
    proxy.folder().write("evenkeel.toml", &text);
    let answer = proxy.reload();
    assert_eq!(answer.status(), 200, "the client that asked is answered");
    let admin = proxy.admin_address();
    until("the port is closed", || {
        TcpStream::connect(admin).is_err().then_some(())
    });
    assert_eq!(proxy.get("/").text(), "a");
}

// Servers.

#[test]
fn adding_removing_and_reordering_disturb_no_other_server() {
    let (a, b) = two();
    let c = Origin::named("c");
    let proxy = Setup::of(&[&a]).workers(1).start();
    let mut client = proxy.client();
    client.get("/");
    let address = a.address().to_string();
    let of_a = [("server", address.as_str())];
    let since = proxy.server(a.address())["since"].clone();
    for servers in [&[&a, &b][..], &[&b, &a], &[&c, &a], &[&a]] {
        proxy.apply(&Setup::of(servers).workers(1));
        proxy.wait_for_metric("evenkeel_server_requests_total", &of_a, 1.0);
        assert_eq!(proxy.server(a.address())["since"], since);
    }
    client.get("/");
    assert_eq!(a.connections(), 1, "the warm connection is kept");
    proxy.wait_for_metric("evenkeel_server_requests_total", &of_a, 2.0);
}

#[test]
fn the_series_of_a_server_that_is_gone_go_away() {
    let (a, b) = two();
    let proxy = Setup::of(&[&a, &b]).start();
    proxy.get("/");
    proxy.get("/");
    let gone = format!("server=\"{}\"", b.address());
    assert!(proxy.metrics().contains(&gone));
    proxy.apply(&Setup::of(&[&a]));
    assert!(!proxy.metrics().contains(&gone));
    assert!(proxy.server(b.address()).is_null());
    proxy.apply(&Setup::of(&[&a, &b]));
    let address = b.address().to_string();
    let requests = proxy.metric("evenkeel_server_requests_total", &[("server", &address)]);
    assert_eq!(requests, 0.0, "it starts anew");
}

#[test]
fn a_server_that_moves_keeps_its_counters_and_nothing_else() {
    let (a, b) = two();
    let named = |address| {
        let server = format!("{{ name = \"one\", address = \"{address}\" }}");
        Setup::servers([server]).workers(1)
    };
    let proxy = named(a.address()).start();
    let mut client = proxy.client();
    client.get("/");
    proxy.apply(&named(b.address()));
    assert_eq!(client.get("/").text(), "b");
    let of_one = [("server", "one")];
    proxy.wait_for_metric("evenkeel_server_requests_total", &of_one, 2.0);
    a.wait_for_end_of(0);
    let status = proxy.status();
    let address = &status["backends"]["app"]["servers"]["one"]["address"];
    assert_eq!(*address, b.address().to_string());
}

#[test]
fn exchanges_in_flight_stay_counted_over_a_reload() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let limited = |max: u32| {
        let server = format!(
            "{{ address = \"{}\", max_connections = {max} }}",
            origin.address()
        );
        Setup::servers([server]).backend("timeout.queue = \"20s\"")
    };
    let proxy = limited(1).start();
    let mut clients: Vec<Client> = (0..3).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    proxy.wait_for_metric("evenkeel_backend_queue_length", &[], 2.0);
    proxy.apply(&limited(1).backend("attempts = 2"));
    assert_eq!(proxy.metric("evenkeel_server_in_flight", &[]), 1.0);
    assert_eq!(proxy.metric("evenkeel_backend_queue_length", &[]), 2.0);
    proxy.apply(&limited(2));
    origin.wait_for_requests(2);
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 2.0);
    proxy.wait_for_metric("evenkeel_backend_queue_length", &[], 1.0);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 0.0);
}

#[test]
fn a_limit_that_a_reload_lowers_is_kept_to_while_exchanges_wait() {
    let gates: [Gate; 3] = Default::default();
    let origin = Origin::scripted({
        let gates = gates.clone();
        move |visit| {
            while visit.request().is_some() {
                // Those of the queue are answered at once.
                if let Some(gate) = gates.get(visit.number()) {
                    gate.pass();
                }
                visit.send(OK);
            }
        }
    });
    let limited = |max: u32| {
        let server = format!(
            "{{ address = \"{}\", max_connections = {max} }}",
            origin.address()
        );
        // A connection for each exchange: the server counts them by it.
        Setup::servers([server]).backend("timeout.queue = \"60s\"\npool.max_idle = 0")
    };
    let proxy = limited(3).start();
    let mut clients: Vec<Client> = (0..6).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    origin.wait_for_requests(3);
    proxy.wait_for_metric("evenkeel_backend_queue_length", &[], 3.0);
    proxy.apply(&limited(1));
    for (gate, in_flight) in gates.iter().zip([2.0, 1.0]) {
        gate.open();
        proxy.wait_for_metric("evenkeel_server_in_flight", &[], in_flight);
        assert_eq!(proxy.metric("evenkeel_backend_queue_length", &[]), 3.0);
        assert_eq!(origin.requests().len(), 3, "no slot is handed on");
    }
    gates[2].open();
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 0.0);
}

#[test]
fn turns_continue_over_a_reload() {
    let (a, b) = two();
    let setup = Setup::of(&[&a, &b]);
    let proxy = setup.start();
    let mut client = proxy.client();
    let mut last = client.get("/").text();
    for round in 0..10 {
        proxy.apply(
            &setup
                .clone()
                .backend(&format!("timeout.response = \"{}s\"", 30 + round)),
        );
        let next = client.get("/").text();
        assert_ne!(next, last);
        last = next;
    }
}

#[test]
fn a_server_of_weight_zero_is_drained() {
    let gate = Gate::default();
    let (slow, b) = (Origin::behind(&gate), Origin::named("b"));
    let proxy = Setup::of(&[&slow]).start();
    let mut client = proxy.client();
    client.send(GET);
    slow.wait_for_requests(1);
    let drained = format!("{{ address = \"{}\", weight = 0 }}", slow.address());
    proxy.apply(&Setup::servers([drained, format!("\"{}\"", b.address())]));
    for _ in 0..5 {
        assert_eq!(proxy.get("/").text(), "b");
    }
    assert_eq!(proxy.server(slow.address())["in_flight"], 1);
    gate.open();
    assert_eq!(client.response().text(), "ok");
    until("it is empty", || {
        (proxy.server(slow.address())["in_flight"] == 0).then_some(())
    });
}

#[test]
fn no_request_fails_while_the_configuration_changes() {
    let (a, b) = two();
    let refusing = RefusingAddress::new();
    let proxy = Setup::of(&[&a]).start();
    let is_over = Arc::new(AtomicBool::new(false));
    let address = proxy.address();
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                let mut count = 0;
                let mut client = Client::connect(address);
                while !is_over.load(Ordering::SeqCst) {
                    if number % 2 == 0 {
                        client = Client::connect(address);
                    }
                    assert_eq!(client.get("/").status(), 200);
                    count += 1;
                }
                count
            })
        })
        .collect();
    for round in 0..30 {
        let setup = match round % 3 {
            0 => Setup::of(&[&b]),
            1 => Setup::of(&[&a, &b]).rest(MORE),
            _ => Setup::at([a.address(), refusing.address()]),
        };
        proxy.apply(&setup);
    }
    is_over.store(true, Ordering::SeqCst);
    let counts = clients
        .into_iter()
        .map(|client| client.join().expect("no request fails"));
    let count: usize = counts.sum();
    assert!(count > 30, "{count}");
    assert_eq!(proxy.generation(), 31);
}

#[test]
fn a_file_with_its_tables_in_another_order_is_no_change() {
    let (a, b) = two();
    let authority = Authority::new("an authority");
    let folder = Folder::new();
    let mut tables = Vec::new();
    // With TLS, whose files are read again at each reload.
    for (name, origin) in [("one", &a), ("other", &b)] {
        let pair = authority.pair(&[name]);
        let file = folder.write(name, &format!("{}{}", pair.certificate, pair.key));
        tables.push(format!(
            "[frontend.{name}]\nlisten = \"127.0.0.1:0\"\ntls = \"{}\"\nbackend = \"{name}\"\n\
             [backend.{name}]\nservers = [\"{}\"]\n",
            file.display(),
            origin.address()
        ));
    }
    let setup = Setup::of(&[&a]);
    let proxy = setup.clone().rest(&tables.concat()).start();
    tables.reverse();
    proxy.write(&setup.rest(&tables.concat()));
    for count in 1..3 {
        let answer = json(&proxy.reload());
        assert_eq!(answer["changes"], serde_json::json!([]));
        assert_eq!(answer["generation"], 1);
        assert_eq!(proxy.generation(), 1);
        assert_eq!(reloads(&proxy, "unchanged"), f64::from(count));
    }
    for (name, text) in [("one", "a"), ("other", "b")] {
        let address = proxy.addresses(name)[0];
        let mut client = Speech::trusting(&authority).connect(address, name);
        assert_eq!(client.get(name, "/").text(), text);
    }
}

/// A proxy with these tables besides `web` and `app`.
fn beside(tables: &str) -> Setup {
    Setup::at(["127.0.0.1:1".parse().expect("an address")]).rest(tables)
}

/// The highest CPU time of three reloads, each to another variant of the tables from `tables_of`,
/// in which only the backend `differs` changes.
fn cost_of_a_reload(tables_of: impl Fn(u8) -> String, differs: &str) -> Duration {
    let program = Program::start(&beside(&tables_of(1)));
    let costs = (2..5).map(|variant| {
        program.write(&beside(&tables_of(variant)));
        let before = program.cpu_time();
        let answer = program.admin("POST", "/reload");
        let changes = json(&answer)["changes"].to_string();
        assert!(
            changes.contains(&format!("backend {differs} server")),
            "{}",
            answer.text()
        );
        program.cpu_time() - before
    });
    costs.max().expect("three")
}

/// Compares reloads of `few` things with reloads of eight times as many; `tables_of` makes the
/// tables.
#[track_caller]
fn assert_linear(few: usize, tables_of: impl Fn(usize, u8) -> String, differs: &str) {
    let cost = |count| cost_of_a_reload(|variant| tables_of(count, variant), differs);
    let (few, many) = (cost(few), cost(few * 8));
    // It would be 64 times if each were compared with each.
    assert!(many < few * 16, "{few:?}, {many:?}");
}

/// A backend whose only server differs in each variant.
fn backend_that_differs(variant: u8) -> String {
    format!("[backend.differs]\nservers = [\"127.{variant}.0.1:80\"]\n")
}

#[test]
fn a_reload_with_eight_times_the_backends_costs_about_eight_times_as_much() {
    let tables_of = |count: usize, variant| {
        let backend = |index| {
            let (high, low) = (index / 250, index % 250);
            format!(
                "[[frontend.web.route]]\nhost = \"h{index}.test\"\nbackend = \"b{index}\"\n\
                 [backend.b{index}]\nservers = [\"127.1.{high}.{low}:80\"]\n"
            )
        };
        (0..count).map(backend).collect::<String>() + &backend_that_differs(variant)
    };
    assert_linear(1_500, tables_of, "differs");
}

#[test]
fn a_reload_with_eight_times_the_servers_in_one_backend_costs_about_eight_times_as_much() {
    let tables_of = |count: usize, variant: u8| {
        let server = |index| format!("\"127.0.{}.{}:80\", ", index / 250, index % 250);
        let stay: String = (0..count).map(server).collect();
        format!("[backend.many]\nservers = [{stay}\"127.{variant}.0.1:80\"]\n")
    };
    assert_linear(3_000, tables_of, "many");
}

#[test]
fn a_reload_with_eight_times_the_backends_of_tls_costs_about_eight_times_as_much() {
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &Authority::new("an authority").pem);
    let tables_of = |count: usize, variant| {
        let tls = format!("tls = {{ ca = '{}' }}", ca.display());
        let backend = |index| format!("[backend.b{index}]\nservers = [\"127.0.0.1:443\"]\n{tls}\n");
        (0..count).map(backend).collect::<String>() + &backend_that_differs(variant)
    };
    assert_linear(400, tables_of, "differs");
}

#[test]
fn a_reload_with_eight_times_the_certificates_costs_about_eight_times_as_much() {
    const FEW: usize = 150;
    let folder = Folder::new();
    let authority = Authority::new("an authority");
    let files: Vec<String> = (0..FEW * 8)
        .map(|index| {
            let pair = authority.pair(&[&format!("h{index}.test")]);
            let file = folder.write(&format!("{index}.pem"), &pair.whole());
            format!("'{}'", file.display())
        })
        .collect();
    let tables_of = |count: usize, variant| {
        let files = files[..count].join(", ");
        format!(
            "[frontend.secure]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
             tls = {{ certificates = [{files}] }}\n{}",
            backend_that_differs(variant)
        )
    };
    assert_linear(FEW, tables_of, "differs");
}

#[test]
fn changes_that_need_a_restart_are_reported() {
    let (a, _) = two();
    let proxy = Setup::of(&[&a]).start();
    proxy.write(&Setup::of(&[&a]).workers(3));
    let changes = json(&proxy.reload())["changes"].to_string();
    assert!(
        changes.contains("process.workers takes effect at the next start"),
        "{changes}"
    );
}

#[test]
fn the_access_log_can_move() {
    let (a, _) = two();
    let proxy = Setup::of(&[&a]).start();
    proxy.get("/one");
    proxy.wait_for_lines(1);
    let other = proxy.folder().path("other.log");
    proxy.apply(&Setup::of(&[&a]).log_to(&other.display().to_string()));
    proxy.get("/two");
    until("a line in the other file", || {
        let text = fs::read_to_string(&other).unwrap_or_default();
        text.contains("\"/two\"").then_some(())
    });
    assert_eq!(proxy.lines().len(), 1);
}

#[test]
fn a_limit_of_heads_holds_for_the_next_request_of_an_open_connection() {
    let origin = Origin::named("a");
    // The clock stands still: the connection is not parked meanwhile.
    let proxy = Setup::of(&[&origin]).start_paused();
    let mut client = proxy.client();
    let request = "GET / HTTP/1.1\r\nhost: test\r\nx: 1\r\nx: 2\r\n\r\n";
    assert_eq!(client.ask(request).text(), "a");
    proxy.apply(&Setup::of(&[&origin]).frontend("limits.fields = 2"));
    // The one that waits for its first byte has the limits of before.
    client.ask(request);
    assert_eq!(client.ask(request).status(), 431);
}
