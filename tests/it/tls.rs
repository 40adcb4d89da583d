//! TLS towards clients: certificates, sessions, client certificates, and renewals.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::SignatureScheme;
use serde_json::Value;

use crate::rig::framed::{Frame, Framed, GOAWAY, HEADERS, PREFACE, request_for, settings};
use crate::rig::{
    Authority, Client, Folder, Origin, Pair, Program, Proxy, Setup, Speech, TlsClient, evenkeel,
    until, while_for,
};

/// Files of certificates, and their authority.
struct Safe {
    folder: Folder,
    authority: Authority,
}

impl Safe {
    fn new() -> Self {
        Self {
            folder: Folder::new(),
            authority: Authority::new("Test CA"),
        }
    }

    /// Writes `text` into a file and returns its path, in quotes.
    fn put(&self, name: &str, text: &str) -> String {
        self.folder.replace(name, text);
        self.named(name)
    }

    fn named(&self, name: &str) -> String {
        format!("\"{}\"", self.folder.path(name).display())
    }

    /// A certificate for these names, in a file.
    fn pair(&self, file: &str, names: &[&str]) -> (Pair, String) {
        let pair = self.authority.pair(names);
        let path = self.put(file, &pair.whole());
        (pair, path)
    }

    fn speech(&self) -> Speech {
        Speech::trusting(&self.authority)
    }
}

fn with_tls(origin: &Origin, lines: &str) -> Setup {
    Setup::of(&[origin]).frontend(&format!("tls = {{ {lines} }}"))
}

fn failures(proxy: &Proxy, reason: &str) -> f64 {
    let labels = [("frontend", "web"), ("reason", reason)];
    proxy.metric("evenkeel_tls_handshake_failures_total", &labels)
}

#[track_caller]
fn wait_for_failures(proxy: &Proxy, reason: &str, count: f64) {
    let labels = [("frontend", "web"), ("reason", reason)];
    proxy.wait_for_metric("evenkeel_tls_handshake_failures_total", &labels, count);
}

/// Connects until the certificate is `pair`.
#[track_caller]
fn wait_for_certificate(proxy: &Proxy, speech: &Speech, pair: &Pair) -> TlsClient {
    until("the renewed certificate", || {
        let client = speech.connect(proxy.address(), "a.test");
        (*pair == client.certificate()).then_some(client)
    })
}

#[test]
fn a_request_over_tls_is_answered_logged_and_counted() {
    let safe = Safe::new();
    let (pair, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let proxy = with_tls(&origin, &format!("certificates = {path}")).start();
    let mut client = safe.speech().connect(proxy.address(), "a.test");
    assert_eq!(pair, client.certificate());
    assert_eq!(client.get("a.test", "/").text(), "a");
    assert_eq!(client.get("a.test", "/again").text(), "a");
    let request = origin.request_of("/");
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    let line = &proxy.wait_for_lines(2)[0];
    assert_eq!(line.text("tls_version"), "1.3");
    assert!(line.text("tls_cipher").starts_with("TLS_"), "{line:?}");
    assert_eq!(line.text("sni"), "a.test");
    let labels = [
        ("frontend", "web"),
        ("version", "1.3"),
        ("resumed", "false"),
    ];
    proxy.wait_for_metric("evenkeel_tls_handshakes_total", &labels, 1.0);
}

#[test]
fn the_old_version_works_unless_it_is_forbidden() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let old = Speech::old(&safe.authority);
    let proxy = with_tls(&origin, &format!("certificates = {path}")).start();
    let mut client = old.connect(proxy.address(), "a.test");
    assert_eq!(client.get("a.test", "/").text(), "a");
    let strict = with_tls(
        &origin,
        &format!("certificates = {path}, min_version = '1.3'"),
    );
    proxy.apply(&strict);
    old.refusal(proxy.address(), "a.test");
    wait_for_failures(&proxy, "version", 1.0);
}

#[test]
fn a_hybrid_post_quantum_key_exchange_works() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let proxy = with_tls(&origin, &format!("certificates = {path}")).start();
    let speech = Speech::post_quantum(&safe.authority);
    let mut client = speech.connect(proxy.address(), "a.test");
    assert_eq!(client.get("a.test", "/").status(), 200);
}

#[test]
fn the_certificate_is_that_of_the_name() {
    let safe = Safe::new();
    let (first, one) = safe.pair("first.pem", &["first.test"]);
    let (exact, two) = safe.pair("exact.pem", &["a.b.test"]);
    let (wildcard, three) = safe.pair("wildcard.pem", &["*.b.test"]);
    let origin = Origin::named("a");
    let certificates = format!("certificates = [{one}, {three}, {two}]");
    let proxy = with_tls(&origin, &certificates).start();
    let speech = Speech::signed_by(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
    let served = |name: &str| speech.connect(proxy.address(), name).certificate();
    assert_eq!(exact, served("A.b.test"));
    assert_eq!(wildcard, served("x.b.test"));
    assert_eq!(first, served("x.y.b.test"), "a wildcard is one label");
    assert_eq!(first, served("unknown.test"));
    assert_eq!(first, served("127.0.0.1"), "no name at all");

    proxy.apply(&with_tls(
        &origin,
        &format!("{certificates}, default = 'x.b.test'"),
    ));
    assert_eq!(wildcard, served("unknown.test"));

    proxy.apply(&with_tls(
        &origin,
        &format!("{certificates}, strict_sni = true"),
    ));
    assert_eq!(exact, served("a.b.test"));
    for name in ["unknown.test", "127.0.0.1"] {
        let refusal = speech.refusal(proxy.address(), name);
        assert!(refusal.contains("UnrecognisedName"), "{refusal}");
    }
    assert_eq!(failures(&proxy, "unknown_name"), 2.0);
}

#[test]
fn a_refused_name_is_in_the_log_if_enabled() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let lines = format!("certificates = {path}, strict_sni = true");
    let setup = with_tls(&origin, &lines).top("[log]\nlevel = 'debug'\n");
    let program = Program::start(&setup);
    for (count, name, text) in [
        (
            1,
            "unknown.test",
            "(unknown_name): no certificate has the name \"unknown.test\"",
        ),
        (
            2,
            "127.0.0.1",
            "(unknown_name): the client sent no name (SNI)",
        ),
    ] {
        safe.speech().refusal(program.address(), name);
        let event = program.wait_for_another("tls.handshake_failed", count);
        let message = event["message"].as_str().unwrap_or_default();
        assert!(message.ends_with(text), "{event}");
        assert_eq!(event["addr"], "127.0.0.1:0", "as it is written");
    }
}

