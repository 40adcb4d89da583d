//! One client connection: sends the request, reads the answer, and returns the outcome.
//!
//! It decides no times: `load` begins exchanges and settles their outcomes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::net::{RecvFlags, recv};
use socket2::{Domain, Protocol, Socket, Type};

use crate::cell::{Expected, Reuse, Traffic};
use crate::poll::{Interest, Poller};
use crate::wire::{self, Chunks};

/// Heads arrive whole with the first read; most of a long body is left for the kernel to drop.
const HEAD_BYTES: usize = 4 * 1024;

/// A slot for a connection that gets a new socket when the old one is closed.
pub(super) struct Connection {
    stream: Option<TcpStream>,
    state: State,
    interest: Interest,
    /// When the open exchange was due.
    due_ns: u64,
    /// The part of an incomplete head.
    unread: Vec<u8>,
}

#[derive(Clone, Copy)]
enum State {
    Idle,
    Sending {
        sent: usize,
    },
    Head,
    Body {
        left: u64,
    },
    Chunks(Chunks),
    /// The answer has come; the proxy closes, so that the port waits on its side and not on ours.
    Closing,
}

/// The outcome of an exchange when its socket was ready.
pub(super) enum Outcome {
    /// Nothing yet; the connection waits to be ready again.
    Pending,
    Completed(After),
    Refused(After),
    Broken,
    /// The proxy closed a connection on which nothing was open.
    Gone,
}

