//! The send queue of a socket: bytes that were written and that its peer has not taken.
//!
//! A socket becomes writable when about a third of its buffer is free, which may be more than a
//! megabyte: with a slow peer, a minute without a sign. Only a question to the kernel shows what it
//! has taken meanwhile.

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, ioctl};

/// `SIOCOUTQ` of tcp(7) and unix(7), which is `TIOCOUTQ`.
#[cfg(not(any(
    target_arch = "mips",
    target_arch = "mips64",
    target_arch = "powerpc",
    target_arch = "powerpc64",
    target_arch = "sparc",
    target_arch = "sparc64",
)))]
const SIOCOUTQ: Opcode = 0x5411;
#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
const SIOCOUTQ: Opcode = 0x7472;
#[cfg(any(
    target_arch = "powerpc",
    target_arch = "powerpc64",
    target_arch = "sparc",
    target_arch = "sparc64",
))]
const SIOCOUTQ: Opcode = 0x4004_7473;

/// `SIOCOUTNSQ` of Linux, the same everywhere.
#[cfg(test)]
const SIOCOUTNSQ: Opcode = 0x894b;

/// Bytes in the send queue of `socket`: over TCP, bytes that the peer's system has not
/// acknowledged; over a Unix socket, the memory of the bytes that the peer has not read. One system
/// call.
pub(super) fn bytes(socket: impl AsFd) -> io::Result<u64> {
    // SAFETY: the kernel writes an int, for any kind of descriptor that supports the request.
    let queued: c_int = unsafe { ioctl(socket, Getter::<SIOCOUTQ, c_int>::new()) }?;
    Ok(u64::try_from(queued).unwrap_or(0))
}

/// Bytes that a TCP socket has not sent yet.
#[cfg(test)]
pub(super) fn unsent(socket: impl AsFd) -> io::Result<u64> {
    // SAFETY: as above.
    let unsent: c_int = unsafe { ioctl(socket, Getter::<SIOCOUTNSQ, c_int>::new()) }?;
    Ok(u64::try_from(unsent).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::base::clock::{self, Duration};

    /// Checks that written bytes are in the send queue until they are read.
    fn shrinks_as_it_is_read(mut near: impl Write + AsFd, mut far: impl Read) {
        assert_eq!(bytes(&near).expect("a socket"), 0);
        let mut written = 0;
        while let Ok(count) = near.write(&[b'x'; 4096]) {
            written += count;
        }
        let full = bytes(&near).expect("a socket");
        assert!(full > 0);
        let mut left = vec![0; written];
        far.read_exact(&mut left).expect("all of it");
        // The acknowledgement is on its way.
        let deadline = clock::now() + Duration::from_secs(20);
        while bytes(&near).expect("a socket") > 0 {
            assert!(clock::now() < deadline, "it never came");
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_send_queue_of_tcp_shrinks_with_acknowledgements() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("listens");
        let (far, _) = listener.accept().expect("a connection");
        near.set_nonblocking(true).expect("a socket");
        shrinks_as_it_is_read(near, far);
    }

    #[test]
    fn the_send_queue_of_a_unix_socket_shrinks_with_reads() {
        let (near, far) = UnixStream::pair().expect("a pair");
        near.set_nonblocking(true).expect("a socket");
        shrinks_as_it_is_read(near, far);
    }

    #[test]
    fn a_file_has_no_send_queue() {
        let file = std::fs::File::open("/dev/null").expect("it is there");
        assert!(bytes(file).is_err());
    }
}
