//! What is valid and can hardly be meant: conditions that never hold, rules that never run.
//!
//! Looked for in the values of the plan alone, so that it does not matter which format they were
//! written in. `compile` asks, and says where it is.

mod condition;
mod rules;

pub(super) use condition::{Impossible, impossible};
pub(super) use rules::never_run;
