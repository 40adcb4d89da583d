//! Ends the connection to a client that may still be sending, or that must notice that its response
//! is incomplete.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::base::clock::{self, Duration};
use crate::exchange::{LoggedField, LoggedRequest, Reason, RequestId};
use crate::net::Stream;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::{Timer, reset_when_taken};
use crate::proxy::reply::{ReplyBody, raw_reply, reply};

use super::super::linger::Linger;
use super::session::Session;

/// How long a client may take to receive the answer to a head that was not read.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How many bytes are read at a time and discarded.
const PIECE_BYTES: usize = 16 << 10;

/// Answers a request that was not read, with the reason: its head is malformed, too large or too
/// late.
pub(super) async fn answer_unread(
    mut stream: Stream,
    session: &Session,
    registration: &Registration,
    reason: Reason,
    request: Option<Box<LoggedRequest>>,
) {
    let id = RequestId::made(session.client.context.rng.next_u64());
    let method = request
        .as_ref()
        .and_then(|request| request.text(LoggedField::Method));
    let body = match method {
        // RFC 9110 §9.3.2.
        Some(method) if method.bytes == b"HEAD" => ReplyBody::Omitted,
        _ => ReplyBody::Sent,
    };
    let answer = reply(reason, &id);
    let answer = session.client.with_error_page(reason, &id, answer);
    let bytes = raw_reply(&answer, clock::wall(), body);
    let status = match reason.status() {
        Some(_) => answer.status().as_u16(),
        None => 0,
    };
    session.refuse(reason, status, Some(id), request.map(|request| *request));
    if let Ok(Ok(())) = clock::within(ANSWER_TIMEOUT, stream.write_all(&bytes)).await {
        let bounds = match reason {
            Reason::RequestHeadTimeout => None,
            _ => session
                .client
                .with_plan(|plan| Linger::of(plan, clock::now())),
        };
        let bounds = bounds.unwrap_or_else(|| Linger::brief(clock::now()));
        linger(stream, registration, bounds).await;
    }
}

/// Announces the end of the connection, and reads what the client is still sending: a socket that
/// is closed with unread bytes resets the connection, and the client loses the answer (RFC 9112
/// §9.6).
pub(super) async fn linger(stream: Stream, registration: &Registration, linger: Linger) {
    let mut timer = Timer::new();
    let mut discarding = Discarding {
        stream,
        has_closed: false,
        linger,
    };
    // Whatever the outcome, the connection ends here.
    unless_aborted(registration, poll_fn(|cx| discarding.poll(cx, &mut timer))).await;
}

/// Closes the connection so that the client notices an incomplete response which ends with the
/// connection.
pub(super) async fn cut(stream: Stream, registration: &Registration) {
    unless_aborted(registration, reset_when_taken(stream)).await;
}

/// Runs `ending`, unless the connection must end at once.
async fn unless_aborted(registration: &Registration, ending: impl Future<Output = ()>) {
    let mut ending = pin!(ending);
    poll_fn(|cx| {
        // Polled before the shutdown is checked, so that everything that can be done at once is
        // done.
        let polled = ending.as_mut().poll(cx);
        match registration.shutdown(cx) {
            Shutdown::Abort => Poll::Ready(()),
            _ => polled,
        }
    })
    .await;
}

/// Reads and discards.
struct Discarding {
    stream: Stream,
    /// Whether the sending side is closed.
    has_closed: bool,
    linger: Linger,
}

impl Discarding {
    /// Ready when the client has closed its sending side or broken the connection, or when the
    /// limits are reached.
    fn poll(&mut self, cx: &mut Context<'_>, timer: &mut Timer) -> Poll<()> {
        if !self.has_closed {
            match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.has_closed = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        loop {
            let mut room = [0; PIECE_BYTES];
            let mut buffer = ReadBuf::new(&mut room);
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut buffer) else {
                return timer.poll(cx, self.linger.due()).map(drop);
            };
            let count = buffer.filled().len();
            let now = clock::now();
            if read.is_err() || count == 0 {
                return Poll::Ready(());
            }
            self.linger.note(count, now);
            if self.linger.is_over(now) {
                return Poll::Ready(());
            }
        }
    }
}
