//! The state that the handler of one exchange and its two bodies share.

use crate::base::clock::{self, Duration, Instant};
use std::cell::{Cell, OnceCell, RefCell};

use crate::exchange::{Opening, Reason, Record, Side};
use crate::expr::Variables;
use crate::plan::SetTimeouts;
use crate::tables::Tracked;

use super::deadlines::Deadlines;
use super::interim::Interims;
use super::upgrade_request::UpgradeRequest;

/// One request and its response in progress. It lives in an `Rc`: the handler, the request body and
/// the response body hold it, and the connection reads it when it is over.
#[derive(Debug)]
pub struct Exchange {
    /// The record, for the log and the metrics.
    pub record: Record,
    /// Its deadlines.
    pub deadlines: Deadlines,
    /// Whether the last byte of the request has been read. Written by the request body.
    pub request_complete: Cell<bool>,
    /// Whether the request's body has been polled. Written by the request body.
    pub body_wanted: Cell<bool>,
    /// Whether the fields of the request for the server were dropped before its answer came. Written by
    /// `upstream`.
    pub is_head_dropped: Cell<bool>,
    /// Variables that rules have set for this exchange. Written by `proxy::rules`.
    pub variables: Variables,
    /// The entries of tables that it tracks. Written by `proxy::rules`; `context` counts its end in
    /// them.
    pub tracked: Tracked,
    /// The upgrade that the request asks for, if any. Written by `handle`. Boxed, because it is
    /// rare.
    upgrade: OnceCell<Box<UpgradeRequest>>,
    /// Deadlines that rules have set; `None`: none. Written by `http`. Boxed, because it is rare.
    timeouts: RefCell<Option<Box<SetTimeouts>>>,
    /// The interim responses of the server, if the client can receive them.
    pub interims: Interims,
}

impl Exchange {
    /// An exchange that begins.
    pub fn begin(opening: Opening) -> Self {
        Self {
            record: Record::open(opening),
            deadlines: Deadlines::default(),
            request_complete: Cell::new(false),
            body_wanted: Cell::new(false),
            is_head_dropped: Cell::new(false),
            variables: Variables::default(),
            tracked: Tracked::default(),
            upgrade: OnceCell::new(),
            timeouts: RefCell::default(),
            interims: Interims::default(),
        }
    }

    /// An exchange that begins now, of some client.
    #[cfg(test)]
    pub(crate) fn of_a_test() -> std::rc::Rc<Self> {
        let now = clock::now();
        std::rc::Rc::new(Self::begin(Opening {
            began: now,
            head_read: now,
            wall: std::time::UNIX_EPOCH,
            client: std::net::SocketAddr::from(([192, 0, 2, 7], 51_234)).into(),
            local: None,
            tls: None,
            frontend: None,
            generation: 1,
            version: http::Version::HTTP_11,
            request: None,
            wants_load: false,
            first_bytes: None,
            id: crate::exchange::RequestId::made(1),
        }))
    }

    /// Bounds the whole exchange, counted from the end of the request's head; `None`: no bound.
    pub fn bound(&self, bound: Option<Duration>) {
        let from = self.record.opening.head_read;
        if let Some(until) = bound.and_then(|bound| from.checked_add(bound)) {
            self.deadlines.bound_exchange(until);
        }
    }

    /// Sets deadlines, in place of those that were set before.
    pub fn set_timeouts(&self, set: SetTimeouts) {
        let mut timeouts = self.timeouts.borrow_mut();
        let before = timeouts.as_deref().copied().unwrap_or_default();
        *timeouts = Some(Box::new(before.then(set)));
    }

    /// The deadline that a rule has set, as `which` picks it, or else `usual`.
    #[inline]
    pub fn timeout<T>(&self, usual: T, which: fn(&SetTimeouts) -> Option<T>) -> T {
        let set = self.timeouts.borrow();
        set.as_deref().and_then(which).unwrap_or(usual)
    }

    /// Notes the upgrade that the request asks for; only the first call counts.
    pub fn request_upgrade(&self, upgrade: UpgradeRequest) {
        let _ = self.upgrade.set(Box::new(upgrade));
    }

    /// The upgrade that the request asks for, if any.
    pub fn upgrade(&self) -> Option<&UpgradeRequest> {
        self.upgrade.get().map(|upgrade| &**upgrade)
    }

    /// Notes that the last byte of the response was handed on, or that none will follow. Only the
    /// first call counts.
    pub fn end(&self) {
        if self.record.ended.get().is_none() {
            self.record.ended.set(Some(clock::now()));
        }
    }

    /// The same, for a caller that has just read the clock.
    pub fn end_at(&self, now: Instant) {
        if self.record.ended.get().is_none() {
            self.record.ended.set(Some(now));
        }
    }

    /// Ends it early.
    pub fn cut(&self, reason: Reason) {
        if self.record.ended.get().is_none() {
            self.record.blame(reason);
            if reason.side() == Side::Server {
                let attempts = &self.record.attempts;
                if let Some(index) = attempts.decisive() {
                    attempts.stamp(index, |attempt| attempt.reason = Some(reason));
                }
            }
            self.end();
        }
    }

    /// When it was over.
    pub fn ended(&self) -> Option<Instant> {
        self.record.ended.get()
    }
}
