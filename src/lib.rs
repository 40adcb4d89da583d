//! Evenkeel: a Layer-7 load-balancing reverse proxy.

pub mod base;
pub mod cli;
pub mod config;
pub mod control;
pub mod exchange;
pub mod net;
pub mod observe;
pub mod plan;
pub mod process;
pub mod proxy;
pub mod wire;
