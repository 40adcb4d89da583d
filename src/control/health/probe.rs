//! One check of one server: ask, judge the answer, leave.
//!
//! Always on a connection of its own: a pooled one would say that an old connection still works,
//! not that a new client would be let in. Knows nothing of rise, fall or time between checks.
//!
//! It speaks what exchanges would speak: TLS and HTTP/2 where the backend does.
//!
//! What a server sends is held within bounds ([`HEAD_BOUND`], [`BODY_BOUND`], the timeout), and no
//! answer can do more than fail the check.

use std::cell::Cell;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::io::AsyncWriteExt;

use crate::base::Address;
use crate::base::InWords;
use crate::base::clock::{self, Duration};
use crate::base::units::show_duration;
use crate::exchange::{Cause, Fault, Http2InWords};
use crate::net::{Network, Stream};
use crate::plan::{HttpCheck, Probe, Protocol};
use crate::proxy::io::{
    CorkedStream, MOST_INTERIM_BYTES, ReceiveError, ReceivedBody, SocketTracker, StreamBody,
    TrackedSocket,
};
use crate::proxy::upstream::{Agreed, Tls, head_of, not_http2};

use super::state::Verdict;

/// What is looked at of a body: enough for a health page, nothing for one that does not end.
const BODY_BOUND: usize = 64 << 10;

/// What a head may have; also the most that is buffered of anything.
const HEAD_BOUND: usize = 32 << 10;

/// Why a check fails whose answer does not come for all that is said before it.
const TOO_MUCH: &str = "more than 64 KiB of interim responses (1xx), and no response";

/// How long we stay after the verdict to read the rest and close in order: a connection that is
/// closed over unread bytes is reset, and the server would log an error for each check.
const LINGER: Duration = Duration::from_millis(200);

/// The characters of an expected text that a reason quotes.
const QUOTE_BOUND: usize = 40;

const AGENT: &str = concat!("evenkeel-health/", env!("CARGO_PKG_VERSION"));

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// For people: `connection refused`, `status 503`, …
    pub(super) reason: String,
}

/// Which server a check asks, and how.
pub(super) struct Target<'a> {
    pub(super) address: Address,
    /// What the configuration calls the server.
    pub(super) name: &'a str,
    pub(super) protocol: Protocol,
    /// `None`: in the clear.
    pub(super) tls: Option<&'a Tls>,
    /// What is said before anything else.
    pub(super) preamble: Vec<u8>,
}

/// A verdict and its reason.
type Finding = (Verdict, String);

/// Checks a server once; takes `timeout` at most.
///
/// # Cancel safety
///
/// The connection is closed when it is dropped.
pub(super) async fn probe(
    network: &Network,
    target: &Target<'_>,
    probe: &Probe,
    timeout: Duration,
) -> Outcome {
    let progress = Progress::new();
    // Both ways of ending leave what has been decided in `progress`: a timeout that strikes while
    // we are closing the connection must not take a verdict back.
    let _ = clock::within(timeout, ask(network, target, probe, &progress)).await;
    progress.into_outcome(timeout)
}

/// How far a check has come.
struct Progress {
    step: Cell<Step>,
    outcome: Cell<Option<Outcome>>,
}

#[derive(Clone, Copy)]
enum Step {
    Connect,
    Handshake,
    Head,
    Body,
}

/// An HTTP connection that moves only while something is awaited with it: no task, so that
/// dropping the check drops everything.
struct Link<C> {
    /// `None` when it has ended.
    connection: Option<Pin<Box<C>>>,
}

impl Progress {
    fn new() -> Self {
        Self {
            step: Cell::new(Step::Connect),
            outcome: Cell::new(None),
        }
    }

    fn decide(&self, (verdict, reason): Finding) {
        self.outcome.set(Some(Outcome { verdict, reason }));
    }

