//! The whole proxy in a simulated network, in simulated time, under a seed.
//!
//! Worker and control plane run on one simulated host, servers and clients on others; links between
//! them are cut, stalled and mended. A run is decided by its seed alone: what fails once fails again.
//!
//! A link that is *cut* loses what is sent, and connecting fails at once; what was lost is never sent
//! again, so that a connection which lost something is dead. A link that is *stalled* keeps what is
//! sent until it flows again: connecting hangs, nothing is lost. Real networks do both.

mod balancing;
mod client;
mod defect;
mod drain;
mod fixture;
mod hello;
mod memory;
mod network;
mod outage;
mod parking;
mod seeds;
mod server;
mod server_sets;
mod trace;
mod upload;
