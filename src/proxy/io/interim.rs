//! What a server says before its answer (1xx, RFC 9110 §15.2): that it wants the body, or something
//! for the client, such as early hints (RFC 8297).

use std::mem;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Response, StatusCode};

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

/// Interim answers on their way to a client that can have them. One for each exchange; a lock only
/// because hyper's callback is `Sync`: all of an exchange happens on one thread.
#[derive(Clone, Debug, Default)]
pub struct Interims(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    passing: Mutex<Passing>,
    /// Whether something waits: asked at each turn of an exchange, and hardly ever so. Ordered by the
    /// thread, which is the same.
    is_waiting: AtomicBool,
}

#[derive(Debug, Default)]
struct Passing {
    waiting: Vec<Response<()>>,
    /// How many there have been.
    count: usize,
}

/// Hears what a server says before its answer.
#[derive(Clone)]
pub struct Listener {
    /// To be opened when it wants the body.
    pub(super) gate: Option<ContinueGate>,
    /// For what the client shall hear.
    pub(super) interims: Option<Interims>,
}

impl Interims {
    /// Those that have come since this was asked last.
    pub fn take(&self) -> Vec<Response<()>> {
        if !self.0.is_waiting.load(Relaxed) {
            return Vec::new();
        }
        self.0.is_waiting.store(false, Relaxed);
        mem::take(&mut self.0.passing().waiting)
    }

    fn pass(&self, status: StatusCode, fields: &HeaderMap) {
        let mut passing = self.0.passing();
        if passing.count < MOST {
            passing.count += 1;
            let mut interim = Response::new(());
            *interim.status_mut() = status;
            *interim.headers_mut() = fields.clone();
            trim_values(interim.headers_mut());
            passing.waiting.push(interim);
            self.0.is_waiting.store(true, Relaxed);
        }
    }
}

impl Shared {
    fn passing(&self) -> MutexGuard<'_, Passing> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
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
            _ => {
                if let Some(interims) = &self.interims {
                    interims.pass(status, fields);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_for_the_client_and_neither_100_nor_101_is() {
        let interims = Interims::default();
        let listener = Listener {
            gate: None,
            interims: Some(interims.clone()),
        };
        for status in [100, 101, 102, 103] {
            let status = StatusCode::from_u16(status).expect("a status");
            listener.hear(status, &HeaderMap::new());
        }
        let passed: Vec<u16> = interims
            .take()
            .iter()
            .map(|interim| interim.status().as_u16())
            .collect();
        assert_eq!(passed, [102, 103]);
    }
}
