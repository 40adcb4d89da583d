//! The facts of one exchange, written as they happen.
//!
//! An exchange lives on one worker and is shared there between its handler and its two bodies, so
//! its fields are cells. Each field has one writer; `observe` reads them when it is over.

use std::cell::{Cell, OnceCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::SystemTime;

use http::Version;

use crate::base::Peer;
use crate::base::clock::{Duration, Instant};
use crate::exchange::{Attempts, ClientTls, LoggedRequest, Reason, TakenRoute};
use crate::plan::log::LogAs;

/// The facts of one exchange: one request and its response, from the first byte of the head to the
/// last byte of the body.
#[derive(Debug)]
pub struct Record {
    /// The facts at its beginning; never changes.
    pub opening: Opening,
    /// The matching route. Written by `handle` or `tcp`; empty: the frontend's own backend, or none.
    pub route: OnceCell<Rc<TakenRoute>>,
    /// The name of the chosen backend. Written by `handle` or `tcp`.
    pub backend: OnceCell<Rc<str>>,
    /// How long it waited for a slot. Written by `forward`; zero if one was free at once.
    pub queued: Cell<Duration>,
    /// How busy the servers were when it came. Written by `forward`.
    pub load: Cell<Load>,
    /// Its attempts. Written by `forward`.
    pub attempts: Attempts,
    /// Bytes of the request body, or of a tunnel, that came in. Written by the request body or `tunnel`.
    pub body_bytes_in: Cell<u64>,
    /// The same in the other direction. Written by the response body or `tunnel`; a client's
    /// session subtracts the bytes that its socket did not take.
    pub body_bytes_out: Cell<u64>,
    /// Bytes of the response body before it was compressed; 0: it was not. Written by the response body.
    pub body_bytes_compressed: Cell<u64>,
    /// Whether it became a tunnel: then its bytes are no bodies, and its duration does not measure
    /// a server. Written by `tunnel`.
    pub is_tunnel: Cell<bool>,
    /// The status that the client was sent; 0 before. Written by `handle`.
    pub status: Cell<u16>,
    /// Why we answered ourselves, or why it ended early. The first writer wins: see
    /// [`Record::blame`].
    pub reason: Cell<Option<Reason>>,
    /// How it is logged. Written by rules.
    pub log_as: Cell<LogAs>,
    /// When it was over; `None` before. Written by whichever of the two bodies and the connection
    /// ends it.
    pub ended: Cell<Option<Instant>>,
}

/// The facts of an exchange when its head has been read.
#[derive(Debug)]
pub struct Opening {
    /// When the first byte of the head came, or when the connection was ready for it.
    pub began: Instant,
    /// When the head was complete.
    pub head_read: Instant,
    /// The same on the wall clock, for the log.
    pub wall: SystemTime,
    /// The connection's peer, or the client that a trusted proxy reports.
    pub client: Peer,
    /// Where the client connected to; `None`: no IP address.
    pub local: Option<SocketAddr>,
    /// The result of the connection's handshake; `None`: it has no TLS.
    pub tls: Option<Rc<ClientTls>>,
    /// The name of the frontend; `None` when it has just been removed.
    pub frontend: Option<Rc<str>>,
    /// The generation of its snapshot.
    pub generation: u64,
    /// As received.
    pub version: Version,
    /// The parts of the request for the log; `None`: no log is written, or it is a connection in
    /// TCP mode.
    pub request: Option<LoggedRequest>,
    /// Whether a log has the load of the backend ([`Load::at_backend`]), which costs a look at each of its servers.
    pub wants_load: bool,
    /// For a connection in TCP mode; its version means nothing.
    pub first_bytes: Option<FirstBytes>,
    /// Taken from a proxy before us, or made here.
    pub id: RequestId,
}

impl Opening {
    /// For an exchange of ours about this one, which begins at `now`.
    pub fn aside(&self, now: Instant) -> Self {
        Self {
            began: now,
            head_read: now,
            wall: self.wall,
            client: self.client,
            local: self.local,
            tls: self.tls.clone(),
            frontend: self.frontend.clone(),
            generation: self.generation,
            version: self.version,
            request: None,
            wants_load: false,
            first_bytes: None,
            id: self.id.clone(),
        }
    }
}

/// How busy a backend and a server were, without the exchange itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Exchanges at servers of the backend when it got its last server. Only if a log has it.
    pub at_backend: u32,
    /// Exchanges at that server.
    pub at_server: u32,
    /// Exchanges that waited for any server of the backend when it began to wait.
    pub waiting_for_any: u32,
    /// Exchanges that waited for the one server that it waited for.
    pub waiting_for_server: u32,
}

/// The content of the first bytes of a connection in TCP mode.
#[derive(Debug)]
pub struct FirstBytes {
    /// The name that a TLS client asks for.
    pub sni: Option<Box<str>>,
}

/// At most 128 visible ASCII characters that name an exchange in every log it passes.
#[derive(Clone, Debug)]
pub struct RequestId(Characters);

#[derive(Clone, Debug)]
enum Characters {
    /// Made here: nearly all of them, without an allocation.
    Made([u8; 16]),
    Taken(Box<[u8]>),
}

impl Record {
    /// The record of an exchange whose head has just been read.
    pub fn open(opening: Opening) -> Self {
        Self {
            opening,
            route: OnceCell::new(),
            backend: OnceCell::new(),
            queued: Cell::new(Duration::ZERO),
            load: Cell::default(),
            attempts: Attempts::default(),
            body_bytes_in: Cell::new(0),
            body_bytes_out: Cell::new(0),
            body_bytes_compressed: Cell::new(0),
            is_tunnel: Cell::new(false),
            status: Cell::new(0),
            reason: Cell::new(None),
            log_as: Cell::default(),
            ended: Cell::new(None),
        }
    }

    /// Sets why it ended, unless that is set: later reasons follow from the first one.
    pub fn blame(&self, reason: Reason) {
        if self.reason.get().is_none() {
            self.reason.set(Some(reason));
        }
    }
}

impl RequestId {
    /// The id from the 64 bits of `random`: 16 hexadecimal digits.
    pub fn made(random: u64) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut characters = [0; 16];
        for (index, character) in characters.iter_mut().enumerate() {
            *character = DIGITS[(random >> (60 - 4 * index)) as usize & 0xf];
        }
        Self(Characters::Made(characters))
    }

    /// An id that was received; `None` when it is empty, longer than 128 bytes, or has
    /// anything but visible ASCII.
    pub fn taken(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > 128 || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        Some(Self(Characters::Taken(text.into())))
    }

    /// Its characters.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Characters::Made(characters) => characters,
            Characters::Taken(characters) => characters,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_sixteen_digits() {
        assert_eq!(
            RequestId::made(0x0123_4567_89ab_cdef).as_bytes(),
            b"0123456789abcdef"
        );
    }

    #[test]
    fn an_id_is_taken_up_to_128_visible_characters() {
        let longest = [b'x'; 128];
        assert_eq!(
            RequestId::taken(&longest).map(|id| id.as_bytes().len()),
            Some(128)
        );
        assert!(RequestId::taken(&[b'x'; 129]).is_none());
        assert!(RequestId::taken(b"").is_none());
        assert!(RequestId::taken(b"a b").is_none());
        assert!(RequestId::taken("ü".as_bytes()).is_none());
    }
}