#[test]
fn the_kind_of_key_is_the_best_that_the_client_supports() {
    let safe = Safe::new();
    let rsa = safe.authority.rsa_pair(&["a.test"]);
    let first = safe.put("rsa.pem", &rsa.whole());
    let (ecdsa, second) = safe.pair("ecdsa.pem", &["a.test"]);
    let origin = Origin::named("a");
    let proxy = with_tls(&origin, &format!("certificates = [{first}, {second}]")).start();
    let served = |schemes: &[SignatureScheme]| {
        let speech = Speech::signed_by(schemes);
        let names = ["a.test", "127.0.0.1"];
        names.map(|name| speech.connect(proxy.address(), name).certificate())
    };
    let ec = SignatureScheme::ECDSA_NISTP256_SHA256;
    let old = SignatureScheme::RSA_PSS_SHA256;
    for certificate in served(&[old, ec]) {
        assert_eq!(ecdsa, certificate);
    }
    for certificate in served(&[old]) {
        assert_eq!(rsa, certificate);
    }
    Speech::signed_by(&[SignatureScheme::ED25519]).refusal(proxy.address(), "a.test");
    wait_for_failures(&proxy, "nothing_in_common", 1.0);
}

#[test]
fn certificates_of_a_directory_and_keys_beside_them() {
    let safe = Safe::new();
    std::fs::create_dir(safe.folder.path("all")).expect("a folder of our own");
    let (a, b) = (
        safe.authority.pair(&["a.test"]),
        safe.authority.pair(&["b.test"]),
    );
    safe.folder.write("all/a.pem", &a.whole());
    safe.folder.write("all/b.crt", &b.certificate);
    safe.folder.write("all/b.key", &b.key);
    let c = safe.authority.pair(&["c.test"]);
    let chain = safe.put("chain.pem", &c.certificate);
    let key = safe.put("private.pem", &c.key);
    let origin = Origin::named("a");
    let lines = format!(
        "certificates = [{}, {{ certificate = {chain}, key = {key} }}]",
        safe.named("all")
    );
    let proxy = with_tls(&origin, &lines).start();
    for (pair, name) in [(a, "a.test"), (b, "b.test"), (c, "c.test")] {
        let client = safe.speech().connect(proxy.address(), name);
        assert_eq!(pair, client.certificate());
    }
}

#[test]
fn sessions_resume_after_a_reload_and_after_a_renewal() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let setup = with_tls(&origin, &format!("certificates = {path}"));
    let proxy = setup.start();
    for speech in [safe.speech(), Speech::old(&safe.authority)] {
        let visit = || {
            let mut client = speech.connect(proxy.address(), "a.test");
            // Tickets come with the first bytes.
            client.get("a.test", "/");
            client.is_resumed()
        };
        assert!(!visit());
        assert!(visit());
        proxy.apply(&setup.clone().frontend("max_connections = 100"));
        assert!(visit(), "after a reload");
        let renewed = safe.authority.pair(&["a.test"]);
        safe.put("a.pem", &renewed.whole());
        wait_for_certificate(&proxy, &safe.speech(), &renewed);
        assert!(visit(), "after a renewal");
        proxy.apply(&setup);
    }
    let labels = [("frontend", "web"), ("resumed", "true")];
    proxy.wait_for_metric("evenkeel_tls_handshakes_total", &labels, 6.0);
}

#[test]
fn a_session_without_a_certificate_does_not_resume_where_one_is_required() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let required = format!("certificates = {path}, client_auth = {{ ca = {ca} }}");
    let open = with_tls(&origin, &format!("certificates = {path}"));
    // The same name on two frontends, and later the same frontend with another policy.
    let proxy = open
        .clone()
        .rest(&format!(
            "[frontend.closed]\nlisten = '127.0.0.1:0'\nbackend = 'app'\ntls = {{ {required} }}"
        ))
        .start();
    let closed = proxy.addresses("closed")[0];
    for speech in [safe.speech(), Speech::old(&safe.authority)] {
        let mut client = speech.connect(proxy.address(), "a.test");
        client.get("a.test", "/");
        speech.refusal(closed, "a.test");
    }
    let labels = [("frontend", "closed"), ("reason", "no_client_certificate")];
    proxy.wait_for_metric("evenkeel_tls_handshake_failures_total", &labels, 2.0);

    let speech = safe.speech();
    speech.connect(proxy.address(), "a.test").get("a.test", "/");
    proxy.apply(&with_tls(&origin, &required));
    speech.refusal(proxy.address(), "a.test");
    assert_eq!(failures(&proxy, "no_client_certificate"), 1.0);
    let shown = safe.authority.client(&["alice"], 7);
    let showing = Speech::showing(&safe.authority, &shown);
    for resumed in [false, true] {
        let mut client = showing.connect(proxy.address(), "a.test");
        assert_eq!(client.get("a.test", "/").status(), 200);
        assert_eq!(client.is_resumed(), resumed, "its own goes on");
    }
}

