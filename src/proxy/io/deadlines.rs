//! The deadlines of one exchange and of its attempts, without timers of their own.
//!
//! Arming a timer for each step of each request costs more than the step. The rooms only write down
//! their deadlines; the connection's one timer takes the earliest of them (`http`, `tcp`), and when
//! it has passed, marks it as fired. The waiting code sees the mark at the next poll, which is the
//! same poll: all of an exchange runs in its connection's task.
//!
//! Each attempt has deadlines of its own, so that a late server ends its own attempt and no other.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::base::clock::{self, Duration, Instant};
use crate::exchange::{AttemptIndex, Reason};

/// The most attempts of one exchange that run at once.
const AT_ONCE: usize = 2;

/// The deadlines of an exchange, each with its reason.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// While we wait for a piece of the request body. It hides those of the attempts: a server that has not
    /// got the whole request yet is not late with its answer. Written by the request body.
    client: Cell<Option<Due>>,
    /// For the server's `100 Continue`: nothing fails when it passes. Written by `forward`.
    nudge: Cell<Option<Instant>>,
    /// For the whole exchange. Written once, by `handle`.
    exchange: Cell<Option<Due>>,
    /// Which of these has passed. Written by the task that holds the timer.
    fired: Cell<Option<Reason>>,
    /// The deadlines of the running attempts.
    attempts: [OfAttempt; AT_ONCE],
}

/// The deadlines of one attempt.
#[derive(Debug, Default)]
struct OfAttempt {
    /// While we wait for a slot, a connection, a response head or a piece of its body. Written by
    /// `forward`.
    server: Cell<Option<Due>>,
    /// The timeout of `server`.
    server_timeout: Cell<Duration>,
    /// For a check whether the server takes the request: nothing fails when it passes, but no
    /// deadline of the server fires before it. Written by
    /// [`UploadProgress`](super::UploadProgress).
    look: Cell<Option<Instant>>,
    /// Whether it has passed.
    look_is_due: Cell<bool>,
    /// The reason of the deadline that has passed. Written by the task that holds the timer.
    fired: Cell<Option<Reason>>,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    reason: Reason,
}

/// The deadlines of one attempt, together with those of the exchange, which end it too.
#[derive(Clone, Copy, Debug)]
pub struct AttemptDeadlines<'a> {
    all: &'a Deadlines,
    own: &'a OfAttempt,
}

impl Deadlines {
    /// Those of the attempt `index`.
    #[inline]
    pub fn of(&self, index: AttemptIndex) -> AttemptDeadlines<'_> {
        AttemptDeadlines {
            all: self,
            own: &self.attempts[index.slot(AT_ONCE)],
        }
    }

    /// Bounds the whole exchange.
    pub fn bound_exchange(&self, at: Instant) {
        let reason = Reason::ExchangeTimeout;
        self.exchange.set(Some(Due { at, reason }));
    }

    /// From now on the exchange waits for the client.
    pub fn wait_for_client(&self, timeout: Duration, reason: Reason) {
        if self.client.get().is_none() {
            let at = clock::now() + timeout;
            self.client.set(Some(Due { at, reason }));
        }
    }

    /// A piece of the request came from the client: no server could have answered before.
    pub fn client_came(&self) {
        self.client.set(None);
        self.attempts.iter().for_each(OfAttempt::server_moved);
    }

    /// Whether the exchange waits for the client.
    pub fn is_waiting_for_client(&self) -> bool {
        self.client.get().is_some()
    }

    /// Asks to be polled at `at`, in any case; `None` cancels that.
    pub fn nudge_at(&self, at: Option<Instant>) {
        self.nudge.set(at);
    }

    /// Marks the deadlines that have passed at `now` and returns the reason; if none has, marks the
    /// nudge and the look. The task with the connection's timer calls it: deadlines fire nowhere
    /// else.
    pub fn pass(&self, now: Instant) -> Option<Reason> {
        let fired = self.fire(now);
        if fired.is_none() {
            has_passed(&self.nudge, now);
            for attempt in &self.attempts {
                if has_passed(&attempt.look, now) {
                    attempt.look_is_due.set(true);
                }
            }
        }
        fired
    }

    /// The earliest deadline.
    pub fn earliest(&self) -> Option<Instant> {
        let at = |cell: &Cell<Option<Due>>| cell.get().map(|due| due.at);
        let client = at(&self.client);
        let mut earliest = client;
        let mut sooner = |other: Option<Instant>| {
            earliest = match (earliest, other) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        };
        for attempt in &self.attempts {
            if client.is_none() {
                sooner(at(&attempt.server));
            }
            sooner(attempt.look.get());
        }
        sooner(at(&self.exchange));
        sooner(self.nudge.get());
        earliest
    }

    /// Marks the deadline that has passed at `now` and returns its reason. It does not fire twice.
    fn fire(&self, now: Instant) -> Option<Reason> {
        let whole = [&self.client, &self.exchange]
            .into_iter()
            .filter_map(|cell| Some((cell, cell.get().filter(|due| due.at <= now)?)))
            .min_by_key(|(_, due)| due.at);
        if !self.is_waiting_for_client() {
            let until = whole.map_or(now, |(_, due)| due.at);
            let late = self.attempts.iter().map(|one| one.fire(now, until));
            // Each is marked as passed; the first one is returned.
            if let Some(reason) = late.fold(None, Option::or) {
                return Some(reason);
            }
        }
        let (cell, due) = whole?;
        cell.set(None);
        self.fired.set(Some(due.reason));
        Some(due.reason)
    }

    /// Clears all deadlines: the exchange is being answered.
    pub fn clear(&self) {
        for cell in [&self.client, &self.exchange] {
            cell.set(None);
        }
        self.nudge.set(None);
        self.fired.set(None);
        self.attempts.iter().for_each(OfAttempt::clear);
    }

    /// Waits for `time`, unless a deadline of the whole exchange passes first.
    ///
    /// # Errors
    ///
    /// The reason of the deadline that passed.
    pub async fn pause(&self, time: Duration) -> Result<(), Reason> {
        let until = clock::now() + time;
        let waited = std::future::poll_fn(|_| {
            if let Some(reason) = self.fired.get() {
                return Poll::Ready(Err(reason));
            }
            if clock::now() >= until {
                return Poll::Ready(Ok(()));
            }
            self.nudge_at(Some(until));
            Poll::Pending
        });
        let waited = waited.await;
        self.nudge_at(None);
        waited
    }

    /// The result of `work`, unless a deadline of the whole exchange passes first.
    ///
    /// # Errors
    ///
    /// The reason of the deadline that passed.
    pub async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Reason> {
        let mut work = pin!(work);
        let within = std::future::poll_fn(|cx| match self.fired.get() {
            Some(reason) => Poll::Ready(Err(reason)),
            None => work.as_mut().poll(cx).map(Ok),
        });
        within.await
    }
}

