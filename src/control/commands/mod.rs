//! HAProxy's commands, such as `show stat`, on the sockets of `[admin] haproxy_socket`.
//!
//! Commands and answers are those of HAProxy's management guide, section 9.3, so that scripts,
//! exporters and dashboards for its `stats socket` go on. Each command is an entry of one table,
//! [`COMMANDS`], from which the answer to `help` comes too.
//!
//! A client gives one line of commands, and the connection ends after the answers; or it begins with
//! `prompt`, and stays. Bounded: clients at a time, the time until the next command, the time in
//! which a client takes the next part of an answer, and the length of a line.

mod activity;
mod connections;
mod info;
mod line;
mod process;
mod servers;
mod session;
mod stat;
mod table;

use std::rc::Rc;
use std::sync::Arc;

use crate::base::tasks;
use crate::config::HAPROXY_VERSION;
use crate::plan::CommandLevel;
use crate::proxy::snapshot::Snapshot;

use super::State;

pub(super) use connections::{Clients, start};

/// The answer to a command, without the empty line behind it.
enum Answer {
    /// This text.
    Text(String),
    /// What this makes of the present snapshot. Tens of thousands of servers take a while, in which
    /// health checks must not wait: it is made on a blocking thread.
    Of(Box<dyn FnOnce(Arc<Snapshot>) -> String + Send>),
}

impl Answer {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn of(made: impl FnOnce(Arc<Snapshot>) -> String + Send + 'static) -> Self {
        Self::Of(Box::new(made))
    }

    async fn made(self, state: &State) -> String {
        match self {
            Self::Text(text) => text,
            Self::Of(made) => {
                let snapshot = state.current.load();
                let making = tasks::spawn_blocking(move || made(snapshot));
                // A panic is a defect, which the thread's own report tells of.
                let made = making.await;
                made.unwrap_or_else(|_| "Internal error.\n".to_owned())
            }
        }
    }
}

/// What a command gets.
struct Asked<'a> {
    state: &'a Rc<State>,
    /// The words behind those of the command.
    arguments: &'a [String],
}

impl Asked<'_> {
    /// The argument at `index`; empty: there is none.
    fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", |word| word)
    }
}

/// One command.
struct Command {
    /// The words that it begins with.
    words: &'static [&'static str],
    /// All of it, for `help`.
    usage: &'static str,
    /// What it does.
    means: &'static str,
    /// From which level on it may be given.
    level: CommandLevel,
    run: fn(&Asked<'_>) -> Answer,
}

/// All commands, by their words. Those of the session itself are in [`session`].
static COMMANDS: &[Command] = &[
    Command {
        words: &["get", "weight"],
        usage: "get weight <bk>/<srv>",
        means: "report a server's current weight",
        level: CommandLevel::User,
        run: servers::get_weight,
    },
    Command {
        words: &["show", "activity"],
        usage: "show activity",
        means: "show per-thread activity stats (for support/developers)",
        level: CommandLevel::User,
        run: activity::show,
    },
    Command {
        words: &["show", "backend"],
        usage: "show backend",
        means: "list backends in the current running config",
        level: CommandLevel::User,
        run: servers::show_backend,
    },
    Command {
        words: &["show", "cli", "sockets"],
        usage: "show cli sockets",
        means: "dump list of cli sockets",
        level: CommandLevel::User,
        run: process::show_sockets,
    },
    Command {
        words: &["show", "env"],
        usage: "show env [var]",
        means: "dump environment variables known to the process",
        level: CommandLevel::Operator,
        run: process::show_env,
    },
    Command {
        words: &["show", "errors"],
        usage: "show errors [<px>] [request|response]",
        means: "report last request and/or response errors for each proxy",
        level: CommandLevel::Operator,
        run: process::show_errors,
    },
    Command {
        words: &["show", "info"],
        usage: "show info [desc|json|typed|float]*",
        means: "report information about the running process",
        level: CommandLevel::User,
        run: info::show,
    },
    Command {
        words: &["show", "pools"],
        usage: "show pools",
        means: "report information about the memory pools usage",
        level: CommandLevel::User,
        run: activity::show_pools,
    },
    Command {
        words: &["show", "servers", "conn"],
        usage: "show servers conn [<backend>]",
        means: "dump server connections status (all or for a single backend)",
        level: CommandLevel::User,
        run: servers::show_connections,
    },
    Command {
        words: &["show", "servers", "state"],
        usage: "show servers state [<backend>]",
        means: "dump volatile server information (all or for a single backend)",
        level: CommandLevel::User,
        run: servers::show_state,
    },
    Command {
        words: &["show", "stat"],
        usage: "show stat [desc|json|no-maint|typed|up]*",
        means: "report counters for each proxy and server",
        level: CommandLevel::User,
        run: stat::show,
    },
    Command {
        words: &["show", "table"],
        usage: "show table <table> [<filter>]*",
        means: "report table usage stats or dump this table's contents (filter: data/key)",
        level: CommandLevel::User,
        run: table::show,
    },
    Command {
        words: &["show", "version"],
        usage: "show version",
        means: "show version of the current process",
        level: CommandLevel::User,
        run: process::show_version,
    },
];

/// The version that HAProxy's clients are told: that of the configuration language, and ours.
fn version() -> String {
    let (major, minor) = HAPROXY_VERSION;
    format!("{major}.{minor}.0-evenkeel-{}", env!("CARGO_PKG_VERSION"))
}
