//! Exchanges that wait because the servers that they may use are at their limit.
//!
//! A backend has one line for exchanges that balancing sends anywhere, and one for each server that a
//! rule has chosen (`use_server`). A slot that becomes free at a server goes to the exchange that
//! has waited longest in either of the two, as in HAProxy: if the server's own line came first, a
//! rule that many requests match would take every slot, and the others would wait for ever; if the
//! common line came first, an exchange that no other server may serve would wait behind exchanges
//! that any server could serve.
//!
//! A slot is handed over without being given back in between, so that no later exchange can take
//! it, across all workers. While servers have free slots, an exchange only reads one counter.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::server::{Server, ServerKey};

/// The queue of one backend. It belongs to the backend's name and outlives a reload.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// How many wait in all lines. Written under the lock; read without it when a slot is given
    /// back.
    ///
    /// `SeqCst`, with a fence between it and the check of the free slots on one side, and the
    /// release of a slot on the other: either a new waiter sees the slot that was given back, or
    /// the exchange that gives it back sees the new waiter.
    waiting: AtomicUsize,
    /// How many of them wait for any server. Written and read as `waiting`.
    waiting_for_any: AtomicUsize,
    lines: Mutex<Lines>,
}

/// The waiters, by the servers that they may use.
#[derive(Debug, Default)]
struct Lines {
    /// The number of the next waiter.
    arrivals: u64,
    /// Those that any server may serve.
    any: Line,
    /// Those that only this server may serve. No line is empty.
    of_servers: HashMap<ServerKey, Line>,
}

/// Waiters by their arrival.
type Line = BTreeMap<u64, Arc<Waiter>>;

#[derive(Debug)]
struct Waiter {
    /// Its turn among all waiters of the backend; it keeps it when it changes lines.
    arrival: u64,
    state: Mutex<State>,
    /// Servers of which it was granted a slot that it could not use: a reload has added them, and its
    /// exchange runs under the settings before. Nearly always empty. Written under the lock of the
    /// lines.
    refused: Mutex<Vec<ServerKey>>,
    /// The backend that its exchange runs under: [`Backend::number`](super::Backend::number).
    backend: u64,
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
    /// Its line: that of this server, or the common one.
    server: Option<Arc<Server>>,
}

/// The line has as many waiters as it may have.
pub(super) struct Full;

impl Queue {
    /// How many exchanges wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// How many exchanges wait for any server.
    pub(super) fn len_of_any(&self) -> usize {
        self.waiting_for_any.load(Ordering::SeqCst)
    }

    /// How many exchanges wait for `server` alone.
    pub(super) fn len_at(&self, server: &Arc<Server>) -> usize {
        if self.len() == 0 {
            return 0;
        }
        let lines = lock(&self.lines);
        let line = lines.of_servers.get(&ServerKey::of(server));
        line.map_or(0, Line::len)
    }

    /// A ticket for the end of the line of `server`, or of the common one. Each line has at most
    /// `max` waiters: one server that is slow does not fill the queue for the others. `backend`: the number
    /// of the backend that the exchange runs under.
    pub(super) fn join(
        &self,
        server: Option<&Arc<Server>>,
        max: usize,
        backend: u64,
    ) -> Result<Ticket<'_>, Full> {
        let mut lines = lock(&self.lines);
        if lines.len_of(server) >= max {
            return Err(Full);
        }
        let waiter = Arc::new(Waiter {
            arrival: lines.arrivals,
            state: Mutex::new(State::Waiting(None)),
            refused: Mutex::default(),
            backend,
        });
        lines.arrivals += 1;
        lines.add(server, &waiter);
        self.count(&lines, 1, 0);
        // Before the check of the free slots that follows: see `waiting`.
        fence(Ordering::SeqCst);
        Ok(Ticket {
            queue: self,
            waiter,
            server: server.cloned(),
        })
    }

    /// Hands the slot at `server` that its holder is about to give back to the waiter that came
    /// first. `false`: no waiter may have it, and the slot must be given back.
    fn hand_over(&self, server: &Arc<Server>) -> bool {
        if self.len() == 0 {
            return false;
        }
        let mut lines = lock(&self.lines);
        let Some((waiter, next)) = lines.pop_for(server) else {
            return false;
        };
        self.count(&lines, 0, 1);
        waiter.become_(State::Granted(Arc::clone(server)));
        look(next.as_ref());
        true
    }

    /// Gives back a slot at `server`: to the first waiter, else to the server.
    pub(super) fn give_back(&self, server: &Arc<Server>) {
        if !self.hand_over(server) {
            self.release(server);
        }
    }

    /// Gives a slot at `server` back to the server; waiters that may use it look for it.
    pub(super) fn release(&self, server: &Arc<Server>) {
        server.release();
        fence(Ordering::SeqCst);
        // A waiter that joined between the check and the release saw a full server.
        if self.len() == 0 {
            return;
        }
        let lines = lock(&self.lines);
        let own = lines.of_servers.get(&ServerKey::of(server));
        let any = server.is_balanced().then_some(&lines.any);
        for waiter in own.into_iter().chain(any).flat_map(Line::values) {
            waiter.become_(State::LookAgain);
        }
    }

    /// Makes all waiters look again, in their order: a server came up or went down, was added or
    /// removed, or got a higher limit.
    pub(super) fn look_again(&self) {
        if self.len() == 0 {
            return;
        }
        let lines = lock(&self.lines);
        let all = lines.of_servers.values().chain([&lines.any]);
        for waiter in all.flat_map(Line::values) {
            waiter.become_(State::LookAgain);
        }
    }

    /// Notes that so many waiters `came` and `left`, which `lines` already shows.
    fn count(&self, lines: &Lines, came: usize, left: usize) {
        let waiting = self.waiting.load(Ordering::Relaxed) + came - left;
        self.waiting.store(waiting, Ordering::SeqCst);
        self.waiting_for_any
            .store(lines.any.len(), Ordering::SeqCst);
    }
}

