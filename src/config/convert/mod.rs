//! A file of HAProxy as a file in TOML: `evenkeel convert`.
//!
//! The other front end makes the tables that a file in TOML would have; here they are written, in the order of the
//! original and with its comments. What is written loads to an equal plan, or it is not handed out.

mod comments;
mod layout;

use std::path::Path;
use std::sync::Arc;

use crate::base::Position;
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::include::{Gathered, Gatherer};
use crate::config::{Options, compiled, environment, haproxy, load_text};

use comments::Comments;

/// A file in TOML, and what is different from the original.
#[derive(Debug)]
pub struct Converted {
    /// The file.
    pub text: String,
    /// What is approximated, left out or without effect.
    pub losses: Diagnostics,
}

/// Writes the configuration of HAProxy at `path` as TOML.
///
/// # Errors
///
/// Every mistake in the file; that it is not one of HAProxy.
pub fn convert(path: &Path, options: &Options) -> Result<Converted, Diagnostics> {
    converted(Gatherer::new(&environment).options(options).main_file(path))
}

pub(super) fn converted(mut gathered: Gathered) -> Result<Converted, Diagnostics> {
    let whole = gathered.sources.first();
    let original = gathered.sources.text(whole);
    let is_readable = !gathered.found.iter().any(Diagnostic::is_error);
    if is_readable && !haproxy::is_haproxy_cfg(original) {
        let mistake = Diagnostic::error(gathered.sources.start(), "this is no file of HAProxy");
        let help = "`evenkeel check --show` prints a file in TOML with all defaults";
        gathered.found.push(mistake.help(help));
    }
    let (lines, rest) = haproxy::commented(gathered.sources.text(whole), whole, &environment);
    let comments = Comments::new(&gathered.sources, lines, rest);
    let text = layout::write(&gathered.table, comments);
    let loaded = compiled(gathered)?;
    let again = load_text("the converted file", &text)?;
    if again.plan != loaded.plan {
        let bug = "the converted file would say something else than the original: this is a bug of Evenkeel";
        let found = vec![Diagnostic::at(&Position::built_in(), bug, "")];
        return Err(Diagnostics::new(found, Arc::default()));
    }
    Ok(Converted {
        text,
        losses: loaded.warnings,
    })
}
