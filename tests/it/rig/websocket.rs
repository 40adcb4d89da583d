//! Both ends of a WebSocket, by either version of HTTP.

use std::future::poll_fn;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, HandshakeError, Message as Said, WebSocket};

use super::origin::Origin;
use super::proxy::Proxy;
use super::wait::TIMEOUT;

/// A WebSocket server that echoes.
pub(crate) fn echoing() -> Origin {
    Origin::scripted(|visit| {
        if let Ok(mut socket) = tungstenite::accept(visit.stream()) {
            echo(&mut socket);
        }
    })
}

/// A client of WebSocket.
pub(crate) struct Browser {
    pub(crate) socket: WebSocket<TcpStream>,
    pub(crate) response: Response<Option<Vec<u8>>>,
}

impl Browser {
    /// One that the server at `address` accepts.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        let opened = Self::try_open(address);
        opened.expect("the server agrees")
    }

    /// The same; the error if the server does not accept it.
    pub(crate) fn try_open(address: SocketAddr) -> Result<Self, tungstenite::Error> {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a socket");
        let url = format!("ws://{address}/chat");
        match tungstenite::client(url, stream) {
            Ok((socket, response)) => Ok(Self { socket, response }),
            Err(HandshakeError::Failure(error)) => Err(error),
            Err(HandshakeError::Interrupted(_)) => unreachable!("the socket blocks"),
        }
    }

    /// Its own address.
    pub(crate) fn port(&self) -> SocketAddr {
        self.socket.get_ref().local_addr().expect("connected")
    }

    /// Sends a text and checks its echo.
    #[track_caller]
    pub(crate) fn echoed(&mut self, text: &str) {
        self.socket.send(Said::text(text)).expect("taken");
        assert_eq!(self.socket.read().expect("an echo"), Said::text(text));
    }

    /// The code of the close frame that comes next.
    #[track_caller]
    pub(crate) fn close_code(&mut self) -> CloseCode {
        match self.socket.read().expect("a frame") {
            Said::Close(Some(frame)) => frame.code,
            other => unreachable!("{other:?}"),
        }
    }

    /// Sends a close frame and waits until the connection has ended.
    pub(crate) fn leave(mut self) {
        self.socket.close(None).expect("taken");
        while self.socket.read().is_ok() {}
    }
}

/// Opens a WebSocket through `proxy` to the echoing server at `server`, and closes it; checks that
/// all of it is carried, counted and logged.
#[track_caller]
pub(crate) fn whole_visit(proxy: &Proxy, server: SocketAddr) {
    let open = |count| {
        let labels = [("frontend", "web")];
        proxy.wait_for_metric("evenkeel_frontend_open_tunnels", &labels, count);
    };
    let mut browser = Browser::open(proxy.address());
    assert_eq!(browser.response.status(), 101);
    let port = browser.port();
    browser.echoed("hello");
    browser.echoed(&"long ".repeat(50_000));
    open(1.0);
    assert_eq!(proxy.server(server)["in_flight"], 1);
    assert!(proxy.lines().is_empty(), "it is still open");
    browser.leave();
    let line = proxy.line();
    assert_eq!(line.verdict(), (101, "-"));
    assert_eq!(line.text("client"), port.to_string());
    assert_eq!(line.text("method"), "GET");
    assert_eq!(line.text("target"), "/chat");
    // Two messages and the close frame, each with its head; a client's frames have a mask.
    let heads_out = (2 + 10) + 2;
    assert_eq!(line.number("bytes_out"), 5 + 250_000 + heads_out);
    let heads_in = (6 + 14) + 6;
    assert_eq!(line.number("bytes_in"), 5 + 250_000 + heads_in);
    open(0.0);
    assert_eq!(proxy.server(server)["in_flight"], 0);
}

/// A client of HTTP/2 with one stream that is a tunnel.
pub(crate) struct H2Tunnel {
    runtime: Runtime,
    pub(crate) send: SendStream<Bytes>,
    recv: RecvStream,
}

/// The answer of an HTTP/2 server to an extended CONNECT.
pub(crate) fn connect_by_h2(
    address: SocketAddr,
    protocol: &'static str,
) -> (Runtime, Response<RecvStream>, SendStream<Bytes>) {
    connect_by_h2_to(address, "/chat?a=b", protocol)
}

