//! Exchanges that wait because every server is at its limit.
//!
//! One queue for each backend, first come, first served, across all workers. A slot that becomes
//! free is handed to the first waiter without being given back in between, so that no later
//! exchange can take it. While servers have free slots, an exchange only reads one counter.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::server::Server;

/// The queue of one backend. It belongs to the backend's name and outlives a reload.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// How many wait. Written under the lock; read without it when a slot is given back.
    ///
    /// `SeqCst`, with a fence between it and the check of the free slots on one side, and the
    /// release of a slot on the other: either a new waiter sees the slot that was given back, or
    /// the exchange that gives it back sees the new waiter.
    waiting: AtomicUsize,
    line: Mutex<VecDeque<Arc<Waiter>>>,
}

#[derive(Debug)]
struct Waiter {
    state: Mutex<State>,
}

/// The state of a waiter.
#[derive(Debug)]
enum State {
    /// In the queue.
    Waiting(Option<Waker>),
    /// The servers changed: look again, and keep the position.
    LookAgain,
    /// The waiter has a slot at this server, and has left the queue.
    Granted(Arc<Server>),
    /// The waiter has left the queue and has no slot.
    Gone,
}

/// Why a waiter woke up.
pub(super) enum Woken {
    /// A slot at this server is the waiter's, to use or to give back.
    Granted(Arc<Server>),
    /// The backend's servers changed.
    LookAgain,
}

/// A position in the queue; dropping it leaves the queue and gives back a slot that was granted
/// meanwhile.
pub(super) struct Ticket<'a> {
    queue: &'a Queue,
    waiter: Arc<Waiter>,
}

/// The queue has as many waiters as it may have.
pub(super) struct Full;

impl Queue {
    /// How many exchanges wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// A ticket for the end of the queue.
    pub(super) fn join(&self, max: usize) -> Result<Ticket<'_>, Full> {
        let mut line = lock(&self.line);
        if line.len() >= max {
            return Err(Full);
        }
        let waiter = Arc::new(Waiter {
            state: Mutex::new(State::Waiting(None)),
        });
        line.push_back(Arc::clone(&waiter));
        self.waiting.store(line.len(), Ordering::SeqCst);
        // Before the check of the free slots that follows: see `waiting`.
        fence(Ordering::SeqCst);
        Ok(Ticket {
            queue: self,
            waiter,
        })
    }

    /// Hands the slot at `server` that its holder is about to give back to the first waiter.
    /// `false`: there is no waiter, and the slot must be given back.
    fn hand_over(&self, server: &Arc<Server>) -> bool {
        if self.len() == 0 {
            return false;
        }
        let mut line = lock(&self.line);
        let Some(first) = line.pop_front() else {
            return false;
        };
        self.waiting.store(line.len(), Ordering::SeqCst);
        first.become_(State::Granted(Arc::clone(server)));
        let_first_look(&line);
        true
    }

    /// Gives back a slot at `server`: to the first waiter, else to the server.
    pub(super) fn give_back(&self, server: &Arc<Server>) {
        if !self.hand_over(server) {
            self.release(server);
        }
    }

    /// Gives a slot at `server` back to the server; waiters may look for it.
    pub(super) fn release(&self, server: &Server) {
        server.release();
        fence(Ordering::SeqCst);
        // A waiter that joined between the check and the release saw a full server.
        self.look_again();
    }

    /// Makes all waiters look again, in their order: a server came up, or got a higher limit.
    pub(super) fn look_again(&self) {
        if self.len() == 0 {
            return;
        }
        for waiter in lock(&self.line).iter() {
            waiter.become_(State::LookAgain);
        }
    }

    fn leave(&self, waiter: &Arc<Waiter>) {
        let mut line = lock(&self.line);
        let was_first = line.front().is_some_and(|first| Arc::ptr_eq(first, waiter));
        line.retain(|other| !Arc::ptr_eq(other, waiter));
        self.waiting.store(line.len(), Ordering::SeqCst);
        if was_first {
            let_first_look(&line);
        }
    }
}

