//! Pure parsers and encoders of what stands in a head or at the beginning of a connection:
//! bytes in, values out.
//!
//! No socket, no clock, no configuration. Everything here reads bytes that others wrote, so
//! nothing here panics, loops without a bound or allocates more than it was given; each parser has
//! its fuzz target in `tests/fuzz`.

pub(crate) mod escape;

pub mod client_hello;
pub mod content_length;
pub mod field_names;
pub mod forwarded;
pub mod grpc;
pub mod h1;
pub mod host;
pub mod path;
pub mod preface;
pub mod proxy_protocol;
pub mod query;
pub mod readings;
pub(crate) mod target;
pub mod websocket;
