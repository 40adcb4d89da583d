//! Evenkeel: a Layer-7 load-balancing reverse proxy.

pub mod base;
pub mod exchange;
pub mod observe;
pub mod plan;
