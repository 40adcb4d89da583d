//! What a user reads and sees: the documents say what is so, and what they tell one to type works.
//!
//! The real program runs as a child here; see `tests/it` for the proxy itself.

mod demo;
mod program;
mod readme;
mod refusals;
