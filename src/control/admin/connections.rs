//! The open connections of one admin listener: how many there may be, and which one makes room.
//!
//! The accept loop enters each connection here, and its task reports what happens on it. If the
//! table is full, a new connection replaces the one on which nothing has happened for the longest
//! time: clients that stay silent, do not read, or never stop asking cannot keep probes out. A
//! connection that waits for no answer may be replaced at once, however new it is: clients that
//! connect and send nothing do not delay a probe. Answers, except those to probes, have a bound of
//! their own, far below that of connections, so a probe always gets in.
//!
//! Only bookkeeping: sockets and HTTP belong to `admin`.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use tokio::sync::Notify;

use crate::base::clock::{self, Duration, FAR, Instant};
use crate::base::tasks;

/// Connections at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 64;

/// Answers at a time that are not answers to probes. Each may hold a page of some megabytes until
/// its client has taken it. Far below [`MAX_CONNECTIONS`], see above.
const MAX_ANSWERS: usize = 16;

/// For this time an answer is safe from eviction: by another connection, counted from when its own
/// was accepted; by another answer, from when its client last took some bytes. Long enough for a
/// new client to get the answer to a probe.
const SAFE_FOR: Duration = Duration::from_secs(1);

/// How long a client may take no byte of its answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take for a whole answer, from its request on.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The connections of one listener.
#[derive(Default)]
pub(in crate::control) struct Connections {
    /// Written by [`Connections::enter`], by evictions, and when an [`Entry`] is dropped.
    open: RefCell<Vec<Rc<Connection>>>,
    /// Signals the accept loop that a connection has ended.
    ended: Notify,
}

/// One connection. Written by its own task, except `is_evicted`.
pub(super) struct Connection {
    stage: Cell<Stage>,
    /// Whether its answer counts against [`MAX_ANSWERS`].
    is_counted: Cell<bool>,
    /// When it was accepted. Never written again.
    entered: Instant,
    /// When something last happened on it: it was accepted, a request came, bytes were taken.
    moved: Cell<Instant>,
    /// When its last request came.
    asked: Cell<Instant>,
    /// Whether it must end to make room. Written by other connections and the accept loop.
    is_evicted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// For a request.
    Asking,
    /// For the answer, which is being made.
    Answering,
    /// For the client to take the answer.
    Sending,
}

/// Whether one more connection has room in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Free,
    /// The accept loop signals another connection to end.
    Made,
    /// Not before this instant, unless a connection ends.
    From(Instant),
}

/// What an answer costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// A few bytes, made at once: an answer to a probe.
    Nothing,
    /// Anything else.
    Counted,
}

/// An entered connection; leaves the table when dropped.
pub(super) struct Entry {
    connections: Rc<Connections>,
    pub(super) connection: Rc<Connection>,
}

impl Connections {
    /// Enters a connection that was accepted, once there is room.
    ///
    /// # Cancel safety
    ///
    /// Nothing was entered when it is dropped.
    pub(super) async fn enter(self: &Rc<Self>) -> Entry {
        loop {
            match self.make_room(clock::now()) {
                Room::Free => break,
                Room::Made => {
                    // The connection that ends has its socket until its own task runs.
                    tasks::yield_now().await;
                    break;
                }
                Room::From(until) => {
                    let ended = pin!(self.ended.notified());
                    let left = until.saturating_duration_since(clock::now());
                    // The cause does not matter: the table is looked at again.
                    let _ = clock::within(left, ended).await;
                }
            }
        }
        let connection = Rc::new(Connection::new(clock::now()));
        self.open.borrow_mut().push(Rc::clone(&connection));
        Entry {
            connections: Rc::clone(self),
            connection,
        }
    }

    /// If the table is full, ends the connection on which nothing has happened for the longest
    /// time, among those that wait for no answer or are no longer new.
    fn make_room(&self, now: Instant) -> Room {
        let mut open = self.open.borrow_mut();
        if open.len() < MAX_CONNECTIONS {
            return Room::Free;
        }
        let idle = open.iter().enumerate().filter(|(_, one)| {
            let is_new = now < one.entered + SAFE_FOR;
            match one.stage.get() {
                Stage::Asking => true,
                Stage::Answering => false,
                Stage::Sending => !is_new,
            }
        });
        let stillest = idle.min_by_key(|(_, one)| one.moved.get());
        if let Some(index) = stillest.map(|(index, _)| index) {
            // In the order in which they came: the first one of equals ends.
            open.remove(index).evict();
            return Room::Made;
        }
        let soon = open.iter().map(|one| one.entered + SAFE_FOR);
        let soon = soon.filter(|until| *until > now).min();
        Room::From(soon.unwrap_or(now + SAFE_FOR))
    }

