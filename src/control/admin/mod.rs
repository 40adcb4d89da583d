//! The admin listener: metrics, probes, status and reload, over plain HTTP/1.1.
//!
//! It runs on the control thread, answers whoever can connect (loopback by default), and has bounds
//! of its own, so that a scraper gone wild harms nobody but itself.

mod answer;
mod status;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use crate::base::ListenAddress;
use crate::base::clock::{self, Duration};
use crate::base::tasks::{self, JoinHandle};
use crate::net::{Listener, Socket, Stream};
use crate::observe::event;
use crate::plan::{Listen, Plan};

use super::State;
use super::listeners::{self, CannotListen, bound_at};

/// Connections at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 64;

/// For a request head, and between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long accepting rests after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The admin listeners that are open.
#[derive(Default)]
pub(super) struct Admin {
    open: Vec<Open>,
}

struct Open {
    wanted: Listen,
    bound: ListenAddress,
    task: JoinHandle<()>,
}

/// The admin listeners of the next plan.
pub(super) struct Prepared {
    stay: Vec<Listen>,
    new: Vec<(Listen, Socket)>,
}

impl Admin {
    /// Where the first of them listens.
    pub(super) fn addr(&self) -> Option<ListenAddress> {
        self.open.first().map(|open| open.bound.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Binds what `plan` wants and is not bound.
pub(super) async fn prepare(state: &State, plan: &Plan) -> Result<Prepared, Vec<CannotListen>> {
    let mut prepared = Prepared {
        stay: Vec::new(),
        new: Vec::new(),
    };
    let mut faults = Vec::new();
    for listen in plan.admin.iter().flat_map(|admin| &admin.listen) {
        let is_open = |open: &Open| open.wanted.addr == listen.addr;
        if state.admin.borrow().open.iter().any(is_open) {
            prepared.stay.push(listen.clone());
            continue;
        }
        match state.network.bind(&listen.addr, listen.mode, 1).await {
            Ok(sockets) => prepared
                .new
                .extend(sockets.into_iter().map(|socket| (listen.clone(), socket))),
            Err(error) => faults.push(CannotListen {
                at: listen.at.clone(),
                addr: listen.addr.clone(),
                error,
            }),
        }
    }
    if faults.is_empty() {
        Ok(prepared)
    } else {
        Err(faults)
    }
}

/// Makes what was prepared so. Requests that are being answered go on.
pub(super) fn apply(state: &Rc<State>, prepared: Prepared) {
    let mut admin = state.admin.borrow_mut();
    admin.open.retain_mut(|open| {
        let mut staying = prepared.stay.iter();
        let Some(stays) = staying.find(|stays| stays.addr == open.wanted.addr) else {
            return false;
        };
        listeners::permit(&mut open.wanted, stays.mode, &state.network);
        true
    });
    for (wanted, socket) in prepared.new {
        let bound = bound_at(&wanted.addr, &socket).unwrap_or_else(|_| wanted.addr.clone());
        match socket.into_listener() {
            Ok(listener) => {
                event::admin_bound(&bound);
                let task = tasks::spawn_local(accept(listener, Rc::clone(state)));
                admin.open.push(Open {
                    wanted,
                    bound,
                    task,
                });
            }
            Err(error) => event::admin_failed(&wanted.addr, &error),
        }
    }
}

/// Accepts until it is aborted.
///
/// A panic in here is a defect, and costs the connection that it was met with. That loop ends no
/// traffic, as that of a frontend would, so it does not end the process: it begins again.
async fn accept(listener: Listener, state: Rc<State>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let mut next = pin!(accept_one(&listener, &places, &state));
        let caught = poll_fn(|cx| {
            let polling = AssertUnwindSafe(|| next.as_mut().poll(cx));
            // One that has panicked is not polled again.
            catch_unwind(polling).unwrap_or(Poll::Ready(Accepted::Panicked))
        });
        match caught.await {
            Accepted::One => {}
            Accepted::None => clock::sleep(ACCEPT_PAUSE).await,
            Accepted::Panicked => {
                state.metrics.panicked();
                event::admin_panicked();
                clock::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What came of waiting for a connection.
enum Accepted {
    One,
    None,
    Panicked,
}

async fn accept_one(listener: &Listener, places: &Arc<Semaphore>, state: &Rc<State>) -> Accepted {
    let place = Arc::clone(places).acquire_owned().await;
    let Ok((stream, _)) = listener.accept().await else {
        return Accepted::None;
    };
    let state = Rc::clone(state);
    tasks::spawn_local(async move {
        serve(stream, state).await;
        drop(place);
    });
    Accepted::One
}

async fn serve(stream: Stream, state: Rc<State>) {
    let service = service_fn(|request| answer::answer(Rc::clone(&state), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off is its own business.
    let _ = connection.await;
}
