//! A network for tests: each address has a script for the behaviour of a server there, step by
//! step, in virtual time; every visit is recorded.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};

use crate::base::clock::{self, Duration, Instant};
use crate::base::tasks::{self, LocalSet};
use crate::net::{Io, Network, OtherListener, OtherNetwork, Pending};

/// How a server behaves.
#[derive(Clone, Debug)]
pub(super) enum Script {
    /// The connection fails with this error.
    Fails(io::ErrorKind),
    /// The connection fails with this error of the system.
    FailsWith(i32),
    /// The connection never opens.
    Hangs,
    /// The connection opens, and these steps follow; then it is closed.
    Accepts(Vec<Step>),
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Reads to the end of a request head.
    ReadHead,
    Write(Vec<u8>),
    /// One byte at a time, with a pause after each.
    WriteSlowly(Vec<u8>, Duration),
    /// The same bytes again until the peer has closed.
    WriteForever(Vec<u8>),
    Wait(Duration),
    /// Waits until the peer has closed.
    Hold,
    /// The connection breaks.
    Reset,
}

/// One connection, from the server's side.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) at: Instant,
    pub(super) address: SocketAddr,
    /// When the client had left.
    pub(super) left: Option<Instant>,
    /// The head of the request.
    pub(super) head: String,
    /// Bytes that the client read.
    pub(super) read: usize,
    /// The client has closed in order.
    pub(super) was_shut: bool,
    was_reset: bool,
}

/// The network; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Scripted(Arc<Mutex<Records>>);

#[derive(Default)]
struct Records {
    scripts: HashMap<SocketAddr, Script>,
    visits: Vec<Visit>,
    open: usize,
    most_open: usize,
}

/// The client's end. Writes events into the records.
struct Line {
    stream: DuplexStream,
    presence: Presence,
    /// Shutting down takes two calls, as it may where more than a socket has to be closed.
    is_shutting: bool,
}

/// A client at a server, from its first attempt to connect until it has left.
struct Presence {
    network: Scripted,
    visit: usize,
}

/// Runs `future` in virtual time, where local tasks may be spawned.
pub(super) fn simulate<F: Future>(future: F) -> F::Output {
    // Paused from its first moment: a clock that has run before rounds its timers differently each
    // time.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, future)
}

/// A server that reads a request and answers `answer`.
pub(super) fn answers(answer: impl AsRef<[u8]>) -> Script {
    Script::Accepts(vec![Step::ReadHead, Step::Write(answer.as_ref().to_vec())])
}

impl Scripted {
    pub(super) fn network(&self) -> Network {
        Network::Other(Arc::new(self.clone()))
    }

    /// From now on the server at `address` behaves like this.
    pub(super) fn set(&self, address: SocketAddr, script: Script) {
        self.records().scripts.insert(address, script);
    }

    /// All visits so far.
    pub(super) fn visits(&self) -> Vec<Visit> {
        self.records().visits.clone()
    }

    /// All visits at `address` so far.
    pub(super) fn visits_at(&self, address: SocketAddr) -> Vec<Visit> {
        let mut visits = self.visits();
        visits.retain(|visit| visit.address == address);
        visits
    }

    /// The most clients that were connected at one time.
    pub(super) fn most_open(&self) -> usize {
        self.records().most_open
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, address: SocketAddr) -> Presence {
        let mut records = self.records();
        records.open += 1;
        records.most_open = records.most_open.max(records.open);
        records.visits.push(Visit {
            at: clock::now(),
            address,
            left: None,
            head: String::new(),
            read: 0,
            was_shut: false,
            was_reset: false,
        });
        Presence {
            network: self.clone(),
            visit: records.visits.len() - 1,
        }
    }

    async fn serve(self, visit: usize, mut stream: DuplexStream, steps: Vec<Step>) {
        for step in steps {
            if self.take(step, visit, &mut stream).await.is_err() {
                return;
            }
        }
    }

    async fn take(&self, step: Step, visit: usize, stream: &mut DuplexStream) -> io::Result<()> {
        match step {
            Step::ReadHead => {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                self.records().visits[visit].head = String::from_utf8_lossy(&head).into_owned();
            }
            Step::Write(bytes) => stream.write_all(&bytes).await?,
            Step::WriteSlowly(bytes, pause) => {
                for byte in bytes {
                    stream.write_u8(byte).await?;
                    clock::sleep(pause).await;
                }
            }
            Step::WriteForever(bytes) => loop {
                stream.write_all(&bytes).await?;
            },
            Step::Wait(duration) => clock::sleep(duration).await,
            Step::Hold => while stream.read(&mut [0; 1024]).await? > 0 {},
            Step::Reset => self.records().visits[visit].was_reset = true,
        }
        Ok(())
    }
}

impl OtherNetwork for Scripted {
    fn bind(&self, _: SocketAddr) -> Pending<'_, io::Result<Box<dyn OtherListener>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn connect(&self, address: SocketAddr) -> Pending<'_, io::Result<Box<dyn Io>>> {
        Box::pin(async move {
            let presence = self.enter(address);
            let script = self.records().scripts.get(&address).cloned();
            match script {
                None => Err(io::ErrorKind::ConnectionRefused.into()),
                Some(Script::Fails(kind)) => Err(kind.into()),
                Some(Script::FailsWith(code)) => Err(io::Error::from_raw_os_error(code)),
                Some(Script::Hangs) => pending().await,
                Some(Script::Accepts(steps)) => {
                    let (stream, far) = duplex(4096);
                    tasks::spawn_local(self.clone().serve(presence.visit, far, steps));
                    Ok(Box::new(Line {
                        stream,
                        presence,
                        is_shutting: false,
                    }) as Box<dyn Io>)
                }
            }
        })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut records = self.network.records();
        records.open -= 1;
        records.visits[self.visit].left = Some(clock::now());
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut line.stream).poll_read(cx, buf))?;
        let mut records = line.presence.network.records();
        let visit = &mut records.visits[line.presence.visit];
        let read = buf.filled().len() - before;
        visit.read += read;
        if read == 0 && visit.was_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !mem::replace(&mut self.is_shutting, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let visit = self.presence.visit;
        self.presence.network.records().visits[visit].was_shut = true;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
