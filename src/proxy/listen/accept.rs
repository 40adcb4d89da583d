//! The accept loop of one listening socket on one worker.
//!
//! At a limit, accepting pauses: one connection is held here, and the kernel's queue keeps the
//! rest, as in HAProxy. Before the socket closes, the connections in its queue are accepted: for
//! their clients they are established already.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use crate::base::address::Ends;
use crate::base::clock::{self, Duration, Instant};
use crate::base::tasks;
use crate::base::{InWords, ListenAddress, Peer};
use crate::net::{Listener, Stream, is_shortage};
use crate::observe::{PauseCause, event};
use crate::plan::Mode;
use crate::proxy::connections::Registration;
use crate::proxy::context::Context;
use crate::proxy::frontend::{Frontend, Gate};
use crate::proxy::run::Run;
use crate::proxy::{http, tcp};

use super::enter::{Entered, enter, refusal, refuse};
use super::handshake::secure;

/// How long accepting pauses when there is no descriptor left. Long enough for some exchanges to
/// end, short enough not to be noticed beside the kernel's queue.
const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(100);

/// How often the log says that accepting pauses.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Accepts from one socket.
pub(crate) struct Accept {
    /// The listening socket.
    pub listener: Listener,
    /// The frontend of the connections.
    pub target: Rc<Target>,
    /// Counts the connections of the whole process.
    pub process_gate: Arc<Gate>,
    /// The parts that connections share.
    pub context: Rc<Context>,
    /// When the log last had that accepting pauses.
    pub logged_at: Cell<Option<Instant>>,
}

/// The frontend and address of a socket's connections, and whether it still accepts. Written by the
/// worker at `control`'s command.
pub(crate) struct Target {
    /// With the address as the frontend's plan has it.
    frontend: RefCell<(Arc<Frontend>, Arc<ListenAddress>)>,
    state: Cell<State>,
    /// The waker of the accept loop.
    waker: RefCell<Option<Waker>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Another socket of ours gets the new connections; those that have begun still come here.
    Retiring,
    /// Closes when the queue is empty.
    Closing,
}

/// A connection that is counted; leaves both gates and the count of clients when dropped.
struct Pass {
    frontend: Arc<Frontend>,
    address: Arc<ListenAddress>,
    process: Arc<Gate>,
    context: Rc<Context>,
}

impl Target {
    /// Connections of `frontend` to `address`.
    pub(crate) fn new(frontend: Arc<Frontend>, address: Arc<ListenAddress>) -> Self {
        Self {
            frontend: RefCell::new((frontend, address)),
            state: Cell::new(State::Open),
            waker: RefCell::default(),
        }
    }

    /// From now on, connections are those of `frontend` to `address`; a retired socket accepts new
    /// ones again.
    pub(crate) fn aim(&self, frontend: Arc<Frontend>, address: Arc<ListenAddress>) {
        *self.frontend.borrow_mut() = (frontend, address);
        self.turn(State::Open);
    }

    /// Logs that the socket cannot accept.
    pub(crate) fn failed(&self, error: &io::Error) {
        event::listener_failed(&self.frontend.borrow().0.name, &InWords(error));
    }

    /// Makes the socket accept only connections whose handshakes it has begun.
    pub(crate) fn retire(&self) {
        self.turn(State::Retiring);
    }

    /// Makes the socket close when its queue is empty.
    pub(crate) fn close(&self) {
        self.turn(State::Closing);
    }

    fn turn(&self, state: State) {
        if self.state.replace(state) != state
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    /// The state that the socket must have; the task is woken when that changes.
    fn state(&self, cx: &mut TaskContext<'_>) -> State {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        self.state.get()
    }

    fn frontend(&self) -> (Arc<Frontend>, Arc<ListenAddress>) {
        self.frontend.borrow().clone()
    }
}

impl Accept {
    /// Accepts until the target closes and the queue is empty.
    pub(crate) async fn run(self) {
        while let Some(accepted) = next(&self.listener, &self.target).await {
            match accepted {
                Ok((stream, peer)) => {
                    let pass = self.pass().await;
                    self.start(stream, peer, pass);
                }
                Err(error) => self.rest_after(&error).await,
            }
        }
    }

