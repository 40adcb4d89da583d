//! Refusals: the page `conf/reference/refusals.md`, made from the table here, with each of its rows
//! sent as bytes to a running proxy.
//!
//! `EVENKEEL_BLESS=1 cargo test` writes the page.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use evenkeel::base::tasks;
use evenkeel::config;
use evenkeel::control::Source;
use evenkeel::exchange::Reason;
use evenkeel::net::Network;
use evenkeel::process::{Proxy, Start};

use crate::case::{Case, case};
use crate::program::TIMEOUT;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(the_page_of_refusals_is_that_of_the_table),
        case!(every_row_is_refused_as_the_page_says_and_no_server_sees_it),
        case!(passed_requests_reach_the_server_as_the_page_says),
        case!(fields_of_a_client_about_itself_pass_as_the_page_says),
        case!(a_chunk_that_is_malformed_is_not_passed_on),
        case!(every_malformed_answer_is_refused_as_the_page_says),
    ]
}

/// The part that refuses.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Parser,
    Admission,
    Routing,
}

/// A message that is refused.
struct Refusal {
    what: &'static str,
    /// An example of each message in `what`.
    examples: Vec<String>,
    by: By,
    status: u16,
    reason: Reason,
    why: &'static str,
}

/// A message that looks as if it would be refused, and passes.
struct Passed {
    what: &'static str,
    bytes: String,
    /// A text in the request that the server gets.
    sees: &'static str,
    how: &'static str,
}

/// A request for `/` with `fields` after its `Host`.
fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: example.com\r\n{fields}\r\n")
}

