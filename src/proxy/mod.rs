//! The data plane, in the order in which a request flows.

pub mod backend;
