//! TLS towards servers: trusted certificates, names, and cached sessions and connections.

use std::fs;

use evenkeel::base::Fingerprint;
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::rig::{
    Authority, Folder, Good, Handshakes, Message, Offer, Origin, Pair, Program, Proxy, Reply,
    Setup, evenkeel_trusting, until,
};

const NAME: &str = "app.example";

/// A server with a certificate for `names`, and a file with the authority that signed it.
fn server(names: &[&str], offer: Offer) -> (Good, Authority) {
    let authority = Authority::new("an authority");
    let handshakes = Handshakes::showing(&authority.pair(names), offer);
    (Good::secured(handshakes, |_| Reply::of("ok")), authority)
}

/// The proxy before `origin`, with these lines in `[backend.app]`; `CA` stands for a file with
/// `authority`.
fn before(origin: &Good, authority: &Authority, lines: &str) -> (Proxy, Folder) {
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let lines = lines.replace("CA", &format!("'{}'", ca.display()));
    let proxy = Setup::at([origin.address()])
        .workers(1)
        .backend(&lines)
        .start();
    (proxy, folder)
}

fn get(proxy: &Proxy, host: &str) -> Message {
    proxy.ask(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"))
}

/// The result of a request to `app.example`.
fn verdict(origin: &Good, authority: &Authority, lines: &str) -> (u64, String) {
    let (proxy, _folder) = before(origin, authority, lines);
    get(&proxy, NAME);
    let (status, reason) = {
        let lines = proxy.end();
        let (status, reason) = lines[0].verdict();
        (status, reason.to_owned())
    };
    (status, reason)
}

const NO_CERTIFICATE: &str = "server.tls.certificate";

#[test]
fn a_server_whose_authority_is_known_is_trusted() {
    for offer in [Offer::Http1, Offer::Both, Offer::Nothing] {
        let (origin, authority) = server(&[NAME], offer);
        let (proxy, _folder) = before(&origin, &authority, "tls = { ca = CA }");
        let mut client = proxy.client();
        for _ in 0..3 {
            let request = format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
            assert_eq!(client.ask(request).text(), "ok");
        }
        assert_eq!(origin.connections(), 1);
        assert_eq!(origin.names(), [Some(NAME.to_owned())]);
    }
}

#[test]
fn the_version_of_http_is_what_the_server_prefers() {
    for (offer, lines, version, scheme) in [
        (Offer::Both, "tls = { ca = CA }", "HTTP/2.0", Some("https")),
        (Offer::Http1, "tls = { ca = CA }", "HTTP/1.1", None),
        (
            Offer::Both,
            "protocol = 'h1'\ntls = { ca = CA }",
            "HTTP/1.1",
            None,
        ),
        (
            Offer::Both,
            "protocol = 'h2'\ntls = { ca = CA }",
            "HTTP/2.0",
            Some("https"),
        ),
    ] {
        let (origin, authority) = server(&[NAME], offer);
        let (proxy, _folder) = before(&origin, &authority, lines);
        assert_eq!(get(&proxy, NAME).text(), "ok");
        let request = origin.request();
        assert_eq!(format!("{:?}", request.version()), version, "{lines}");
        assert_eq!(request.uri().scheme_str(), scheme, "{lines}");
    }
}

#[test]
fn exchanges_that_wait_for_the_first_connection_use_http1_if_the_server_chooses_it() {
    let (origin, authority) = server(&[NAME], Offer::Http1);
    let (proxy, _folder) = before(&origin, &authority, "tls = { ca = CA }");
    let mut clients: Vec<_> = (0..20).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n"));
    }
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
}

#[test]
fn a_server_that_does_not_offer_http2_when_only_that_will_do_is_not_sent_to() {
    let (origin, authority) = server(&[NAME], Offer::Nothing);
    let outcome = verdict(&origin, &authority, "protocol = 'h2'\ntls = { ca = CA }");
    assert_eq!(outcome, (503, "server.tls.handshake".to_owned()));
}

#[test]
fn an_unknown_authority_is_not_believed() {
    let (origin, _) = server(&[NAME], Offer::Both);
    let other = Authority::new("another");
    let refused = (503, NO_CERTIFICATE.to_owned());
    assert_eq!(verdict(&origin, &other, "tls = { ca = CA }"), refused);
}

