//! TCP mode: connections that are passed on unchanged, to one backend or by the ClientHello.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use crate::rig::{
    Authority, Client, Ending, Folder, Origin, Program, Proxy, RefusingAddress, Setup, Speech,
    until,
};

/// TLS settings of a server with every name of these tests, and its certificate.
fn server_rules() -> (Arc<ServerConfig>, CertificateDer<'static>) {
    let names = ["a.test", "b.test", "x.b.test", "c.test"].map(str::to_owned);
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a pair");
    config.alpn_protocols = vec![b"x".to_vec(), b"y".to_vec()];
    (Arc::new(config), cert.der().clone())
}

/// A TLS server that sends its name and then echoes.
fn secured(name: &'static str) -> (Origin, CertificateDer<'static>) {
    let (rules, certificate) = server_rules();
    let origin = Origin::scripted(move |visit| {
        let session = ServerConnection::new(Arc::clone(&rules)).expect("rules");
        let mut stream = StreamOwned::new(session, visit.stream());
        let mut heard = [0; 4];
        if stream.write_all(name.as_bytes()).is_ok() && stream.read_exact(&mut heard).is_ok() {
            let _ = stream.write_all(&heard);
        }
    });
    (origin, certificate)
}

fn client_session(
    certificate: &CertificateDer<'static>,
    name: &str,
    alpn: &[&str],
) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("rules")
}

/// What the server sends that is reached with the SNI `name`.
fn reached(
    proxy: &Proxy,
    certificate: &CertificateDer<'static>,
    name: &str,
    alpn: &[&str],
) -> std::io::Result<String> {
    let stream = TcpStream::connect(proxy.address())?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = StreamOwned::new(client_session(certificate, name, alpn), stream);
    let mut heard = [0; 1];
    stream.read_exact(&mut heard)?;
    stream.write_all(b"ping")?;
    let mut back = [0; 4];
    stream.read_exact(&mut back)?;
    assert_eq!(&back, b"ping");
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

fn tcp(servers: &[&Origin]) -> Setup {
    Setup::of(servers).frontend("mode = \"tcp\"")
}

/// A ClientHello with the SNI `name`.
fn hello(name: &str) -> Vec<u8> {
    let (_, certificate) = server_rules();
    let mut bytes = Vec::new();
    let mut session = client_session(&certificate, name, &[]);
    session.write_tls(&mut bytes).expect("a hello");
    bytes
}

/// Echoes everything until the end.
fn echo() -> Origin {
    Origin::scripted(|visit| {
        let (mut from, mut to) = (visit.stream(), visit.stream());
        let _ = std::io::copy(&mut from, &mut to);
    })
}

// Plainly.

#[test]
fn a_connection_is_passed_on_both_ways_and_logged_when_it_ends() {
    let origin = echo();
    let proxy = tcp(&[&origin]).start();
    let mut client = proxy.client();
    let address = client.address();
    client.send("hello");
    assert_eq!(client.bytes(5), b"hello");
    proxy.wait_for_metric(
        "evenkeel_frontend_open_tunnels",
        &[("frontend", "web")],
        1.0,
    );
    assert_eq!(proxy.server(origin.address())["in_flight"], 1);
    client.half_close().is_closed();
    let line = proxy.line();
    assert_eq!(line.text("client"), address.to_string());
    assert_eq!(line.text("frontend"), "web");
    assert_eq!(line.text("server"), origin.address().to_string());
    for absent in ["status", "method", "target", "version", "reason", "sni"] {
        assert!(line.0[absent].is_null(), "{absent}");
    }
    assert_eq!((line.number("bytes_in"), line.number("bytes_out")), (5, 5));
    let requests = proxy.series("evenkeel_frontend_requests_total", &[]);
    assert!(requests.is_empty(), "{requests:?}");
    let bytes = "evenkeel_frontend_request_body_bytes_total";
    assert_eq!(proxy.metric(bytes, &[("frontend", "web")]), 5.0);
}

#[test]
fn a_server_may_speak_first() {
    let origin = Origin::scripted(|visit| {
        visit.send("220 ready");
        visit.wait_for_end();
    });
    let proxy = tcp(&[&origin]).start();
    assert_eq!(proxy.client().bytes(9), b"220 ready");
}

#[test]
fn half_close_is_kept_both_ways() {
    let origin = Origin::scripted(|visit| {
        visit.wait_for_end();
        visit.send("after the end");
    });
    let proxy = tcp(&[&origin]).start();
    let mut client = proxy.client();
    client.send("all").half_close();
    assert_eq!(client.bytes(13), b"after the end");
    client.is_closed();
    let origin = Origin::scripted(|visit| {
        visit.half_close();
        visit.wait_for_end();
    });
    let proxy = tcp(&[&origin]).start();
    let mut client = proxy.client();
    client.is_closed();
    client.send("still heard").half_close();
    origin.wait_for_end_of(0);
    assert_eq!(origin.received(0), "still heard");
}

#[test]
fn a_large_transfer_is_exact_in_both_directions_at_once() {
    let origin = echo();
    let proxy = tcp(&[&origin]).start();
    let stream = TcpStream::connect(proxy.address()).expect("it listens");
    let sent: Vec<u8> = (0..16_u32 << 20).map(|index| (index / 7) as u8).collect();
    let mut writer = stream.try_clone().expect("a socket");
    let heard = std::thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(&sent).expect("taken");
            writer.shutdown(std::net::Shutdown::Write).expect("open");
        });
        let mut heard = Vec::new();
        { &stream }.read_to_end(&mut heard).expect("an end");
        heard
    });
    assert!(heard == sent, "{} bytes", heard.len());
    let line = proxy.line();
    assert_eq!(line.number("bytes_out"), 16 << 20);
}

