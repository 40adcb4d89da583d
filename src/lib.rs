//! Evenkeel: a Layer-7 load-balancing reverse proxy.

pub mod base;
pub mod control;
pub mod exchange;
pub mod net;
pub mod plan;
pub mod proxy;
