//! The limit of open files: which connections make room when it is reached, and what is kept in
//! reserve.
//!
//! Each case runs the program under a limit of its own (`ulimit -n`). How many connections that makes is
//! in its metrics.

use std::fs;
use std::time::Duration;

use crate::rig::framed::{self as frames, Framed, HEADERS};
use crate::rig::{Authority, Client, Folder, Gate, Origin, Program, Setup, until};

const CLOSING: &str = "GET {} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";

/// The value of a metric without labels.
#[track_caller]
fn metric(program: &Program, name: &str) -> usize {
    let text = program.admin("GET", "/metrics").text();
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(&format!("{name} ")));
    let value: f64 = line.and_then(|value| value.parse().ok()).expect(name);
    value as usize
}

/// The sum of a metric over the series that have `label`.
#[track_caller]
fn labelled(program: &Program, name: &str, label: &str) -> usize {
    let text = program.admin("GET", "/metrics").text();
    let lines = text.lines();
    let lines = lines.filter(|line| line.starts_with(name) && line.contains(label));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum::<f64>() as usize
}

/// The limit of connections to servers.
#[track_caller]
fn server_connections(program: &Program) -> usize {
    metric(program, "evenkeel_server_connections_limit")
}

/// How many waiting clients were answered 200, when as many ask for `target` at a time and the
/// server has seen all of them.
#[track_caller]
fn burst(program: &Program, origin: &Origin, gate: &Gate, number: usize, target: &str) -> usize {
    let before = origin.requests().len();
    let mut clients: Vec<Client> = (0..number)
        .map(|_| {
            let mut client = program.client();
            client.send(CLOSING.replace("{}", target));
            client
        })
        .collect();
    origin.wait_for_requests(before + number);
    gate.open();
    let answers = clients.iter_mut().map(|client| client.response().status());
    answers.filter(|status| *status == 200).count()
}

#[test]
fn idle_server_connections_of_every_worker_make_room_for_others() {
    let gates = [Gate::default(), Gate::default()];
    let [app, other] = [&gates[0], &gates[1]].map(Origin::behind);
    let setup = Setup::of(&[&app])
        .workers(2)
        .also("other", &other)
        .route("path = \"/other\"\nbackend = \"other\"");
    let program = Program::spawn_after("ulimit -n 100", &setup);
    program.wait_for("process.started");
    program.wait_for("process.descriptors_few");
    // As many as the limit, and as many clients.
    let number = server_connections(&program) - 1;
    assert!((15..40).contains(&number), "{number}");
    assert_eq!(burst(&program, &app, &gates[0], number, "/"), number);
    until("they are idle", || {
        let open = metric(&program, "evenkeel_server_connections_open");
        (open == number && app.open() == number).then_some(())
    });
    assert_eq!(burst(&program, &other, &gates[1], number, "/other"), number);
    let closed = metric(
        &program,
        "evenkeel_server_connections_closed_for_room_total",
    );
    assert!(closed >= number - 1, "{closed}");
    assert!(app.open() <= 1);
    assert!(!program.log().contains("proxy.descriptors"));
}

#[test]
fn at_the_limit_the_admin_listener_the_log_and_reloads_have_descriptors() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let setup = Setup::of(&[&origin]).workers(2);
    let program = Program::spawn_after("ulimit -n 100", &setup);
    program.wait_for("process.started");
    // More than the limit: the excess waits in the kernel's queue.
    let number = server_connections(&program);
    let mut clients: Vec<Client> = (0..number + 20)
        .map(|number| {
            let mut client = program.client();
            client.send(CLOSING.replace("{}", &format!("/{number}")));
            client
        })
        .collect();
    origin.wait_for_requests(number - 1);
    let mut probes: Vec<Client> = (0..10)
        .map(|_| Client::connect(program.admin_address()))
        .collect();
    for probe in &mut probes {
        let ready = "GET /ready HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
        assert_eq!(probe.ask(ready).status(), 200);
    }
    program.write(&setup.clone().frontend("timeout.body = \"29s\""));
    let reloaded = program.admin("POST", "/reload");
    assert_eq!(reloaded.status(), 200, "{}", reloaded.text());
    // The log is opened anew under its own name.
    let log = program.folder().path("access.log");
    fs::rename(&log, program.folder().path("before.log")).expect("it is there");
    gate.open();
    let answered = |client: &mut Client| client.response().status() == 200;
    assert_eq!(
        clients
            .iter_mut()
            .filter_map(|c| answered(c).then_some(()))
            .count(),
        number + 20
    );
    until("the new file has lines", || {
        let lines = fs::read_to_string(&log).unwrap_or_default();
        lines.contains("\"status\":200").then_some(())
    });
}

