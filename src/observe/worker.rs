//! One worker's pen: what is counted and written when an exchange is over.
//!
//! `proxy/worker` makes one, the data plane calls [`WorkerObserver::finish`] exactly once for each
//! exchange. That costs some stores and, with the log on, the bytes of a line: no allocation, no
//! lock, no shared cache line that is written.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::clock::{self, Instant};
use crate::exchange::{Attempt, Exchange, Reason};
use crate::observe::access_log::{Batch, Entry, Queue, Times, write_line};
use crate::observe::calendar::Calendar;
use crate::observe::metrics::frontend::Finished;
use crate::observe::{AccessLogHandle, FrontendMetrics, ServerMetrics};
use crate::plan::Plan;

/// A buffer of this size goes to the writer: enough lines for one system call to cost little a
/// line, few enough to lose little in a crash.
const FLUSH_BYTES: usize = 32 << 10;

/// What stands for a status when the client left before there was one (nginx's word for it).
const CLIENT_LEFT: u16 = 499;

/// Counts and logs for one worker; stays on its thread.
#[derive(Debug)]
pub struct WorkerObserver {
    /// Its shard of every counter. No other observer may have the same number at the same time.
    worker: usize,
    queue: Arc<Queue>,
    lines: RefCell<Lines>,
}

/// Lines that are not handed in yet.
#[derive(Debug)]
struct Lines {
    batch: Batch,
    calendar: Calendar,
}

/// A request that the HTTP layer answered before an exchange could be opened: its head could not be
/// read.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The connection's peer, or who a trusted proxy says it is.
    pub client: SocketAddr,
    /// Place in `plan.frontends`.
    pub frontend: u32,
    /// Why.
    pub reason: Reason,
    /// What was answered; 0 when the connection was only closed.
    pub status: u16,
    /// Of the snapshot that the connection ran under.
    pub generation: u64,
    /// When the first byte of the head came.
    pub began: Instant,
    /// When it was answered.
    pub ended: Instant,
    /// The same on the calendar.
    pub wall: SystemTime,
}

impl WorkerObserver {
    /// The observer of worker number `worker`, counted from 0, below the number that the metrics
    /// were made for.
    pub fn new(worker: usize, access_log: &AccessLogHandle) -> Self {
        Self {
            worker,
            queue: Arc::clone(access_log.queue()),
            lines: RefCell::new(Lines {
                batch: Batch::default(),
                calendar: Calendar::new(),
            }),
        }
    }

    /// Counts a client connection of `frontend`.
    #[inline]
    pub fn accepted(&self, frontend: &FrontendMetrics) {
        frontend.accepted(self.worker);
    }

