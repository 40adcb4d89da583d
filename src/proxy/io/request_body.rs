//! The request body on its way from the client to the server, piece by piece.
//!
//! It counts the bytes, notes when the exchange waits for the client, and distinguishes between a
//! client that closed its connection and one that sent malformed framing. The next piece is read when
//! the server has taken the last one, and the window of an HTTP/2 client grows by the bytes that the
//! server has taken. Only the beginning of a body is kept, for a request that may be sent once more.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::base::clock::{self, Duration};
use crate::base::turn;
use crate::exchange::Reason;

use super::exchange::Exchange;
use super::field_rules::FieldRules;
use super::listener::{ContinueGate, Listener};
use super::received::ReceivedBody;
use super::replay_buffer::{KeptBodies, ReplayBuffer};

/// How long a request body waits for the server's `100 Continue` (RFC 9110 §10.1.1).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// The request's body, or none.
pub struct RequestBody {
    /// `None`: there was none, or it has ended and has no window to return.
    incoming: Option<ReceivedBody>,
    /// Whether the last byte of `incoming` has come.
    is_received: bool,
    /// Whether the sender calls [`RequestBody::note_taken`]; if not, polling implies it.
    says_when_taken: bool,
    exchange: Rc<Exchange>,
    timeout: Duration,
    /// The most bytes that it may have.
    most: u64,
    gate: Option<ContinueGate>,
    /// The part that was handed on; `None`: it was too large to be kept, or need not be kept. Boxed,
    /// as `again`: most requests have no body, and this is moved several times for each of them.
    replay: Option<Box<ReplayBuffer>>,
    /// Whether the copy is kept until the answer has come, also when a server has seen the request.
    is_for_another_server: bool,
    /// The worker's budget for kept bodies; `None`: there is nothing to keep.
    kept: Option<KeptBodies>,
    /// To be handed on once more, before anything new; `None`: nothing, as at the end of it.
    again: Option<Box<ReplayBuffer>>,
    /// Whether anything was handed on.
    is_begun: bool,
    /// Decides which trailers pass; `None`: there can be none.
    rules: Option<Rc<FieldRules>>,
}

/// Why a request body ended early.
#[derive(Debug)]
pub struct BodyFault(pub Reason);

impl RequestBody {
    /// The body of the request of `exchange`; each piece must come within `timeout`. Its kept part
    /// counts in `kept`.
    pub fn new(
        incoming: impl Into<ReceivedBody>,
        exchange: Rc<Exchange>,
        timeout: Duration,
        kept: &KeptBodies,
    ) -> Self {
        let mut incoming = Some(incoming.into()).filter(|body| !body.is_end_stream());
        match &mut incoming {
            Some(incoming) => incoming.hold_window(),
            None => exchange.request_complete.set(true),
        }
        Self {
            incoming,
            timeout,
            kept: Some(kept.clone()),
            ..Self::none(exchange)
        }
    }

    /// No body, for a request that is sent once more.
    pub fn none(exchange: Rc<Exchange>) -> Self {
        Self {
            incoming: None,
            is_received: false,
            says_when_taken: false,
            exchange,
            timeout: Duration::ZERO,
            most: u64::MAX,
            gate: None,
            replay: None,
            is_for_another_server: false,
            kept: None,
            again: None,
            is_begun: false,
            rules: None,
        }
    }

    /// Passes on only trailers that `rules` allow.
    pub fn with_rules(mut self, rules: &Rc<FieldRules>) -> Self {
        if self.incoming.is_some() {
            self.rules = Some(Rc::clone(rules));
        }
        self
    }

    /// Refuses it from the byte on that is one too many.
    pub fn bound(&mut self, most: u64) {
        self.most = most;
    }

    /// Holds the body back until `gate` opens.
    pub fn hold_back(&mut self, gate: ContinueGate) {
        self.gate = Some(gate);
    }

    /// From here on, the sender calls [`RequestBody::note_taken`].
    pub fn hold_until_taken(&mut self) {
        self.says_when_taken = true;
    }

    /// Notes that the server has taken all handed-on bytes: their room is returned to the window of an
    /// HTTP/2 client, except for the bytes that are kept here.
    #[inline]
    pub fn note_taken(&mut self) {
        if let Some(incoming) = &mut self.incoming {
            let kept = [&self.replay, &self.again];
            let kept = kept.into_iter().flatten().map(|buffer| buffer.bytes());
            incoming.release_all_but(kept.sum());
        }
    }

    /// Notes that the server does not take what was handed on: the exchange waits for it, not for the client.
    pub fn wait_for_room(&self) {
        if self.exchange.deadlines.is_waiting_for_client() {
            self.exchange.deadlines.client_came();
        }
    }