#[test]
fn a_descriptor_that_others_have_taken_is_made_room_for_too() {
    let gate = Gate::default();
    let (app, other) = (Origin::behind(&gate), Origin::named("other"));
    let setup = Setup::of(&[&app])
        .workers(1)
        .also("other", &other)
        .route("path = \"/other\"\nbackend = \"other\"");
    let program = Program::start(&setup);
    let at_first = program.descriptors();
    let mut clients: Vec<Client> = (0..5).map(|_| program.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    }
    app.wait_for_requests(5);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().status(), 200);
    }
    // The limit bounds descriptor numbers, and a new descriptor gets the lowest free one: until
    // that is above those of all connections, there is room for another.
    let lowest_free = loop {
        let open = program.descriptors();
        let lowest_free = (0..).find(|number| !open.contains(number));
        let lowest_free = lowest_free.expect("not all are open");
        let latest = open.difference(&at_first).last();
        if latest.is_some_and(|latest| *latest < lowest_free) {
            break lowest_free;
        }
        assert!(clients.len() < 200, "{open:?}");
        let mut client = program.client();
        assert_eq!(client.get("/").status(), 200);
        clients.push(client);
    };
    let idle = app.open();
    assert!(idle >= 5, "{idle}");
    // From now on the system has none for another connection.
    program.limit_descriptors(lowest_free);
    assert_eq!(clients[0].get("/other").text(), "other");
    assert_eq!(clients[0].get("/other").text(), "other");
    until("an idle connection was closed for it", || {
        (app.open() < idle).then_some(())
    });
}

/// A server whose answers are larger than sockets hold, except those to `/little`.
fn talkative() -> Origin {
    Origin::scripted(|visit| {
        visit.narrow();
        while let Some(request) = visit.request() {
            let length = match request.target() {
                "/little" => 2,
                _ => 12 << 20,
            };
            visit.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"
            ));
            if !visit.send(vec![b'x'; length]) {
                return;
            }
        }
    })
}

#[test]
fn few_clients_with_many_stalled_streams_leave_server_connections_for_others() {
    let origin = talkative();
    let setup = Setup::of(&[&origin]).workers(1);
    let program = Program::spawn_after("ulimit -n 200", &setup);
    program.wait_for("process.started");
    let limit = server_connections(&program);
    assert!(limit < 100, "{limit}");
    // Three times as many streams as there are places, and no window.
    let mut greedy: Vec<Framed> = (0..3)
        .map(|_| Framed::greeting(program.address(), &[(4, 0)]))
        .collect();
    for client in &mut greedy {
        for number in 0..100 {
            client.send(frames::ask(2 * number + 1));
        }
    }
    // Each is answered, or refused because there is no place.
    for client in &mut greedy {
        for _ in 0..100 {
            client.frame_that(|frame| frame.kind == HEADERS);
        }
    }
    for _ in 0..10 {
        let mut client = program.client();
        assert_eq!(client.get("/little").text(), "xx");
    }
    program.wait_for("process.server_connections_full");
    drop(greedy);
    until("the refused are in the log", || {
        let log = program.log();
        log.contains("\"status\":503,\"reason\":\"proxy.descriptors\"")
            .then_some(())
    });
    let metrics = program.admin("GET", "/metrics").text();
    assert!(
        metrics.contains("evenkeel_replies_total{frontend=\"web\",reason=\"proxy.descriptors\"}"),
        "{metrics}"
    );
}

