//! Compiles what is written to a plan: resolves names, fills in defaults, checks everything.
//!
//! One file for each kind of table. Every function reports its mistakes and continues, so that one
//! run finds all of them. Checks of the whole plan are in `check`.

mod address;
mod admin;
mod backend;
mod bind;
mod command_socket;
mod connection_rule;
mod defaults;
mod error_page;
mod errorfile;
mod expression;
mod files;
mod frontend;
mod health;
mod log;
mod name;
mod pattern;
mod pem_file;
mod retry;
mod route;
mod rule;
mod server;
mod server_health;
mod server_tls;
mod status;
mod table;
mod tcp_route;
mod tls;

use crate::config::check::{self, Reading};
use crate::config::keys;
use crate::config::raw::{Entry, Kind, Table};
use crate::config::report::Report;
use crate::config::section::{KeyList, Section};
use crate::plan::{Log, Plan, Process, Reload, Shutdown};

use defaults::Defaults;

/// Compiles `top` as far as possible. The result is a plan only if no error was reported.
pub(super) fn compile(top: &Table, reading: Reading, report: &mut Report<'_>) -> Plan {
    let top = Section::over(&keys::TOP, String::new(), top, report.start(), report);
    let defaults = Defaults::of(
        &top,
        frontend::check_defaults,
        backend::check_defaults,
        report,
    );
    let mut plan = Plan {
        process: Process::default(),
        log: Log::default(),
        reload: Reload::default(),
        shutdown: Shutdown::default(),
        admin: None,
        command_sockets: Vec::new(),
        frontends: frontend::frontends(&top, &defaults, reading, report),
        backends: backend::backends(&top, &defaults, reading, report),
        tables: table::tables(&top, report),
    };
    (plan.admin, plan.command_sockets) = admin::admin(&top, report);
    keys::TOP.whole().read(&top, &mut plan, report);
    plan.log.access = log::access_logs(&top, report);
    check::plan(&plan, reading, report);
    plan
}

/// The table of one frontend or backend, whose name is `entry`'s key.
fn named_section<'a>(
    keys: &dyn KeyList,
    kind: &str,
    entry: &'a Entry,
    report: &mut Report<'_>,
) -> Option<Section<'a>> {
    let title = format!("[{kind}.{}]", entry.key);
    report.begins(&title, entry.key_span);
    if entry.value.has_broken() {
        report.leaves_out_value_of(entry.key_span);
    }
    match &entry.value.kind {
        Kind::Table(table) => Some(Section::over(keys, title, table, entry.value.span, report)),
        Kind::Broken => None,
        _ => {
            report.error(
                entry.key_span,
                format!(
                    "`[{kind}]` contains one table for each {kind}, and `{}` is not a table",
                    entry.key
                ),
                format!("write `[{kind}.NAME]` above the keys of the {kind}"),
            );
            None
        }
    }
}
