//! A correct HTTP/2 client, by the h2 crate, with blocking calls.
//!
//! Its connection lives on a thread of its own and answers pings and settings at any time. Only the
//! bodies wait for the test: windows are opened only as the test reads.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;
use tokio::runtime;

use super::wait::TIMEOUT;

/// A client connection of HTTP/2.
pub(crate) struct Http2 {
    sender: SendRequest<Bytes>,
    /// `None`: its end was waited for.
    connection: Option<JoinHandle<Result<(), h2::Error>>>,
    address: SocketAddr,
}

/// A request in flight.
pub(crate) struct Asked {
    response: ResponseFuture,
    body: SendStream<Bytes>,
}

/// An answer whose body is still to come.
pub(crate) struct Coming {
    pub(crate) head: Response<()>,
    body: RecvStream,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Http2 {
    /// Connects.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &Builder::new())
    }

    /// Connects with other settings.
    #[track_caller]
    pub(crate) fn connect_with(address: SocketAddr, builder: &Builder) -> Self {
        let own = runtime_of_one();
        let shaken = own.block_on(async {
            let stream = TcpStream::connect(address).await.expect("it listens");
            stream.set_nodelay(true).expect("a TCP socket");
            builder.handshake(stream).await
        });
        let (sender, connection) = shaken.expect("it takes our preface");
        Self {
            sender,
            connection: Some(thread::spawn(move || own.block_on(connection))),
            address,
        }
    }

    /// A request for `target` of this server's.
    pub(crate) fn request(&self, method: &str, target: &str) -> http::request::Builder {
        let uri = format!("http://{}{target}", self.address);
        Request::builder().method(method).uri(uri)
    }

    /// Sends the head of a request; a body follows.
    #[track_caller]
    pub(crate) fn begin(&mut self, request: http::request::Builder) -> Asked {
        self.send(request, false)
    }

    /// Sends a request that has no body.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: http::request::Builder) -> Asked {
        self.send(request, true)
    }

    #[track_caller]
    fn send(&mut self, request: http::request::Builder, is_whole: bool) -> Asked {
        let request = request.body(()).expect("a request");
        wait(poll_fn(|cx| self.sender.poll_ready(cx))).expect("it takes requests");
        let (response, body) = self
            .sender
            .send_request(request, is_whole)
            .expect("it takes requests");
        Asked { response, body }
    }

    /// The answer to a GET.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        let request = self.request("GET", target);
        self.ask(request).answer()
    }

    /// The answer to a POST with `body`, without a `content-length`.
    #[track_caller]
    pub(crate) fn post(&mut self, target: &str, body: impl Into<Bytes>) -> Answer {
        let request = self.request("POST", target);
        let mut asked = self.begin(request);
        asked.send_last(body);
        asked.answer()
    }

    /// Whether the connection has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the connection has ended, and returns how.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Result<(), h2::Error> {
        let connection = self.connection.take().expect("it was not asked before");
        super::wait::until("the end of the connection", || {
            connection.is_finished().then_some(())
        });
        connection.join().expect("it does not panic")
    }
}

impl Asked {
    /// Sends a piece of the body, as far as there is room, and waits for more.
    #[track_caller]
    pub(crate) fn send(&mut self, piece: impl Into<Bytes>) -> &mut Self {
        self.try_send(piece.into(), false).expect("it takes it");
        self
    }

    /// Sends the last piece of the body.
    #[track_caller]
    pub(crate) fn send_last(&mut self, piece: impl Into<Bytes>) -> &mut Self {
        self.try_send(piece.into(), true).expect("it takes it");
        self
    }

    /// Sends a piece; an error if the stream is reset before there is room for it.
    #[track_caller]
    pub(crate) fn try_send(&mut self, mut piece: Bytes, is_last: bool) -> Result<(), h2::Error> {
        while !piece.is_empty() {
            self.body.reserve_capacity(piece.len());
            let room = wait(poll_fn(|cx| self.body.poll_capacity(cx)));
            let Some(room) = room else {
                return Err(Reason::STREAM_CLOSED.into());
            };
            let part = piece.split_to(room?.min(piece.len()));
            let ends = is_last && piece.is_empty();
            self.body.send_data(part, ends)?;
            if ends {
                return Ok(());
            }
        }
        if is_last {
            self.body.send_data(Bytes::new(), true)?;
        }
        Ok(())
    }

