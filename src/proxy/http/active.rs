//! A request in progress: `handle` passes it through the rooms, and `pipeline` through its rules.

use std::cell::Cell;
use std::rc::Rc;

use crate::exchange::{Fault, Reason};
use crate::plan::{self, Closing, Compression};
use crate::proxy::backend::Local;
use crate::proxy::io::{Exchange, FieldRules};
use crate::proxy::reply::LocalAnswer;
use crate::proxy::snapshot::{Frontend, View};

use super::client::Client;
use super::compress::Offer;
use super::dialect::Dialect;
use super::seen::Seen;

/// An exchange in progress, with its snapshot and client.
pub(super) struct ActiveRequest {
    pub(super) client: Rc<Client>,
    pub(super) exchange: Rc<Exchange>,
    /// Whether the peer is a trusted proxy.
    pub(super) is_trusted: bool,
    pub(super) view: Rc<View>,
    /// The index of the frontend in the plan; `None` when it has just been removed.
    pub(super) frontend_index: Option<u32>,
    /// Its route and backend, as indices into the view. Written by [`ActiveRequest::find_route`].
    pub(super) chosen: Cell<Chosen>,
    /// The codings that the client may get. Written by [`ActiveRequest::outbound`].
    pub(super) offer: Cell<Offer>,
    pub(super) dialect: Dialect,
    /// Whether the client asked with HEAD.
    pub(super) is_head: bool,
    /// Whether the client asks for JSON; only looked at if an error page has some.
    pub(super) asks_for_json: bool,
    /// Which hop-related fields its head has.
    pub(super) seen: Seen,
}

/// The route and the backend of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chosen {
    /// The route that it matches; `None`: none, or it is not known yet.
    pub(super) route: Option<u32>,
    /// The backend; `None`: it is not known yet.
    pub(super) backend: Option<u32>,
}

/// Why an exchange goes to no server, or its answer not to the client.
pub(super) enum Stop {
    Fault(Fault),
    /// A rule answers.
    Answer(Box<LocalAnswer>),
    /// A rule closes the connection.
    Close(Closing),
}

impl ActiveRequest {
    /// The frontend that the request came in by.
    ///
    /// # Errors
    ///
    /// It was removed at the moment of the request.
    pub(super) fn frontend(&self) -> Result<(&plan::Frontend, &Frontend), Fault> {
        let Some(index) = self.frontend_index else {
            self.client.is_leaving.set(true);
            return Err(Fault::new(Reason::ProxyStopped));
        };
        let snapshot = &self.view.snapshot;
        let index = index as usize;
        Ok((&snapshot.plan.frontends[index], &snapshot.frontends[index]))
    }

    /// The backend that was chosen.
    pub(super) fn backend(&self) -> Option<&Rc<Local>> {
        let index = self.chosen.get().backend?;
        self.view.backends.get(index as usize)
    }

    /// How answers are compressed: as the backend says, or else the frontend.
    pub(super) fn compression(&self) -> Option<&Compression> {
        let of_backend = self
            .backend()
            .map(|backend| &backend.shared.plan.compression);
        let is_on = |compression: &&Compression| !compression.algorithms.is_empty();
        let of_frontend = || self.frontend().ok().map(|(plan, _)| &plan.compression);
        of_backend
            .filter(is_on)
            .or_else(|| of_frontend().filter(is_on))
    }

    pub(super) fn field_rules(&self) -> &Rc<FieldRules> {
        &self.view.field_rules[self.frontend_index.unwrap_or_default() as usize]
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Fault(Fault::new(reason))
    }
}
