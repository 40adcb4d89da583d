//! The lanes of one worker to one server: one, or one for each name that the server is asked by.
//!
//! A connection whose handshake asked for one host is not used for another's request: the server
//! chose its certificate, and perhaps its application, by that name.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::task::Context;

use http::HeaderValue;
use rustls::pki_types::ServerName;

use crate::base::clock::Instant;
use crate::plan;

use super::lane::Lane;
use super::tls::name_of_host;

/// Names that are kept apart. Clients choose them, so there must be a bound; a request by one more
/// is served on a connection of its own.
const MOST_NAMES: usize = 1024;

/// The ways to one server.
pub struct Lanes {
    /// For requests whose host does not matter, or is none.
    one: Rc<Lane>,
    /// By the host of the request; `None`: it does not matter.
    named: Option<RefCell<HashMap<ServerName<'static>, Rc<Lane>>>>,
    /// Those that belong to one client alone, who holds them: here they are only looked after.
    apart: RefCell<Vec<Weak<Lane>>>,
}

impl Lanes {
    /// In the clear.
    pub fn clear() -> Self {
        Self::of_one(Rc::default(), None)
    }

    /// Under TLS, by this name.
    pub fn by_name(name: ServerName<'static>) -> Self {
        Self::of_one(Rc::new(Lane::by(name)), None)
    }

    /// Under TLS, by the host of each request; by `otherwise` where it has none.
    pub fn by_host(otherwise: ServerName<'static>) -> Self {
        Self::of_one(Rc::new(Lane::by(otherwise)), Some(RefCell::default()))
    }

    fn of_one(
        one: Rc<Lane>,
        named: Option<RefCell<HashMap<ServerName<'static>, Rc<Lane>>>>,
    ) -> Self {
        Self {
            one,
            named,
            apart: RefCell::default(),
        }
    }

    /// A lane for this request's host that belongs to nobody else.
    pub fn apart(&self, host: Option<&HeaderValue>) -> Lane {
        let by_host = self
            .named
            .as_ref()
            .and_then(|_| host.and_then(name_of_host));
        match by_host {
            Some(name) => Lane::by(name),
            None => self.one.alike(),
        }
    }

    /// Looks after `lane` as after all others, for as long as somebody holds it; it came from
    /// [`Lanes::apart`].
    pub fn look_after(&self, lane: &Rc<Lane>) {
        self.apart.borrow_mut().push(Rc::downgrade(lane));
    }

    /// The lane for a request to `host`, which is looked for only where it matters.
    pub fn of<'a>(&self, host: impl FnOnce() -> Option<&'a HeaderValue>) -> Rc<Lane> {
        let Some(named) = &self.named else {
            return Rc::clone(&self.one);
        };
        let Some(name) = host().and_then(name_of_host) else {
            return Rc::clone(&self.one);
        };
        let mut named = named.borrow_mut();
        if let Some(lane) = named.get(&name) {
            return Rc::clone(lane);
        }
        let lane = Rc::new(Lane::by(name.clone()));
        if named.len() < MOST_NAMES {
            named.insert(name, Rc::clone(&lane));
        }
        lane
    }

    /// Closes up to `most` connections that nobody uses, and says how many.
    pub fn close_idle(&self, most: usize) -> usize {
        let mut closed = self.one.close_idle(most);
        if let Some(named) = &self.named {
            for lane in named.borrow().values() {
                closed += lane.close_idle(most - closed);
            }
        }
        for lane in self.apart.borrow().iter().filter_map(Weak::upgrade) {
            closed += lane.close_idle(most - closed);
        }
        closed
    }

    /// Lets go of connections that are too old, that the server has closed, or that do not answer.
    pub fn sweep(
        &self,
        limits: &plan::Pool,
        http2: &plan::BackendHttp2,
        now: Instant,
        cx: &mut Context<'_>,
    ) {
        self.one.sweep(limits, http2, now, cx);
        if let Some(named) = &self.named {
            named.borrow_mut().retain(|_, lane| {
                lane.sweep(limits, http2, now, cx);
                // An exchange that is under way holds its lane itself.
                !lane.is_empty() || Rc::strong_count(lane) > 1
            });
        }
        let mut apart = self.apart.borrow_mut();
        apart.retain(|lane| match lane.upgrade() {
            Some(lane) => {
                lane.sweep(limits, http2, now, cx);
                true
            }
            // Its client has left.
            None => false,
        });
        // Clients come in crowds, and go.
        let room = 2 * apart.len();
        apart.shrink_to(room);
    }
}

impl Drop for Lanes {
    /// What is opened from now on is opened in another way, or not at all. The lanes of clients are
    /// held by these, who do not know.
    fn drop(&mut self) {
        for lane in self.apart.borrow().iter().filter_map(Weak::upgrade) {
            lane.retire();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::base::clock;

    #[test]
    fn a_client_that_has_left_is_forgotten() {
        let lanes = Lanes::clear();
        let sweep = || {
            let mut cx = Context::from_waker(Waker::noop());
            let (limits, http2) = (plan::Pool::default(), plan::BackendHttp2::default());
            lanes.sweep(&limits, &http2, clock::now(), &mut cx);
        };
        let held: Vec<Rc<Lane>> = (0..1000)
            .map(|_| Rc::new(lanes.apart(None)))
            .inspect(|lane| lanes.look_after(lane))
            .collect();
        sweep();
        assert_eq!(lanes.apart.borrow().len(), 1000);
        drop(held);
        sweep();
        assert_eq!(lanes.apart.borrow().capacity(), 0);
    }
}
