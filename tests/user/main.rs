//! What a user reads and sees: the documents say what is so, and what they tell one to type works.
//!
//! The real program runs as a child here; see `tests/it` for the proxy itself.

#![expect(
    clippy::disallowed_methods,
    reason = "a child process has no other clock than the system's"
)]

mod demo;
mod program;
mod readme;
mod refusals;
