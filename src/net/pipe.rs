//! Pipes of the kernel, through which splice(2) moves bytes from one TCP socket to another without
//! copying them into the process.
//!
//! A pipe is filled only when it is empty. So if no byte can be moved, it is always because of the
//! socket: the source has no data (the empty pipe has room), or the sink takes none (the pipe has
//! data). An unsuccessful call therefore clears the readiness of exactly that socket in tokio.
//!
//! `proxy::io::relay` borrows one only while a piece is being moved, so a worker has few, however
//! many connections it has.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::Stream;

/// The capacity of a pipe. A new one has sixteen slots, and each piece of a socket's queue takes
/// one, however short: from a network card that may be a single segment.
const PIPE_BYTES: usize = 256 << 10;

/// The most empty ones that are kept.
const MOST_SPARE: usize = 16;

/// The pipes of a worker.
pub struct Pipes {
    /// The most, in use and spare; each is two descriptors.
    most: usize,
    spare: RefCell<Vec<Pipe>>,
    /// Each pipe holds a clone of it.
    count: Rc<()>,
}

/// A pipe, and the bytes in it.
pub struct Pipe {
    from: OwnedFd,
    to: OwnedFd,
    bytes: usize,
    _counted: Rc<()>,
}

impl Pipes {
    /// No more than `most` at a time.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            spare: RefCell::default(),
            count: Rc::default(),
        }
    }

    /// An empty one; `None`: there are too many, or the system gives no more.
    pub fn take(&self) -> Option<Pipe> {
        let spare = self.spare.borrow_mut().pop();
        spare.or_else(|| {
            let is_full = Rc::strong_count(&self.count) > self.most;
            (!is_full).then(|| Pipe::new(Rc::clone(&self.count)).ok())?
        })
    }

    /// Returns an empty one.
    pub fn give_back(&self, pipe: Pipe) {
        let mut spare = self.spare.borrow_mut();
        if pipe.is_empty() && spare.len() < MOST_SPARE {
            spare.push(pipe);
        }
    }

    /// The number of pipes.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        Rc::strong_count(&self.count) - 1
    }
}

impl Pipe {
    fn new(counted: Rc<()>) -> io::Result<Self> {
        let (from, to) = pipe_with(PipeFlags::CLOEXEC)?;
        // It fails if the user has too many, and then a pipe has two pages: worse than copying.
        fcntl_setpipe_size(&to, PIPE_BYTES)?;
        Ok(Self {
            from,
            to,
            bytes: 0,
            _counted: counted,
        })
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Fills it from `source`, and returns how many bytes; 0 at the end. The pipe must be empty.
    ///
    /// # Errors
    ///
    /// The system's error of the source; [`io::ErrorKind::Unsupported`] if it has none but cannot
    /// be spliced.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, source: &Stream) -> Poll<io::Result<usize>> {
        debug_assert!(self.is_empty(), "a refusal would be the pipe's");
        let source = tcp(source)?;
        let fill = || spliced(|| splice(source, None, &self.to, None, PIPE_BYTES, flags()));
        let filled = loop {
            ready!(source.poll_read_ready(cx))?;
            match source.try_io(Interest::READABLE, fill) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                filled => break filled,
            }
        };
        if let Ok(count) = filled {
            self.bytes = count;
        }
        Poll::Ready(filled)
    }

    /// Drains it into `sink`, and returns how many bytes. The pipe must not be empty.
    ///
    /// # Errors
    ///
    /// The system's error of the sink.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>, sink: &Stream) -> Poll<io::Result<usize>> {
        debug_assert!(!self.is_empty(), "a refusal would be the pipe's");
        let sink = tcp(sink)?;
        // Not more than it has: the kernel would send the last bytes as if more were to follow.
        let drain = || spliced(|| splice(&self.from, None, sink, None, self.bytes, flags()));
        let drained = loop {
            ready!(sink.poll_write_ready(cx))?;
            match sink.try_io(Interest::WRITABLE, drain) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                drained => break drained,
            }
        };
        if let Ok(count) = drained {
            self.bytes -= count;
        }
        Poll::Ready(drained)
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipe({})", self.bytes)
    }
}

