//! An active period of a client connection: requests are read, answered one after another, and
//! their answers written. It ends with the connection, or after a while without requests.
//!
//! One task does all of it: it polls the handler, the body of the request and the body of the
//! response beside the socket and the timer. `reading`, `writing` and `due` contain the parts.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Response, Version};

use crate::base::clock::Instant;
use crate::exchange::Reason;
use crate::net::Stream;
use crate::plan::Closing;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::http::active::ActiveRequest;
use crate::proxy::http::body::ResponseBody;
use crate::proxy::io::{Blocked, ClientSocket, ReceivedBody, StalledEntry, Timer, logged_line};
use crate::wire::h1::request_head::{RequestHead, RequestParser};

use super::outgoing::Outgoing;
use super::responding::{Asked, Responding};
use super::session::Session;
use super::terms::Terms;
use super::verdict::{Due, Ended, Verdict};

/// One active period.
pub(super) struct ActivePeriod<'a> {
    pub(super) session: &'a mut Session,
    pub(super) registration: &'a Registration,
    pub(super) timer: &'a mut Timer,
    pub(super) socket: ClientSocket,
    pub(super) terms: Terms,
    pub(super) parser: RequestParser,
    /// The head of the next request. It is a field because it is large, and each function that
    /// passed it on would move it.
    pub(super) head: Option<RequestHead>,
    pub(super) outgoing: Outgoing,
    /// Whether the TLS layer has sent everything that the socket accepted.
    pub(super) is_flushed: bool,
    /// Whether the client takes our output.
    pub(super) blocked: Blocked,
    /// The response to the current request.
    pub(super) responding: Responding,
    /// Whether the client waits for `100 Continue`.
    pub(super) asks_first: bool,
    /// How many bytes of empty lines have come in a row before the next request.
    pub(super) blank_bytes: usize,
    /// When to check whether the client has closed, while its upload waits for the server.
    pub(super) look_at: Option<Instant>,
    /// The entry of its exchange among those that may be ended to free descriptors.
    pub(super) stalled: Option<StalledEntry>,
}

impl<'a> ActivePeriod<'a> {
    /// A period on the connection `stream`, from which `prefix` has already been read.
    pub(super) fn begin(
        stream: Stream,
        prefix: Bytes,
        session: &'a mut Session,
        registration: &'a Registration,
        timer: &'a mut Timer,
    ) -> Self {
        let asked = Asked {
            version: Version::HTTP_11,
            is_head: false,
            keep_alive: true,
            takes_trailers: false,
        };
        Self {
            terms: Terms::of(&session.client),
            session,
            registration,
            timer,
            socket: ClientSocket::new(stream, prefix),
            parser: RequestParser::default(),
            head: None,
            outgoing: Outgoing::default(),
            is_flushed: true,
            blocked: Blocked::default(),
            responding: Responding::none(asked),
            asks_first: false,
            blank_bytes: 0,
            look_at: None,
            stalled: None,
        }
    }

    /// Serves the connection until the period ends.
    pub(super) async fn run(mut self) -> Ended {
        let verdict = self.serve().await;
        self.ended(verdict)
    }

    async fn serve(&mut self) -> Verdict {
        loop {
            if let Err(verdict) = poll_fn(|cx| self.poll_head(cx)).await {
                return verdict;
            }
            let Some(head) = self.head.take() else {
                continue;
            };
            let response = {
                let mut answering = pin!(self.open(head));
                poll_fn(|cx| self.poll_answer(cx, answering.as_mut())).await
            };
            let response = match response {
                Ok(response) => response,
                Err(verdict) => return verdict,
            };
            if let ResponseBody::Withheld { closing, .. } = *response.body() {
                // This ends the exchange.
                drop(response);
                self.session.settle();
                return Verdict::Withheld(closing);
            }
            let keep_alive = self.begin_response(response);
            if let Some(verdict) = poll_fn(|cx| self.poll_response(cx)).await {
                return verdict;
            }
            if let Some(open_tunnel) = self.responding.take_tunnel() {
                return Verdict::Upgraded(open_tunnel);
            }
            self.session.settle();
            if !keep_alive || self.session.is_dirty {
                return Verdict::Over;
            }
            self.terms.renew(&self.session.client);
        }
    }

    /// Opens the exchange for the request with `head`, and starts the handler.
    fn open(&mut self, head: RequestHead) -> impl Future<Output = Response<ResponseBody>> + use<> {
        let RequestHead {
            request,
            framing,
            keep_alive,
            takes_trailers,
        } = head;
        let asked = Asked {
            version: request.version(),
            is_head: *request.method() == Method::HEAD,
            keep_alive,
            takes_trailers,
        };
        self.responding = Responding::none(asked);
        let body = self.socket.begin_body(framing);
        let request = request.map(|()| ReceivedBody::Http1(body));
        let began = self.session.head_began.take();
        let active = ActiveRequest::open(&self.session.client, &request, began);
        let exchange = active.opened();
        let is_new = asked.version == Version::HTTP_11;
        if is_new {
            exchange.interims.want();
        }
        self.asks_first = is_new && active.asks_first();
        self.session.open(exchange);
        active.answer(request)
    }