#[test]
fn a_session_begun_without_a_certificate_ends_when_one_is_required() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let asking = |mode: &str| {
        let rules = format!("client_auth = {{ mode = '{mode}', ca = {ca} }}");
        with_tls(&origin, &format!("certificates = {path}, {rules}"))
    };
    let proxy = asking("optional").start();
    let speeches = [safe.speech(), Speech::old(&safe.authority)];
    for speech in &speeches {
        for resumed in [false, true] {
            let mut client = speech.connect(proxy.address(), "a.test");
            assert_eq!(client.get("a.test", "/").status(), 200);
            assert_eq!(client.is_resumed(), resumed);
        }
    }
    proxy.apply(&asking("required"));
    for speech in &speeches {
        speech.refusal(proxy.address(), "a.test");
    }
    wait_for_failures(&proxy, "no_client_certificate", 2.0);
}

/// Checks that a request is answered 421 for `reason`, and that the connection ends.
#[track_caller]
fn is_outdated(client: &mut TlsClient, reason: &str) {
    let answer = client.get("a.test", "/");
    assert_eq!((answer.status(), &*answer.reason()), (421, reason));
    assert_eq!(answer.field("connection"), Some("close"));
    client.is_closed();
}

#[test]
fn an_open_connection_is_asked_for_a_certificate_when_one_is_required() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let alice = Speech::showing(&safe.authority, &safe.authority.client(&["alice"], 7));
    let open = format!("certificates = {path}");
    let optional = format!("{open}, client_auth = {{ mode = 'optional', ca = {ca} }}");
    let required = format!("{open}, client_auth = {{ ca = {ca} }}");
    let of_name = format!("{open}, names = {{ 'a.test' = {{ client_auth = {{ ca = {ca} }} }} }}");
    for (before, after) in [
        (&open, &required),
        (&optional, &required),
        (&optional, &of_name),
    ] {
        let proxy = with_tls(&origin, before).start();
        let address = proxy.address();
        let mut without = safe.speech().connect(address, "a.test");
        let mut with = alice.connect(address, "a.test");
        let mut h2 = Framed::silent(address).behind(&Speech::of_http2(&safe.authority), "a.test");
        h2.send(PREFACE).send(settings(&[(1, 0)]));
        assert_eq!(without.get("a.test", "/").status(), 200);
        assert_eq!(with.get("a.test", "/").status(), 200);
        h2.send(request_for(1, "/"));
        assert_eq!(h2.status(1), 200);

        proxy.apply(&with_tls(&origin, before).frontend("header_case = 'title'"));
        assert_eq!(without.get("a.test", "/").status(), 200, "nothing of that");

        let was_asked = *before == optional;
        proxy.apply(&with_tls(&origin, after));
        is_outdated(&mut without, "request.tls.outdated");
        match was_asked {
            true => assert_eq!(with.get("a.test", "/").status(), 200),
            false => is_outdated(&mut with, "request.tls.outdated"),
        }
        h2.send(request_for(3, "/"));
        let frames = h2.rest();
        let of_three = |frame: &&Frame| frame.kind == HEADERS && frame.stream == 3;
        let answer = frames.iter().find(of_three).expect("an answer");
        assert_eq!(answer.status(), 421);
        assert!(frames.iter().any(|frame| frame.kind == GOAWAY));
        let mut again = alice.connect(address, "a.test");
        assert_eq!(again.get("a.test", "/").status(), 200);
    }
}

#[test]
fn an_open_connection_without_tls_does_not_get_past_a_certificate_either() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    assert_eq!(client.get("/").status(), 200);
    let of_name = format!("names = {{ 'a.test' = {{ client_auth = {{ ca = {ca} }} }} }}");
    proxy.apply(&with_tls(
        &origin,
        &format!("certificates = {path}, {of_name}"),
    ));
    let answer = client.get("/");
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (421, "request.tls.outdated")
    );
    client.is_closed();
}

#[test]
fn a_certificate_that_is_revoked_or_no_longer_trusted_ends_its_connections() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let crl = safe.put("crl.pem", &safe.authority.revoking(&[13]));
    let origin = Origin::named("a");
    let rules = |ca: &str, crl: &str| {
        let rules = format!("client_auth = {{ ca = {ca}{crl} }}");
        with_tls(&origin, &format!("certificates = {path}, {rules}"))
    };
    let proxy = rules(&ca, &format!(", crl = {crl}")).start();
    let connected = |serial| {
        let pair = safe.authority.client(&["client"], serial);
        let mut client = Speech::showing(&safe.authority, &pair).connect(proxy.address(), "a.test");
        assert_eq!(client.get("a.test", "/").status(), 200);
        client
    };
    let (mut revoked, mut good) = (connected(7), connected(8));
    // No reload: the file is renewed.
    safe.put("crl.pem", &safe.authority.revoking(&[7, 13]));
    let answer = until("the new list", || {
        let answer = revoked.get("a.test", "/");
        (answer.status() != 200).then_some(answer)
    });
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (421, "request.tls.outdated")
    );
    revoked.is_closed();
    assert_eq!(good.get("a.test", "/").status(), 200);

    let other = safe.put("other.pem", &Authority::new("Other CA").pem);
    proxy.apply(&rules(&other, ""));
    is_outdated(&mut good, "request.tls.outdated");
}