    /// Counts and logs an exchange that is over. `plan` is the one that it ran under; `server_of`
    /// finds a server's counters by its places there.
    pub fn finish<'a>(
        &self,
        exchange: &Exchange,
        plan: &Plan,
        frontend: &FrontendMetrics,
        server_of: impl Fn(u32, u32) -> Option<&'a ServerMetrics>,
    ) {
        let opening = &exchange.opening;
        let ended = exchange.ended.get().unwrap_or_else(clock::now);
        let total = ended.saturating_duration_since(opening.began);
        let reason = exchange.reason.get();
        let status = status_label(exchange.status.get(), reason);
        let attempt = exchange.attempt.get();
        let failed = exchange.failed.borrow();

        frontend.finished(
            self.worker,
            &Finished {
                status,
                reason,
                duration: total,
                body_bytes_in: exchange.body_bytes_in.get(),
                body_bytes_out: exchange.body_bytes_out.get(),
            },
        );
        for attempt in failed.iter().chain(&attempt) {
            if let Some(server) = server_of(attempt.backend, attempt.server) {
                server.attempted(self.worker, attempt);
            }
        }
        if !self.queue.is_on() {
            return;
        }

        let names = Names::of(exchange, attempt.as_ref(), plan);
        let queued = exchange.queued.get();
        let has_queued = !queued.is_zero() || attempt.is_some() || !failed.is_empty();
        self.log(
            &Entry {
                wall: opening.wall,
                frontend: names.frontend,
                route: names.route,
                backend: names.backend,
                server: names.server,
                client: opening.client,
                request: Some((&opening.method, &opening.target, opening.version)),
                status,
                reason,
                id: Some(&opening.id),
                generation: opening.generation,
                attempts: failed.len() + usize::from(attempt.is_some()),
                failed: &failed,
                body_bytes_in: exchange.body_bytes_in.get(),
                body_bytes_out: exchange.body_bytes_out.get(),
                times: Times {
                    head: Some(opening.head_read.saturating_duration_since(opening.began)),
                    queue: has_queued.then_some(queued),
                    connect: attempt.and_then(|attempt| attempt.connect),
                    response: attempt.and_then(|attempt| attempt.response),
                    total,
                },
            },
            plan,
        );
    }

    /// Counts and logs a request without an exchange.
    pub fn refused(&self, refusal: &Refusal, plan: &Plan, frontend: &FrontendMetrics) {
        let total = refusal.ended.saturating_duration_since(refusal.began);
        let status = status_label(refusal.status, Some(refusal.reason));
        frontend.finished(
            self.worker,
            &Finished {
                status,
                reason: Some(refusal.reason),
                duration: total,
                body_bytes_in: 0,
                body_bytes_out: 0,
            },
        );
        if !self.queue.is_on() {
            return;
        }
        let frontend = plan.frontends.get(refusal.frontend as usize);
        self.log(
            &Entry {
                wall: refusal.wall,
                frontend: frontend.map(|frontend| frontend.name.as_str()),
                route: None,
                backend: None,
                server: None,
                client: refusal.client,
                request: None,
                status,
                reason: Some(refusal.reason),
                id: None,
                generation: refusal.generation,
                attempts: 0,
                failed: &[],
                body_bytes_in: 0,
                body_bytes_out: 0,
                times: Times {
                    head: None,
                    queue: None,
                    connect: None,
                    response: None,
                    total,
                },
            },
            plan,
        );
    }

    /// Hands the lines so far to the writer. For the worker's ticker, every tenth of a second or
    /// so; a full buffer does not wait for it.
    pub fn flush(&self) {
        let lines = &mut *self.lines.borrow_mut();
        if lines.batch.lines > 0 {
            self.hand_in(lines);
        }
    }

    fn log(&self, entry: &Entry<'_>, plan: &Plan) {
        let lines = &mut *self.lines.borrow_mut();
        write_line(&mut lines.batch.bytes, &mut lines.calendar, entry, plan);
        lines.batch.lines += 1;
        if lines.batch.bytes.len() >= FLUSH_BYTES {
            self.hand_in(lines);
        }
    }

    #[cold]
    fn hand_in(&self, lines: &mut Lines) {
        let full = std::mem::take(&mut lines.batch);
        lines.batch = self.queue.push(full);
    }
}

impl Drop for WorkerObserver {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The status that stands in the log and in the metrics.
///
/// Where the client was sent none, the one that it would have been sent, so that every exchange has one.
fn status_label(sent: u16, reason: Option<Reason>) -> u16 {
    if sent != 0 {
        return sent;
    }
    let meant = reason.and_then(Reason::status);
    meant.map_or(CLIENT_LEFT, |status| status.as_u16())
}

/// The names of an exchange's places in its plan.
struct Names<'a> {
    frontend: Option<&'a str>,
    route: Option<&'a str>,
    backend: Option<&'a str>,
    server: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn of(exchange: &Exchange, attempt: Option<&Attempt>, plan: &'a Plan) -> Self {
        let frontend = plan.frontends.get(exchange.opening.frontend as usize);
        let place = exchange.route.get();
        let route = frontend
            .zip(place)
            .and_then(|(frontend, route)| frontend.routes.get(route as usize));
        let place = attempt
            .map(|attempt| attempt.backend)
            .or(exchange.backend.get());
        let backend = place.and_then(|backend| plan.backends.get(backend as usize));
        let server = backend
            .zip(attempt)
            .and_then(|(backend, attempt)| backend.servers.get(attempt.server as usize));
        Self {
            frontend: frontend.map(|frontend| frontend.name.as_str()),
            route: route.map(|route| route.name.as_str()),
            backend: backend.map(|backend| backend.name.as_str()),
            server: server.map(|server| server.name.as_str()),
        }
    }
}
