//! The parts that the connections of a worker share.
//!
//! `worker` makes it; each connection's task holds it by `Rc`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::base::clock::Anchor;
use crate::base::rng::Rng;
use crate::exchange::Reason;
use crate::expr::{Scratch, Variables};
use crate::net::{Dialer, Pipes};
use crate::observe::{LeftByRules, OpenConnections, ProcessMetrics, WorkerObserver, event};
use crate::proxy::connections::Connections;
use crate::proxy::frontend::{Frontend, Gate};
use crate::proxy::io::{DateCache, Exchange, KeptBodies, Stalled};
use crate::proxy::snapshot::Views;

/// The parts that the connections of a worker share.
pub struct Context {
    /// The present snapshot.
    pub views: Views,
    /// Opens connections to servers.
    pub dialer: Dialer,
    /// Exchanges whose client reads nothing: they end if others need their descriptors.
    pub stalled: Stalled,
    /// Beginnings of request bodies that may be sent again.
    pub kept_bodies: KeptBodies,
    /// For large transfers.
    pub pipes: Pipes,
    /// Counts and logs exchanges.
    pub observer: WorkerObserver,
    /// Counts defects.
    pub metrics: Arc<ProcessMetrics>,
    /// For request ids.
    pub rng: Rng,
    /// For the values of expressions; never borrowed across an await.
    pub scratch: RefCell<Scratch>,
    /// Wall-clock time. Renewed by the worker's ticker.
    pub anchor: Cell<Anchor>,
    /// For the `Date` of responses.
    pub dates: DateCache,
    /// All client connections.
    pub connections: Rc<Connections>,
    /// Counts the connections of the whole process.
    pub process_gate: Arc<Gate>,
}

impl Context {
    /// The open connections of the process and of `live`, for a log.
    pub fn open_connections(&self, live: &Frontend) -> OpenConnections {
        OpenConnections {
            of_process: self.process_gate.open(),
            of_frontend: live.gate.open(),
        }
    }

    /// Counts and logs an exchange of `live`, however it ended.
    /// `of_connection`: the variables of the client's connection; `None`: it has none.
    pub fn settle(&self, exchange: &Exchange, live: &Frontend, of_connection: Option<&Variables>) {
        exchange.end();
        if std::thread::panicking() {
            // The panic was not in the handler, which catches it, but in a body or in the
            // connection itself.
            self.metrics.panicked();
            exchange.record.blame(Reason::ProxyPanic);
            event::exchange_panicked(&exchange.record.opening.id, "outside of its handler");
        }
        exchange.tracked.finish(&exchange.record);
        let open = || self.open_connections(live);
        let left = LeftByRules {
            of_exchange: Some(&exchange.variables),
            of_connection,
            tracked: Some(&exchange.tracked),
            tables: Some(&self.views),
        };
        self.observer
            .finish(&exchange.record, &live.metrics, left, open);
        exchange.tracked.release();
    }
}