/// What follows on the connection after an answer.
#[derive(Clone, Copy)]
pub(super) enum After {
    Reuse,
    Reopen,
    AwaitClose,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self {
            stream: None,
            state: State::Idle,
            interest: Interest::Read,
            due_ns: 0,
            unread: Vec::new(),
        }
    }

    pub(super) fn due_ns(&self) -> u64 {
        self.due_ns
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    pub(super) fn has_exchange(&self) -> bool {
        matches!(
            self.state,
            State::Sending { .. } | State::Head | State::Body { .. } | State::Chunks(_)
        )
    }

    /// Never waits: a full accept queue must delay this connection and not the generator.
    pub(super) fn connect(
        &mut self,
        target: SocketAddr,
        poller: &Poller,
        slot: usize,
    ) -> io::Result<()> {
        let socket = Socket::new(
            Domain::for_address(target),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&target.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                return Err(error);
            }
            _ => {}
        }
        let stream = TcpStream::from(socket);
        poller.add(&stream, slot, Interest::Read)?;
        self.interest = Interest::Read;
        self.stream = Some(stream);
        self.state = State::Idle;
        self.unread.clear();
        Ok(())
    }

    /// Without a socket and without an exchange.
    pub(super) fn disconnect(&mut self) {
        self.stream = None;
        self.state = State::Idle;
    }

    /// The answer came; next the proxy closes.
    pub(super) fn await_close(&mut self) {
        self.state = State::Closing;
    }

    /// The answer came; the connection may be used again.
    pub(super) fn rest(&mut self) {
        self.state = State::Idle;
    }

    /// Opens an exchange that was due at `due_ns`.
    pub(super) fn begin(&mut self, due_ns: u64) {
        self.due_ns = due_ns;
        self.state = State::Sending { sent: 0 };
    }

    /// Continues as far as it can with one call to the kernel.
    pub(super) fn proceed(
        &mut self,
        traffic: &Traffic,
        buffer: &mut [u8],
        poller: &Poller,
        slot: usize,
    ) -> io::Result<Outcome> {
        let outcome = match self.state {
            State::Sending { sent } => self.send(&traffic.request, sent)?,
            State::Head => self.read_head(&mut buffer[..HEAD_BYTES], traffic)?,
            State::Body { left } => self.read_body(buffer, left, traffic)?,
            State::Chunks(chunks) => self.read_chunks(buffer, chunks, traffic)?,
            State::Idle | State::Closing => self.read_end(&mut buffer[..HEAD_BYTES])?,
        };
        let interest = match self.state {
            State::Sending { .. } => Interest::Write,
            _ => Interest::Read,
        };
        if self.interest != interest && matches!(outcome, Outcome::Pending) {
            poller.change(self.stream()?, slot, interest)?;
            self.interest = interest;
        }
        Ok(outcome)
    }

    fn stream(&self) -> io::Result<&TcpStream> {
        self.stream
            .as_ref()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn send(&mut self, request: &[u8], sent: usize) -> io::Result<Outcome> {
        match self.stream()?.write(&request[sent..]) {
            Ok(written) if sent + written == request.len() => {
                self.state = State::Head;
                Ok(Outcome::Pending)
            }
            Ok(written) => {
                self.state = State::Sending {
                    sent: sent + written,
                };
                Ok(Outcome::Pending)
            }
            // A socket that is still connecting returns the same error.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Outcome::Pending),
            Err(error) => Err(error),
        }
    }

    fn read_head(&mut self, buffer: &mut [u8], traffic: &Traffic) -> io::Result<Outcome> {
        let read = match self.stream()?.read(buffer) {
            Ok(0) => return Ok(Outcome::Broken),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Outcome::Pending);
            }
            Err(error) => return Err(error),
        };
        if self.unread.is_empty() {
            return self.judge(&buffer[..read], traffic);
        }
        let mut bytes = std::mem::take(&mut self.unread);
        bytes.extend_from_slice(&buffer[..read]);
        self.judge(&bytes, traffic)
    }

    fn judge(&mut self, bytes: &[u8], traffic: &Traffic) -> io::Result<Outcome> {
        let Some(head) = wire::read_head(bytes) else {
            if bytes.len() > 4 * HEAD_BYTES {
                return Ok(Outcome::Broken);
            }
            self.unread = bytes.to_vec();
            return Ok(Outcome::Pending);
        };
        let expected = match traffic.answer {
            Expected::Redirection => 300..400,
            Expected::Body(_) | Expected::Coded => 200..300,
        };
        if !expected.contains(&wire::status(bytes)) {
            // Its body is not read: the cell is invalid already.
            return Ok(Outcome::Refused(After::Reopen));
        }
        let body = &bytes[head.bytes..];
        let length = match (traffic.answer, head.content_length) {
            (Expected::Coded, None) if head.is_chunked && head.has_content_coding => {
                return self.chunks(Chunks::default(), body, traffic);
            }
            (Expected::Body(expected), Some(length)) if length == expected => length,
            (Expected::Redirection | Expected::Coded, Some(length)) => length,
            _ => return Ok(Outcome::Broken),
        };
        if traffic.answer == Expected::Coded && !head.has_content_coding {
            return Ok(Outcome::Broken);
        }
        let here = body.len() as u64;
        if here > length {
            return Ok(Outcome::Broken);
        }
        if here == length {
            let after = if head.closes {
                After::Reopen
            } else {
                After::Reuse
            };
            return Ok(Outcome::Completed(traffic.after(after)));
        }
        self.state = State::Body {
            left: length - here,
        };
        Ok(Outcome::Pending)
    }

    fn read_chunks(
        &mut self,
        buffer: &mut [u8],
        chunks: Chunks,
        traffic: &Traffic,
    ) -> io::Result<Outcome> {
        match self.stream()?.read(buffer) {
            Ok(0) => Ok(Outcome::Broken),
            Ok(read) => self.chunks(chunks, &buffer[..read], traffic),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Outcome::Pending),
            Err(error) => Err(error),
        }
    }

    fn chunks(
        &mut self,
        mut chunks: Chunks,
        bytes: &[u8],
        traffic: &Traffic,
    ) -> io::Result<Outcome> {
        Ok(match chunks.read(bytes) {
            Some(true) => Outcome::Completed(traffic.after(After::Reuse)),
            Some(false) => {
                self.state = State::Chunks(chunks);
                Outcome::Pending
            }
            None => Outcome::Broken,
        })
    }

    fn read_body(
        &mut self,
        buffer: &mut [u8],
        left: u64,
        traffic: &Traffic,
    ) -> io::Result<Outcome> {
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        // TRUNC: the kernel drops the bytes instead of copying them (tcp(7)). The proxy should be
        // the slowest part, and the client's use of a body does not concern it.
        match recv(self.stream()?, &mut buffer[..wanted], RecvFlags::TRUNC) {
            Ok((_, 0)) => Ok(Outcome::Broken),
            Ok((_, read)) if read as u64 == left => {
                Ok(Outcome::Completed(traffic.after(After::Reuse)))
            }
            Ok((_, read)) => {
                self.state = State::Body {
                    left: left - read as u64,
                };
                Ok(Outcome::Pending)
            }
            Err(rustix::io::Errno::AGAIN) => Ok(Outcome::Pending),
            Err(error) => Err(error.into()),
        }
    }

    /// Only the end may come. Unexpected bytes are a defect of the proxy.
    fn read_end(&mut self, buffer: &mut [u8]) -> io::Result<Outcome> {
        match self.stream()?.read(buffer) {
            Ok(0) => Ok(Outcome::Gone),
            Ok(_) => Ok(Outcome::Broken),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Outcome::Pending),
            // A reset of an idle connection is an end like another.
            Err(_) => Ok(Outcome::Gone),
        }
    }
}

impl Traffic {
    fn after(&self, kept: After) -> After {
        match self.reuse {
            Reuse::KeepAlive => kept,
            Reuse::PerRequest => After::AwaitClose,
        }
    }
}
