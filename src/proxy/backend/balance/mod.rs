//! The choice among the servers of a backend, as arithmetic.
//!
//! `backend` keeps the state (weights, in-flight counts, a cursor shared by all workers) and asks
//! here. No socket, no clock, no state: what comes out follows from what is put in, so that a test
//! needs nothing else.

pub mod least_connections;
pub mod round_robin;
