//! Where earlier sessions are remembered, so that a client that comes back needs no full handshake.
//!
//! One for each policy about client certificates, and never one for two: on resumption rustls asks
//! for no certificate and believes the one that the session has, so a session that was begun without
//! a certificate would go on where one is required (the class of CVE-2025-23419 in nginx).
//! `control::certs` keeps them across reloads and renewals, and drops one when its policy has gone.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};

/// Sessions of clients that take no tickets. A few hundred bytes each, so some MB for each policy.
const SESSIONS: usize = 20_000;

/// The memory of one policy.
#[derive(Clone)]
pub struct Resumption {
    /// Encrypts sessions into tickets, which clients keep. It makes a new key every six hours, and
    /// takes tickets of the one before.
    pub(super) ticketer: Arc<dyn ProducesTickets>,
    /// For clients of TLS 1.2 that take no tickets.
    pub(super) sessions: Arc<dyn StoresServerSessions>,
}

impl Resumption {
    /// An empty memory with a key of its own.
    ///
    /// # Errors
    ///
    /// That the system gives no randomness.
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self {
            ticketer: Ticketer::new()?,
            sessions: ServerSessionMemoryCache::new(SESSIONS),
        })
    }
}

impl fmt::Debug for Resumption {
    /// Keys are in there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resumption")
    }
}
