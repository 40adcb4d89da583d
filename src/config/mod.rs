//! The configuration: from text to a plan, with all mistakes in it.
//!
//! In the order of work: `source` keeps the text; `raw` reads values with their positions, and
//! `variables` fills variables in; `include` gathers the files and `merge` joins them; `compile`
//! asks for each key through `section` and `setting` and makes the plan; `diagnostic` has the
//! messages; `show` writes a plan as text, and `convert` a file of HAProxy in our words. `keys` is the one table of all keys: all of these, and
//! `schema`, use it. `control` loads configurations at start and at each reload, `cli` for `check`.
//! Nothing here changes the running process.

mod check;
mod compile;
mod convert;
mod diagnostic;
mod expression;
mod haproxy;
mod haproxy_hints;
mod haproxy_lines;
mod include;
mod keys;
mod merge;
mod page;
mod quantity;
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

pub use convert::{Converted, convert};
pub use diagnostic::{Color, Diagnostic, Diagnostics, Severity};
pub use haproxy::{FEATURES as HAPROXY_FEATURES, VERSION as HAPROXY_VERSION};
pub use schema::schema;
pub use show::show;

use crate::plan::{Admin, Plan};
use include::{Gathered, Gatherer};
use report::Report;

/// A configuration that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The plan.
    pub plan: Plan,
    /// Valid settings that are probably not meant; never an error.
    pub warnings: Diagnostics,
    /// The files to watch for changes.
    pub watch: Watch,
}

/// All files that a plan was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The main file, included files and secret files.
    pub files: Vec<PathBuf>,
    /// The patterns of `include`: a new file that matches one changes the configuration.
    pub globs: Vec<String>,
}

/// Loads the plan from the file at `path` and the files that it includes.
///
/// # Errors
///
/// Every mistake in every file.
pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    load_with(path, &Options::default())
}

/// What the command line says about a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Further files, read behind the first. A directory stands for its files that end in `.cfg`, by name.
    pub files: Vec<PathBuf>,
    /// What the files are; `None`: what they look like.
    pub syntax: Option<Syntax>,
    /// Variables of an `haproxy.cfg`, before those of the environment.
    pub variables: Vec<(String, String)>,
    /// The most connections of the process, in place of that of the file.
    pub max_connections: Option<u32>,
    /// The admin listener, in place of that of the file.
    pub admin: Option<String>,
    /// Lines of an `haproxy.cfg` that do not exist here are left out, with a warning, and are no mistakes.
    pub accept_loss: bool,
}

/// The language of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Ours.
    Toml,
    /// An `haproxy.cfg`.
    Haproxy,
}

/// The same as [`load`], with what the command line says.
///
/// # Errors
///
/// Every mistake in every file.
pub fn load_with(path: &Path, options: &Options) -> Result<Loaded, Diagnostics> {
    compiled(Gatherer::new(&environment).options(options).main_file(path))
}

/// Loads the plan from `text`; messages call it `name`.
///
/// Relative paths are errors, because there is no directory for them.
///
/// # Errors
///
/// Every mistake in the text.
pub fn load_text(name: &str, text: &str) -> Result<Loaded, Diagnostics> {
    compiled(Gatherer::new(&environment).text(name, text))
}

/// The admin listener in the file at `path`, whatever mistakes the file has; `None`: it has none.
///
/// For `evenkeel health`, which asks a running proxy: mistakes in its file do not stop it.
pub fn admin_listen(path: &Path) -> Option<Admin> {
    made_out(Gatherer::new(&environment).main_file(path))
        .0
        .admin
}

/// Whether a condition of `.if` holds: for `-cc`.
///
/// # Errors
///
/// What is wrong with it.
pub fn haproxy_condition(text: &str) -> Result<bool, String> {
    haproxy::line_holds(text, &environment)
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

/// The plan as far as the text allows, the messages, and the files to watch.
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
    // Values near broken syntax are not what was meant.
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
