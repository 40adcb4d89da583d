//! The choice among the servers of a backend, as arithmetic.
//!
//! Pure functions, without socket, clock or state. `backend` has the state (weights, in-flight counts, a
//! cursor that all workers share) and passes it in.

pub mod least_connections;
pub mod round_robin;
