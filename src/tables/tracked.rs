//! The entries that one exchange tracks, each under the number of a counter.
//!
//! HAProxy's `track-sc0`: from the rule on until the exchange is over, `sc_…(0)` reads the entry,
//! and what happens to the exchange is counted in it.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use crate::base::Name;
use crate::base::clock;
use crate::exchange::{Reason, Record, Retry, Side};
use crate::expr::{self, Scratch, Value};
use crate::plan::{Data, Reading};

use super::Tables;
use super::table::{Entry, Handle};

/// The entries that one exchange tracks. Nearly always there are none.
#[derive(Debug, Default)]
pub struct Tracked(OnceCell<Box<RefCell<Entries>>>);

#[derive(Debug, Default)]
struct Entries {
    all: Vec<(u8, Handle)>,
    /// Entries that the connection of the exchange tracks: it releases them.
    of_connection: Vec<(u8, Handle)>,
    /// The tables among which the same key is looked up (`sc_http_req_rate(0,other)`).
    tables: Option<Arc<Tables>>,
    /// Whether the status of a server's answer was counted.
    is_answered: bool,
}

/// Which rules begin to track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Those of connections: their requests are counted as they come.
    Connection,
    /// Those of requests.
    Request,
    /// Those of answers, with the status of a server's answer.
    Answer(Option<u16>),
}

impl Tracked {
    /// Whether something is tracked as `counter`.
    pub fn has(&self, counter: u8) -> bool {
        let entries = self.0.get();
        entries.is_some_and(|entries| entries.borrow().handle(counter).is_some())
    }

    /// Tracks the entry of `table` with the key `value` as `counter`, and counts a request in it.
    /// Nothing is tracked if the value is no key of the table, or if the table has no room.
    pub fn track(
        &self,
        counter: u8,
        (tables, table): (&Arc<Tables>, &Name),
        value: Value<'_>,
        scratch: &mut Scratch,
        since: Since,
    ) {
        let Some(live) = tables.get(table) else {
            return;
        };
        let Some(key) = live.key_of(value, scratch) else {
            return;
        };
        let handle = live.track(key.bytes(), clock::now(), |entry| {
            for data in [Data::ConnCnt, Data::ConnRate] {
                entry.count(data, 0, 1);
            }
            if since != Since::Connection {
                count_request(entry);
            }
            // An answer that came before was not counted in this entry.
            if let Since::Answer(Some(status)) = since {
                count(entry, of_status(status));
            }
        });
        let Some(handle) = handle else {
            return;
        };
        let mut entries = self.0.get_or_init(Box::default).borrow_mut();
        entries.tables.get_or_insert_with(|| Arc::clone(tables));
        entries.all.push((counter, handle));
    }

    /// Whether anything is tracked.
    pub fn is_any(&self) -> bool {
        self.0.get().is_some()
    }

    /// What happens to the exchange is counted in the entries that its connection tracks, too, and the
    /// exchange reads them. The connection must outlive the exchange.
    pub fn join(&self, connection: &Self) {
        let Some(shared) = connection.0.get() else {
            return;
        };
        let shared = shared.borrow();
        let mut entries = self.0.get_or_init(Box::default).borrow_mut();
        entries.tables.clone_from(&shared.tables);
        entries.of_connection.clone_from(&shared.all);
    }

    /// Counts a request in the entries of the connection.
    pub fn requested(&self) {
        if let Some(entries) = self.0.get() {
            let now = clock::now();
            for (_, handle) in &entries.borrow().of_connection {
                handle.with(now, |entry| {
                    count_request(entry);
                    entry.touch();
                });
            }
        }
    }

    /// Increments the counter `index` of the entry that is tracked as `counter`, and its rate.
    pub fn increment(&self, counter: u8, index: usize) {
        self.change(counter, |entry| {
            let (number, rate) = match index {
                0 if !entry.has(Data::Gpc) => (Data::Gpc0, Data::Gpc0Rate),
                1 if !entry.has(Data::Gpc) => (Data::Gpc1, Data::Gpc1Rate),
                _ => (Data::Gpc, Data::GpcRate),
            };
            let element = if number == Data::Gpc { index } else { 0 };
            entry.count(number, element, 1);
            entry.count(rate, element, 1);
        });
    }

    /// Sets the tag `index` of the entry that is tracked as `counter`.
    pub fn tag(&self, counter: u8, index: usize, value: u32) {
        self.change(counter, |entry| {
            let (data, element) = match index {
                0 if !entry.has(Data::Gpt) => (Data::Gpt0, 0),
                _ => (Data::Gpt, index),
            };
            entry.change(data, element, |tag| *tag = value.into());
        });
    }

