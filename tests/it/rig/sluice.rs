//! A way to the proxy, or from it to a server, that takes what the proxy sends slowly and steadily.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::wait::while_for;

/// What lies unread: the proxy's own socket soon holds back all the rest.
const ROOM_BYTES: usize = 16 << 10;

/// Taken at a time, in each of these spans: a third of what a socket holds takes ten seconds.
const PIECE_BYTES: usize = 4 << 10;
const SPAN: Duration = Duration::from_millis(50);

/// Which of the proxy's ends is slow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Clients are, with their answers.
    Answers,
    /// Servers are, with their requests.
    Requests,
}

/// Where one connection to `to` is accepted. What the proxy sends on it is taken slowly for
/// `slow_phase`, from its first byte on, and then as it comes.
#[track_caller]
pub(crate) fn sluice(to: SocketAddr, takes: Takes, slow_phase: Duration) -> SocketAddr {
    let listener = narrow();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    listener.bind(&any.into()).expect("a free port");
    listener.listen(1).expect("a socket");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let near = TcpStream::from(listener.accept().expect("a connection").0);
        let far = narrow();
        far.connect(&to.into()).expect("somebody listens");
        let (proxy, other) = match takes {
            Takes::Answers => (TcpStream::from(far), near),
            Takes::Requests => (near, TcpStream::from(far)),
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
        if pass_slowly(&proxy, &other, slow_phase).is_err() {
            // What breaks on one side breaks on the other.
            let _ = other.shutdown(Shutdown::Both);
        }
        let _ = other.shutdown(Shutdown::Write);
    });
    address.as_socket().expect("an address of IP")
}

fn narrow() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(ROOM_BYTES).expect("a socket");
    socket
}

fn pass_slowly(mut from: &TcpStream, mut to: &TcpStream, slow_phase: Duration) -> io::Result<()> {
    let mut piece = [0; PIECE_BYTES];
    let mut began = None;
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&piece[..length])?;
        if began.get_or_insert_with(Instant::now).elapsed() < slow_phase {
            while_for(SPAN, "it is slow", || true);
        }
    }
}