#[test]
fn the_systems_authorities_are_read_again_at_each_reload() {
    let (origin, authority) = server(&[NAME], Offer::Both);
    let folder = Folder::new();
    let system = folder.write("system.pem", &Authority::new("another").pem);
    let program = Program::spawn_after(
        &format!(
            "unset SSL_CERT_DIR; export SSL_CERT_FILE='{}'",
            system.display()
        ),
        &Setup::at([origin.address()]).backend("tls = true"),
    );
    program.wait_for("process.started");
    let mut client = program.client();
    let mut status = || {
        let ask = format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
        client.ask(ask).status()
    };
    assert_eq!(status(), 503);
    until("it is logged why", || {
        program.log().contains(NO_CERTIFICATE).then_some(())
    });
    program.signal(Signal::HUP);
    program.wait_for("reload.unchanged");
    folder.replace("system.pem", &authority.pem);
    program.signal(Signal::HUP);
    // By this reload, or by the check of files after the previous one.
    until("the new authority is believed", || {
        (status() == 200).then_some(())
    });
    let said = until("it is said", || {
        let events = ["server.tls_renewed", "reload.applied"];
        events
            .iter()
            .find_map(|event| program.events_of(event).pop())
    });
    assert!(said.to_string().contains("app"), "{said}");
    // An unusable file does not end the trust in the old content.
    folder.replace("system.pem", "nothing");
    program.signal(Signal::HUP);
    let failed = program.wait_for("reload.failed").to_string();
    assert!(
        failed.contains("the system has no CA certificates"),
        "{failed}"
    );
    assert_eq!(status(), 200);
}

#[test]
fn a_refused_certificate_is_logged_once_and_not_for_each_request() {
    let (origin, _) = server(&[NAME], Offer::Both);
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &Authority::new("another").pem);
    let tls = format!("tls = {{ ca = '{}' }}", ca.display());
    let program = Program::start(&Setup::at([origin.address()]).backend(&tls));
    for _ in 0..5 {
        let ask = format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
        assert_eq!(program.client().ask(ask).status(), 503);
    }
    let event = program.wait_for("server.tls_failed");
    assert_eq!(event["reason"], NO_CERTIFICATE);
    assert!(
        event
            .to_string()
            .contains("is signed by no CA that is trusted here"),
        "{event}"
    );
    assert_eq!(program.events_of("server.tls_failed").len(), 1);
}

#[test]
fn a_certificate_for_another_name_is_not_believed() {
    let (origin, authority) = server(&["other.example"], Offer::Both);
    let outcome = verdict(&origin, &authority, "tls = { ca = CA }");
    assert_eq!(outcome, (503, NO_CERTIFICATE.to_owned()));
}

#[test]
fn a_certificate_that_has_expired_is_not_believed() {
    let authority = Authority::new("an authority");
    let pair = authority.pair_until(&[NAME], 2001);
    let origin = Good::secured(Handshakes::showing(&pair, Offer::Both), |_| Reply::of("ok"));
    let outcome = verdict(&origin, &authority, "tls = { ca = CA }");
    assert_eq!(outcome, (503, NO_CERTIFICATE.to_owned()));
}

#[test]
fn without_verification_any_certificate_is_believed() {
    let (origin, _) = server(&["other.example"], Offer::Both);
    let other = Authority::new("another");
    let (proxy, _folder) = before(&origin, &other, "tls = { verify = 'none' }");
    assert_eq!(get(&proxy, NAME).text(), "ok");
}

#[test]
fn nothing_is_sent_without_tls_to_a_server_that_has_no_tls() {
    let origin = Origin::scripted(|visit| {
        visit.bytes(5);
        visit.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        visit.wait_for_end();
    });
    let other = Authority::new("another");
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &other.pem);
    let proxy = Setup::of(&[&origin])
        .backend(&format!("tls = {{ ca = '{}' }}", ca.display()))
        .start();
    assert_eq!(get(&proxy, NAME).status(), 503);
    let log = proxy.end();
    assert_eq!(log[0].verdict(), (503, "server.tls.handshake"));
    assert!(!origin.received(0).contains("GET"));
}

