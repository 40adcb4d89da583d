//! Writes a response to an HTTP/1 client: its head, and its body piece by piece.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode, Version, header};
use http_body::{Body, Frame};
use hyper::ext::ReasonPhrase;

use crate::plan::HeaderCase;
use crate::proxy::http::body::ResponseBody;
use crate::proxy::http::upgrade::OpenTunnel;
use crate::wire::h1::response_head::{
    Announced, BodyEnd, ConnectionField, ResponseHead, write_head,
};
use crate::wire::h1::{NameCase, chunks};
use crate::wire::trailers::presentable;

use super::outgoing::{Outgoing, Unsent};

/// The parts of a request that its response depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) version: Version,
    pub(super) is_head: bool,
    /// Whether the client allows another request on the connection.
    pub(super) keep_alive: bool,
    /// Whether the client accepts trailers.
    pub(super) takes_trailers: bool,
}

/// A response that is not completely written.
pub(super) struct Responding {
    /// `None`: no more of it will be written.
    body: Option<ResponseBody>,
    /// The tunnel that follows the head, if one does.
    tunnel: Option<Box<OpenTunnel>>,
    end: BodyEnd,
    /// Bytes that its length still announces.
    left: u64,
    /// Whether it broke off: the bytes gathered so far are written, and then the connection ends.
    is_broken: bool,
    asked: Asked,
    case: HeaderCase,
}

/// Whether the body has more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gathered {
    /// Nothing: all is gathered, or there is no room.
    All,
    /// Yes, but not yet.
    Waiting,
}

impl Responding {
    /// No response yet, to a request with `asked`.
    pub(super) fn none(asked: Asked) -> Self {
        Self {
            body: None,
            tunnel: None,
            end: BodyEnd::NoBody(None),
            left: 0,
            is_broken: false,
            asked,
            case: HeaderCase::Lower,
        }
    }

    /// Writes the head of `response`, and returns whether another request may follow.
    pub(super) fn begin(
        &mut self,
        response: Response<ResponseBody>,
        case: HeaderCase,
        date: &[u8],
        out: &mut Outgoing,
        unsent: &mut Unsent,
    ) -> (http::HeaderMap, bool) {
        let (mut head, body) = response.into_parts();
        let asked = self.asked;
        if asked.version == Version::HTTP_10 {
            // There are none without chunks.
            head.headers.remove(header::TRAILER);
        }
        let is_tunnel = matches!(body, ResponseBody::Tunnel(_));
        self.end = end_of(head.status, asked, &body);
        self.case = case;
        let keep_alive = asked.keep_alive && self.end != BodyEnd::Close && !is_tunnel;
        let connection = match (asked.version, keep_alive) {
            _ if is_tunnel => ConnectionField::AsWritten,
            (Version::HTTP_10, true) => ConnectionField::KeepAlive,
            (Version::HTTP_10, false) | (_, true) => ConnectionField::AsWritten,
            (_, false) => ConnectionField::Close,
        };
        let (length, announced) = out.write(|out| {
            let head = ResponseHead {
                version: asked.version,
                status: head.status,
                reason: head
                    .extensions
                    .get::<ReasonPhrase>()
                    .map(ReasonPhrase::as_bytes),
                fields: &head.headers,
                body: self.end,
                connection,
                date: Some(date),
                case: case_of(case, &head.extensions),
            };
            write_head(&head, out)
        });
        unsent.add(0, length);
        self.left = match self.end {
            BodyEnd::Length(length) => length,
            _ => 0,
        };
        let is_sent = match self.end {
            BodyEnd::NoBody(_) | BodyEnd::Length(0) => true,
            BodyEnd::Length(_) | BodyEnd::Chunks | BodyEnd::Close => false,
        };
        match body {
            ResponseBody::Tunnel(open_tunnel) => self.tunnel = Some(open_tunnel),
            // Dropping it ends the exchange.
            body => self.body = (!is_sent).then_some(body),
        }
        let headers = std::mem::take(&mut head.headers);
        (headers, keep_alive && announced == Announced::Nothing)
    }