    fn into_outcome(self, timeout: Duration) -> Outcome {
        let doing = match self.step.get() {
            Step::Connect => "connecting",
            Step::Handshake => "in the TLS handshake",
            Step::Head => "waiting for the response",
            Step::Body => "reading the body",
        };
        self.outcome.into_inner().unwrap_or_else(|| Outcome {
            verdict: Verdict::Failed,
            reason: format!("timed out after {} while {doing}", show_duration(timeout)),
        })
    }
}

impl<C: Future> Link<C> {
    fn new(connection: C) -> Self {
        Self {
            connection: Some(Box::pin(connection)),
        }
    }

    /// What `future` gives, with the connection moving meanwhile.
    async fn with<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Some(connection) = &mut self.connection
                && connection.as_mut().poll(cx).is_ready()
            {
                // Its error is not lost: the waiter for an answer or a body gets it too.
                self.connection = None;
            }
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Waits until it has ended by itself.
    async fn ended(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.await;
        }
    }
}

/// Connects, asks and decides; ends when the connection is closed.
async fn ask(network: &Network, target: &Target<'_>, probe: &Probe, progress: &Progress) {
    let mut stream = match network.connect(&target.address).await {
        Ok(stream) => stream,
        Err(error) => return progress.decide(of_connecting(&error)),
    };
    if let Err(error) = stream.write_all(&target.preamble).await {
        return progress.decide(failed(of_io(&error)));
    }
    match probe {
        Probe::Tcp => progress.decide(passed("connected")),
        Probe::Http(check) => ask_http(stream, target, check, progress).await,
    }
}

async fn ask_http(stream: Stream, target: &Target<'_>, check: &HttpCheck, progress: &Progress) {
    let Some(request) = request(check, &target.address) else {
        return progress.decide(failed(
            "the path of the check is not a valid request target",
        ));
    };
    let (stream, agreed) = match target.tls {
        None if target.protocol == Protocol::Http2 => (stream, Agreed::Http2),
        None => (stream, Agreed::Http1),
        Some(tls) => {
            progress.step.set(Step::Handshake);
            let name = tls.name_of(check.host.as_ref(), target.name, &target.address);
            match tls.secure(stream, name).await {
                Ok(stream) => stream,
                Err(fault) => return progress.decide(failed(of_handshake(&fault))),
            }
        }
    };
    progress.step.set(Step::Head);
    match agreed {
        Agreed::Http1 => ask_http1(stream, request, check, progress).await,
        Agreed::Http2 => ask_http2(stream, request, target, check, progress).await,
    }
}

async fn ask_http1(
    stream: Stream,
    request: Request<Empty<Bytes>>,
    check: &HttpCheck,
    progress: &Progress,
) {
    let stream = TrackedSocket::new(stream);
    let tracker = awaiting_head(stream.tracker());
    let handshake = http1::Builder::new()
        .max_buf_size(HEAD_BOUND)
        .max_header_size(HEAD_BOUND)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = match handshake.await {
        Ok(both) => both,
        Err(error) => return progress.decide(failed(of_head(&error))),
    };
    let mut link = Link::new(connection);
    let response = match link.with(sender.send_request(request)).await {
        Ok(response) => response,
        Err(_) if tracker.has_said_too_much() => return progress.decide(failed(TOO_MUCH)),
        Err(error) => return progress.decide(failed(of_head(&error))),
    };
    tracker.head_came();
    let response = response.map(ReceivedBody::from);
    judge(link, sender, response, check, progress).await;
}

