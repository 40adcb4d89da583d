//! Other addresses than IP and port: Unix sockets, sockets that were handed over, ranges of ports,
//! addresses of one interface.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::rig::{Client, Folder, Origin, Program, Proxy, Setup, get_by_unix, until};

/// An abstract name that no other test has.
fn abstract_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("evenkeel-it-{}-{number}", std::process::id())
}

/// A second frontend for `app` that listens at `address`.
fn also_at(setup: Setup, address: &str) -> Setup {
    setup.rest(&format!(
        "[frontend.more]\nlisten = \"{address}\"\nbackend = \"app\""
    ))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The body of the answer on the Unix socket at `path`.
#[track_caller]
fn text_by(path: &Path) -> String {
    let stream = UnixStream::connect(path).expect("it listens");
    get_by_unix(stream, "/", "").text()
}

/// One server on a Unix socket that answers each connection once; returns the requests it saw.
fn unix_server(listener: UnixListener) -> Receiver<String> {
    let (requests, seen) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                head.push(byte[0]);
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nunix";
            let _ = stream.write_all(answer);
            if requests
                .send(String::from_utf8_lossy(&head).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    seen
}

#[test]
fn a_frontend_listens_on_a_unix_socket() {
    let app = Origin::named("app");
    let folder = Folder::new();
    let path = folder.path("web.sock");
    let proxy = also_at(Setup::of(&[&app]), &shown(&path)).start();
    // More than there are workers: whichever takes one, it is served.
    for _ in 0..6 {
        assert_eq!(text_by(&path), "app");
    }
    let line = proxy.wait_for_lines(6).remove(0);
    assert_eq!(line.text("client"), "unix");
    assert_eq!(line.text("frontend"), "more");
    // The client has no address, so none is sent.
    let request = app.requests().remove(0);
    assert_eq!(request.field("x-forwarded-for"), None);
    assert_eq!(request.field("x-forwarded-proto"), Some("http"));
}

#[test]
fn a_stranger_on_a_unix_socket_is_not_believed_and_a_trusted_proxy_is() {
    let app = Origin::named("app");
    let folder = Folder::new();
    let path = folder.path("web.sock");
    let ask = || {
        let stream = UnixStream::connect(&path).expect("it listens");
        get_by_unix(stream, "/", "x-forwarded-for: 192.0.2.7\r\n");
        app.requests().pop().expect("it came")
    };
    let setup = also_at(Setup::of(&[&app]), &shown(&path));
    let proxy = setup.start();
    assert_eq!(ask().field("x-forwarded-for"), None);
    assert_eq!(proxy.wait_for_lines(1)[0].text("client"), "unix");

    proxy.apply(&setup.rest("trusted_proxies = \"unix\""));
    assert_eq!(ask().field("x-forwarded-for"), Some("192.0.2.7"));
    assert_eq!(proxy.wait_for_lines(2)[1].text("client"), "192.0.2.7:0");
}

#[test]
fn the_file_of_a_socket_has_its_mode_and_goes_with_it() {
    let app = Origin::named("app");
    let folder = Folder::new();
    let path = folder.path("web.sock");
    let mode = || fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
    let bare = Setup::of(&[&app]);
    let setup = also_at(bare.clone(), &shown(&path));
    let proxy = setup.start();
    assert_eq!(mode(), 0o660);
    // Without a new socket: a connected client stays, and a waiting one is not lost.
    let mut client = UnixStream::connect(&path).expect("it listens");
    proxy.apply(&setup.clone().rest("socket_mode = \"600\""));
    assert_eq!(mode(), 0o600);
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .expect("it is open");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("app"), "{answer}");

    proxy.apply(&bare);
    until("the file is gone", || (!path.exists()).then_some(()));
    proxy.apply(&setup);
    assert_eq!(text_by(&path), "app");
    proxy.end();
    until("the file is gone", || (!path.exists()).then_some(()));
}

#[test]
fn a_socket_without_a_listener_is_replaced() {
    let app = Origin::named("app");
    let folder = Folder::new();
    let path = folder.path("web.sock");
    // The file of a process that was killed.
    drop(UnixListener::bind(&path).expect("a folder of our own"));
    assert!(fs::metadata(&path).expect("left").file_type().is_socket());
    let _proxy = also_at(Setup::of(&[&app]), &shown(&path)).start();
    assert_eq!(text_by(&path), "app");
}

#[test]
fn a_socket_with_a_listener_is_left_alone() {
    let app = Origin::named("app");
    let folder = Folder::new();
    let path = folder.path("web.sock");
    let other = UnixListener::bind(&path).expect("a folder of our own");
    let setup = Setup::of(&[&app]);
    let proxy = setup.start();
    proxy.write(&also_at(setup.clone(), &shown(&path)));
    let answer = proxy.reload();
    assert_ne!(answer.status(), 200);
    assert!(answer.text().contains("web.sock"), "{}", answer.text());
    assert!(answer.text().contains("ss -lxp"), "{}", answer.text());
    UnixStream::connect(&path).expect("the other still listens");
    drop(other);

    // Nor a file that is not a socket.
    let file = folder.write("precious", "data");
    proxy.write(&also_at(setup, &shown(&file)));
    assert_ne!(proxy.reload().status(), 200);
    assert_eq!(fs::read_to_string(&file).expect("still there"), "data");
}

#[test]
fn a_frontend_listens_on_an_abstract_socket() {
    let app = Origin::named("app");
    let name = abstract_name();
    let _proxy = also_at(Setup::of(&[&app]), &format!("@{name}")).start();
    let addr = SocketAddr::from_abstract_name(&name).expect("a name");
    let stream = UnixStream::connect_addr(&addr).expect("it listens");
    assert_eq!(get_by_unix(stream, "/", "").text(), "app");
}

#[test]
fn a_server_may_be_on_a_unix_socket() {
    let folder = Folder::new();
    let path = folder.path("app.sock");
    let seen = unix_server(UnixListener::bind(&path).expect("a folder of our own"));
    let proxy = Setup::servers([format!("{:?}", shown(&path))])
        .backend("health = { path = \"/healthz\", interval = \"100ms\", timeout = \"20s\" }")
        .start();
    let check = seen.recv().expect("a check");
    assert!(check.starts_with("GET /healthz "), "{check}");
    assert!(check.contains("host: localhost\r\n"), "{check}");
    until("the server is up", || {
        (proxy.get("/").text() == "unix").then_some(())
    });
    // A request without `Host` is sent with one.
    let old = proxy.ask("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(old.text(), "unix");
    let request = seen.iter().find(|head| head.starts_with("GET /old "));
    let request = request.expect("it came");
    assert!(request.contains("host: localhost\r\n"), "{request}");
}

#[test]
fn a_server_may_be_on_an_abstract_socket() {
    let name = abstract_name();
    let addr = SocketAddr::from_abstract_name(&name).expect("a name");
    let seen = unix_server(UnixListener::bind_addr(&addr).expect("a free name"));
    let proxy = Setup::servers([format!("\"@{name}\"")]).start();
    assert_eq!(proxy.get("/").text(), "unix");
    assert!(seen.recv().expect("it came").starts_with("GET / "));
    assert_eq!(proxy.line().text("server"), format!("@{name}"));
}

#[test]
fn a_unix_server_that_is_gone_is_refused_like_any_other() {
    let folder = Folder::new();
    let path = folder.path("app.sock");
    let proxy = Setup::servers([format!("{:?}", shown(&path))])
        .backend("attempts = 1")
        // The lines of one worker are in their order.
        .workers(1)
        .start();
    assert_eq!(proxy.get("/").status(), 503);
    drop(UnixListener::bind(&path).expect("a folder of our own"));
    assert_eq!(proxy.get("/").status(), 503);
    let reasons: Vec<String> = proxy
        .wait_for_lines(2)
        .iter()
        .map(|line| line.text("reason").to_owned())
        .collect();
    assert_eq!(reasons[1], "server.connect.refused");
}

#[test]
fn the_admin_listener_may_be_on_a_unix_socket() {
    let app = Origin::named("app");
    let folder = Folder::new();
    let path = folder.path("admin.sock");
    let text = Setup::of(&[&app])
        .text(&folder.path("access.log"))
        .replace(
            "[admin]\nlisten = \"127.0.0.1:0\"",
            "[admin]\nlisten = [\"127.0.0.1:0\", \"ADMIN\"]\nsocket_mode = \"600\"",
        )
        .replace("ADMIN", &shown(&path));
    let file = folder.write("evenkeel.toml", &text);
    let _proxy = Proxy::start(folder, file);
    let stream = UnixStream::connect(&path).expect("it listens");
    let answer = get_by_unix(stream, "/status", "");
    let status: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(status["generation"], 1);
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_socket_that_was_handed_over_is_listened_on_over_reloads() {
    let app = Origin::named("app");
    let folder = Folder::new();
    let unix = folder.path("local.sock");
    let web = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = web.local_addr().expect("bound");
    let local = UnixListener::bind(&unix).expect("a folder of our own");
    let setup = also_at(Setup::of(&[&app]), "fd://web")
        .rest("[frontend.local]\nlisten = \"fd://local\"\nbackend = \"app\"");
    let program = Program::spawn_handing([web.into(), local.into()], "web:local", &setup);
    program.wait_for("process.started");
    assert_eq!(Client::connect(address).get("/").text(), "app");
    assert_eq!(text_by(&unix), "app");

    // By number it is the same socket, and one that was released can be taken again.
    program.write(&Setup::of(&[&app]));
    assert_eq!(program.admin("POST", "/reload").status(), 200);
    program.write(&also_at(Setup::of(&[&app]), "fd://3"));
    let answer = program.admin("POST", "/reload");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(Client::connect(address).get("/").text(), "app");
    assert!(unix.exists(), "the file is its maker's");

    program.write(&also_at(Setup::of(&[&app]), "fd://other"));
    let answer = program.admin("POST", "/reload");
    assert_ne!(answer.status(), 200);
    assert!(answer.text().contains("web:local"), "{}", answer.text());
}

#[test]
fn a_range_of_ports_is_listened_on_whole() {
    let app = Origin::named("app");
    let setup = Setup::of(&[&app]);
    let proxy = setup.start();
    // Three free ports in a row: chosen at random, and tried again if another process was faster.
    let first = until("three free ports", || {
        let any = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let first = any.local_addr().expect("bound").port();
        drop(any);
        let last = first.checked_add(2)?;
        proxy.write(&also_at(
            setup.clone(),
            &format!("127.0.0.1:{first}-{last}"),
        ));
        (proxy.reload().status() == 200).then_some(first)
    });
    let mut ports: Vec<u16> = proxy
        .addresses("more")
        .iter()
        .map(|addr| addr.port())
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [first, first + 1, first + 2]);
    for addr in proxy.addresses("more") {
        assert_eq!(Client::connect(addr).get("/").text(), "app");
    }
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let app = Origin::named("app");
    let setup = Setup::of(&[&app]);
    let proxy = setup.start();
    proxy.write(&also_at(setup, "[fe80::1%nowhere0]:8080"));
    let answer = proxy.reload();
    assert_ne!(answer.status(), 200);
    let text = answer.text();
    assert!(
        text.contains("this machine has no interface `nowhere0`"),
        "{text}"
    );
    assert!(text.contains("[fe80::1%nowhere0]:8080"), "{text}");
}

#[test]
fn trusted_proxies_may_name_clients_by_forwarded() {
    let app = Origin::named("app");
    let proxy = Setup::of(&[&app])
        .frontend("trusted_proxies = \"127.0.0.1\"\nclient_field = \"forwarded\"")
        .start();
    proxy.ask(
        "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 198.51.100.1\r\n\
         forwarded: for=198.51.100.2, for=\"[2001:db8::7]:80\";proto=https\r\n\r\n",
    );
    let line = proxy.line();
    assert!(
        line.text("client").starts_with("[2001:db8::7]:"),
        "{line:?}"
    );
}
