//! Settings of one server that replace its backend's: TLS, and where and how it is checked.

use std::collections::HashMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};

use evenkeel::base::{Name, Position};
use evenkeel::control::ServersChange;
use evenkeel::plan::{Own, OwnSettings, ServerTls, Sni, Trust};
use evenkeel::proxy::backend::Wanted;

use crate::rig::{
    Authority, Folder, Good, Handshakes, Message, Offer, Origin, Program, Proxy, RefusingAddress,
    Reply, Setup, until,
};

const NAME: &str = "app.example";
const HEALTH: &str = "health = { path = '/healthz', host = 'app.example', interval = '20ms', \
                      timeout = '20s', fall = 1 }";

/// A server with TLS that answers `name`, and the file with the authority that signed its certificate.
struct Secured {
    good: Good,
    ca: String,
}

impl Secured {
    fn new(name: &'static str, folder: &Folder) -> Self {
        let authority = Authority::new(name);
        let handshakes = Handshakes::showing(&authority.pair(&[NAME]), Offer::Both);
        let ca = folder.write(&format!("{name}.pem"), &authority.pem);
        Self {
            good: Good::secured(handshakes, move |_| Reply::of(name)),
            ca: ca.display().to_string(),
        }
    }

    fn address(&self) -> SocketAddr {
        self.good.address()
    }

    /// Its entry in `servers`, with TLS of its own.
    fn with_own_tls(&self) -> String {
        server(self.address(), &format!("tls = {{ ca = '{}' }}", self.ca))
    }

    /// How many requests it got for `target`.
    fn asked_for(&self, target: &str) -> usize {
        let requests = self.good.requests();
        let of_target = requests
            .iter()
            .filter(|request| request.uri().path() == target);
        of_target.count()
    }
}

/// A server with these keys, as it is written in `servers`.
fn server(address: SocketAddr, keys: &str) -> String {
    format!("{{ address = '{address}', {keys} }}")
}

