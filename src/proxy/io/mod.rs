//! Bytes in motion: the client's socket as hyper sees it, bodies of either version of HTTP, and the
//! clock that runs over them.
//!
//! Every room of the data plane may use this one; it uses none of them.

mod burst;
mod course;
mod deadlines;
mod heft;
mod kept;
mod pump;
mod received;
mod relay;
mod request_body;
mod stream_body;
mod switch;
mod timer;
mod watched;

pub use burst::{BurstStream, Held};
pub use course::Course;
pub use deadlines::Deadlines;
pub use pump::{Pump, Stopped};
pub use received::{ReceiveError, ReceivedBody};
pub use relay::{Broken, End, Relay, Spoken};
pub use request_body::{BodyFault, ContinueGate, RequestBody};
pub use stream_body::StreamBody;
pub use switch::{Proof, Switch};
pub use timer::Timer;
pub use watched::{Watch, WatchedStream, has_moved, note_flushed};
