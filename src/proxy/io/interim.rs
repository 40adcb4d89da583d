//! What a server says before its answer (1xx, RFC 9110 §15.2): that it wants the body, or something
//! for the client, such as early hints (RFC 8297).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use http::{HeaderMap, Response, StatusCode};

use super::exchange::Exchange;
use super::request_body::ContinueGate;
use super::stream_body::trim_values;

/// Interim answers that a client gets for one request; more say nothing that is of use, and would wait
/// here for as long as the client does not take them.
const MOST: usize = 16;

/// What a server may say before its answer, in bytes. A hint is some hundred; more is no hint, and
/// would be read for as long as the server likes.
pub const MOST_INTERIM_BYTES: u64 = 64 << 10;

/// What an interim answer by HTTP/2 counts for: as its fields do in a table of HPACK (RFC 7541 §4.1),
/// so that one without any counts too.
pub fn interim_bytes(fields: &HeaderMap) -> u64 {
    const EACH: usize = 32;
    let status = ":status".len() + "103".len() + EACH;
    let fields = fields
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + EACH);
    (status + fields.sum::<usize>()) as u64
}

/// Interim answers on their way to a client that can have them. Each exchange has one of these.
#[derive(Debug, Default)]
pub struct Interims {
    /// Whether the client can have them. Written by the connection.
    is_wanted: Cell<bool>,
    /// Written by [`Listener`], taken by the connection.
    waiting: RefCell<Vec<Response<()>>>,
    /// How many there have been. Written by [`Listener`].
    count: Cell<usize>,
}

/// Hears what a server says before its answer.
#[derive(Clone)]
pub struct Listener {
    /// To be opened when it wants the body.
    pub(super) gate: Option<ContinueGate>,
    /// Whose client shall hear it.
    pub(super) exchange: Rc<Exchange>,
}

impl Interims {
    /// Has them kept for the client.
    pub fn want(&self) {
        self.is_wanted.set(true);
    }

    /// Whether they are kept for the client.
    pub fn are_wanted(&self) -> bool {
        self.is_wanted.get()
    }

    /// Those that have come since this was asked last.
    #[inline]
    pub fn take(&self) -> Vec<Response<()>> {
        self.waiting.take()
    }

    fn pass(&self, status: StatusCode, fields: &HeaderMap) {
        if self.is_wanted.get() && self.count.get() < MOST {
            self.count.set(self.count.get() + 1);
            let mut interim = Response::new(());
            *interim.status_mut() = status;
            *interim.headers_mut() = fields.clone();
            trim_values(interim.headers_mut());
            self.waiting.borrow_mut().push(interim);
        }
    }
}

impl Listener {
    /// The server said so. Its `100 Continue` is for us: when the client is asked for its body is
    /// decided here. HTTP/2 has no 101 (RFC 9113 §8.6), from no server.
    pub fn hear(&self, status: StatusCode, fields: &HeaderMap) {
        match status {
            StatusCode::CONTINUE => {
                if let Some(gate) = &self.gate {
                    gate.open();
                }
            }
            StatusCode::SWITCHING_PROTOCOLS => {}
            _ => self.exchange.interims.pass(status, fields),
        }
    }
}
