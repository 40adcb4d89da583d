//! One timer for a whole connection, armed rarely.
//!
//! A deadline that moves further away with each request must not touch the timer wheel each time.
//! The timer stays armed for the earlier moment, fires there, finds that nothing is due yet and is
//! armed anew: about once a second on a busy connection. Only a deadline that comes *before* the
//! armed moment re-arms it at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::base::clock::{self, Instant, Sleep};

/// A timer for a moment that may change.
pub struct Timer {
    /// Made when first needed: a connection that closes at once never has one.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// A timer that is not armed.
    pub fn new() -> Self {
        Self { sleep: None }
    }

    /// Ready when `due` has passed, with the present moment.
    pub fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<Instant> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(clock::sleep_until(due)));
        if due < sleep.deadline() {
            sleep.as_mut().reset(due);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            let now = clock::now();
            if now >= due {
                return Poll::Ready(now);
            }
            sleep.as_mut().reset(due);
        }
    }

    /// The same where there may be no deadline; then it is never ready.
    pub fn poll_any(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<Instant> {
        match due {
            Some(due) => self.poll(cx, due),
            None => Poll::Pending,
        }
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::base::clock::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_may_move_both_ways() {
        let mut timer = Timer::new();
        let start = clock::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = poll_fn(|cx| Poll::Ready(timer.poll(cx, at(5)))).await;
        assert!(first.is_pending());
        poll_fn(|cx| timer.poll(cx, at(2))).await;
        assert_eq!(clock::now(), at(2));
        poll_fn(|cx| timer.poll(cx, at(9))).await;
        assert_eq!(clock::now(), at(9));
    }

    #[tokio::test(start_paused = true)]
    async fn a_past_deadline_is_due_at_once() {
        let mut timer = Timer::new();
        let start = clock::now();
        clock::sleep(Duration::from_secs(3)).await;
        let now = poll_fn(|cx| timer.poll(cx, start)).await;
        assert_eq!(now, start + Duration::from_secs(3));
    }
}
