//! What each room stamps on an exchange: who asked for what, which route, backend and server, how
//! long each step took, why it ended as it did.
//!
//! Plain facts. The rooms of the data plane write them as they happen; `observe` turns them into a
//! log line and numbers when the exchange is over. Nothing here decides.

mod client_tls;
mod fault;
mod logged;
mod reason;
mod record;

pub use client_tls::{ClientCertificate, ClientTls};
pub use fault::{Cause, Fault, Http2InWords, Retry, Side};
pub use logged::{LoggedField, LoggedRequest, LoggedText, RequestTexts};
pub use reason::Reason;
pub use record::{Attempt, FirstBytes, Opening, Record, RequestId};
