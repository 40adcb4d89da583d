//! The configuration: from text to a plan, with every mistake in it found at once.
//!
//! `source` reads files, `raw` keeps what was written and where, `compile` resolves names, fills in
//! defaults and checks, `diagnostic` says what is wrong. `control` loads through here at start and
//! at each reload, `cli` for `check`. Nothing here touches what runs.

mod diagnostic;
mod source;

use std::path::{Path, PathBuf};

pub use diagnostic::{Color, Diagnostic, Diagnostics, Severity};

use crate::plan::Plan;

/// What a configuration came to.
pub struct Loaded {
    /// What is to be done.
    pub plan: Plan,
    /// What is hardly meant so; never an error.
    pub warnings: Diagnostics,
    /// What to look at for changes.
    pub watch: Watch,
}

/// Everything that a plan came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The main file, included files and secret files.
    pub files: Vec<PathBuf>,
    /// The patterns of `include`: a new file that matches one changes the configuration.
    pub globs: Vec<String>,
}

/// The plan that the file at `path` and what it includes describe.
///
/// # Errors
///
/// Every mistake in every file.
pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    let _ = path;
    Err(Diagnostics::default())
}

/// The plan that `text` describes; messages call it `name`.
///
/// There is no directory that a relative path could begin at: such paths are errors.
///
/// # Errors
///
/// Every mistake in the text.
pub fn load_text(name: &str, text: &str) -> Result<Loaded, Diagnostics> {
    let _ = (name, text);
    Err(Diagnostics::default())
}

/// `plan` as text with every default filled in.
///
/// It loads back to an equal plan, except for what came from secret files: that is not shown.
pub fn show(plan: &Plan) -> String {
    let _ = plan;
    String::new()
}
