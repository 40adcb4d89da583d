//! An open tunnel: a relay with its deadlines.
//!
//! `http` opens one when a server has accepted an upgrade, `tcp` for each connection. It ends when
//! both ends have closed, when one breaks, when nothing has passed for long (nor was taken by a
//! peer with a connection of its own), or when its time to drain is over; then both ends are closed
//! in order, as far as possible. The slot at the server is held until then. It keeps the terms
//! under which it began: no reload changes an open tunnel.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use crate::base::clock::{self, Duration, Instant};
use crate::exchange::{Reason, Verdict};
use crate::proxy::backend::Lease;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::context::Context;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::{Broken, Exchange, ProgressProbe, Relay, Timer};

/// How long both ends are read after their close.
const PARTING: Duration = Duration::from_secs(2);

/// An open tunnel.
pub(crate) struct Tunnel {
    /// The relay.
    pub relay: Relay,
    /// The slot at the server.
    pub lease: Lease,
    /// Its exchange.
    pub exchange: Rc<Exchange>,
    /// The frontend of the tunnel.
    pub frontend: Arc<Frontend>,
    /// Its deadlines.
    pub terms: Terms,
}

/// The deadlines of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Terms {
    /// Without traffic; `None`: no bound.
    pub idle: Option<Duration>,
    /// From the begin of a drain on.
    pub drain: Duration,
}

/// A counted tunnel; subtracted when dropped.
struct Counted<'a>(&'a Frontend);

/// A running tunnel.
struct Running<'a> {
    relay: &'a mut Relay,
    exchange: &'a Exchange,
    terms: Terms,
    context: &'a Context,
    registration: &'a Registration,
    timer: &'a mut Timer,
    /// When a byte last passed, or was taken by a peer.
    moved_at: Instant,
    probe: ProgressProbe,
    /// Whether both ends had taken everything at the last check.
    is_settled: bool,
    /// When the drain began.
    drain_began: Option<Instant>,
    /// Until when the ends are read, once they were closed.
    parting_until: Option<Instant>,
}

/// How a tunnel ended.
enum Ended {
    /// Both ends were closed in order.
    InOrder,
    /// One has broken, and the other must be reset.
    Broken(Broken),
}

impl Tunnel {
    /// Runs it until it is over; the exchange ends then, and its record has the reason. Boxed: a
    /// future holds its arguments twice, and a tunnel may be idle for long.
    pub(crate) async fn run(
        mut self: Box<Self>,
        context: &Context,
        registration: &Registration,
        timer: &mut Timer,
    ) {
        let counted = Counted::new(&self.frontend);
        let exchange = &self.exchange;
        exchange.record.is_tunnel.set(true);
        exchange.deadlines.clear();
        let now = clock::now();
        let mut running = Running {
            relay: &mut self.relay,
            exchange,
            terms: self.terms,
            context,
            registration,
            timer,
            moved_at: now,
            probe: ProgressProbe::default(),
            is_settled: false,
            drain_began: None,
            parting_until: None,
        };
        let ended = poll_fn(|cx| running.poll(cx)).await;
        exchange.end();
        drop(counted);
        let Self {
            relay,
            lease,
            exchange,
            ..
        } = *self;
        // The connections are dropped first: the slot is counted for one of them.
        match ended {
            Ended::InOrder => relay.close(),
            // Boxed: tunnels, which are many and idle, do not carry its state.
            Ended::Broken(broken) => Box::pin(relay.reset(broken)).await,
        }
        let attempts = &exchange.record.attempts;
        let verdict = match exchange.record.reason.get() {
            // The server had sent something, and its tunnel has no natural end.
            None | Some(Reason::TunnelIdle | Reason::TunnelDrained) => Verdict::Answered,
            Some(reason) => Verdict::of_cut(reason),
        };
        if let Some(index) = attempts.decisive() {
            lease.settle(&attempts.outcome(index, verdict));
        }
    }
}

impl Running<'_> {
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Ended> {
        loop {
            self.note_shutdown(self.registration.shutdown(cx));
            let polled = self.relay.poll(cx, &self.context.pipes);
            self.note();
            if let Poll::Ready(outcome) = polled {
                return Poll::Ready(self.over(outcome));
            }
            let due = self.due();
            let now = ready!(self.timer.poll_any(cx, due));
            if self.passed(now).is_ready() {
                return Poll::Ready(Ended::InOrder);
            }
        }
    }

    fn note_shutdown(&mut self, shutdown: Shutdown) {
        match shutdown {
            Shutdown::Run => {}
            Shutdown::Drain => {
                self.drain_began.get_or_insert_with(clock::now);
            }
            Shutdown::Abort => {
                self.part(Reason::ProxyStopped);
                // Only what the sockets take at once.
                self.parting_until = Some(self.moved_at);
            }
        }
    }

    /// Closes both ends in order.
    fn part(&mut self, reason: Reason) {
        if self.parting_until.is_none() {
            self.exchange.record.blame(reason);
            let [mask @ .., _, _, _, _] = self.context.rng.next_u64().to_be_bytes();
            self.relay.part(mask);
            self.parting_until = Some(clock::now() + PARTING);
        }
    }

    fn note(&mut self) {
        if self.relay.has_moved() {
            self.moved_at = clock::now();
            self.is_settled = false;
            let record = &self.exchange.record;
            record.body_bytes_in.set(self.relay.bytes_up());
            record.body_bytes_out.set(self.relay.bytes_down());
        }
    }

    fn over(&self, outcome: Result<(), Broken>) -> Ended {
        let Err(broken) = outcome else {
            return Ended::InOrder;
        };
        let reason = match broken {
            Broken::Client => Reason::ClientLeft,
            Broken::Server => Reason::ServerLeft,
        };
        // Once both are closed, an error does not matter.
        if self.parting_until.is_none() {
            self.exchange.cut(reason);
        }
        Ended::Broken(broken)
    }

    /// The first deadline, if there is one.
    fn due(&self) -> Option<Instant> {
        if self.parting_until.is_some() {
            return self.parting_until;
        }
        let idle = self.terms.idle.map(|idle| match self.is_settled {
            true => self.moved_at + idle,
            false => self.probe.due(self.moved_at, idle),
        });
        [idle, self.drained_at()].into_iter().flatten().min()
    }

    /// When the time to drain is over.
    fn drained_at(&self) -> Option<Instant> {
        Some(self.drain_began? + self.terms.drain)
    }

    /// Whether nothing has passed for the idle timeout. Bytes that were written to a slow peer may
    /// need minutes: while it takes them, the tunnel is not idle. That is known only for whole
    /// connections: bytes on the connection of an HTTP/2 stream may be of other streams.
    fn is_idle(&mut self, now: Instant) -> bool {
        let Some(idle) = self.terms.idle else {
            return false;
        };
        if !self.is_settled {
            if self.probe.has_taken(now, self.relay.progress()) {
                self.moved_at = now;
            }
            self.is_settled = !self.probe.saw_some_under_way();
        }
        now >= self.moved_at + idle
    }

    /// A deadline of [`Running::due`] has passed; ready if that ends the tunnel.
    fn passed(&mut self, now: Instant) -> Poll<()> {
        if self.parting_until.is_some() {
            return Poll::Ready(());
        }
        if self.drained_at().is_some_and(|at| now >= at) {
            self.part(Reason::TunnelDrained);
        } else if self.is_idle(now) {
            self.part(Reason::TunnelIdle);
        }
        Poll::Pending
    }
}

impl<'a> Counted<'a> {
    fn new(frontend: &'a Frontend) -> Self {
        frontend.tunnel_opened();
        Self(frontend)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.tunnel_closed();
    }
}