fn host(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

fn line(line: &str) -> String {
    format!("{line}\r\nhost: example.com\r\n\r\n")
}

#[rustfmt::skip]
fn refusals() -> Vec<Refusal> {
    use By::{Admission, Parser, Routing};
    use Reason as R;
    let row = |what, examples: &[String], by, status, reason, why| Refusal { what, examples: examples.to_vec(), by, status, reason, why };
    let head = R::RequestHeadMalformed;
    vec![
        row("The first line is not a request line", &[line("hello"), line("GET /"), line("GET  / HTTP/1.1"), "\u{16}\u{3}\u{1}".to_owned()],
            Parser, 400, head, "It is not HTTP (RFC 9112 §3)."),
        row("A method with a character that is not allowed in a token", &[line("G@T / HTTP/1.1")],
            Parser, 400, head, "A method is a token (RFC 9110 §9.1)."),
        row("A version other than HTTP/1.0 and HTTP/1.1", &[line("GET / HTTP/1.7"), line("GET / HTTP/2.0")],
            Parser, 400, head, "Its meaning is unknown (RFC 9112 §2.3)."),
        row("A target with a space or a control character", &[line("GET /a b HTTP/1.1"), line("GET /a\u{7f} HTTP/1.1"), line("GET /a\tb HTTP/1.1"), line("GET /?\0 HTTP/1.1")],
            Parser, 400, head, "Servers would cut or repair it in different ways (RFC 9112 §3.2)."),
        row("A space between a field name and the colon", &[get("content-length : 5\r\n")],
            Parser, 400, head, "Some servers read it as that field, others do not (RFC 9112 §5.1)."),
        row("A field that continues on the next line", &[get("x-a: b\r\n c\r\n")],
            Parser, 400, head, "Obsolete, and servers read it in two ways (RFC 9112 §5.2)."),
        row("A field name with a character that is not allowed in a token", &[get("x(a: b\r\n"), get(": b\r\n"), get("no colon\r\n")],
            Parser, 400, head, "A field name is a token (RFC 9110 §5.1)."),
        row("A control byte in a field value: NUL, a CR without LF and others", &[get("x-a: b\u{1}c\r\n"), get("x-a: b\0c\r\n"), get("x-a: b\rc\r\n"), get("x-a: b\u{7f}\r\n"), get("transfer-encoding: \u{b}chunked\r\n")],
            Parser, 400, head, "It ends a line for some servers and not for others (RFC 9110 §5.5)."),
        row("Several `Content-Length` values that differ", &[get("content-length: 5\r\ncontent-length: 6\r\n")],
            Parser, 400, head, "Servers would disagree where the request ends (RFC 9112 §6.3)."),
        row("A `Content-Length` that is not a decimal number up to 2^63-1: a sign, a list, hexadecimal, more digits", &[get("content-length: +5\r\n"), get("content-length: 5, 5\r\n"), get("content-length: 0x5\r\n"), get("content-length: \r\n"), get("content-length: 9223372036854775808\r\n"), get("content-length: 18446744073709551615\r\n"), get("content-length: 18446744073709551616\r\n")],
            Parser, 400, head, "Servers would disagree where the request ends (RFC 9112 §6.3)."),
        row("A `Transfer-Encoding` that does not end in `chunked`", &[get("transfer-encoding: gzip\r\n"), get("transfer-encoding: chunked, gzip\r\n"), get("transfer-encoding: xchunked\r\n")],
            Parser, 400, head, "The length of the body is unknown (RFC 9112 §6.3)."),
        row("`Transfer-Encoding` in HTTP/1.0", &["POST / HTTP/1.0\r\nhost: example.com\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned()],
            Parser, 400, head, "HTTP/1.0 has no transfer codings, so the framing is faulty (RFC 9112 §6.1)."),
        row("A head larger than `limits.head`", &[get(&format!("x-a: {}\r\n", "x".repeat(70_000)))],
            Parser, 431, R::RequestHeadTooLarge, "The limit bounds the memory that one client can occupy (RFC 6585 §5)."),
        row("More fields than `limits.fields`", &[get(&"x-a: b\r\n".repeat(100))],
            Parser, 431, R::RequestHeadTooLarge, "The limit bounds the memory that one client can occupy (RFC 6585 §5)."),
        row("A target longer than `limits.target`", &[line(&format!("GET /{} HTTP/1.1", "x".repeat(16 << 10)))],
            Admission, 414, R::RequestTargetTooLong, "Servers have limits too; this one is documented (RFC 9110 §15.5.15)."),
        row("CONNECT", &["CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n".to_owned()],
            Admission, 405, R::RequestMethodRefused, "The proxy would become an open relay (RFC 9110 §9.3.6)."),
        row("TRACE", &[line("TRACE / HTTP/1.1")],
            Admission, 405, R::RequestMethodRefused, "The response would show fields that are for the server only (RFC 9110 §9.3.8)."),
        row("A method longer than 32 bytes", &[line(&format!("{} / HTTP/1.1", "X".repeat(33)))],
            Admission, 501, R::RequestMethodTooLong, "No method is that long (RFC 9112 §3)."),
        row("A target in a form that does not fit the method: `*` without OPTIONS, an authority without CONNECT, a scheme other than http and https, a fragment without a path",
            &[line("GET * HTTP/1.1"), line("GET example.com:80 HTTP/1.1"), line("GET ftp://example.com/ HTTP/1.1"), line("GET http://example.com#a HTTP/1.1")],
            Admission, 400, R::RequestTargetForm, "It does not name a resource of a server (RFC 9112 §3.2)."),
        row("HTTP/1.1 without `Host`", &["GET / HTTP/1.1\r\n\r\n".to_owned()],
            Admission, 400, R::RequestHostMissing, "RFC 9112 §3.2 demands it."),
        row("More than one `Host`", &[get("host: example.com\r\n"), get("host: other.example\r\n")],
            Admission, 400, R::RequestHostDuplicate, "Proxy and server could use different ones (RFC 9112 §3.2)."),
        row("A `Host` that is not a host with an optional port: empty, with user information, with an empty label, with an escape",
            &[host(""), host("user@example.com"), host("a..b"), host("ex%61mple.com"), host("a:port"), host("a b")],
            Admission, 400, R::RequestHostMalformed, "RFC 9112 §3.2 demands it."),
        row("An absolute target whose authority differs from `Host`", &[line("GET http://other.example/ HTTP/1.1"), line("GET http://example.com:81/ HTTP/1.1")],
            Admission, 400, R::RequestHostConflict, "The route could be chosen by one host and the server's response by the other (RFC 9112 §3.2.2)."),
        row("A transfer coding before `chunked`, or `chunked` twice", &[get("transfer-encoding: gzip, chunked\r\n"), get("transfer-encoding: chunked, chunked\r\n"), get("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n")],
            Admission, 501, R::RequestTransferCoding, "Evenkeel forwards the body but not this field; the server would not know of the coding (RFC 9112 §6.1)."),
        row("`Upgrade` to a protocol that `upgrades` lists, on a request that has a body", &[get("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 5\r\n")],
            Admission, 400, R::RequestUpgradeBody, "Servers would disagree whether the bytes that follow are the body or the new protocol (RFC 9110 §7.8)."),
        row("An expectation other than `100-continue`", &[get("expect: a-pony\r\n")],
            Admission, 417, R::RequestExpectation, "No other expectation is defined (RFC 9110 §10.1.1)."),
        row("A path that some server reads as one of another route: escapes decoded, slashes merged, `\\` as `/`, `;parameters` removed, dot segments resolved",
            &["/public/../admin/", "/%61dmin/", "//admin/", "/admin%2fx", "/x/..%5cadmin/", "/admin;a=b/x", "/x/..;/admin/"].map(|target| line(&format!("GET {target} HTTP/1.1"))),
            Routing, 400, R::RequestPathAmbiguous, "The server gets the target as received and could answer for another route: see [routing](routing.md) (RFC 3986 §6.2.2)."),
    ]
}

/// Invalid answers of an HTTP/1 server.
#[rustfmt::skip]
fn answers() -> Vec<(&'static str, Vec<String>)> {
    let ok = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    let each = |fields: &[&str]| fields.iter().map(|fields| ok(fields)).collect();
    vec![
        ("A first line that is no status line, or of another version than HTTP/1.0 and HTTP/1.1",
            ["hello\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n"].map(String::from).into()),
        ("A space between a field name and the colon, a field that continues on the next line, a line without a colon",
            each(&["x : y\r\n", "x: y\r\n z\r\n", "x\r\n"])),
        ("A control byte in a field value: NUL, a CR without LF and others",
            each(&["x: a\0b\r\n", "x: a\rb\r\n"])),
        ("A `Content-Length` that is not one number up to 2^63-1: a sign, hexadecimal, values that differ",
            each(&["content-length: +2\r\n", "content-length: 0x2\r\n", "content-length: 2\r\ncontent-length: 3\r\n", "content-length: 2, 3\r\n", "content-length: 9223372036854775808\r\n"])),
        ("`Content-Length` beside `Transfer-Encoding`: the body has two ends",
            each(&["content-length: 2\r\ntransfer-encoding: chunked\r\n"])),
        ("A transfer coding other than `chunked`, or `chunked` twice: it would have to be taken off",
            each(&["transfer-encoding: gzip\r\n", "transfer-encoding: gzip, chunked\r\n", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"])),
        ("`Transfer-Encoding` in HTTP/1.0",
            vec!["HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()]),
        ("A head larger than `limits.head` of the backend, or with more fields than its `limits.fields`",
            vec![ok(&"a: b\r\n".repeat(101))]),
        ("An interim response (1xx) with `Transfer-Encoding`: it cannot have a body",
            vec!["HTTP/1.1 103 Early Hints\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()]),
        ("A line before the status line, also an empty one", vec![format!("\r\n{}", ok("content-length: 0\r\n"))]),
        ("A 101 that was not asked for", vec!["HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned()]),
    ]
}

#[rustfmt::skip]
fn passed() -> Vec<Passed> {
    let row = |what, bytes, sees, how| Passed { what, bytes, sees, how };
    vec![
        row("`Content-Length` beside `Transfer-Encoding: chunked`",
            "POST / HTTP/1.1\r\nhost: example.com\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
            "5\r\nhello\r\n0\r\n",
            "Only the transfer coding counts, the length is not forwarded, and the connection closes after the response (RFC 9112 §6.3)."),
        row("The same `Content-Length` several times",
            "POST / HTTP/1.1\r\nhost: example.com\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok".to_owned(),
            "content-length: 2\r\n",
            "It is forwarded once (RFC 9110 §8.6)."),
        row("`Content-Length` with zeros in front",
            "POST / HTTP/1.1\r\nhost: example.com\r\ncontent-length: 002\r\n\r\nok".to_owned(),
            "content-length: 2\r\n",
            "It is forwarded without them."),
        row("`Upgrade` to another protocol, with a body or without",
            "POST / HTTP/1.1\r\nhost: example.com\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c, TLS/1.2\r\nhttp2-settings: AAMAAABk\r\ncontent-length: 2\r\n\r\nok".to_owned(),
            "content-length: 2\r\n",
            "The offer is removed, with `HTTP2-Settings`, and the request is an ordinary one (RFC 9110 §7.8)."),
        row("`Upgrade: websocket` with another method than GET, any `Upgrade` in HTTP/1.0",
            "DELETE /chat HTTP/1.1\r\nhost: example.com\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".to_owned(),
            "DELETE /chat HTTP/1.1\r\n",
            "The offer is removed, and the request is an ordinary one (RFC 6455 §4.1, RFC 9110 §7.8)."),
        row("LF without CR as the end of a line, empty lines before the request line",
            "\r\nGET /lf HTTP/1.1\nhost: example.com\n\n".to_owned(),
            "GET /lf HTTP/1.1\r\n",
            "Read as RFC 9112 §2.2 allows, up to 64 bytes of empty lines, and forwarded as CR LF."),
        row("HTTP/1.0 without `Host`",
            "GET /old HTTP/1.0\r\n\r\n".to_owned(),
            "host: 127.0.0.1:",
            "The server gets its own address as `Host`."),
        row("A target without a path: `http://example.com?a`",
            line("GET http://example.com?a HTTP/1.1"),
            "GET /?a HTTP/1.1\r\n",
            "Its path is `/` (RFC 9110 §4.2.3)."),
        row("`\"`, `<`, `>`, `` ` `` and bytes from 0x80 in the target",
            line("GET /a\"<b>`é?q={\"a\":\"<é>`\"} HTTP/1.1"),
            "GET /a%22%3Cb%3E%60%C3%A9?q={%22a%22:%22%3C%C3%A9%3E%60%22} HTTP/1.1\r\n",
            "They are forwarded percent-encoded, in path and query alike, as browsers send them: see below."),
        row("`{`, `}`, `\\|`, `\\`, `^`, `[` and `]` in the target",
            line("GET /{a}|\\^[]?{b}|\\^[] HTTP/1.1"),
            "GET /{a}|\\^[]?{b}|\\^[] HTTP/1.1\r\n",
            "They are forwarded as received."),
        row("A fragment after a path: `#` and all that follows, a `?` included",
            line("GET /a#b?c HTTP/1.1"),
            "GET /a HTTP/1.1\r\n",
            "It is removed, as by nginx: it is not for servers (RFC 9110 §7.1)."),
        row("Fields that are named in `Connection`",
            get("x-a: b\r\nauthorization: c\r\nconnection: x-a, authorization\r\n"),
            "authorization: c\r\n",
            "They are removed before a route is chosen (RFC 9110 §7.6.1), except `Host`, `Authorization`, `Cookie` and `Content-*`: without these the request would have another meaning."),
    ]
}

/// A field by which a client reports something about itself, or about proxies before it.
struct Claim {
    what: &'static str,
    /// The lines in the request.
    fields: &'static [&'static str],
    /// What the server sees of it from a client that is not among `trusted_proxies`.
    stranger: (&'static str, Option<&'static str>),
    /// The same from one that is.
    trusted: (&'static str, Option<&'static str>),
    set_by: &'static str,
}

#[rustfmt::skip]
fn claims() -> Vec<Claim> {
    let row = |what, fields, stranger, trusted, set_by| Claim { what, fields, stranger, trusted, set_by };
    let off = ("removed", None);
    vec![
        row("`X-Forwarded-For`", &["x-forwarded-for: 10.9.8.7"],
            ("replaced by the client's address", Some("x-forwarded-for: 127.0.0.1\r\n")),
            ("kept, and the proxy's address is added", Some("x-forwarded-for: 10.9.8.7, 127.0.0.1\r\n")),
            "`forwarding.x_forwarded`; without it: removed, passed on"),
        row("`X-Forwarded-Proto`, `X-Forwarded-Host`", &["x-forwarded-proto: gopher", "x-forwarded-host: other"],
            ("replaced by the scheme and the `Host`", Some("x-forwarded-proto: http\r\nx-forwarded-host: example.com\r\n")),
            ("passed on", Some("x-forwarded-proto: gopher\r\nx-forwarded-host: other\r\n")),
            "the same"),
        row("`Forwarded`", &["forwarded: for=10.9.8.7"], off, ("passed on", Some("forwarded: for=10.9.8.7\r\n")),
            "`forwarding.forwarded`; with it: replaced, added to"),
        row("`X-Real-IP`, `True-Client-IP`, `X-Client-IP`, `X-Cluster-Client-IP`", &["x-real-ip: 10.9.8.7", "true-client-ip: 10.9.8.7", "x-client-ip: 10.9.8.7", "x-cluster-client-ip: 10.9.8.7"],
            off, ("passed on", Some("x-real-ip: 10.9.8.7\r\n")), "`forwarding.trusted_only`"),
        row("`X-Forwarded-Port`, `-Prefix`, `-Scheme`, `-Server`, `-Ssl`", &["x-forwarded-port: 22", "x-forwarded-prefix: /a", "x-forwarded-scheme: a", "x-forwarded-server: a", "x-forwarded-ssl: on"],
            off, ("passed on", Some("x-forwarded-prefix: /a\r\n")), "the same"),
        row("`X-Original-URL`, `X-Rewrite-URL`: another path, past the routes", &["x-original-url: /admin", "x-rewrite-url: /admin"],
            off, ("passed on", Some("x-original-url: /admin\r\n")), "the same"),
        row("`X-Request-Id`", &["x-request-id: abc"],
            ("taken if it can be an id", Some("x-request-id: abc\r\n")), ("the same", Some("x-request-id: abc\r\n")),
            "`request_id`"),
        row("The fields of `forwarding.client_certificate`", &["x-client-subject: CN=admin"], off, off, "that table"),
        row("All of these with `_`, or another character that is no letter and no digit, for `-`: `X_Real_IP`",
            &["x_forwarded_for: 10.9.8.7", "x-forwarded_proto: gopher", "x.real.ip: 10.9.8.7", "x_request_id: abc", "x_client_subject: CN=admin"],
            off, off, "nothing"),
        row("The same of `Content-Length`, `Transfer-Encoding` and other fields of the connection", &["content_length: 5", "transfer_encoding: chunked", "keep_alive: 5", "proxy_connection: close"],
            off, off, "nothing"),
        row("Another name with such a character", &["x_own: 1"], ("passed on", Some("x_own: 1\r\n")), ("the same", Some("x_own: 1\r\n")),
            "`field_names`: `\"drop\"` removes it, `\"reject\"` answers 400 `request.field.name`"),
    ]
}

fn fields_of_a_client_about_itself_pass_as_the_page_says() {
    const SUBJECT: &str = "forwarding.client_certificate.subject = 'x-client-subject'\n";
    let strangers = Rig::with("strangers", SUBJECT);
    let trusted = Rig::with(
        "trusted",
        &format!("{SUBJECT}trusted_proxies = '127.0.0.1'\n"),
    );
    for claim in claims() {
        for (rig, (_, sees)) in [(&strangers, claim.stranger), (&trusted, claim.trusted)] {
            let (status, _) = rig.send(&get(&format!("{}\r\n", claim.fields.join("\r\n"))));
            assert_eq!(status, 200, "{}", claim.what);
            let seen = rig.requests.recv_timeout(TIMEOUT).expect("a request");
            match sees {
                Some(sees) => assert!(seen.contains(sees), "{}: {seen}", claim.what),
                None => {
                    for field in claim.fields {
                        assert!(!seen.contains(field), "{}: {seen}", claim.what);
                    }
                }
            }
        }
    }
}

fn the_page_of_refusals_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/reference/refusals.md");
    let page = page();
    if env::var_os("EVENKEEL_BLESS").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let held = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(held, page, "EVENKEEL_BLESS=1 cargo test writes it anew");
}

fn every_row_is_refused_as_the_page_says_and_no_server_sees_it() {
    let mut rig = Rig::start("refused");
    for refusal in refusals() {
        for example in &refusal.examples {
            assert_refused(&mut rig, &refusal, example);
        }
    }
    assert!(rig.requests.try_recv().is_err(), "a server saw something");
}

fn assert_refused(rig: &mut Rig, refusal: &Refusal, example: &str) {
    let reason = refusal.reason;
    let what = format!(
        "{} as {:?}",
        refusal.what,
        example.get(..80).unwrap_or(example)
    );
    let (status, answer) = rig.send(example);
    assert_eq!(status, refusal.status, "{what}");
    let logged = rig.next_log_line();
    let wanted = format!("\"reason\":\"{}\"", reason.code());
    assert!(logged.contains(&wanted), "{what}: {logged}");
    let wanted = format!("\"status\":{status},");
    assert!(logged.contains(&wanted), "{what}: {logged}");
    let wanted = format!("reason: {}\n", reason.code());
    assert!(answer.contains(&wanted), "{what}: {answer}");
    let id = answer.split("request: ").nth(1).map(str::trim_end);
    let id = id.expect("the answer has the id under which it is in the log");
    assert!(
        logged.contains(&format!("\"request_id\":\"{id}\"")),
        "{what}: {logged}"
    );
    assert!(!logged.contains("\"method\":null"), "{what}: {logged}");
    assert_eq!(reason.status().map(|status| status.as_u16()), Some(status));
}

fn passed_requests_reach_the_server_as_the_page_says() {
    let rig = Rig::start("passed");
    for Passed {
        what, bytes, sees, ..
    } in passed()
    {
        let (status, answer) = rig.send(&bytes);
        assert_eq!(status, 200, "{what}");
        let closes = what.contains("beside");
        assert_eq!(
            answer.contains("connection: close\r\n"),
            closes,
            "{what}: {answer}"
        );
        let seen = rig.requests.recv_timeout(TIMEOUT).expect("a request");
        assert!(seen.contains(sees), "{what}: {seen}");
        assert!(!seen.contains("x-a: b"), "{what}: {seen}");
        for gone in ["upgrade", "http2-settings"] {
            assert!(!seen.contains(gone), "{what}: {seen}");
        }
        assert!(!seen.contains("content-length: 3"), "{what}: {seen}");
        assert_eq!(
            seen.matches("content-length").count(),
            seen.matches("content-length: 2").count()
        );
    }
}

fn every_malformed_answer_is_refused_as_the_page_says() {
    let mut rig = Rig::start("answers");
    for (what, examples) in answers() {
        for example in examples {
            let escaped = example
                .replace('\r', "\\r")
                .replace('\n', "\\n")
                .replace('\0', "\\0");
            let (status, answer) = rig.send(&get(&format!("x-answer: {escaped}\r\n")));
            assert_eq!(status, 502, "{what}: {escaped:.80}");
            let reason = "reason: server.response.malformed\n";
            assert!(answer.contains(reason), "{what}: {answer}");
            let logged = rig.next_log_line();
            let reason = "\"reason\":\"server.response.malformed\"";
            assert!(logged.contains(reason), "{what}: {logged}");
        }
    }
}

fn a_chunk_that_is_malformed_is_not_passed_on() {
    let mut rig = Rig::start("chunk");
    let head = "POST / HTTP/1.1\r\nhost: example.com\r\ntransfer-encoding: chunked\r\n\r\n";
    let (status, _) = rig.send(&format!("{head}5\r\nhello\r\nnonsense\r\n"));
    assert_eq!(status, 400);
    let logged = rig.next_log_line();
    assert!(
        logged.contains("\"reason\":\"request.body.malformed\""),
        "{logged}"
    );
    // The server never gets the end of the request.
    assert!(rig.requests.try_recv().is_err());
}

/// A proxy with an access log, in front of a server that records requests.
struct Rig {
    proxy: Option<Proxy>,
    address: SocketAddr,
    requests: Receiver<String>,
    log: PathBuf,
    lines: usize,
}

impl Rig {
    fn start(name: &str) -> Self {
        Self::with(name, "")
    }

    /// With these lines in the frontend.
    fn with(name: &str, frontend: &str) -> Self {
        let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server_address = server.local_addr().expect("bound");
        let (sender, requests) = channel();
        thread::spawn(move || {
            for stream in server.incoming().map_while(Result::ok) {
                if let Some(request) = take_request(stream) {
                    let _ = sender.send(request);
                }
            }
        });
        let log = env::temp_dir().join(format!("evenkeel-{name}-{}.log", process::id()));
        let text = format!(
            "process.workers = 1\nadmin.listen = 'off'\nlog.access.to = '{}'\n\
             [frontend.web]\nlisten = '127.0.0.1:0'\nbackend = 'app'\n{frontend}\
             [[frontend.web.route]]\npath = '/admin/*'\nbackend = 'app'\n\
             [backend.app]\nservers = '{server_address}'\n",
            log.display()
        );
        let loaded = config::load_text(name, &text).expect("a valid configuration");
        let proxy = Proxy::start(Start {
            network: Network::System,
            source: Source::Text {
                name: name.to_owned(),
                text,
            },
            loaded,
            logging: None,
        });
        let proxy = proxy.expect("free ports");
        let runtime = tasks::runtime().expect("a runtime");
        let address = runtime.block_on(proxy.addresses("web"))[0];
        Self {
            proxy: Some(proxy),
            address,
            requests,
            log,
            lines: 0,
        }
    }

    /// Status and the whole of the answer to `bytes`; 0 when the connection ends without one.
    fn send(&self, bytes: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time");
        stream.write_all(bytes.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        let mut room = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length =
                    field(head, "content-length").map_or(0, |text| text.parse().expect("a length"));
                if body.len() >= length {
                    let status = head[9..12].parse().expect("a status");
                    return (status, text);
                }
            }
            let read = stream.read(&mut room).expect("an answer");
            if read == 0 {
                return (0, text);
            }
            answer.extend_from_slice(&room[..read]);
        }
    }

    /// The next line of the access log.
    fn next_log_line(&mut self) -> String {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let line = log.split_inclusive('\n').nth(self.lines);
            if let Some(line) = line.filter(|line| line.ends_with('\n')) {
                self.lines += 1;
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "no further line in {log}");
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(proxy) = self.proxy.take() {
            proxy.close();
        }
        let _ = fs::remove_file(&self.log);
    }
}

/// Reads one whole request and answers it; `None`: its end never came.
fn take_request(mut stream: TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut room = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let is_whole = match field(head, "content-length") {
                Some(length) => body.len() >= length.parse().ok()?,
                None if field(head, "transfer-encoding").is_some() => body.ends_with("0\r\n\r\n"),
                None => true,
            };
            if is_whole {
                let usual = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let wanted = field(head, "x-answer").unwrap_or(usual);
                let answer = wanted
                    .replace("\\r", "\r")
                    .replace("\\n", "\n")
                    .replace("\\0", "\0");
                stream.write_all(answer.as_bytes()).ok()?;
                return Some(text);
            }
        }
        match stream.read(&mut room).ok()? {
            0 => return None,
            read => request.extend_from_slice(&room[..read]),
        }
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find_map(|(found, value)| (found == name).then_some(value))
}

fn page() -> String {
    let mut page = String::from(
        "# Refusals\n\n\
         Requests that Evenkeel does not forward, because two servers could understand them differently, or to\n\
         protect servers. **No server sees anything of them.** The client gets the status; log and metrics have the\n\
         [reason](reasons.md). The connection closes if the end of the request is unknown. A test sends each row of\n\
         this page to Evenkeel (`tests/user/refusals.rs`).\n\n\
         No head is forwarded as it was received: each is parsed and written anew.\n",
    );
    let parts = [
        (
            By::Parser,
            "By the parser",
            "The head cannot be parsed. The body of the answer has the reason. The log has as much of the request line as was read.",
        ),
        (
            By::Admission,
            "By admission",
            "The head can be parsed but is not acceptable. The body of the answer has the reason.",
        ),
        (
            By::Routing,
            "By routing",
            "The request is valid, but its route is ambiguous.",
        ),
    ];
    for (by, title, text) in parts {
        write!(
            page,
            "\n## {title}\n\n{text}\n\n| request | status | reason | why |\n|---|---|---|---|\n"
        )
        .expect("text");
        for refusal in refusals().iter().filter(|refusal| refusal.by == by) {
            let Refusal {
                what,
                status,
                reason,
                why,
                ..
            } = refusal;
            writeln!(page, "| {what} | {status} | `{}` | {why} |", reason.code()).expect("text");
        }
    }
    page.push_str(
        "\n## Closed without an answer\n\n\
         With `http2 = { enabled = false }`: a connection that begins with the HTTP/2 preface (RFC 9113 §3.4). An HTTP/2\n\
         client would not understand an answer in HTTP/1.1. It is logged as 400 `request.head.malformed`.\n\n\
         Where HTTP/2 in the clear is enabled: a connection whose first line has three words of which the last is not an\n\
         HTTP version. It may be a malformed preface, and RFC 9113 §3.4 requires to close such a connection. It is logged\n\
         as `request.head.malformed` without a status.\n\n\
         An HTTP/2 stream with a malformed head (RFC 9113 §8.1.1: a connection-specific field; a pseudo-header field that\n\
         is missing, duplicate or after other fields) is reset with `PROTOCOL_ERROR` and logged in the same way.\n\n\
         An HTTP/1 connection that sends more than 64 bytes of empty lines where a request should begin is closed, and\n\
         logged in the same way.\n\n\
         ## In HTTP/2\n\n\
         Admission and routing are the same for HTTP/2. What the HTTP/1 parser refuses, HTTP/2 answers so:\n\n\
         | request | what happens |\n|---|---|\n\
         | `content-length` values that differ, are signed, hexadecimal, a list, or have more than 19 digits | The stream is reset (`PROTOCOL_ERROR`). |\n\
         | An empty `content-length`, or one above 2^63-1 | 400 `request.head.malformed` |\n\
         | `content-length` several times, or with zeros in front | It is forwarded once, without them. |\n\
         | `:path` that is `*` (but for OPTIONS), begins with `?`, or is a fragment | 400 `request.target.form` |\n\
         | White space at the beginning or end of a field value | It is removed, as in HTTP/1. |\n\
         | Several `cookie` fields | They count as one field for `limits.fields`, and are forwarded as one. |\n\n\
         ## Responses\n\n\
         Lengths in responses have the same rules, also where no body follows (HEAD, 304): zeros in front and equal values,\n\
         in several fields or in one list, become one number. It is removed from a 204. A chunk that is malformed breaks\n\
         the response off (`server.body.malformed`). What cannot be understood in one way alone is answered 502\n\
         `server.response.malformed`, and the server connection is closed:\n\n",
    );
    for (what, _) in answers() {
        let _ = writeln!(page, "- {what}");
    }
    page.push_str(
        "\n## In the body\n\n\
         Bodies are forwarded as they arrive. When a chunk is malformed (400 `request.body.malformed`, RFC 9112 §7.1) or\n\
         the client is too slow (408 `request.body.timeout`), the server has already seen the head. The malformed part is\n\
         not forwarded: Evenkeel closes the server connection before the end of the request.\n\n\
         ## Towards HTTP/2 servers\n\n\
         An HTTP/2 server does not see the `Sec-WebSocket-Key` of an HTTP/1.1 client (RFC 8441 §5); Evenkeel answers it.\n\
         So a request without exactly one valid key (RFC 6455 §4.2.1) is refused: 400 `request.upgrade.key`. An HTTP/1.1\n\
         server checks the key itself.\n\n\
         ## Not refused\n\n| request | what happens |\n|---|---|\n",
    );
    for Passed { what, how, .. } in passed() {
        writeln!(page, "| {what} | {how} |").expect("text");
    }
    page.push_str(
        "\n## Characters in the target\n\n\
         One rule for path and query. Visible ASCII is forwarded as received, also where RFC 3986 does not allow it, as\n\
         HAProxy and nginx do: JSON in a query, `$filter=Price>10` of OData. Four characters, `\"`, `<`, `>` and `` ` ``, and\n\
         bytes from 0x80 are forwarded percent-encoded. Log and routes see the same form. Spaces and control characters are\n\
         refused.\n\n\
         In HTTP/2, a stream with `<` or `>` in its target, with `\"` in its query, with `` ` `` in its path, or with bytes\n\
         that are not UTF-8 is reset with `PROTOCOL_ERROR`; browsers and libraries escape these characters.\n",
    );
    page.push_str(
        "\n## Trailers\n\n\
         Trailers pass in both directions, except fields that belong in a head (RFC 9110 §6.5.1), because a recipient may merge trailers into\n\
         the head. Removed are those of the framing, the route and the connection (`Transfer-Encoding`, `Host`, `Forwarded`, `Via`,\n\
         `X-Forwarded-*`, `Upgrade`, `TE`, `Trailer`), of who asks (`Authorization`, `Cookie`, `Set-Cookie`, `WWW-Authenticate` and the same for\n\
         proxies), of what is asked (`Expect`, `Range`, `If-*`, `Max-Forwards`, `X-HTTP-Method-Override`), of the answer (`Age`, `Cache-Control`,\n\
         `Date`, `Expires`, `Location`, `Pragma`, `Retry-After`, `Strict-Transport-Security`, `Vary`, `Warning`, `Sec-WebSocket-*`), and all\n\
         `Content-*` except `Content-Digest` and `Content-MD5`; each also in other spellings (`content_encoding`). Others pass, such as\n\
         `grpc-status`. HTTP/1.1 clients get trailers if they send `TE: trailers`.\n",
    );
    page.push_str(
        "\n## Fields about the client\n\n\
         Servers use fields that name the client. From a client that is not in `trusted_proxies`, these fields are\n\
         replaced or removed. Many servers (WSGI, CGI, Rack, PHP) take `X_Real_IP` for `X-Real-IP`: other spellings\n\
         of these fields never pass. None of them passes in trailers. The same holds for the fields that rules set or remove\n\
         ([rules.md](rules.md)). Routes do not see what other clients write in them (except\n\
         in `X-Request-Id`). The rules are the same in HTTP/1 and HTTP/2.\n\n\
         | field | from other clients | from `trusted_proxies` | set by |\n|---|---|---|---|\n",
    );
    for claim in claims() {
        let Claim {
            what,
            stranger,
            trusted,
            set_by,
            ..
        } = claim;
        writeln!(
            page,
            "| {what} | {} | {} | {set_by} |",
            stranger.0, trusted.0
        )
        .expect("text");
    }
    page
}
