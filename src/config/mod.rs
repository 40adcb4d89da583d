//! The configuration: from text to a plan, with every mistake in it found at once.
//!
//! In the order of the way: `source` keeps the text, `raw` reads what was written with its position and
//! `variables` fills it in, `include` gathers the files and `merge` joins them, `compile` asks for each key through
//! `section` and `setting` and makes the plan, `diagnostic` says what is wrong, and `show` writes a
//! plan down again. `keys` is the one table of what can be written: all of these, and `schema`, go by it.
//! `control` loads through here at start and at each reload, `cli` for `check`. Nothing here
//! touches what runs.

mod check;
mod compile;
mod diagnostic;
mod expression;
mod haproxy_hints;
mod haproxy_lines;
mod include;
mod keys;
mod merge;
mod page;
mod raw;
mod report;
mod schema;
mod section;
mod setting;
mod show;
mod source;
mod suggest;
#[cfg(test)]
mod tests;
mod variables;

#[cfg(test)]
pub(crate) use expression::written;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use diagnostic::{Color, Diagnostic, Diagnostics, Severity};
pub use schema::schema;
pub use show::show;

use crate::plan::{Admin, Plan};
use include::{Gathered, Gatherer};
use report::Report;

/// What a configuration came to.
#[derive(Debug)]
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
    compiled(Gatherer::new(&environment).main_file(path))
}

/// The plan that `text` describes; messages call it `name`.
///
/// There is no directory that a relative path could begin at: such paths are errors.
///
/// # Errors
///
/// Every mistake in the text.
pub fn load_text(name: &str, text: &str) -> Result<Loaded, Diagnostics> {
    compiled(Gatherer::new(&environment).text(name, text))
}

/// Where the file at `path` wants the admin listener, whatever mistakes are in it; `None`: nowhere.
///
/// For `evenkeel health`, which asks a proxy that runs: a mistake in its file does not stop it.
pub fn admin_listen(path: &Path) -> Option<Admin> {
    made_out(Gatherer::new(&environment).main_file(path))
        .0
        .admin
}

fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn compiled(gathered: Gathered) -> Result<Loaded, Diagnostics> {
    let (plan, diagnostics, watch) = made_out(gathered);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    Ok(Loaded {
        plan,
        warnings: diagnostics,
        watch,
    })
}

/// The plan as far as it can be made out, what was found in the files, and what to watch.
fn made_out(gathered: Gathered) -> (Plan, Diagnostics, Watch) {
    let Gathered {
        table,
        sources,
        mut watch,
        mut found,
        reading,
        broken,
    } = gathered;
    let mut report = Report::new(&sources);
    let plan = compile::compile(&table, reading, &mut report);
    watch.files.append(&mut report.take_files());
    // What is read where the grammar is broken is not what was meant there.
    let blur = sources.blur(&broken);
    let is_clear = |diagnostic: &Diagnostic| {
        let span = diagnostic.span();
        !span.is_some_and(|span| sources.is_blurred(span, &blur))
    };
    found.extend(report.into_found().into_iter().filter(is_clear));
    watch.files.sort();
    watch.files.dedup();
    (plan, Diagnostics::new(found, Arc::new(sources)), watch)
}
