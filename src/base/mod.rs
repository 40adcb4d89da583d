//! Leaf types that every room may use: units, names, addresses, time, chance, tasks.
//!
//! Nothing here knows what a proxy is, and nothing here imports another room.

pub mod address;
pub mod clock;
pub mod name;
pub mod position;
pub mod quote;
pub mod rng;
pub mod system_error;
pub mod tasks;
pub mod tls;
pub mod turn;
pub mod units;

pub use address::{Address, FileMode, ListenAddress, Peer};
pub use name::Name;
pub use position::Position;
pub use system_error::InWords;
pub use tls::{Fingerprint, MalformedFingerprint, TlsKeys, TlsVersion};
pub use units::ByteSize;