    /// Waits until one more connection is allowed.
    async fn pass(&self) -> Pass {
        let (frontend, address) = self.target.frontend();
        self.enter(&frontend, &frontend.gate, PauseCause::FrontendLimit)
            .await;
        self.enter(&frontend, &self.process_gate, PauseCause::ProcessLimit)
            .await;
        let context = Rc::clone(&self.context);
        context.dialer.descriptors().client_came();
        Pass {
            frontend,
            address,
            process: Arc::clone(&self.process_gate),
            context,
        }
    }

    async fn enter(&self, frontend: &Frontend, gate: &Gate, cause: PauseCause) {
        if gate.try_enter() {
            return;
        }
        frontend.metrics.accept_paused(cause);
        let logs = self.may_log();
        if logs {
            event::accept_paused(&frontend.name, cause);
        }
        gate.enter().await;
        if logs {
            event::accept_resumed(&frontend.name);
        }
    }

    /// At a limit, accepting pauses for each connection anew: the counter has them all, the log one
    /// in a while.
    fn may_log(&self) -> bool {
        let now = clock::now();
        let is_due = self.logged_at.get().is_none_or(|at| now >= at + LOG_EVERY);
        if is_due {
            self.logged_at.set(Some(now));
        }
        is_due
    }

    fn start(&self, stream: Stream, peer: Peer, pass: Pass) {
        let context = Rc::clone(&self.context);
        let frontend = Arc::clone(&pass.frontend);
        let address = Arc::clone(&pass.address);
        context.observer.accepted(&frontend.metrics);
        // Registered from the beginning: no connection is forgotten when the worker ends.
        let registration = context.connections.register(Arc::clone(&frontend));
        let ends = Ends {
            client: peer,
            local: self.listener.own_end().or_else(|| stream.local_addr()),
        };
        let run = begin(stream, ends, frontend, address, context, registration);
        let run = Run::new(run).finish();
        tasks::spawn_local(async move {
            run.await;
            drop(pass);
        });
    }