    fn change(&self, counter: u8, change: impl FnOnce(&mut Entry<'_>)) {
        let entries = self.0.get().map(|entries| entries.borrow());
        let handle = entries.as_ref().and_then(|entries| entries.handle(counter));
        if let Some(handle) = handle {
            handle.with(clock::now(), |entry| {
                change(entry);
                entry.touch();
            });
        }
    }

    /// Counts the answer of a server.
    pub fn answered(&self, status: u16) {
        let Some(entries) = self.0.get() else {
            return;
        };
        let mut entries = entries.borrow_mut();
        entries.is_answered = true;
        let outcome = of_status(status);
        if outcome != Outcome::Neither {
            let now = clock::now();
            for (_, handle) in entries.each() {
                handle.with(now, |entry| count(entry, outcome));
            }
        }
    }

    /// Counts the end of an exchange with the facts `record`. Its entries are tracked until
    /// [`release`](Self::release): a log reads them with the end counted, as in HAProxy.
    pub fn finish(&self, record: &Record) {
        let Some(entries) = self.0.get() else {
            return;
        };
        let entries = entries.borrow();
        let outcome = match entries.is_answered {
            true => Outcome::Neither,
            false => record.reason.get().map_or(Outcome::Neither, of_reason),
        };
        let bytes_in = record.body_bytes_in.get();
        let bytes_out = record.body_bytes_out.get();
        let now = clock::now();
        for (_, handle) in entries.each() {
            handle.with(now, |entry| {
                count(entry, outcome);
                for (data, bytes) in [
                    (Data::BytesInCnt, bytes_in),
                    (Data::BytesInRate, bytes_in),
                    (Data::BytesOutCnt, bytes_out),
                    (Data::BytesOutRate, bytes_out),
                ] {
                    entry.count(data, 0, bytes);
                }
            });
        }
    }

    /// Releases the entries: from here on nothing is tracked.
    pub fn release(&self) {
        let Some(entries) = self.0.get() else {
            return;
        };
        let entries = std::mem::take(&mut *entries.borrow_mut());
        for (_, handle) in &entries.all {
            handle.with(clock::now(), release);
        }
    }
}

impl Drop for Tracked {
    /// Releases the entries of an exchange that was never settled.
    fn drop(&mut self) {
        self.release();
    }
}

fn count_request(entry: &mut Entry<'_>) {
    entry.count(Data::HttpReqCnt, 0, 1);
    entry.count(Data::HttpReqRate, 0, 1);
}

fn release(entry: &mut Entry<'_>) {
    let trackers = entry.trackers();
    *trackers = trackers.saturating_sub(1);
    entry.touch();
}

impl Entries {
    /// Those of the exchange and those of its connection.
    fn each(&self) -> impl Iterator<Item = &(u8, Handle)> {
        self.of_connection.iter().chain(&self.all)
    }

    fn handle(&self, counter: u8) -> Option<&Handle> {
        let found = self.each().find(|(known, _)| *known == counter);
        found.map(|(_, handle)| handle)
    }
}

impl expr::Tracked for Tracked {
    fn read(
        &self,
        counter: u8,
        table: Option<&Name>,
        reading: Reading,
        element: usize,
    ) -> Option<u64> {
        let entries = self.0.get()?.borrow();
        let handle = entries.handle(counter)?;
        let now = clock::now();
        let Some(table) = table else {
            return handle.with(now, |entry| entry.read(reading, element));
        };
        // The same key in another table.
        let other = entries.tables.as_ref()?.get(table)?;
        if other.key != handle.table.key {
            return None;
        }
        let key = handle.with(now, |entry| entry.key());
        other.read(key.bytes(), reading, element, now)
    }
}

/// Whose fault the outcome of an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Neither,
    ClientError,
    ServerFailure,
}

fn count(entry: &mut Entry<'_>, outcome: Outcome) {
    let (number, rate) = match outcome {
        Outcome::Neither => return,
        Outcome::ClientError => (Data::HttpErrCnt, Data::HttpErrRate),
        Outcome::ServerFailure => (Data::HttpFailCnt, Data::HttpFailRate),
    };
    entry.count(number, 0, 1);
    entry.count(rate, 0, 1);
    entry.touch();
}

/// The outcome of an exchange that a server answered with `status`, as HAProxy counts it.
fn of_status(status: u16) -> Outcome {
    match status {
        400..=499 => Outcome::ClientError,
        // Not implemented, and a version that is not supported: the request is the cause.
        501 | 505 => Outcome::Neither,
        500..=599 => Outcome::ServerFailure,
        _ => Outcome::Neither,
    }
}

/// The outcome of an exchange that no server answered, as HAProxy counts it.
fn of_reason(reason: Reason) -> Outcome {
    match reason {
        Reason::RuleDenied
        | Reason::RuleUnauthorized
        | Reason::RuleTarpitted
        | Reason::RuleRateLimited
        | Reason::RequestBodyMalformed
        | Reason::RequestBodyTimeout => Outcome::ClientError,
        // A server that cannot be reached is no failure of the exchange for HAProxy; one that gives
        // no valid answer is.
        _ if reason.side() == Side::Server => match reason.retry() {
            Retry::Empty | Retry::Timeout | Retry::Malformed => Outcome::ServerFailure,
            Retry::Connect | Retry::Refused | Retry::Never => Outcome::Neither,
        },
        _ => Outcome::Neither,
    }
}
