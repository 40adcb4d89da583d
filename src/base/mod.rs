//! Leaf types that every room may use: units, names, addresses, time, chance, tasks.
//!
//! Nothing here knows what a proxy is, and nothing here imports another room.

pub(crate) mod address;
mod cache_padded;
pub mod clock;
mod fold_hash;
mod name;
mod position;
pub(crate) mod quote;
pub(crate) mod regular_file;
pub mod rng;
mod system_error;
pub mod tasks;
pub(crate) mod tls;
pub(crate) mod turn;
pub(crate) mod units;
mod zone;

pub use address::{Address, FileMode, ListenAddress, Peer};
pub(crate) use cache_padded::CachePadded;
pub use fold_hash::{FoldMap, FoldSet};
pub use name::{InvalidName, Name};
pub use position::Position;
pub use system_error::InWords;
pub use tls::{Fingerprint, MalformedFingerprint, TlsKeys, TlsVersion};
pub use units::ByteSize;
pub(crate) use zone::{LocalTime, Zone};
