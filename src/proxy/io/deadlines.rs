//! The deadlines of one exchange, without a timer of their own.
//!
//! Arming a timer for each step of each request costs more than the step. The rooms only write
//! down until when they are willing to wait; the connection's one timer reads the earliest of these
//! (`http`, `tcp`), and when it has passed, marks it as fired. The code that waits sees the mark at the
//! next poll, which is the same poll: all of an exchange runs in its connection's task.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::base::clock::{self, Duration, Instant};
use crate::exchange::Reason;

/// Until when an exchange waits, and for what.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// While we wait for a piece of the request body. It hides `server`: a server that has not got
    /// the whole request yet is not late with its answer. Written by the request body.
    client: Cell<Option<Due>>,
    /// While we wait for a slot, a connection, a response head or a piece of its body. Written by
    /// `forward`.
    server: Cell<Option<Due>>,
    /// What `server` was made with.
    server_patience: Cell<Duration>,
    /// For the server's `100 Continue`: nothing fails when it passes. Written by `forward`.
    nudge: Cell<Option<Instant>>,
    /// For a look whether the server takes the request: nothing fails when it passes, but nothing of
    /// the server's does before it. Written by [`UploadProgress`](super::UploadProgress).
    look: Cell<Option<Instant>>,
    /// Whether it has passed.
    look_is_due: Cell<bool>,
    /// For the whole exchange. Written once, by `handle`.
    exchange: Cell<Option<Due>>,
    /// What has passed. Written by the task that holds the timer.
    fired: Cell<Option<Fired>>,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    reason: Reason,
}

/// A deadline that has passed.
#[derive(Clone, Copy, Debug)]
struct Fired {
    reason: Reason,
    /// Whose it was.
    of: Of,
}

/// What a deadline ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// The exchange.
    Exchange,
    /// One attempt: another one has its own.
    Attempt,
}

impl Deadlines {
    /// An attempt begins, and what the one before it was late for is over.
    pub fn begin_attempt(&self) {
        if self
            .fired
            .get()
            .is_some_and(|fired| fired.of == Of::Attempt)
        {
            self.fired.set(None);
        }
    }

    /// Bounds the whole exchange.
    pub fn bound_exchange(&self, at: Instant) {
        let reason = Reason::ExchangeTimeout;
        self.exchange.set(Some(Due { at, reason }));
    }

    /// From now on we wait for the client.
    pub fn wait_for_client(&self, timeout: Duration, reason: Reason) {
        if self.client.get().is_none() {
            let at = clock::now() + timeout;
            self.client.set(Some(Due { at, reason }));
        }
    }

    /// A piece of the request came from the client.
    pub fn client_came(&self) {
        self.client.set(None);
        self.server_moved();
    }

    /// Whether we wait for the client.
    pub fn is_waiting_for_client(&self) -> bool {
        self.client.get().is_some()
    }

    /// From now on we wait for the server.
    pub fn wait_for_server(&self, timeout: Duration, reason: Reason) {
        self.wait_for_server_since(clock::now(), timeout, reason);
    }

    /// The same, from `start` on. Each piece that the client sends meanwhile starts the wait anew: a
    /// server is late from the last byte of the request on.
    pub fn wait_for_server_since(&self, start: Instant, timeout: Duration, reason: Reason) {
        let at = start + timeout;
        self.server.set(Some(Due { at, reason }));
        self.server_patience.set(timeout);
    }

    /// The server cannot have done yet what we wait for: its time begins anew.
    pub fn server_moved(&self) {
        if let Some(Due { reason, .. }) = self.server.get() {
            self.wait_for_server(self.server_patience.get(), reason);
        }
    }

    /// The server did what we waited for.
    pub fn server_came(&self) {
        self.server.set(None);
        self.look.set(None);
    }

    /// Since when the server is waited for, and for how long.
    pub fn server_wait(&self) -> Option<(Instant, Duration)> {
        let due = self.server.get()?;
        let timeout = self.server_patience.get();
        Some((due.at - timeout, timeout))
    }