#[test]
fn a_server_without_tls_is_reported_in_these_words() {
    let said = "the server does not speak TLS: it answers with something else";
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-x\r\n"] {
        let origin = Origin::scripted(move |visit| {
            visit.bytes(5);
            visit.send(answer);
            visit.wait_for_end();
        });
        let setup = Setup::of(&[&origin]).backend("tls = { verify = 'none' }");
        let program = Program::start(&setup);
        let ask = format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
        assert_eq!(program.client().ask(ask).status(), 503);
        let event = program.wait_for("server.tls_failed");
        assert!(event.to_string().contains(said), "{event}");

        let check = format!(
            "health = {{ path = '/', host = '{NAME}', interval = '10ms', timeout = '20s' }}"
        );
        let proxy = setup.backend(&check).start();
        proxy.wait_for_state(origin.address(), "down");
        let reason = proxy.server(origin.address())["reason"].clone();
        let reason = reason.as_str().unwrap_or_default();
        assert!(reason.starts_with(said), "{reason}");
    }
}

#[test]
fn a_server_with_a_bad_certificate_is_left_for_another() {
    let (bad, _) = server(&["other.example"], Offer::Both);
    let (good, authority) = server(&[NAME], Offer::Both);
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let proxy = Setup::at([bad.address(), good.address()])
        .workers(1)
        .backend(&format!("tls = {{ ca = '{}' }}", ca.display()))
        .start();
    for _ in 0..4 {
        assert_eq!(get(&proxy, NAME).text(), "ok");
    }
}

// Names.

#[test]
fn the_name_that_is_asked_by_is_the_one_that_is_configured() {
    let wanted = |name: &str| Some(name.to_owned());
    for (lines, name) in [
        (
            "tls = { ca = CA, sni = 'fixed.example' }",
            wanted("fixed.example"),
        ),
        (
            "tls = { ca = CA, sni = 'other.example', verify_name = 'fixed.example' }",
            wanted("other.example"),
        ),
        (
            "tls = { ca = CA, sni = 'off', verify_name = 'fixed.example' }",
            None,
        ),
    ] {
        let (origin, authority) = server(&["fixed.example"], Offer::Both);
        let (proxy, _folder) = before(&origin, &authority, lines);
        for host in ["a.example", "b.example"] {
            assert_eq!(get(&proxy, host).text(), "ok", "{lines}");
        }
        assert_eq!(origin.names(), [name], "{lines}");
    }
}

#[test]
fn a_server_can_be_asked_by_its_own_name() {
    let authority = Authority::new("an authority");
    let pair = authority.pair(&["one.example"]);
    let origin = Good::secured(Handshakes::showing(&pair, Offer::Both), |_| Reply::of("ok"));
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let server = format!(
        "{{ name = 'one.example', address = '{}' }}",
        origin.address()
    );
    let proxy = Setup::servers([server])
        .workers(1)
        .backend(&format!(
            "tls = {{ ca = '{}', sni = 'server' }}",
            ca.display()
        ))
        .start();
    assert_eq!(get(&proxy, "whatever.example").text(), "ok");
    assert_eq!(origin.names(), [Some("one.example".to_owned())]);
}

#[test]
fn a_connection_that_was_asked_for_by_one_host_is_not_used_for_another() {
    let (origin, authority) = server(&["a.example", "b.example"], Offer::Both);
    let (proxy, _folder) = before(&origin, &authority, "tls = { ca = CA }");
    for _ in 0..3 {
        for host in ["a.example", "b.example:8443"] {
            assert_eq!(get(&proxy, host).text(), "ok");
        }
    }
    let asked = ["a.example", "b.example"].map(|name| Some(name.to_owned()));
    assert_eq!(origin.names(), asked);
}

#[test]
fn a_name_that_the_certificate_does_not_have_is_that_requests_fault_alone() {
    let (origin, authority) = server(&["a.example"], Offer::Both);
    let (proxy, _folder) = before(&origin, &authority, "tls = { ca = CA }");
    assert_eq!(get(&proxy, "a.example").status(), 200);
    assert_eq!(get(&proxy, "b.example").status(), 503);
    assert_eq!(get(&proxy, "a.example").status(), 200);
    assert_eq!(origin.names().len(), 1);
}

// What is kept.

