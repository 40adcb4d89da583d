//! The socket of an HTTP/1 client, the bytes that were read from it, and the body of the current
//! request.
//!
//! The connection (`http::h1`) and the request's body share it and use it in turn, in one task: the
//! body reads when it is polled, and the connection reads the bytes before and after it. Nothing is
//! read ahead of a body that is not polled.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::net::{HalfClose, Stream};
use crate::wire::h1::chunks::{ChunkDecoder, Piece};
use crate::wire::h1::{BodyFraming, Refusal};

use super::send_progress::SendProgress;

/// The most that one read takes while little is expected. It reads into an array on the stack, so that a
/// waiting connection holds no buffer.
const LITTLE_BYTES: usize = 8 << 10;

/// The size of the buffer for a large body.
const LARGE_BYTES: usize = 64 << 10;

/// A client's socket.
pub struct ClientSocket(Rc<RefCell<Shared>>);

/// The body of a request, which is read from the socket.
pub struct ClientBody {
    socket: Rc<RefCell<Shared>>,
    /// The number of its request.
    request: u64,
}

/// The reason why a body ended early.
#[derive(Debug)]
pub enum ClientBroken {
    /// Its framing is malformed.
    Refused(Refusal),
    /// The connection failed.
    Io(io::Error),
    /// The connection ended before the body did.
    Cut,
}

struct Shared {
    /// `None` once it was taken back.
    stream: Option<Stream>,
    /// Bytes that were read and not yet used.
    read: BytesMut,
    /// The expected next part of the current request.
    expected: Expected,
    /// Whether the last read filled its buffer, so that there may be more to read.
    has_more: bool,
    /// The number of requests so far.
    requests: u64,
    /// The number of bytes that the socket has accepted.
    written: u64,
}

/// The expected next part of a request.
enum Expected {
    /// Nothing: the request is complete.
    Nothing,
    /// Nothing, because the request is malformed.
    Broken,
    /// This many bytes of the body.
    Length(u64),
    /// Chunks of the body.
    Chunks(ChunkDecoder),
}

impl ClientSocket {
    /// The socket `stream`, from which `prefix` has already been read.
    pub fn new(stream: Stream, prefix: Bytes) -> Self {
        Self(Rc::new(RefCell::new(Shared {
            stream: Some(stream),
            read: BytesMut::from(prefix),
            expected: Expected::Nothing,
            has_more: false,
            requests: 0,
            written: 0,
        })))
    }

    /// The socket, and the bytes that were read and not used. The rest of a body is cut off.
    pub fn into_parts(self) -> (Stream, Bytes) {
        let mut shared = self.0.borrow_mut();
        let stream = shared.stream.take();
        let read = std::mem::take(&mut shared.read);
        (stream.expect("only this takes it"), read.freeze())
    }

    /// Passes the bytes that were read and not used to `look`, which may take some of them.
    #[inline]
    pub fn with_read<T>(&self, look: impl FnOnce(&mut BytesMut) -> T) -> T {
        look(&mut self.0.borrow_mut().read)
    }

    /// Whether there are bytes that were read and not used.
    pub fn has_read(&self) -> bool {
        !self.0.borrow().read.is_empty()
    }

    /// The body of the request whose head was read last.
    pub fn begin_body(&self, framing: BodyFraming) -> ClientBody {
        let mut shared = self.0.borrow_mut();
        shared.requests += 1;
        shared.has_more = false;
        shared.expected = match framing {
            BodyFraming::Length(0) => Expected::Nothing,
            BodyFraming::Length(length) => Expected::Length(length),
            BodyFraming::Chunked => Expected::Chunks(ChunkDecoder::default()),
        };
        ClientBody {
            socket: Rc::clone(&self.0),
            request: shared.requests,
        }
    }

    /// Whether the last byte of the current request was read.
    pub fn is_request_read(&self) -> bool {
        matches!(self.0.borrow().expected, Expected::Nothing)
    }

    /// Reads once, before or after a body; 0: the client has closed its sending side.
    #[inline]
    pub fn poll_read(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_read_little(cx)
    }

    /// Writes some of `bufs`.
    #[inline]
    pub fn poll_write(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let shared = &mut *self.0.borrow_mut();
        let count = ready!(Pin::new(shared.stream()?).poll_write_vectored(cx, bufs))?;
        shared.written += count as u64;
        match count {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => Poll::Ready(Ok(count)),
        }
    }