impl OfAttempt {
    fn clear(&self) {
        self.server.set(None);
        self.look.set(None);
        self.look_is_due.set(false);
        self.fired.set(None);
    }

    fn wait_since(&self, start: Instant, timeout: Duration, reason: Reason) {
        let at = start + timeout;
        self.server.set(Some(Due { at, reason }));
        self.server_timeout.set(timeout);
    }

    fn server_moved(&self) {
        if let Some(Due { reason, .. }) = self.server.get() {
            self.wait_since(clock::now(), self.server_timeout.get(), reason);
        }
    }

    /// Marks that the server is late, if its deadline was `until`, unless a check of it is due at
    /// `now`.
    fn fire(&self, now: Instant, until: Instant) -> Option<Reason> {
        if self.look.get().is_some_and(|at| at <= now) {
            return None;
        }
        let due = self.server.get().filter(|due| due.at <= until)?;
        self.server.set(None);
        self.fired.set(Some(due.reason));
        Some(due.reason)
    }
}

impl AttemptDeadlines<'_> {
    /// The attempt begins; deadlines of an earlier one are cleared.
    pub fn begin(self) {
        self.own.clear();
    }

    /// From now on the attempt waits for the server.
    pub fn wait_for_server(self, timeout: Duration, reason: Reason) {
        self.wait_for_server_since(clock::now(), timeout, reason);
    }

    /// The same, from `start` on. Each piece that the client sends meanwhile starts the wait anew: a
    /// server is late from the last byte of the request on.
    pub fn wait_for_server_since(self, start: Instant, timeout: Duration, reason: Reason) {
        self.own.wait_since(start, timeout, reason);
    }

    /// The server cannot have finished yet: its time begins anew.
    pub fn server_moved(self) {
        self.own.server_moved();
    }

    /// The server has done what was waited for.
    pub fn server_came(self) {
        self.own.server.set(None);
        self.own.look.set(None);
    }

    /// Since when the server is waited for, and for how long.
    pub fn server_wait(self) -> Option<(Instant, Duration)> {
        let due = self.own.server.get()?;
        let timeout = self.own.server_timeout.get();
        Some((due.at - timeout, timeout))
    }

    /// Whether the attempt waits for the server.
    pub fn is_waiting_for_server(self) -> bool {
        self.own.server.get().is_some()
    }

    /// Whether the exchange waits for the client.
    pub fn is_waiting_for_client(self) -> bool {
        self.all.is_waiting_for_client()
    }

    /// Asks to be polled at `at` for a check of the server.
    pub fn look_at(self, at: Option<Instant>) {
        self.own.look.set(at);
    }

    /// Whether that check is due; clears the mark.
    pub fn takes_look(self) -> bool {
        self.own.look_is_due.take()
    }

    /// The reason of the deadline that has passed, of the attempt or of the exchange.
    #[inline]
    pub fn fired(self) -> Option<Reason> {
        self.own.fired.get().or(self.all.fired.get())
    }

    /// The output of `future`, unless a deadline passes first.
    ///
    /// # Errors
    ///
    /// The reason of the deadline that passed.
    pub async fn unless_due<F: Future>(self, future: F) -> Result<F::Output, Reason> {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| self.poll_unless_due(cx, future.as_mut())).await
    }

    /// The result of `opening`, a connection to a server, within `timeout`.
    ///
    /// # Errors
    ///
    /// The reason of the deadline that passed.
    pub async fn while_connecting<F: Future>(
        self,
        timeout: Duration,
        opening: F,
    ) -> Result<F::Output, Reason> {
        self.wait_for_server(timeout, Reason::ServerConnectTimeout);
        let outcome = self.unless_due(opening).await;
        self.server_came();
        outcome
    }

    fn poll_unless_due<F: Future>(
        self,
        cx: &mut Context<'_>,
        future: Pin<&mut F>,
    ) -> Poll<Result<F::Output, Reason>> {
        match self.fired() {
            Some(reason) => Poll::Ready(Err(reason)),
            None => future.poll(cx).map(Ok),
        }
    }
}

