//! HTTP/2 over any stream: requests on any number of streams.

use std::io;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

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
        tokio::task::spawn_local(async { connection.await.ok() });
        Ok(Self { sender, scheme })
    }

    pub(super) async fn ask(&mut self, page: Page) -> io::Result<Answer> {
        self.exchange(page).await.map_err(io::Error::other)?
    }

    async fn exchange(&mut self, page: Page) -> Result<io::Result<Answer>, ::h2::Error> {
        std::future::poll_fn(|cx| self.sender.poll_ready(cx)).await?;
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

    fn request(&self, page: Page) -> Request<()> {
        Request::get(format!("{}://{NAME}{}", self.scheme, page.path))
            .header("user-agent", "compare/1")
            .header("accept", "*/*")
            .body(())
            .expect("made of constants")
    }
}
