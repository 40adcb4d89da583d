//! Shares out the descriptors of connections, and has room made when none is left.
//!
//! The limit of open files holds for the whole process. The rest after listening sockets, runtimes,
//! pipes and a reserve (admin listener, logs, checks, reloads) is shared out here: so many client
//! connections, which `max_connections` counts, and so many connections to servers, which are
//! counted here. A worker takes a [`Permit`] before it opens one; the permit is kept in the socket
//! and returned with it.
//!
//! Half of the permits are for every exchange. The other half is for exchanges of client
//! connections that hold less than their fair share, so that a few clients with many streams do not
//! take all.
//!
//! When no permit is free, the exchange waits for a moment, and the workers are asked one after
//! another to make room: first by closing idle connections, then by ending exchanges whose client
//! reads nothing.
//!
//! Only opening and closing a connection uses this file.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};

use crate::base::clock::{self, Duration};

/// How long an exchange waits for a permit. Idle connections make room within milliseconds; longer
/// waits would only make the queue longer.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Descriptors of a listening socket on each worker: itself, and one accepted connection that waits
/// because of a limit.
const FILES_OF_LISTENER: u64 = 2;

/// One descriptor in so many is for connections to servers, whatever `max_connections` is.
const ONE_IN_FOR_SERVERS: u64 = 8;

/// Counts the connections of a process to servers.
#[derive(Debug)]
pub struct Descriptors {
    /// For client connections, connections to servers and listening sockets. Never changes.
    all: u64,
    /// For every exchange.
    common: Arc<Permits>,
    /// For exchanges whose client connection holds less than its share.
    fair: Arc<Permits>,
    /// Client connections that are open. Written on every worker when one begins or ends; read when
    /// a connection to a server is opened. `Relaxed`: it orders nothing.
    clients: AtomicU64,
    /// Connections that were closed to make room. Written by the workers; read by metrics. `Relaxed`:
    /// it orders nothing.
    closed: AtomicU64,
    /// One entry for each worker.
    workers: Box<[Asked]>,
}

/// A bounded number of permits.
#[derive(Debug)]
struct Permits {
    free: Semaphore,
    /// Written by [`Descriptors::share_out`]; read by metrics.
    limit: AtomicUsize,
    /// Exchanges that wait for one, and write this; read by each connection that becomes idle.
    /// `Relaxed`: one that is missed is asked for once more (see [`Descriptors::ask_again`]).
    waiting: AtomicUsize,
    /// Permits in use that end when they are returned, because the limit was lowered. Written by
    /// `share_out`, and by each permit that ends. `Relaxed`: the semaphore has the ordering that
    /// matters.
    owed: AtomicUsize,
}

/// Permission for one open connection to a server. Returned when dropped.
#[derive(Debug)]
pub struct Permit(Arc<Permits>);

/// The claim of a client connection to permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It holds less than its share.
    Fair,
    /// It holds its share or more.
    Beyond,
}

/// The permits that a worker was asked to free.
#[derive(Debug, Default)]
struct Asked {
    /// Indexed by how many requests may still follow, of two for each worker: see [`Room`]. Written
    /// by the exchange that asks and by the worker.
    by_questions: Mutex<Vec<usize>>,
    notify: Notify,
    /// Exchanges of this worker that wait for a permit. Written by those. `Relaxed`: it is read by the same
    /// thread.
    waiting: AtomicUsize,
}

/// Counts an exchange that waits.
struct Waiting<'a>(&'a AtomicUsize);

/// Permits that a worker is asked to free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How to free them.
    pub by: By,
    /// The number of permits.
    pub permits: usize,
    /// How many requests to other workers may follow if this one cannot.
    questions: usize,
}

/// How permits are freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By closing idle connections.
    Idle,
    /// By ending exchanges whose client reads nothing.
    Stalled,
}