/// The only kind of connection whose bytes pass unchanged.
fn tcp(stream: &Stream) -> io::Result<&TcpStream> {
    match stream {
        Stream::Tcp(stream) => Ok(stream),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn flags() -> SpliceFlags {
    SpliceFlags::MOVE | SpliceFlags::NONBLOCK
}

fn spliced(splice: impl FnMut() -> Result<usize, Errno>) -> io::Result<usize> {
    retry_on_intr(splice).map_err(|errno| match errno {
        // No error of the connection: this kernel, or a sandbox, cannot splice it.
        Errno::INVAL | Errno::NOSYS | Errno::PERM => io::ErrorKind::Unsupported.into(),
        errno => errno.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::base::clock::{Duration, within};

    /// Far more than any of these needs.
    const TIMEOUT: Duration = Duration::from_secs(20);

    const MOST: usize = MOST_SPARE + 5;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).await;
        let (far, _) = listener.accept().await.expect("a connection");
        (near.expect("it listens"), far)
    }

    #[tokio::test]
    async fn bytes_and_the_end_pass_through_the_pipe() {
        let pipes = Pipes::new(MOST);
        let mut pipe = pipes.take().expect("the first");
        let (mut speaker, source) = pair().await;
        let (sink, mut listener) = pair().await;
        let (source, sink) = (Stream::Tcp(source.into()), Stream::Tcp(sink.into()));
        speaker.write_all(b"through a pipe").await.expect("taken");
        drop(speaker);
        let filled = poll_fn(|cx| pipe.poll_fill(cx, &source)).await;
        assert_eq!((filled.expect("a source"), pipe.is_empty()), (14, false));
        let drained = within(TIMEOUT, poll_fn(|cx| pipe.poll_drain(cx, &sink))).await;
        let drained = drained.expect("it has room");
        assert_eq!((drained.expect("a sink"), pipe.is_empty()), (14, true));
        let end = poll_fn(|cx| pipe.poll_fill(cx, &source)).await;
        assert_eq!((end.expect("an end"), pipe.is_empty()), (0, true));
        drop(sink);
        let mut heard = String::new();
        listener.read_to_string(&mut heard).await.expect("an end");
        assert_eq!(heard, "through a pipe");
    }

    #[tokio::test]
    async fn anything_but_plain_tcp_is_refused_without_harm() {
        let mut pipe = Pipes::new(MOST).take().expect("the first");
        let other = Stream::Other(Box::new(tokio::io::empty()));
        let error = poll_fn(|cx| pipe.poll_fill(cx, &other)).await;
        let error = error.expect_err("not a socket");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(pipe.is_empty());
    }

    #[test]
    fn there_are_only_so_many() {
        let pipes = Pipes::new(MOST);
        let mut held: Vec<_> = std::iter::from_fn(|| pipes.take()).collect();
        assert_eq!(held.len(), MOST);
        drop(held.pop());
        held.extend(pipes.take());
        assert_eq!(held.len(), MOST, "one that is gone makes room");
        for pipe in held {
            pipes.give_back(pipe);
        }
        assert_eq!(pipes.count(), MOST_SPARE);
        assert_eq!(pipes.spare.borrow().len(), MOST_SPARE);
        let one = pipes.take().expect("a spare one");
        assert_eq!(pipes.count(), MOST_SPARE, "it is none of its own");
        drop(one);
        assert_eq!(pipes.count(), MOST_SPARE - 1);
    }

    #[tokio::test]
    async fn a_full_one_is_not_for_the_next() {
        let pipes = Pipes::new(MOST);
        let mut pipe = pipes.take().expect("the first");
        let (mut speaker, source) = pair().await;
        speaker.write_all(b"for one only").await.expect("taken");
        let source = Stream::Tcp(source.into());
        let filled = poll_fn(|cx| pipe.poll_fill(cx, &source)).await;
        assert_eq!(filled.expect("a source"), 12);
        pipes.give_back(pipe);
        assert_eq!(pipes.count(), 0);
    }
}
