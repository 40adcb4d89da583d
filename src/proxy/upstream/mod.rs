//! The way to one server: connections, the exchanges they carry, and those kept for the next.
//!
//! `backend` has chosen the server; `forward` says what to send. A connection belongs to the worker
//! that opened it: one of HTTP/1 to one exchange at a time, one of HTTP/2 to as many as the server
//! lets it carry. Which of the two it is, the configuration says, or the server by ALPN: a [`ServerPool`]
//! has both kinds, and a server has a pool for each name that is asked for by SNI.

mod framing;
mod h1;
mod h2;
mod idle_pool;
mod leftover;
mod open;
mod server_pool;
mod server_pools;
mod settings;
mod tls;
mod transport;
mod trust;

pub(crate) use framing::check_framing;
pub(crate) use h1::{BodyBroken, Failure, H1Connection};
pub(crate) use h2::{
    Answer, Rest, StreamEnd, StreamPermit, Unanswered, ask_for_tunnel, head_of, not_http2,
};
pub(crate) use leftover::Leftover;
pub(crate) use open::{Opener, dial};
pub(crate) use server_pool::{ConnectParams, Connection, ServerPool, Wanted};
pub(crate) use server_pools::ServerPools;
pub(crate) use settings::Settings;
pub(crate) use tls::{Agreed, Materials, Spoken, Tls, Trusted};
pub(crate) use transport::Transport;
