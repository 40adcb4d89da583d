//! HTTP/1.1 on the wire (RFC 9112): heads of answers, bodies in chunks, and what a request is written as.
//!
//! What comes in is parsed strictly and handed on as values; what goes out is written from values. So
//! nothing that a peer wrote reaches the other side as it stood there. What is refused is listed in
//! [`Refusal`], and a refusal ends the connection: after it, what the next byte means is a guess.

pub mod answer;
pub mod chunks;
mod refusal;
pub mod request;

pub use refusal::Refusal;