fn connect_by_h2_to(
    address: SocketAddr,
    target: &str,
    protocol: &'static str,
) -> (Runtime, Response<RecvStream>, SendStream<Bytes>) {
    // The connection continues while the test waits for something else.
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (response, send) = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await;
        let stream = stream.expect("it listens");
        let (mut client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        client = client.ready().await.expect("ready");
        while !client.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://test{target}"))
            .extension(Protocol::from_static(protocol))
            .header("sec-websocket-version", "13")
            .body(())
            .expect("a request");
        let (response, send) = client.send_request(request, false).expect("sent");
        (response.await.expect("a response"), send)
    });
    (runtime, response, send)
}

impl H2Tunnel {
    /// A WebSocket that the server at `address` accepts.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::open_at(address, "/chat?a=b")
    }

    /// The same for another target.
    #[track_caller]
    pub(crate) fn open_at(address: SocketAddr, target: &str) -> Self {
        let (runtime, response, send) = connect_by_h2_to(address, target, "websocket");
        assert_eq!(response.status(), 200);
        for gone in ["upgrade", "connection", "sec-websocket-accept"] {
            assert!(!response.headers().contains_key(gone), "{gone}");
        }
        let recv = response.into_body();
        Self {
            runtime,
            send,
            recv,
        }
    }

    /// Sends bytes.
    pub(crate) fn say(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.send.send_data(bytes, false).expect("an open stream");
    }

    /// Closes its sending side.
    pub(crate) fn say_last(&mut self) {
        self.send
            .send_data(Bytes::new(), true)
            .expect("an open stream");
    }

    /// So many bytes.
    #[track_caller]
    pub(crate) fn hear(&mut self, count: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        self.runtime.block_on(async {
            while heard.len() < count {
                let piece = self.recv.data().await.expect("no end").expect("no reset");
                let _ = self.recv.flow_control().release_capacity(piece.len());
                heard.extend_from_slice(&piece);
            }
        });
        assert_eq!(heard.len(), count);
        heard
    }

    /// The end, in order and with nothing before it.
    #[track_caller]
    pub(crate) fn hears_the_end(&mut self) {
        let rest = self.runtime.block_on(async {
            while let Some(Ok(piece)) = self.recv.data().await {
                assert!(piece.is_empty(), "{piece:?}");
            }
            self.recv.is_end_stream()
        });
        assert!(rest, "it was reset");
    }

    /// The code with which it is reset.
    #[track_caller]
    pub(crate) fn reset_with(&mut self) -> Option<h2::Reason> {
        let error = self.runtime.block_on(async {
            loop {
                match self.recv.data().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return error,
                    None => unreachable!("it looks whole"),
                }
            }
        });
        error.reason()
    }
}

/// A masked text frame, and its echo.
pub(crate) const HI: [u8; 8] = [0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2];
pub(crate) const HI_BACK: [u8; 4] = [0x81, 2, b'h', b'i'];

/// Echoes the WebSocket frames on an HTTP/2 stream, until one side closes.
pub(super) async fn echo_on(mut recv: RecvStream, mut send: SendStream<Bytes>) {
    let (near, far) = UnixStream::pair().expect("two sockets");
    // A thread of its own: the WebSocket library knows nothing of HTTP/2.
    thread::spawn(move || {
        let mut socket = WebSocket::from_raw_socket(far, Role::Server, None);
        echo(&mut socket);
    });
    near.set_nonblocking(true).expect("a socket");
    let near = tokio::net::UnixStream::from_std(near).expect("a socket");
    let (mut read, mut write) = near.into_split();
    let up = async move {
        while let Some(Ok(piece)) = recv.data().await {
            if write.write_all(&piece).await.is_err() {
                return;
            }
            let _ = recv.flow_control().release_capacity(piece.len());
        }
    };
    let down = async move {
        let mut room = [0; 16 << 10];
        while let Ok(count @ 1..) = read.read(&mut room).await {
            if !say_all(&mut send, Bytes::copy_from_slice(&room[..count])).await {
                return;
            }
        }
        let _ = send.send_data(Bytes::new(), true);
    };
    tokio::join!(up, down);
}

/// Sends `bytes` as the client's window allows; `false`: the stream has ended.
pub(super) async fn say_all(send: &mut SendStream<Bytes>, mut bytes: Bytes) -> bool {
    while !bytes.is_empty() {
        send.reserve_capacity(bytes.len());
        let Some(Ok(room)) = poll_fn(|cx| send.poll_capacity(cx)).await else {
            return false;
        };
        let piece = bytes.split_to(room.min(bytes.len()));
        if send.send_data(piece, false).is_err() {
            return false;
        }
    }
    true
}

fn echo<S: std::io::Read + std::io::Write>(socket: &mut WebSocket<S>) {
    while let Ok(said) = socket.read() {
        if (said.is_text() || said.is_binary()) && socket.send(said).is_err() {
            return;
        }
    }
}