impl Descriptors {
    /// For connections that may have `all` descriptors together, on so many workers. Without a
    /// bound until [`Descriptors::share_out`].
    pub fn new(all: u64, workers: usize) -> Self {
        Self {
            all,
            common: Arc::default(),
            fair: Arc::default(),
            clients: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            workers: (0..workers.max(1)).map(|_| Asked::default()).collect(),
        }
    }

    /// Shares them out between `listening` sockets, clients and servers, and returns the limit of
    /// client connections: `max_connections`, or half of all if that left nothing for servers.
    pub fn share_out(&self, listening: u64, max_connections: Option<u64>) -> u64 {
        let all = self
            .all
            .saturating_sub(listening * FILES_OF_LISTENER)
            .max(2);
        let most = all - (all / ONE_IN_FOR_SERVERS).max(1);
        let clients = max_connections.unwrap_or(all / 2).clamp(1, most);
        let servers = usize::try_from(all - clients).unwrap_or(usize::MAX);
        let fair = servers / 2;
        self.common.set_limit(servers - fair);
        self.fair.set_limit(fair);
        clients
    }

    /// Counts a client connection.
    pub fn client_came(&self) {
        self.clients.fetch_add(1, Ordering::Relaxed);
    }

    /// It is over.
    pub fn client_left(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }

    /// The claim of a client connection that holds so many connections to servers.
    pub fn claim(&self, held: usize) -> Claim {
        let clients = usize::try_from(self.clients.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let share = self.fair.limit.load(Ordering::Relaxed) / clients.max(1);
        if held <= share.max(1) {
            Claim::Fair
        } else {
            Claim::Beyond
        }
    }

    /// A permit for a connection that `worker` opens, at once or within a moment; `None`: there is none.
    ///
    /// # Cancel safety
    ///
    /// No permit is lost when it is dropped.
    pub async fn permit(&self, worker: usize, claim: Claim) -> Option<Permit> {
        if let Some(permit) = Permit::take_now(&self.common) {
            return Some(permit);
        }
        if claim == Claim::Fair
            && let Some(permit) = Permit::take_now(&self.fair)
        {
            return Some(permit);
        }
        // Boxed: an exchange that need not wait does not carry the state for waiting.
        Box::pin(self.wait(worker, claim)).await
    }

    async fn wait(&self, worker: usize, claim: Claim) -> Option<Permit> {
        self.ask_for_room(worker);
        let own = self.workers.get(worker).map(|asked| &asked.waiting);
        let _waiting = own.map(Waiting::on);
        let permit = clock::within(TIMEOUT, async {
            match claim {
                Claim::Beyond => Permit::take(&self.common).await,
                Claim::Fair => tokio::select! {
                    biased;
                    permit = Permit::take(&self.common) => permit,
                    permit = Permit::take(&self.fair) => permit,
                },
            }
        });
        permit.await.ok().flatten()
    }

    /// Asks the workers, `worker` first, to free one permit.
    pub fn ask_for_room(&self, worker: usize) {
        self.ask(worker, 2 * self.workers.len() - 1, 1);
    }

    /// Asks again for exchanges of `worker` that still wait: connections that were in use may be
    /// idle now. To be called regularly.
    pub fn ask_again(&self, worker: usize) {
        let waiting = self.workers.get(worker).map(|asked| &asked.waiting);
        let waiting = waiting.map_or(0, |waiting| waiting.load(Ordering::Relaxed));
        if waiting > 0 {
            self.ask(worker, 2 * self.workers.len() - 1, waiting);
        }
    }

    fn ask(&self, worker: usize, questions: usize, permits: usize) {
        let Some(asked) = self.workers.get(worker) else {
            return;
        };
        let mut by_questions = lock(&asked.by_questions);
        by_questions.resize(2 * self.workers.len(), 0);
        by_questions[questions] += permits;
        drop(by_questions);
        asked.notify.notify_one();
    }

    /// Waits until `worker` is asked to free permits.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn asked(&self, worker: usize) {
        match self.workers.get(worker) {
            Some(asked) => asked.notify.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Takes the requests to `worker`.
    pub fn take_asked(&self, worker: usize) -> Vec<Room> {
        let Some(asked) = self.workers.get(worker) else {
            return Vec::new();
        };
        let by_questions = std::mem::take(&mut *lock(&asked.by_questions));
        let rooms = by_questions.into_iter().enumerate().rev();
        rooms
            .filter(|&(_, permits)| permits > 0)
            .map(|(questions, permits)| Room {
                by: match questions >= self.workers.len() {
                    true => By::Idle,
                    false => By::Stalled,
                },
                permits,
                questions,
            })
            .collect()
    }

    /// `worker` has freed so many permits of `room`; for the rest, the next worker is asked, if
    /// there is one that was not.
    pub fn made(&self, worker: usize, room: Room, permits: usize) {
        self.closed.fetch_add(permits as u64, Ordering::Relaxed);
        let missing = room.permits.saturating_sub(permits);
        if missing > 0
            && let Some(questions) = room.questions.checked_sub(1)
        {
            self.ask((worker + 1) % self.workers.len(), questions, missing);
        }
    }

    /// How many connections to servers are open.
    pub fn open(&self) -> u64 {
        (self.common.taken() + self.fair.taken()) as u64
    }

    /// The limit of connections to servers.
    pub fn limit(&self) -> u64 {
        let limit = |permits: &Permits| permits.limit.load(Ordering::Relaxed) as u64;
        limit(&self.common) + limit(&self.fair)
    }

    /// How many connections were closed to make room.
    pub fn closed(&self) -> u64 {
        self.closed.load(Ordering::Relaxed)
    }
}

impl Permits {
    fn set_limit(&self, limit: usize) {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let before = self.limit.swap(limit, Ordering::Relaxed);
        if limit < before {
            let forgotten = self.free.forget_permits(before - limit);
            let owed = before - limit - forgotten;
            self.owed.fetch_add(owed, Ordering::Relaxed);
        } else {
            let paid = (before..limit).take_while(|_| self.pays_one()).count();
            self.free.add_permits(limit - before - paid);
        }
    }

    /// Takes one off the owed permits; returns whether there was one.
    fn pays_one(&self) -> bool {
        let pay = |owed: usize| owed.checked_sub(1);
        let paid = self
            .owed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
        paid.is_ok()
    }

    fn taken(&self) -> usize {
        let limit = self.limit.load(Ordering::Relaxed) + self.owed.load(Ordering::Relaxed);
        limit.saturating_sub(self.free.available_permits())
    }
}

impl Default for Permits {
    /// Without a bound.
    fn default() -> Self {
        Self {
            free: Semaphore::new(Semaphore::MAX_PERMITS),
            limit: AtomicUsize::new(Semaphore::MAX_PERMITS),
            waiting: AtomicUsize::new(0),
            owed: AtomicUsize::new(0),
        }
    }
}

impl Permit {
    /// Whether an exchange waits for it.
    pub fn is_wanted(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
    }

    fn take_now(permits: &Arc<Permits>) -> Option<Self> {
        permits.free.try_acquire().ok()?.forget();
        Some(Self(Arc::clone(permits)))
    }

    async fn take(permits: &Arc<Permits>) -> Option<Self> {
        let _waiting = Waiting::on(&permits.waiting);
        // The semaphore is never closed.
        permits.free.acquire().await.ok()?.forget();
        Some(Self(Arc::clone(permits)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.0.pays_one() {
            self.0.free.add_permits(1);
        }
    }
}

impl<'a> Waiting<'a> {
    fn on(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The state is whole even after a panic: each section under the lock is one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn some(descriptors: &Descriptors, number: usize) -> Vec<Permit> {
        let mut permits = Vec::new();
        for _ in 0..number {
            permits.push(descriptors.permit(0, Claim::Fair).await.expect("a permit"));
        }
        permits
    }

    fn of(servers: u64) -> Descriptors {
        let descriptors = Descriptors::new(2 * servers, 2);
        assert_eq!(descriptors.share_out(0, Some(servers)), servers);
        assert_eq!(descriptors.limit(), servers);
        descriptors
    }

    #[test]
    fn max_connections_always_leaves_something_for_servers() {
        let shares = |all, listening, max_connections| {
            let descriptors = Descriptors::new(all, 1);
            let clients = descriptors.share_out(listening, max_connections);
            (clients, descriptors.limit())
        };
        assert_eq!(shares(1000, 0, None), (500, 500));
        assert_eq!(shares(1000, 50, None), (450, 450));
        assert_eq!(shares(1000, 0, Some(100)), (100, 900));
        assert_eq!(shares(1000, 0, Some(5_000)), (875, 125));
        assert_eq!(shares(1, 9, None), (1, 1));
        let (clients, servers) = shares(u64::MAX, 0, None);
        assert!(clients > 1 << 60 && servers > 1 << 60);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_no_more_permits_than_the_limit_and_one_that_is_given_back_is_taken() {
        let descriptors = of(10);
        let mut permits = some(&descriptors, 10).await;
        assert_eq!(descriptors.open(), 10);
        assert!(descriptors.permit(0, Claim::Fair).await.is_none());
        let (permit, ()) = tokio::join!(descriptors.permit(0, Claim::Fair), async {
            permits.pop();
        });
        assert!(permit.is_some());
        drop((permit, permits));
        assert_eq!(descriptors.open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn half_is_for_clients_below_their_share() {
        let descriptors = of(10);
        for _ in 0..2 {
            descriptors.client_came();
        }
        assert_eq!(descriptors.claim(2), Claim::Fair);
        assert_eq!(descriptors.claim(3), Claim::Beyond);
        let mut permits = Vec::new();
        for _ in 0..5 {
            permits.push(descriptors.permit(0, Claim::Beyond).await.expect("common"));
        }
        assert!(descriptors.permit(0, Claim::Beyond).await.is_none());
        permits.extend(some(&descriptors, 5).await);
        assert!(descriptors.permit(0, Claim::Fair).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_lowered_takes_no_permit_away_and_gives_none_back() {
        for (before, then) in [(80, 97), (97, 80)] {
            let descriptors = Descriptors::new(110, 1);
            descriptors.share_out(0, Some(80));
            let permits = some(&descriptors, 20).await;
            descriptors.share_out(0, Some(97));
            assert_eq!((descriptors.open(), descriptors.limit()), (20, 13));
            descriptors.share_out(0, Some(before));
            descriptors.share_out(0, Some(then));
            assert_eq!(descriptors.open(), 20);
            drop(permits);
            assert_eq!(descriptors.open(), 0);
            let limit = 110 - then as usize;
            let _permits = some(&descriptors, limit).await;
            assert!(descriptors.permit(0, Claim::Fair).await.is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn workers_are_asked_in_turn_first_for_what_is_idle_and_then_for_what_is_stalled() {
        let descriptors = of(10);
        let _permits = some(&descriptors, 10).await;
        let asked = |worker| {
            let rooms = descriptors.take_asked(worker);
            let [room] = rooms[..] else {
                unreachable!("{rooms:?}")
            };
            room
        };
        let wait = descriptors.permit(1, Claim::Fair);
        let answer = async {
            for (worker, by) in [
                (1, By::Idle),
                (0, By::Idle),
                (1, By::Stalled),
                (0, By::Stalled),
            ] {
                descriptors.asked(worker).await;
                let room = asked(worker);
                assert_eq!((room.by, room.permits), (by, 1));
                descriptors.made(worker, room, 0);
            }
            assert!(
                descriptors.take_asked(1).is_empty(),
                "no worker is left to ask"
            );
        };
        let (permit, ()) = tokio::join!(wait, answer);
        assert!(permit.is_none());
        assert_eq!(descriptors.closed(), 0);
        descriptors.ask_for_room(0);
        descriptors.ask_for_room(0);
        let room = asked(0);
        assert_eq!(room.permits, 2);
        descriptors.made(0, room, 1);
        assert_eq!(asked(1).permits, 1, "the other is for the next worker");
    }
}