#[test]
fn a_certificate_that_expires_ends_its_connections() {
    // Far more time than a handshake and a request take.
    const SPAN: Duration = Duration::from_secs(8);
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let rules = format!("certificates = {path}, client_auth = {{ ca = {ca} }}");
    let proxy = with_tls(&origin, &rules).start();
    let began = SystemTime::now();
    let pair = safe.authority.pair_for(&["alice"], SPAN);
    let mut client = Speech::showing(&safe.authority, &pair).connect(proxy.address(), "a.test");
    assert_eq!(client.get("a.test", "/").status(), 200);
    let answer = until("it expires", || {
        let answer = client.get("a.test", "/");
        (answer.status() != 200).then_some(answer)
    });
    let lasted = began.elapsed().expect("a clock that goes on");
    assert!(lasted >= SPAN - Duration::from_secs(1), "{lasted:?}");
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (421, "request.tls.outdated")
    );
    client.is_closed();
}

#[test]
fn a_route_that_begins_to_require_a_certificate_asks_open_connections_for_it() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let optional = format!("client_auth = {{ mode = 'optional', ca = {ca} }}");
    let setup = with_tls(&origin, &format!("certificates = {path}, {optional}"));
    let proxy = setup.start();
    let mut client = safe.speech().connect(proxy.address(), "a.test");
    assert_eq!(client.get("a.test", "/closed").status(), 200);
    let route = "path = '/closed'\nclient_certificate = 'required'\nbackend = 'app'";
    proxy.apply(&setup.route(route));
    let answer = client.get("a.test", "/closed");
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (403, "route.certificate")
    );
    assert_eq!(client.get("a.test", "/open").status(), 200);
}

#[test]
fn servers_get_the_identity_of_the_client_and_no_client_can_forge_it() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let setup = with_tls(
        &origin,
        &format!("certificates = {path}, client_auth = {{ mode = 'optional', ca = {ca} }}"),
    )
    .rest(
        "[frontend.web.forwarding.client_certificate]\nsubject = 'x-subject'\nsans = 'x-sans'\n\
         serial = 'x-serial'\nfingerprint = 'x-fingerprint'\n\
         [frontend.plain]\nlisten = '127.0.0.1:0'\nbackend = 'app'",
    )
    .route("path = '/secret/*'\nclient_certificate = 'required'\nbackend = 'app'");
    let proxy = setup.start();
    let forged = |target: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nhost: a.test\r\nX-Subject: CN=root\r\nx-sans: DNS:root\r\n\
             x-serial: 1\r\nx-fingerprint: 1\r\n\r\n"
        )
    };
    let shown = safe.authority.client(&["alice", "alice.test"], 0xab);
    let mut alice = Speech::showing(&safe.authority, &shown).connect(proxy.address(), "a.test");
    assert_eq!(alice.ask(&forged("/secret/alice")).status(), 200);
    let request = origin.request_of("/secret/alice");
    assert_eq!(request.field("x-subject"), Some("CN=alice"));
    assert_eq!(request.field("x-sans"), Some("DNS:alice,DNS:alice.test"));
    assert_eq!(request.field("x-serial"), Some("AB"));
    let fingerprint = request.field("x-fingerprint").expect("it is sent");
    assert_eq!(fingerprint.len(), 64);

    let mut other = safe.speech().connect(proxy.address(), "a.test");
    assert_eq!(other.ask(&forged("/open")).status(), 200);
    Client::connect(proxy.addresses("plain")[0]).ask(forged("/plain"));
    for target in ["/open", "/plain"] {
        let request = origin.request_of(target);
        for name in ["x-subject", "x-sans", "x-serial", "x-fingerprint"] {
            assert_eq!(request.field(name), None, "{target} {name}");
        }
    }
    let answer = other.get("a.test", "/secret/other");
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (403, "route.certificate")
    );
}

#[test]
fn rules_read_the_certificates_of_both_sides() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let (_, other) = safe.pair("b.pem", &["b.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let setup = with_tls(
        &origin,
        &format!(
            "certificates = [{path}, {other}], client_auth = {{ mode = 'optional', ca = {ca} }}"
        ),
    )
    .frontend(
        "rule = [{ set_header = { x-cn = '%[ssl_c_s_dn(cn)]', x-serial = '%[ssl_c_serial,hex]',
            x-client = '%[ssl_c_der,base64]', x-own = '%[ssl_f_der,base64]' } }]",
    );
    let proxy = setup.start();
    let shown = safe.authority.client(&["alice", "alice.test"], 0xab);
    let speech = Speech::showing(&safe.authority, &shown);
    for name in ["a.test", "b.test"] {
        let mut alice = speech.connect(proxy.address(), name);
        let target = format!("/{name}");
        assert_eq!(alice.get(name, &target).status(), 200);
        let request = origin.request_of(&target);
        assert_eq!(request.field("x-cn"), Some("alice"));
        assert_eq!(request.field("x-serial"), Some("AB"));
        let client = STANDARD.decode(request.field("x-client").expect("it is set"));
        assert!(client.expect("base64").starts_with(&[0x30]));
        let own = STANDARD.decode(request.field("x-own").expect("it is set"));
        assert_eq!(own.expect("base64"), alice.certificate().as_ref(), "{name}");
    }
    let mut other = safe.speech().connect(proxy.address(), "a.test");
    assert_eq!(other.get("a.test", "/none").status(), 200);
    let request = origin.request_of("/none");
    // An absent value is an empty text in a template.
    assert_eq!(request.field("x-cn"), Some(""));
    assert_eq!(request.field("x-client"), Some(""));
}

