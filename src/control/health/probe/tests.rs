//! One check of a server that behaves by a script.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::HeaderValue;

use proptest::prelude::*;

use crate::base::Position;
use crate::control::health::scripted::{Script, Scripted, Step, Visit, answers, simulate};
use crate::control::health::state::Verdict;
use crate::plan::{HttpCheck, Protocol, ServerTls, Sni, StatusSet, Trust};
use crate::proxy::upstream::{Materials, Tls, Transport, Trusted};
use crate::wire::h1::HeadLimits;
use rustix::io::Errno;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(2);
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 80))
}

fn check() -> HttpCheck {
    HttpCheck {
        path: "/healthz".to_owned(),
        host: None,
        headers: Vec::new(),
        status: StatusSet::default(),
        body: None,
    }
}

fn expecting(text: &str) -> HttpCheck {
    HttpCheck {
        body: Some(text.to_owned()),
        ..check()
    }
}

/// TLS that trusts any server.
fn tls() -> Transport {
    let plan = ServerTls {
        trust: Trust::Anyone,
        sni: Sni::Host,
        verify_name: None,
        identity: None,
        at: Position::built_in(),
    };
    let materials = Materials {
        trusted: Trusted::All,
        identity: None,
        fingerprint: 0,
    };
    let tls = Tls::new(&plan, Protocol::Auto, materials).expect("rules that agree");
    Transport::Tls(Arc::new(tls))
}

/// One probe of a server with `script`: the outcome, and the visit as the server saw it.
fn visit(probe_of: Probe, script: Script) -> (Outcome, Visit) {
    visit_by(Transport::Clear, probe_of, script)
}

/// The same by `transport`.
fn visit_by(transport: Transport, probe_of: Probe, script: Script) -> (Outcome, Visit) {
    simulate(async {
        let scripted = Scripted::default();
        scripted.set(address(), script);
        let target = Target {
            address: address().into(),
            name: "a",
            protocol: Protocol::Auto,
            transport,
            head_limits: HeadLimits {
                bytes: HEAD_BOUND,
                fields: 100,
            },
            preamble: Vec::new(),
        };
        let outcome = probe(&scripted.network(), &target, &probe_of, TIMEOUT).await;
        // Lets the server see the end.
        clock::sleep(Duration::from_millis(1)).await;
        let visit = scripted.visits().pop().expect("there was a visit");
        (outcome, visit)
    })
}

fn ask(check: HttpCheck, script: Script) -> Outcome {
    visit(Probe::Http(check), script).0
}

fn ask_raw(check: HttpCheck, answer: impl AsRef<[u8]>) -> Outcome {
    ask(check, answers(answer))
}

#[track_caller]
fn assert_passed(outcome: &Outcome, reason: &str) {
    let expected = (Verdict::Passed, reason);
    assert_eq!((outcome.verdict, outcome.reason.as_str()), expected);
}

#[track_caller]
fn assert_failed(outcome: &Outcome, reason: &str) {
    let expected = (Verdict::Failed, reason);
    assert_eq!((outcome.verdict, outcome.reason.as_str()), expected);
}

#[test]
fn a_tcp_check_passes_when_the_connection_is_there() {
    let (outcome, visit) = visit(Probe::Tcp, Script::Accepts(vec![Step::Hold]));
    assert_passed(&outcome, "connected");
    assert!(visit.left.is_some());
}

#[test]
fn a_failed_connection_has_its_error() {
    for (kind, reason) in [
        (io::ErrorKind::ConnectionRefused, "connection refused"),
        (io::ErrorKind::ConnectionReset, "connection reset"),
        (io::ErrorKind::TimedOut, "connection timed out"),
        (io::ErrorKind::HostUnreachable, "host unreachable"),
        (io::ErrorKind::NetworkUnreachable, "network unreachable"),
    ] {
        for probe_of in [Probe::Tcp, Probe::Http(check())] {
            assert_failed(&visit(probe_of, Script::Fails(kind)).0, reason);
        }
    }
}

#[test]
fn a_connection_that_is_never_there_times_out() {
    for probe_of in [Probe::Tcp, Probe::Http(check())] {
        let (outcome, visit) = visit(probe_of, Script::Hangs);
        assert_failed(&outcome, "timed out after 2s while connecting");
        let left = visit.left.expect("has gone");
        assert_eq!(left - visit.at, TIMEOUT);
    }
}

