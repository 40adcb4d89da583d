//! The listeners of the control thread itself: the admin listener, and the sockets for HAProxy's
//! commands.
//!
//! They open and close as [`moves`](super::moves) decides, as those of frontends do. What is spoken
//! on them is in `admin` and `commands`.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use tokio::sync::oneshot;

use crate::base::clock::{self, Duration};
use crate::base::{InWords, ListenAddress, tasks};
use crate::net::{Listener, Stream};
use crate::observe::event;
use crate::plan::Bind;

use super::listeners::{self, BoundSockets, Opened};
use super::moves::{Held, Owner};
use super::{State, admin, commands};

/// How long accepting pauses after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Those that are open.
#[derive(Default)]
pub(super) struct OwnListeners {
    open: Vec<Open>,
}

struct Open {
    owner: Owner,
    wanted: Bind,
    bound: BoundSockets,
    /// Dropped to close the listener.
    #[expect(dead_code, reason = "its drop signals the accept loop")]
    open: oneshot::Sender<()>,
}

impl OwnListeners {
    /// The address of the first admin listener.
    pub(super) fn admin_addr(&self) -> Option<ListenAddress> {
        let mut open = self.open.iter();
        let first = open.find(|open| open.owner == Owner::Admin);
        first.map(|open| open.bound.addr.clone())
    }

    /// All open sockets.
    pub(super) fn held(&self) -> Vec<Held> {
        let held = self.open.iter();
        held.map(|open| open.bound.held(&open.wanted.addr, open.owner.clone()))
            .collect()
    }

    /// The sockets of the one at `index` of [`OwnListeners::held`].
    pub(super) fn bound(&self, index: usize) -> Option<&BoundSockets> {
        self.open.get(index).map(|open| &open.bound)
    }
}

/// Opens `new`, and closes the open listeners that do not stay; `stays` has, for each, the bind
/// that it now serves. Requests in progress continue. Returns the sockets that close.
pub(super) fn apply(
    state: &Rc<State>,
    stays: Vec<Option<Bind>>,
    new: Vec<(Owner, Bind, Opened)>,
) -> Vec<BoundSockets> {
    let mut own = state.own_listeners.borrow_mut();
    let mut closing = Vec::new();
    for (mut open, stays) in std::mem::take(&mut own.open).into_iter().zip(stays) {
        match stays {
            Some(wanted) => {
                listeners::permit(&mut open.wanted, &wanted, &state.network);
                own.open.push(open);
            }
            None => closing.push(open.bound),
        }
    }
    for (owner, wanted, Opened { bound, sockets, .. }) in new {
        // There is one, for the control thread.
        let Some(socket) = sockets.into_iter().next() else {
            continue;
        };
        match socket.into_listener() {
            Ok(listener) => {
                let service = match owner {
                    Owner::Commands => {
                        event::command_socket_bound(&bound.addr);
                        Service::Commands(Rc::new(commands::Clients::of(wanted.addr.clone())))
                    }
                    Owner::Admin | Owner::Frontend(_) => {
                        event::admin_bound(&bound.addr);
                        Service::Admin(Rc::default())
                    }
                };
                let (sender, closed) = oneshot::channel();
                tasks::spawn_local(accept(listener, service, Rc::clone(state), closed));
                own.open.push(Open {
                    owner,
                    wanted,
                    bound,
                    open: sender,
                });
            }
            Err(error) => event::admin_failed(&wanted.addr, &InWords(&error)),
        }
    }
    closing
}

/// What is spoken on a listener.
enum Service {
    Admin(Rc<admin::Connections>),
    Commands(Rc<commands::Clients>),
}

impl Service {
    /// Serves a connection as soon as there is room for it.
    async fn start(&self, stream: Stream, state: &Rc<State>) {
        match self {
            Self::Admin(connections) => admin::start(stream, connections, state).await,
            Self::Commands(clients) => commands::start(stream, clients, state).await,
        }
    }
}

/// Accepts until the listener is closed and its queue is empty.
///
/// A panic here is a defect, and costs the connection that caused it. The loop carries no traffic,
/// unlike that of a frontend, so the process does not end: the loop starts again.
async fn accept(
    listener: Listener,
    service: Service,
    state: Rc<State>,
    mut closed: oneshot::Receiver<()>,
) {
    loop {
        let mut next = pin!(accept_one(&listener, &mut closed, &service, &state));
        let caught = poll_fn(|cx| {
            let polling = AssertUnwindSafe(|| next.as_mut().poll(cx));
            // A loop that has panicked is not polled again.
            catch_unwind(polling).unwrap_or(Poll::Ready(Accepted::Panicked))
        });
        match caught.await {
            Accepted::One => {}
            Accepted::None => clock::sleep(ACCEPT_PAUSE).await,
            Accepted::Closes => break,
            Accepted::Panicked => {
                state.metrics.panicked();
                event::admin_panicked();
                clock::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    listener.turn_away(true);
    // For those clients the connection is established already.
    while let Ok(Some((stream, _))) = listener.accept_queued() {
        service.start(stream, &state).await;
    }
}

/// The result of waiting for a connection.
enum Accepted {
    One,
    None,
    Closes,
    Panicked,
}

async fn accept_one(
    listener: &Listener,
    closed: &mut oneshot::Receiver<()>,
    service: &Service,
    state: &Rc<State>,
) -> Accepted {
    let accepted = tokio::select! {
        biased;
        _ = closed => return Accepted::Closes,
        accepted = listener.accept() => accepted,
    };
    let Ok((stream, _)) = accepted else {
        return Accepted::None;
    };
    service.start(stream, state).await;
    Accepted::One
}
