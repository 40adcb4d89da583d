//! What the connections of a worker share.
//!
//! `worker` makes it; whoever serves a connection holds it by `Rc`.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::clock::Anchor;
use crate::base::rng::Rng;
use crate::net::Network;
use crate::observe::{ProcessMetrics, WorkerObserver};
use crate::proxy::roll::Roll;
use crate::proxy::snapshot::Views;

/// What the connections of a worker share.
pub struct Context {
    /// What runs now.
    pub views: Views,
    /// The way to servers.
    pub network: Network,
    /// Where facts go.
    pub observer: WorkerObserver,
    /// Where defects are counted.
    pub metrics: Arc<ProcessMetrics>,
    /// For request ids.
    pub rng: Rng,
    /// The calendar. Renewed by the worker's ticker.
    pub anchor: Cell<Anchor>,
    /// Who is there.
    pub roll: Rc<Roll>,
}
