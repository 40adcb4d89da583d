//! One client connection: who it is, and what all its exchanges share, whatever version of HTTP it
//! speaks.
//!
//! `serve` makes it; `handle` opens exchanges for it; `h1` and `h2` settle them when they are over.

use std::cell::{Cell, OnceCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;

use crate::base::Peer;
use crate::base::address::Ends;
use crate::base::clock::{self, Instant};
use crate::exchange::{ClientTls, Reason, RequestId};
use crate::observe::{Places, Refusal};
use crate::plan::{self, FrontendTimeouts};
use crate::proxy::context::Context;
use crate::proxy::forward::Caller;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::Course;
use crate::proxy::snapshot::View;
use crate::wire::forwarded::x_forwarded_for;

/// A client connection.
pub(super) struct Client {
    pub(super) context: Rc<Context>,
    pub(super) peer: Peer,
    /// Where it connected to.
    pub(super) local: Option<SocketAddr>,
    /// What the handshake came to; `None`: it speaks in the clear.
    pub(super) tls: Option<Rc<ClientTls>>,
    /// The connections to servers that name it.
    pub(super) caller: Caller,
    pub(super) live: Arc<Frontend>,
    /// Whether it shall end with the exchanges that are open.
    pub(super) is_leaving: Cell<bool>,
    /// Of the frontend, as they were at the last exchange.
    pub(super) timeouts: Cell<FrontendTimeouts>,
    /// The place of the frontend in the snapshot of this generation.
    place: Cell<(u64, u32)>,
    forwarded_for: OnceCell<Option<HeaderValue>>,
}

/// An exchange, and what its places stand for.
pub(super) struct Open {
    pub(super) course: Rc<Course>,
    pub(super) places: Rc<dyn Places>,
}

impl Client {
    pub(super) fn new(
        context: Rc<Context>,
        ends: Ends,
        tls: Option<Rc<ClientTls>>,
        live: Arc<Frontend>,
    ) -> Self {
        let client = Self {
            context,
            peer: ends.client,
            local: ends.local,
            tls,
            caller: Caller::default(),
            live,
            is_leaving: Cell::new(false),
            timeouts: Cell::new(FrontendTimeouts::default()),
            place: Cell::new((u64::MAX, 0)),
            forwarded_for: OnceCell::new(),
        };
        client.with_plan(|_| {});
        client
    }

    /// What the next exchange of this connection runs under, and the place of its frontend there. A
    /// frontend that was just removed has its place in what ran before; later, it has none.
    pub(super) fn view(&self) -> (Rc<View>, Option<u32>) {
        let view = self.context.views.current();
        let (generation, place) = self.place.get();
        if generation == view.snapshot.generation {
            return (view, Some(place));
        }
        let Some((view, place)) = self.context.views.with(&self.live) else {
            return (view, None);
        };
        let place = place as u32;
        self.place.set((view.snapshot.generation, place));
        (view, Some(place))
    }

    /// What `look` finds in the frontend's configuration as it is now, and notes its deadlines;
    /// `None` when the frontend has just been removed: the connection is about to be told.
    pub(super) fn with_plan<T>(&self, look: impl FnOnce(&plan::Frontend) -> T) -> Option<T> {
        let (view, place) = self.view();
        let plan = &view.snapshot.plan.frontends[place? as usize];
        self.timeouts.set(plan.timeout);
        Some(look(plan))
    }

    /// `X-Forwarded-For` of a peer that is believed nothing; none for one without an address.
    pub(super) fn forwarded_for(&self) -> Option<&HeaderValue> {
        self.forwarded_for
            .get_or_init(|| x_forwarded_for([], self.peer.ip()))
            .as_ref()
    }

    /// Counts and logs an exchange, whatever became of it, and says when it was over.
    pub(super) fn settle(&self, open: &Open) -> Instant {
        let Open { course, places } = open;
        self.context.settle(course, &**places, &self.live);
        course.ended().unwrap_or_else(clock::now)
    }

    /// Counts and logs a request that no exchange was opened for, and whose head began at `began`.
    /// `id`: what the client was told.
    pub(super) fn refuse(
        &self,
        reason: Reason,
        status: u16,
        began: Option<Instant>,
        id: Option<RequestId>,
    ) {
        let (view, place) = self.view();
        let ended = clock::now();
        if let Some(frontend) = place {
            let refusal = Refusal {
                client: self.peer,
                tls: self.tls.clone(),
                frontend,
                reason,
                id,
                status,
                generation: view.snapshot.generation,
                began: began.unwrap_or(ended),
                ended,
                wall: clock::wall(),
            };
            let name = Places::frontend(&*view, refusal.frontend);
            self.context
                .observer
                .refused(&refusal, name, &self.live.metrics);
        }
    }
}