impl Lines {
    fn line(&self, server: Option<&Arc<Server>>) -> Option<&Line> {
        match server {
            Some(server) => self.of_servers.get(&ServerKey::of(server)),
            None => Some(&self.any),
        }
    }

    fn len_of(&self, server: Option<&Arc<Server>>) -> usize {
        self.line(server).map_or(0, Line::len)
    }

    fn add(&mut self, server: Option<&Arc<Server>>, waiter: &Arc<Waiter>) {
        let line = match server {
            Some(server) => self.of_servers.entry(ServerKey::of(server)).or_default(),
            None => &mut self.any,
        };
        line.insert(waiter.arrival, Arc::clone(waiter));
    }

    /// Takes the waiter of this `arrival` out of the line of `server`. With it comes the next one of that
    /// line, if it was the first: see [`look`].
    fn take(
        &mut self,
        server: Option<&Arc<Server>>,
        arrival: u64,
    ) -> Option<(Arc<Waiter>, Option<Arc<Waiter>>)> {
        let key = server.map(ServerKey::of);
        let line = match &key {
            Some(key) => self.of_servers.get_mut(key)?,
            None => &mut self.any,
        };
        let was_first = line.keys().next() == Some(&arrival);
        let waiter = line.remove(&arrival)?;
        let next = line.values().next().filter(|_| was_first).cloned();
        if let Some(key) = key.filter(|_| line.is_empty()) {
            self.of_servers.remove(&key);
        }
        Some((waiter, next))
    }

    /// Takes out the waiter that has waited longest of all that may use `server`, as [`Lines::take`].
    fn pop_for(&mut self, server: &Arc<Server>) -> Option<(Arc<Waiter>, Option<Arc<Waiter>>)> {
        let key = ServerKey::of(server);
        let may_use = |waiter: &&Arc<Waiter>| !lock(&waiter.refused).contains(&key);
        let first_of = |line: Option<&Line>| Some(line?.values().find(may_use)?.arrival);
        let own = first_of(self.line(Some(server)));
        let any = first_of(self.line(None)).filter(|_| server.is_balanced());
        match (own, any) {
            (Some(own), any) if any.is_none_or(|any| own < any) => self.take(Some(server), own),
            (_, Some(any)) => self.take(None, any),
            (_, None) => None,
        }
    }
}