/// So many bytes, in which a byte at a wrong position shows.
fn words(count: u32) -> Vec<u8> {
    let word = |index: u32| (index.wrapping_mul(2_654_435_761) >> 13) as u8;
    (0..count).map(word).collect()
}

/// Sends so many bytes, closes its sending side, and reads the end.
fn speaking(count: u32) -> (Origin, Vec<u8>) {
    let words = words(count);
    let said = words.clone();
    let origin = Origin::scripted(move |visit| {
        visit.send(&said);
        visit.half_close();
        visit.wait_for_end();
    });
    (origin, words)
}

#[test]
fn a_client_that_reads_slowly_gets_a_large_transfer_whole_and_may_speak_after_its_end() {
    let (origin, words) = speaking(40 << 20);
    let proxy = tcp(&[&origin]).start();
    let mut client = Client::connect_narrow(proxy.address());
    for piece in words.chunks(100_003) {
        assert!(client.bytes(piece.len()) == piece);
    }
    client.is_closed();
    client.send("thanks").half_close();
    origin.wait_for_end_of(0);
    assert_eq!(origin.received(0), "thanks");
    let line = proxy.line();
    assert_eq!(line.text("reason"), "-");
    assert_eq!(line.number("bytes_out"), 40 << 20);
    assert_eq!(line.number("bytes_in"), 6);
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_large_transfer_is_counted_what_it_took() {
    let (origin, words) = speaking(40 << 20);
    let proxy = tcp(&[&origin]).start();
    let mut client = Client::connect_narrow(proxy.address());
    assert!(client.bytes(10 << 20) == words[..10 << 20]);
    client.reset();
    let line = proxy.line();
    assert_eq!(line.text("reason"), "client.left");
    let taken = line.number("bytes_out");
    assert!((10 << 20..40 << 20).contains(&taken), "{taken}");
}

#[test]
fn a_large_transfer_passes_through_a_pipe_and_small_ones_do_not() {
    let words = words(40 << 20);
    let said = words.clone();
    let origin = Origin::scripted(move |visit| {
        while let Some(wish) = visit.bytes(5) {
            visit.send(match &wish[..] {
                b"small" => &said[..20_000],
                _ => &said,
            });
        }
    });
    let setup = tcp(&[&origin]).workers(1);
    let program = Program::start(&setup);
    let mut small = program.client();
    let mut ask_small = || {
        small.send("small");
        assert!(small.bytes(20_000) == words[..20_000]);
    };
    ask_small();
    let before = program.pipes();
    for _ in 0..100 {
        ask_small();
    }
    assert_eq!(program.pipes(), before);
    let mut large = Client::connect_narrow(program.address());
    large.send("large");
    // It has the bytes that the client does not read.
    until("a pipe", || {
        (program.pipes().len() > before.len()).then_some(())
    });
    ask_small();
    assert!(large.bytes(words.len()) == words);
    large.half_close().is_closed();
}

#[test]
fn a_server_that_refuses_is_left_for_another() {
    let (refusing, origin) = (RefusingAddress::new(), echo());
    let setup = Setup::at([refusing.address(), origin.address()]).frontend("mode = \"tcp\"");
    let proxy = setup.workers(1).start();
    let mut client = proxy.client();
    client.send("hello");
    assert_eq!(client.bytes(5), b"hello");
    client.half_close().is_closed();
    let line = proxy.line();
    assert_eq!(line.number("attempts"), 2);
    assert_eq!(line.0["failed"][0]["reason"], "server.connect.refused");
    assert_eq!(line.text("reason"), "-");
}

#[test]
fn without_a_server_the_connection_is_closed_and_the_reason_is_logged() {
    let refusing = RefusingAddress::new();
    let setup = Setup::at([refusing.address()]).frontend("mode = \"tcp\"");
    let proxy = setup.start();
    let mut client = proxy.client();
    client.is_closed();
    let line = proxy.line();
    assert_eq!(line.text("reason"), "server.connect.refused");
    let labels = [("frontend", "web"), ("reason", "server.connect.refused")];
    assert_eq!(proxy.metric("evenkeel_replies_total", &labels), 1.0);
}

#[test]
fn a_server_has_no_more_connections_than_it_may() {
    let origin = echo();
    let server = format!(
        "{{ address = \"{}\", max_connections = 1 }}",
        origin.address()
    );
    let setup = Setup::servers([server]).frontend("mode = \"tcp\"");
    let proxy = setup.start();
    let mut first = proxy.client();
    first.send("first");
    assert_eq!(first.bytes(5), b"first");
    let mut second = proxy.client();
    second.send("second");
    proxy.wait_for_metric("evenkeel_backend_queue_length", &[("backend", "app")], 1.0);
    assert_eq!(origin.connections(), 1);
    first.half_close().is_closed();
    assert_eq!(second.bytes(6), b"second");
}

#[test]
fn a_quiet_connection_is_closed() {
    let origin = echo();
    let setup = tcp(&[&origin]).frontend("timeout = { tunnel = \"300ms\" }");
    let proxy = setup.start();
    proxy.client().is_closed();
    assert_eq!(proxy.line().text("reason"), "tunnel.idle");
}

#[test]
fn an_error_on_one_side_ends_the_other() {
    let origin = Origin::scripted(|visit| {
        visit.bytes(1);
        visit.reset();
    });
    let proxy = tcp(&[&origin]).start();
    let mut client = proxy.client();
    client.send("x");
    assert_eq!(client.rest(), (Vec::new(), Ending::Reset));
    assert_eq!(proxy.line().text("reason"), "server.left");
}

#[test]
fn a_reload_leaves_open_connections_alone_and_a_drain_waits_for_them() {
    let (origin, other) = (echo(), Origin::named("b"));
    let setup = tcp(&[&origin]).top("shutdown = { timeout = \"20s\" }");
    let mut proxy = setup.start();
    let mut client = proxy.client();
    client.send("a");
    assert_eq!(client.bytes(1), b"a");
    proxy.apply(&setup.clone().also("b", &other));
    client.send("b");
    assert_eq!(client.bytes(1), b"b");
    proxy.drain();
    client.send("c");
    assert_eq!(client.bytes(1), b"c");
    client.half_close().is_closed();
    proxy.wait_for_end();
}

// By the ClientHello.

/// A proxy that passes `a.test` on to one server, names below `b.test` to another, and clients of
/// protocol `y` to a third.
fn by_name(with: impl Fn(Setup) -> Setup) -> (Proxy, [Origin; 3], [CertificateDer<'static>; 3]) {
    let (a, a_cert) = secured("a");
    let (b, b_cert) = secured("b");
    let (y, y_cert) = secured("y");
    let setup = tcp(&[&a])
        .without_default()
        .also("b", &b)
        .also("y", &y)
        .route("name = \"speaks-y\"\nalpn = \"y\"\nbackend = \"y\"")
        .route("name = \"exact\"\nsni = \"a.test\"\nbackend = \"app\"")
        .route("name = \"below\"\nsni = [\"*.b.test\"]\nbackend = \"b\"");
    (with(setup).start(), [a, b, y], [a_cert, b_cert, y_cert])
}

#[test]
fn the_name_and_the_protocol_that_a_client_asks_for_choose_the_server() {
    let (proxy, _origins, [a, b, y]) = by_name(|setup| setup);
    assert_eq!(reached(&proxy, &a, "a.test", &["x"]).expect("a"), "a");
    assert_eq!(reached(&proxy, &b, "x.b.test", &[]).expect("b"), "b");
    assert_eq!(reached(&proxy, &y, "a.test", &["y"]).expect("y"), "y");
    let lines = proxy.wait_for_lines(3);
    let mut said: Vec<_> = lines
        .iter()
        .map(|line| (line.text("route"), line.text("sni")))
        .collect();
    said.sort_unstable();
    assert_eq!(
        said,
        [
            ("below", "x.b.test"),
            ("exact", "a.test"),
            ("speaks-y", "a.test")
        ]
    );
}

#[test]
fn a_client_that_asks_for_an_unknown_name_gets_an_alert() {
    let (proxy, origins, [a, ..]) = by_name(|setup| setup);
    let error = reached(&proxy, &a, "c.test", &[]).expect_err("no server");
    assert!(error.to_string().contains("UnrecognisedName"), "{error}");
    let line = proxy.line();
    assert_eq!(
        (line.text("reason"), line.text("sni")),
        ("route.none", "c.test")
    );
    assert!(origins.iter().all(|origin| origin.connections() == 0));
}

#[test]
fn a_connection_without_tls_takes_the_route_without_names() {
    let origin = echo();
    let address = origin.address();
    let (proxy, ..) = by_name(|setup| {
        setup
            .rest(&format!("[backend.plain]\nservers = [\"{address}\"]"))
            .frontend("backend = \"plain\"")
    });
    let mut client = proxy.client();
    client.send("GET / HTTP/1.0");
    assert_eq!(client.bytes(14), b"GET / HTTP/1.0");
}

/// A server that sends its name and nothing else.
fn greeting(name: &'static str) -> Origin {
    Origin::scripted(move |visit| {
        let _ = visit.stream().write_all(name.as_bytes());
    })
}

#[test]
fn clients_of_two_addresses_reach_the_backend_of_their_own_route() {
    let (inner, outer) = (greeting("inner"), greeting("outer"));
    let proxy = tcp(&[&outer])
        .also("inner", &inner)
        .route("name = \"inner\"\nwhen = 'src == \"127.0.0.2\"'\nbackend = \"inner\"")
        .start();
    for (from, expected) in [("127.0.0.1", "outer"), ("127.0.0.2", "inner")] {
        let from = from.parse().expect("an address");
        // The client says nothing: such a route does not wait for it.
        let mut client = Client::connect_from(from, proxy.address());
        assert_eq!(client.bytes(5), expected.as_bytes());
    }
    let lines = proxy.wait_for_lines(2);
    let mut taken: Vec<_> = lines.iter().map(|line| line.0["route"].as_str()).collect();
    taken.sort_unstable();
    assert_eq!(taken, [None, Some("inner")]);
}

#[test]
fn a_name_is_passed_through_for_clients_of_one_address_alone() {
    let (behind, behind_cert) = secured("b");
    let plain = Origin::named("a");
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["x.b.test".to_owned()]).expect("a certificate");
    let folder = Folder::new();
    let chain = folder.write("chain.pem", &cert.pem());
    let key = folder.write("key.pem", &signing_key.serialize_pem());
    let through = |from: &str| {
        Setup::of(&[&plain])
            .frontend(&format!(
                "tls = {{ certificates = [{{ certificate = {chain:?}, key = {key:?} }}] }}\n\
                 passthrough = [{{ sni = \"*.b.test\", when = 'src == \"{from}\"', backend = \"b\" }}]"
            ))
            .also("b", &behind)
    };
    let proxy = through("127.0.0.1").start();
    let heard = reached(&proxy, &behind_cert, "x.b.test", &[]);
    assert_eq!(heard.expect("the server behind"), "b");
    proxy.apply(&through("127.0.0.2"));
    // Our own certificate, not that of the server behind.
    let stream = TcpStream::connect(proxy.address()).expect("it listens");
    let session = client_session(cert.der(), "x.b.test", &[]);
    let mut stream = StreamOwned::new(session, stream);
    let request = "GET / HTTP/1.1\r\nhost: x.b.test\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an end");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A proxy that passes `a.test` on to a server that reads raw bytes.
fn to_raw(with: impl Fn(Setup) -> Setup) -> (Proxy, Origin) {
    let origin = echo();
    let setup = tcp(&[&origin])
        .without_default()
        .route("sni = \"a.test\"\nbackend = \"app\"");
    (with(setup).start(), origin)
}

#[test]
fn a_hello_may_come_in_any_pieces_and_is_passed_on_unchanged() {
    let whole = hello("a.test");
    assert!(
        whole.len() > 1400,
        "with a post-quantum key share: {}",
        whole.len()
    );
    // The same message in records of a few bytes, cut in the middle of the name.
    let message = &whole[5..];
    let in_records: Vec<u8> = message
        .chunks(100)
        .flat_map(|piece| [&[22, 3, 1, 0, piece.len() as u8], piece].concat())
        .collect();
    let (proxy, _origin) = to_raw(|setup| setup);
    for bytes in [whole, in_records] {
        let mut client = proxy.client();
        for piece in bytes.chunks(97) {
            client.send(piece);
        }
        assert!(client.bytes(bytes.len()) == bytes);
    }
}

#[test]
fn a_silent_client_is_closed_in_time() {
    let hasty = |setup: Setup| setup.frontend("timeout = { handshake = \"300ms\" }");
    let (proxy, origin) = to_raw(hasty);
    let mut silent = proxy.client();
    silent.is_closed();
    let mut slow = proxy.client();
    slow.send(&hello("a.test")[..200]);
    slow.is_closed();
    for line in proxy.wait_for_lines(2) {
        assert_eq!(line.text("reason"), "hello.timeout");
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn malformed_tls_reaches_no_server() {
    let (proxy, origin) = to_raw(|setup| setup);
    let mut bad = Client::connect(proxy.address());
    bad.send([22, 3, 1, 0, 0, 1, 2, 3]);
    let (rest, _) = bad.rest();
    assert!(rest.is_empty());
    assert_eq!(proxy.line().text("reason"), "hello.malformed");
    assert_eq!(origin.connections(), 0);
}

// One port for both.

#[test]
fn a_client_that_leaves_in_the_middle_of_its_hello_has_left() {
    let (proxy, origin) = to_raw(|setup| setup);
    let hello = hello("a.test");
    proxy
        .client()
        .send(&hello[..hello.len() / 2])
        .half_close()
        .is_closed();
    assert_eq!(proxy.line().text("reason"), "client.left");
    assert!(origin.has_seen_nothing());
}

#[test]
fn some_names_are_passed_through_where_tls_is_ended_for_the_others() {
    let (behind, behind_cert) = secured("b");
    let plain = Origin::named("a");
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
    let folder = Folder::new();
    let chain = folder.write("chain.pem", &cert.pem());
    let key = folder.write("key.pem", &signing_key.serialize_pem());
    let proxy = Setup::of(&[&plain])
        .frontend(&format!(
            "tls = {{ certificates = [{{ certificate = {chain:?}, key = {key:?} }}] }}\n\
             passthrough = [{{ name = \"through\", sni = \"*.b.test\", backend = \"b\" }}]"
        ))
        .also("b", &behind)
        .start();
    assert_eq!(
        reached(&proxy, &behind_cert, "x.b.test", &[]).expect("b"),
        "b"
    );
    let line = proxy.line();
    assert_eq!(
        (line.text("route"), line.text("sni")),
        ("through", "x.b.test")
    );
    assert!(line.0["status"].is_null());
    // All other clients get our own certificate.
    let stream = TcpStream::connect(proxy.address()).expect("it listens");
    let session = client_session(cert.der(), "a.test", &[]);
    let mut stream = StreamOwned::new(session, stream);
    let request = "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an end");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(proxy.wait_for_lines(2)[1].number("status"), 200);
}

#[test]
fn bytes_are_passed_on_with_tls_if_the_backend_has_it() {
    let (origin, _) = secured("s");
    let setup = tcp(&[&origin]).backend("tls = { verify = \"none\", sni = \"a.test\" }");
    let proxy = setup.start();
    let mut client = proxy.client();
    assert_eq!(client.bytes(1), b"s");
    client.send("ping");
    assert_eq!(client.bytes(4), b"ping");
    assert!(!origin.received(0).contains("ping"), "not in the clear");
}

// TLS of clients that ends here.

/// A proxy in TCP mode with a certificate for `a.test` and `b.test`, and the client that trusts it.
fn ending_tls(origin: &Origin, tls: &str, with: impl Fn(Setup) -> Setup) -> (Proxy, Speech) {
    let authority = Authority::new("ca");
    let folder = Folder::new();
    let pair = authority.pair(&["a.test", "b.test"]);
    let file = folder.write("pair.pem", &pair.whole());
    let tls = format!("tls = {{ certificates = [{file:?}]{tls} }}");
    let setup = with(Setup::of(&[origin]).frontend(&format!("mode = 'tcp'\n{tls}")));
    (setup.start(), Speech::trusting(&authority))
}

#[test]
fn tls_of_clients_ends_here_and_the_server_gets_the_bytes_in_the_clear() {
    let origin = echo();
    let (proxy, speech) = ending_tls(&origin, "", |setup| setup);
    let mut client = speech.connect(proxy.address(), "a.test");
    client.send("ping").expect("it takes them");
    client.half_close();
    let (rest, end) = client.rest();
    assert_eq!((rest, end), (b"ping".to_vec(), Ok(())));
    let line = proxy.line();
    assert_eq!(line.text("sni"), "a.test");
    assert_eq!(line.text("tls_version"), "1.3");
    assert_eq!((line.number("bytes_in"), line.number("bytes_out")), (4, 4));
    // Without TLS, nobody is served.
    let mut plain = proxy.client();
    let _ = plain.try_send("ping");
    let (heard, _) = plain.rest();
    assert!(!heard.ends_with(b"ping"), "{heard:?}");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_large_transfer_under_tls_is_exact() {
    let origin = echo();
    let (proxy, speech) = ending_tls(&origin, "", |setup| setup);
    let mut client = speech.connect(proxy.address(), "a.test");
    let words = words(20_000);
    client.send(&words).expect("it takes them");
    client.half_close();
    assert_eq!(client.rest(), (words, Ok(())));
}

#[test]
fn the_name_and_the_protocol_of_a_handshake_choose_the_route_and_conditions_see_them() {
    let [a, b, h2] = ["a", "b", "h2"].map(greeting);
    let (proxy, speech) = ending_tls(&a, ", alpn = ['h2', 'mqtt']", |setup| {
        let rule = "content_rule = [{ when = 'not ssl_fc or ssl_fc_sni == \"never.test\"', reject = true }]";
        setup
            .frontend(rule)
            .also("b", &b)
            .also("h2", &h2)
            .route("alpn = 'h2'\nbackend = 'h2'")
            .route("sni = 'b.test'\nbackend = 'b'")
    });
    let greeted = |speech: &Speech, name: &str| {
        let mut client = speech.connect(proxy.address(), name);
        client.half_close();
        let (rest, _) = client.rest();
        String::from_utf8(rest).expect("text")
    };
    assert_eq!(greeted(&speech, "a.test"), "a");
    assert_eq!(greeted(&speech, "b.test"), "b");
}
