//! The admin listener: metrics, probes, status and reload, over plain HTTP/1.1.
//!
//! It runs on the control thread and serves every client that can connect (loopback by default),
//! except web pages: see `browser`. It has bounds of its own, so that a client that asks too much,
//! or does not read, does not disturb others: see `connections`.

mod answer;
mod browser;
mod connections;
mod readiness;
mod status;

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use crate::base::InWords;
use crate::base::ListenAddress;
use crate::base::clock::{self, Duration};
use crate::base::tasks;
use crate::net::{Listener, Stream};
use crate::observe::event;
use crate::plan::Bind;
use crate::proxy::io::Timer;

use super::State;
use super::listeners::{self, BoundSockets, Opened};
use super::moves::{Held, Owner};

use answer::{answer, busy, is_probe, refused};
use browser::Names;
use connections::{Connection, Connections, Cost, Entry};

/// For a request head, and between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long accepting pauses after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The admin listeners that are open.
#[derive(Default)]
pub(super) struct Admin {
    open: Vec<Open>,
}

struct Open {
    wanted: Bind,
    bound: BoundSockets,
    /// Dropped to close the listener.
    #[expect(dead_code, reason = "its drop signals the accept loop")]
    open: oneshot::Sender<()>,
}

impl Admin {
    /// The address of the first one.
    pub(super) fn addr(&self) -> Option<ListenAddress> {
        self.open.first().map(|open| open.bound.addr.clone())
    }

    /// All open sockets.
    pub(super) fn held(&self) -> Vec<Held> {
        let held = self.open.iter();
        held.map(|open| open.bound.held(&open.wanted.addr, Owner::Admin))
            .collect()
    }

    /// The sockets of the one at `index` of [`Admin::held`].
    pub(super) fn bound(&self, index: usize) -> Option<&BoundSockets> {
        self.open.get(index).map(|open| &open.bound)
    }
}

/// Opens `new`, and closes the open listeners that do not stay; `stays` has, for each, the bind
/// that it now serves. Requests in progress continue. Returns the sockets that close.
pub(super) fn apply(
    state: &Rc<State>,
    stays: Vec<Option<Bind>>,
    new: Vec<(Bind, Opened)>,
) -> Vec<BoundSockets> {
    let mut admin = state.admin.borrow_mut();
    let mut closing = Vec::new();
    for (mut open, stays) in std::mem::take(&mut admin.open).into_iter().zip(stays) {
        match stays {
            Some(wanted) => {
                listeners::permit(&mut open.wanted, &wanted, &state.network);
                admin.open.push(open);
            }
            None => closing.push(open.bound),
        }
    }
    for (wanted, Opened { bound, sockets, .. }) in new {
        // There is one, for the control thread.
        let Some(socket) = sockets.into_iter().next() else {
            continue;
        };
        match socket.into_listener() {
            Ok(listener) => {
                event::admin_bound(&bound.addr);
                let (sender, closed) = oneshot::channel();
                tasks::spawn_local(accept(listener, Rc::clone(state), closed));
                admin.open.push(Open {
                    wanted,
                    bound,
                    open: sender,
                });
            }
            Err(error) => event::admin_failed(&wanted.addr, &InWords(&error)),
        }
    }
    closing
}

/// Accepts until the listener is closed and its queue is empty.
///
/// A panic here is a defect, and costs the connection that caused it. The loop carries no traffic,
/// unlike that of a frontend, so the process does not end: the loop starts again.
async fn accept(listener: Listener, state: Rc<State>, mut closed: oneshot::Receiver<()>) {
    let connections = Rc::<Connections>::default();
    loop {
        let mut next = pin!(accept_one(&listener, &mut closed, &connections, &state));
        let caught = poll_fn(|cx| {
            let polling = AssertUnwindSafe(|| next.as_mut().poll(cx));
            // A loop that has panicked is not polled again.
            catch_unwind(polling).unwrap_or(Poll::Ready(Accepted::Panicked))
        });
        match caught.await {
            Accepted::One => {}
            Accepted::None => clock::sleep(ACCEPT_PAUSE).await,
            Accepted::Closes => break,
            Accepted::Panicked => {
                state.metrics.panicked();
                event::admin_panicked();
                clock::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    listener.turn_away(true);
    // For those clients the connection is established already.
    while let Ok(Some((stream, _))) = listener.accept_queued() {
        start(stream, &connections, &state).await;
    }
}

/// The result of waiting for a connection.
enum Accepted {
    One,
    None,
    Closes,
    Panicked,
}

async fn accept_one(
    listener: &Listener,
    closed: &mut oneshot::Receiver<()>,
    connections: &Rc<Connections>,
    state: &Rc<State>,
) -> Accepted {
    let accepted = tokio::select! {
        biased;
        _ = closed => return Accepted::Closes,
        accepted = listener.accept() => accepted,
    };
    let Ok((stream, _)) = accepted else {
        return Accepted::None;
    };
    start(stream, connections, state).await;
    Accepted::One
}

/// Serves a connection as soon as there is room for it.
async fn start(stream: Stream, connections: &Rc<Connections>, state: &Rc<State>) {
    let entry = connections.enter().await;
    tasks::spawn_local(serve(stream, entry, Rc::clone(state)));
}

/// Serves a connection until it ends, until its client has taken too long, or until it is evicted.
async fn serve(stream: Stream, entry: Entry, state: Rc<State>) {
    let entry = Rc::new(entry);
    let is_unix = matches!(stream, Stream::Unix(_));
    let io = AdminStream {
        stream,
        connection: Rc::clone(&entry.connection),
    };
    let service = service_fn(|request: Request<Incoming>| {
        let (entry, state) = (Rc::clone(&entry), Rc::clone(&state));
        async move {
            let response = respond(request, &entry, state, is_unix).await;
            entry.connection.end_answer();
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let mut served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(io), service);
    let mut timer = Timer::new();
    let is_cut = poll_fn(|cx| {
        // An error here is the client's: it broke off.
        if Pin::new(&mut served).poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        if entry.connection.is_evicted(cx) {
            return Poll::Ready(true);
        }
        timer.poll(cx, entry.connection.due()).map(|_| true)
    });
    if is_cut.await {
        // Else the kernel would keep bytes that the client does not read for minutes.
        served.into_parts().io.into_inner().stream.reset();
    }
}

async fn respond(
    request: Request<Incoming>,
    entry: &Entry,
    state: Rc<State>,
    is_unix: bool,
) -> answer::Answer {
    let is_probe = is_probe(request.uri().path());
    let cost = match is_probe {
        true => Cost::Nothing,
        false => Cost::Counted,
    };
    if !entry.begin_answer(cost) {
        return busy();
    }
    if !is_probe {
        // One answer, and then the other tasks run: a client that sends many requests at once would
        // else have them all answered before a probe.
        tasks::yield_now().await;
    }
    let snapshot = state.current.load();
    let hosts = snapshot.plan.admin.as_ref().map(|admin| &*admin.hosts);
    let names = match is_probe || is_unix {
        true => Names::Any,
        false => Names::These(hosts.unwrap_or_default()),
    };
    if let Err(why) = browser::check(&request, names) {
        return refused(&why);
    }
    drop(snapshot);
    answer(state, request).await
}

/// A client's connection, which notes what the client reads.
struct AdminStream {
    stream: Stream,
    connection: Rc<Connection>,
}

impl AdminStream {
    fn note(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.connection.was_written();
        }
    }
}

impl AsyncRead for AdminStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for AdminStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written all that it has.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.connection.was_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