    /// Gets the interim responses (1xx) of the server; `None`: they are not needed.
    pub fn listener(&self) -> Option<Listener> {
        let gate = self.gate.clone();
        let exchange = &self.exchange;
        (gate.is_some() || exchange.interims.are_wanted()).then(|| Listener {
            gate,
            exchange: Rc::clone(exchange),
        })
    }

    /// Keeps what it hands on from here on, if that is little.
    pub fn keep(&mut self) {
        if self.replay.is_none() && !self.is_begun {
            let replay = self.kept.as_ref().map(ReplayBuffer::of);
            self.replay = replay.map(Box::new);
        }
    }

    /// Keeps it until the answer has come, because the request may then go to another server.
    pub fn keep_until_answered(&mut self) {
        self.is_for_another_server = true;
    }

    /// Whether all that was handed on is kept for another server.
    pub fn is_kept_until_answered(&self) -> bool {
        self.is_for_another_server && self.is_rewindable()
    }

    /// Drops the kept part.
    pub fn forget(&mut self) {
        self.replay = None;
        self.is_for_another_server = false;
    }

    /// Whether [`RequestBody::rewound`] would return the body.
    pub fn is_rewindable(&self) -> bool {
        self.replay.is_some() || !self.is_begun
    }

    /// The body from its first byte, to be sent once more; `None`: not all that was handed on is kept.
    pub fn rewound(mut self) -> Option<Self> {
        if self.is_begun {
            let mut handed_on = self.replay.take()?;
            if let Some(again) = self.again.take() {
                handed_on.append(*again);
            }
            self.again = Some(handed_on);
            self.is_begun = false;
        }
        self.says_when_taken = false;
        Some(self)
    }

    /// Notes that `frame` is handed on.
    fn hand_on(&mut self, frame: &Frame<Bytes>) {
        self.is_begun = true;
        if self
            .replay
            .as_mut()
            .is_some_and(|replay| !replay.keep(frame))
        {
            self.replay = None;
        }
    }

    /// Whether more of it may come from the client.
    fn is_expected(&self) -> bool {
        self.incoming.is_some() && !self.is_received
    }

    fn is_held_back(&mut self) -> bool {
        let Some(gate) = &mut self.gate else {
            return false;
        };
        let now = clock::now();
        let until = *gate.until.get_or_insert(now + CONTINUE_TIMEOUT);
        if gate.is_open() || now >= until {
            self.exchange.deadlines.nudge_at(None);
            self.gate = None;
            return false;
        }
        self.exchange.deadlines.nudge_at(Some(until));
        true
    }

    /// Ends the body with an error: no attempt gets any more of it.
    fn break_off(&mut self, reason: Reason) -> BodyFault {
        self.incoming = None;
        self.is_begun = true;
        self.replay = None;
        self.exchange.record.blame(reason);
        BodyFault(reason)
    }

