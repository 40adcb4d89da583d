//! One client of the edge: opens a connection, sends requests, and checks the answers.
//!
//! By tokio, rustls and the h2 crate, in a process of its own. `load` and `idle` have many of them,
//! `probe` has one to test whether a proxy answers.

mod h1;
mod h2;
mod tickets;
mod tls;

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::websocket;

pub(crate) use self::h2::{Requester, Upload};
pub(crate) use self::tickets::{Keep, Tickets};
pub(crate) use self::tls::{Group, connect, connector};

/// The protocol of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    H1OverTls,
    H2OverTls,
    /// Without TLS.
    H2,
    /// Without TLS, by an upgrade of HTTP/1.1.
    WebSocket,
}

/// The requested page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) path: &'static str,
    pub(crate) bytes: u64,
}

/// The result of an exchange that did not break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Proper,
    /// Another status than 200.
    Refused,
}

/// How connections are opened.
pub(crate) struct Client {
    target: SocketAddr,
    speech: Speech,
    tls: TlsConnector,
}

pub(crate) enum Connection {
    H1(Box<TlsStream<TcpStream>>),
    H2(Requester),
    WebSocket(TcpStream),
}

impl Page {
    pub(crate) const TINY: Self = Self {
        path: "/tiny",
        bytes: 2,
    };
    pub(crate) const HUNDRED_K: Self = Self {
        path: "/100k",
        bytes: 100_000,
    };
    pub(crate) const ONE_M: Self = Self {
        path: "/1m",
        bytes: 1_000_000,
    };
}

impl Client {
    pub(crate) fn new(target: SocketAddr, speech: Speech) -> io::Result<Self> {
        let protocol: &[u8] = match speech {
            Speech::H2OverTls | Speech::H2 => b"h2",
            Speech::H1OverTls | Speech::WebSocket => b"http/1.1",
        };
        // Each of a cell's connections is made once: no session is resumed.
        let tickets = Tickets::new(Keep::Nothing);
        Ok(Self {
            target,
            speech,
            tls: connector(protocol, Group::X25519, tickets)?,
        })
    }

    pub(crate) async fn open(&self) -> io::Result<Connection> {
        let stream = dial(self.target).await?;
        Ok(match self.speech {
            Speech::H1OverTls => Connection::H1(Box::new(connect(&self.tls, stream).await?)),
            Speech::H2OverTls => {
                let stream = connect(&self.tls, stream).await?;
                Connection::H2(Requester::new(stream, "https").await?)
            }
            Speech::H2 => Connection::H2(Requester::new(stream, "http").await?),
            Speech::WebSocket => Connection::WebSocket(upgrade(stream).await?),
        })
    }
}

impl Connection {
    /// Requests `page`; on a WebSocket, sends a message. `buffer` is for the answer.
    pub(crate) async fn ask(&mut self, page: Page, buffer: &mut [u8]) -> io::Result<Answer> {
        match self {
            Self::H1(stream) => h1::ask(stream, page, buffer).await,
            Self::H2(requester) => requester.ask(page).await,
            Self::WebSocket(stream) => message(stream).await,
        }
    }
}

/// A connection for one question.
pub(crate) async fn ask_once(target: SocketAddr, speech: Speech) -> io::Result<()> {
    let mut connection = Client::new(target, speech)?.open().await?;
    let mut buffer = [0; 2048];
    match connection.ask(Page::TINY, &mut buffer).await? {
        Answer::Proper => Ok(()),
        Answer::Refused => Err(io::Error::other("another status than 200")),
    }
}

pub(crate) async fn dial(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn upgrade(mut stream: TcpStream) -> io::Result<TcpStream> {
    stream.write_all(websocket::UPGRADE).await?;
    let head = h1::read_head(&mut stream).await?;
    // No byte may follow it unasked; `message` would find it.
    if crate::wire::status(&head) == 101 {
        Ok(stream)
    } else {
        Err(io::Error::other("no WebSocket"))
    }
}

async fn message(stream: &mut TcpStream) -> io::Result<Answer> {
    stream.write_all(websocket::MESSAGE).await?;
    let mut answer = [0; websocket::ANSWER.len()];
    stream.read_exact(&mut answer).await?;
    if answer == *websocket::ANSWER {
        Ok(Answer::Proper)
    } else {
        Err(io::Error::other("another message than the origin's"))
    }
}

/// Runs `future` on a runtime of this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, future)
}
