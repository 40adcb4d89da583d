//! Checks of a plan that need the system: whether the files that it names have valid content.
//!
//! For `check`, the start and each reload; each fault is reported at the line that names the file.
//! Addresses are tried when they are bound, in `listeners`.

use crate::config::Diagnostics;
use crate::plan::Plan;

use super::certs::{Certs, Prepared};

/// A plan whose files have been read.
#[derive(Debug)]
pub struct Verified {
    /// The certificates of its frontends and backends.
    pub certs: Certs,
    /// The same, ready for use.
    pub prepared: Prepared,
    /// Warnings.
    pub warnings: Diagnostics,
}

/// Reads the files that `plan` names; `over` has the text of the plan.
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
