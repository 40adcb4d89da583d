//! HTTP/1.1 on the wire (RFC 9112): parses and writes the heads of requests and responses, reads and writes
//! chunked bodies.
//!
//! Input is parsed strictly into values, and output is written from values. So no bytes of one peer reach
//! the other unparsed. [`Refusal`] lists what is refused. A refusal ends the connection, because the
//! meaning of the next byte is unknown after it.

pub mod chunks;
mod fields;
mod framing;
mod names;
mod refusal;
pub(crate) mod request;
pub mod request_head;
pub mod response;
pub(crate) mod response_head;

pub use fields::HeadLimits;
pub use framing::BodyFraming;
pub use names::{KeepNames, NameCase, OriginalNames};
pub use refusal::Refusal;
