//! One exchange on an HTTP/2 connection: a stream, and its task.
//!
//! The request is answered as any other (`handle`); meanwhile the stream is polled: if the client
//! resets it, it has left, and the exchange is cancelled. A client that takes no byte of one stream
//! delays that stream alone, and not for longer than `timeout.body`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header, response};
use http_body::Body;
use tokio::sync::oneshot;

use crate::base::clock::{self, Instant};
use crate::base::turn;
use crate::exchange::Reason;
use crate::plan;
use crate::proxy::http::active::ActiveRequest;
use crate::proxy::http::body::ResponseBody;
use crate::proxy::http::hop;
use crate::proxy::http::linger::Linger;
use crate::proxy::http::upgrade::OpenTunnel;
use crate::proxy::io::{
    End, Exchange, Look, Pump, ReceivedBody, Stall, StalledEntry, Stopped, StreamBody, Timer,
    trim_values,
};
use crate::wire::target;

use super::shared::Shared;

/// Timers that a connection keeps for its next streams.
const TIMERS_KEPT: usize = 8;

/// An open exchange. However it ends, it is settled when this is dropped.
struct ClientStream {
    /// Of the stream.
    id: u32,
    exchange: Rc<Exchange>,
    shared: Rc<Shared>,
    /// An answer to HEAD ends with its head (RFC 9110 §9.3.2).
    is_head: bool,
    /// Whether the head of its request counts.
    has_head: bool,
    timer: Timer,
}

/// An answer whose head was sent, and whose body follows.
struct Delivery {
    pump: Pump<ResponseBody>,
    stall: Stall,
    /// Set when the body has broken off. Boxed: few do.
    cut: Option<Box<Cut>>,
    /// Its entry among those that may have to make room.
    entry: Option<StalledEntry>,
}

/// An answer that has broken off, and whose sent part is on its way.
struct Cut {
    /// Ready when the client's socket has taken it.
    sent: oneshot::Receiver<()>,
    /// The deadline for the client to take it.
    until: Instant,
}

/// The part of an answer that follows its head.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are bodies, and a box would be an allocation for each of them"
)]
enum Rest {
    /// None, or the head could not be sent.
    Nothing,
    Body(Delivery),
    /// The client's end of a tunnel.
    Tunnel(End, Box<OpenTunnel>),
}

/// Answers `request` on its stream `id`.
///
/// Steps that need not wait run before there is a future, as in `handle`. The future is a block,
/// because arguments would have a second place in it: a connection may have a hundred of them.
pub(super) fn serve(
    id: u32,
    mut request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Rc<Shared>,
) -> impl Future<Output = ()> {
    trim_values(request.headers_mut());
    let request = with_escapes(request);
    let active = ActiveRequest::open(&shared.client, &request, None);
    let exchange = active.opened();
    exchange.interims.want();
    let mut client_stream = ClientStream::new(id, exchange, shared, request.method());
    let mut asks_first = active.asks_first();
    let (head, stream) = request.into_parts();
    let mut body = StreamBody::new(stream, &head.headers);
    let unread = body.unread();
    let request = Request::from_parts(head, ReceivedBody::Http2(body));
    // Boxed: a stream that is open for long does not carry the state of making its answer.
    let mut answer = Box::pin(active.answer(request));
    async move {
        {
            let mut rest = poll_fn(|cx| {
                client_stream.poll_answer(cx, answer.as_mut(), &mut respond, &mut asks_first)
            })
            .await;
            drop(answer);
            client_stream.forget_head();
            match rest {
                Rest::Nothing => {}
                // By reference: moved, it would have a second place.
                Rest::Body(ref mut delivery) => {
                    poll_fn(|cx| client_stream.poll_delivery(cx, delivery)).await;
                }
                // Boxed: other exchanges, which are many, do not carry its state.
                Rest::Tunnel(end, open_tunnel) => {
                    Box::pin(client_stream.go_on(end, open_tunnel)).await;
                }
            }
        }
        // Boxed: few clients are still sending when they have their answer.
        if let Some(stream) = unread.and_then(|unread| unread.take()) {
            let shared = Rc::clone(&client_stream.shared);
            // It is over, and is counted and logged now.
            drop(client_stream);
            Box::pin(hear_out(stream, shared)).await;
        }
    }
}

