//! What a server says before its answer (1xx, RFC 9110 §15.2): that it wants the body, or something
//! for the client, such as early hints (RFC 8297).

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Response, StatusCode};

use super::request_body::ContinueGate;

/// Interim answers that a client gets for one request; more say nothing that is of use, and would wait
/// here for as long as the client does not take them.
const MOST: usize = 16;

/// Interim answers on their way to a client that can have them. One for each exchange; a lock only
/// because hyper's callback is `Sync`: all of an exchange happens on one thread.
#[derive(Clone, Debug, Default)]
pub struct Interims(Arc<Mutex<Passing>>);

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
        let mut passing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut passing.waiting)
    }

    fn pass(&self, status: StatusCode, fields: &HeaderMap) {
        let mut passing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if passing.count < MOST {
            passing.count += 1;
            let mut interim = Response::new(());
            *interim.status_mut() = status;
            *interim.headers_mut() = fields.clone();
            passing.waiting.push(interim);
        }
    }
}

impl Listener {
    /// The server said so. Its `100 Continue` is for us: when the client is asked for its body is
    /// decided here.
    pub fn hear(&self, status: StatusCode, fields: &HeaderMap) {
        if status == StatusCode::CONTINUE {
            if let Some(gate) = &self.gate {
                gate.open();
            }
        } else if let Some(interims) = &self.interims {
            interims.pass(status, fields);
        }
    }
}
