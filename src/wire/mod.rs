//! Pure parsers and encoders for heads and the first bytes of connections: bytes in, values out.
//!
//! No socket, no clock, no configuration. All input comes from the network, so nothing here panics,
//! loops without a bound or allocates more than its input; each parser has its fuzz target in
//! `tests/fuzz`.

pub(crate) mod escape;

pub mod accept;
pub mod accept_encoding;
pub mod client_hello;
pub mod content_length;
pub mod field_names;
pub mod forwarded;
pub mod grpc;
pub mod h1;
pub mod host;
pub mod normalizers;
pub mod path;
pub mod preface;
pub mod proxy_protocol;
pub mod query;
pub mod readings;
pub(crate) mod target;
pub mod trailers;
pub mod websocket;