    fn end(&mut self) {
        self.is_received = true;
        // Bytes that the server has not taken count in the window of an HTTP/2 client until it has.
        if !matches!(
            self.incoming,
            Some(ReceivedBody::Http2(_) | ReceivedBody::Ahead(_))
        ) {
            self.incoming = None;
        }
        self.exchange.request_complete.set(true);
        self.exchange.deadlines.client_came();
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        if self.is_held_back() {
            return Poll::Pending;
        }
        let this = &mut *self;
        if !this.says_when_taken {
            this.note_taken();
        }
        if let Some(again) = &mut this.again {
            match again.next() {
                Some(frame) => {
                    this.hand_on(&frame);
                    return Poll::Ready(Some(Ok(frame)));
                }
                None => this.again = None,
            }
        }
        let Some(incoming) = this.incoming.as_mut().filter(|_| !this.is_received) else {
            return Poll::Ready(None);
        };
        // A piece may be one byte, and thousands of them may have been read at once.
        if !turn::may_go_on(cx) {
            return Poll::Pending;
        }
        let deadlines = &this.exchange.deadlines;
        this.exchange.body_wanted.set(true);
        match Pin::new(&mut *incoming).poll_frame(cx) {
            Poll::Pending => {
                deadlines.wait_for_client(this.timeout, Reason::RequestBodyTimeout);
                Poll::Pending
            }
            Poll::Ready(Some(Ok(mut frame))) => {
                turn::spend_on_piece(cx, frame.data_ref().map_or(0, Bytes::len));
                deadlines.client_came();
                if let (Some(trailers), Some(rules)) = (frame.trailers_mut(), &this.rules)
                    && let Err(reason) = rules.clean_trailers(trailers)
                {
                    return Poll::Ready(Some(Err(this.break_off(reason))));
                }
                let is_last = incoming.is_end_stream();
                if incoming.size_hint().exact() == Some(0) {
                    // All bytes of the length have come. An HTTP/2 client may still end the stream or send
                    // trailers; an HTTP/1.1 server has the whole request, and nothing more is read for it.
                    this.exchange.request_complete.set(true);
                }
                if let Some(data) = frame.data_ref() {
                    let bytes = &this.exchange.record.body_bytes_in;
                    bytes.set(bytes.get() + data.len() as u64);
                    if bytes.get() > this.most {
                        let fault = this.break_off(Reason::RequestBodyTooLarge);
                        return Poll::Ready(Some(Err(fault)));
                    }
                }
                if is_last || frame.is_trailers() {
                    this.end();
                }
                this.hand_on(&frame);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                this.is_begun = true;
                this.end();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                deadlines.client_came();
                let fault = this.break_off(error.reason());
                Poll::Ready(Some(Err(fault)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_handed_on = self.again.as_ref().is_none_or(|again| again.is_empty());
        !self.is_expected() && is_handed_on
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = match &self.incoming {
            Some(incoming) if !self.is_received => incoming.size_hint(),
            _ => SizeHint::with_exact(0),
        };
        let again = self.again.as_ref().filter(|again| !again.is_empty());
        if let Some(again) = again {
            let (bytes, has_trailers) = (again.bytes() as u64, again.has_trailers());
            let upper = hint.upper().filter(|_| !has_trailers);
            // Without a length: HTTP/1.1 has no place for trailers after one.
            let mut whole = SizeHint::default();
            whole.set_lower(hint.lower() + bytes);
            if let Some(upper) = upper {
                whole.set_upper(upper + bytes);
            }
            hint = whole;
        }
        hint
    }
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code())
    }
}

impl Error for BodyFault {}

#[cfg(test)]
pub(super) mod tests {
    use http::{HeaderMap, Request};
    use http_body_util::BodyExt;
    use tokio::io::duplex;

    use super::*;
    use crate::base::tasks;
    use crate::base::turn::pieces_per_turn;
    use crate::proxy::io::StreamBody;
    use crate::proxy::io::pump::tests::{case, stream};

    /// The stream of a request whose client has sent `count` pieces of one byte, all of which have
    /// arrived.
    pub(crate) async fn of_small_pieces(count: usize) -> h2::RecvStream {
        let (near, far) = duplex(1 << 20);
        let mut server = h2::server::Builder::new();
        server.data_frame_budget(1 << 20);
        let (requests, accepted) = tokio::sync::oneshot::channel();
        tasks::spawn_local(async move {
            let connection = server.handshake::<_, Bytes>(near).await;
            let mut connection = connection.expect("a handshake");
            let request = connection.accept().await.expect("one").expect("no fault");
            assert!(requests.send(request).is_ok());
            while connection.accept().await.is_some() {}
        });
        let (mut sender, connection) = h2::client::handshake(far).await.expect("a handshake");
        tasks::spawn_local(connection);
        let request = Request::post("/").body(()).expect("a request");
        let (answer, mut body) = sender.send_request(request, false).expect("a stream");
        for sent in 1..=count {
            let piece = Bytes::from_static(b"x");
            body.send_data(piece, sent == count)
                .expect("an open stream");
        }
        let (request, respond) = accepted.await.expect("a request");
        // Their connection continues until the test is over.
        std::mem::forget((answer, sender, respond));
        let mut stream = request.into_body();
        while stream.flow_control().used_capacity() < count {
            tasks::yield_now().await;
        }
        stream
    }

    #[test]
    fn a_turn_ends_after_some_small_pieces_however_many_have_come() {
        const PIECES: usize = 1_000;
        let runtime = tasks::local_runtime().expect("a runtime");
        let turns = runtime.block_on(async {
            let body = StreamBody::new(of_small_pieces(PIECES).await, &HeaderMap::new());
            let (exchange, kept) = (Exchange::of_a_test(), KeptBodies::default());
            let mut body = RequestBody::new(body, exchange, Duration::from_secs(60), &kept);
            pieces_per_turn(move |cx| {
                let polled = Pin::new(&mut body).poll_frame(cx);
                polled.map(|frame| frame.map(|frame| frame.expect("a piece")).is_some())
            })
            .await
        });
        assert_eq!(turns.iter().sum::<usize>(), PIECES);
        let longest = turns.iter().max().expect("a turn");
        // 128 steps, four for each.
        assert!(*longest <= 64, "{turns:?}");
    }

    /// Bytes that the client of `body` has sent and that are not given back to its window.
    fn used(body: &mut RequestBody) -> usize {
        match &mut body.incoming {
            Some(ReceivedBody::Http2(body)) => body.used(),
            _ => unreachable!("it comes by HTTP/2"),
        }
    }

    /// Lets `check` look at a body of two pieces of 1,000 bytes, of which all was handed on.
    fn with_handed_on(prepare: impl Fn(&mut RequestBody), check: impl Fn(RequestBody)) {
        case(async {
            let (mut sending, received, _respond, _response) = stream().await;
            let received = StreamBody::new(received, &HeaderMap::new());
            let kept = KeptBodies::default();
            let mut body = RequestBody::new(
                received,
                Exchange::of_a_test(),
                Duration::from_secs(30),
                &kept,
            );
            prepare(&mut body);
            for is_last in [false, true] {
                let piece = vec![b'x'; 1_000].into();
                sending.send_data(piece, is_last).expect("it is open");
                body.frame().await.expect("a piece").expect("no error");
            }
            assert!(body.is_end_stream());
            check(body);
        });
    }

    #[test]
    fn a_client_may_send_as_much_again_as_the_server_has_taken_and_no_more() {
        with_handed_on(RequestBody::hold_until_taken, |mut body| {
            // Its end changes nothing: the server has taken none of it.
            assert_eq!(used(&mut body), 2_000);
            body.note_taken();
            assert_eq!(used(&mut body), 0);
        });
        // Asking for the next piece says that the last one was taken.
        with_handed_on(|_| {}, |mut body| assert_eq!(used(&mut body), 1_000));
    }

    #[test]
    fn a_client_may_not_send_as_much_again_as_is_kept_for_another_server() {
        let keep = |body: &mut RequestBody| {
            body.hold_until_taken();
            body.keep();
        };
        with_handed_on(keep, |mut body| {
            body.note_taken();
            assert_eq!(used(&mut body), 2_000);
            body.forget();
            body.note_taken();
            assert_eq!(used(&mut body), 0);
        });
        with_handed_on(keep, |body| {
            let mut again = body.rewound().expect("it was kept");
            again.note_taken();
            assert_eq!(used(&mut again), 2_000);
            again.hold_until_taken();
            for left in [1_000, 0] {
                let mut cx = Context::from_waker(std::task::Waker::noop());
                assert!(Pin::new(&mut again).poll_frame(&mut cx).is_ready());
                again.note_taken();
                assert_eq!(used(&mut again), left);
            }
        });
    }

    #[test]
    fn a_body_that_is_sent_a_third_time_is_whole_wherever_the_second_time_ended() {
        for handed_on in [0, 1, 2] {
            with_handed_on(RequestBody::keep, |body| {
                let mut again = body.rewound().expect("it was kept");
                again.keep();
                for _ in 0..handed_on {
                    let mut cx = Context::from_waker(std::task::Waker::noop());
                    assert!(Pin::new(&mut again).poll_frame(&mut cx).is_ready());
                }
                let once_more = again.rewound().expect("it was kept again");
                assert_eq!(once_more.size_hint().exact(), Some(2_000));
            });
        }
    }

    #[test]
    fn the_window_grows_for_a_sender_that_only_asks_for_pieces_after_one_that_said_what_was_taken()
    {
        let first = |body: &mut RequestBody| {
            body.hold_until_taken();
            body.keep();
        };
        with_handed_on(first, |body| {
            let mut again = body.rewound().expect("it was kept");
            for used_before in [2_000, 1_000] {
                let mut cx = Context::from_waker(std::task::Waker::noop());
                assert!(Pin::new(&mut again).poll_frame(&mut cx).is_ready());
                assert_eq!(used(&mut again), used_before);
            }
        });
    }

    #[test]
    fn a_body_that_its_client_has_broken_off_is_not_sent_again_as_if_it_were_whole() {
        case(async {
            let (mut sending, received, _respond, _response) = stream().await;
            let received = StreamBody::new(received, &HeaderMap::new());
            let (exchange, kept) = (Exchange::of_a_test(), KeptBodies::default());
            let mut body = RequestBody::new(received, exchange, Duration::from_secs(30), &kept);
            body.keep();
            body.keep_until_answered();
            sending.send_data("half".into(), false).expect("it is open");
            body.frame().await.expect("a piece").expect("no error");
            assert!(body.is_kept_until_answered());
            sending.send_reset(h2::Reason::CANCEL);
            assert!(body.frame().await.expect("an end").is_err());
            assert!(!body.is_kept_until_answered());
            assert!(body.rewound().is_none());
        });
    }

    #[test]
    fn trailers_are_sent_once_more_with_the_body() {
        let mut kept = ReplayBuffer::of(&KeptBodies::default());
        assert!(kept.keep(&Frame::data(Bytes::from_static(b"abc"))));
        let mut body = RequestBody::none(Exchange::of_a_test());
        body.again = Some(Box::new(kept));
        assert_eq!(body.size_hint().exact(), Some(3));
        let again = body.again.as_mut().expect("a copy");
        assert!(again.keep(&Frame::trailers(HeaderMap::new())));
        let hint = body.size_hint();
        // With a length, HTTP/1.1 has no place for them.
        assert_eq!((hint.lower(), hint.upper()), (3, None));
    }
}
