//! Evenkeel: a Layer-7 load-balancing reverse proxy.

pub mod base;
pub mod config;
pub mod exchange;
pub mod plan;
pub mod wire;
