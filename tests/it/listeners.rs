//! Listeners that a reload moves: an address that is reachable before and after never refuses a
//! client.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use evenkeel::control::Control;
use evenkeel::net::{Io, Network, OtherListener, OtherNetwork, Pending};
use evenkeel::process::{self, Assembled, Start};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
use rustix::process::Signal;
use tokio::runtime::{Builder, LocalOptions};

use crate::rig::{Client, Folder, Origin, Program, Proxy, Setup, get_by_unix, until};

/// Clients that connect to `address` without a pause, for one request each.
struct Callers {
    is_over: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Callers {
    fn start(address: SocketAddr) -> Self {
        let (is_over, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let threads = (0..3).map(|_| {
            let (is_over, answers) = (Arc::clone(&is_over), Arc::clone(&answers));
            thread::spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    ask(address).expect("neither refused nor reset");
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        Self {
            is_over: Arc::clone(&is_over),
            answers: Arc::clone(&answers),
            threads: threads.collect(),
        }
    }

    /// Waits for so many more answers.
    #[track_caller]
    fn wait_for(&self, count: usize) {
        let until_then = self.answers.load(Ordering::SeqCst) + count;
        until("more answers", || {
            let is_broken = self.threads.iter().any(JoinHandle::is_finished);
            assert!(!is_broken, "a caller was not served");
            (self.answers.load(Ordering::SeqCst) >= until_then).then_some(())
        });
    }

    #[track_caller]
    fn end(self) {
        self.wait_for(1);
        self.is_over.store(true, Ordering::SeqCst);
        for caller in self.threads {
            caller.join().expect("each was served");
        }
    }
}

/// The body of the answer on a new connection to `address`.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut byte = [0];
    // A server in TCP mode need not close. Its body is the one letter of its name.
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    stream.read_exact(&mut byte)?;
    Ok(String::from_utf8_lossy(&byte).into_owned())
}

/// A frontend of that name at these addresses, in the words of the file.
fn frontend(name: &str, listen: &str, rest: &str) -> String {
    format!("[frontend.{name}]\nlisten = {listen}\nbackend = \"{name}\"\n{rest}\n")
}

/// A proxy whose frontend `a`, beside `web`, has a port of its own on 127.0.0.1.
fn with_a_port(setup: &Setup) -> (Proxy, SocketAddr) {
    let any = frontend("a", "\"127.0.0.1:0\"", "");
    let proxy = setup.clone().rest(&any).start();
    let address = *proxy.addresses("a").first().expect("it listens");
    (proxy, address)
}

#[test]
fn a_frontend_goes_from_all_addresses_to_one_and_back_and_refuses_no_client() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).also("a", &origin);
    let (proxy, address) = with_a_port(&setup);
    let port = address.port();
    let callers = Callers::start(address);
    for listen in [
        format!("\"127.0.0.1:{port}\""),
        format!("\":{port}\""),
        format!("\"127.0.0.1:{port}\""),
        format!("\"0.0.0.0:{port}\""),
        format!("[\"127.0.0.1:{port}\", \"127.0.0.3:{port}\"]"),
        format!("\"*:{port}\""),
        format!("\"127.0.0.1:{port}\""),
    ] {
        proxy.apply(&setup.clone().rest(&frontend("a", &listen, "")));
        callers.wait_for(20);
        let wanted = proxy.addresses("a");
        let is_one = !listen.contains([',', '*']) && listen.contains("127.");
        assert_eq!(wanted == [address], is_one, "{listen}: {wanted:?}");
    }
    callers.end();
    let elsewhere = SocketAddr::from(([127, 0, 0, 3], port));
    until("the other addresses are free", || {
        TcpListener::bind(elsewhere).ok()
    });
}

#[test]
fn two_frontends_exchange_one_address_and_all_of_them_and_refuse_no_client() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let setup = Setup::of(&[&a]).also("a", &a).also("b", &b);
    let (proxy, address) = with_a_port(&setup);
    let port = address.port();
    let (one, all) = (format!("\"127.0.0.1:{port}\""), format!("\":{port}\""));
    let free = "\"127.0.0.1:0\"";
    let callers = Callers::start(address);
    let tcp = "mode = \"tcp\"";
    for (of_a, of_b, rest, answers) in [
        (one.as_str(), free, "", "a"),
        (free, &all, tcp, "b"),
        (free, &one, tcp, "b"),
        (&all, free, tcp, "a"),
        (free, &all, "", "b"),
        (&one, free, "", "a"),
        (free, &one, tcp, "b"),
    ] {
        let tables = frontend("a", of_a, "") + &frontend("b", of_b, rest);
        proxy.apply(&setup.clone().rest(&tables));
        until(&format!("{answers} answers"), || {
            let answer = ask(address).expect("it listens");
            (answer == answers).then_some(())
        });
        callers.wait_for(10);
    }
    callers.end();
}

