//! Interim answers of a server (1xx, RFC 9110 §15.2): `100 Continue`, or hints for the client, such
//! as early hints (RFC 8297).

use std::cell::{Cell, RefCell};

use http::{HeaderMap, Response};

use super::stream_body::trim_values;

/// The most interim answers for one request; more are of no use, and would wait here as long as the
/// client does not take them.
const MOST: usize = 16;

/// The most bytes of interim answers. A hint has some hundred; without a bound the server could
/// send them for ever.
pub const MOST_INTERIM_BYTES: u64 = 64 << 10;

/// The bytes of an HTTP/2 interim answer: as its fields count in an HPACK table (RFC 7541 §4.1), so
/// that one without fields counts too.
pub fn interim_bytes(fields: &HeaderMap) -> u64 {
    const EACH: usize = 32;
    let status = ":status".len() + "103".len() + EACH;
    let fields = fields
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + EACH);
    (status + fields.sum::<usize>()) as u64
}

/// Interim responses for a client that can receive them. Each exchange has its own.
#[derive(Debug, Default)]
pub struct Interims {
    /// Whether the client can receive them. Written by the connection.
    is_wanted: Cell<bool>,
    /// Written by `Listener`, taken by the connection.
    waiting: RefCell<Vec<Response<()>>>,
    /// How many there were. Written by `Listener`.
    count: Cell<usize>,
}

impl Interims {
    /// From now on they are kept for the client.
    pub fn want(&self) {
        self.is_wanted.set(true);
    }

    /// Whether they are kept for the client.
    pub fn are_wanted(&self) -> bool {
        self.is_wanted.get()
    }

    /// Those that have come since the last call.
    #[inline]
    pub fn take(&self) -> Vec<Response<()>> {
        self.waiting.take()
    }

    /// Keeps one for the client, with its extensions: those of an HTTP/1 server have the field names as it
    /// wrote them.
    pub fn pass(&self, interim: &Response<()>) {
        if self.is_wanted.get() && self.count.get() < MOST {
            self.count.set(self.count.get() + 1);
            let mut interim = interim.clone();
            trim_values(interim.headers_mut());
            self.waiting.borrow_mut().push(interim);
        }
    }
}