impl Ticket<'_> {
    /// Whether it is the first of its line of those that run under the same settings. Those under the
    /// settings before a reload cannot use a server that it added, and that server may be free.
    pub(super) fn is_first(&self) -> bool {
        let lines = lock(&self.queue.lines);
        let Some(line) = lines.line(self.server.as_ref()) else {
            return false;
        };
        let mut before = line.range(..self.waiter.arrival);
        before.all(|(_, waiter)| waiter.backend != self.waiter.backend)
    }

    /// Gives back the slot at `server` that was granted, because the exchange cannot use that server, and
    /// waits on in its turn. It is not granted another slot there.
    pub(super) fn refuse(&self, server: &Arc<Server>) {
        {
            let mut lines = lock(&self.queue.lines);
            lock(&self.waiter.refused).push(ServerKey::of(server));
            *lock(&self.waiter.state) = State::Waiting(None);
            lines.add(self.server.as_ref(), &self.waiter);
            self.queue.count(&lines, 1, 0);
        }
        self.queue.give_back(server);
    }

    /// Changes to the line of `server`, or to the common one, and keeps its turn among all. The new line
    /// may get longer than its maximum: a server that goes down costs no waiter its position.
    pub(super) fn move_to(&mut self, server: Option<&Arc<Server>>) {
        if self.server.as_ref().map(Arc::as_ptr) == server.map(Arc::as_ptr) {
            return;
        }
        let mut lines = lock(&self.queue.lines);
        // Without a position it has been granted a slot, and need not wait.
        if let Some((waiter, next)) = lines.take(self.server.as_ref(), self.waiter.arrival) {
            lines.add(server, &waiter);
            self.queue.count(&lines, 0, 0);
            look(next.as_ref());
            self.server = server.cloned();
        }
        // As in `join`: the caller checks the free slots next.
        fence(Ordering::SeqCst);
    }

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

    fn leave(&self) {
        let mut lines = lock(&self.queue.lines);
        if let Some((_, next)) = lines.take(self.server.as_ref(), self.waiter.arrival) {
            self.queue.count(&lines, 0, 1);
            look(next.as_ref());
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.leave();
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

/// Makes the waiter that is now the first of a line look once. A server that a reload has added may
/// be free; earlier waiters, which run under the older snapshot, could not use it. And of two slots
/// that became free at once, the waiter before it took one.
fn look(next: Option<&Arc<Waiter>>) {
    if let Some(next) = next {
        next.become_(State::LookAgain);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // After a panic the data is still consistent: each section under the lock changes it in one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

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
        server.set_balanced(true);
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
        let first = queue.join(None, 9, 0).ok().expect("room");
        let second = queue.join(None, 9, 0).ok().expect("room");
        assert!(queue.hand_over(&server));
        assert!(!is_granted(&second));
        assert!(is_granted(&first));
        assert_eq!(server.in_flight(), 1, "the slot was never free");
    }

    #[test]
    fn a_grant_that_is_not_taken_goes_to_the_next() {
        let (queue, server) = (Queue::default(), server());
        let first = queue.join(None, 9, 0).ok().expect("room");
        let second = queue.join(None, 9, 0).ok().expect("room");
        assert!(queue.hand_over(&server));
        drop(first);
        assert!(is_granted(&second));
        drop(second);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_grant_without_a_waiter_is_given_back() {
        let (queue, server) = (Queue::default(), server());
        let only = queue.join(None, 9, 0).ok().expect("room");
        assert!(queue.hand_over(&server));
        drop(only);
        assert_eq!(server.in_flight(), 0);
        assert!(!queue.hand_over(&server));
    }

    #[test]
    fn the_queue_has_a_limit() {
        let queue = Queue::default();
        let _first = queue.join(None, 1, 0).ok().expect("room");
        assert!(queue.join(None, 1, 0).is_err());
        assert!(Queue::default().join(None, 0, 0).is_err());
    }

    #[test]
    fn a_waiter_that_is_polled_again_keeps_its_turn() {
        let (queue, server) = (Queue::default(), server());
        let first = queue.join(None, 9, 0).ok().expect("room");
        let _second = queue.join(None, 9, 0).ok().expect("room");
        queue.look_again();
        assert!(matches!(poll(&first), Poll::Ready(Woken::LookAgain)));
        assert!(queue.hand_over(&server));
        assert!(is_granted(&first));
    }

    #[derive(Clone, Copy, Debug)]
    enum Event {
        /// An exchange comes, for the server at this index; past the last one: for any.
        Come(usize),
        /// Of those that wait, the one at this index, modulo their number, leaves.
        Leave(usize),
        /// The same one changes to the line of this server.
        Move(usize, usize),
        /// A slot at this server becomes free.
        Free(usize),
    }

    const SERVERS: usize = 3;

    fn event() -> impl Strategy<Value = Event> {
        let line = || 0..=SERVERS;
        prop_oneof![
            3 => line().prop_map(Event::Come),
            1 => any::<usize>().prop_map(Event::Leave),
            1 => (any::<usize>(), line()).prop_map(|(who, line)| Event::Move(who, line)),
            2 => (0..SERVERS).prop_map(Event::Free),
        ]
    }

    proptest! {
        /// The model: a list of all waiters in the order of their arrival. A slot goes to the first
        /// that may have it.
        #[test]
        fn a_slot_goes_to_the_waiter_that_came_first_of_all_that_may_have_it(
            events in prop::collection::vec(event(), 0..60),
            balanced: [bool; SERVERS],
        ) {
            let queue = Queue::default();
            let servers: [Arc<Server>; SERVERS] = std::array::from_fn(|_| server());
            for (server, is_balanced) in servers.iter().zip(balanced) {
                server.set_balanced(is_balanced);
            }
            let mut waiting: Vec<(usize, Ticket<'_>)> = Vec::new();
            for event in events {
                match event {
                    Event::Come(line) => {
                        let ticket = queue.join(servers.get(line), 99, 0).ok().expect("room");
                        waiting.push((line, ticket));
                    }
                    Event::Leave(index) if !waiting.is_empty() => {
                        drop(waiting.remove(index % waiting.len()));
                    }
                    Event::Move(index, line) if !waiting.is_empty() => {
                        let index = index % waiting.len();
                        waiting[index].1.move_to(servers.get(line));
                        waiting[index].0 = line;
                    }
                    Event::Free(index) => {
                        let may = |line: usize| line == index || line == SERVERS && balanced[index];
                        let first = waiting.iter().position(|(line, _)| may(*line));
                        prop_assert_eq!(queue.hand_over(&servers[index]), first.is_some());
                        if let Some(first) = first {
                            let (_, ticket) = waiting.remove(first);
                            let Poll::Ready(Woken::Granted(server)) = poll(&ticket) else {
                                return Err(TestCaseError::fail("another waiter got it"));
                            };
                            prop_assert!(Arc::ptr_eq(&server, &servers[index]));
                        }
                    }
                    Event::Leave(_) | Event::Move(..) => {}
                }
                prop_assert_eq!(queue.len(), waiting.len());
                let count = |line| waiting.iter().filter(|(its, _)| *its == line).count();
                prop_assert_eq!(queue.len_of_any(), count(SERVERS));
                for (index, server) in servers.iter().enumerate() {
                    prop_assert_eq!(queue.len_at(server), count(index));
                }
                for (index, (line, ticket)) in waiting.iter().enumerate() {
                    let is_first = !waiting[..index].iter().any(|(other, _)| other == line);
                    prop_assert_eq!(ticket.is_first(), is_first);
                }
            }
            waiting.clear();
            prop_assert!(lock(&queue.lines).of_servers.is_empty());
        }
    }

    #[test]
    fn the_waiter_behind_one_that_leaves_or_moves_looks_once() {
        let (queue, server) = (Queue::default(), server());
        let looks = |ticket: &Ticket<'_>| matches!(poll(ticket), Poll::Ready(Woken::LookAgain));
        for line in [None, Some(&server)] {
            let other = match line {
                None => Some(&server),
                Some(_) => None,
            };
            let [first, mut second, third] =
                [(); 3].map(|()| queue.join(line, 9, 0).ok().expect("room"));
            assert!(!looks(&second) && !looks(&third));
            drop(first);
            assert!(looks(&second) && !looks(&third));
            second.move_to(other);
            assert!(looks(&third));
        }
    }

    #[test]
    fn the_waiter_behind_one_that_got_a_slot_looks_once() {
        let server = server();
        for line in [None, Some(&server)] {
            let queue = Queue::default();
            let [first, second, third] =
                [(); 3].map(|()| queue.join(line, 9, 0).ok().expect("room"));
            assert!(queue.hand_over(&server));
            assert!(is_granted(&first));
            assert!(matches!(poll(&second), Poll::Ready(Woken::LookAgain)));
            assert!(poll(&second).is_pending() && poll(&third).is_pending());
        }
    }

    #[test]
    fn all_that_may_have_a_slot_look_for_it_if_it_was_given_back_to_the_server() {
        let (queue, server) = (Queue::default(), server());
        let waiting = [None, Some(&server)].map(|line| queue.join(line, 9, 0).ok().expect("room"));
        assert!(waiting.iter().all(|ticket| poll(ticket).is_pending()));
        queue.release(&server);
        for ticket in &waiting {
            assert!(matches!(poll(ticket), Poll::Ready(Woken::LookAgain)));
        }
        assert_eq!(server.in_flight(), 0);
    }

    #[test]
    fn a_slot_that_is_given_back_wakes_only_those_that_may_have_it() {
        let (queue, one, other) = (Queue::default(), server(), server());
        let at_other = queue.join(Some(&other), 9, 0).ok().expect("room");
        queue.give_back(&one);
        assert!(poll(&at_other).is_pending());
        assert_eq!((one.in_flight(), other.in_flight()), (0, 1));
        one.set_balanced(false);
        let for_any = queue.join(None, 9, 0).ok().expect("room");
        assert!(one.try_acquire());
        queue.give_back(&one);
        assert!(poll(&for_any).is_pending());
    }
}
