//! The deadlines of an HTTP/1 connection while an exchange is open on it.

use std::task::{Context, Poll, ready};

use crate::base::clock::{self, Duration, Instant};
use crate::exchange::Reason;
use crate::proxy::io::Look;

use super::active_period::ActivePeriod;
use super::verdict::Due;

/// How often a check is made whether a client has closed, while its upload waits for the server.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl ActivePeriod<'_> {
    /// Ready when a deadline of the open exchange has passed.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        if self.must_make_room(cx) {
            return Poll::Ready(Due::End(self.cut(Reason::ProxyDescriptors)));
        }
        self.plan_look();
        let due = self.due();
        let now = ready!(self.timer.poll_any(cx, due));
        Poll::Ready(self.passed(now, cx))
    }

    /// The first deadline, if there is one.
    fn due(&self) -> Option<Instant> {
        let session = &self.session;
        let stalled = match self.blocked.is_so() {
            true => self.blocked.due(session.client.timeouts().body),
            false => None,
        };
        let waiting = match session.exchange() {
            Some(exchange) if exchange.ended().is_none() => exchange.deadlines.earliest(),
            // The last bytes of the response are being sent.
            _ => None,
        };
        [stalled, waiting, self.look_at].into_iter().flatten().min()
    }

    /// Handles a passed deadline of [`ActivePeriod::due`].
    fn passed(&mut self, now: Instant, cx: &Context<'_>) -> Due {
        let body = self.session.client.timeouts().body;
        match self.blocked.look(now, body, || self.socket.progress()) {
            Look::NotDue => {}
            Look::Taking => return Due::Notified,
            Look::Waiting(since) => {
                self.may_make_room(since, cx);
                return Due::Notified;
            }
            Look::Stalled => return Due::End(self.cut(Reason::ClientStalled)),
        }
        if self.look_at.is_some_and(|at| now >= at) {
            self.look_at = None;
            if self.socket.has_peer_left(self.terms.half_close) {
                return Due::End(self.client_left());
            }
            return Due::Notified;
        }
        let Some(exchange) = self.session.exchange() else {
            return Due::Notified;
        };
        match exchange.deadlines.pass(now) {
            None => Due::Notified,
            Some(_) if exchange.record.status.get() == 0 => Due::Notified,
            Some(reason) => self.break_off(reason),
        }
    }

    /// Ends the response early, after the bytes gathered before are written.
    fn break_off(&mut self, reason: Reason) -> Due {
        if self.is_all_sent() {
            return Due::End(self.cut(reason));
        }
        if let Some(exchange) = self.session.exchange() {
            exchange.cut(reason);
        }
        self.responding.break_off();
        Due::Notified
    }

    /// While a request is incomplete, it is read only as fast as the server takes it, and while the next one
    /// waits nothing is read, so a client that closes is not noticed. So this checks from time to time.
    fn plan_look(&mut self) {
        let has_more = self.socket.has_read();
        let is_blind = self.session.exchange().is_some_and(|exchange| {
            exchange.ended().is_none() && (has_more || !exchange.request_complete.get())
        });
        if !is_blind {
            self.look_at = None;
        } else if self.look_at.is_none() {
            self.look_at = Some(clock::now() + LOOK_EVERY);
        }
    }

    /// Whether the exchange must end because its client takes nothing and others need its
    /// descriptors.
    fn must_make_room(&mut self, cx: &Context<'_>) -> bool {
        let Some(entry) = &self.stalled else {
            return false;
        };
        if self.blocked.since() != Some(entry.since()) {
            self.stalled = None;
            return false;
        }
        entry.must_end(cx)
    }

    /// Enters the exchange among those that may be ended: a check found that nothing was taken.
    fn may_make_room(&mut self, since: Instant, cx: &Context<'_>) {
        let session = &self.session;
        let is_open = session
            .exchange()
            .is_some_and(|exchange| exchange.ended().is_none());
        if self.stalled.is_none() && is_open {
            self.stalled = Some(session.client.context.stalled.enter(since, cx));
        }
    }
}
