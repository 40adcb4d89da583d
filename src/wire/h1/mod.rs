//! HTTP/1.1 on the wire (RFC 9112): parses response heads, reads and writes chunked bodies, and writes
//! request heads.
//!
//! Input is parsed strictly into values, and output is written from values. So no bytes of one peer reach
//! the other unparsed. [`Refusal`] lists what is refused. A refusal ends the connection, because the
//! meaning of the next byte is unknown after it.

pub mod chunks;
mod refusal;
pub(crate) mod request;
pub mod response;

pub use refusal::Refusal;
