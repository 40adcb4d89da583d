//! The live state of one server: what must survive a reload.
//!
//! It belongs to an identity (backend, server name, address), never to a configuration: the next
//! set refers to the same `Server`, and two are the same if they are one object. Each field says
//! who writes it.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::base::clock::{self, Duration, Instant};
use crate::base::{Address, Name};
use crate::exchange::ServerMetrics;
use crate::observe::{HealthMetrics, ServerState};
use crate::plan::{self, OwnSettings};

use super::admission::{Admission, HeldBy};

/// The log reports at most once in this time why a server gets no exchanges: such exchanges may be
/// thousands a second.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A [`Server`] as a key of a table, compared by pointer. It keeps the server alive, so that no
/// later server gets the same address in memory.
#[derive(Clone, Debug)]
pub struct ServerKey(Arc<Server>);

/// The settings of a server in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Unique in its backend.
    pub name: Name,
    /// Where it listens.
    pub address: Address,
    /// 0 to 256; 0 takes no new traffic.
    pub weight: u16,
    /// Exchanges at a time over all workers; `None`: no bound.
    pub max_connections: Option<u32>,
    /// Used only while no other server of the backend is usable.
    pub backup: bool,
    /// Settings that replace the backend's.
    pub own: OwnSettings,
}

/// The live state of one server.
#[derive(Debug)]
pub struct Server {
    /// Never changes.
    pub name: Name,
    /// Never changes: another address is another server.
    pub address: Address,
    /// Never changes: results of connections and checks with other settings are not valid for this
    /// server.
    pub own: OwnSettings,
    /// Its metrics on the hot path. They continue when the server gets another address. Written by
    /// the workers' observers.
    pub metrics: Arc<ServerMetrics>,
    /// Metrics of its checks, states and transitions. They continue as well. Written by the health
    /// checks.
    pub health_metrics: Arc<HealthMetrics>,
    /// When this value was made. `up_since_us` and `logged_us` count from here.
    made: Instant,
    /// Exchanges that hold a slot. Written by `lease` on every worker; read by balancing and metrics.
    ///
    /// `SeqCst` where a slot is taken or given back, together with `Queue::waiting`; `Relaxed` for
    /// all other reads.
    ///
    /// Shares a cache line with `limit` and `admission`: code that reads these reads or writes this
    /// field next. A line of its own was slower (`benches/balancer`, two workers, least
    /// connections: median 290 ns so, 317 ns padded).
    in_flight: AtomicU32,
    /// How many exchanges may hold a slot; `u32::MAX`: any number. Written when a set is made that
    /// has the server; read when a slot is taken or given back. Not a part of the set: an exchange
    /// that waits with an old set would use the old limit, and would stay in the queue after the
    /// limit was raised. `Relaxed`: the old limit may hold for a moment longer.
    limit: AtomicU32,
    /// Its share of the traffic; 0: none. Written, as is `is_backup`, when a set is made that has
    /// the server; read when the members of a set are selected, and by a choice that finds no
    /// member. `Relaxed`, as `limit`.
    weight: AtomicU16,
    is_backup: AtomicBool,
    /// Whether balancing may choose it: it is a member of the latest set that has it. Written when a
    /// set is made; read when a slot is given back while exchanges wait. `Relaxed`, as `limit`.
    is_balanced: AtomicBool,
    /// A [`Health`] as number. Written by the health checks, with their bit of `admission`. Read by
    /// the admin API, and by a choice that finds no server. `Relaxed`, as `admission`.
    health: AtomicU8,
    /// What keeps traffic from it: one bit for each cause. Each bit has its writer; read by every
    /// choice of a server.
    admission: Admission,
    /// Microseconds after `made` at which it came up. Written by the health checks.
    up_since_us: AtomicU64,
    /// The load that it counts as having when it comes up: that of the least loaded other server,
    /// for this server's weight. Written by the health checks, with `up_since_us`.
    up_handicap: AtomicU32,
    /// How many attempts have failed since one was answered. Written by `lease` on every worker, and only where
    /// it changes; read by the admin API. `Relaxed`: which of two attempts that end at once is the later does
    /// not matter.
    failures_in_a_row: AtomicU32,
    /// Microseconds after `made` at which the log last reported why it gets no exchanges; 0: never.
    /// Written and read by the exchange that reports it. `Relaxed`: two workers that report at once
    /// do no harm.
    logged_us: AtomicU64,
    /// Why it is in its state and since when. Written by the health checks, read by the admin API.
    note: Mutex<Note>,
}