fn get(proxy: &Proxy) -> Message {
    proxy.ask(format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n"))
}

/// How often each server answers `count` requests.
fn answers(proxy: &Proxy, count: usize) -> HashMap<String, usize> {
    let mut answers = HashMap::new();
    for _ in 0..count {
        *answers.entry(get(proxy).text()).or_default() += 1;
    }
    answers
}

fn each_twice(names: [&str; 2]) -> HashMap<String, usize> {
    names.map(|name| (name.to_owned(), 2)).into()
}

fn reason(proxy: &Proxy, address: SocketAddr) -> String {
    proxy.server(address)["reason"].to_string()
}

// TLS.

#[test]
fn one_server_has_tls_and_one_does_not_and_both_get_traffic_and_checks() {
    let folder = Folder::new();
    let (secured, clear) = (Secured::new("secured", &folder), Origin::named("clear"));
    let on = format!("tls = {{ ca = '{}' }}", secured.ca);
    for (servers, backend) in [
        // On for the one, off for the other.
        (
            [
                server(secured.address(), &on),
                format!("'{}'", clear.address()),
            ],
            "",
        ),
        (
            [
                format!("'{}'", secured.address()),
                server(clear.address(), "tls = false"),
            ],
            &*on,
        ),
        (
            [
                server(secured.address(), "tls = true"),
                server(clear.address(), "tls = false"),
            ],
            &on,
        ),
    ] {
        let proxy = Setup::servers(servers)
            .workers(1)
            .backend(backend)
            .backend(HEALTH)
            .start();
        proxy.wait_for_state(secured.address(), "up");
        proxy.wait_for_state(clear.address(), "up");
        assert_eq!(answers(&proxy, 4), each_twice(["secured", "clear"]));
        assert!(secured.asked_for("/healthz") > 0);
    }
    let names = secured.good.names();
    assert!(names.iter().all(|name| name.as_deref() == Some(NAME)));
    let mut requests = clear.requests();
    assert!(
        requests
            .iter()
            .any(|request| request.target() == "/healthz")
    );
    requests.retain(|request| request.target() == "/");
    assert_eq!(requests.len(), 6);
}

#[test]
fn the_version_of_http_and_the_scheme_are_those_of_the_server() {
    let folder = Folder::new();
    let secured = Secured::new("secured", &folder);
    let clear = Good::answering(|_| Reply::of("clear"));
    let servers = [secured.with_own_tls(), format!("'{}'", clear.address())];
    let proxy = Setup::servers(servers)
        .workers(1)
        .backend("protocol = 'h2'")
        .start();
    assert_eq!(answers(&proxy, 4), each_twice(["secured", "clear"]));
    for (good, scheme) in [(&secured.good, "https"), (&clear, "http")] {
        for request in good.requests().iter() {
            assert_eq!(format!("{:?}", request.version()), "HTTP/2.0");
            assert_eq!(request.uri().scheme_str(), Some(scheme));
        }
    }
    // If the version is left to ALPN, a server without TLS is not asked.
    let clear = Origin::named("clear");
    let servers = [secured.with_own_tls(), format!("'{}'", clear.address())];
    let proxy = Setup::servers(servers).workers(1).start();
    assert_eq!(answers(&proxy, 4), each_twice(["secured", "clear"]));
    assert_eq!(secured.good.connections(), 2, "one for each proxy");
}

#[test]
fn each_server_is_verified_by_its_own_ca() {
    let folder = Folder::new();
    let (a, b) = (Secured::new("a", &folder), Secured::new("b", &folder));
    let proxy = Setup::servers([a.with_own_tls(), format!("'{}'", b.address())])
        .workers(1)
        .backend(&format!("tls = {{ ca = '{}' }}", b.ca))
        .backend(HEALTH)
        .start();
    proxy.wait_for_state(a.address(), "up");
    proxy.wait_for_state(b.address(), "up");
    assert_eq!(answers(&proxy, 4), each_twice(["a", "b"]));
    // A CA that is trusted for one is not trusted for the other.
    let proxy = Setup::servers([a.with_own_tls(), format!("'{}'", b.address())])
        .backend(&format!("tls = {{ ca = '{}' }}", a.ca))
        .backend(HEALTH)
        .start();
    proxy.wait_for_state(a.address(), "up");
    proxy.wait_for_state(b.address(), "down");
    let said = reason(&proxy, b.address());
    assert!(
        said.contains("TLS failed: the server's certificate"),
        "{said}"
    );
}

#[test]
fn nothing_is_sent_without_tls_to_a_server_whose_own_tls_fails() {
    let plain = Origin::scripted(|visit| {
        visit.bytes(5);
        visit.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        visit.wait_for_end();
    });
    let servers = [server(plain.address(), "tls = { verify = 'none' }")];
    let proxy = Setup::servers(servers.clone()).start();
    assert_eq!(get(&proxy).status(), 503);
    assert_eq!(proxy.end()[0].verdict(), (503, "server.tls.handshake"));
    let proxy = Setup::servers(servers).frontend("mode = 'tcp'").start();
    let mut client = proxy.client();
    client.send("a secret");
    assert_eq!(client.rest().0, b"");
    for connection in 0..plain.connections() {
        let received = plain.received(connection);
        assert!(!received.contains("GET") && !received.contains("secret"));
    }
}

/// No reload has added it, so no certificates were loaded for it.
#[test]
fn a_server_that_was_added_with_tls_of_its_own_is_not_spoken_to_in_the_clear() {
    let (a, added) = (RefusingAddress::new(), Origin::named("added"));
    let proxy = Setup::at([a.address()]).start();
    let tls = ServerTls {
        trust: Trust::Anyone,
        sni: Sni::Off,
        verify_name: None,
        identity: None,
        at: Position::built_in(),
    };
    let wanted = Wanted {
        name: Name::new("added").expect("a name"),
        address: added.address().into(),
        weight: 1,
        max_connections: None,
        backup: false,
        own: OwnSettings {
            tls: Own::On(Box::new(tls)),
            ..OwnSettings::default()
        },
    };
    assert_eq!(proxy.change_servers(ServersChange::Add(wanted)), Ok(()));
    for _ in 0..2 {
        assert_eq!(get(&proxy).status(), 503);
    }
    for connection in 0..added.connections() {
        assert_eq!(added.received(connection), "");
    }
}

#[test]
fn in_tcp_mode_each_connection_is_as_its_server_wants() {
    let folder = Folder::new();
    let (secured, clear) = (Secured::new("secured", &folder), Origin::named("clear"));
    let tls = format!("tls = {{ ca = '{}', verify_name = '{NAME}' }}", secured.ca);
    let servers = [
        server(secured.address(), &tls),
        format!("'{}'", clear.address()),
    ];
    let proxy = Setup::servers(servers)
        .workers(1)
        .frontend("mode = 'tcp'")
        .start();
    assert_eq!(answers(&proxy, 4), each_twice(["secured", "clear"]));
    assert_eq!(secured.asked_for("/"), 2);
}

// Reloads.

#[test]
fn a_reload_turns_tls_on_and_off_for_one_server() {
    let folder = Folder::new();
    let (a, b) = (Secured::new("a", &folder), Origin::named("b"));
    let setup = |keys: &str| {
        let servers = [server(a.address(), keys), format!("'{}'", b.address())];
        Setup::servers(servers).workers(1).backend(HEALTH)
    };
    let on = format!("tls = {{ ca = '{}' }}", a.ca);
    let proxy = setup("weight = 1").start();
    proxy.wait_for_state(b.address(), "up");
    proxy.wait_for_state(a.address(), "down");
    assert_eq!(answers(&proxy, 2), [("b".to_owned(), 2)].into());
    proxy.apply(&setup(&on));
    proxy.wait_for_state(a.address(), "up");
    assert_eq!(answers(&proxy, 4), each_twice(["a", "b"]));
    proxy.apply(&setup("weight = 1"));
    proxy.wait_for_state(a.address(), "down");
    assert_eq!(answers(&proxy, 2), [("b".to_owned(), 2)].into());
}

#[test]
fn connections_of_other_tls_are_not_used_and_those_of_the_same_are() {
    let folder = Folder::new();
    let (a, b) = (Secured::new("a", &folder), Secured::new("b", &folder));
    let setup = |of_a: &str, backend: &str| {
        Setup::servers([server(a.address(), of_a), b.with_own_tls()])
            .workers(1)
            .backend(backend)
    };
    let proxy = setup("tls = { verify = 'none' }", "").start();
    let handshakes = || (a.good.names().len(), b.good.names().len());
    assert_eq!(answers(&proxy, 4), each_twice(["a", "b"]));
    assert_eq!(handshakes(), (1, 1));
    // Other words for one server.
    let of_a = format!("tls = {{ ca = '{}' }}", a.ca);
    proxy.apply(&setup(&of_a, ""));
    assert_eq!(answers(&proxy, 4), each_twice(["a", "b"]));
    assert_eq!(handshakes(), (2, 1));
    // The backend's TLS does not affect servers with their own.
    proxy.apply(&setup(&of_a, "tls = { verify = 'none' }"));
    assert_eq!(answers(&proxy, 4), each_twice(["a", "b"]));
    assert_eq!(handshakes(), (2, 1));
    // The same configuration, with another file.
    let other = Authority::new("another");
    fs::write(&a.ca, &other.pem).expect("a file");
    proxy.apply(&setup(&of_a, ""));
    assert_eq!(answers(&proxy, 4), [("b".to_owned(), 4)].into());
    assert_eq!(handshakes(), (2, 1));
}

/// With other TLS it is another server to us: results with the old settings are not valid.
#[test]
fn a_server_with_other_tls_waits_for_its_first_check() {
    let folder = Folder::new();
    let a = Secured::new("a", &folder);
    let setup = |keys: &str| Setup::servers([server(a.address(), keys)]).backend(HEALTH);
    let proxy = setup(&format!("tls = {{ ca = '{}' }}", a.ca)).start();
    proxy.wait_for_state(a.address(), "up");
    let since = || proxy.server(a.address())["since"].clone();
    let before = since();
    proxy.apply(&setup("tls = { verify = 'none' }"));
    until("it is checked anew", || (since() != before).then_some(()));
    proxy.wait_for_state(a.address(), "up");
}

#[test]
fn a_renewed_ca_of_one_server_is_trusted_without_a_reload() {
    let folder = Folder::new();
    let (a, b) = (Secured::new("a", &folder), Secured::new("b", &folder));
    let signed_by_a = fs::read_to_string(&a.ca).expect("a file");
    fs::write(&a.ca, Authority::new("another").pem).expect("a file");
    let setup = Setup::servers([a.with_own_tls(), b.with_own_tls()])
        .workers(1)
        .watched();
    let proxy = setup.start();
    assert_eq!(answers(&proxy, 4), [("b".to_owned(), 4)].into());
    assert_eq!(b.good.connections(), 1);
    folder.replace("a.pem", &signed_by_a);
    until("the renewed file is used", || {
        (get(&proxy).text() == "a").then_some(())
    });
    assert_eq!(b.good.connections(), 1, "its own file is the same");
}

/// The system's CAs are read again with the other file, and there are none any more.
#[test]
fn lost_system_authorities_keep_their_servers_when_another_file_is_renewed() {
    let folder = Folder::new();
    let (a, b) = (Secured::new("a", &folder), Secured::new("b", &folder));
    let (of_system, of_b) = (&a.ca, fs::read_to_string(&b.ca).expect("a file"));
    fs::write(&b.ca, Authority::new("another").pem).expect("a file");
    let program = Program::spawn_after(
        &format!("unset SSL_CERT_DIR; export SSL_CERT_FILE='{of_system}'"),
        &Setup::servers([server(a.address(), "tls = true"), b.with_own_tls()]).workers(1),
    );
    program.wait_for("process.started");
    let get = || {
        let ask = format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
        program.client().ask(ask).text()
    };
    assert_eq!((get(), get()), ("a".to_owned(), "a".to_owned()));
    folder.replace("a.pem", "nothing");
    folder.replace("b.pem", &of_b);
    until("the renewed file is used", || (get() == "b").then_some(()));
    let mut both = [get(), get()];
    both.sort();
    assert_eq!(both, ["a", "b"]);
}

#[test]
fn a_missing_file_of_one_server_is_reported_at_its_line() {
    let folder = Folder::new();
    let a = Secured::new("a", &folder);
    let setup = |ca: &str| {
        let tls = format!("tls = {{ ca = '{ca}' }}");
        Setup::servers([server(a.address(), &tls)])
    };
    let proxy = setup(&a.ca).start();
    assert_eq!(get(&proxy).text(), "a");
    proxy.write(&setup("missing.pem"));
    let refused = proxy.reload();
    assert_eq!(refused.status(), 422);
    assert!(refused.text().contains("missing.pem"), "{}", refused.text());
    assert_eq!(get(&proxy).text(), "a");
}

// Checks.

#[test]
fn a_check_can_be_in_the_clear_where_requests_have_tls() {
    let folder = Folder::new();
    let (a, probe) = (Secured::new("a", &folder), Origin::named("probe"));
    let port = probe.address().port();
    let of_server = server(
        a.address(),
        &format!("health = {{ port = {port}, tls = false }}"),
    );
    let tls = format!("tls = {{ ca = '{}' }}", a.ca);
    let of_backend = format!(
        "health = {{ path = '/healthz', interval = '20ms', timeout = '20s', port = {port}, tls = false }}"
    );
    for setup in [
        Setup::servers([of_server]).backend(HEALTH),
        Setup::at([a.address()]).backend(&of_backend),
    ] {
        let proxy = setup.backend(&tls).start();
        proxy.wait_for_state(a.address(), "up");
        assert_eq!(get(&proxy).text(), "a");
    }
    assert_eq!(a.asked_for("/healthz"), 0);
    assert_eq!(probe.request_of("/healthz").target(), "/healthz");
}

#[test]
fn a_check_can_have_tls_where_requests_are_in_the_clear() {
    let folder = Folder::new();
    let (app, probe) = (Origin::named("app"), Secured::new("probe", &folder));
    let port = probe.address().port();
    let tls = format!("tls = {{ ca = '{}' }}", probe.ca);
    let of_server = server(
        app.address(),
        &format!("health = {{ port = {port}, {tls} }}"),
    );
    let of_backend = format!(
        "health = {{ path = '/healthz', host = '{NAME}', interval = '20ms', timeout = '20s', \
         port = {port}, {tls} }}"
    );
    // TLS of the backend, except for one server.
    let of_one = server(
        app.address(),
        &format!("tls = false, health = {{ port = {port}, tls = true }}"),
    );
    for setup in [
        Setup::servers([of_server]).backend(HEALTH),
        Setup::at([app.address()]).backend(&of_backend),
        Setup::servers([of_one]).backend(HEALTH).backend(&tls),
    ] {
        let before = probe.asked_for("/healthz");
        let proxy = setup.start();
        proxy.wait_for_state(app.address(), "up");
        assert_eq!(get(&proxy).text(), "app");
        assert!(probe.asked_for("/healthz") > before);
    }
    assert_eq!(probe.asked_for("/"), 0);
    assert!(app.requests().iter().all(|request| request.target() == "/"));
}

#[test]
fn a_check_can_go_to_another_address() {
    let elsewhere = TcpListener::bind("127.0.0.2:0").expect("a free port");
    let port = elsewhere.local_addr().expect("bound").port();
    let refusing = RefusingAddress::new();
    let health = |keys: &str| server(refusing.address(), &format!("health = {{ {keys} }}"));
    let setup = |server: String| {
        Setup::servers([server])
            .backend("health = { type = 'tcp', interval = '20ms', timeout = '20s', fall = 1 }")
    };
    let there = format!("address = '127.0.0.2', port = {port}");
    let proxy = setup(health(&there)).start();
    proxy.wait_for_state(refusing.address(), "up");
    proxy.apply(&setup(health(&format!("port = {port}"))));
    proxy.wait_for_state(refusing.address(), "down");
    let said = reason(&proxy, refusing.address());
    assert!(said.contains("connection refused"), "{said}");
}

#[test]
fn a_check_at_another_address_goes_to_the_port_of_the_server() {
    let elsewhere = TcpListener::bind("127.0.0.2:0").expect("a free port");
    let port = elsewhere.local_addr().expect("bound").port();
    let address = SocketAddr::from(([127, 0, 0, 3], port));
    let proxy = Setup::servers([server(address, "health = { address = '127.0.0.2' }")])
        .backend("health = { type = 'tcp', interval = '20ms', timeout = '20s' }")
        .start();
    proxy.wait_for_state(address, "up");
}

/// Another address mostly belongs to another program.
#[test]
fn a_check_at_another_address_has_no_proxy_header() {
    let (app, probe) = (Origin::named("app"), Origin::named("probe"));
    let port = probe.address().port();
    for target in [
        format!("port = {port}"),
        format!("address = '127.0.0.1', port = {port}"),
    ] {
        let keys = format!("send_proxy = 'v1', health = {{ {target} }}");
        let proxy = Setup::servers([server(app.address(), &keys)])
            .backend(HEALTH)
            .start();
        proxy.wait_for_state(app.address(), "up");
    }
    for connection in 0..probe.connections() {
        let received = probe.received(connection);
        assert!(
            received.is_empty() || received.starts_with("GET "),
            "{received}"
        );
    }
}
