//! A client connection with HTTP/1 or HTTP/2: requests are read, refused if they must not pass, and
//! answered.
//!
//! `listen` hands connections to [`serve`], which determines the version; `h1` and `h2` read
//! requests and write answers. For each request `handle` calls the rooms in their
//! order: `admit`, `rules`, `route`, `hop`, `forward`, and back.

mod active;
pub mod admit;
mod body;
mod client;
mod compress;
mod dialect;
mod error_pages;
mod h1;
mod h2;
mod handle;
mod hop;
mod identity;
mod idle;
mod linger;
mod opening;
mod outbound;
mod outside;
mod pipeline;
pub mod seen;
mod serve;
mod upgrade;

pub use client::{ConnectionInfo, TlsClient, Via};
pub use serve::serve;