    /// Sends the bytes that wait in the TLS layer.
    #[inline]
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.borrow_mut().stream()?).poll_flush(cx)
    }

    /// As [`Stream::sent`].
    #[inline]
    pub fn sent(&self) -> Option<u64> {
        self.0.borrow().stream.as_ref()?.sent()
    }

    /// The progress of the written bytes; `None` if the system does not report it. One system call.
    pub fn progress(&self) -> Option<SendProgress> {
        let shared = self.0.borrow();
        SendProgress::of(shared.stream.as_ref()?, shared.written)
    }

    /// As [`Stream::unacknowledged`].
    pub fn unacknowledged(&self) -> u64 {
        let shared = self.0.borrow();
        shared.stream.as_ref().map_or(0, Stream::unacknowledged)
    }

    /// As [`Stream::has_peer_left`].
    pub fn has_peer_left(&self, half_close: HalfClose) -> bool {
        let shared = self.0.borrow();
        let stream = shared.stream.as_ref();
        stream.is_none_or(|stream| stream.has_peer_left(half_close))
    }
}

impl Shared {
    fn stream(&mut self) -> io::Result<&mut Stream> {
        self.stream
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The next piece of the body in the bytes that were read; `None`: more must be read.
    fn next_piece(&mut self) -> Result<Option<Frame<Bytes>>, Refusal> {
        if self.read.is_empty() {
            return Ok(None);
        }
        match &mut self.expected {
            Expected::Length(left) => {
                let read = self.read.len();
                let length = usize::try_from(*left).map_or(read, |left| left.min(read));
                *left -= length as u64;
                if *left == 0 {
                    self.expected = Expected::Nothing;
                }
                Ok(Some(Frame::data(self.read.split_to(length).freeze())))
            }
            Expected::Chunks(decoder) => {
                let piece = decoder.decode(&mut self.read)?;
                if let Some(Piece::End | Piece::Trailers(_)) = piece {
                    self.expected = Expected::Nothing;
                }
                Ok(match piece {
                    Some(Piece::Data(data)) => Some(Frame::data(data)),
                    Some(Piece::Trailers(trailers)) => Some(Frame::trailers(trailers)),
                    Some(Piece::End) | None => None,
                })
            }
            Expected::Nothing | Expected::Broken => Ok(None),
        }
    }

    /// Reads once, within a body.
    fn poll_read_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let expected = match &self.expected {
            Expected::Length(left) => *left,
            Expected::Chunks(decoder) => decoder.chunk_left(),
            Expected::Nothing | Expected::Broken => 0,
        };
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        if expected <= LITTLE_BYTES && !self.has_more {
            return self.poll_read_little(cx);
        }
        // Pieces share this memory one after another, so each of them needs no allocation.
        if self.read.capacity() - self.read.len() < LITTLE_BYTES {
            self.read.reserve(match self.expected {
                Expected::Length(_) => expected.min(LARGE_BYTES),
                _ => LARGE_BYTES,
            });
        }
        let room = self.read.capacity() - self.read.len();
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let count = ready!(pin!(stream.read_buf(&mut self.read)).poll(cx))?;
        self.has_more = count >= room;
        Poll::Ready(Ok(count))
    }

    #[inline]
    fn poll_read_little(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = [MaybeUninit::uninit(); LITTLE_BYTES];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        ready!(Pin::new(self.stream()?).poll_read(cx, &mut buffer))?;
        self.has_more = buffer.remaining() == 0;
        self.read.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = ClientBroken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBroken>>> {
        let this = self.get_mut();
        let shared = &mut *this.socket.borrow_mut();
        if shared.requests != this.request {
            // Another request follows only if this body was complete.
            return Poll::Ready(None);
        }
        let broken = loop {
            match shared.next_piece() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) => {}
                Err(refusal) => break ClientBroken::Refused(refusal),
            }
            match shared.expected {
                Expected::Nothing => return Poll::Ready(None),
                Expected::Broken => break ClientBroken::Cut,
                Expected::Length(_) | Expected::Chunks(_) => {}
            }
            match ready!(shared.poll_read_body(cx)) {
                Ok(0) => break ClientBroken::Cut,
                Ok(_) => {}
                Err(error) => break ClientBroken::Io(error),
            }
        };
        shared.expected = Expected::Broken;
        Poll::Ready(Some(Err(broken)))
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.socket.borrow();
        shared.requests != self.request || matches!(shared.expected, Expected::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        let shared = self.socket.borrow();
        match &shared.expected {
            _ if shared.requests != self.request => SizeHint::with_exact(0),
            Expected::Nothing => SizeHint::with_exact(0),
            Expected::Length(left) => SizeHint::with_exact(*left),
            Expected::Chunks(_) | Expected::Broken => SizeHint::default(),
        }
    }
}