#[test]
fn a_reload_that_fails_for_one_address_loses_no_client_of_another_that_was_to_move() {
    let (origin, taken) = (Origin::named("a"), Origin::named("b"));
    let setup = Setup::of(&[&origin]).also("a", &origin);
    let (proxy, address) = with_a_port(&setup);
    let port = address.port();
    proxy.apply(
        &setup
            .clone()
            .rest(&frontend("a", &format!("\":{port}\""), "")),
    );
    let callers = Callers::start(address);
    let refused = frontend(
        "a",
        &format!("[\"127.0.0.1:{port}\", \"{}\"]", taken.address()),
        "",
    );
    for _ in 0..10 {
        proxy.write(&setup.clone().rest(&refused));
        let answer = proxy.reload();
        assert_eq!(answer.status(), 422);
        let text = answer.text();
        assert!(text.contains(&taken.address().to_string()), "{text}");
        assert!(text.contains("another process listens on it"), "{text}");
        callers.wait_for(5);
    }
    callers.end();
}

#[test]
fn a_socket_of_another_process_at_our_port_is_not_taken_for_ours() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).also("a", &origin);
    let (proxy, address) = with_a_port(&setup);
    let port = address.port();
    // As a process of the same user could, without an error of the kernel.
    let other: OwnedFd = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    sockopt::set_socket_reuseport(&other, true).expect("an option");
    sockopt::set_socket_reuseaddr(&other, true).expect("an option");
    bind(&other, &SocketAddr::from(([127, 0, 0, 9], port))).expect("the address is free");
    listen(&other, 1).expect("it is bound");
    proxy.write(
        &setup
            .clone()
            .rest(&frontend("a", &format!("\"0.0.0.0:{port}\""), "")),
    );
    let answer = proxy.reload();
    assert_eq!(answer.status(), 422, "{}", answer.text());
    assert!(answer.text().contains("another process listens on it"));
    drop(other);
    proxy.apply(
        &setup
            .clone()
            .rest(&frontend("a", &format!("\"0.0.0.0:{port}\""), "")),
    );
    assert_eq!(ask(address).expect("it listens"), "a");
}

#[test]
fn the_admin_listener_and_a_frontend_exchange_their_addresses() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).also("a", &origin);
    let any = setup.clone().rest(&frontend("a", "\"127.0.0.1:0\"", ""));
    let program = Program::start(&any);
    let admin = program.admin_address();
    let bound = program.wait_for_another("listener.bound", 2);
    let a: SocketAddr = bound["addr"]
        .as_str()
        .and_then(|addr| addr.parse().ok())
        .expect("an address");
    let at = |admin: SocketAddr, a: SocketAddr| {
        let frontend = frontend("a", &format!("\"{a}\""), "");
        setup.clone().admin(admin).rest(&frontend)
    };
    let all = SocketAddr::from((Ipv4Addr::UNSPECIFIED, admin.port()));
    for (round, (admin, a)) in [(a, admin), (admin, a), (a, all), (a, admin)]
        .into_iter()
        .enumerate()
    {
        program.write(&at(admin, a));
        program.signal(Signal::HUP);
        program.wait_for_another("reload.applied", round + 1);
        let a = SocketAddr::from(([127, 0, 0, 1], a.port()));
        until("the frontend answers", || {
            Client::connect(a).get("/").text().eq("a").then_some(())
        });
        until("the admin listener answers", || {
            Client::connect(admin)
                .get("/live")
                .text()
                .eq("live\n")
                .then_some(())
        });
    }
}

#[test]
fn a_socket_that_is_reached_by_another_path_stays_the_same() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).also("a", &origin);
    let folder = Folder::new();
    fs::create_dir(folder.path("real")).expect("a folder of our own");
    symlink(folder.path("real"), folder.path("link")).expect("a folder of our own");
    let at = |path: &str| {
        let path = folder.path(path);
        setup
            .clone()
            .rest(&frontend("a", &format!("\"{}\"", path.display()), ""))
    };
    let proxy = at("real/a.sock").start();
    for path in ["link/a.sock", "real/a.sock"] {
        proxy.apply(&at(path));
        let stream = UnixStream::connect(folder.path("real/a.sock")).expect("it listens");
        assert_eq!(get_by_unix(stream, "/", "").text(), "a", "{path}");
    }
}