async fn ask_http2(
    stream: Stream,
    request: Request<Empty<Bytes>>,
    target: &Target<'_>,
    check: &HttpCheck,
    progress: &Progress,
) {
    let scheme = match target.tls {
        Some(_) => Scheme::HTTPS,
        None => Scheme::HTTP,
    };
    let (head, _) = request.into_parts();
    let Ok(head) = head_of(&head, scheme, &target.address.as_host()) else {
        return progress.decide(failed("the host of the check is not valid"));
    };
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .max_header_list_size(HEAD_BOUND as u32);
    let stream = CorkedStream::to_server(stream);
    let tracker = awaiting_head(stream.get_ref().tracker());
    let (mut sender, connection) = match builder.handshake::<_, Bytes>(stream).await {
        Ok(both) => both,
        Err(error) => return progress.decide(failed(of_first(&error))),
    };
    let mut link = Link::new(connection);
    let sent = sender.send_request(head, true);
    let answered = match sent {
        Ok((response, _)) => link.with(response).await,
        Err(error) => Err(error),
    };
    let response = match answered {
        Ok(response) => response,
        Err(_) if tracker.has_said_too_much() => return progress.decide(failed(TOO_MUCH)),
        Err(error) => return progress.decide(failed(of_first(&error))),
    };
    tracker.head_came();
    let (head, stream) = response.into_parts();
    let body = StreamBody::new(stream, &head.headers);
    let response = Response::from_parts(head, ReceivedBody::from(body));
    judge(link, sender, response, check, progress).await;
}

/// Bounds what is read until the head of the answer has come.
fn awaiting_head(tracker: SocketTracker) -> SocketTracker {
    tracker.await_head(HEAD_BOUND as u64 + MOST_INTERIM_BYTES);
    tracker
}

/// Judges an answer, and leaves in order. `sender` keeps the connection open until then.
async fn judge<C: Future, S>(
    mut link: Link<C>,
    sender: S,
    response: Response<ReceivedBody>,
    check: &HttpCheck,
    progress: &Progress,
) {
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let finding = match &check.body {
        _ if !check.status.contains(status) => failed(format!("status {status}")),
        None => passed(format!("status {status}")),
        Some(text) => {
            progress.step.set(Step::Body);
            link.with(judge_body(&mut body, text, status)).await
        }
    };
    progress.decide(finding);
    let leave = async {
        link.with(drain(&mut body)).await;
        drop((sender, body));
        link.ended().await;
    };
    let _ = clock::within(LINGER, leave).await;
}

/// `None` when the path is none that a request can have.
fn request(check: &HttpCheck, address: &Address) -> Option<Request<Empty<Bytes>>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = Uri::try_from(check.path.as_str()).ok()?;
    *request.headers_mut() = headers(check, address)?;
    Some(request)
}

fn headers(check: &HttpCheck, address: &Address) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let host = match &check.host {
        Some(host) => host.clone(),
        None => HeaderValue::from_str(&address.as_host()).ok()?,
    };
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    // The user's own fields replace ours, and one that is written twice is sent twice.
    for (name, _) in &check.headers {
        headers.remove(name);
    }
    for (name, value) in &check.headers {
        headers.append(name, value.clone());
    }
    // Except for this one: there is no second request.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Some(headers)
}

async fn judge_body(body: &mut ReceivedBody, text: &str, status: u16) -> Finding {
    match contains(body, text.as_bytes()).await {
        Ok(true) => passed(format!("status {status}")),
        Ok(false) => failed(format!("body does not contain {}", quoted(text))),
        Err(error) => failed(of_body(&error)),
    }
}

/// Whether the body has `text` in its first [`BODY_BOUND`] bytes; true as soon as that is known.
async fn contains(body: &mut ReceivedBody, text: &[u8]) -> Result<bool, ReceiveError> {
    let mut seen = Vec::new();
    if text.is_empty() {
        return Ok(true);
    }
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        // Only what is new, and where it meets what was there: a body that comes byte by byte is
        // not searched from its beginning for each of them.
        let from = seen.len().saturating_sub(text.len() - 1);
        let taken = data.len().min(BODY_BOUND - seen.len());
        seen.extend_from_slice(&data[..taken]);
        if seen[from..].windows(text.len()).any(|part| part == text) {
            return Ok(true);
        }
        if seen.len() == BODY_BOUND {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Reads what is left, up to the bound.
async fn drain(body: &mut ReceivedBody) {
    let mut left = BODY_BOUND;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length >= left {
            return;
        }
        left -= length;
    }
}

fn passed(reason: impl Into<String>) -> Finding {
    (Verdict::Passed, reason.into())
}

fn failed(reason: impl Into<String>) -> Finding {
    (Verdict::Failed, reason.into())
}

fn of_connecting(error: &io::Error) -> Finding {
    let is_our_shortage = matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    );
    if is_our_shortage {
        (
            Verdict::Unclear,
            format!("the check could not be made: {}", InWords(error)),
        )
    } else {
        failed(of_io(error))
    }
}

fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::BrokenPipe => "connection closed".to_owned(),
        io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        _ => InWords(error).to_string(),
    }
}

fn of_head(error: &hyper::Error) -> String {
    if error.is_parse_too_large() {
        "response head is too large".to_owned()
    } else if error.is_parse() {
        "response is not HTTP".to_owned()
    } else if let Some(error) = io_of(error) {
        of_io(error)
    } else {
        "connection closed before the response".to_owned()
    }
}

/// The reason's code says enough of which side it was.
fn of_handshake(fault: &Fault) -> String {
    match &fault.cause {
        Some(cause @ Cause::NotSpoken(_)) => cause.to_string(),
        Some(cause) => format!("TLS failed: {cause}"),
        None => "TLS failed".to_owned(),
    }
}

/// Of a connection on which nothing has been answered.
fn of_first(error: &h2::Error) -> String {
    let stranger = not_http2(error).and_then(|fault| fault.cause);
    stranger.map_or_else(|| of_stream(error), |cause| cause.to_string())
}

fn of_stream(error: &h2::Error) -> String {
    if let Some(error) = error.get_io() {
        of_io(error)
    } else if error.is_library() {
        "response is not HTTP/2".to_owned()
    } else {
        format!("no response: {}", Http2InWords(error))
    }
}

fn of_body(error: &ReceiveError) -> String {
    let error = match error {
        ReceiveError::Http1(error) => error,
        ReceiveError::Http2(error) => return of_stream(error),
    };
    match io_of(error) {
        Some(error) if error.kind() == io::ErrorKind::ConnectionReset => of_io(error),
        Some(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            "body is malformed".to_owned()
        }
        _ => "body is incomplete".to_owned(),
    }
}

fn io_of(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// `text` as a reason can carry it: escaped, and not longer than a line.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTE_BOUND) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use crate::control::health::scripted::{Script, Scripted, Step, Visit, answers, simulate};
    use crate::plan::StatusSet;

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

    /// One probe of a server with `script`: what was found, and the visit as the server saw it.
    fn visit(probe_of: Probe, script: Script) -> (Outcome, Visit) {
        simulate(async {
            let scripted = Scripted::default();
            scripted.set(address(), script);
            let target = Target {
                address: address().into(),
                name: "a",
                protocol: Protocol::Auto,
                tls: None,
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
    fn a_connection_that_fails_says_how() {
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
    fn the_request_is_short_and_says_who_asks() {
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
    fn what_is_no_http_is_called_so() {
        let smtp = "220 mail.example ESMTP ready\r\n";
        let http2 = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64";
        assert_failed(&ask_raw(check(), smtp), "response is not HTTP");
        assert_failed(&ask_raw(check(), http2), "response is not HTTP");
        assert_failed(&ask_raw(check(), [0xff; 100]), "response is not HTTP");
        // Sent before anything was asked.
        let eager = Script::Accepts(vec![Step::Write(smtp.into()), Step::Hold]);
        assert_failed(&ask(check(), eager), "response is not HTTP");
    }

    #[test]
    fn a_connection_that_ends_without_an_answer_says_how() {
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
    fn a_body_that_breaks_off_says_how() {
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
        // Once with time to linger, once with the timeout striking meanwhile.
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
}
