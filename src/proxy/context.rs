//! What the connections of a worker share.
//!
//! `worker` makes it; each connection's task holds it by `Rc`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::base::clock::Anchor;
use crate::base::rng::Rng;
use crate::exchange::Reason;
use crate::expr::Scratch;
use crate::net::{Dialer, Pipes};
use crate::observe::{ProcessMetrics, WorkerObserver, event};
use crate::proxy::connections::Connections;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::{DateCache, Exchange, KeptBodies, Stalled};
use crate::proxy::snapshot::Views;

/// What the connections of a worker share.
pub struct Context {
    /// What runs now.
    pub views: Views,
    /// The way to servers.
    pub dialer: Dialer,
    /// Exchanges whose client takes nothing: they make room when others need it.
    pub stalled: Stalled,
    /// What is kept of request bodies that may have to be sent again.
    pub kept_bodies: KeptBodies,
    /// For large transfers.
    pub pipes: Pipes,
    /// Where facts go.
    pub observer: WorkerObserver,
    /// Where defects are counted.
    pub metrics: Arc<ProcessMetrics>,
    /// For request ids.
    pub rng: Rng,
    /// For the values of expressions; never borrowed over a wait.
    pub scratch: RefCell<Scratch>,
    /// The calendar. Renewed by the worker's ticker.
    pub anchor: Cell<Anchor>,
    /// For what responses say of the date.
    pub dates: DateCache,
    /// All of them.
    pub connections: Rc<Connections>,
}

impl Context {
    /// Counts and logs an exchange of `live`, whatever became of it.
    pub fn settle(&self, exchange: &Exchange, live: &Frontend) {
        exchange.end();
        if std::thread::panicking() {
            // Not in the handler, which catches it, but in a body or in the connection itself.
            self.metrics.panicked();
            exchange.record.blame(Reason::ProxyPanic);
            event::exchange_panicked(&exchange.record.opening.id, "outside of its handler");
        }
        self.observer.finish(&exchange.record, &live.metrics);
    }
}