impl Ticket<'_> {
    /// Waits until the state changes.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a slot that was granted meanwhile goes to the next waiter when the ticket is dropped.
    pub(super) async fn woken(&self) -> Woken {
        poll_fn(|cx| self.poll_woken(cx)).await
    }

    fn poll_woken(&self, cx: &mut Context<'_>) -> Poll<Woken> {
        let mut state = lock(&self.waiter.state);
        match &mut *state {
            State::Waiting(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            State::LookAgain => {
                *state = State::Waiting(None);
                Poll::Ready(Woken::LookAgain)
            }
            State::Granted(server) => {
                let server = Arc::clone(server);
                *state = State::Gone;
                Poll::Ready(Woken::Granted(server))
            }
            State::Gone => Poll::Pending,
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.queue.leave(&self.waiter);
        let left = std::mem::replace(&mut *lock(&self.waiter.state), State::Gone);
        if let State::Granted(server) = left {
            self.queue.give_back(&server);
        }
    }
}

impl Waiter {
    fn become_(&self, next: State) {
        let mut state = lock(&self.state);
        // A grant is never overwritten: a waiter that has one is not in the queue any more.
        let before = std::mem::replace(&mut *state, next);
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

/// Makes the new first waiter look once. A server that a reload has added may be free; earlier
/// waiters, which run under the older snapshot, could not use it.
fn let_first_look(line: &VecDeque<Arc<Waiter>>) {
    if let Some(first) = line.front() {
        first.become_(State::LookAgain);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // After a panic the data is still consistent: each section under the lock changes it in one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::base::Name;
    use crate::exchange::ServerMetrics;
    use crate::proxy::backend::{Health, Wanted};

    fn server() -> Arc<Server> {
        let wanted = Wanted {
            name: Name::new("a").expect("a name"),
            address: SocketAddr::from(([127, 0, 0, 1], 1)).into(),
            weight: 1,
            max_connections: Some(1),
            backup: false,
            own: Default::default(),
        };
        let metrics = Arc::new(ServerMetrics::new(1));
        let server = Server::new(&wanted, metrics, Health::Up, "test");
        assert!(server.try_acquire());
        Arc::new(server)
    }

    fn poll(ticket: &Ticket<'_>) -> Poll<Woken> {
        ticket.poll_woken(&mut Context::from_waker(Waker::noop()))
    }

    fn is_granted(ticket: &Ticket<'_>) -> bool {
        matches!(poll(ticket), Poll::Ready(Woken::Granted(_)))
    }

    #[test]
    fn the_first_in_line_gets_the_slot() {
        let (queue, server) = (Queue::default(), server());
        let first = queue.join(9).ok().expect("room");
        let second = queue.join(9).ok().expect("room");
        assert!(queue.hand_over(&server));
        assert!(!is_granted(&second));
        assert!(is_granted(&first));
        assert_eq!(server.in_flight(), 1, "the slot was never free");
    }

    #[test]
    fn a_grant_that_is_not_taken_goes_to_the_next() {
        let (queue, server) = (Queue::default(), server());
        let first = queue.join(9).ok().expect("room");
        let second = queue.join(9).ok().expect("room");
        assert!(queue.hand_over(&server));
        drop(first);
        assert!(is_granted(&second));
        drop(second);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_grant_without_a_waiter_is_given_back() {
        let (queue, server) = (Queue::default(), server());
        let only = queue.join(9).ok().expect("room");
        assert!(queue.hand_over(&server));
        drop(only);
        assert_eq!(server.in_flight(), 0);
        assert!(!queue.hand_over(&server));
    }

    #[test]
    fn the_queue_has_a_limit() {
        let queue = Queue::default();
        let _first = queue.join(1).ok().expect("room");
        assert!(queue.join(1).is_err());
        assert!(Queue::default().join(0).is_err());
    }

    #[test]
    fn a_waiter_that_is_polled_again_keeps_its_turn() {
        let (queue, server) = (Queue::default(), server());
        let first = queue.join(9).ok().expect("room");
        let _second = queue.join(9).ok().expect("room");
        queue.look_again();
        assert!(matches!(poll(&first), Poll::Ready(Woken::LookAgain)));
        assert!(queue.hand_over(&server));
        assert!(is_granted(&first));
    }
}
