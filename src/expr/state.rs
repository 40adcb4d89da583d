//! The present state of frontends, backends and servers, as expressions see it. The state itself is
//! in a snapshot.

use std::fmt;

use crate::plan::expr::{BackendReading, FrontendReading, ServerReading};

use super::figures::Figures;

/// The present state of frontends, backends and servers.
pub trait State: fmt::Debug {
    /// A figure of the backend with this name; `None`: there is none.
    fn of_backend(&self, backend: &str, reading: BackendReading) -> Option<i64>;

    /// A figure of a server; `None`: the backend has none with this name.
    fn of_server(&self, backend: &str, server: &str, reading: ServerReading) -> Option<i64>;

    /// The figures of all of them.
    fn figures(&self) -> Figures;

    /// A figure of the frontend with this name; `None`: there is none.
    fn of_frontend(&self, frontend: &str, reading: FrontendReading) -> Option<i64>;
}
