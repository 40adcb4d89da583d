//! Evenkeel as its users meet it: the real proxy between real sockets.
//!
//! One module a feature. Each promise has a test of what must happen and of what must not.

mod balancing;
mod connections;
mod deadlines;
mod forwarding;
mod refusals;
mod rig;
mod routes;
