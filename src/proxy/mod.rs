//! The data plane, in the order in which a request flows.

pub mod backend;
pub mod connections;
pub mod context;
pub mod forward;
pub mod frontend;
pub mod http;
pub mod io;
pub mod listen;
pub mod reply;
pub mod route;
pub mod snapshot;
pub mod tcp;
pub mod tls;
pub mod tunnel;
pub mod upstream;
pub mod worker;
