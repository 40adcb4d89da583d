//! A slot at a server, held for one attempt and given back when its last byte is through.

use std::cell::Cell;
use std::rc::Rc;

use super::{Local, LocalServer};

/// A slot at a server. Dropping it hands the slot to the first waiter, or gives it back.
pub struct Lease {
    backend: Rc<Local>,
    server: Rc<LocalServer>,
    /// Among these it counts.
    held: Option<Held>,
}

/// How many slots one client connection holds.
#[derive(Clone, Debug, Default)]
pub struct Held(Rc<Cell<usize>>);

impl Lease {
    /// The holder has taken the slot.
    pub(super) fn of(backend: &Rc<Local>, server: &Rc<LocalServer>) -> Self {
        Self {
            backend: Rc::clone(backend),
            server: Rc::clone(server),
            held: None,
        }
    }

    /// Counts among `held` until it is given back.
    pub fn hold(&mut self, held: &Held) {
        held.0.set(held.0.get() + 1);
        self.held = Some(held.clone());
    }

    /// How many the client connection of this one holds, with this one.
    pub fn held(&self) -> usize {
        self.held.as_ref().map_or(1, |held| held.0.get())
    }

    /// The server, on this worker.
    pub fn server(&self) -> &Rc<LocalServer> {
        &self.server
    }

    /// The backend, on this worker.
    pub fn backend(&self) -> &Rc<Local> {
        &self.backend
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(Held(number)) = &self.held {
            number.set(number.get() - 1);
        }
        let server = &self.server.shared;
        let queue = &self.backend.shared.live.queue;
        if !server.is_usable() || !server.is_within_limit() {
            // A slot at a server that takes no more traffic is not passed on.
            server.release();
        } else if queue.len() > 0 && !self.backend.has(&self.server) {
            // Nor one at a server that was removed; only exchanges under a snapshot before may use it.
            queue.release(server);
        } else {
            queue.give_back(server);
        }
    }
}