#[test]
fn a_shortage_of_ours_is_no_fault_of_the_server() {
    for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
        let outcome = ask(check(), Script::FailsWith(errno.raw_os_error()));
        assert_eq!(outcome.verdict, Verdict::Unclear, "{errno:?}");
    }
    let refused = Script::FailsWith(Errno::CONNREFUSED.raw_os_error());
    assert_failed(&ask(check(), refused), "connection refused");
}

#[test]
fn the_request_is_short_and_names_its_sender() {
    let (outcome, visit) = visit(Probe::Http(check()), answers(OK));
    assert_passed(&outcome, "status 200");
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "GET /healthz HTTP/1.1\r\nhost: 10.0.0.1:80\r\nuser-agent: evenkeel-health/{version}\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(visit.head, expected);
}

#[test]
fn the_fields_of_the_user_are_sent_and_replace_ours() {
    let field = |name: &'static str, value: &'static str| {
        let name = http::HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    };
    let check = HttpCheck {
        host: Some(HeaderValue::from_static("app.example")),
        headers: vec![
            field("user-agent", "prober"),
            field("x-token", "a"),
            field("x-token", "b"),
            field("connection", "keep-alive"),
        ],
        ..check()
    };
    let (_, visit) = visit(Probe::Http(check), answers(OK));
    assert!(visit.head.contains("\r\nhost: app.example\r\n"));
    assert!(visit.head.contains("\r\nuser-agent: prober\r\n"));
    assert!(visit.head.contains("\r\nx-token: a\r\nx-token: b\r\n"));
    assert!(visit.head.contains("\r\nconnection: close\r\n"));
    assert_eq!(visit.head.matches("user-agent").count(), 1);
    assert_eq!(visit.head.matches("connection").count(), 1);
}

#[test]
fn the_status_decides() {
    for (status, passes) in [(199, false), (200, true), (399, true), (400, false)] {
        // 1xx is no answer: the final one is.
        let status = if status == 199 { 503 } else { status };
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        let outcome = ask_raw(check(), answer);
        let reason = format!("status {status}");
        if passes {
            assert_passed(&outcome, &reason);
        } else {
            assert_failed(&outcome, &reason);
        }
    }
    let check = HttpCheck {
        status: StatusSet(vec![204..=204, 401..=403]),
        ..check()
    };
    let unauthorized = "HTTP/1.1 401 X\r\ncontent-length: 0\r\n\r\n";
    assert_passed(&ask_raw(check.clone(), unauthorized), "status 401");
    assert_failed(&ask_raw(check, OK), "status 200");
}

#[test]
fn interim_answers_are_passed_over() {
    let answer = format!("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n{OK}");
    assert_passed(&ask_raw(check(), answer), "status 200");
    let endless = Script::Accepts(vec![
        Step::ReadHead,
        Step::WriteSlowly(
            b"HTTP/1.1 103 X\r\n\r\n".repeat(200),
            Duration::from_millis(1),
        ),
        Step::Hold,
    ]);
    assert_failed(
        &ask(check(), endless),
        "timed out after 2s while waiting for the response",
    );
}

#[test]
fn a_server_that_does_not_stop_sending_interim_answers_is_not_read_for_ever() {
    let much = b"HTTP/1.1 103 X\r\n\r\n".repeat((1 << 20) / 18);
    assert_failed(&ask_raw(check(), much), TOO_MUCH);
}

#[test]
fn an_answer_may_come_byte_by_byte_but_in_time() {
    let pause = TIMEOUT / (OK.len() as u32 + 10);
    let slow = |pause| {
        Script::Accepts(vec![
            Step::ReadHead,
            Step::WriteSlowly(OK.as_bytes().to_vec(), pause),
            Step::Hold,
        ])
    };
    assert_passed(&ask(expecting("ok"), slow(pause)), "status 200");
    assert_failed(
        &ask(check(), slow(2 * pause)),
        "timed out after 2s while waiting for the response",
    );
}

#[test]
fn a_server_that_is_silent_times_out() {
    let silent = Script::Accepts(vec![Step::Hold]);
    assert_failed(
        &ask(check(), silent),
        "timed out after 2s while waiting for the response",
    );
}

