//! The data plane, in the order in which a request flows.

pub mod backend;
pub(crate) mod connections;
pub(crate) mod context;
pub(crate) mod forward;
pub(crate) mod frontend;
pub mod http;
pub mod io;
pub(crate) mod listen;
pub(crate) mod reply;
pub mod route;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod snapshot;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod tunnel;
pub(crate) mod upstream;
pub(crate) mod worker;
