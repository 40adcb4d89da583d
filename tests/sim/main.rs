//! The whole proxy in a simulated network, in simulated time, under a seed.
//!
//! Worker and control plane run on one simulated host, servers and clients on others; links between
//! them are cut, stalled and repaired. A run depends on its seed alone: a failure can be repeated.
//!
//! A link that is *cut* loses bytes, and connecting fails at once; lost bytes are never sent again,
//! so a connection that lost some is dead. A link that is *stalled* keeps bytes until it flows
//! again: connecting hangs, nothing is lost. Real networks do both.

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
