//! The lanes of one worker to one server: one, or one for each name that the server is asked by.
//!
//! A connection whose handshake asked for one host is not used for another's request: the server
//! chose its certificate, and perhaps its application, by that name.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
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
}

impl Lanes {
    /// In the clear.
    pub fn clear() -> Self {
        Self {
            one: Rc::default(),
            named: None,
        }
    }

    /// Under TLS, by this name.
    pub fn by_name(name: ServerName<'static>) -> Self {
        Self {
            one: Rc::new(Lane::by(name)),
            named: None,
        }
    }

    /// Under TLS, by the host of each request; by `otherwise` where it has none.
    pub fn by_host(otherwise: ServerName<'static>) -> Self {
        Self {
            named: Some(RefCell::default()),
            ..Self::by_name(otherwise)
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
    }
}
