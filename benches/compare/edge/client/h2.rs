//! HTTP/2 over any stream: requests on any number of streams.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Waker};

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{JoinHandle, spawn_local};

use crate::edge::certificates::NAME;

use super::{Answer, Page};

/// Large enough that no proxy ever waits for a client to read.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// A connection's sending side; clones ask on other streams of the same connection.
#[derive(Clone)]
pub(crate) struct Requester {
    sender: ::h2::client::SendRequest<Bytes>,
    scheme: &'static str,
}

/// An upload that goes as far as the proxy lets it. Dropping it resets its stream.
pub(crate) struct Upload {
    response: ::h2::client::ResponseFuture,
    sending: JoinHandle<()>,
}

impl Requester {
    /// Begins the connection, which lives until the last clone is dropped.
    pub(super) async fn new(
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        scheme: &'static str,
    ) -> io::Result<Self> {
        let (sender, connection) = ::h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        // Its error is known to the requests that broke with it.
        spawn_local(async { connection.await.ok() });
        Ok(Self { sender, scheme })
    }

    pub(crate) async fn ask(&mut self, page: Page) -> io::Result<Answer> {
        self.exchange(page).await.map_err(io::Error::other)?
    }

    async fn exchange(&mut self, page: Page) -> Result<io::Result<Answer>, ::h2::Error> {
        poll_fn(|cx| self.sender.poll_ready(cx)).await?;
        let (response, _) = self.sender.send_request(self.request(page), true)?;
        let response = response.await?;
        if response.status() != StatusCode::OK {
            return Ok(Ok(Answer::Refused));
        }
        let mut body = response.into_body();
        let mut here = 0;
        while let Some(chunk) = body.data().await {
            let length = chunk?.len();
            body.flow_control().release_capacity(length)?;
            here += length as u64;
        }
        Ok(if here == page.bytes {
            Ok(Answer::Proper)
        } else {
            Err(io::Error::other("a body of another length"))
        })
    }

    /// Begins to send `bytes` to `path`.
    pub(crate) async fn upload(&mut self, path: &str, bytes: usize) -> io::Result<Upload> {
        let request = Request::post(format!("{}://{NAME}{path}", self.scheme))
            .header("user-agent", "compare/1")
            .header("content-length", bytes)
            .body(())
            .map_err(io::Error::other)?;
        poll_fn(|cx| self.sender.poll_ready(cx))
            .await
            .map_err(io::Error::other)?;
        let sent = self.sender.send_request(request, false);
        let (response, stream) = sent.map_err(io::Error::other)?;
        let sending = spawn_local(send(stream, Bytes::from(vec![b'x'; bytes])));
        Ok(Upload { response, sending })
    }

    fn request(&self, page: Page) -> Request<()> {
        Request::get(format!("{}://{NAME}{}", self.scheme, page.path))
            .header("user-agent", "compare/1")
            .header("accept", "*/*")
            .body(())
            .expect("made of constants")
    }
}

/// Sends `body` and its end, and keeps the stream.
async fn send(mut stream: ::h2::SendStream<Bytes>, mut body: Bytes) {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else {
            return;
        };
        let piece = body.split_to(room.min(body.len()));
        if stream.send_data(piece, body.is_empty()).is_err() {
            return;
        }
    }
    std::future::pending().await
}

impl Upload {
    /// Whether it was neither answered nor reset.
    pub(crate) fn is_open(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.response).poll(&mut cx).is_pending()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.sending.abort();
    }
}
