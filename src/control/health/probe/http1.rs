//! HTTP/1.1 of a check, by the codec of exchanges (`wire::h1`): an answer that would be refused
//! there fails the check, with the same words.
//!
//! Not by `upstream`: what it sends belongs to an exchange, with deadlines and a record.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::{Body, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::Stream;
use crate::proxy::io::MOST_INTERIM_BYTES;
use crate::wire::h1::chunks::{ChunkDecoder, Piece};
use crate::wire::h1::response::{Framing, ResponseHead, ResponseParser};
use crate::wire::h1::{BodyFraming, HeadLimits, NameCase, request};

use super::TOO_MUCH;
use super::words::{of_io, of_refusal};

/// The most that is read at once.
const READ_BYTES: usize = 8 << 10;

/// The body of an answer, on the connection that the answer came on.
pub(super) struct Http1Body {
    stream: Stream,
    /// Bytes that were read and not yet used.
    read: BytesMut,
    expected: Expected,
}

/// The rest of a body.
enum Expected {
    Nothing,
    Length(u64),
    Chunks(ChunkDecoder),
    UntilEnd,
}

/// Why a body was not read to its end.
pub(super) enum BodyFault {
    Malformed,
    Incomplete,
    Io(io::Error),
}

/// Sends the request with this `head`, a GET, and reads the head of the answer.
///
/// # Errors
///
/// Why the check fails, in words.
pub(super) async fn ask(
    mut stream: Stream,
    head: &Parts,
    limits: HeadLimits,
) -> Result<Response<Http1Body>, String> {
    let mut bytes = Vec::new();
    let no_body = BodyFraming::Length(0);
    request::write_head(head, None, no_body, NameCase::Lower, &mut bytes);
    let sent = stream.write_all(&bytes).await;
    sent.map_err(|error| of_io(&error))?;
    // TLS may still have a part of it.
    stream.flush().await.map_err(|error| of_io(&error))?;
    let (mut read, mut parser) = (BytesMut::new(), ResponseParser::default());
    let mut interim_left = MOST_INTERIM_BYTES;
    loop {
        while !read.is_empty() {
            let parsed = parser.parse(&mut read, &Method::GET, limits);
            let Some(answer) = parsed.map_err(|refusal| of_refusal(&refusal))? else {
                break;
            };
            let status = answer.response.status();
            if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(answered(answer, stream, read));
            }
            let left = interim_left.checked_sub(answer.head_bytes as u64);
            interim_left = left.ok_or(TOO_MUCH)?;
        }
        read.reserve(READ_BYTES);
        let count = stream.read_buf(&mut read).await;
        if count.map_err(|error| of_io(&error))? == 0 {
            return Err("connection closed before the response".to_owned());
        }
    }
}

fn answered(answer: ResponseHead, stream: Stream, read: BytesMut) -> Response<Http1Body> {
    let expected = match answer.framing {
        Framing::Length(0) | Framing::Contradicted | Framing::Tunnel => Expected::Nothing,
        Framing::Length(length) => Expected::Length(length),
        Framing::Chunked => Expected::Chunks(ChunkDecoder::default()),
        Framing::UntilEnd => Expected::UntilEnd,
    };
    answer.response.map(|()| Http1Body {
        stream,
        read,
        expected,
    })
}

impl Http1Body {
    /// Ends our side of the connection.
    pub(super) async fn close(mut self) {
        // The verdict is known, and the connection is not used again.
        let _ = self.stream.shutdown().await;
    }

    /// The next piece in the bytes that were read; `None`: more must be read, or the body is over.
    fn next_piece(&mut self) -> Result<Option<Bytes>, BodyFault> {
        if self.read.is_empty() {
            return Ok(None);
        }
        let data = match &mut self.expected {
            Expected::Nothing => return Ok(None),
            Expected::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX);
                let data = self.read.split_to(length.min(self.read.len()));
                *left -= data.len() as u64;
                if *left == 0 {
                    self.expected = Expected::Nothing;
                }
                data.freeze()
            }
            Expected::Chunks(decoder) => {
                let piece = decoder.decode(&mut self.read);
                match piece.map_err(|_| BodyFault::Malformed)? {
                    Some(Piece::Data(data)) => data,
                    Some(Piece::Trailers(_) | Piece::End) => {
                        self.expected = Expected::Nothing;
                        return Ok(None);
                    }
                    None => return Ok(None),
                }
            }
            Expected::UntilEnd => self.read.split().freeze(),
        };
        Ok(Some(data))
    }
}

impl BodyFault {
    /// In words for people.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Malformed => "body is malformed".to_owned(),
            Self::Incomplete => "body is incomplete".to_owned(),
            Self::Io(error) => of_io(error),
        }
    }
}

impl Body for Http1Body {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = self.get_mut();
        loop {
            if let Some(data) = this.next_piece()? {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if let Expected::Nothing = this.expected {
                return Poll::Ready(None);
            }
            this.read.reserve(READ_BYTES);
            let reading = pin!(this.stream.read_buf(&mut this.read));
            let count = ready!(std::future::Future::poll(reading, cx));
            if count.map_err(BodyFault::Io)? == 0 {
                let is_whole = matches!(this.expected, Expected::UntilEnd);
                this.expected = Expected::Nothing;
                return Poll::Ready(match is_whole {
                    true => None,
                    false => Some(Err(BodyFault::Incomplete)),
                });
            }
        }
    }
}