#[test]
fn a_second_handshake_resumes_the_first_also_after_a_reload() {
    let (origin, authority) = server(&[NAME], Offer::Http1);
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let setup = Setup::at([origin.address()])
        .workers(1)
        .backend(&format!("tls = {{ ca = '{}' }}", ca.display()))
        .backend("pool = { max_idle = 0 }");
    let proxy = setup.start();
    assert_eq!(get(&proxy, NAME).status(), 200);
    assert_eq!(get(&proxy, NAME).status(), 200);
    assert_eq!((origin.connections(), origin.resumed()), (2, 1));
    proxy.apply(&setup.clone().backend("attempts = 2"));
    assert_eq!(get(&proxy, NAME).status(), 200);
    assert_eq!((origin.connections(), origin.resumed()), (3, 2));
}

#[test]
fn connections_that_were_believed_by_other_rules_are_not_used() {
    let (origin, authority) = server(&[NAME], Offer::Both);
    let other = Authority::new("another");
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let setup = |lines: &str| {
        Setup::at([origin.address()])
            .workers(1)
            .backend(&format!("tls = {{ ca = '{}' }}\n{lines}", ca.display()))
    };
    let proxy = setup("").start();
    assert_eq!(get(&proxy, NAME).status(), 200);
    // The same line, with another file.
    fs::write(&ca, &other.pem).expect("a file");
    proxy.apply(&setup("attempts = 2"));
    assert_eq!(get(&proxy, NAME).status(), 503);
}

#[test]
fn a_renewed_authority_is_believed_and_a_broken_file_changes_nothing() {
    let (origin, authority) = server(&[NAME], Offer::Both);
    let other = Authority::new("another");
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &other.pem);
    let tls = format!("tls = {{ ca = '{}' }}", ca.display());
    let program = Program::start(&Setup::at([origin.address()]).backend(&tls));
    let ask = format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
    let status = || program.client().ask(&ask).status();
    let is = |wanted| move || (status() == wanted).then_some(());
    assert_eq!(status(), 503);
    folder.replace("ca.pem", &authority.pem);
    until("the renewed authority is believed", is(200));
    // An unusable file is reported, and the former content stays in use.
    let no_authority = authority.pem.replacen("MII", "MIX", 1);
    for (text, why) in [
        ("nothing", "has no CA certificate"),
        (&no_authority, "has a CA certificate that cannot be parsed"),
    ] {
        let before = program.events_of("certificate.broken").len();
        folder.replace("ca.pem", text);
        let event = program.wait_for_another("certificate.broken", before + 1);
        assert!(event.to_string().contains(why), "{event}");
        assert_eq!(status(), 200);
        let said = program.admin("GET", "/status").text();
        assert!(said.contains(why), "{said}");
        let metrics = program.admin("GET", "/metrics").text();
        assert!(
            metrics.contains("evenkeel_certificates_broken 1\n"),
            "{metrics}"
        );
    }
    // Nor is a connection reused that was opened when another authority was trusted.
    folder.replace("ca.pem", &other.pem);
    until("the authority is believed no more", is(503));
}

#[test]
fn a_reload_without_changes_names_files_whose_former_content_is_used() {
    let (origin, authority) = server(&[NAME], Offer::Both);
    let (proxy, folder) = before(&origin, &authority, "tls = { ca = CA }");
    folder.replace("ca.pem", "nothing");
    let answer = proxy.reload();
    assert_eq!(answer.status(), 200);
    let text = answer.text();
    assert!(text.contains("\"changes\": []"), "{text}");
    assert!(
        text.contains("its last usable state stays in use"),
        "{text}"
    );
    assert_eq!(get(&proxy, NAME).status(), 200);
}

#[test]
fn files_that_a_reload_by_the_admin_listener_brings_are_watched() {
    let (origin, authority) = server(&[NAME], Offer::Both);
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &Authority::new("another").pem);
    let proxy = Setup::at([origin.address()]).start();
    let tls = format!("tls = {{ ca = '{}' }}", ca.display());
    proxy.apply(&Setup::at([origin.address()]).backend(&tls));
    assert_eq!(get(&proxy, NAME).status(), 503);
    folder.replace("ca.pem", &authority.pem);
    until("the renewed authority is believed", || {
        (get(&proxy, NAME).status() == 200).then_some(())
    });
}

// Who we are.