#[test]
fn rules_see_whether_a_session_was_resumed() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let proxy = with_tls(&origin, &format!("certificates = {path}"))
        .frontend("rule = [{ set_header = { x-resumed = '%[ssl_fc_is_resumed]' } }]")
        .start();
    for speech in [safe.speech(), Speech::old(&safe.authority)] {
        for (target, resumed) in [("/new", "0"), ("/again", "1")] {
            let mut client = speech.connect(proxy.address(), "a.test");
            assert_eq!(client.get("a.test", target).status(), 200);
            let requests = origin.requests();
            let request = requests.last().expect("it was sent");
            assert_eq!(request.field("x-resumed"), Some(resumed), "{target}");
            assert_eq!(client.is_resumed(), resumed == "1");
        }
    }
}

#[test]
fn no_spelling_of_a_path_gets_past_a_route_that_requires_a_certificate() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let setup = with_tls(
        &origin,
        &format!("certificates = {path}, client_auth = {{ mode = 'optional', ca = {ca} }}"),
    )
    .route("path = '/partners/*'\nclient_certificate = 'required'\nbackend = 'app'");
    let proxy = setup.start();
    let mut other = safe.speech().connect(proxy.address(), "a.test");
    let mut verdict = |target: &str| {
        let answer = other.get("a.test", target);
        let is_refused = answer.status() == 400;
        (answer.status(), is_refused.then(|| answer.reason()))
    };
    for target in [
        "//partners/x",
        "/partners%2fx",
        "/%2fpartners/x",
        "/.//partners/x",
        "/x/..%2fpartners/x",
        "/%70artners/x",
        "/partners;a=b/x",
        "/a/..;/partners",
        "/a/..%5cpartners",
        "/partners%00",
        "/partners%c0%afx",
        "/PARTNERS/x",
        "/partners./x",
        "/partners%20/x",
    ] {
        let ambiguous = Some("request.path.ambiguous".to_owned());
        assert_eq!(verdict(target), (400, ambiguous), "{target}");
    }
    for target in ["/partners", "/partners/", "/partners/.;/x", "/partners//x"] {
        assert_eq!(verdict(target).0, 403, "{target}");
    }
    assert_eq!(verdict("/a//b;c%2fd").0, 200);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_certificate_of_another_authority_or_a_revoked_one_is_refused() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let crl = safe.put("crl.pem", &safe.authority.revoking(&[13]));
    let origin = Origin::named("a");
    let proxy = with_tls(
        &origin,
        &format!("certificates = {path}, client_auth = {{ ca = {ca}, crl = {crl} }}"),
    )
    .start();
    let good = Speech::showing(&safe.authority, &safe.authority.client(&["good"], 7));
    let mut client = good.connect(proxy.address(), "a.test");
    assert_eq!(client.get("a.test", "/").status(), 200);
    let revoked = safe.authority.client(&["revoked"], 13);
    Speech::showing(&safe.authority, &revoked).refusal(proxy.address(), "a.test");
    let other = Authority::new("Other CA").client(&["other"], 7);
    Speech::showing(&safe.authority, &other).refusal(proxy.address(), "a.test");
    wait_for_failures(&proxy, "bad_client_certificate", 2.0);
    safe.speech().refusal(proxy.address(), "a.test");
    wait_for_failures(&proxy, "no_client_certificate", 1.0);

    // A renewed list holds, and sessions of the old one are not resumed.
    safe.put("crl.pem", &safe.authority.revoking(&[7, 13]));
    until("the new list", || {
        good.try_connect(proxy.address(), "a.test")
            .and_then(|mut client| {
                client.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")?;
                client.try_response()
            })
            .err()
    });
}

#[test]
fn a_host_with_other_rules_than_the_name_of_the_connection_is_misdirected() {
    let safe = Safe::new();
    let (_, path) = safe.pair(
        "a.pem",
        &["open.test", "closed.test", "a.in.test", "b.in.test"],
    );
    let ca = safe.put("ca.pem", &safe.authority.pem);
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin])
        .rest(&format!(
            "[frontend.web.tls]\ncertificates = {path}\n\
             [frontend.web.tls.names.\"closed.test\"]\nclient_auth = {{ ca = {ca} }}\n\
             [frontend.web.tls.names.\"*.in.test\"]\nmin_version = '1.3'"
        ))
        .start();
    let mut open = safe.speech().connect(proxy.address(), "open.test");
    let answer = open.get("closed.test", "/");
    assert_eq!(
        (answer.status(), &*answer.reason()),
        (421, "request.host.misdirected")
    );
    assert_eq!(open.get("other.test", "/").status(), 200, "the same rules");
    assert_eq!(open.get("open.test", "/").status(), 200);
    safe.speech().refusal(proxy.address(), "closed.test");
    let alice = safe.authority.client(&["alice"], 7);
    let mut closed =
        Speech::showing(&safe.authority, &alice).connect(proxy.address(), "closed.test");
    assert_eq!(closed.get("closed.test", "/").status(), 200);
    assert_eq!(closed.get("open.test", "/").status(), 421);
    let mut wildcard = safe.speech().connect(proxy.address(), "a.in.test");
    assert_eq!(wildcard.get("b.in.test", "/").status(), 200);
    Speech::old(&safe.authority).refusal(proxy.address(), "a.in.test");
    assert_eq!(
        Speech::old(&safe.authority)
            .connect(proxy.address(), "open.test")
            .get("open.test", "/")
            .status(),
        200
    );
}

