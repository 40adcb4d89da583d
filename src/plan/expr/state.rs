//! What fetches read of the present state of backends, servers and frontends.

/// A figure of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateReading {
    /// Of a backend.
    Backend(BackendReading),
    /// Of a server.
    Server(ServerReading),
    /// Of a frontend.
    Frontend(FrontendReading),
}

/// A figure of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendReading {
    /// The servers that take traffic.
    Usable,
    /// The exchanges at its servers and in its queue.
    Exchanges,
    /// The free slots at the servers that take traffic; -1: one of them has no bound.
    FreeSlots,
    /// The same and the free places in its queue.
    FreePlaces,
    /// The exchanges in its queue.
    Queue,
    /// The same for each server that takes traffic.
    QueuePerServer,
    /// The exchanges of the last second.
    Rate,
}

/// A figure of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerReading {
    /// Whether it takes traffic.
    IsUp,
    /// The exchanges at it.
    Exchanges,
    /// Its free slots; -1: it has no bound.
    FreeSlots,
    /// The exchanges that wait for it alone.
    Queue,
    /// Its share of the traffic.
    Weight,
    /// Its place among the servers of its backend, from 1.
    Number,
}

/// A figure of a frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontendReading {
    /// Its open connections.
    Connections,
    /// Its requests of the last second.
    Rate,
}
