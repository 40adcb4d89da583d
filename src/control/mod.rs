//! The control plane: everything that decides and nothing that carries traffic.
//!
//! It lives on a thread of its own, with its own runtime. The data plane never calls it: it reads
//! what is decided here from the snapshot and from the live state of the servers.

pub mod health;
