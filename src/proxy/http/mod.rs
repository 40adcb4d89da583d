//! A client connection that speaks HTTP/1 or HTTP/2: requests are read, refused if they must not
//! pass, and answered.
//!
//! `listen` hands connections to [`serve`], which tells the versions apart; `h1` and `h2` read
//! requests and write answers. For each request `handle` calls the rooms in their
//! order: `admit`, `route`, `hop`, `forward`, and back.

pub mod admit;
mod body;
mod client;
mod h1;
mod h2;
mod handle;
mod hop;
mod identity;
mod rest;
mod roll;
pub mod seen;
mod serve;

pub use roll::{Entry, Order, Roll};
pub use serve::serve;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::clock::Anchor;
use crate::base::rng::Rng;
use crate::net::Network;
use crate::observe::{ProcessMetrics, WorkerObserver};
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
