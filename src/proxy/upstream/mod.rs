//! The way to one server: connections, the exchanges they carry, and those kept for the next.
//!
//! `backend` has chosen the server; `forward` says what to send. A connection belongs to the worker
//! that opened it, and to one exchange at a time.

mod connection;
mod pool;

pub use connection::{Connection, Failure, ResponseHead, Settings};
pub use pool::Pool;