/// `request`, with escapes for the characters in its target that must not be sent by HTTP/1.
/// Targets that h2 refuses never come here.
fn with_escapes(mut request: Request<RecvStream>) -> Request<RecvStream> {
    let target = request.uri().path_and_query();
    let escaped = target.and_then(|target| target::escaped(target.as_str().as_bytes()));
    if let Some(escaped) = escaped
        && let Ok(target) = PathAndQuery::from_maybe_shared(Bytes::from(escaped))
    {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(target);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// Reads and discards what a client still sends when it has its answer, for `timeout.linger` and up
/// to `limits.linger`. Then the stream is reset (RFC 9113 §8.1); with an immediate reset, many
/// clients lose the answer.
async fn hear_out(mut stream: RecvStream, shared: Rc<Shared>) {
    let bounds = |plan: &plan::Frontend| Linger::of(plan, clock::now());
    let Some(mut linger) = shared.client.with_plan(bounds) else {
        return;
    };
    let mut timer = shared.timers.borrow_mut().pop().unwrap_or_default();
    poll_fn(|cx| match poll_discard(cx, &mut stream, &mut linger) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => timer.poll(cx, linger.due()).map(drop),
    })
    .await;
}

/// Discards what has come on `stream`, for one turn of the task; ready if that was the end, or all that
/// `linger` allows.
fn poll_discard(
    cx: &mut TaskContext<'_>,
    stream: &mut RecvStream,
    linger: &mut Linger,
) -> Poll<()> {
    while turn::may_go_on(cx) {
        let Some(Ok(bytes)) = ready!(stream.poll_data(cx)) else {
            return Poll::Ready(());
        };
        turn::spend_on_piece(cx, bytes.len());
        // It fails only for more than was received.
        let _ = stream.flow_control().release_capacity(bytes.len());
        let now = clock::now();
        linger.note(bytes.len(), now);
        if linger.is_over(now) {
            return Poll::Ready(());
        }
    }
    Poll::Pending
}

impl ClientStream {
    fn new(id: u32, exchange: Rc<Exchange>, shared: Rc<Shared>, method: &Method) -> Self {
        let timer = shared.timers.borrow_mut().pop();
        Self {
            id,
            timer: timer.unwrap_or_default(),
            exchange,
            shared,
            is_head: *method == Method::HEAD,
            has_head: true,
        }
    }

    /// Ready when the head of the answer has been sent, or when the client has reset the stream.
    fn poll_answer(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut answer: Pin<&mut impl Future<Output = Response<ResponseBody>>>,
        respond: &mut SendResponse<Bytes>,
        asks_first: &mut bool,
    ) -> Poll<Rest> {
        loop {
            if respond.poll_reset(cx).is_ready() {
                self.client_left();
                return Poll::Ready(Rest::Nothing);
            }
            let polled = answer.as_mut().poll(cx);
            if self.exchange.is_head_dropped.get() {
                self.forget_head();
            }
            self.pass_interims(respond);
            if let Poll::Ready(response) = polled {
                return Poll::Ready(self.send_head(response, respond));
            }
            if *asks_first && self.exchange.body_wanted.get() {
                *asks_first = false;
                say_continue(respond);
            }
            let due = self.exchange.deadlines.earliest();
            // The handler sees which deadline has fired.
            ready!(self.poll_due(cx, due));
        }
    }

    /// Sends the client the server's interim answers. If that fails, the stream is over, which is
    /// noticed elsewhere.
    fn pass_interims(&self, respond: &mut SendResponse<Bytes>) {
        for mut interim in self.exchange.interims.take() {
            let client = &self.shared.client;
            client.with_plan(|plan| hop::interim_towards_client(&mut interim, &plan.forwarding));
            let _ = respond.send_informational(interim);
        }
    }

    /// Sends the head of the answer.
    fn send_head(
        &self,
        response: Response<ResponseBody>,
        respond: &mut SendResponse<Bytes>,
    ) -> Rest {
        let (mut head, body) = response.into_parts();
        if let ResponseBody::Withheld { closing, .. } = body {
            self.shared.close(closing);
            return Rest::Nothing;
        }
        complete(&mut head, &body);
        // A server's answer to HEAD has no body, but its end is waited for.
        let is_whole = match &body {
            ResponseBody::Tunnel(_) => false,
            body => body.is_end_stream() || self.is_head && body.own_length().is_some(),
        };
        let Ok(stream) = respond.send_response(Response::from_parts(head, ()), is_whole) else {
            self.head_not_sent(respond);
            return Rest::Nothing;
        };
        match body {
            _ if is_whole => Rest::Nothing,
            ResponseBody::Tunnel(mut open_tunnel) => match open_tunnel.from_client.take() {
                Some(from_client) => Rest::Tunnel(End::h2(stream, from_client), open_tunnel),
                None => Rest::Nothing,
            },
            body => Rest::Body(Delivery {
                pump: Pump::new(body, stream).through(self.shared.tracker.clone()),
                stall: Stall::default(),
                cut: None,
                entry: None,
            }),
        }
    }

    /// Ready when the body of the answer has been handed to the connection, or has broken off.
    fn poll_delivery(&mut self, cx: &mut TaskContext<'_>, delivery: &mut Delivery) -> Poll<()> {
        ready!(self.poll_body(cx, delivery));
        let bytes = &self.exchange.record.body_bytes_out;
        bytes.set(bytes.get().saturating_sub(delivery.pump.unsent()));
        Poll::Ready(())
    }

    fn poll_body(&mut self, cx: &mut TaskContext<'_>, delivery: &mut Delivery) -> Poll<()> {
        let Delivery {
            pump,
            stall,
            cut,
            entry,
        } = delivery;
        if let Some(cut) = cut {
            let is_sent = Pin::new(&mut cut.sent).poll(cx).is_ready();
            if !is_sent && self.timer.poll(cx, cut.until).is_pending() {
                return Poll::Pending;
            }
            // Its reason is in the record; the client must not take it for the end.
            pump.reset(h2::Reason::INTERNAL_ERROR);
            return Poll::Ready(());
        }
        loop {
            match pump.poll(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(()),
                Poll::Ready(Err(Stopped::Body(_))) => {
                    // A reset drops bytes that are not sent yet.
                    let timeout = self.shared.client.timeouts().body;
                    *cut = Some(Box::new(Cut {
                        sent: self.shared.all_sent(),
                        until: clock::now() + timeout,
                    }));
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Err(Stopped::Reset(_) | Stopped::Connection(_))) => {
                    self.client_left();
                    return Poll::Ready(());
                }
                Poll::Pending => {}
            }
            let timeout = self.shared.client.timeouts().body;
            let look_at = stall.due(pump, timeout);
            if entry.as_ref().map(StalledEntry::since) != stall.since() {
                *entry = None;
            } else if entry.as_ref().is_some_and(|entry| entry.must_end(cx)) {
                self.exchange.cut(Reason::ProxyDescriptors);
                pump.reset(h2::Reason::CANCEL);
                return Poll::Ready(());
            }
            let waiting = self.exchange.deadlines.earliest();
            let due = [look_at, waiting].into_iter().flatten().min();
            let (now, fired) = ready!(self.poll_due(cx, due));
            let look = stall.look(now, timeout, &self.shared.tracker);
            let stalled = (look == Look::Stalled).then_some(Reason::ClientStalled);
            if let Some(reason) = fired.or(stalled) {
                self.exchange.cut(reason);
                pump.reset(h2::Reason::CANCEL);
                return Poll::Ready(());
            }
            // It was checked, and nothing was taken since before that.
            if let Look::Waiting(since) = look
                && entry.is_none()
                && pump.body_mut().holds_connection()
            {
                *entry = Some(self.shared.client.context.stalled.enter(since, cx));
            }
        }
    }

    /// Runs the tunnel that the stream becomes.
    async fn go_on(&mut self, end: End, open_tunnel: Box<OpenTunnel>) {
        let client = &self.shared.client;
        // A registration of its own: a connection that drains leaves its streams alone.
        let registration = client
            .context
            .connections
            .register(Arc::clone(&client.live));
        let end = (end, Bytes::new());
        let tunnel = Box::new(open_tunnel.tunnel(end, &self.exchange, client));
        tunnel
            .run(&client.context, &registration, &mut self.timer)
            .await;
    }

    /// Ready when `due` has passed, or another condition that the exchange waits for: then with its
    /// result.
    fn poll_due(
        &mut self,
        cx: &mut TaskContext<'_>,
        due: Option<Instant>,
    ) -> Poll<(Instant, Option<Reason>)> {
        let now = ready!(self.timer.poll_any(cx, due));
        Poll::Ready((now, self.exchange.deadlines.pass(now)))
    }

    /// h2 did not take the head of the answer. The client has left, or the head has a field that no
    /// answer in HTTP/2 may have, which is a bug here.
    fn head_not_sent(&self, respond: &mut SendResponse<Bytes>) {
        let mut cx = TaskContext::from_waker(Waker::noop());
        if respond.poll_reset(&mut cx).is_ready() {
            return self.client_left();
        }
        self.exchange.cut(Reason::ProxyPanic);
        respond.send_reset(h2::Reason::INTERNAL_ERROR);
    }

    /// The head of the request is not in memory any more.
    fn forget_head(&mut self) {
        if std::mem::take(&mut self.has_head) {
            self.shared.head_dropped(self.id);
        }
    }

    fn client_left(&self) {
        self.exchange.cut(self.shared.reason_of_reset(self.id));
    }
}

/// Sends `100 Continue`: the body is wanted (RFC 9110 §10.1.1). If that fails, the stream is over,
/// which is noticed elsewhere.
fn say_continue(respond: &mut SendResponse<Bytes>) {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::CONTINUE;
    let _ = respond.send_informational(response);
}

/// Adds the fields that our own answer lacks: its date (RFC 9110 §6.6.1) and its length.
fn complete(head: &mut response::Parts, body: &ResponseBody) {
    if !head.headers.contains_key(header::DATE) {
        let date = httpdate::fmt_http_date(clock::wall());
        if let Ok(date) = HeaderValue::from_maybe_shared(Bytes::from(date)) {
            head.headers.insert(header::DATE, date);
        }
    }
    // RFC 9110 §8.6: a 204 has no length, and that of a 304 would be the length of another answer.
    let has_length = !matches!(
        head.status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    if let Some(length) = body.own_length().filter(|_| has_length) {
        head.headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        let reason = self.shared.reason_or(Reason::of_drop());
        self.exchange.cut(reason);
        let ended = self.shared.client.settle(&self.exchange);
        self.shared.end(self.id, ended);
        let mut timers = self.shared.timers.borrow_mut();
        if timers.len() < TIMERS_KEPT {
            timers.push(std::mem::take(&mut self.timer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tasks;
    use crate::proxy::io::of_small_pieces;

    #[test]
    fn a_client_that_sends_on_in_small_pieces_does_not_keep_its_worker() {
        const PIECES: usize = 1_000;
        let runtime = tasks::local_runtime().expect("a runtime");
        let turns = runtime.block_on(async {
            let mut stream = of_small_pieces(PIECES).await;
            let mut linger = Linger::brief(clock::now());
            let discarding = tasks::spawn_local(async move {
                let mut turns = Vec::new();
                poll_fn(|cx| {
                    let before = stream.flow_control().used_capacity();
                    let polled = poll_discard(cx, &mut stream, &mut linger);
                    turns.push(before - stream.flow_control().used_capacity());
                    polled
                })
                .await;
                turns
            });
            discarding.await.expect("no panic")
        });
        assert_eq!(turns.iter().sum::<usize>(), PIECES);
        let longest = turns.iter().max().expect("a turn");
        // 128 steps, four for each.
        assert!(*longest <= 64, "{turns:?}");
    }
}
