//! A client's session store: keeps the newest ticket or none, and records that one came.
//!
//! In TLS 1.3 a client's handshake is over before the server has seen the last of it. A ticket is
//! sent after the server has checked that too, so it shows when a handshake is over on both sides.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// Whether the next handshake may use the last ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Newest,
}

#[derive(Debug)]
pub(crate) struct Tickets {
    keep: Keep,
    newest: Mutex<Option<Tls13ClientSessionValue>>,
    /// Relaxed: read on the thread that writes it.
    arrived: AtomicU64,
}

impl Tickets {
    pub(crate) fn new(keep: Keep) -> Arc<Self> {
        Arc::new(Self {
            keep,
            newest: Mutex::new(None),
            arrived: AtomicU64::new(0),
        })
    }

    /// How many came so far.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        if self.keep == Keep::Newest {
            *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket);
        }
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
