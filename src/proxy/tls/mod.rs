//! TLS handshakes of binds: rules, certificates, and resumed sessions.
//!
//! `control::certs` reads files and makes [`Terms`] of them, which binds with the same TLS share; a
//! snapshot's frontend holds them in an [`Acceptor`], where they are exchanged as one when a
//! certificate was renewed. `listen` uses the acceptor once for each handshake. Nothing here opens
//! a file or a socket.

mod acceptor;
mod admission;
mod client;
mod client_cert_sessions;
mod failure;
#[cfg(test)]
mod fixture;
mod resolver;
mod resumption;
mod rules;
mod store;
mod tickets;

pub(crate) use acceptor::{Acceptor, Terms};
pub(crate) use admission::{Admission, Lapsed};
pub(crate) use client::client_tls;
pub(crate) use failure::failure_of;
pub(crate) use resumption::{PolicyId, Resumption};
pub(crate) use rules::{Trust, provider};
pub(crate) use store::{Certificate, KeyKind, Store, StoreBuilder};
