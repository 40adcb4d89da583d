//! A connection that uses the codec of `wire::h1`.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::exchange::{Fault, Reason};
use crate::net::Stream;
use crate::plan::HeaderCase;
use crate::proxy::io::{
    AttemptDeadlines, MOST_INTERIM_BYTES, RequestBody, TrackedSocket, UploadProgress,
};
use crate::proxy::upstream::failure::{EarlyEnd, Leftover};
use crate::proxy::upstream::settings::Settings;
use crate::proxy::upstream::tls::ended_unanswered;
use crate::wire::h1::chunks::{ChunkDecoder, Piece};
use crate::wire::h1::response::{Framing, ResponseHead, ResponseParser};
use crate::wire::h1::{HeadLimits, KeepNames, NameCase, Refusal};

use super::early::is_maybe_early;
use super::upload::{Stopped, Upload};
use super::{Failure, Waiting};

/// The most that one read takes while little is expected. It reads into an array on the stack, so that a
/// waiting connection holds no buffer.
const LITTLE_BYTES: usize = 8 << 10;

/// The most that one read takes of a large body.
const LARGE_BYTES: usize = 64 << 10;

/// One connection.
pub(super) struct OwnConnection {
    stream: TrackedSocket,
    /// Bytes that were read from the socket and not yet used.
    read: BytesMut,
    parser: ResponseParser,
    upload: Upload,
    expected: Expected,
    /// Whether the last read filled its buffer, so that there may be more to read.
    has_more: bool,
    /// Whether no other request may follow. Either the server has announced a body that it cannot send,
    /// and if it sends it after all, it would be read as the response to that request; or the server has
    /// answered before it had the whole of this one.
    is_last: bool,
    limits: HeadLimits,
    case: HeaderCase,
}

/// The expected next part of an answer.
enum Expected {
    /// Nothing: its answer has ended, or no request was sent yet.
    Nothing,
    /// Nothing: the connection cannot be used again.
    Ended,
    /// The head of an answer.
    Head,
    /// This many bytes of the body.
    Length(u64),
    /// Chunks of the body.
    Chunks(ChunkDecoder),
    /// The body, until the connection ends.
    UntilEnd,
    /// Bytes of another protocol, after a 101.
    Tunnel,
}

impl OwnConnection {
    /// A connection over `stream`.
    pub(super) fn over(stream: Stream, settings: &Settings) -> Self {
        let mut connection = Self::with(stream, settings.head_limits(), settings.header_case());
        if settings.keeps_names() {
            connection.parser = ResponseParser::new(KeepNames::Yes);
        }
        connection
    }

    /// The same, for heads within `limits`; names are written in `case`.
    pub(super) fn with(stream: Stream, limits: HeadLimits, case: HeaderCase) -> Self {
        Self {
            stream: TrackedSocket::to_server(stream),
            read: BytesMut::new(),
            parser: ResponseParser::default(),
            upload: Upload::default(),
            expected: Expected::Nothing,
            has_more: false,
            is_last: false,
            limits,
            case,
        }
    }

    /// See [`super::H1Connection::begin`].
    pub(super) fn begin(
        &mut self,
        head: &Parts,
        host: Option<&HeaderValue>,
        body: RequestBody,
        deadlines: AttemptDeadlines<'_>,
    ) -> Waiting {
        let has_body = !body.is_end_stream();
        let waiting = Waiting {
            has_body,
            is_idempotent: head.method.is_idempotent(),
            listener: body.listener(),
            interim_left: MOST_INTERIM_BYTES,
            written_before: self.stream.written(),
            upload_progress: has_body
                .then(|| UploadProgress::begin(self.stream.tracker(), deadlines)),
        };
        self.expected = Expected::Head;
        self.has_more = false;
        let case = match self.case {
            HeaderCase::Lower => NameCase::Lower,
            HeaderCase::Title => NameCase::Title,
            HeaderCase::Preserve => NameCase::Preserve(head.extensions.get()),
        };
        self.upload.begin(head, host, body, case);
        waiting
    }