/// The result of a server's checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Not checked yet: no traffic until the first check has passed.
    Checking,
    /// Takes traffic.
    Up,
    /// Takes none.
    Down,
}

/// Why a server is in its state.
#[derive(Clone, Debug)]
pub struct Note {
    /// On the wall clock, for people.
    pub since: SystemTime,
    /// `connection refused`, `status 503`, `passed`, …
    pub reason: String,
}

impl Server {
    /// A new server with the settings `wanted`, which starts in the state `health`.
    pub fn new(wanted: &Wanted, metrics: Arc<ServerMetrics>, health: Health, reason: &str) -> Self {
        Self {
            name: wanted.name.clone(),
            address: wanted.address.clone(),
            own: wanted.own.clone(),
            metrics,
            health_metrics: Arc::new(HealthMetrics::new(health.into(), clock::now())),
            made: clock::now(),
            in_flight: AtomicU32::new(0),
            limit: AtomicU32::new(wanted.max_connections.unwrap_or(u32::MAX)),
            weight: AtomicU16::new(wanted.weight),
            is_backup: AtomicBool::new(wanted.backup),
            is_balanced: AtomicBool::new(false),
            health: AtomicU8::new(health as u8),
            admission: health.admission(),
            up_since_us: AtomicU64::new(0),
            up_handicap: AtomicU32::new(0),
            failures_in_a_row: AtomicU32::new(0),
            logged_us: AtomicU64::new(0),
            note: Mutex::new(Note {
                since: clock::wall(),
                reason: reason.to_owned(),
            }),
        }
    }

    /// Whether it is the server that `wanted` describes: the same address, and the same settings of its own.
    pub fn is(&self, wanted: &Wanted) -> bool {
        self.address == wanted.address && self.own == wanted.own
    }

    /// The server `before` at another address: its metrics continue; health, slots and failures
    /// start anew.
    pub fn moved(before: &Self, wanted: &Wanted, health: Health, reason: &str) -> Self {
        before.health_metrics.moved(health.into(), clock::now());
        Self {
            health_metrics: Arc::clone(&before.health_metrics),
            ..Self::new(wanted, Arc::clone(&before.metrics), health, reason)
        }
    }

