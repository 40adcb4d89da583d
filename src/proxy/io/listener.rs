//! Receives the interim answers of a server while a request is sent: one opens the gate of its
//! body, the others are kept for the client.

use std::cell::Cell;
use std::rc::Rc;

use http::{Response, StatusCode};

use crate::base::clock::Instant;

use super::exchange::Exchange;

/// Receives the interim answers of a server.
#[derive(Clone)]
pub struct Listener {
    /// Opened when the server wants the body.
    pub(super) gate: Option<ContinueGate>,
    /// The exchange of the client that receives them.
    pub(super) exchange: Rc<Exchange>,
}

/// Holds a request body back until the server sends `100 Continue`, or `CONTINUE_TIMEOUT` has passed.
#[derive(Clone, Debug)]
pub struct ContinueGate {
    /// Written by [`Listener`]; read by the request body.
    open: Rc<Cell<bool>>,
    /// When it opens without the server; `None`: the body has not been polled yet. Written by the
    /// request body.
    pub(super) until: Option<Instant>,
}

impl Listener {
    /// An interim answer has come. The server's `100 Continue` is for us: we decide when the client
    /// is asked for its body. HTTP/2 has no 101 (RFC 9113 §8.6), from any server.
    pub fn receive(&self, interim: &Response<()>) {
        match interim.status() {
            StatusCode::CONTINUE => {
                if let Some(gate) = &self.gate {
                    gate.open();
                }
            }
            StatusCode::SWITCHING_PROTOCOLS => {}
            _ => self.exchange.interims.pass(interim),
        }
    }
}

impl ContinueGate {
    /// A closed gate. Its timeout begins when the body is first polled.
    pub fn new() -> Self {
        Self {
            open: Rc::new(Cell::new(false)),
            until: None,
        }
    }

    /// Whether the server has sent `100 Continue`.
    pub fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Opens the gate: the server has sent `100 Continue`.
    pub fn open(&self) {
        self.open.set(true);
    }
}

impl Default for ContinueGate {
    fn default() -> Self {
        Self::new()
    }
}