    /// Ends the body with trailers.
    #[track_caller]
    pub(crate) fn send_trailers(&mut self, trailers: HeaderMap) {
        self.body.send_trailers(trailers).expect("it takes them");
    }

    /// Cancels the request.
    pub(crate) fn reset(mut self, reason: Reason) {
        self.body.send_reset(reason);
    }

    /// Waits for an interim answer, and returns it.
    #[track_caller]
    pub(crate) fn interim(&mut self) -> Response<()> {
        let interim = wait(poll_fn(|cx| self.response.poll_informational(cx)));
        interim.expect("an interim answer").expect("no error")
    }

    /// Whether the final answer comes without an interim one.
    #[track_caller]
    pub(crate) fn is_answered_at_once(&mut self) -> bool {
        wait(poll_fn(|cx| self.response.poll_informational(cx))).is_none()
    }

    /// The head of the answer.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Coming {
        let response = wait(&mut self.response).expect("an answer");
        let (head, body) = response.into_parts();
        Coming {
            head: Response::from_parts(head, ()),
            body,
        }
    }

    /// The whole answer.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.head().rest()
    }

    /// The code with which the stream is reset while it is still sending.
    #[track_caller]
    pub(crate) fn stopped_with(&mut self) -> Reason {
        wait(poll_fn(|cx| self.body.poll_reset(cx))).expect("RST_STREAM and not the end of all")
    }
}

impl Coming {
    /// The next piece of the body, and room for as much again; `None`: it is over.
    #[track_caller]
    pub(crate) fn piece(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let piece = wait(poll_fn(|cx| self.body.poll_data(cx)));
        if let Some(Ok(piece)) = &piece {
            let room = self.body.flow_control().release_capacity(piece.len());
            room.expect("no more than was received");
        }
        piece
    }

    /// The rest.
    #[track_caller]
    pub(crate) fn rest(mut self) -> Answer {
        let mut body = Vec::new();
        while let Some(piece) = self.piece() {
            body.extend_from_slice(&piece.expect("a body that is not cut"));
        }
        let trailers = wait(poll_fn(|cx| self.body.poll_trailers(cx)));
        let (head, ()) = self.head.into_parts();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            trailers: trailers.expect("a body that is not cut"),
        }
    }

    /// The code with which the body is cut; its end must not have been announced.
    #[track_caller]
    pub(crate) fn cut_with(self) -> Reason {
        self.cut_after().1
    }

    /// The same, and the bytes of the body that came before.
    #[track_caller]
    pub(crate) fn cut_after(mut self) -> (Vec<u8>, Reason) {
        let mut bytes = Vec::new();
        loop {
            match self.piece() {
                Some(Ok(piece)) => bytes.extend_from_slice(&piece),
                Some(Err(error)) => {
                    assert!(error.is_reset() && error.is_remote(), "{error:?}");
                    return (bytes, error.reason().expect("RST_STREAM has a code"));
                }
                None => unreachable!("it looks whole"),
            }
        }
    }
}

impl Answer {
    /// The body, which is text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A field, which is text.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.to_str().expect("text"))
    }

    /// The reason in an answer of the proxy's own.
    #[track_caller]
    pub(crate) fn reason(&self) -> String {
        let text = self.text();
        let reason = text.lines().find_map(|line| line.strip_prefix("reason: "));
        reason.expect("an answer of the proxy's own").to_owned()
    }
}

fn runtime_of_one() -> runtime::Runtime {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// The output of `future`, in time. It is completed by another thread.
#[track_caller]
fn wait<F: Future>(future: F) -> F::Output {
    let output = runtime_of_one().block_on(async { tokio::time::timeout(TIMEOUT, future).await });
    output.expect("it never came")
}