/// Takes all places by `stalled` clients with one answer each that they do not read, and checks
/// that they make room.
#[track_caller]
fn stalled_make_room<T>(stalled: impl Fn(&Program) -> T) {
    let origin = talkative();
    let setup = Setup::of(&[&origin])
        .workers(1)
        .process("max_connections = 100")
        .frontend("timeout.body = \"16s\"");
    let program = Program::spawn_after("ulimit -n 200", &setup);
    program.wait_for("process.started");
    let limit = server_connections(&program);
    assert!(limit < 50, "{limit}");
    let _stalled: Vec<T> = (0..limit).map(|_| stalled(&program)).collect();
    origin.wait_for_requests(limit);
    let status = until("there is room", || {
        let status = program.client().get("/little").status();
        // At first no client has been seen to read nothing.
        (status == 200).then_some(status)
    });
    assert_eq!(status, 200);
    until("the log has the exchange that made room", || {
        let log = program.log();
        log.contains("\"status\":200,\"reason\":\"proxy.descriptors\"")
            .then_some(())
    });
    let closed = metric(
        &program,
        "evenkeel_server_connections_closed_for_room_total",
    );
    assert!(closed > 0);
}

#[test]
fn streams_whose_client_reads_nothing_make_room() {
    stalled_make_room(|program| {
        let mut client = Framed::greeting(program.address(), &[(4, 0)]);
        client.send(frames::ask(1));
        client.frame_that(|frame| frame.kind == HEADERS);
        client
    });
}

#[test]
fn clients_of_http1_that_take_nothing_make_room() {
    stalled_make_room(|program| {
        let mut client = Client::connect_narrow(program.address());
        client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
        client.head();
        client
    });
}

#[test]
fn max_connections_beyond_the_limit_is_reported() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).process("max_connections = 5000");
    let program = Program::spawn_after("ulimit -n 200", &setup);
    let event = program.wait_for("process.descriptor_limit_low");
    assert_eq!(event["wanted"], 5000);
    let connections = event["connections"].as_u64().expect("a number");
    assert!((80..150).contains(&connections), "{connections}");
    program.wait_for("process.started");
    let mut client = program.client();
    client.is_quiet_for(Duration::from_millis(1));
    assert_eq!(client.get("/").text(), "a");
}

#[test]
fn a_limit_that_is_too_low_to_do_anything_prevents_the_start() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).workers(2);
    for limit in [12, 20, 60] {
        let mut program = Program::spawn_after(&format!("ulimit -n {limit}"), &setup);
        assert_eq!(program.exit_code(), 3, "{limit}");
        let begins = format!("evenkeel cannot start: the limit of {limit} open files is too low: ");
        let said = until("it says why", || {
            let events = program.events();
            let mut lines = events.iter().filter_map(|event| event.as_str());
            lines.find_map(|line| line.strip_prefix(&begins).map(str::to_owned))
        });
        let needed = said.split_once("need at least ").expect("how many").1;
        let needed = needed.split(';').next().unwrap_or_default();
        let mut program = Program::spawn_after(&format!("ulimit -n {needed}"), &setup);
        program.wait_for("process.started");
        assert!(program.runs());
    }
}

#[test]
fn at_the_limit_checks_are_made_and_certificates_are_read() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let (folder, authority) = (Folder::new(), Authority::new("Test CA"));
    let renew = || folder.replace("a.pem", &authority.pair(&["a.test"]).whole());
    renew();
    let certificates = folder.path("a.pem").display().to_string();
    let setup = Setup::of(&[&origin])
        .workers(2)
        .backend("health = { type = \"tcp\", interval = \"50ms\", timeout = \"2m\" }")
        .rest(&format!(
            "[frontend.with-tls]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
             tls = {{ certificates = \"{certificates}\" }}"
        ));
    let program = Program::spawn_after("ulimit -n 100", &setup);
    program.wait_for("process.started");
    let number = server_connections(&program);
    let mut clients: Vec<Client> = (0..number + 20)
        .map(|number| {
            let mut client = program.client();
            client.send(CLOSING.replace("{}", &format!("/{number}")));
            client
        })
        .collect();
    origin.wait_for_requests(number - 1);
    let passed = || {
        labelled(
            &program,
            "evenkeel_health_checks_total",
            "result=\"passed\"",
        )
    };
    let before = passed();
    until("checks are made", || (passed() > before + 2).then_some(()));
    renew();
    program.wait_for("certificate.renewed");
    for code in ["certificate.broken", "server.down"] {
        assert!(program.events_of(code).is_empty(), "{code}");
    }
    let other = labelled(
        &program,
        "evenkeel_health_checks_total",
        "result=\"unclear\"",
    );
    assert_eq!(other, 0);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().status(), 200);
    }
}
