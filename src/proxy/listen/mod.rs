//! Accepts connections on the worker that will serve them: counts them, holds them back at a limit,
//! and reads the PROXY header and the TLS handshake.

mod accept;
mod handshake;
mod identify;

pub(crate) use accept::{Accept, Target};