    /// Asks to be polled at `at` for a look at the server.
    pub fn look_at(&self, at: Option<Instant>) {
        self.look.set(at);
    }

    /// Whether it is time for that look.
    pub fn takes_look(&self) -> bool {
        self.look_is_due.take()
    }

    /// Whether a wait for the server is written down.
    pub fn is_waiting_for_server(&self) -> bool {
        self.server.get().is_some()
    }

    /// Asks to be polled at `at`, whatever else happens; `None` takes that back.
    pub fn nudge_at(&self, at: Option<Instant>) {
        self.nudge.set(at);
    }

    /// Marks what is due at `now` and says what it is; where nothing is, marks the nudge and the look. The
    /// task with the connection's timer calls it: deadlines fire nowhere else.
    pub fn pass(&self, now: Instant) -> Option<Reason> {
        let fired = self.fire(now);
        if fired.is_none() {
            self.nudge(now);
        }
        fired
    }

    fn nudge(&self, now: Instant) {
        let has_passed = |cell: &Cell<Option<Instant>>| {
            let has_passed = cell.get().is_some_and(|at| at <= now);
            if has_passed {
                cell.set(None);
            }
            has_passed
        };
        has_passed(&self.nudge);
        if has_passed(&self.look) {
            self.look_is_due.set(true);
        }
    }