#[test]
fn a_renewed_certificate_is_served_and_a_broken_one_changes_nothing() {
    let safe = Safe::new();
    let (first, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let program = Program::start(&with_tls(&origin, &format!("certificates = {path}")));
    let speech = safe.speech();
    let served = || speech.connect(program.address(), "a.test").certificate();
    let mut open = speech.connect(program.address(), "a.test");
    assert_eq!(first, served());
    let expired = safe.authority.pair_until(&["a.test"], 2001);
    let other = safe.authority.pair(&["a.test"]);
    let mismatched = format!("{}{}", other.certificate, first.key);
    for (text, why) in [
        ("nothing", "has no certificate"),
        (
            mismatched.as_str(),
            "does not belong to its first certificate",
        ),
        (expired.whole().as_str(), "it has expired"),
    ] {
        let before = program.events_of("certificate.broken").len();
        safe.put("a.pem", text);
        let event = program.wait_for_another("certificate.broken", before + 1);
        assert!(event.to_string().contains(why), "{event}");
        assert_eq!(first, served());
        let status = program.admin("GET", "/status").text();
        assert!(status.contains(why), "{status}");
        let metrics = program.admin("GET", "/metrics").text();
        assert!(
            metrics.contains("evenkeel_certificates_broken 1\n"),
            "{metrics}"
        );
    }
    let second = safe.authority.pair(&["a.test"]);
    safe.put("a.pem", &second.whole());
    program.wait_for("certificate.renewed");
    until("the new certificate", || (second == served()).then_some(()));
    let metrics = program.admin("GET", "/metrics").text();
    assert!(
        metrics.contains("evenkeel_certificates_broken 0\n"),
        "{metrics}"
    );
    let expiry = "evenkeel_certificate_expiry_timestamp_seconds{name=\"a.test\"} 4102444800\n";
    assert!(metrics.contains(expiry), "{metrics}");
    assert_eq!(
        open.get("a.test", "/").text(),
        "a",
        "the open connection stays"
    );
}

#[test]
fn a_file_that_never_was_valid_does_not_hold_back_the_others() {
    let safe = Safe::new();
    std::fs::create_dir(safe.folder.path("all")).expect("a folder of our own");
    safe.folder
        .write("all/a.pem", &safe.authority.pair(&["a.test"]).whole());
    let path = safe.named("all");
    let origin = Origin::named("a");
    let program = Program::start(&with_tls(&origin, &format!("certificates = {path}")));
    safe.folder.write("all/b.pem", "nothing");
    program.wait_for("certificate.broken");
    let renewed = safe.authority.pair(&["a.test"]);
    safe.folder.write("all/a.pem", &renewed.whole());
    until("the renewed one is served", || {
        let client = safe.speech().connect(program.address(), "a.test");
        (renewed == client.certificate()).then_some(())
    });
    // A client that requests a reload gets the error all the same.
    assert_eq!(program.admin("POST", "/reload").status(), 422);
}

#[test]
fn an_emptied_directory_is_an_error_and_a_missing_file_is_reported_with_its_names() {
    let safe = Safe::new();
    std::fs::create_dir(safe.folder.path("all")).expect("a folder of our own");
    let first = safe.authority.pair(&["a.test"]);
    safe.folder.write("all/a.pem", &first.whole());
    let second = safe.authority.pair(&["b.test", "*.c.test", "a.test"]);
    safe.folder.write("all/b.pem", &second.whole());
    let path = safe.named("all");
    let origin = Origin::named("a");
    let program = Program::start(&with_tls(&origin, &format!("certificates = {path}")));
    let remove = |name: &str| {
        std::fs::remove_file(safe.folder.path(name)).expect("it is there");
    };
    let has_metric = |what: &str| {
        let metrics = program.admin("GET", "/metrics").text();
        assert!(metrics.contains(what), "{what}: {metrics}");
    };
    remove("all/b.pem");
    let event = program.wait_for("certificate.gone");
    assert_eq!(
        (&event["level"], &event["names"]),
        (&"warn".into(), &"*.c.test, b.test".into())
    );
    has_metric("evenkeel_certificates_broken 0\n");

    remove("all/a.pem");
    let event = program.wait_for("certificate.broken");
    assert_eq!(event["level"], "error");
    assert!(
        event.to_string().contains("has no certificates any more"),
        "{event}"
    );
    let served = safe
        .speech()
        .connect(program.address(), "a.test")
        .certificate();
    assert_eq!(first, served);
    has_metric("evenkeel_certificates_broken 1\n");
    has_metric("evenkeel_certificate_expiry_timestamp_seconds{name=\"a.test\"} 4102444800\n");
    let status: Value =
        serde_json::from_str(&program.admin("GET", "/status").text()).expect("JSON");
    assert_eq!(status["certificates"]["names"], 1, "{status}");
    let answer = program.admin("POST", "/reload");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(
        answer.text().contains("its last usable state stays in use"),
        "{}",
        answer.text()
    );
    assert_eq!(program.events_of("certificate.gone").len(), 1);
    assert_eq!(program.events_of("certificate.renewed").len(), 0);
}

#[test]
fn a_reload_keeps_the_old_content_of_a_broken_file() {
    let safe = Safe::new();
    let (first, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let setup = with_tls(&origin, &format!("certificates = {path}"));
    let proxy = setup.start();
    safe.put("a.pem", "nothing");
    // It is reported also if the configuration is unchanged.
    for lines in ["", "max_connections = 100", ""] {
        let before = proxy.generation();
        proxy.write(&setup.clone().frontend(lines));
        let answer = proxy.reload();
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert!(
            answer.text().contains("its last usable state stays in use"),
            "{}",
            answer.text()
        );
        let is_new = proxy.generation() > before;
        assert_eq!(is_new, before > 1 || !lines.is_empty());
    }
    let client = safe.speech().connect(proxy.address(), "a.test");
    assert_eq!(first, client.certificate());

    // A certificate that was never usable is another case.
    let other = safe.put("b.pem", "nothing");
    proxy.write(&with_tls(
        &origin,
        &format!("certificates = [{path}, {other}]"),
    ));
    let answer = proxy.reload();
    assert_eq!(answer.status(), 422, "{}", answer.text());
    assert!(
        answer.text().contains("has no certificate"),
        "{}",
        answer.text()
    );
}

#[test]
fn a_reload_can_change_the_protocol_of_a_frontend() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let clear = Setup::of(&[&origin]);
    let proxy = clear.start();
    let mut before = proxy.client();
    assert_eq!(before.get("/clear").status(), 200);

    proxy.apply(&with_tls(&origin, &format!("certificates = {path}")));
    let mut client = safe.speech().connect(proxy.address(), "a.test");
    assert_eq!(client.get("a.test", "/secured").status(), 200);
    // An existing connection continues as it was accepted.
    assert_eq!(before.get("/clear/still").status(), 200);

    proxy.apply(&clear.clone().frontend("mode = 'tcp'"));
    assert_eq!(proxy.get("/bytes").status(), 200);
    assert_eq!(client.get("a.test", "/secured/still").status(), 200);

    proxy.apply(&clear);
    assert_eq!(proxy.get("/clear/again").status(), 200);
    let is_looked_at = |target| origin.request_of(target).field("x-request-id").is_some();
    assert!(is_looked_at("/secured/still"));
    assert!(!is_looked_at("/bytes"));
    assert!(is_looked_at("/clear/again"));
}

#[test]
fn check_reports_the_line_of_an_unusable_file() {
    let safe = Safe::new();
    safe.pair("good.pem", &["a.test"]);
    let expired = safe.authority.pair_until(&["a.test"], 2001);
    safe.put("expired.pem", &expired.whole());
    safe.put("bad.pem", "nothing");
    let text = |certificates: &str| {
        format!(
            "[frontend.web]\nlisten = '127.0.0.1:8080'\nbackend = 'app'\n[frontend.web.tls]\n\
             certificates = [\n{certificates}\n]\n[backend.app]\nservers = '127.0.0.1:1'\n"
        )
    };
    let check = |certificates: &str| {
        let file = safe.folder.write("evenkeel.toml", &text(certificates));
        let output = evenkeel(&["check", &file.display().to_string()]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = check("'good.pem',\n'bad.pem',\n'missing.pem'");
    assert_eq!(code, Some(1), "{text}");
    for (line, why) in [
        ("evenkeel.toml:7:1", "bad.pem has no certificate"),
        ("evenkeel.toml:8:1", "missing.pem: no such file"),
    ] {
        assert!(text.contains(line) && text.contains(why), "{text}");
    }
    let (code, text) = check("'good.pem',\n'expired.pem'");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("expired.pem has expired"), "{text}");
}

#[test]
fn check_warns_of_rules_for_names_without_a_certificate() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test", "*.b.test"]);
    let check = |name: &str, lines: &str| {
        let text = format!(
            "[frontend.web]\nlisten = '127.0.0.1:0'\nbackend = 'app'\n\
             [frontend.web.tls]\ncertificates = {path}\n{lines}\n\
             [frontend.web.tls.names]\n'{name}' = {{ min_version = '1.3' }}\n\
             [backend.app]\nservers = '127.0.0.1:1'\n"
        );
        let file = safe.folder.write("evenkeel.toml", &text);
        let output = evenkeel(&["check", &file.display().to_string()]);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for covered in ["a.test", "x.b.test", "*.b.test", "*.test"] {
        assert_eq!(check(covered, ""), "", "{covered}");
    }
    for (name, lines, outcome) in [
        (
            "c.test",
            "",
            "clients that ask for it get the default certificate",
        ),
        (
            "y.x.b.test",
            "",
            "clients that ask for it get the default certificate",
        ),
        (
            "*.a.test",
            "strict_sni = true",
            "clients that ask for it are refused",
        ),
    ] {
        let text = check(name, lines);
        let message = format!("no certificate here has the name {name:?}: {outcome}");
        assert!(text.contains(&message), "{text}");
        assert!(text.contains("evenkeel.toml:8"), "{text}");
    }
}

#[test]
fn a_slow_handshake_is_ended() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let proxy = with_tls(&origin, &format!("certificates = {path}"))
        .frontend("timeout = { handshake = '300ms' }")
        .start_paused();
    let mut silent = Client::connect(proxy.address());
    silent.hears_in_time(&proxy);
    silent.is_closed();
    let mut slow = Client::connect(proxy.address());
    slow.send([22, 3, 1, 2, 0]).hears_in_time(&proxy);
    slow.rest();
    wait_for_failures(&proxy, "timeout", 2.0);
    let mut gone = Client::connect(proxy.address());
    gone.send([22, 3, 1, 2, 0]).half_close();
    gone.rest();
    wait_for_failures(&proxy, "closed", 1.0);
    assert!(proxy.lines().is_empty(), "no request, no line");
}

#[test]
fn a_client_without_tls_gets_an_alert() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let proxy = with_tls(&origin, &format!("certificates = {path}")).start();
    let mut plain = Client::connect(proxy.address());
    plain.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let (bytes, _) = plain.rest();
    assert_eq!(bytes.first(), Some(&21), "{bytes:?}");
    wait_for_failures(&proxy, "not_tls", 1.0);
    assert!(origin.has_seen_nothing());
}