    /// See [`super::H1Connection::poll_answer`].
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        method: &Method,
        deadlines: AttemptDeadlines<'_>,
    ) -> Poll<Result<Response<()>, Failure>> {
        self.poll_response(cx, waiting, method, deadlines)
            .map_err(|fault| Failure {
                fault,
                left: self.leftover(waiting),
            })
    }

    /// The part of the unanswered request that can be sent again.
    fn leftover(&mut self, waiting: &Waiting) -> Leftover {
        let is_unseen = self.stream.written() == waiting.written_before;
        match self.upload.rewound() {
            Some(body) if is_unseen => Leftover::Unseen(body),
            body => Leftover::seen(body),
        }
    }

    /// See [`super::H1Connection::has_used_up_request`].
    pub(super) fn has_used_up_request(&self, waiting: &Waiting) -> bool {
        let is_body_gone = waiting.has_body && !self.upload.is_rewindable();
        self.stream.written() != waiting.written_before && (is_body_gone || !waiting.is_idempotent)
    }

    /// See [`super::H1Connection::keeps_request`].
    pub(super) fn keeps_request(&self) -> bool {
        self.upload.is_kept()
    }

    /// See [`super::H1Connection::take_request`].
    pub(super) fn take_request(&mut self) -> Option<RequestBody> {
        // The server waits for the rest of it, and would take the next request for that.
        self.is_last |= !self.upload.is_sent();
        self.upload.rewound()
    }

    /// See [`super::H1Connection::forget_request`].
    #[inline]
    pub(super) fn forget_request(&mut self) {
        self.upload.forget();
    }

    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        method: &Method,
        deadlines: AttemptDeadlines<'_>,
    ) -> Poll<Result<Response<()>, Fault>> {
        if let Some(reason) = deadlines.fired() {
            return Poll::Ready(Err(Fault::new(reason)));
        }
        loop {
            let mut polled = Poll::Pending;
            if self.stream.written() != waiting.written_before && !self.upload.is_sent() {
                // First, so that an answer that came before the end of the request is known as such.
                polled = self.poll_head(cx, method);
                // As is a part of one.
                self.is_last |= !self.read.is_empty();
            }
            if polled.is_pending() {
                if let Poll::Ready(Err(stopped)) = self.upload.poll(cx, &mut self.stream) {
                    return Poll::Ready(Err(stopped.into()));
                }
                if self.stream.written() != waiting.written_before {
                    // The server may have seen the request.
                    self.upload.forget_unless_kept();
                }
                polled = self.poll_head(cx, method);
            }
            let answer = match polled {
                Poll::Ready(answer) => answer?,
                Poll::Pending => break,
            };
            self.is_last |= answer.framing == Framing::Contradicted;
            let status = answer.response.status();
            if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                let bytes = self.stream.written() - waiting.written_before;
                self.is_last |= is_maybe_early(status, bytes, &self.upload, &self.stream);
                self.upload.note_answered();
                return Poll::Ready(Ok(self.begin_body(answer)));
            }
            // If it is the `100 Continue` that the body waits for, the next turn of the loop writes the body.
            waiting.pass_on(&answer)?;
        }
        if let Some(upload_progress) = &mut waiting.upload_progress {
            upload_progress.poll(deadlines);
        }
        Poll::Pending
    }

    /// The next head, interim or not.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
    ) -> Poll<Result<ResponseHead, Fault>> {
        loop {
            if !self.read.is_empty() {
                let parsed = self.parser.parse(&mut self.read, method, self.limits);
                if let Some(answer) = parsed.map_err(not_understood)? {
                    return Poll::Ready(Ok(answer));
                }
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) => return Poll::Ready(Err(Fault::new(Reason::ServerResponseEmpty))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(ended_unanswered(error))),
            }
        }
    }

    fn begin_body(&mut self, answer: ResponseHead) -> Response<()> {
        self.expected = match answer.framing {
            Framing::Length(0) | Framing::Contradicted => Expected::Nothing,
            Framing::Length(length) => Expected::Length(length),
            Framing::Chunked => Expected::Chunks(ChunkDecoder::default()),
            Framing::UntilEnd => Expected::UntilEnd,
            Framing::Tunnel => Expected::Tunnel,
        };
        answer.response
    }

    /// See [`super::H1Connection::poll_frame`].
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EarlyEnd>>> {
        if let Poll::Ready(Err(_)) = self.upload.poll(cx, &mut self.stream) {
            self.expected = Expected::Ended;
            // If the client has ended its request, the exchange has the reason: `RequestBody` has recorded it.
            return Poll::Ready(Some(Err(EarlyEnd::Incomplete)));
        }
        loop {
            match self.next_piece() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) => {}
                Err(_) => {
                    self.expected = Expected::Ended;
                    return Poll::Ready(Some(Err(EarlyEnd::Malformed)));
                }
            }
            if self.is_end_stream() {
                return Poll::Ready(None);
            }
            let is_whole = match ready!(self.poll_read(cx)) {
                Ok(0) => matches!(self.expected, Expected::UntilEnd),
                Ok(_) => continue,
                Err(_) => false,
            };
            self.expected = Expected::Ended;
            return Poll::Ready(match is_whole {
                true => None,
                false => Some(Err(EarlyEnd::Incomplete)),
            });
        }
    }

    /// The next piece of the body in the bytes that were read; `None`: more must be read.
    fn next_piece(&mut self) -> Result<Option<Frame<Bytes>>, Refusal> {
        if self.read.is_empty() {
            return Ok(None);
        }
        let data = match &mut self.expected {
            Expected::Length(left) => {
                let length = usize::try_from(*left)
                    .map_or(self.read.len(), |left| left.min(self.read.len()));
                *left -= length as u64;
                let data = self.read.split_to(length).freeze();
                if *left == 0 {
                    self.expected = Expected::Nothing;
                }
                data
            }
            Expected::Chunks(decoder) => match decoder.decode(&mut self.read)? {
                Some(Piece::Data(data)) => data,
                Some(Piece::Trailers(trailers)) => {
                    self.expected = Expected::Nothing;
                    return Ok(Some(Frame::trailers(trailers)));
                }
                Some(Piece::End) => {
                    self.expected = Expected::Nothing;
                    return Ok(None);
                }
                None => return Ok(None),
            },
            Expected::UntilEnd => self.read.split().freeze(),
            Expected::Nothing | Expected::Ended | Expected::Head | Expected::Tunnel => {
                return Ok(None);
            }
        };
        Ok(Some(Frame::data(data)))
    }

    /// Reads once and returns the number of bytes; 0: the server has closed the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let expected_bytes = match &self.expected {
            Expected::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            Expected::Chunks(decoder) => {
                usize::try_from(decoder.chunk_left()).unwrap_or(usize::MAX)
            }
            _ => 0,
        };
        if expected_bytes > LITTLE_BYTES || self.has_more {
            let most = match &self.expected {
                Expected::Length(_) => expected_bytes.min(LARGE_BYTES),
                _ => LARGE_BYTES,
            };
            self.read.reserve(most);
            let reading = pin!(self.stream.read_buf(&mut self.read));
            let count = ready!(reading.poll(cx))?;
            self.has_more = count >= most;
            return Poll::Ready(Ok(count));
        }
        let mut buffer = [MaybeUninit::uninit(); LITTLE_BYTES];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        self.has_more = buffer.remaining() == 0;
        self.read.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// See [`super::H1Connection::is_end_stream`].
    pub(super) fn is_end_stream(&self) -> bool {
        matches!(self.expected, Expected::Nothing | Expected::Ended)
    }

    /// See [`super::H1Connection::size_hint`].
    pub(super) fn size_hint(&self) -> SizeHint {
        match self.expected {
            Expected::Nothing | Expected::Ended | Expected::Tunnel => SizeHint::with_exact(0),
            Expected::Length(left) => SizeHint::with_exact(left),
            Expected::Head | Expected::Chunks(_) | Expected::UntilEnd => SizeHint::default(),
        }
    }

    /// See [`super::H1Connection::into_upgraded`].
    pub(super) fn into_upgraded(self) -> Option<(Stream, Bytes)> {
        let is_tunnel = matches!(self.expected, Expected::Tunnel);
        is_tunnel.then(|| (self.stream.into_inner(), self.read.freeze()))
    }

    /// Whether no request is in progress and no byte has come without one.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.expected, Expected::Nothing)
            && !self.is_last
            && self.upload.is_over()
            && self.read.is_empty()
            && !self.stream.is_write_closed()
    }

    /// See [`super::H1Connection::is_reusable`].
    pub(super) fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        let mut buffer = [0; 1];
        let mut buffer = ReadBuf::new(&mut buffer);
        self.is_idle()
            && Pin::new(&mut self.stream)
                .poll_read(cx, &mut buffer)
                .is_pending()
    }

    /// See [`super::H1Connection::free_buffers`].
    pub(super) fn free_buffers(&mut self) {
        self.read = BytesMut::new();
        self.parser.clear();
        self.upload.free_buffers();
    }

    /// See [`super::H1Connection::is_wanted`].
    pub(super) fn is_wanted(&self) -> bool {
        self.stream.is_wanted()
    }
}

impl Waiting {
    /// Passes an interim response on, and counts its bytes. Fails when there are too many.
    fn pass_on(&mut self, interim: &ResponseHead) -> Result<(), Fault> {
        let left = self.interim_left.checked_sub(interim.head_bytes as u64);
        self.interim_left = left.ok_or_else(|| Fault::new(Reason::ServerResponseInterim))?;
        if let Some(listener) = &self.listener {
            listener.receive(&interim.response);
        }
        Ok(())
    }
}

/// The fault of a server whose answer is malformed.
fn not_understood(refusal: Refusal) -> Fault {
    Fault::with_text(Reason::ServerResponseMalformed, refusal.to_string().into())
}

impl From<Stopped> for Fault {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Body(reason) => Self::new(reason),
            Stopped::Socket(error) => ended_unanswered(error),
        }
    }
}