    /// Whether the log may report again why it gets no exchanges. If so, the report counts as made
    /// now.
    pub fn may_log(&self, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.made).as_micros() as u64;
        let logged = self.logged_us.load(Ordering::Relaxed);
        let is_due = logged == 0 || now >= logged + LOG_EVERY.as_micros() as u64;
        if is_due {
            self.logged_us.store(now.max(1), Ordering::Relaxed);
        }
        is_due
    }

    /// The result of its health checks.
    #[inline]
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            0 => Health::Checking,
            1 => Health::Up,
            _ => Health::Down,
        }
    }

    /// Whether it may be given traffic.
    #[inline]
    pub fn is_usable(&self) -> bool {
        self.admission.is_usable()
    }

    /// What keeps traffic from it.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Sets its health. Only the health checks call this, and then
    /// [`Backend::refresh`](super::Backend::refresh).
    pub fn set_health(&self, health: Health, reason: &str) {
        self.health.store(health as u8, Ordering::Relaxed);
        match health {
            Health::Up => self.admission.release(HeldBy::Health),
            Health::Checking | Health::Down => self.admission.hold(HeldBy::Health),
        }
        self.health_metrics.became(health.into(), clock::now());
        let mut note = self.note.lock().unwrap_or_else(PoisonError::into_inner);
        *note = Note {
            since: clock::wall(),
            reason: reason.to_owned(),
        };
    }

    /// Notes that it comes up now, with the load `handicap`: see [`Server::handicap`].
    pub(super) fn came_up(&self, handicap: u32) {
        let age = clock::now().saturating_duration_since(self.made);
        self.up_handicap.store(handicap, Ordering::Relaxed);
        self.up_since_us
            .store(age.as_micros() as u64, Ordering::Relaxed);
    }

    /// The load that it counted as having when it came up, and the time since then. 0: it was never
    /// down.
    #[inline]
    pub(super) fn handicap(&self, now: Instant) -> (u32, Duration) {
        let base = self.up_handicap.load(Ordering::Relaxed);
        if base == 0 {
            return (0, Duration::ZERO);
        }
        let since = Duration::from_micros(self.up_since_us.load(Ordering::Relaxed));
        let age = now.saturating_duration_since(self.made);
        (base, age.saturating_sub(since))
    }

    /// Why it is in its state.
    pub fn note(&self) -> Note {
        self.note
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes that an attempt was answered.
    #[inline]
    pub(super) fn went_well(&self) {
        // Written only after a failure, because all workers share the cache line.
        if self.failures_in_a_row() > 0 {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that an attempt has failed because of the server.
    pub(super) fn went_wrong(&self) {
        self.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
    }

    /// How many attempts have failed since one was answered.
    #[inline]
    pub fn failures_in_a_row(&self) -> u32 {
        self.failures_in_a_row.load(Ordering::Relaxed)
    }

    /// Exchanges that hold a slot now.
    #[inline]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Sets limit, weight and `backup` as in `wanted`. Slots in use stay in use.
    pub fn write(&self, wanted: &Wanted) {
        let limit = wanted.max_connections.unwrap_or(u32::MAX);
        self.limit.store(limit, Ordering::Relaxed);
        self.weight.store(wanted.weight, Ordering::Relaxed);
        self.is_backup.store(wanted.backup, Ordering::Relaxed);
    }

    /// Its present settings.
    pub(super) fn wanted(&self) -> Wanted {
        let limit = self.limit.load(Ordering::Relaxed);
        Wanted {
            name: self.name.clone(),
            address: self.address.clone(),
            weight: self.weight(),
            max_connections: (limit < u32::MAX).then_some(limit),
            backup: self.is_backup(),
            own: self.own.clone(),
        }
    }

    /// Its share of the traffic; 0: none.
    pub fn weight(&self) -> u16 {
        self.weight.load(Ordering::Relaxed)
    }

    /// Whether it is used only while no other server is usable.
    pub fn is_backup(&self) -> bool {
        self.is_backup.load(Ordering::Relaxed)
    }

    /// Notes whether balancing may choose it.
    pub(super) fn set_balanced(&self, is_balanced: bool) {
        self.is_balanced.store(is_balanced, Ordering::Relaxed);
    }

    /// Whether balancing may choose it.
    pub(super) fn is_balanced(&self) -> bool {
        self.is_balanced.load(Ordering::Relaxed)
    }

    /// How many exchanges may hold a slot; `None`: any number.
    pub fn limit(&self) -> Option<u32> {
        let limit = self.limit.load(Ordering::Relaxed);
        (limit < u32::MAX).then_some(limit)
    }

    /// How many more exchanges may hold a slot; `None`: any number.
    pub fn free_slots(&self) -> Option<u32> {
        let limit = self.limit.load(Ordering::Relaxed);
        (limit < u32::MAX).then(|| limit.saturating_sub(self.in_flight()))
    }

    /// Whether one more slot may be taken.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        limit == u32::MAX || self.in_flight() < limit
    }

    /// Whether no more slots are in use than the limit allows.
    pub(super) fn is_within_limit(&self) -> bool {
        self.in_flight() <= self.limit.load(Ordering::Relaxed)
    }

    /// Takes a slot if fewer than the limit are in use.
    #[inline]
    pub(super) fn try_acquire(&self) -> bool {
        let max = self.limit.load(Ordering::Relaxed);
        if max == u32::MAX {
            self.in_flight.fetch_add(1, Ordering::SeqCst);
            return true;
        }
        self.in_flight
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, |taken| {
                (taken < max).then_some(taken + 1)
            })
            .is_ok()
    }

    /// Takes a slot if exactly `seen` are taken: the choice that was made for `seen` still holds.
    #[inline]
    pub(super) fn try_acquire_at(&self, seen: u32) -> bool {
        seen < self.limit.load(Ordering::Relaxed)
            && self
                .in_flight
                .compare_exchange(seen, seen + 1, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
    }

    /// Gives a slot back.
    #[inline]
    pub(super) fn release(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Health {
    fn admission(self) -> Admission {
        let admission = Admission::default();
        if self != Self::Up {
            admission.hold(HeldBy::Health);
        }
        admission
    }
}

impl ServerKey {
    /// The key of `server`.
    pub fn of(server: &Arc<Server>) -> Self {
        Self(Arc::clone(server))
    }
}

impl PartialEq for ServerKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ServerKey {}

impl Hash for ServerKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl From<&plan::Server> for Wanted {
    fn from(written: &plan::Server) -> Self {
        Self {
            name: written.name.clone(),
            address: written.address.clone(),
            weight: written.weight,
            max_connections: written.max_connections,
            backup: written.backup,
            own: written.own.clone(),
        }
    }
}

impl From<Health> for ServerState {
    fn from(health: Health) -> Self {
        match health {
            Health::Checking => Self::Checking,
            Health::Up => Self::Up,
            Health::Down => Self::Down,
        }
    }
}