#[test]
fn a_server_that_asks_is_shown_our_certificate() {
    let authority = Authority::new("an authority");
    let clients = Authority::new("of clients");
    let ours = clients.pair(&["evenkeel"]);
    for offer in [Offer::Http1, Offer::Both] {
        let handshakes = Handshakes::asking(&authority.pair(&[NAME]), offer, &clients);
        let origin = Good::secured(handshakes, |_| Reply::of("ok"));
        let folder = Folder::new();
        let whole = folder.write("whole.pem", &ours.whole());
        let certificate = folder.write("client.pem", &ours.certificate);
        let key = folder.write("elsewhere.pem", &ours.key);
        let appended = folder.write("one.pem", &ours.certificate);
        folder.write("one.pem.key", &ours.key);
        let replaced = folder.write("two.crt", &ours.certificate);
        folder.write("two.key", &ours.key);
        for identity in [
            format!("certificate = '{}'", whole.display()),
            format!("certificate = '{}'", appended.display()),
            format!("certificate = '{}'", replaced.display()),
            format!(
                "certificate = '{}', key = '{}'",
                certificate.display(),
                key.display()
            ),
        ] {
            let lines = format!("tls = {{ ca = CA, {identity} }}");
            let (proxy, _folder) = before(&origin, &authority, &lines);
            assert_eq!(get(&proxy, NAME).text(), "ok");
        }
        assert_eq!(origin.shown(), 4);
        // Without one it refuses us, and reports why.
        let (status, reason) = verdict(&origin, &authority, "tls = { ca = CA }");
        assert_eq!((status, reason.as_str()), (503, "server.tls.handshake"));
    }
}

#[test]
fn a_renewed_certificate_of_ours_is_shown_and_a_broken_one_changes_nothing() {
    let authority = Authority::new("an authority");
    let clients = Authority::new("of clients");
    let handshakes = Handshakes::asking(&authority.pair(&[NAME]), Offer::Http1, &clients);
    let origin = Good::secured(handshakes, |_| Reply::of("ok"));
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let unknown = authority.pair(&["evenkeel"]);
    let ours = folder.write("client.pem", &unknown.whole());
    let lines = format!(
        "tls = {{ ca = '{}', certificate = '{}' }}\npool = {{ max_idle = 0 }}",
        ca.display(),
        ours.display()
    );
    let program = Program::start(&Setup::at([origin.address()]).backend(&lines));
    let ask = format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
    let status = || program.client().ask(&ask).status();
    assert_ne!(status(), 200);
    let known = clients.pair(&["evenkeel"]);
    folder.replace("client.pem", &known.whole());
    until("the renewed certificate", || {
        (status() == 200).then_some(())
    });
    let expired = clients.pair_until(&["evenkeel"], 2001);
    let mismatched = format!("{}{}", known.certificate, unknown.key);
    for (text, why) in [
        (mismatched, "does not belong to its first certificate"),
        (expired.whole(), "it has expired"),
    ] {
        let before = program.events_of("certificate.broken").len();
        folder.replace("client.pem", &text);
        let event = program.wait_for_another("certificate.broken", before + 1);
        assert!(event.to_string().contains(why), "{event}");
        assert_eq!(status(), 200, "{why}");
    }
    let metrics = program.admin("GET", "/metrics").text();
    let expiry = "evenkeel_certificate_expiry_timestamp_seconds{name=\"evenkeel\"} 4102444800\n";
    assert!(metrics.contains(expiry), "{metrics}");
}

// Files.

