//! A snapshot as one worker sees it, with its own connections to servers.
//!
//! A worker asks [`Views`] for the present snapshot, and for a while after a reload for earlier
//! ones. A [`View`] takes over from the one before everything that stays the same.

use std::cell::{LazyCell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;

use http::HeaderName;

use crate::base::clock::Instant;
use crate::base::{ListenAddress, Name};
use crate::exchange::{RouteMetrics, TakenRoute};
use crate::expr::{self, Scratch, Value};
use crate::observe::AttemptCounter;
use crate::plan::{FrontendTimeouts, Reading};
use crate::proxy::backend::Local;
use crate::proxy::frontend;
use crate::proxy::io::{FieldRules, never_from_clients};

use super::{Current, Snapshot};

/// A snapshot as one worker sees it: with its own connections to servers.
pub struct View {
    /// Its snapshot.
    pub snapshot: Arc<Snapshot>,
    /// In the plan's order.
    pub frontends: Vec<LocalFrontend>,
    /// In the plan's order.
    pub backends: Vec<Rc<Local>>,
    /// Fields that no client can send, to any frontend: those for servers about clients'
    /// certificates, and other spellings of our fields.
    pub client_fields: Vec<HeaderName>,
    /// The field rules of each frontend, in the plan's order.
    pub field_rules: Vec<Rc<FieldRules>>,
    /// Whether the case of field names is recorded, because a frontend or backend preserves it.
    pub records_case: bool,
}

/// The data that the exchanges of one worker share about a frontend and its routes.
#[derive(Clone)]
pub struct LocalFrontend {
    /// Its name.
    pub name: Rc<str>,
    /// In the plan.
    pub timeouts: Rc<FrontendTimeouts>,
    /// In the plan's order.
    pub routes: Rc<[Rc<TakenRoute>]>,
    /// The TCP routes, in the plan's order.
    pub tcp_routes: Rc<[Rc<TakenRoute>]>,
}

/// How many earlier snapshots are kept, for some seconds: as many reloads as may follow each other
/// before a worker notices.
const KEPT_BEFORE: usize = 4;

/// A worker's handle to the current snapshot.
pub struct Views {
    current: Arc<Current>,
    /// Of the same worker.
    attempts: AttemptCounter,
    view: RefCell<Rc<View>>,
    /// Earlier ones, the latest last, as long as a connection of a removed frontend may still need
    /// them.
    before: RefCell<Vec<Rc<View>>>,
}

/// The tables of the present snapshot, for log lines.
impl expr::Tables for Views {
    fn read(
        &self,
        table: &Name,
        key: Value<'_>,
        scratch: &mut Scratch,
        reading: Reading,
        element: usize,
    ) -> Option<u64> {
        let tables = &*self.current().snapshot.tables;
        expr::Tables::read(tables, table, key, scratch, reading, element)
    }

    fn used(&self, table: &Name) -> Option<(u64, u64)> {
        expr::Tables::used(&*self.current().snapshot.tables, table)
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views").finish_non_exhaustive()
    }
}

impl Views {
    /// The first view of the worker whose attempts `attempts` counts.
    pub fn new(current: Arc<Current>, attempts: AttemptCounter) -> Self {
        let view = Rc::new(View::of(current.load(), attempts, None));
        Self {
            current,
            attempts,
            view: RefCell::new(view),
            before: RefCell::default(),
        }
    }

    /// The view of the present snapshot.
    #[inline]
    pub fn current(&self) -> Rc<View> {
        let generation = self.current.generation.load(Ordering::Acquire);
        {
            let view = self.view.borrow();
            if view.snapshot.generation >= generation {
                return Rc::clone(&view);
            }
        }
        self.renew()
    }

    #[cold]
    fn renew(&self) -> Rc<View> {
        let next = Rc::new(View::of(
            self.current.load(),
            self.attempts,
            Some(&self.view.borrow()),
        ));
        let before = self.view.replace(Rc::clone(&next));
        self.keep(before);
        next
    }

    /// Renews the present view, and does not skip `snapshot`, which may already be an earlier one:
    /// connections of a frontend that only it has may come.
    pub fn pass(&self, snapshot: Arc<Snapshot>) {
        let now = self.current();
        let knows = |view: &Rc<View>| view.snapshot.generation == snapshot.generation;
        let is_left_out = !knows(&now) && !self.before.borrow().iter().any(knows);
        if is_left_out {
            self.keep(Rc::new(View::of(snapshot, self.attempts, Some(&now))));
        }
    }

    /// Keeps `view` among the earlier ones.
    fn keep(&self, view: Rc<View>) {
        let mut before = self.before.borrow_mut();
        if before.len() == KEPT_BEFORE {
            before.remove(0);
        }
        before.push(view);
    }

    /// The view that has the frontend with the state `live`, and its index: the present one, or for
    /// a frontend that was just removed an earlier one.
    pub fn with(&self, live: &Arc<frontend::Frontend>) -> Option<(Rc<View>, usize)> {
        let now = self.current();
        if let Some(index) = now.snapshot.frontend_of(live) {
            return Some((now, index));
        }
        let before = self.before.borrow();
        let mut latest_first = before.iter().rev();
        latest_first.find_map(|view| Some((Rc::clone(view), view.snapshot.frontend_of(live)?)))
    }

    /// The view in which the frontend with the state `live` listens at `address`, its index, and
    /// that of the bind: the present one, or for an address that was just removed an earlier one.
    /// `None`: it was removed a while ago.
    pub fn at_bind(
        &self,
        live: &Arc<frontend::Frontend>,
        address: &ListenAddress,
    ) -> Option<(Rc<View>, usize, usize)> {
        let found = |view: &Rc<View>| {
            let index = view.snapshot.frontend_of(live)?;
            let bind = view.snapshot.frontends[index].bind_at.get(address)?;
            Some((Rc::clone(view), index, *bind))
        };
        let now = found(&self.current());
        now.or_else(|| self.before.borrow().iter().rev().find_map(found))
    }

    /// Drops the earlier views.
    pub fn forget(&self) {
        self.before.borrow_mut().clear();
    }
}

impl View {
    /// The view of `snapshot`, which takes over from `before` what `snapshot` still needs.
    fn of(snapshot: Arc<Snapshot>, attempts: AttemptCounter, before: Option<&Self>) -> Self {
        let records_case = snapshot.records_case();
        let reusable = before.filter(|before| before.records_case == records_case);
        // Made if a backend has another index: most reloads change settings and no order.
        let by_name: LazyCell<HashMap<&Name, &Local>, _> = LazyCell::new(|| {
            let backends = before.iter().flat_map(|before| &before.backends);
            backends
                .map(|local| (&local.shared.plan.name, &**local))
                .collect()
        });
        let backends = snapshot
            .backends
            .iter()
            .enumerate()
            .map(|(index, backend)| {
                let same_index = reusable.and_then(|before| before.backends.get(index));
                if let Some(same) = same_index.filter(|local| Arc::ptr_eq(&local.shared, backend)) {
                    return Rc::clone(same);
                }
                let name = &backend.plan.name;
                let same_index = before.and_then(|before| before.backends.get(index));
                let before = match same_index.filter(|local| local.shared.plan.name == *name) {
                    Some(same) => Some(&**same),
                    None => by_name.get(name).copied(),
                };
                let backend = Arc::clone(backend);
                Rc::new(Local::new(backend, attempts, records_case, before))
            })
            .collect();
        let frontends = (0..snapshot.frontends.len())
            .map(|index| LocalFrontend::of(&snapshot, index, before))
            .collect();
        Self {
            frontends,
            client_fields: never_from_clients(&snapshot.plan),
            field_rules: FieldRules::of(&snapshot.plan),
            snapshot,
            backends,
            records_case,
        }
    }

    /// Closes up to `most` idle server connections, from backend number `from` on, and returns how
    /// many.
    pub fn close_idle(&self, most: usize, from: usize) -> usize {
        let (before, after) = self.backends.split_at(from % self.backends.len().max(1));
        let mut closed = 0;
        for backend in after.iter().chain(before) {
            if closed == most {
                break;
            }
            closed += backend.close_idle(most - closed);
        }
        closed
    }

    /// Drops servers that were removed from their backends.
    pub fn renew_servers(&self) {
        for backend in &self.backends {
            backend.renew();
        }
    }

    /// Drops server connections that are too old or that the server has closed.
    pub fn sweep(&self, now: Instant, cx: &mut Context<'_>) {
        for backend in &self.backends {
            backend.sweep(now, cx);
        }
    }
}

impl LocalFrontend {
    /// The frontend at `index` of `snapshot`. It takes over from `before` if its routes are the
    /// same: there may be tens of thousands.
    fn of(snapshot: &Snapshot, index: usize, before: Option<&View>) -> Self {
        let frontend = &snapshot.frontends[index];
        let known = before.and_then(|before| {
            let index = before.snapshot.frontend_at(&frontend.live, index)?;
            Some((&before.snapshot.frontends[index], &before.frontends[index]))
        });
        let plan = &snapshot.plan.frontends[index];
        let routes = &frontend.route_metrics;
        let tcp_routes = &frontend.tcp_route_metrics;
        Self {
            name: match known {
                Some((_, local)) => Rc::clone(&local.name),
                None => plan.name.as_str().into(),
            },
            timeouts: Rc::new(plan.timeout),
            routes: match known {
                Some((same, local)) if Arc::ptr_eq(&same.route_metrics, routes) => {
                    Rc::clone(&local.routes)
                }
                _ => taken(plan.routes.iter().map(|route| &route.name), routes),
            },
            tcp_routes: match known {
                Some((same, local)) if Arc::ptr_eq(&same.tcp_route_metrics, tcp_routes) => {
                    Rc::clone(&local.tcp_routes)
                }
                _ => taken(plan.tcp_routes.iter().map(|route| &route.name), tcp_routes),
            },
        }
    }
}

/// The routes of these names, with their counters.
fn taken<'a>(
    names: impl Iterator<Item = &'a Name>,
    counters: &[Arc<RouteMetrics>],
) -> Rc<[Rc<TakenRoute>]> {
    let each = names.zip(counters);
    each.map(|(name, metrics)| {
        Rc::new(TakenRoute {
            name: name.clone(),
            metrics: Arc::clone(metrics),
        })
    })
    .collect()
}