    /// The earliest moment at which something is due.
    pub fn earliest(&self) -> Option<Instant> {
        let waiting = self.client.get().or(self.server.get()).map(|due| due.at);
        let exchange = self.exchange.get().map(|due| due.at);
        [waiting, exchange, self.nudge.get(), self.look.get()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Marks what is due at `now` and says what it is. It is not due a second time.
    fn fire(&self, now: Instant) -> Option<Reason> {
        let waiting = if self.client.get().is_some() {
            (&self.client, Of::Exchange)
        } else if self.look.get().is_some_and(|at| at <= now) {
            return None;
        } else {
            (&self.server, Of::Attempt)
        };
        let (cell, of, due) = [waiting, (&self.exchange, Of::Exchange)]
            .into_iter()
            .filter_map(|(cell, of)| Some((cell, of, cell.get()?)))
            .filter(|(_, _, due)| due.at <= now)
            .min_by_key(|(_, _, due)| due.at)?;
        cell.set(None);
        let reason = due.reason;
        self.fired.set(Some(Fired { reason, of }));
        Some(reason)
    }

    /// Waits for nothing any more: the exchange is being answered.
    pub fn clear(&self) {
        for cell in [&self.client, &self.server, &self.exchange] {
            cell.set(None);
        }
        for cell in [&self.nudge, &self.look] {
            cell.set(None);
        }
        self.fired.set(None);
    }

    /// What has passed.
    #[inline]
    pub fn fired(&self) -> Option<Reason> {
        self.fired.get().map(|fired| fired.reason)
    }

    /// Waits for `time`, unless a deadline passes first.
    ///
    /// # Errors
    ///
    /// The reason of the deadline that passed.
    pub async fn pause(&self, time: Duration) -> Result<(), Reason> {
        let until = clock::now() + time;
        let waited = self.unless_due(std::future::poll_fn(|_| {
            if clock::now() >= until {
                return Poll::Ready(());
            }
            self.nudge_at(Some(until));
            Poll::Pending
        }));
        let waited = waited.await;
        self.nudge_at(None);
        waited
    }

    /// What `future` gives, unless a deadline passes first.
    ///
    /// # Errors
    ///
    /// The reason of the deadline that passed.
    pub async fn unless_due<F: Future>(&self, future: F) -> Result<F::Output, Reason> {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| self.poll_unless_due(cx, future.as_mut())).await
    }

    /// What `opening`, a connection to a server, comes to within `timeout`.
    ///
    /// # Errors
    ///
    /// The reason of the deadline that passed.
    pub async fn while_connecting<F: Future>(
        &self,
        timeout: Duration,
        opening: F,
    ) -> Result<F::Output, Reason> {
        self.wait_for_server(timeout, Reason::ServerConnectTimeout);
        let outcome = self.unless_due(opening).await;
        self.server_came();
        outcome
    }

    fn poll_unless_due<F: Future>(
        &self,
        cx: &mut Context<'_>,
        future: Pin<&mut F>,
    ) -> Poll<Result<F::Output, Reason>> {
        match self.fired() {
            Some(reason) => Poll::Ready(Err(reason)),
            None => future.poll(cx).map(Ok),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_is_not_the_servers_fault() {
        let deadlines = Deadlines::default();
        let start = clock::now();
        deadlines.wait_for_server(SECOND, Reason::ServerResponseTimeout);
        deadlines.wait_for_client(5 * SECOND, Reason::RequestBodyTimeout);
        assert_eq!(deadlines.earliest(), Some(start + 5 * SECOND));
        assert_eq!(deadlines.pass(start + 2 * SECOND), None);
        let fired = deadlines.pass(start + 5 * SECOND);
        assert_eq!(fired, Some(Reason::RequestBodyTimeout));
        assert_eq!(deadlines.fired(), fired);
    }

    #[tokio::test(start_paused = true)]
    async fn the_exchange_is_bounded_whichever_side_we_wait_for() {
        let deadlines = Deadlines::default();
        let start = clock::now();
        deadlines.bound_exchange(start + SECOND);
        deadlines.wait_for_client(5 * SECOND, Reason::RequestBodyTimeout);
        assert_eq!(deadlines.earliest(), Some(start + SECOND));
        assert_eq!(
            deadlines.pass(start + SECOND),
            Some(Reason::ExchangeTimeout)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_on_does_not_move_the_clients_deadline() {
        let deadlines = Deadlines::default();
        let start = clock::now();
        deadlines.wait_for_client(5 * SECOND, Reason::RequestBodyTimeout);
        clock::sleep(SECOND).await;
        deadlines.wait_for_client(5 * SECOND, Reason::RequestBodyTimeout);
        assert_eq!(deadlines.earliest(), Some(start + 5 * SECOND));
        deadlines.client_came();
        assert_eq!(deadlines.earliest(), None);
    }
    #[tokio::test(start_paused = true)]
    async fn a_server_is_looked_at_before_its_time_is_over() {
        let deadlines = Deadlines::default();
        let start = clock::now();
        deadlines.wait_for_server(SECOND, Reason::ServerResponseTimeout);
        assert_eq!(deadlines.server_wait(), Some((start, SECOND)));
        deadlines.look_at(Some(start + SECOND));
        assert_eq!(deadlines.pass(start + SECOND), None);
        assert!(deadlines.takes_look());
        // It has moved; and then it has not.
        clock::sleep(SECOND).await;
        deadlines.server_moved();
        assert_eq!(deadlines.earliest(), Some(start + 2 * SECOND));
        let fired = deadlines.pass(start + 2 * SECOND);
        assert_eq!(fired, Some(Reason::ServerResponseTimeout));
        assert!(!deadlines.takes_look());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_polled_early_is_not_forgotten_by_another() {
        let deadlines = Deadlines::default();
        let start = clock::now();
        deadlines.nudge_at(Some(start + 2 * SECOND));
        deadlines.look_at(Some(start + SECOND));
        assert_eq!(deadlines.pass(start + SECOND), None);
        assert_eq!(deadlines.earliest(), Some(start + 2 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_attempt_was_late_for_does_not_end_the_next() {
        let deadlines = Deadlines::default();
        let start = clock::now();
        deadlines.wait_for_server(SECOND, Reason::ServerConnectTimeout);
        deadlines.pass(start + SECOND);
        assert_eq!(deadlines.fired(), Some(Reason::ServerConnectTimeout));
        deadlines.begin_attempt();
        assert_eq!(deadlines.fired(), None);
        deadlines.bound_exchange(start + SECOND);
        deadlines.pass(start + SECOND);
        deadlines.begin_attempt();
        assert_eq!(deadlines.fired(), Some(Reason::ExchangeTimeout));
    }
}
