//! The client of a connection: its peer, or the one that a PROXY header names.
//!
//! `accept` asks before anything else is read. Where the frontend wants a header from a peer, it is
//! waited for as long as a request head is; one that does not come, or is malformed, ends the
//! connection, and is counted. Whether there is one is never guessed: a client that needs no header
//! could pretend to be any other (`proxy-protocol.txt` §5).

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use crate::base::address::Ends;
use crate::base::clock::{self, Duration, Instant};
use crate::base::{ListenAddress, Peer};
use crate::net::Stream;
use crate::observe::{NoHeader, event};
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::context::Context;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::Timer;
use crate::wire::proxy_protocol::{Endpoints, parse};

/// What is read at once: a header, and often the first bytes behind it.
const READ_BYTES: usize = 1024;

/// Whose connection it is.
pub(super) struct Identified {
    pub(super) stream: Stream,
    /// Those that the header names; without one, those of the socket.
    pub(super) ends: Ends,
    /// Who sent a PROXY header; `None`: none was read.
    pub(super) header_from: Option<Peer>,
}

/// Reads the header that the frontend wants from the peer at `address`, if it wants one. `ends` are those of the
/// socket. `None`: the connection is to be closed, and that is accounted for.
pub(super) async fn identify(
    stream: Stream,
    ends: Ends,
    frontend: &Arc<Frontend>,
    address: &ListenAddress,
    context: &Context,
    registration: &Registration,
) -> Option<Identified> {
    let peer = ends.client;
    let Some(timeout) = timeout(peer, frontend, address, context)? else {
        return Some(Identified {
            stream,
            ends,
            header_from: None,
        });
    };
    // Boxed: connections without a header do not carry the room for it.
    match Box::pin(read_header(
        stream,
        ends,
        clock::now() + timeout,
        registration,
    ))
    .await
    {
        Ok((stream, ends)) => Some(Identified {
            stream,
            ends,
            header_from: Some(peer),
        }),
        Err(None) => None,
        Err(Some(why)) => {
            frontend.metrics.had_no_header(why);
            event::proxy_header_failed(&frontend.name, address, peer, why);
            None
        }
    }
}

/// How long the header of `peer` is waited for; `Some(None)`: none is wanted. `None`: `address` was removed
/// a while ago.
fn timeout(
    peer: Peer,
    frontend: &Arc<Frontend>,
    address: &ListenAddress,
    context: &Context,
) -> Option<Option<Duration>> {
    let (view, index, bind) = context.views.at_bind(frontend, address)?;
    let plan = &view.snapshot.plan.frontends[index];
    let wanted_from = &plan.binds[bind].proxy_protocol;
    let is_wanted = wanted_from.wants_header_from(peer);
    Some(is_wanted.then_some(plan.timeout.head))
}

/// The fault is `None` for a connection that ended without a byte, as those of TCP checks do.
async fn read_header(
    mut stream: Stream,
    ends: Ends,
    until: Instant,
    registration: &Registration,
) -> Result<(Stream, Ends), Option<NoHeader>> {
    let mut read = BytesMut::new();
    let mut timer = Timer::new();
    loop {
        let parsed = parse(&read).map_err(|fault| Some(NoHeader::Malformed(fault)))?;
        if let Some((header, length)) = parsed {
            let ends = ends_of(&header.endpoints, ends);
            read.advance(length);
            return Ok((stream.rewound(read.freeze()), ends));
        }
        let more = poll_fn(|cx| {
            let mut room = [0; READ_BYTES];
            let mut buffer = ReadBuf::new(&mut room);
            if let Poll::Ready(outcome) = Pin::new(&mut stream).poll_read(cx, &mut buffer) {
                return Poll::Ready(outcome.map(|()| Bytes::copy_from_slice(buffer.filled())));
            }
            // A client that has connected is heard: a drain does not end this, only an abort.
            if registration.shutdown(cx) == Shutdown::Abort {
                return Poll::Ready(Ok(Bytes::new()));
            }
            timer
                .poll(cx, until)
                .map(|_| Err(io::ErrorKind::TimedOut.into()))
        });
        match more.await {
            Ok(bytes) if !bytes.is_empty() => read.extend_from_slice(&bytes),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(Some(NoHeader::Timeout));
            }
            _ if read.is_empty() => return Err(None),
            _ => return Err(Some(NoHeader::Left)),
        }
    }
}

/// The ends that a header names; those of the socket where it names none.
fn ends_of(endpoints: &Endpoints<'_>, socket: Ends) -> Ends {
    let canonical = |addr: SocketAddr| SocketAddr::new(addr.ip().to_canonical(), addr.port());
    match endpoints {
        Endpoints::Own | Endpoints::Unknown => socket,
        Endpoints::Ip {
            source,
            destination,
        } => Ends {
            client: canonical(*source).into(),
            local: Some(canonical(*destination)),
        },
        Endpoints::Unix { .. } => Ends {
            client: Peer::Unix,
            local: None,
        },
    }
}