    /// Without a free descriptor, accepting would fail again at once and spin. Any other error is
    /// about that one connection.
    async fn rest_after(&self, error: &io::Error) {
        if !is_shortage(error) {
            return;
        }
        self.context.dialer.ask_for_room();
        let (frontend, _) = self.target.frontend();
        frontend.metrics.accept_paused(PauseCause::Descriptors);
        if self.may_log() {
            event::out_of_descriptors(&frontend.name);
        }
        clock::sleep(DESCRIPTOR_PAUSE).await;
    }
}

/// The next connection; `None` when the socket must close and no client is left in its queue.
async fn next(listener: &Listener, target: &Target) -> Option<io::Result<(Stream, Peer)>> {
    poll_fn(|cx| {
        // First of all: clients that keep coming must not keep a socket from closing.
        listener.turn_away(target.state.get() != State::Open);
        if let Poll::Ready(accepted) = listener.poll_accept(cx) {
            return Poll::Ready(Some(accepted));
        }
        if target.state(cx) == State::Closing {
            return Poll::Ready(listener.accept_queued().transpose());
        }
        Poll::Pending
    })
    .await
}

/// Does what comes before the connection is served, and completes the TLS handshake. `None`: the
/// connection ended.
async fn begin(
    stream: Stream,
    ends: Ends,
    frontend: Arc<Frontend>,
    address: Arc<ListenAddress>,
    context: Rc<Context>,
    registration: Registration,
) -> Option<Run> {
    let Entered {
        stream,
        ends,
        via,
        mut earlier,
    } = enter(stream, ends, &frontend, &address, &context, &registration).await?;
    let is_tcp = mode_of(&frontend, &context) == Mode::Tcp;
    let (stream, tls) = match has_tls(&frontend, &address, &context) {
        // An address of TCP mode that was removed is served as long as no client can have come for TLS.
        None if !is_tcp || has_any_tls(&frontend, &context) => return None,
        None | Some(false) => (stream, None),
        Some(true) => {
            // One deadline for both: a PROXY header gives no more time for the handshake.
            let began = clock::now();
            let stream = match is_tcp {
                true => stream,
                false => {
                    tcp::pass_through(
                        stream,
                        ends,
                        &mut earlier,
                        began,
                        &frontend,
                        &context,
                        &registration,
                    )
                    .await?
                }
            };
            let (stream, tls) = secure(
                stream,
                ends.client,
                began,
                &frontend,
                &address,
                &context,
                &registration,
            )
            .await?;
            (stream, Some(tls))
        }
    };
    if is_tcp {
        let tls = tls.map(|client| client.tls);
        let run = tcp::serve(stream, ends, tls, earlier, frontend, context, registration);
        return Some(Run::last(run));
    }
    let (stream, ends) = inspected(
        stream,
        ends,
        tls.as_ref(),
        &earlier,
        &frontend,
        &context,
        &registration,
    )
    .await?;
    let info = http::ConnectionInfo {
        ends,
        proxy_fields: earlier.proxy_fields,
        via,
        address,
        tls,
        tracked: earlier.tracked,
        variables: earlier.variables,
    };
    Some(http::serve(stream, info, frontend, context, registration))
}

/// Runs the rules for content, if there are any. `None`: the connection ended, and was counted.
async fn inspected(
    mut stream: Stream,
    mut ends: Ends,
    tls: Option<&http::TlsClient>,
    earlier: &tcp::Earlier,
    frontend: &Arc<Frontend>,
    context: &Rc<Context>,
    registration: &Registration,
) -> Option<(Stream, Ends)> {
    let Some((view, index)) = context.views.with(frontend) else {
        return Some((stream, ends));
    };
    if view.snapshot.frontends[index].content_rules.is_none() {
        return Some((stream, ends));
    }
    // Boxed: connections without such rules do not carry its state.
    let looking = Box::pin(tcp::inspect(
        &mut stream,
        &mut ends,
        tls.map(|client| &*client.tls),
        earlier,
        (&view.snapshot, index),
        context,
        registration,
    ));
    let inspected = looking.await;
    match inspected.stop.map(refusal) {
        Some(None) => Some((stream.rewound(inspected.bytes), ends)),
        Some(Some(why)) => {
            refuse(stream, ends, why, frontend);
            None
        }
        None => None,
    }
}

/// The present mode of `frontend`.
fn mode_of(frontend: &Arc<Frontend>, context: &Context) -> Mode {
    let found = context.views.with(frontend);
    found.map_or(Mode::Http, |(view, index)| {
        view.snapshot.plan.frontends[index].mode
    })
}

/// Whether `frontend` has TLS at `address`, now or when it was last listened on: no client that
/// came for TLS is answered without it. `None`: `address` was removed a while ago.
fn has_tls(frontend: &Arc<Frontend>, address: &ListenAddress, context: &Context) -> Option<bool> {
    let (view, index, bind) = context.views.at_bind(frontend, address)?;
    Some(view.snapshot.plan.frontends[index].tls_of(bind).is_some())
}

/// Whether `frontend` has TLS at any address.
fn has_any_tls(frontend: &Arc<Frontend>, context: &Context) -> bool {
    let found = context.views.with(frontend);
    found.is_some_and(|(view, index)| !view.snapshot.plan.frontends[index].tls.is_empty())
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.frontend.gate.leave();
        self.process.leave();
        self.context.dialer.descriptors().client_left();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::base::{FileMode, Name};
    use crate::net::Network;

    #[tokio::test]
    async fn a_client_in_the_queue_of_a_socket_that_closes_is_accepted() {
        let address = "127.0.0.1:0"
            .parse::<std::net::SocketAddr>()
            .expect("an address");
        let bound = Network::System
            .bind(&address.into(), FileMode::default(), 1, &[])
            .await;
        let socket = bound.expect("a free port").remove(0);
        socket.listen().expect("it is ours");
        let address = socket.local_addr().expect("bound").expect("it has one");
        let listener = socket.into_listener().expect("a runtime");
        let name = Name::new("web").expect("a name");
        let wanted = Arc::new(ListenAddress::At(address.clone()));
        let target = Target::new(Arc::new(Frontend::new(name, 1)), wanted);
        // The runtime has no turn to notice it before the socket closes.
        let _client = TcpStream::connect(address.ip().expect("an IP address")).expect("it listens");
        target.close();
        let accepted = next(&listener, &target).await.expect("one is in the queue");
        accepted.expect("a connection");
        assert!(next(&listener, &target).await.is_none(), "and no other");
    }
}
