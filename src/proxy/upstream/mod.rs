//! The connections to one server: opening, sending on them, and keeping them for the next exchange.
//!
//! `backend` has chosen the server; `forward` takes a [`Connection`] from a [`ServerPool`], and has
//! [`send`] write a head and a body on it. The result is an [`Answer`], whose body streams, or
//! [`Unanswered`], with the facts of the request. Both are the same for HTTP/1 and HTTP/2: nothing
//! above this room knows which it is.
//!
//! A connection belongs to the worker that opened it: one of HTTP/1 to one exchange at a time, one
//! of HTTP/2 to as many as the server lets it carry. The configuration decides which of the two it
//! is, or ALPN: a pool has both kinds, and a server has a pool for each SNI.

mod failure;
mod framing;
mod h1;
mod h2;
mod idle_pool;
mod incoming;
mod open;
mod send;
mod server_pool;
mod server_pools;
mod settings;
mod tls;
mod transport;
mod trust;

pub(crate) use failure::{EarlyEnd, Leftover, RequestEnd, Unanswered};
pub(crate) use h2::{head_of, not_http2};
pub(crate) use incoming::{Incoming, ServerEnd};
pub(crate) use open::{Opener, dial};
pub(crate) use send::{Answer, Destination, send};
pub(crate) use server_pool::{ConnectParams, Connection, ServerPool, Wanted};
pub(crate) use server_pools::ServerPools;
pub(crate) use settings::Settings;
pub(crate) use tls::{Agreed, Materials, Spoken, Tls, Trusted};
pub(crate) use transport::Transport;
