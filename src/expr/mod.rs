//! Expressions, conditions and templates, compiled and evaluated.
//!
//! `control::assemble` compiles the expressions of the plan ([`crate::plan::expr`]); rooms of the
//! data plane evaluate them against the [`Facts`] of an exchange. No state, and no
//! allocation once a worker's [`Scratch`] has grown to the size that its expressions need.
//!
//! Names, types and semantics are HAProxy's (configuration manual, sections 7.3 and 7.4). Every
//! type was checked when the configuration was loaded: evaluation cannot fail, but a value can be
//! absent.

mod capture_fetch;
mod case;
mod certificate_fetch;
mod condition;
mod content;
mod convert;
mod facts;
mod fetch;
mod figures;
mod head_fetch;
mod lookup;
mod process_fetch;
mod program;
mod scratch;
mod state;
mod state_fetch;
mod table_fetch;
mod tables;
mod target_fetch;
mod template;
#[cfg(test)]
mod tests;
mod tls_fetch;
mod variables;

pub use condition::Condition;
pub use content::{Content, Hello, Seen};
pub use facts::{BodyFacts, ConnectionFacts, Facts, RequestFacts, ResponseFacts};
pub use figures::{BackendFigures, Figures, FrontendFigures, ServerFigures, Statuses};
pub use lookup::Lookup;
pub use program::Program;
pub use scratch::{Scratch, Value};
pub use state::State;
pub use tables::{Tables, Tracked};
pub use template::Template;
pub use variables::{Captured, Variables};
