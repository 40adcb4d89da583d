//! A link to the proxy, or from it to a server, that takes the proxy's bytes slowly and steadily,
//! by the proxy's clock.

use std::io::{self, Read as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::clock::Clock;
use super::kernel::tcp_socket;
use super::wait::until;

/// The most unread bytes: the rest soon stays in the proxy's own socket.
const ROOM_BYTES: usize = 16 << 10;

/// Bytes that are taken in each of these spans: a third of a socket's buffer takes ten seconds.
const PIECE_BYTES: u64 = 4 << 10;
const SPAN: Duration = Duration::from_millis(50);

/// Bytes that pass at full speed first: handshakes, heads.
const FAST_BYTES: u64 = 64 << 10;

/// How a peer takes the proxy's bytes, by the proxy's clock. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Pace {
    clock: Clock,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// For how long the kernel has not reported room in the proxy's socket.
    silent: Duration,
    /// The longest such time.
    longest: Duration,
}

impl Pace {
    /// For a proxy that will run by `clock`.
    pub(crate) fn by(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            seen: Arc::default(),
        }
    }

    /// The peer at `near` has taken some bytes of the proxy, at `far`, and takes the next after a
    /// while.
    #[track_caller]
    pub(crate) fn turn(&self, near: SocketAddr, far: SocketAddr) {
        let has_room = tcp_socket(far, near).is_none_or(|socket| socket.has_room);
        self.clock.advance(SPAN);
        let mut seen = self.seen.lock().expect("no thread panics with it");
        seen.silent = if has_room {
            Duration::ZERO
        } else {
            seen.silent + SPAN
        };
        seen.longest = seen.longest.max(seen.silent);
    }

    /// Checks that the kernel reported no room for longer than `allowance`: a proxy that waits for
    /// that alone gives up a peer that still reads.
    #[track_caller]
    pub(crate) fn kernel_was_silent_for(&self, allowance: Duration) {
        let seen = self.seen.lock().expect("no thread panics with it");
        assert!(seen.longest > allowance, "{:?}", seen.longest);
    }
}

/// When it becomes slow: when the proxy's socket holds
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slow {
    /// as much as it takes,
    WhenFull,
    /// or so many bytes.
    WhenItHolds(usize),
}

impl Slow {
    /// Waits for that, of the socket at `far` that is connected to `near`.
    #[track_caller]
    pub(crate) fn wait(self, near: SocketAddr, far: SocketAddr) {
        until("the proxy's socket is filled", || {
            let socket = tcp_socket(far, near)?;
            let is_filled = match self {
                Self::WhenFull => !socket.has_room,
                Self::WhenItHolds(bytes) => socket.send_queue_bytes >= bytes,
            };
            is_filled.then_some(())
        });
    }
}

/// Which end of the proxy is slow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Clients are, with their answers.
    Answers,
    /// Servers are, with their requests.
    Requests,
}

/// The address of a link, which accepts one connection to `to`. From the moment `slow` on, the
/// proxy's bytes are taken slowly for `slow_phase`, and then at full speed; `pace` measures it.
#[track_caller]
pub(crate) fn throttled_link(
    to: SocketAddr,
    takes: Takes,
    slow: Slow,
    slow_phase: Duration,
    pace: &Pace,
) -> SocketAddr {
    let listener = narrow_socket();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    listener.bind(&any.into()).expect("a free port");
    listener.listen(1).expect("a socket");
    let address = listener.local_addr().expect("it is bound");
    let pace = pace.clone();
    thread::spawn(move || {
        let near = TcpStream::from(listener.accept().expect("a connection").0);
        let far = narrow(to);
        let (proxy, other) = match takes {
            Takes::Answers => (far, near),
            Takes::Requests => (near, far),
        };
        for end in [&proxy, &other] {
            end.set_nodelay(true).expect("a TCP socket");
        }
        let mut back = [&other, &proxy].map(|end| end.try_clone().expect("a socket"));
        thread::spawn(move || {
            let [from, to] = &mut back;
            let _ = io::copy(from, to);
            let _ = to.shutdown(Shutdown::Write);
        });
        if pass_slowly(&proxy, &other, slow, slow_phase, &pace).is_err() {
            // An error on one side ends the other.
            let _ = other.shutdown(Shutdown::Both);
        }
        let _ = other.shutdown(Shutdown::Write);
    });
    address.as_socket().expect("an address of IP")
}

/// A connection to `to` with a small receive buffer.
#[track_caller]
pub(crate) fn narrow(to: SocketAddr) -> TcpStream {
    let socket = narrow_socket();
    socket.connect(&to.into()).expect("it listens");
    let allowance = Some(super::wait::TIMEOUT);
    socket.set_read_timeout(allowance).expect("a socket");
    socket.into()
}

fn narrow_socket() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(ROOM_BYTES).expect("a socket");
    socket
}

fn pass_slowly(
    mut from: &TcpStream,
    mut to: &TcpStream,
    slow: Slow,
    slow_phase: Duration,
    pace: &Pace,
) -> io::Result<()> {
    let (near, far) = (from.local_addr()?, from.peer_addr()?);
    io::copy(&mut from.take(FAST_BYTES), &mut to)?;
    slow.wait(near, far);
    let mut left = slow_phase;
    while !left.is_zero() && io::copy(&mut from.take(PIECE_BYTES), &mut to)? > 0 {
        pace.turn(near, far);
        left = left.saturating_sub(SPAN);
    }
    io::copy(&mut from, &mut to)?;
    Ok(())
}
