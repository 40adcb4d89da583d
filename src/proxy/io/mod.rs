//! Bytes in motion: the client's socket as hyper sees it, the request body, and the clock that runs
//! over both.
//!
//! Every room of the data plane may use this one; it uses none of them.

mod course;
mod deadlines;
mod request_body;
mod timer;
mod watched;

pub use course::Course;
pub use deadlines::Deadlines;
pub use request_body::{BodyFault, ContinueGate, RequestBody};
pub use timer::Timer;
pub use watched::{Watch, WatchedStream};
