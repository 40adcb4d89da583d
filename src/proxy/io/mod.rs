//! The transport of bytes: the client's socket, bodies of either HTTP version, and the deadlines
//! that apply to them.
//!
//! Every room of the data plane may use this one; it uses none of them.

mod active_attempt;
mod blocked;
mod client_socket;
mod cork;
mod date;
mod deadlines;
mod exchange;
mod field_rules;
mod interim;
mod listener;
mod logged_line;
mod parting;
mod progress_probe;
mod pump;
mod read_body;
mod received;
mod relay;
mod replay_buffer;
mod request_body;
mod send_progress;
mod splice_heuristic;
mod stalled;
mod stream_body;
mod timer;
mod tracked_socket;
mod upgrade_request;
mod upload_progress;

pub use active_attempt::ActiveAttempt;
pub use blocked::{Blocked, Look, Stall};
pub use client_socket::{ClientBody, ClientBroken, ClientSocket};
pub use cork::CorkedStream;
pub use date::DateCache;
pub use deadlines::{AttemptDeadlines, Deadlines};
pub use exchange::Exchange;
pub use field_rules::{FieldRules, NameKind, never_from_clients};
pub use interim::{Interims, MOST_INTERIM_BYTES, interim_bytes};
pub use listener::{ContinueGate, Listener};
pub use logged_line::logged_line;
pub use parting::reset_when_taken;
pub use progress_probe::ProgressProbe;
pub use pump::{Pump, Stopped};
pub use read_body::{BodyWanted, ReadBody, poll_ahead, put_back};
pub use received::{ReceiveError, ReceivedBody};
pub use relay::{Broken, End, Relay, Spoken};
pub use replay_buffer::KeptBodies;
#[cfg(test)]
pub(crate) use request_body::tests::of_small_pieces;
pub use request_body::{BodyFault, RequestBody};
pub use send_progress::SendProgress;
pub use stalled::{Stalled, StalledEntry};
pub use stream_body::{StreamBody, Unread, trim_values};
pub use timer::Timer;
pub use tracked_socket::{SocketTracker, TrackedSocket};
pub use upgrade_request::{Proof, UpgradeRequest};
pub use upload_progress::UploadProgress;