fn has_passed(cell: &Cell<Option<Instant>>, now: Instant) -> bool {
    let has_passed = cell.get().is_some_and(|at| at <= now);
    if has_passed {
        cell.set(None);
    }
    has_passed
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;
    use crate::base::Name;
    use crate::exchange::{Attempt, Attempts, ServerMetrics, TriedServer};

    const SECOND: Duration = Duration::from_secs(1);

    fn at_a_server() -> Attempt {
        Attempt::at(Rc::new(TriedServer {
            name: Name::new("a").expect("a name"),
            metrics: Arc::new(ServerMetrics::new(1)),
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_is_not_the_servers_fault() {
        let deadlines = Deadlines::default();
        let attempt = deadlines.of(AttemptIndex::default());
        let start = clock::now();
        attempt.wait_for_server(SECOND, Reason::ServerResponseTimeout);
        deadlines.wait_for_client(5 * SECOND, Reason::RequestBodyTimeout);
        assert_eq!(deadlines.earliest(), Some(start + 5 * SECOND));
        assert_eq!(deadlines.pass(start + 2 * SECOND), None);
        let fired = deadlines.pass(start + 5 * SECOND);
        assert_eq!(fired, Some(Reason::RequestBodyTimeout));
        assert_eq!(attempt.fired(), fired);
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
    async fn another_wait_does_not_move_the_clients_deadline() {
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
    async fn a_server_is_checked_before_its_timeout_is_over() {
        let deadlines = Deadlines::default();
        let attempt = deadlines.of(AttemptIndex::default());
        let start = clock::now();
        attempt.wait_for_server(SECOND, Reason::ServerResponseTimeout);
        assert_eq!(attempt.server_wait(), Some((start, SECOND)));
        attempt.look_at(Some(start + SECOND));
        assert_eq!(deadlines.pass(start + SECOND), None);
        assert!(attempt.takes_look());
        // It has moved; and then it has not.
        clock::sleep(SECOND).await;
        attempt.server_moved();
        assert_eq!(deadlines.earliest(), Some(start + 2 * SECOND));
        let fired = deadlines.pass(start + 2 * SECOND);
        assert_eq!(fired, Some(Reason::ServerResponseTimeout));
        assert!(!attempt.takes_look());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_is_polled_early_is_not_lost_by_another() {
        let deadlines = Deadlines::default();
        let start = clock::now();
        deadlines.nudge_at(Some(start + 2 * SECOND));
        deadlines
            .of(AttemptIndex::default())
            .look_at(Some(start + SECOND));
        assert_eq!(deadlines.pass(start + SECOND), None);
        assert_eq!(deadlines.earliest(), Some(start + 2 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_of_one_attempt_does_not_end_another() {
        let deadlines = Deadlines::default();
        let attempts = Attempts::default();
        let begin = || {
            let index = attempts.begin(at_a_server());
            deadlines.of(index).begin();
            deadlines.of(index)
        };
        let start = clock::now();
        let (first, second) = (begin(), begin());
        first.wait_for_server(SECOND, Reason::ServerConnectTimeout);
        second.wait_for_server(2 * SECOND, Reason::ServerResponseTimeout);
        assert_eq!(deadlines.earliest(), Some(start + SECOND));
        deadlines.pass(start + SECOND);
        assert_eq!(first.fired(), Some(Reason::ServerConnectTimeout));
        assert_eq!(second.fired(), None);
        assert_eq!(deadlines.earliest(), Some(start + 2 * SECOND));
        // Nor the one after it.
        let third = begin();
        assert_eq!(third.fired(), None);
        deadlines.bound_exchange(start + SECOND);
        deadlines.pass(start + SECOND);
        let all = [first, second, third].map(AttemptDeadlines::fired);
        assert_eq!(all, [Some(Reason::ExchangeTimeout); 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_passed_deadlines_counts() {
        let deadlines = Deadlines::default();
        let attempt = deadlines.of(AttemptIndex::default());
        let start = clock::now();
        attempt.wait_for_server(2 * SECOND, Reason::ServerResponseTimeout);
        deadlines.bound_exchange(start + SECOND);
        let fired = deadlines.pass(start + 3 * SECOND);
        assert_eq!(fired, Some(Reason::ExchangeTimeout));
        assert_eq!(attempt.fired(), fired);
    }
}
