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

/// What is known of one exchange: one request and its response, from the first byte of the head to the
/// last byte of the body.
#[derive(Debug)]
pub struct Record {
    /// What was known when it began; never changes.
    pub opening: Opening,
    /// The matching route. Written by `handle` or `tcp`; empty: the frontend's own backend, or none.
    pub route: OnceCell<Rc<TakenRoute>>,
    /// The name of the chosen backend. Written by `handle` or `tcp`.
    pub backend: OnceCell<Rc<str>>,
    /// From here on we waited for a slot. Written by `forward`; zero when there was one at once.
    pub queued: Cell<Duration>,
    /// How often and where it was tried. Written by `forward`.
    pub attempts: Attempts,
    /// Bytes of the request body, or of a tunnel, that came in. Written by the request body or `tunnel`.
    pub body_bytes_in: Cell<u64>,
    /// The same the other way. Written by the response body or `tunnel`; a client's session takes off what its socket did not take.
    pub body_bytes_out: Cell<u64>,
    /// Whether it went on as a tunnel: its bytes are no bodies, and its duration is no measure of a
    /// server. Written by `tunnel`.
    pub is_tunnel: Cell<bool>,
    /// The status that the client was sent; 0 before. Written by `handle`.
    pub status: Cell<u16>,
    /// Why we answered ourselves, or why it ended early. The first writer wins: see [`Record::blame`].
    pub reason: Cell<Option<Reason>>,
    /// When it was over; `None` before. Written by the first of the two bodies and the connection that ends it.
    pub ended: Cell<Option<Instant>>,
}

/// What is known of an exchange when its head has been read.
#[derive(Debug)]
pub struct Opening {
    /// When the first byte of the head came, or when the connection was ready for it.
    pub began: Instant,
    /// When the head was complete.
    pub head_read: Instant,
    /// The same on the calendar, for the log.
    pub wall: SystemTime,
    /// The connection's peer, or who a trusted proxy says it is.
    pub client: Peer,
    /// Where the client connected to; `None`: no IP address.
    pub local: Option<SocketAddr>,
    /// What the connection's handshake came to; `None`: it is in the clear.
    pub tls: Option<Rc<ClientTls>>,
    /// The name of the frontend; `None` when it has just been removed.
    pub frontend: Option<Rc<str>>,
    /// Of the snapshot it runs under.
    pub generation: u64,
    /// As received.
    pub version: Version,
    /// What the request says of itself; `None`: no log is written, or it is a connection in TCP mode.
    pub request: Option<LoggedRequest>,
    /// Of a connection in TCP mode, of which the version says nothing.
    pub first_bytes: Option<FirstBytes>,
    /// Taken from the client's proxy or made here.
    pub id: RequestId,
}

/// What the first bytes of a connection in TCP mode say.
#[derive(Debug)]
pub struct FirstBytes {
    /// The name that a client of TLS asks for.
    pub sni: Option<Box<str>>,
}

/// At most 128 visible ASCII characters that name an exchange in every log it passes.
#[derive(Clone, Debug)]
pub struct RequestId(Characters);

#[derive(Clone, Debug)]
enum Characters {
    /// Made here: nearly all of them, and without an allocation.
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
            attempts: Attempts::default(),
            body_bytes_in: Cell::new(0),
            body_bytes_out: Cell::new(0),
            is_tunnel: Cell::new(false),
            status: Cell::new(0),
            reason: Cell::new(None),
            ended: Cell::new(None),
        }
    }

    /// Says why it ended, unless that has been said: the first cause is the cause, what follows from
    /// it is not.
    pub fn blame(&self, reason: Reason) {
        if self.reason.get().is_none() {
            self.reason.set(Some(reason));
        }
    }
}

impl RequestId {
    /// The id that the 64 bits of `random` make: 16 hexadecimal digits.
    pub fn made(random: u64) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut characters = [0; 16];
        for (place, character) in characters.iter_mut().enumerate() {
            *character = DIGITS[(random >> (60 - 4 * place)) as usize & 0xf];
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