    /// Takes pieces of the body, as long as there is room.
    pub(super) fn gather(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Outgoing,
        unsent: &mut Unsent,
    ) -> Gathered {
        while let Some(body) = &mut self.body
            && out.has_room()
        {
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Gathered::Waiting,
                Poll::Ready(Some(Ok(frame))) => self.push(frame, out, unsent),
                // The exchange records the reason.
                Poll::Ready(Some(Err(_))) => self.break_off(),
                Poll::Ready(None) => self.end_body(None, out, unsent),
            }
        }
        Gathered::All
    }

    /// Ends the response early; the bytes gathered so far are still written.
    pub(super) fn break_off(&mut self) {
        self.is_broken = true;
        // This releases the server.
        self.body = None;
    }

    /// The tunnel that follows the head, if one does.
    pub(super) fn take_tunnel(&mut self) -> Option<Box<OpenTunnel>> {
        self.tunnel.take()
    }

    /// Whether everything of the response is gathered.
    pub(super) fn is_gathered(&self) -> bool {
        self.body.is_none()
    }

    /// Whether the response broke off.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether only the end of the connection marks the end of the body.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.end == BodyEnd::Close
    }

    fn push(&mut self, frame: Frame<Bytes>, out: &mut Outgoing, unsent: &mut Unsent) {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.end_body(Some(frame), out, unsent),
        };
        let length = data.len();
        if length == 0 {
            return;
        }
        match self.end {
            BodyEnd::Length(_) => {
                let Some(left) = self.left.checked_sub(length as u64) else {
                    // The client would read the rest as the next response.
                    return self.break_off();
                };
                self.left = left;
                unsent.add(length, 0);
                out.push(data);
                if left == 0 {
                    self.body = None;
                }
            }
            BodyEnd::Chunks => {
                let (line, ()) = out.write(|out| chunks::write_size(length, out));
                out.push(data);
                out.write(|out| out.extend_from_slice(b"\r\n"));
                unsent.add(length, line + 2);
            }
            BodyEnd::Close => {
                unsent.add(length, 0);
                out.push(data);
            }
            BodyEnd::NoBody(_) => self.body = None,
        }
    }

    /// Ends the body, with `last` if there is such a frame.
    fn end_body(&mut self, last: Option<Frame<Bytes>>, out: &mut Outgoing, unsent: &mut Unsent) {
        match self.end {
            BodyEnd::Length(_) if self.left > 0 => return self.break_off(),
            BodyEnd::Chunks => {
                let trailers = last
                    .filter(|_| self.asked.takes_trailers)
                    .and_then(|last| last.into_trailers().ok())
                    .map(presentable);
                let case = match self.case {
                    HeaderCase::Title => NameCase::Title,
                    HeaderCase::Lower | HeaderCase::Preserve => NameCase::Lower,
                };
                let (length, ()) = out.write(|out| chunks::write_end(trailers.as_ref(), case, out));
                unsent.add(0, length);
            }
            BodyEnd::Length(_) | BodyEnd::Close | BodyEnd::NoBody(_) => {}
        }
        self.body = None;
    }
}

/// The case of the field names of a message with `extensions`.
pub(super) fn case_of(case: HeaderCase, extensions: &http::Extensions) -> NameCase<'_> {
    match case {
        HeaderCase::Lower => NameCase::Lower,
        HeaderCase::Title => NameCase::Title,
        HeaderCase::Preserve => NameCase::Preserve(extensions.get()),
    }
}

/// How the end of `body` is marked for the client (RFC 9112 §6.3).
fn end_of(status: StatusCode, asked: Asked, body: &ResponseBody) -> BodyEnd {
    let length = body.size_hint().exact();
    let has_none = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    match length {
        _ if has_none => BodyEnd::NoBody(None),
        // A server announces the length itself.
        _ if asked.is_head => BodyEnd::NoBody(body.own_length().filter(|&length| length > 0)),
        Some(length) => BodyEnd::Length(length),
        None if asked.version == Version::HTTP_10 => BodyEnd::Close,
        None => BodyEnd::Chunks,
    }
}
