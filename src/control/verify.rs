//! What only the system can tell of a plan: whether the files that it names hold what they must.
//!
//! For `check`, at the start and at each reload alike; each fault is said at the line that names the
//! file. Addresses are tried where they are bound, in `listeners`.

use crate::config::Diagnostics;
use crate::plan::Plan;

use super::certs::{Certs, Prepared};

/// A plan whose files have been read.
#[derive(Debug)]
pub struct Verified {
    /// The certificates of its frontends and backends.
    pub certs: Certs,
    /// What they are used as.
    pub prepared: Prepared,
    /// What is hardly meant so.
    pub warnings: Diagnostics,
}

/// Reads the files that `plan` names; `over` has the text that it came from.
///
/// # Errors
///
/// Everything that is wrong with them, warnings included.
pub fn verify(plan: &Plan, over: &Diagnostics) -> Result<Verified, Diagnostics> {
    let mut certs = Certs::default();
    let mut prepared = certs.prepare(plan, None);
    let mut found = over.empty_over_same_text();
    for diagnostic in prepared.diagnostics.drain(..) {
        found.push(diagnostic);
    }
    if found.has_errors() {
        return Err(found);
    }
    Ok(Verified {
        certs,
        prepared,
        warnings: found,
    })
}
