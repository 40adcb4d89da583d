//! Waits until a descriptor that is no socket is readable, such as that of inotify(7).
//!
//! `control::watch` reads from it; here is only the runtime's part.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// A descriptor that does not block, known to the runtime of this thread.
#[derive(Debug)]
pub struct Readable(AsyncFd<OwnedFd>);

impl Readable {
    /// Takes `descriptor`, which must not block.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn new(descriptor: OwnedFd) -> io::Result<Self> {
        // SAFETY: an `OwnedFd` has one valid descriptor until it is dropped, and never another one; the
        // `AsyncFd` owns it and nothing here takes it out.
        let registered = unsafe { AsyncFd::register(descriptor) };
        registered.map(Self).map_err(io::Error::from)
    }

    /// Waits until it is readable. Clear the guard when nothing is left to read.
    ///
    /// # Errors
    ///
    /// The runtime ends.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn ready(&self) -> io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        self.0.readable().await
    }
}

impl AsFd for Readable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    #[tokio::test]
    async fn it_waits_until_the_descriptor_is_readable() {
        let (reader, writer) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).expect("a pipe");
        let readable = Readable::new(reader).expect("a reactor");
        let mut room = [0; 8];
        for byte in [b'a', b'b'] {
            std::fs::File::from(writer.try_clone().expect("a descriptor"))
                .write_all(&[byte])
                .expect("room");
            let mut ready = readable.ready().await.expect("a runtime");
            assert_eq!(rustix::io::read(&readable, &mut room), Ok(1));
            assert_eq!(room[0], byte);
            let rest = rustix::io::read(&readable, &mut room);
            assert_eq!(rest, Err(rustix::io::Errno::AGAIN));
            ready.clear_ready();
        }
    }
}