#[test]
fn handshakes_over_the_limit_wait_and_silent_clients_do_not_count() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let proxy = with_tls(
        &origin,
        &format!("certificates = {path}, max_handshakes = 1"),
    )
    .workers(1)
    .start();
    let _silent: Vec<Client> = (0..5).map(|_| Client::connect(proxy.address())).collect();
    let mut quick = safe.speech().connect(proxy.address(), "a.test");
    assert_eq!(quick.get("a.test", "/").text(), "a");
    // Sends a ClientHello, and then nothing: it has the only place until it closes.
    let mut held = TcpStream::connect(proxy.address()).expect("it listens");
    held.write_all(&safe.speech().hello("a.test"))
        .expect("it takes it");
    held.read_exact(&mut [0; 1])
        .expect("our side of the handshake");
    let (speech, address) = (safe.speech(), proxy.address());
    let waiting = std::thread::spawn(move || {
        let mut client = speech.connect(address, "a.test");
        client.get("a.test", "/").text()
    });
    let span = Duration::from_millis(300);
    while_for(span, "one handshake at a time", || !waiting.is_finished());
    drop(held);
    assert_eq!(waiting.join().expect("its turn came"), "a");
    wait_for_failures(&proxy, "closed", 1.0);
}

#[test]
fn an_idle_connection_is_parked_and_loses_nothing() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let proxy = with_tls(&origin, &format!("certificates = {path}")).start();
    let speech = safe.speech();
    // Around the second after which a connection parks, from well before to well after.
    let clients: Vec<_> = (0..40)
        .map(|number| {
            let mut client = speech.connect(proxy.address(), "a.test");
            std::thread::spawn(move || {
                for round in 0..3 {
                    assert_eq!(client.get("a.test", "/").text(), "a");
                    let pause = Duration::from_millis(900 + number * 5);
                    client.is_quiet_for(pause);
                    // Two requests in one record, cut in the middle of the second.
                    let two = "GET /1 HTTP/1.1\r\nhost: a.test\r\n\r\n".repeat(2);
                    let (one, other) = two.split_at(two.len() - 7 - round);
                    client.send(one).expect("it takes it");
                    client.send(other).expect("it takes it");
                    for _ in 0..2 {
                        assert_eq!(client.try_response().expect("an answer").text(), "a");
                    }
                }
                client.half_close();
                client.is_closed();
            })
        })
        .collect();
    for client in clients {
        client.join().expect("nothing is lost");
    }
    assert_eq!(proxy.end().len(), 40 * 9);
}

