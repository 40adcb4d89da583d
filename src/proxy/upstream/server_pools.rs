//! The connection pools of one worker for one server: one, or one for each SNI.
//!
//! A connection whose handshake had one host as SNI is not used for another's request: the server
//! chose its certificate, and perhaps its application, by that name.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::task::Context;

use http::HeaderValue;
use rustls::pki_types::ServerName;

use crate::base::Address;
use crate::base::clock::Instant;
use crate::plan;

use super::server_pool::ServerPool;
use super::tls::name_of_host;
use super::transport::Transport;

/// The most names with a pool. Clients choose them, so there must be a bound; a request for one
/// more gets a connection of its own.
const MOST_NAMES: usize = 1024;

/// The pools of connections to one server.
pub struct ServerPools {
    /// For requests whose host does not matter, or is missing.
    one: Rc<ServerPool>,
    /// By the host of the request; `None`: it does not matter.
    named: Option<RefCell<HashMap<ServerName<'static>, Rc<ServerPool>>>>,
    /// Each belongs to one client connection, which owns it: here they are only swept.
    private: RefCell<Vec<Weak<ServerPool>>>,
}

impl ServerPools {
    /// The pools of connections by `transport` to a server with the name `name` at `address`.
    pub fn to(transport: &Transport, name: &str, address: &Address) -> Self {
        match transport {
            Transport::Tls(tls) => {
                let name = tls.name_of(None, name, address);
                match tls.asks_by_host() {
                    true => Self::by_host(name),
                    false => Self::by_name(name),
                }
            }
            // None is kept if none can be opened.
            Transport::Clear | Transport::Unusable => Self::clear(),
        }
    }

    /// Without TLS.
    pub fn clear() -> Self {
        Self::of_one(Rc::default(), None)
    }

    /// With TLS and this SNI.
    pub fn by_name(name: ServerName<'static>) -> Self {
        Self::of_one(Rc::new(ServerPool::by(name)), None)
    }

    /// With TLS and the host of each request as SNI; `otherwise` if it has none.
    pub fn by_host(otherwise: ServerName<'static>) -> Self {
        Self::of_one(Rc::new(ServerPool::by(otherwise)), Some(RefCell::default()))
    }

    fn of_one(
        one: Rc<ServerPool>,
        named: Option<RefCell<HashMap<ServerName<'static>, Rc<ServerPool>>>>,
    ) -> Self {
        Self {
            one,
            named,
            private: RefCell::default(),
        }
    }

    /// A pool for this request's host alone, for one client connection.
    pub fn private(&self, host: Option<&HeaderValue>) -> ServerPool {
        let by_host = self
            .named
            .as_ref()
            .and_then(|_| host.and_then(name_of_host));
        match by_host {
            Some(name) => ServerPool::by(name),
            None => self.one.alike(),
        }
    }

    /// Sweeps `pool` like all others, while its owner holds it; it came from
    /// [`ServerPools::private`].
    pub fn look_after(&self, pool: &Rc<ServerPool>) {
        self.private.borrow_mut().push(Rc::downgrade(pool));
    }

    /// The pool for a request to `host`, which is looked up only if it matters.
    pub fn of<'a>(&self, host: impl FnOnce() -> Option<&'a HeaderValue>) -> Rc<ServerPool> {
        let Some(named) = &self.named else {
            return Rc::clone(&self.one);
        };
        let Some(name) = host().and_then(name_of_host) else {
            return Rc::clone(&self.one);
        };
        let mut named = named.borrow_mut();
        if let Some(pool) = named.get(&name) {
            return Rc::clone(pool);
        }
        let pool = Rc::new(ServerPool::by(name.clone()));
        if named.len() < MOST_NAMES {
            named.insert(name, Rc::clone(&pool));
        }
        pool
    }

    /// Closes up to `most` idle connections, and returns how many.
    pub fn close_idle(&self, most: usize) -> usize {
        let mut closed = self.one.close_idle(most);
        if let Some(named) = &self.named {
            for pool in named.borrow().values() {
                closed += pool.close_idle(most - closed);
            }
        }
        for pool in self.private.borrow().iter().filter_map(Weak::upgrade) {
            closed += pool.close_idle(most - closed);
        }
        closed
    }

    /// Drops connections that are too old, that the server has closed, or that do not answer.
    pub fn sweep(
        &self,
        limits: &plan::Pool,
        http2: &plan::BackendHttp2,
        now: Instant,
        cx: &mut Context<'_>,
    ) {
        self.one.sweep(limits, http2, now, cx);
        if let Some(named) = &self.named {
            named.borrow_mut().retain(|_, pool| {
                pool.sweep(limits, http2, now, cx);
                // An exchange in progress holds its pool itself.
                !pool.is_empty() || Rc::strong_count(pool) > 1
            });
        }
        let mut private = self.private.borrow_mut();
        private.retain(|pool| match pool.upgrade() {
            Some(pool) => {
                pool.sweep(limits, http2, now, cx);
                true
            }
            // Its client has left.
            None => false,
        });
        // Clients come and leave in large numbers.
        let room = 2 * private.len();
        private.shrink_to(room);
    }
}

impl Drop for ServerPools {
    /// Later connections are opened with other settings, or not at all. The pools of clients are
    /// owned by their client connections.
    fn drop(&mut self) {
        for pool in self.private.borrow().iter().filter_map(Weak::upgrade) {
            pool.retire();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::base::clock;

    #[test]
    fn the_pools_of_a_closed_client_are_dropped() {
        let pools = ServerPools::clear();
        let sweep = || {
            let mut cx = Context::from_waker(Waker::noop());
            let (limits, http2) = (plan::Pool::default(), plan::BackendHttp2::default());
            pools.sweep(&limits, &http2, clock::now(), &mut cx);
        };
        let held: Vec<Rc<ServerPool>> = (0..1000)
            .map(|_| Rc::new(pools.private(None)))
            .inspect(|pool| pools.look_after(pool))
            .collect();
        sweep();
        assert_eq!(pools.private.borrow().len(), 1000);
        drop(held);
        sweep();
        assert_eq!(pools.private.borrow().capacity(), 0);
    }
}
