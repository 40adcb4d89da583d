//! The floor: a relay that copies bytes both ways and parses none of them.
//!
//! No HTTP proxy that reads and writes can do less: a request costs one read and one write, its
//! answer another read and write, and nothing else is done. Each client connection has its own
//! server connection. The difference to this number is the cost of HTTP.
//!
//! With `--splice` the bytes go through a pipe for each direction and never into this process.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use clap::Args;
use rustix::net::{SocketFlags, accept_with};
use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};

use crate::poll::{Events, Interest, Poller, token_of};

/// Shared by all connections; only bytes that a full socket refuses are copied out of it.
const READ_BYTES: usize = 64 * 1024;
/// The capacity of a pipe: the most that a process without privileges may set (pipe(7)). With the
/// 64 KiB of a new one it has sixteen slots, and each piece of a socket's queue takes one, however
/// short.
const PIPE_BYTES: usize = 1024 * 1024;

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long, num_args = 1.., required = true)]
    server: Vec<SocketAddr>,
    #[arg(long)]
    splice: bool,
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
        splices: options.splice,
        accepted: 0,
    };
    let mut events = Events::new();
    loop {
        relay.poller.wait(&mut events, None)?;
        for token in events.tokens() {
            if token == accepting {
                // The client has closed again, or no descriptor is free: the listener stays ready.
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
    splices: bool,
    accepted: usize,
}

/// Bytes that were read from one socket and not yet written to the other.
enum Unsent {
    Here(Vec<u8>),
    In(Pipe),
}

struct Pipe {
    from: PipeReader,
    to: PipeWriter,
    bytes: usize,
}

/// One socket of a pair.
struct Side {
    stream: TcpStream,
    other: usize,
    /// Bytes that this side's socket did not take; while there are some, neither side is read. That
    /// stalls the other direction too, which HTTP/1.1 with one request at a time does not notice.
    unsent: Unsent,
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
        let sides = [
            (
                client_token,
                Side::new(client, server_token, self.unsent()?),
            ),
            (
                server_token,
                Side::new(server, client_token, self.unsent()?),
            ),
        ];
        for (token, side) in sides {
            self.keep(token, side);
        }
        Ok(())
    }

    fn unsent(&self) -> io::Result<Unsent> {
        Ok(match self.splices {
            false => Unsent::Here(Vec::new()),
            true => Unsent::In(Pipe::new()?),
        })
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
            // A hang-up is always reported; older bytes go first.
            return Ok(Flow::Open);
        }
        let read = match &mut sink.unsent {
            Unsent::Here(_) => source.stream.read(buffer),
            Unsent::In(pipe) => pipe.fill(&source.stream),
        };
        let Some(read) = unless_blocked(read)? else {
            return Ok(Flow::Open);
        };
        if read == 0 {
            return source.end(from, sink, poller);
        }
        match &mut sink.unsent {
            Unsent::Here(unsent) => {
                let written = unless_blocked(sink.stream.write(&buffer[..read]))?;
                unsent.extend_from_slice(&buffer[written.unwrap_or(0)..read]);
            }
            Unsent::In(pipe) => drop(unless_blocked(pipe.drain(&sink.stream))?),
        }
        if !sink.unsent.is_empty() {
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
        match &mut sink.unsent {
            Unsent::Here(unsent) => {
                let written = unless_blocked(sink.stream.write(unsent))?;
                unsent.drain(..written.unwrap_or(0));
                if unsent.is_empty() {
                    *unsent = Vec::new();
                }
            }
            Unsent::In(pipe) => drop(unless_blocked(pipe.drain(&sink.stream))?),
        }
        if sink.unsent.is_empty() {
            poller.change(&source.stream, from, source.reading())?;
            poller.change(&sink.stream, to, sink.reading())?;
        }
        Ok(Flow::Open)
    }
}

/// Whether the pair continues.
enum Flow {
    Open,
    Ended,
}

impl Unsent {
    fn is_empty(&self) -> bool {
        match self {
            Self::Here(bytes) => bytes.is_empty(),
            Self::In(pipe) => pipe.bytes == 0,
        }
    }
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (from, to) = io::pipe()?;
        fcntl_setpipe_size(&to, PIPE_BYTES)?;
        Ok(Self { from, to, bytes: 0 })
    }

    /// Fills it from `source`; the pipe must be empty.
    fn fill(&mut self, source: &TcpStream) -> io::Result<usize> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let read = splice(source, None, &self.to, None, PIPE_BYTES, flags)?;
        self.bytes += read;
        Ok(read)
    }

    /// Drains it into `sink`.
    fn drain(&mut self, sink: &TcpStream) -> io::Result<usize> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let written = splice(&self.from, None, sink, None, self.bytes, flags)?;
        self.bytes -= written;
        Ok(written)
    }
}

/// `None`: nothing was moved, but will be later.
fn unless_blocked(moved: io::Result<usize>) -> io::Result<Option<usize>> {
    match moved {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        moved => moved.map(Some),
    }
}

impl Side {
    fn new(stream: TcpStream, other: usize, unsent: Unsent) -> Self {
        Self {
            stream,
            other,
            unsent,
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