#[test]
fn large_bodies_pass_completely() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let body = "0123456789abcdef".repeat(128 << 10);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let origin = Origin::answering(answer);
    let proxy = with_tls(&origin, &format!("certificates = {path}")).start();
    let mut client = safe.speech().connect(proxy.address(), "a.test");
    let sent = format!(
        "POST /up HTTP/1.1\r\nhost: a.test\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..2 {
        let answer = client.ask(&sent);
        assert!(answer.text() == body, "it is another one");
    }
    assert!(
        origin
            .requests()
            .iter()
            .all(|request| request.text() == body)
    );
}

#[test]
fn a_client_that_takes_nothing_is_closed() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let body = "x".repeat(16 << 20);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let origin = Origin::answering(answer);
    let proxy = with_tls(&origin, &format!("certificates = {path}"))
        .frontend("timeout = { body = '500ms' }")
        .start();
    let mut client = safe.speech().connect(proxy.address(), "a.test");
    client
        .send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
        .expect("it takes it");
    assert_eq!(proxy.line().text("reason"), "client.stalled");
}

#[test]
fn a_close_notify_is_sent_on_drain_too() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let mut proxy = with_tls(&origin, &format!("certificates = {path}")).start();
    let mut client = safe.speech().connect(proxy.address(), "a.test");
    client.get("a.test", "/");
    proxy.drain();
    client.is_closed();
    proxy.wait_for_end();
}

#[test]
fn a_proxy_header_comes_before_the_handshake() {
    let safe = Safe::new();
    let (_, path) = safe.pair("a.pem", &["a.test"]);
    let origin = Origin::named("a");
    let proxy = with_tls(&origin, &format!("certificates = {path}"))
        .frontend("proxy_protocol = 'required'")
        .start();
    let mut stream = TcpStream::connect(proxy.address()).expect("it listens");
    let header = b"PROXY TCP4 192.0.2.9 192.0.2.1 4711 443\r\n";
    stream.write_all(header).expect("it takes it");
    let client = safe.speech().over(stream, "a.test");
    let mut client = client.expect("a handshake");
    assert_eq!(client.get("a.test", "/").text(), "a");
    let request = origin.request_of("/");
    assert_eq!(request.field("x-forwarded-for"), Some("192.0.2.9"));
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
}

#[test]
fn certificates_that_expire_soon_are_reported() {
    let safe = Safe::new();
    let soon = safe.authority.pair_for_days(&["soon.test"], 5);
    let soon = safe.put("soon.pem", &soon.whole());
    let late = safe.authority.pair_for_days(&["late.test"], 60);
    let late = safe.put("late.pem", &late.whole());
    let gone = safe.authority.pair_until(&["gone.test"], 2001);
    let gone = safe.put("gone.pem", &gone.whole());
    let origin = Origin::named("a");
    let certificates = format!("certificates = [{soon}, {late}, {gone}]");
    let program = Program::start(&with_tls(&origin, &certificates));
    let event = program.wait_for("certificate.expires");
    assert_eq!(event["days"], 5, "whole days: {event}");
    let event = program.wait_for("certificate.expired");
    assert!(event.to_string().contains("gone.pem"), "{event}");
    // Another look reports nothing new.
    safe.put("late.pem", &safe.authority.pair(&["late.test"]).whole());
    program.wait_for("certificate.renewed");
    assert_eq!(program.events_of("certificate.expires").len(), 1);
    assert_eq!(program.events_of("certificate.expired").len(), 1);
}
