//! Accepts connections on the worker that will serve them: counts them, holds them back at a limit,
//! runs the rules for connections, and reads the PROXY header and the TLS handshake.

mod accept;
mod enter;
mod handshake;
mod identify;

pub(crate) use accept::{Accept, Target};