    /// Polls the handler for its answer.
    fn poll_answer<F>(
        &mut self,
        cx: &mut Context<'_>,
        mut answering: Pin<&mut F>,
    ) -> Poll<Result<Response<ResponseBody>, Verdict>>
    where
        F: Future<Output = Response<ResponseBody>>,
    {
        loop {
            if self.note_shutdown(cx) == Shutdown::Abort {
                return Poll::Ready(Err(self.cut(Reason::ProxyStopped)));
            }
            let polled = answering.as_mut().poll(cx);
            self.say_before_answer();
            if let Poll::Ready(response) = polled {
                return Poll::Ready(Ok(response));
            }
            let written = self.poll_write(cx);
            if matches!(written, Poll::Ready(Err(_))) || self.has_client_left(cx) {
                return Poll::Ready(Err(self.client_left()));
            }
            match ready!(self.poll_due(cx)) {
                Due::Notified => {}
                Due::End(verdict) => return Poll::Ready(Err(verdict)),
            }
        }
    }

    /// Writes the response. Ready when all of it is sent; with a verdict if it broke off.
    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Option<Verdict>> {
        loop {
            if self.note_shutdown(cx) == Shutdown::Abort {
                return Poll::Ready(Some(self.cut(Reason::ProxyStopped)));
            }
            match self.poll_body(cx) {
                Poll::Ready(Ok(())) if self.responding.is_broken() => {
                    self.session.settle();
                    return Poll::Ready(Some(Verdict::Cut));
                }
                Poll::Ready(Ok(())) => return Poll::Ready(None),
                Poll::Ready(Err(_)) => return Poll::Ready(Some(self.client_left())),
                Poll::Pending => {}
            }
            if self.has_client_left(cx) {
                return Poll::Ready(Some(self.client_left()));
            }
            match ready!(self.poll_due(cx)) {
                Due::Notified => {}
                Due::End(verdict) => return Poll::Ready(Some(verdict)),
            }
        }
    }

    /// Whether the client has closed while its request is answered. Known only when nothing of it
    /// is unread: its request has ended, and no byte of the next one has come.
    fn has_client_left(&self, cx: &mut Context<'_>) -> bool {
        if self.terms.outlives_half_close()
            || !self.socket.is_request_read()
            || self.socket.has_read()
        {
            return false;
        }
        matches!(
            self.socket.poll_read(cx),
            Poll::Ready(Ok(0)) | Poll::Ready(Err(_))
        )
    }

    pub(super) fn client_left(&mut self) -> Verdict {
        self.break_connection(Reason::ClientLeft)
    }

    /// Ends the open exchange early, and the connection with a reset.
    fn break_connection(&mut self, reason: Reason) -> Verdict {
        let lost = self.socket.unacknowledged();
        self.session.cut_with_loss(reason, lost);
        Verdict::Broken
    }

    pub(super) fn note_shutdown(&self, cx: &mut Context<'_>) -> Shutdown {
        let shutdown = self.registration.shutdown(cx);
        if shutdown == Shutdown::Drain {
            self.session.client.is_leaving.set(true);
        }
        shutdown
    }

    /// Ends the open exchange early.
    pub(super) fn cut(&mut self, reason: Reason) -> Verdict {
        let Some(exchange) = self.session.exchange() else {
            return Verdict::Over;
        };
        let is_whole =
            exchange.ended().is_some() && self.is_all_sent() && !self.responding.is_broken();
        if reason == Reason::ClientStalled && !is_whole {
            return self.break_connection(reason);
        }
        self.session.cut(reason);
        match is_whole {
            true => Verdict::Over,
            false => Verdict::Cut,
        }
    }

    fn ended(self, verdict: Verdict) -> Ended {
        let is_cut = self.responding.ends_with_connection();
        let (stream, read) = self.socket.into_parts();
        let logged = || logged_line(&read).map(Box::new);
        match verdict {
            Verdict::Idle => Ended::Idle(stream),
            // A copy, because the bytes are a view of a buffer that may be larger.
            Verdict::HalfHead => Ended::HalfHead(stream, read.to_vec()),
            Verdict::Unread(reason) => {
                self.session.is_dirty = true;
                Ended::Unread(stream, reason, logged())
            }
            Verdict::Broken | Verdict::Withheld(Closing::Reset) => Ended::Broken(stream),
            Verdict::Withheld(Closing::Silent) => Ended::Vanishing(stream),
            Verdict::Cut if is_cut => Ended::Cut(stream),
            Verdict::Upgraded(open_tunnel) => Ended::Upgraded(stream, read, open_tunnel),
            Verdict::Unanswered(reason) => {
                let request = logged().map(|request| *request);
                self.session.refuse(reason, 0, None, request);
                over(stream, self.session, !read.is_empty())
            }
            // The framing of a response shows that it was cut.
            Verdict::Over | Verdict::Cut => {
                // Closing it over unread bytes would reset it, and the client could lose the answer.
                let has_more = !read.is_empty() || stream.has_unread();
                over(stream, self.session, has_more)
            }
        }
    }
}

/// Ends a connection with nothing left to send.
fn over(stream: Stream, session: &Session, has_more: bool) -> Ended {
    if session.is_dirty || has_more {
        Ended::Refused(stream)
    } else {
        Ended::Over(stream)
    }
}
