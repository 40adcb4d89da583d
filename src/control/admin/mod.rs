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
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::clock::Duration;
use crate::base::tasks;
use crate::net::Stream;
use crate::proxy::io::Timer;

use super::State;

use answer::{answer, busy, is_probe, refused};
use browser::Names;
use connections::{Connection, Cost, Entry};

pub(super) use connections::Connections;

/// For a request head, and between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves a connection as soon as there is room for it.
pub(super) async fn start(stream: Stream, connections: &Rc<Connections>, state: &Rc<State>) {
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
