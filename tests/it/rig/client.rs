//! A client that sends exactly the bytes it is given.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::kernel::tcp_socket;
use super::message::Message;
use super::proxy::Proxy;
use super::wait::{TIMEOUT, until};
use super::wire::{Kind, Wire};

/// A client connection.
pub(crate) struct Client {
    wire: Wire,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// FIN.
    Closed,
    /// RST.
    Reset,
}

impl Client {
    /// Connects.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT);
        Self {
            wire: Wire::new(stream.expect("it listens")),
        }
    }

    /// Connects from another address of this host.
    #[track_caller]
    pub(crate) fn connect_from(from: IpAddr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
        let socket = socket.expect("a socket");
        let from = SocketAddr::new(from, 0);
        socket.bind(&from.into()).expect("an address of this host");
        socket.connect(&address.into()).expect("it listens");
        Self {
            wire: Wire::new(socket.into()),
        }
    }

    /// Connects with a small receive buffer: without reading, the sender stalls soon.
    #[track_caller]
    pub(crate) fn connect_narrow(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
        let socket = socket.expect("a socket");
        socket.set_recv_buffer_size(256 << 10).expect("a socket");
        socket.connect(&address.into()).expect("it listens");
        Self {
            wire: Wire::new(socket.into()),
        }
    }

    /// Our end's address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.wire.stream().local_addr().expect("connected")
    }

    /// Sends bytes.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.wire.write(bytes.as_ref()).expect("it takes them");
        self
    }

    /// Sends bytes as far as the other end takes them.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.write(bytes.as_ref())
    }

    /// The next response with its body. A 1xx is one too.
    #[track_caller]
    pub(crate) fn response(&mut self) -> Message {
        let response = self.wire.read_message(Kind::Response);
        response.expect("a whole response")
    }

    /// The interim responses (1xx) that come before the next response, and that one.
    #[track_caller]
    pub(crate) fn responses(&mut self) -> (Vec<Message>, Message) {
        let mut interims = Vec::new();
        loop {
            let response = self.response();
            if response.status() >= 200 {
                return (interims, response);
            }
            interims.push(response);
        }
    }

    /// The next response, whole or cut.
    pub(crate) fn try_response(&mut self) -> io::Result<Message> {
        self.wire.read_message(Kind::Response)
    }

    /// The next response, which answers a HEAD.
    #[track_caller]
    pub(crate) fn response_to_head(&mut self) -> Message {
        let response = self.wire.read_message(Kind::ResponseWithoutBody);
        response.expect("a whole response")
    }

    /// The head of the next response.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Message {
        self.wire.read_head().expect("a whole head")
    }

    /// So many bytes.
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        self.wire.read_exact(count).expect("so many bytes")
    }

    /// So many bytes, or how the connection ended before.
    pub(crate) fn try_bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.wire.read_exact(count)
    }

    /// Whether unread bytes or the end have come.
    #[track_caller]
    pub(crate) fn hears(&self) -> bool {
        self.wire.has_more()
    }

    /// Bytes that have arrived at the other end and have not been read there.
    #[track_caller]
    pub(crate) fn unread_bytes(&self) -> usize {
        let stream = self.wire.stream();
        let far = stream.peer_addr().expect("connected");
        tcp_socket(far, self.address()).map_or(0, |socket| socket.unread_bytes)
    }

    /// Waits, while the clock of `proxy` moves, until bytes or the end have come.
    #[track_caller]
    pub(crate) fn hears_in_time(&self, proxy: &Proxy) {
        until("something is heard", || {
            proxy.advance(Duration::from_millis(10));
            self.hears().then_some(())
        });
    }

    /// Sends a request and takes its response.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        self.send(request).response()
    }

    /// Requests `target` as briefly as possible.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Message {
        self.ask(format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n"))
    }

    /// Everything until the connection ends, and how it ends.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Ending) {
        let ending = loop {
            match self.wire.read_more() {
                Ok(0) => break Ending::Closed,
                Ok(_) => {}
                Err(error) if is_reset(&error) => break Ending::Reset,
                Err(error) => {
                    assert!(!is_late(&error), "the connection does not end");
                    break Ending::Reset;
                }
            }
        };
        (self.wire.take_ahead(), ending)
    }

    /// Checks that nothing more comes and that the connection was closed in order.
    #[track_caller]
    pub(crate) fn is_closed(&mut self) {
        let (rest, ending) = self.rest();
        let rest = String::from_utf8_lossy(&rest);
        assert_eq!((&*rest, ending), ("", Ending::Closed));
    }

    /// Checks that nothing comes for `span`, not even the end.
    #[track_caller]
    pub(crate) fn is_quiet_for(&mut self, span: Duration) {
        self.wire.set_timeout(span);
        let read = self.wire.read_more();
        let is_quiet = read.as_ref().is_err_and(is_late);
        self.wire.set_timeout(TIMEOUT);
        assert!(is_quiet, "something came: {read:?}");
    }

    /// Closes the sending side.
    pub(crate) fn half_close(&mut self) -> &mut Self {
        self.wire.half_close();
        self
    }

    /// Breaks the connection.
    pub(crate) fn reset(self) {
        self.wire.reset_on_drop();
    }

    /// Sends bytes until the other end takes no more.
    #[track_caller]
    pub(crate) fn send_until_stuck(&mut self) {
        let stream = self.wire.stream();
        let span = Duration::from_millis(300);
        stream.set_write_timeout(Some(span)).expect("a socket");
        let piece = [0; 64 << 10];
        let error = loop {
            if let Err(error) = { stream }.write_all(&piece) {
                break error;
            }
        };
        assert!(is_late(&error), "{error}");
    }

    /// Allows only few unsent bytes on our side.
    pub(crate) fn narrow_sending(&self) {
        SockRef::from(self.wire.stream())
            .set_send_buffer_size(256 << 10)
            .expect("a socket");
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
    )
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