#[test]
fn a_server_of_tls_that_is_silent_times_out_in_the_handshake() {
    let silent = Script::Accepts(vec![Step::Hold]);
    let (outcome, visit) = visit_by(tls(), Probe::Http(check()), silent);
    assert_failed(&outcome, "timed out after 2s while in the TLS handshake");
    let left = visit.left.expect("has gone");
    assert_eq!(left - visit.at, TIMEOUT);
}

#[test]
fn what_is_no_http_is_called_so() {
    let smtp = "220 mail.example ESMTP ready\r\n";
    let http2 = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64";
    assert_failed(&ask_raw(check(), smtp), "response is not HTTP");
    assert_failed(&ask_raw(check(), http2), "response is not HTTP");
    assert_failed(&ask_raw(check(), [0xff; 100]), "response is not HTTP");
    // Sent before the request.
    let eager = Script::Accepts(vec![Step::Write(smtp.into()), Step::Hold]);
    assert_failed(&ask(check(), eager), "response is not HTTP");
}

#[test]
fn an_answer_that_exchanges_refuse_fails_the_check() {
    for (fields, why) in [
        (
            "content-length: 2\r\ncontent-length: 3",
            "Content-Length is not one decimal number",
        ),
        (
            "content-length: 2\r\ntransfer-encoding: chunked",
            "Content-Length beside Transfer-Encoding",
        ),
        (
            "transfer-encoding: gzip, chunked",
            "a transfer coding other than chunked",
        ),
        ("x : y\r\ncontent-length: 2", "a field line is malformed"),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nok");
        let outcome = ask_raw(check(), answer);
        assert_failed(&outcome, &format!("response is malformed: {why}"));
    }
    let many = "x: y\r\n".repeat(101);
    let outcome = ask_raw(check(), format!("HTTP/1.1 200 OK\r\n{many}\r\n"));
    assert_eq!(outcome.verdict, Verdict::Failed, "{}", outcome.reason);
    assert!(
        outcome.reason.contains("`limits.fields`"),
        "{}",
        outcome.reason
    );
}

#[test]
fn a_connection_that_ends_without_an_answer_has_its_error() {
    let closed = "connection closed before the response";
    assert_failed(&ask(check(), Script::Accepts(vec![])), closed);
    assert_failed(&ask_raw(check(), ""), closed);
    assert_failed(&ask_raw(check(), "HTTP/1.1 200 OK\r\nx: "), closed);
    let reset = Script::Accepts(vec![Step::ReadHead, Step::Reset]);
    assert_failed(&ask(check(), reset), "connection reset");
    let reset_before = Script::Accepts(vec![Step::Reset]);
    assert_failed(&ask(check(), reset_before), "connection reset");
}

