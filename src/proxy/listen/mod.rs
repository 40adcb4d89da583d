//! A socket arrives: accepted on the worker that will serve it, counted, and held back when there
//! are as many as may be.

mod accept;
mod handshake;

pub use accept::{Accept, Target};