fn check(lines: &str, folder: &Folder) -> (Option<i32>, String) {
    let path = folder.write(
        "evenkeel.toml",
        &format!(
            "[frontend.web]\nlisten = '127.0.0.1:0'\nbackend = 'app'\n\
             [backend.app]\nservers = '127.0.0.1:1'\n{lines}\n"
        ),
    );
    // Not the system's certificates, because this machine may have none.
    let system = folder.write("system.pem", &Authority::new("the system's").pem);
    let output = evenkeel_trusting(&system, &["check", &path.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn check_names_the_line_of_a_file_that_cannot_be_used() {
    let authority = Authority::new("an authority");
    let pair = authority.pair(&["evenkeel"]);
    let other = authority.pair(&["other"]);
    let folder = Folder::new();
    folder.write("good.pem", &pair.certificate);
    folder.write("other.key", &other.key);
    folder.write("empty.pem", "");
    for (lines, what) in [
        ("tls = { ca = 'missing.pem' }", "cannot read"),
        ("tls = { ca = 'empty.pem' }", "has no CA certificate"),
        ("tls = { certificate = 'good.pem' }", "has no private key"),
        (
            "tls = { certificate = 'good.pem', key = 'other.key' }",
            "/other.key does not belong to the first certificate in",
        ),
    ] {
        let (code, said) = check(lines, &folder);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(what), "{said}");
        assert!(said.contains("evenkeel.toml:6"), "{said}");
    }
    let (code, said) = check("tls = { ca = 'good.pem', verify = 'full' }", &folder);
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

#[test]
fn check_warns_when_no_server_is_verified() {
    let (code, said) = check("tls = { verify = 'none' }", &Folder::new());
    assert_eq!(code, Some(0));
    assert!(said.contains("read and change everything"), "{said}");
}

#[test]
fn a_reload_with_a_file_that_cannot_be_used_changes_nothing() {
    let (origin, authority) = server(&[NAME], Offer::Both);
    let (proxy, folder) = before(&origin, &authority, "tls = { ca = CA }");
    let broken = folder.write("broken.pem", "nonsense");
    let setup = Setup::at([origin.address()])
        .workers(1)
        .backend(&format!("tls = {{ ca = '{}' }}", broken.display()));
    proxy.write(&setup);
    assert_eq!(proxy.reload().status(), 422);
    assert_eq!(get(&proxy, NAME).text(), "ok");
}

// Health checks.

#[test]
fn checks_speak_what_exchanges_speak() {
    for (offer, protocol) in [
        (Offer::Http1, "auto"),
        (Offer::Both, "auto"),
        (Offer::Both, "h2"),
    ] {
        let (origin, authority) = server(&[NAME], offer);
        let lines = format!(
            "protocol = '{protocol}'\ntls = {{ ca = CA }}\n\
             health = {{ path = '/healthz', host = '{NAME}', body = 'ok', interval = '10ms', timeout = '20s' }}"
        );
        let (proxy, _folder) = before(&origin, &authority, &lines);
        proxy.wait_for_state(origin.address(), "up");
        let names = origin.names();
        assert!(names.iter().all(|name| name.as_deref() == Some(NAME)));
        assert_eq!(get(&proxy, NAME).text(), "ok");
    }
}

#[test]
fn a_server_whose_certificate_is_refused_is_down_with_the_reason() {
    let (origin, _) = server(&[NAME], Offer::Both);
    let other = Authority::new("another");
    let lines = format!(
        "tls = {{ ca = CA }}\nhealth = {{ path = '/', host = '{NAME}', interval = '10ms', timeout = '20s' }}"
    );
    let (proxy, _folder) = before(&origin, &other, &lines);
    proxy.wait_for_state(origin.address(), "down");
    let reason = proxy.server(origin.address())["reason"].clone();
    let reason = reason.as_str().unwrap_or_default();
    assert!(
        reason.starts_with("TLS failed: the server's certificate is "),
        "{reason}"
    );
}

#[test]
fn a_check_without_a_name_to_ask_by_is_refused() {
    let (code, said) = check("tls = true\nhealth = '/'", &Folder::new());
    assert_eq!(code, Some(1));
    assert!(said.contains("a check has none"), "{said}");
    for good in [
        "tls = true\nhealth = 'tcp'",
        "tls = { sni = 'app.example' }\nhealth = '/'",
        "tls = true\nhealth = { path = '/', host = 'app.example' }",
    ] {
        assert_eq!(check(good, &Folder::new()).0, Some(0), "{good}");
    }
}

/// A server with the certificate `pair`, and the proxy before it with `tls = { lines }`, where
/// `CERTIFICATE` stands for a file with the certificate and `FINGERPRINT` for its fingerprint.
fn before_one_that_shows(pair: &Pair, lines: &str) -> (Good, Proxy, Folder) {
    let origin = Good::secured(Handshakes::showing(pair, Offer::Http1), |_| Reply::of("ok"));
    let folder = Folder::new();
    let file = folder.write("own.pem", &pair.certificate);
    let der = CertificateDer::from_pem_slice(pair.certificate.as_bytes());
    let fingerprint = Fingerprint::of(&der.expect("a certificate"));
    let lines = lines
        .replace("CERTIFICATE", &format!("'{}'", file.display()))
        .replace("FINGERPRINT", &format!("'{fingerprint}'"));
    let check = format!(
        "health = {{ path = '/', host = '{NAME}', interval = '20ms', timeout = '2m', fall = 1 }}"
    );
    let proxy = Setup::at([origin.address()])
        .backend(&format!("tls = {{ {lines} }}\n{check}"))
        .start();
    (origin, proxy, folder)
}

#[test]
fn a_server_that_signs_its_own_certificate_is_trusted_when_that_is_given() {
    for (common, names, is_ca) in [
        (NAME, &[NAME][..], true),
        (NAME, &[NAME], false),
        // As old tools make them: the name is nowhere else.
        (NAME, &[], true),
        (NAME, &[], false),
    ] {
        let pair = Pair::self_signed(common, names, is_ca);
        let (origin, proxy, _folder) = before_one_that_shows(&pair, "ca = CERTIFICATE");
        proxy.wait_for_state(origin.address(), "up");
        assert_eq!(get(&proxy, NAME).text(), "ok", "{names:?} {is_ca}");
    }
}

#[test]
fn a_certificate_that_is_given_still_has_to_be_for_the_name() {
    for (common, names) in [("other.example", &[][..]), (NAME, &["other.example"])] {
        let pair = Pair::self_signed(common, names, true);
        let (origin, proxy, _folder) = before_one_that_shows(&pair, "ca = CERTIFICATE");
        proxy.wait_for_state(origin.address(), "down");
        let reason = proxy.server(origin.address())["reason"].to_string();
        let said = format!("the server's certificate is not for `{NAME}` but for `other.example`");
        assert!(reason.contains(&said), "{reason}");
    }
}

#[test]
fn the_key_of_a_certificate_that_is_given_signs_for_no_other_name() {
    // If it counted as an authority, a certificate that it signed would be trusted.
    let own = Authority::without_right_to_sign(NAME);
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &own.pem);
    let handshakes = Handshakes::showing(&own.pair(&["other.example"]), Offer::Http1);
    let origin = Good::secured(handshakes, |_| Reply::of("ok"));
    let proxy = Setup::at([origin.address()])
        .backend(&format!("tls = {{ ca = '{}' }}", ca.display()))
        .start();
    assert_eq!(get(&proxy, "other.example").status(), 503);
    assert_eq!(proxy.end()[0].verdict(), (503, NO_CERTIFICATE));
}

#[test]
fn a_fingerprint_is_all_that_counts_of_a_certificate() {
    let expired = Authority::new("another").pair_until(&["other.example"], 2001);
    for pair in [expired, Pair::self_signed("x", &[], true)] {
        let (origin, proxy, _folder) = before_one_that_shows(&pair, "fingerprint = FINGERPRINT");
        proxy.wait_for_state(origin.address(), "up");
        assert_eq!(get(&proxy, NAME).text(), "ok");
    }
    let pair = Pair::self_signed(NAME, &[NAME], true);
    let zeros = format!("fingerprint = 'sha256:{}'", "00".repeat(32));
    let (origin, proxy, _folder) = before_one_that_shows(&pair, &zeros);
    proxy.wait_for_state(origin.address(), "down");
    let reason = proxy.server(origin.address())["reason"].to_string();
    assert!(
        reason.contains("another certificate than `fingerprint` names"),
        "{reason}"
    );
}

#[test]
fn certificate_errors_are_reported_in_words() {
    let expired = Authority::new("another").pair_until(&[NAME], 2001);
    let authority = Pair::self_signed(NAME, &[NAME], true);
    let leaf = Pair::self_signed(NAME, &[NAME], false);
    let other = Pair::self_signed("other.example", &["other.example"], true);
    let folder = Folder::new();
    let other_file = folder.write("other.pem", &other.certificate);
    let of_other = format!("ca = '{}'", other_file.display());
    for (pair, lines, said) in [
        (&expired, "ca = CERTIFICATE", "has expired "),
        (&authority, &*of_other, "is a CA certificate (CA:TRUE)"),
        (&leaf, &of_other, "is signed by no CA that is trusted here"),
    ] {
        let (origin, proxy, _folder) = before_one_that_shows(pair, lines);
        proxy.wait_for_state(origin.address(), "down");
        let reason = proxy.server(origin.address())["reason"].to_string();
        assert!(reason.contains(said), "{reason}");
        let is_raw = ["Other(", "InvalidCertificate", "invalid peer"];
        assert!(!is_raw.iter().any(|raw| reason.contains(raw)), "{reason}");
    }
}