/// A host whose kernel has no IPv6.
struct WithoutIpv6;

struct Listening(tokio::net::TcpListener);

impl OtherNetwork for WithoutIpv6 {
    fn bind(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn OtherListener>>> {
        Box::pin(async move {
            if addr.is_ipv6() {
                return Err(rustix::io::Errno::AFNOSUPPORT.into());
            }
            let listener = tokio::net::TcpListener::bind(addr).await?;
            Ok(Box::new(Listening(listener)) as Box<dyn OtherListener>)
        })
    }

    fn connect(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn Io>>> {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(addr).await?;
            Ok(Box::new(stream) as Box<dyn Io>)
        })
    }
}

impl OtherListener for Listening {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Io>, SocketAddr)>> {
        let accepted = self.0.poll_accept(cx);
        accepted.map_ok(|(stream, peer)| (Box::new(stream) as Box<dyn Io>, peer))
    }
}

fn without_ipv6(listen: &str, admin: &str) -> Start {
    let text = format!(
        "[process]\nworkers = 1\n[log.access]\nto = \"off\"\n[admin]\nlisten = \"{admin}\"\n\
         [frontend.web]\nlisten = {listen}\nbackend = \"app\"\n\
         [backend.app]\nservers = [\"127.0.0.1:1\"]"
    );
    let source = evenkeel::control::Source::Text {
        name: "test.toml".to_owned(),
        text,
    };
    Start {
        loaded: source.load().expect("a valid configuration"),
        source,
        logging: None,
        network: Network::Other(Arc::new(WithoutIpv6)),
    }
}

fn start_without_ipv6(listen: &str, admin: &str) -> Result<process::Proxy, String> {
    process::Proxy::start(without_ipv6(listen, admin)).map_err(|error| error.to_string())
}

#[test]
fn all_addresses_of_a_host_without_ipv6_are_those_of_ipv4() {
    let any = "\":0\"";
    for listen in [any, "\"*:0\"", "[\"[::]:0\", \"0.0.0.0:0\"]"] {
        let mut proxy = start_without_ipv6(listen, ":0").expect("IPv4 is there");
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let addresses = runtime.block_on(proxy.addresses("web"));
        assert_eq!(addresses.len(), 1, "{listen}: {addresses:?}");
        let admin = runtime.block_on(proxy.admin_address());
        assert!(admin.is_some_and(|admin| admin.is_ipv4()), "{listen}");
        proxy.drain("a test");
        runtime.block_on(proxy.ended());
        proxy.close();
    }
}

#[test]
fn a_host_without_ipv6_is_logged_as_ipv4_only() {
    let folder = Folder::new();
    let file = Arc::new(File::create(folder.path("events")).expect("a file"));
    // The control plane runs on this thread, whose events go to the file.
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(file);
    tracing::subscriber::with_default(subscriber.finish(), || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        runtime.expect("a runtime").block_on(async {
            let start = without_ipv6("\":0\"", ":0");
            let watch = start.loaded.watch.clone();
            let assembled = Assembled::new(start, 1).expect("it names no files");
            let control = Control::start(assembled.control, watch).await;
            assert!(control.is_ok(), "IPv4 is there");
        });
    });
    let log = fs::read_to_string(folder.path("events")).expect("a file");
    for owner in ["web", "the admin listener"] {
        let sentence = format!("{owner} listens on IPv4 only: cannot listen on [::]:0: ");
        let mut lines = log.lines();
        let line = lines.find(|line| line.contains(&sentence)).expect(&log);
        assert!(line.contains("WARN"), "{line}");
        assert!(line.contains("event=\"listener.no_ipv6\""), "{line}");
    }
}

#[test]
fn an_ipv6_address_alone_is_an_error_on_a_host_without_ipv6() {
    for listen in ["\"[::]:0\"", "[\"[::1]:0\", \"0.0.0.0:0\"]"] {
        let error = start_without_ipv6(listen, "off")
            .err()
            .expect("it cannot listen");
        assert!(error.contains("this host has no IPv6"), "{error}");
    }
}
