//! Which server: a backend's servers, their state, and the choice among them.

pub mod balance;
