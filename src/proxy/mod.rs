//! The data plane, in the order in which a request flows through it.

pub mod backend;
pub mod route;
