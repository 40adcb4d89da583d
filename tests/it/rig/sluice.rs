//! A way to the proxy, or from it to a server, that takes what the proxy sends slowly and steadily.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::wait::while_for;

/// What lies unread: the proxy's own socket soon holds back all the rest.
const ROOM_BYTES: usize = 16 << 10;

/// Taken at a time, in each of these spans: a third of what a socket holds takes ten seconds.
const PIECE_BYTES: usize = 4 << 10;
const SPAN: Duration = Duration::from_millis(50);

/// So often whoever takes steadily may find that it did not.
const TRIES: usize = 5;

/// How somebody takes what the proxy sends, as it was seen. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    turned_at: Option<Instant>,
    /// The longest between two turns.
    gap: Duration,
    taken_bytes: usize,
    /// The most that lay in the proxy's socket.
    held_bytes: usize,
    began: Option<Instant>,
}

/// Runs `test`, in which somebody takes what the proxy sends and is given up who takes nothing for as long as
/// `patience`. It is run again where it failed and who takes had no turn for half that time: on a
/// busy machine that says nothing.
///
/// Makes sure that the kernel does not tell the proxy of what was taken within `patience`: it does when a
/// third of what a socket holds is free.
#[track_caller]
pub(crate) fn steadily(patience: Duration, test: impl Fn(&Pace)) {
    for tries_left in (0..TRIES).rev() {
        let pace = Pace::default();
        let outcome = catch_unwind(AssertUnwindSafe(|| test(&pace)));
        let seen = pace.0.lock().expect("nobody panics with it");
        match outcome {
            Err(_) if seen.gap > patience / 2 && tries_left > 0 => {}
            Err(panic) => resume_unwind(panic),
            Ok(()) => {
                let span = seen.turned_at.zip(seen.began).expect("it took some");
                let share = patience.div_duration_f64(span.0 - span.1);
                let taken = seen.taken_bytes as f64 * share;
                let held = seen.held_bytes as f64;
                assert!(taken < held / 3.0, "{taken} within its time, of {held}");
                return;
            }
        }
    }
}

impl Pace {
    /// Somebody at `near` has taken so much of what the proxy, at `far`, has sent, and goes on.
    pub(crate) fn turn(&self, taken_bytes: usize, near: SocketAddr, far: SocketAddr) {
        let mut seen = self.0.lock().expect("nobody panics with it");
        let now = Instant::now();
        let before = seen.turned_at.replace(now).unwrap_or(now);
        seen.began.get_or_insert(now);
        seen.gap = seen.gap.max(now - before);
        seen.taken_bytes += taken_bytes;
        seen.held_bytes = seen.held_bytes.max(unacknowledged(far, near));
    }
}

/// Bytes in the queue of the socket at `from` that is connected to `to`, as the kernel lists them: proc(5).
fn unacknowledged(from: SocketAddr, to: SocketAddr) -> usize {
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    let rows = fs::read_to_string("/proc/net/tcp").expect("it is listed");
    let queue = rows.lines().skip(1).find_map(|row| {
        let mut columns = row.split_whitespace().skip(1);
        let is_it = port(columns.next()?)? == from.port() && port(columns.next()?)? == to.port();
        let queue = columns.nth(1)?.split(':').next()?;
        is_it.then(|| usize::from_str_radix(queue, 16).ok())?
    });
    // It may have been closed just now.
    queue.unwrap_or(0)
}

/// Which of the proxy's ends is slow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Clients are, with their answers.
    Answers,
    /// Servers are, with their requests.
    Requests,
}

/// Where one connection to `to` is accepted. What the proxy sends on it is taken slowly for
/// `slow_phase`, from its first byte on, and then as it comes; `pace` sees how.
#[track_caller]
pub(crate) fn sluice(
    to: SocketAddr,
    takes: Takes,
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
        if pass_slowly(&proxy, &other, slow_phase, &pace).is_err() {
            // What breaks on one side breaks on the other.
            let _ = other.shutdown(Shutdown::Both);
        }
        let _ = other.shutdown(Shutdown::Write);
    });
    address.as_socket().expect("an address of IP")
}

/// A connection to `to` with little room for what lies unread.
#[track_caller]
pub(crate) fn narrow(to: SocketAddr) -> TcpStream {
    let socket = narrow_socket();
    socket.connect(&to.into()).expect("somebody listens");
    let patience = Some(super::wait::PATIENCE);
    socket.set_read_timeout(patience).expect("a socket");
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
    slow_phase: Duration,
    pace: &Pace,
) -> io::Result<()> {
    let (near, far) = (from.local_addr()?, from.peer_addr()?);
    let mut piece = [0; PIECE_BYTES];
    let mut began = None;
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&piece[..length])?;
        if began.get_or_insert_with(Instant::now).elapsed() < slow_phase {
            pace.turn(length, near, far);
            while_for(SPAN, "it is slow", || true);
        }
    }
}