#[test]
fn a_head_that_does_not_end_is_not_read_for_ever() {
    let fields = Script::Accepts(vec![
        Step::ReadHead,
        Step::Write(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Step::WriteForever(b"x-filler: 0123456789\r\n".to_vec()),
    ]);
    let field = Script::Accepts(vec![
        Step::ReadHead,
        Step::Write(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        Step::WriteForever(b"0123456789".to_vec()),
    ]);
    for script in [fields, field] {
        let (outcome, visit) = visit(Probe::Http(check()), script);
        assert_failed(&outcome, "response head is too large");
        assert!(visit.read <= 2 * HEAD_BOUND, "{} bytes read", visit.read);
    }
}

#[test]
fn the_body_has_to_contain_the_text() {
    assert_passed(&ask_raw(expecting("ok"), OK), "status 200");
    assert_passed(&ask_raw(expecting(""), OK), "status 200");
    let missing = r#"body does not contain "OK""#;
    assert_failed(&ask_raw(expecting("OK"), OK), missing);
    let empty = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_failed(&ask_raw(expecting("OK"), empty), missing);
    let failing = "HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\nOK";
    assert_failed(&ask_raw(expecting("OK"), failing), "status 503");
}

#[test]
fn a_text_is_found_across_pieces() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhea\r\n1\r\nl\r\n6\r\nthy, y\r\n0\r\n\r\n";
    assert_passed(&ask_raw(expecting("healthy"), chunked), "status 200");
    let reason = r#"body does not contain "health!""#;
    assert_failed(&ask_raw(expecting("health!"), chunked), reason);
}

#[test]
fn only_the_first_64_kib_of_a_body_are_looked_at() {
    let answer = |before: usize| {
        let body = format!("{}ok{}", "x".repeat(before), "y".repeat(100));
        format!("HTTP/1.1 200 OK\r\n\r\n{body}")
    };
    let last = ask_raw(expecting("ok"), answer(BODY_BOUND - 2));
    assert_passed(&last, "status 200");
    let too_late = ask_raw(expecting("ok"), answer(BODY_BOUND - 1));
    assert_failed(&too_late, r#"body does not contain "ok""#);
}

#[test]
fn a_body_without_end_is_left_at_the_bound() {
    let endless = Script::Accepts(vec![
        Step::ReadHead,
        Step::Write(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        Step::WriteForever(vec![b'x'; 1000]),
    ]);
    let (outcome, seen) = visit(Probe::Http(expecting("ok")), endless.clone());
    assert_failed(&outcome, r#"body does not contain "ok""#);
    assert!(seen.read < 4 * BODY_BOUND, "{} bytes read", seen.read);
    let (outcome, seen) = visit(Probe::Http(check()), endless);
    assert_passed(&outcome, "status 200");
    assert!(seen.read < 4 * BODY_BOUND, "{} bytes read", seen.read);
    assert!(seen.left.is_some());
}

#[test]
fn a_cut_body_has_its_error() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nno";
    assert_failed(&ask_raw(expecting("ok"), cut), "body is incomplete");
    let broken = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    assert_failed(&ask_raw(expecting("ok"), broken), "body is malformed");
    let reset = Script::Accepts(vec![
        Step::ReadHead,
        Step::Write(b"HTTP/1.1 200 OK\r\n\r\nno".to_vec()),
        Step::Reset,
    ]);
    assert_failed(&ask(expecting("ok"), reset), "connection reset");
    let stuck = Script::Accepts(vec![
        Step::ReadHead,
        Step::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nno".to_vec()),
        Step::Hold,
    ]);
    assert_failed(
        &ask(expecting("ok"), stuck),
        "timed out after 2s while reading the body",
    );
}

#[test]
fn a_body_that_was_not_asked_for_takes_no_verdict_back() {
    let stuck = |wait| {
        Script::Accepts(vec![
            Step::ReadHead,
            Step::Wait(wait),
            Step::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nno".to_vec()),
            Step::Hold,
        ])
    };
    // Once with time to linger, once with the timeout during it.
    for wait in [Duration::ZERO, TIMEOUT - LINGER / 2] {
        let (outcome, visit) = visit(Probe::Http(check()), stuck(wait));
        assert_passed(&outcome, "status 200");
        let stayed = visit.left.expect("has gone") - visit.at;
        assert!(stayed <= (wait + LINGER).min(TIMEOUT), "{stayed:?}");
    }
}

#[test]
fn the_connection_is_closed_in_order_and_at_once() {
    for length in [0, 20_000] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        let answer = Script::Accepts(vec![
            Step::ReadHead,
            Step::Write(head.into_bytes()),
            Step::Write(vec![b'x'; length]),
            Step::Hold,
        ]);
        let (outcome, visit) = visit(Probe::Http(check()), answer);
        assert_passed(&outcome, "status 200");
        assert!(visit.was_shut);
        assert!(visit.read > length);
        assert_eq!(visit.left, Some(visit.at));
    }
}

#[test]
fn a_reason_quotes_no_more_than_a_line() {
    let text = format!("<p>\n{}", "ü".repeat(1000));
    let outcome = ask_raw(expecting(&text), OK);
    assert!(outcome.reason.chars().count() < 80, "{}", outcome.reason);
    assert!(!outcome.reason.contains('\n'));
}

#[test]
fn a_path_that_is_none_fails_the_check() {
    let check = HttpCheck {
        path: "no path\r\n".to_owned(),
        ..check()
    };
    assert_failed(
        &ask_raw(check, OK),
        "the path of the check is not a valid request target",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_do_more_than_fail_a_check(
        is_http in any::<bool>(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut answer = if is_http {
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n".to_vec()
        } else {
            Vec::new()
        };
        answer.extend_from_slice(&bytes);
        let outcome = ask_raw(expecting("never in there"), answer);
        prop_assert_eq!(outcome.verdict, Verdict::Failed);
    }
}
