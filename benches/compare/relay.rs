//! The floor: a relay that copies bytes both ways and looks at none of them.
//!
//! No HTTP proxy that reads and writes can do less: a request costs one read and one write, its
//! answer another read and write, and nothing else is done. Each client connection has its own server
//! connection. What is left above this number is what understanding HTTP costs.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use clap::Args;
use rustix::net::{SocketFlags, accept_with};

use crate::poll::{Events, Interest, Poller, token_of};

/// Shared by all connections; only what a full socket refuses is copied out of it.
const READ_BYTES: usize = 64 * 1024;

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long, num_args = 1.., required = true)]
    server: Vec<SocketAddr>,
}

/// Relays until the process is ended.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let listener = TcpListener::bind(options.listen)?;
    listener.set_nonblocking(true)?;
    let accepting = token_of(&listener);
    let poller = Poller::new()?;
    poller.add(&listener, accepting, Interest::Read)?;
    let mut relay = Relay {
        poller,
        sides: Vec::new(),
        buffer: vec![0; READ_BYTES],
        accepted: 0,
    };
    let mut events = Events::new();
    loop {
        relay.poller.wait(&mut events, None)?;
        for token in events.tokens() {
            if token == accepting {
                // The client has left again, or no descriptor is free: the listener stays ready.
                let _ = relay.accept(&listener, &options.server);
            } else {
                relay.ready(token);
            }
        }
    }
}

struct Relay {
    poller: Poller,
    /// By descriptor, which is also the token.
    sides: Vec<Option<Side>>,
    buffer: Vec<u8>,
    accepted: usize,
}

/// One socket of a pair.
struct Side {
    stream: TcpStream,
    other: usize,
    /// What this side's socket did not take; while there is some, neither side is read. That stalls
    /// the other direction too, which HTTP/1.1 with one request at a time does not notice.
    unsent: Vec<u8>,
    /// This side has sent its last byte.
    is_done: bool,
}

impl Relay {
    fn accept(&mut self, listener: &TcpListener, servers: &[SocketAddr]) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let client = TcpStream::from(accept_with(listener, flags)?);
        let server = TcpStream::connect(servers[self.accepted % servers.len()])?;
        self.accepted += 1;
        server.set_nonblocking(true)?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        let (client_token, server_token) = (token_of(&client), token_of(&server));
        self.poller.add(&client, client_token, Interest::Read)?;
        self.poller.add(&server, server_token, Interest::Read)?;
        self.keep(client_token, Side::new(client, server_token));
        self.keep(server_token, Side::new(server, client_token));
        Ok(())
    }

    fn keep(&mut self, token: usize, side: Side) {
        if self.sides.len() <= token {
            self.sides.resize_with(token + 1, || None);
        }
        self.sides[token] = Some(side);
    }

    fn ready(&mut self, token: usize) {
        let Some(Some(side)) = self.sides.get(token) else {
            return;
        };
        let other = side.other;
        let result = if side.unsent.is_empty() {
            self.copy(token, other)
        } else {
            self.flush(token, other)
        };
        if !matches!(result, Ok(Flow::Open)) {
            self.sides[token] = None;
            self.sides[other] = None;
        }
    }

    /// Reads once from `from` and writes once to `to`.
    fn copy(&mut self, from: usize, to: usize) -> io::Result<Flow> {
        let Self {
            poller,
            sides,
            buffer,
            ..
        } = self;
        let Ok([Some(source), Some(sink)]) = sides.get_disjoint_mut([from, to]) else {
            return Ok(Flow::Ended);
        };
        if !sink.unsent.is_empty() {
            // A hang-up is reported even to those who asked for nothing; what is older goes first.
            return Ok(Flow::Open);
        }
        let read = match source.stream.read(buffer) {
            Ok(0) => return source.end(from, sink, poller),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flow::Open),
            Err(error) => return Err(error),
        };
        let written = match sink.stream.write(&buffer[..read]) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if written < read {
            sink.unsent.extend_from_slice(&buffer[written..read]);
            poller.change(&source.stream, from, Interest::Nothing)?;
            poller.change(&sink.stream, to, Interest::Write)?;
        }
        Ok(Flow::Open)
    }

    fn flush(&mut self, to: usize, from: usize) -> io::Result<Flow> {
        let Self { poller, sides, .. } = self;
        let Ok([Some(source), Some(sink)]) = sides.get_disjoint_mut([from, to]) else {
            return Ok(Flow::Ended);
        };
        let written = match sink.stream.write(&sink.unsent) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        sink.unsent.drain(..written);
        if sink.unsent.is_empty() {
            sink.unsent = Vec::new();
            poller.change(&source.stream, from, source.reading())?;
            poller.change(&sink.stream, to, sink.reading())?;
        }
        Ok(Flow::Open)
    }
}

/// Whether the pair goes on.
enum Flow {
    Open,
    Ended,
}

impl Side {
    fn new(stream: TcpStream, other: usize) -> Self {
        Self {
            stream,
            other,
            unsent: Vec::new(),
            is_done: false,
        }
    }

    fn end(&mut self, token: usize, sink: &Side, poller: &Poller) -> io::Result<Flow> {
        self.is_done = true;
        if sink.is_done {
            return Ok(Flow::Ended);
        }
        sink.stream.shutdown(Shutdown::Write)?;
        // An end is readable forever; without this the loop would spin on it.
        poller.change(&self.stream, token, Interest::Nothing)?;
        Ok(Flow::Open)
    }

    fn reading(&self) -> Interest {
        if self.is_done {
            Interest::Nothing
        } else {
            Interest::Read
        }
    }
}