impl fmt::Display for ClientBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Cut => f.write_str("the connection ended before the body"),
        }
    }
}

impl std::error::Error for ClientBroken {}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn socket(prefix: &'static str) -> (ClientSocket, DuplexStream) {
        let (near, far) = duplex(1 << 20);
        let stream = Stream::Other(Box::new(near));
        (
            ClientSocket::new(stream, Bytes::from_static(prefix.as_bytes())),
            far,
        )
    }

    async fn all(body: &mut ClientBody) -> Result<Vec<u8>, ClientBroken> {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn a_body_ends_at_its_length_and_the_next_bytes_stay_unread() {
        let (socket, mut far) = socket("he");
        far.write_all(b"lloGET").await.expect("there is room");
        let mut body = socket.begin_body(BodyFraming::Length(5));
        assert_eq!(body.size_hint().exact(), Some(5));
        assert_eq!(all(&mut body).await.expect("a body"), b"hello");
        assert!(body.is_end_stream() && socket.is_request_read());
        let mut none = socket.begin_body(BodyFraming::Length(0));
        assert!(none.is_end_stream());
        assert_eq!(all(&mut none).await.expect("a body"), b"");
        assert_eq!(&socket.into_parts().1[..], b"GET");
    }

    #[tokio::test]
    async fn a_chunked_body_is_decoded() {
        let (socket, mut far) = socket("5\r\nhel");
        far.write_all(b"lo\r\n0\r\n\r\nGET").await.expect("room");
        let mut body = socket.begin_body(BodyFraming::Chunked);
        assert_eq!(all(&mut body).await.expect("a body"), b"hello");
        assert_eq!(&socket.into_parts().1[..], b"GET");
    }

    #[tokio::test]
    async fn a_large_body_comes_in_large_pieces() {
        let (socket, mut far) = socket("");
        let length = 500_000;
        far.write_all(&vec![b'x'; length + 3]).await.expect("room");
        let mut body = socket.begin_body(BodyFraming::Length(length as u64));
        let mut pieces = 0;
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let data = frame.expect("no error").into_data().expect("data");
            pieces += 1;
            bytes += data.len();
        }
        assert_eq!(bytes, length);
        assert!(pieces <= 12, "{pieces}");
    }

    #[tokio::test]
    async fn a_body_that_ends_early_or_is_malformed_ends_with_an_error() {
        let (cut, far) = socket("hel");
        drop(far);
        let mut body = cut.begin_body(BodyFraming::Length(5));
        assert!(matches!(all(&mut body).await, Err(ClientBroken::Cut)));
        assert!(!body.is_end_stream() && !cut.is_request_read());
        let (bad, _far) = socket("x\r\n");
        let mut body = bad.begin_body(BodyFraming::Chunked);
        let refused = all(&mut body).await;
        assert!(matches!(
            refused,
            Err(ClientBroken::Refused(Refusal::ChunkSize))
        ));
        assert!(matches!(all(&mut body).await, Err(ClientBroken::Cut)));
    }

    #[tokio::test]
    async fn a_body_reads_nothing_of_the_next_request() {
        let (socket, _far) = socket("hello");
        let mut first = socket.begin_body(BodyFraming::Length(5));
        assert_eq!(all(&mut first).await.expect("a body"), b"hello");
        socket.with_read(|read| read.extend_from_slice(b"other"));
        let mut second = socket.begin_body(BodyFraming::Length(5));
        assert_eq!(all(&mut first).await.expect("nothing"), b"");
        assert_eq!(all(&mut second).await.expect("a body"), b"other");
    }
}
