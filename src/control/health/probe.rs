//! One check of one server: ask, judge the answer, leave.
//!
//! Always on a connection of its own: a pooled one would say that an old connection still works,
//! not that a new client would be let in. Knows nothing of rise, fall or time between checks.
//!
//! What a server sends is held within bounds ([`HEAD_BOUND`], [`BODY_BOUND`], the timeout), and no
//! answer can do more than fail the check.

use std::cell::Cell;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;

use crate::base::clock::{self, Duration, Instant};
use crate::base::units::show_duration;
use crate::net::{Network, Stream};
use crate::plan::{HttpCheck, Probe};

use super::state::Verdict;

/// What is looked at of a body: enough for a health page, nothing for one that does not end.
const BODY_BOUND: usize = 64 << 10;

/// What a head may have; also the most that is buffered of anything.
const HEAD_BOUND: usize = 32 << 10;

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
    /// From the start to the verdict, without the time it took to leave.
    pub(super) took: Duration,
}

/// An outcome without its time.
type Finding = (Verdict, String);

/// Checks the server at `address` once; takes `timeout` at most.
///
/// # Cancel safety
///
/// The connection is closed when it is dropped.
pub(super) async fn probe(
    network: &Network,
    address: SocketAddr,
    probe: &Probe,
    timeout: Duration,
) -> Outcome {
    let progress = Progress::new();
    // Both ways of ending leave what has been decided in `progress`: a timeout that strikes while
    // we are closing the connection must not take a verdict back.
    let _ = clock::within(timeout, ask(network, address, probe, &progress)).await;
    progress.into_outcome(timeout)
}

/// How far a check has come.
struct Progress {
    began: Instant,
    step: Cell<Step>,
    outcome: Cell<Option<Outcome>>,
}

#[derive(Clone, Copy)]
enum Step {
    Connect,
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
            began: clock::now(),
            step: Cell::new(Step::Connect),
            outcome: Cell::new(None),
        }
    }

    fn decide(&self, (verdict, reason): Finding) {
        let took = clock::now().saturating_duration_since(self.began);
        self.outcome.set(Some(Outcome {
            verdict,
            reason,
            took,
        }));
    }

    fn into_outcome(self, timeout: Duration) -> Outcome {
        let doing = match self.step.get() {
            Step::Connect => "connecting",
            Step::Head => "waiting for the answer",
            Step::Body => "reading the body",
        };
        self.outcome.into_inner().unwrap_or_else(|| Outcome {
            verdict: Verdict::Failed,
            reason: format!("timed out after {} while {doing}", show_duration(timeout)),
            took: timeout,
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
                // Its error is not lost: whoever waits for an answer or a body gets it too.
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
async fn ask(network: &Network, address: SocketAddr, probe: &Probe, progress: &Progress) {
    let stream = match network.connect(address).await {
        Ok(stream) => stream,
        Err(error) => return progress.decide(of_connecting(&error)),
    };
    match probe {
        Probe::Tcp => progress.decide(passed("connected")),
        Probe::Http(check) => ask_http(stream, address, check, progress).await,
    }
}

async fn ask_http(stream: Stream, address: SocketAddr, check: &HttpCheck, progress: &Progress) {
    progress.step.set(Step::Head);
    let Some(request) = request(check, address) else {
        return progress.decide(failed("the path of the check is no request target"));
    };
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
        Err(error) => return progress.decide(failed(of_head(&error))),
    };
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
fn request(check: &HttpCheck, address: SocketAddr) -> Option<Request<Empty<Bytes>>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = Uri::try_from(check.path.as_str()).ok()?;
    *request.headers_mut() = headers(check, address)?;
    Some(request)
}

fn headers(check: &HttpCheck, address: SocketAddr) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let host = match &check.host {
        Some(host) => host.clone(),
        None => HeaderValue::from_str(&address.to_string()).ok()?,
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

async fn judge_body(body: &mut Incoming, text: &str, status: u16) -> Finding {
    match contains(body, text.as_bytes()).await {
        Ok(true) => passed(format!("status {status}")),
        Ok(false) => failed(format!("body does not contain {}", quoted(text))),
        Err(error) => failed(of_body(&error)),
    }
}

/// Whether the body has `text` in its first [`BODY_BOUND`] bytes; true as soon as that is known.
async fn contains(body: &mut Incoming, text: &[u8]) -> Result<bool, hyper::Error> {
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
async fn drain(body: &mut Incoming) {
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
        (Verdict::Unclear, format!("no check could be made: {error}"))
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
        _ => error.to_string(),
    }
}

fn of_head(error: &hyper::Error) -> String {
    if error.is_parse_too_large() {
        "head of the answer is too large".to_owned()
    } else if error.is_parse() {
        "answer is not HTTP".to_owned()
    } else if let Some(error) = io_of(error) {
        of_io(error)
    } else {
        "connection closed before the answer".to_owned()
    }
}

fn of_body(error: &hyper::Error) -> String {
    match io_of(error) {
        Some(error) if error.kind() == io::ErrorKind::ConnectionReset => of_io(error),
        Some(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            "body is malformed".to_owned()
        }
        _ => "body was cut short".to_owned(),
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