    /// A request came on `connection`; `false`: too many answers are being made or sent, and this
    /// one must be refused.
    pub(super) fn begin_answer(&self, connection: &Connection, cost: Cost) -> bool {
        let now = clock::now();
        connection.stage.set(Stage::Answering);
        connection.moved.set(now);
        connection.asked.set(now);
        let is_let_in = cost == Cost::Nothing || self.has_room_for_answer(now);
        connection
            .is_counted
            .set(is_let_in && cost == Cost::Counted);
        is_let_in
    }

    /// If all answers are taken, ends the connection whose client has taken no byte for the longest
    /// time.
    fn has_room_for_answer(&self, now: Instant) -> bool {
        let mut open = self.open.borrow_mut();
        let counted = || open.iter().filter(|one| one.is_counted.get());
        if counted().count() < MAX_ANSWERS {
            return true;
        }
        let still = open.iter().enumerate().filter(|(_, one)| {
            one.is_counted.get()
                && one.stage.get() == Stage::Sending
                && now >= one.moved.get() + SAFE_FOR
        });
        let stillest = still.min_by_key(|(_, one)| one.moved.get());
        let Some(index) = stillest.map(|(index, _)| index) else {
            return false;
        };
        open.remove(index).evict();
        true
    }
}

impl Connection {
    fn new(now: Instant) -> Self {
        Self {
            stage: Cell::new(Stage::Asking),
            is_counted: Cell::new(false),
            entered: now,
            moved: Cell::new(now),
            asked: Cell::new(now),
            is_evicted: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    /// The answer was made, and is being sent.
    pub(super) fn end_answer(&self) {
        self.stage.set(Stage::Sending);
        self.moved.set(clock::now());
    }

    /// The client has taken some bytes.
    pub(super) fn was_written(&self) {
        self.moved.set(clock::now());
    }

    /// Nothing is held back from the client.
    pub(super) fn was_flushed(&self) {
        if self.stage.get() == Stage::Sending {
            self.stage.set(Stage::Asking);
            self.is_counted.set(false);
            self.moved.set(clock::now());
        }
    }

    /// When it must end unless something happens. The time for a request is hyper's.
    pub(super) fn due(&self) -> Instant {
        match self.stage.get() {
            Stage::Sending => {
                (self.moved.get() + STALL_TIMEOUT).min(self.asked.get() + ANSWER_TIMEOUT)
            }
            Stage::Asking | Stage::Answering => self.moved.get() + FAR,
        }
    }

    /// Whether it must end to make room; wakes the task of `cx` when it must.
    pub(super) fn is_evicted(&self, cx: &Context<'_>) -> bool {
        let mut waker = self.waker.borrow_mut();
        match &*waker {
            Some(same) if same.will_wake(cx.waker()) => {}
            _ => *waker = Some(cx.waker().clone()),
        }
        self.is_evicted.get()
    }

    fn evict(&self) {
        self.is_evicted.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Entry {
    /// See [`Connections::begin_answer`].
    pub(super) fn begin_answer(&self, cost: Cost) -> bool {
        self.connections.begin_answer(&self.connection, cost)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = self.connections.open.borrow_mut();
        // It is not there if it was evicted.
        open.retain(|one| !Rc::ptr_eq(one, &self.connection));
        self.connections.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::Poll;

    use super::*;

    async fn entered(connections: &Rc<Connections>, count: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(connections.enter().await);
        }
        entries
    }

    fn evicted(entries: &[Entry]) -> Vec<usize> {
        let entries = entries.iter().enumerate();
        let evicted = entries.filter(|(_, entry)| entry.connection.is_evicted.get());
        evicted.map(|(index, _)| index).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_replaces_the_one_that_was_idle_longest() {
        let connections = Rc::<Connections>::default();
        let entries = entered(&connections, MAX_CONNECTIONS).await;
        clock::sleep(SAFE_FOR / 2).await;
        entries[0].connection.was_written();
        let began = clock::now();
        let next = connections.enter().await;
        assert_eq!(clock::now(), began, "at once");
        assert_eq!(evicted(&entries), [1], "not the one that moved");
        drop((entries, next));
        assert!(connections.open.borrow().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn two_hundred_clients_that_send_nothing_do_not_delay_the_next_one() {
        let connections = Rc::<Connections>::default();
        let began = clock::now();
        let silent = entered(&connections, 200).await;
        let probe = connections.enter().await;
        assert_eq!(clock::now(), began);
        assert_eq!(
            evicted(&silent),
            (0..=200 - MAX_CONNECTIONS).collect::<Vec<_>>()
        );
        assert!(!probe.connection.is_evicted.get());
        // Connections that have their answers and stay silent are no different.
        for entry in &silent {
            entry.begin_answer(Cost::Nothing);
            entry.connection.end_answer();
            entry.connection.was_flushed();
        }
        connections.enter().await;
        assert_eq!(clock::now(), began);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_of_a_new_connection_is_not_cut_to_make_room() {
        let connections = Rc::<Connections>::default();
        let began = clock::now();
        let entries = entered(&connections, MAX_CONNECTIONS).await;
        for entry in &entries {
            entry.begin_answer(Cost::Nothing);
            entry.connection.end_answer();
        }
        clock::sleep(SAFE_FOR / 2).await;
        let next = connections.enter().await;
        assert_eq!(clock::now(), began + SAFE_FOR);
        assert_eq!(evicted(&entries), [0]);
        drop(next);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_ends_makes_room_at_once() {
        let connections = Rc::<Connections>::default();
        let mut entries = entered(&connections, MAX_CONNECTIONS).await;
        for entry in &entries {
            entry.begin_answer(Cost::Nothing);
        }
        let began = clock::now();
        let mut next = pin!(connections.enter());
        let polled = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_ready()));
        assert!(!polled.await);
        entries.pop();
        next.await;
        assert_eq!(clock::now(), began);
        assert!(evicted(&entries).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_never_stop_asking_make_room_too() {
        let connections = Rc::<Connections>::default();
        let entries = entered(&connections, MAX_CONNECTIONS).await;
        clock::sleep(SAFE_FOR).await;
        for entry in &entries {
            entry.connection.was_written();
        }
        entries[0].begin_answer(Cost::Counted);
        let began = clock::now();
        connections.enter().await;
        assert_eq!(clock::now(), began, "at once");
        let ended = evicted(&entries);
        assert!(ended.len() == 1 && ended != [0], "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_are_not_taken_do_not_keep_others_from_one() {
        let connections = Rc::<Connections>::default();
        let entries = entered(&connections, MAX_ANSWERS + 2).await;
        for entry in &entries[..MAX_ANSWERS] {
            assert!(entry.begin_answer(Cost::Counted));
        }
        let last = &entries[MAX_ANSWERS];
        assert!(!last.begin_answer(Cost::Counted), "all are being made");
        assert!(last.begin_answer(Cost::Nothing), "a probe is answered");
        entries[3].connection.end_answer();
        assert!(!last.begin_answer(Cost::Counted), "it may be taken yet");
        clock::sleep(SAFE_FOR).await;
        assert!(last.begin_answer(Cost::Counted));
        assert_eq!(evicted(&entries), [3]);
        last.connection.end_answer();
        last.connection.was_flushed();
        assert!(entries[MAX_ANSWERS + 1].begin_answer(Cost::Counted));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_has_a_time_without_a_byte_and_a_time_in_all() {
        let connections = Rc::<Connections>::default();
        let entry = connections.enter().await;
        let connection = &entry.connection;
        assert!(connection.due() > clock::now() + ANSWER_TIMEOUT);
        assert!(entry.begin_answer(Cost::Counted));
        connection.end_answer();
        let asked = clock::now();
        assert_eq!(connection.due(), asked + STALL_TIMEOUT);
        let mut last = asked;
        while clock::now() < asked + ANSWER_TIMEOUT - STALL_TIMEOUT / 2 {
            clock::sleep(STALL_TIMEOUT / 2).await;
            connection.was_written();
            assert!(connection.due() >= last);
            last = connection.due();
        }
        assert_eq!(last, asked + ANSWER_TIMEOUT);
    }
}
