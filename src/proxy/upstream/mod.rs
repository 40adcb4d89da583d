//! The way to one server: connections, the exchanges they carry, and those kept for the next.
//!
//! `backend` has chosen the server; `forward` says what to send. A connection belongs to the worker
//! that opened it: one of HTTP/1 to one exchange at a time, one of HTTP/2 to as many as the server
//! lets it carry. Which of the two it is, the configuration says, or the server by ALPN: a [`Lane`]
//! has both kinds, and a server has a lane for each name that it is asked by under TLS.

mod h1;
mod h2;
mod lane;
mod lanes;
mod open;
mod pool;
mod settings;
mod tls;
mod trust;

pub use h1::{Connection, Failure, ResponseHead};
pub use h2::{Answer, Outcome, Rest, Seat, Unanswered, ask_for_tunnel, head_of, not_http2};
pub use lane::{Carrier, Lane, Wanted, Way};
pub use lanes::Lanes;
pub use open::dial;
pub use settings::Settings;
pub use tls::{Agreed, Materials, Spoken, Tls, Trusted};
