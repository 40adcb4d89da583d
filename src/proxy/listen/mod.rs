//! A socket arrives: accepted on the worker that will serve it, counted, and held back when there
//! are as many as may be. Then it is asked whose it is, where a proxy before us says so.

mod accept;
mod handshake;
mod identify;

pub(crate) use accept::{Accept, Target};
