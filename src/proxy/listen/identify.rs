//! The client of a connection: its peer, or the one in a PROXY header.
//!
//! `enter` calls this before anything else is read. If the frontend, or a rule for connections,
//! requires a header from a peer, it is waited for as long as a request head is; a missing or
//! malformed one ends the connection, and is counted. Whether there is one is never guessed: a client
//! that needs no header could pretend to be any other (`proxy-protocol.txt` §5).

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use crate::base::address::Ends;
use crate::base::clock::{self, Duration, Instant};
use crate::base::{ListenAddress, Peer};
use crate::exchange::ProxyFields;
use crate::net::Stream;
use crate::observe::{NoHeader, event};
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::frontend::Frontend;
use crate::proxy::io::Timer;
use crate::wire::proxy_protocol::{Endpoints, fields, parse};

/// How many bytes are read at once: a header, and often the first bytes after it.
const READ_BYTES: usize = 1024;

/// A connection after its header.
pub(super) struct Identified {
    pub(super) stream: Stream,
    /// From the header; those of the socket if it has none.
    pub(super) ends: Ends,
    /// The other fields of the header.
    pub(super) proxy_fields: Option<Box<ProxyFields>>,
}

/// Reads the header that `peer` must send. `ends` are those of the socket. `None`: the connection must
/// be closed, and was counted.
pub(super) async fn identify(
    stream: Stream,
    ends: Ends,
    timeout: Duration,
    frontend: &Frontend,
    address: &ListenAddress,
    registration: &Registration,
) -> Option<Identified> {
    let until = clock::now() + timeout;
    match read_header(stream, ends, until, registration).await {
        Ok(identified) => Some(identified),
        Err(None) => None,
        Err(Some(why)) => {
            frontend.metrics.had_no_header(why);
            event::proxy_header_failed(&frontend.name, address, ends.client, why);
            None
        }
    }
}

/// The fault is `None` if the connection ended without a byte, as TCP checks do.
async fn read_header(
    mut stream: Stream,
    ends: Ends,
    until: Instant,
    registration: &Registration,
) -> Result<Identified, Option<NoHeader>> {
    let mut read = BytesMut::new();
    let mut timer = Timer::new();
    loop {
        let parsed = parse(&read).map_err(|fault| Some(NoHeader::Malformed(fault)))?;
        if let Some((header, length)) = parsed {
            let ends = ends_of(&header.endpoints, ends);
            let proxy_fields = ProxyFields::of(fields(&read[..length])).map(Box::new);
            read.advance(length);
            return Ok(Identified {
                stream: stream.rewound(read.freeze()),
                ends,
                proxy_fields,
            });
        }
        let more = poll_fn(|cx| {
            let mut room = [0; READ_BYTES];
            let mut buffer = ReadBuf::new(&mut room);
            if let Poll::Ready(outcome) = Pin::new(&mut stream).poll_read(cx, &mut buffer) {
                return Poll::Ready(outcome.map(|()| Bytes::copy_from_slice(buffer.filled())));
            }
            // A client that has connected is read: a drain does not end this, only an abort.
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

/// The ends in a header; those of the socket if it has none.
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
